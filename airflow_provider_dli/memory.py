"""What a task instance remembers over its attempts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

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


class RequestLog:
    """Small numbered records of the requests of a task instance, kept over its attempts.

    Each record is a value of its own in the store, so that the bytes written grow with the number of requests and
    not with its square. A head under the plain key names the generation of the records: dropping all of them is
    one step, whenever the process ends.

    :param context: of the task; Airflow 3.3 and later have a ``task_state_store`` in it
    :param key: under which the head is kept
    """

    def __init__(self, context: Mapping[str, Any], key: str) -> None:
        self._store: StateStore | None = context.get("task_state_store")
        self._key = key
        head = self._store.get(key) if self._store else None
        #: values that belong to the log as a whole; plain JSON
        self.head: dict[str, Any] = head if isinstance(head, dict) and "generation" in head else {}
        #: the records, oldest first; plain JSON. Whoever changes one calls :meth:`update`
        self.records: list[dict[str, Any]] = []
        while self.head and isinstance(record := self._get(len(self.records)), dict):
            self.records.append(record)

    @property
    def survives(self) -> bool:
        """Whether a later attempt can read the records: not before Airflow 3.3."""
        return self._store is not None

    @property
    def is_fresh(self) -> bool:
        """Whether the log was begun within the last day. A matter of usefulness: it decides no identity."""
        since = self.head.get(_SINCE)
        return isinstance(since, str) and datetime.fromisoformat(since) > datetime.now(UTC) - _GOOD_FOR

    def add(self, record: dict[str, Any]) -> int:
        """Append a record; return its number.

        :param record: plain JSON
        """
        if not self.head:
            self._begin({})
        self.records.append(record)
        self.update(len(self.records) - 1)
        return len(self.records) - 1

    def update(self, number: int) -> None:
        """Write a record that has changed.

        :param number: of the record
        """
        if self._store:
            self._store.set(self._name(number), self.records[number])

    def restart(self, records: list[dict[str, Any]], **head: object) -> None:
        """Begin a new generation; the records so far are dropped.

        :param records: those to go on with
        :param head: values that belong to the log as a whole
        """
        old = [self._name(number) for number in range(len(self.records))] if self.head else []
        self._begin(head)
        self.records = []
        for record in records:
            self.add(record)
        self._delete(old)

    def forget(self) -> None:
        """Drop everything: there is nothing left to resume."""
        if self.head:
            old = [self._name(number) for number in range(len(self.records))]
            self._delete([self._key, *old])
        self.head, self.records = {}, []

    def _begin(self, head: Mapping[str, object]) -> None:
        self.head = {**head, "generation": uuid4().hex[:8], _SINCE: datetime.now(UTC).isoformat()}
        if self._store:
            self._store.set(self._key, self.head)

    def _name(self, number: int) -> str:
        return f"{self._key}.{self.head['generation']}.{number}"

    def _get(self, number: int) -> object:
        return self._store.get(self._name(number)) if self._store else None

    def _delete(self, names: list[str]) -> None:
        if self._store:
            for name in names:
                self._store.delete(name)
