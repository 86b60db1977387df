"""What a task instance keeps over its attempts, in Airflow's task state store (Airflow 3.3 and later).

Plain JSON: :class:`TaskState`, one value; :class:`RequestLog`, numbered records.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Mapping

# Whoever clears a task days later wants a new result, and not to continue what a failed attempt began.
_MAX_AGE = timedelta(hours=24)
_SINCE = "since"
#: about the root of the changes that a task with thousands of jobs makes: a later attempt reads fewest values then
_CHANGES_PER_BLOCK = 50


class TaskState:
    """A mapping that survives a killed attempt, for a day; without Airflow's store nothing is kept.

    :param context: of the task; Airflow 3.3 and later have a ``task_state_store`` in it
    :param key: under which it is kept
    """

    def __init__(self, context: Mapping[str, Any], key: str) -> None:
        self._store: Any = context.get("task_state_store")
        self._key = key
        self._since = datetime.now(UTC).isoformat()

    def load(self) -> dict[str, Any]:
        """Return what an earlier attempt saved within the last day; empty if none did."""
        saved = self._store.get(self._key) if self._store else None
        if not isinstance(saved, dict):
            return {}
        since = saved.pop(_SINCE, None)
        if not _is_recent(since):
            return {}
        self._since = since
        return saved

    def save(self, values: Mapping[str, Any]) -> None:
        """Replace what is saved by these values, plain JSON."""
        if self._store:
            self._store.set(self._key, {**values, _SINCE: self._since})

    def clear(self) -> None:
        """Delete it: nothing is left to resume."""
        if self._store:
            self._store.delete(self._key)


class RequestLog:
    """Small numbered records of the requests of a task instance, kept over its attempts. Threads may share it.

    The store has a journal. Each change of a record is a small value of its own, with its position; after some of
    them the store gets them again as one block, and the next changes replace the small values. So the bytes that
    are written grow with the number of changes and not with its square, and a later attempt reads few values. A
    head under the plain key names the generation of the journal, all of which is dropped in one step, whenever the
    process ends.

    :param context: of the task; Airflow 3.3 and later have a ``task_state_store`` in it
    :param key: under which the head is kept
    """

    def __init__(self, context: Mapping[str, Any], key: str) -> None:
        self._store: Any = context.get("task_state_store")
        self._key = key
        head = self._store.get(key) if self._store else None
        #: values that belong to the log as a whole; plain JSON
        self.head: dict[str, Any] = head if isinstance(head, dict) and "generation" in head else {}
        #: the records, oldest first; plain JSON. Whoever changes one calls :meth:`update`
        self.records: list[Any] = []
        self._blocks = 0
        #: number and record of each change since the last block
        self._changes: list[tuple[int, Any]] = []
        self._lock = threading.RLock()
        self._is_closed = False
        if self._store and self.head:
            self._read()

    def _read(self) -> None:
        while isinstance(block := self._store.get(self._block_name(self._blocks)), list):
            for number, record in block:
                self._replay(number, record)
            self._blocks += 1
        while len(self._changes) < _CHANGES_PER_BLOCK:
            change = self._store.get(self._name(len(self._changes)))
            # One of an earlier position is in the last block, too.
            if not isinstance(change, list) or change[0] != self._position:
                break
            self._replay(*change[1:])
            self._changes.append((change[1], change[2]))

    def _replay(self, number: int, record: Any) -> None:  # noqa: ANN401 -- any JSON
        self.records[number : number + 1] = [record]

    @property
    def is_persistent(self) -> bool:
        """Whether a later attempt can read the records: not before Airflow 3.3."""
        return self._store is not None

    @property
    def is_recent(self) -> bool:
        """Whether the log was begun within the last day. It never decides whose a result is."""
        return _is_recent(self.head.get(_SINCE))

    def add(self, record: Any) -> int:  # noqa: ANN401 -- any JSON
        """Append a record, plain JSON; return its number."""
        with self._lock:
            if self._is_closed:
                raise RuntimeError("the task has ended: its records are those of the next attempt")
            if not self.head:
                self.head = _new_head({})
                self._write_head()
            self.records.append(record)
            number = len(self.records) - 1
            self.update(number)
        return number

    def update(self, number: int) -> None:
        """Write the record of this number, which has changed."""
        with self._lock:
            if not self._store or self._is_closed:
                return
            if len(self._changes) == _CHANGES_PER_BLOCK:
                block = [[each, record] for each, record in dict(self._changes).items()]
                self._store.set(self._block_name(self._blocks), block)
                self._blocks += 1
                self._changes = []
            self._store.set(self._name(len(self._changes)), [self._position, number, self.records[number]])
            self._changes.append((number, self.records[number]))

    def restart(self, records: list[Any], **head: object) -> None:
        """Begin a new generation of records and drop those so far.

        A process that is killed meanwhile leaves either these records or the old ones: the head comes last.

        :param records: the records to continue with
        :param head: values that belong to the log as a whole
        """
        old = self._names()
        self.head, self.records, self._blocks, self._changes = _new_head(head), list(records), 0, []
        for number in range(len(self.records)):
            self.update(number)
        self._write_head()
        self._delete(old)

    def clear(self) -> None:
        """Delete everything: nothing is left to resume."""
        if self.head:
            self._delete([self._key, *self._names()])
        self.head, self.records, self._blocks, self._changes = {}, [], 0, []

    def close(self) -> None:
        """Write nothing more, and add no record: the next attempt may write already."""
        with self._lock:
            self._is_closed = True

    def _write_head(self) -> None:
        if self._store:
            self._store.set(self._key, self.head)

    @property
    def _position(self) -> int:
        """The position of the next change in the journal."""
        return self._blocks * _CHANGES_PER_BLOCK + len(self._changes)

    def _names(self) -> list[str]:
        small = min(self._position, _CHANGES_PER_BLOCK)
        return [*map(self._block_name, range(self._blocks)), *map(self._name, range(small))]

    def _name(self, number: int) -> str:
        return f"{self._key}.{self.head['generation']}.{number}"

    def _block_name(self, number: int) -> str:
        return f"{self._key}.{self.head['generation']}.block.{number}"

    def _delete(self, names: list[str]) -> None:
        if self._store:
            for name in names:
                self._store.delete(name)


def _new_head(values: Mapping[str, object]) -> dict[str, Any]:
    return {**values, "generation": uuid4().hex[:8], _SINCE: datetime.now(UTC).isoformat()}


def _is_recent(since: object) -> bool:
    return isinstance(since, str) and datetime.fromisoformat(since) > datetime.now(UTC) - _MAX_AGE
