"""Stand-ins for what Airflow hands to a task."""

from __future__ import annotations

import json
from typing import Any


class StateStore:
    """Keeps JSON, as Airflow's task state store does, over the attempts of one task instance."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.kept[key]) if key in self.kept else default

    def set(self, key: str, value: Any) -> None:
        self.kept[key] = json.dumps(value)
        # Airflow refuses what JSON would only turn into something else, such as a tuple.
        assert self.get(key) == value

    def delete(self, key: str) -> None:
        self.kept.pop(key, None)

    def left(self, key: str) -> frozenset[str]:
        """Name what is kept under a key, but for the time."""
        return frozenset(self.get(key, {})) - {"since"}


class TaskInstance:
    """Takes what a task pushes; its context keeps its state over the attempts."""

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}
        self.store = StateStore()
        self.context: Any = {"ti": self, "task_state_store": self.store}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = json.loads(json.dumps(value))
