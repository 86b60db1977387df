"""What a task instance keeps over its attempts, in Airflow's task state store (Airflow 3.3 and later)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_dli.client.flink.status import JobSnapshot

# Whoever clears a task days later wants a new result, and not to continue what a failed attempt began.
_MAX_AGE = timedelta(hours=24)
_SINCE = "since"
#: jobs of a record; a record is written again for each of its jobs, so the bytes grow with the number of jobs
_JOBS_PER_RECORD = 20


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
    """Small numbered records of the requests of a task instance, kept over its attempts.

    Each record is a value of its own in the store, so that the bytes written grow with the number of requests and
    not with its square. A head under the plain key names the generation of the records: all of them are dropped in
    one step, whenever the process ends.

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
        self.records: list[dict[str, Any]] = []
        while self._store and self.head:
            record = self._store.get(self._name(len(self.records)))
            if not isinstance(record, dict):
                break
            self.records.append(record)

    @property
    def is_persistent(self) -> bool:
        """Whether a later attempt can read the records: not before Airflow 3.3."""
        return self._store is not None

    @property
    def is_recent(self) -> bool:
        """Whether the log was begun within the last day. It never decides whose a result is."""
        return _is_recent(self.head.get(_SINCE))

    def add(self, record: dict[str, Any]) -> int:
        """Append a record, plain JSON; return its number."""
        if not self.head:
            self._begin({})
        self.records.append(record)
        self.update(len(self.records) - 1)
        return len(self.records) - 1

    def update(self, number: int) -> None:
        """Write the record of this number, which has changed."""
        if self._store:
            self._store.set(self._name(number), self.records[number])

    def restart(self, records: list[dict[str, Any]], **head: object) -> None:
        """Begin a new generation of records and drop those so far.

        :param records: the records to continue with
        :param head: values that belong to the log as a whole
        """
        old = self._names()
        self._begin(head)
        self.records = []
        for record in records:
            self.add(record)
        self._delete(old)

    def clear(self) -> None:
        """Delete everything: nothing is left to resume."""
        if self.head:
            self._delete([self._key, *self._names()])
        self.head, self.records = {}, []

    def _begin(self, head: Mapping[str, object]) -> None:
        self.head = {**head, "generation": uuid4().hex[:8], _SINCE: datetime.now(UTC).isoformat()}
        if self._store:
            self._store.set(self._key, self.head)

    def _names(self) -> list[str]:
        return [self._name(number) for number in range(len(self.records))] if self.head else []

    def _name(self, number: int) -> str:
        return f"{self._key}.{self.head['generation']}.{number}"

    def _delete(self, names: list[str]) -> None:
        if self._store:
            for name in names:
                self._store.delete(name)


class JobRequests:
    """The requests of a task for jobs, over its attempts, each with the job's snapshot from before.

    The snapshot is that before the first request whose outcome is not known. The outcome of a later request ends
    nothing of an earlier one: a refusal takes back its own request alone.

    :param log: of the task, under a key of the action's own
    """

    def __init__(self, log: RequestLog) -> None:
        self._log = log
        #: jobs of requests that are more than a day old and have no known outcome: they are reported, and dropped
        self.expired: list[int] = []
        if log.records and not log.is_recent:
            entries = [(int(job_id), entry) for record in log.records for job_id, entry in record["jobs"].items()]
            self.expired = [job_id for job_id, entry in entries if entry[1]]
            log.clear()
        self._places = {
            int(job_id): number for number, record in enumerate(log.records) for job_id in record["jobs"]
        }

    @property
    def job_ids(self) -> set[int]:
        """The jobs that this or an earlier attempt has requested."""
        return set(self._places)

    def baseline(self, job_id: int) -> JobSnapshot | None:
        """Return the snapshot of a job from before its request; None if it was not requested.

        :param job_id: its id
        """
        return self._entry(job_id)[0] if job_id in self._places else None

    def lost(self, job_id: int) -> int:
        """Return the number of requests for a job that have no known outcome.

        :param job_id: its id
        """
        return self._entry(job_id)[1] if job_id in self._places else 0

    def open(self, job_id: int, snapshot: JobSnapshot) -> JobSnapshot:
        """Record that a request is about to be sent; return the snapshot to compare its outcome with.

        :param job_id: its id
        :param snapshot: of the job as it is
        """
        if job_id in self._places:
            self._entry(job_id)[1] += 1
        else:
            records = self._log.records
            if not records or len(records[-1]["jobs"]) >= _JOBS_PER_RECORD:
                self._log.add({"jobs": {}})
            records[-1]["jobs"][str(job_id)] = [snapshot, 1, False]
            self._places[job_id] = len(records) - 1
        self._log.update(self._places[job_id])
        return self._entry(job_id)[0]  # type: ignore[no-any-return]  # as it was recorded

    def confirm(self, job_id: int) -> None:
        """Record that the last request was accepted; written with the next one.

        :param job_id: its id
        """
        entry = self._entry(job_id)
        entry[1:] = [entry[1] - 1, True]

    def cancel(self, job_id: int) -> None:
        """Record that the last request surely had no effect.

        :param job_id: its id
        """
        entry, number = self._entry(job_id), self._places[job_id]
        entry[1] -= 1
        if entry[1:] == [0, False]:
            del self._log.records[number]["jobs"][str(job_id)], self._places[job_id]
        self._log.update(number)

    def replace(self, job_id: int, snapshot: JobSnapshot) -> None:
        """Record what a later poll may no longer show.

        :param job_id: its id
        :param snapshot: from before the request, with that
        """
        self._entry(job_id)[0] = snapshot
        self._log.update(self._places[job_id])

    def _entry(self, job_id: int) -> list[Any]:
        """Return the entry of a job: its snapshot, how many requests are open, and whether one was accepted."""
        return self._log.records[self._places[job_id]]["jobs"][str(job_id)]  # type: ignore[no-any-return]  # likewise


def _is_recent(since: object) -> bool:
    return isinstance(since, str) and datetime.fromisoformat(since) > datetime.now(UTC) - _MAX_AGE
