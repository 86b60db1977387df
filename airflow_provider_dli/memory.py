"""What a task instance remembers over its tries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class StateStore(Protocol):
    """What is used of Airflow's task state store (3.3 and later)."""

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 -- any JSON value
        """Give a value."""
        ...

    def set(self, key: str, value: Any) -> None:  # noqa: ANN401 -- any JSON value
        """Keep a value over the tries of a task instance."""
        ...

    def delete(self, key: str) -> None:
        """Drop a value."""
        ...


# Whoever clears a task days later wants what is right then, not to go on with what a failed try began.
_GOOD_FOR = timedelta(hours=24)
_SINCE = "since"


class TaskMemory:
    """A mapping that survives a killed try, for a day; forgotten at once where Airflow has no such store.

    :param context: of the task; Airflow 3.3 and later have a ``task_state_store`` in it
    :param key: under which it is kept
    """

    def __init__(self, context: Mapping[str, Any], key: str) -> None:
        self._store: StateStore | None = context.get("task_state_store")
        self._key = key
        self._since = datetime.now(UTC).isoformat()

    def recall(self) -> dict[str, Any]:
        """Give what an earlier try left; nothing if none did."""
        kept = self._store.get(self._key) if self._store else None
        if not isinstance(kept, dict):
            return {}
        since = kept.pop(_SINCE, None)
        if not isinstance(since, str) or datetime.fromisoformat(since) < datetime.now(UTC) - _GOOD_FOR:
            return {}
        self._since = since
        return kept

    def keep(self, what: Mapping[str, Any]) -> None:
        """Keep this, in the place of what was kept.

        :param what: JSON values
        """
        if self._store:
            self._store.set(self._key, {**what, _SINCE: self._since})

    def forget(self) -> None:
        """Drop it: there is nothing left to resume."""
        if self._store:
            self._store.delete(self._key)
