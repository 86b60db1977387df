"""What a task instance keeps over its attempts, in Airflow's task state store (Airflow 3.3 and later).

Plain JSON: :class:`TaskState`, one value; :class:`RequestLog`, numbered records; :class:`ExportRequests` and
:class:`JobRequests`, what the records of an export and of an action of jobs mean.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from airflow_provider_dli.client.locations import ObsLocation, parse_directory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_provider_dli.client.flink.status import JobSnapshot

# Whoever clears a task days later wants a new result, and not to continue what a failed attempt began.
_MAX_AGE = timedelta(hours=24)
_SINCE = "since"
#: jobs of a record; a record is written again for each of its jobs, so the bytes grow with the number of jobs
_JOBS_PER_RECORD = 20
#: states of an export request: its outcome is unknown; its archives are known; it did nothing; it was reported
_OPEN, _DONE, _VOID, _REPORTED = "open", "done", "void", "reported"
#: names of a listing that are recorded in full; of a longer one only short hashes are
_FULL_NAMES = 1000


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
            self.head = _new_head({})
            self._write_head()
        self.records.append(record)
        self.update(len(self.records) - 1)
        return len(self.records) - 1

    def update(self, number: int) -> None:
        """Write the record of this number, which has changed."""
        if self._store:
            self._store.set(self._name(number), self.records[number])

    def restart(self, records: list[dict[str, Any]], **head: object) -> None:
        """Begin a new generation of records and drop those so far.

        A process that is killed meanwhile leaves either these records or the old ones: the head comes last.

        :param records: the records to continue with
        :param head: values that belong to the log as a whole
        """
        old = self._names()
        self.head, self.records = _new_head(head), list(records)
        for number in range(len(self.records)):
            self.update(number)
        self._write_head()
        self._delete(old)

    def clear(self) -> None:
        """Delete everything: nothing is left to resume."""
        if self.head:
            self._delete([self._key, *self._names()])
        self.head, self.records = {}, []

    def _write_head(self) -> None:
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


def _new_head(values: Mapping[str, object]) -> dict[str, Any]:
    return {**values, "generation": uuid4().hex[:8], _SINCE: datetime.now(UTC).isoformat()}


def _is_recent(since: object) -> bool:
    return isinstance(since, str) and datetime.fromisoformat(since) > datetime.now(UTC) - _MAX_AGE


class ExportRequests:
    """The export requests of a task instance over its attempts, whatever their batch and directory.

    A record ends when the outcome of its own request is known or was reported; the outcome of another request ends
    none.
    """

    def __init__(self, log: RequestLog) -> None:
        self.log = log
        if log.records and not log.is_recent:
            self._expire()
        self._requests = [
            _export_request(number, each) for number, each in enumerate(log.records) if "state" in each
        ]

    def _expire(self) -> None:
        """Begin a new generation without the results of one that is more than a day old.

        Its archives stay known as those of its requests, and open requests stay: their archives may yet appear.
        """
        kept = [record for record in self.log.records if record.get("state") in (_OPEN, _DONE, _REPORTED)]
        old = [archive for record in kept if record["state"] == _DONE for archive in record["archives"]]
        kept = [record | {"state": _REPORTED} if record["state"] == _DONE else record for record in kept]
        self.log.restart(kept, superseded=[*self.superseded, *old])

    def selected(self, selection: str) -> list[int] | None:
        """Return the ids that an earlier attempt selected by the same selection within the last day, or None."""
        found = [record for record in self.log.records if "selected" in record]
        return list(found[-1]["selected"]) if found and found[-1].get("by") == _hash(selection) else None

    def select(self, job_ids: Sequence[int], selection: str) -> None:
        """Record which jobs are selected, and by what: a later attempt continues with the same."""
        self.log.add({"selected": list(job_ids), "by": _hash(selection)})

    @property
    def superseded(self) -> list[str]:
        """The archives of an earlier attempt whose jobs are exported again, and which are reported.

        It was more than a day ago; or it exported everything, and either the task was cleared, or its process was
        killed before Airflow knew that it had succeeded: nobody can know which.
        """
        return list(self.log.head.get("superseded", []))

    def unresolved(self) -> list[ExportRequest]:
        """Return the requests whose outcome is not known, oldest first."""
        return [each for each in self._requests if each.state == _OPEN]

    def unresolved_for(self, directory: ObsLocation, job_ids: tuple[int, ...] | None) -> list[ExportRequest]:
        """Return those of them that are for these jobs and this directory."""
        return [each for each in self.unresolved() if each.is_for(directory, job_ids)]

    def finished(self) -> list[ExportRequest]:
        """Return the requests whose archives are known, oldest first."""
        return [each for each in self._requests if each.state == _DONE]

    def archives_of(self, directory: ObsLocation, job_ids: tuple[int, ...] | None) -> list[str]:
        """Return the archives that these jobs were exported to within the last day; empty if they were not."""
        found = [each.archives for each in self.finished() if each.is_for(directory, job_ids)]
        return found[-1] if found else []

    def known_archives(self) -> set[str]:
        """Return all archives that are known to be of some request, or were reported."""
        return {archive for each in self._requests for archive in each.archives}

    def begin(
        self,
        directory: ObsLocation,
        job_ids: tuple[int, ...] | None,
        before: Sequence[str] | None,
        visible: Iterable[int] | None = None,
    ) -> ExportRequest:
        """Record that a request is about to be sent, with the names of the archives in its directory.

        :param before: those names; None if they cannot be listed
        :param visible: all jobs, for a request for all; None if they cannot be listed
        """
        if before is not None and len(before) > _FULL_NAMES:
            before = list(map(_hash, before))
        jobs = None if job_ids is None else list(job_ids)
        record = {"dir": str(directory), "jobs": jobs, "before": before, "state": _OPEN}
        if visible is not None:
            record["visible"] = _digest(visible)
        request = _export_request(self.log.add(record), record)
        self._requests.append(request)
        return request

    def cancel(self, request: ExportRequest) -> None:
        """Record that a request surely did nothing."""
        self._end(request, _VOID)

    def finish(self, request: ExportRequest, archives: Sequence[str]) -> None:
        """Record the archives that a request made."""
        self._end(request, _DONE, archives)

    def report(self, request: ExportRequest, archives: Sequence[str]) -> None:
        """Record that a request was reported, and the archives that may be its own."""
        self._end(request, _REPORTED, archives)

    def _end(self, request: ExportRequest, state: str, archives: Sequence[str] = ()) -> None:
        request.state, request.archives = state, list(archives)
        record = self.log.records[request.number]
        record.pop("before", None)
        record |= {"state": state, "archives": request.archives}
        self.log.update(request.number)

    def end_attempt(self, archives: Sequence[str], *, is_complete: bool) -> None:
        """Keep only what is of use to a later attempt.

        :param archives: the archives that the task returns
        :param is_complete: whether everything was exported: then a later run of the task exports everything again,
            and knows of these archives. Open requests stay: their archives may yet appear
        """
        records = self.log.records
        if is_complete:
            self.log.restart([records[each.number] for each in self.unresolved()], superseded=sorted(archives))
        elif not self.superseded and all(record.get("state") == _VOID for record in records):
            self.log.clear()


@dataclass(slots=True)
class ExportRequest:
    """One request for an export.

    :param number: of its record
    :param directory: where its archive goes
    :param job_ids: the requested jobs; None for all of the project
    :param jobs: a digest of the requested jobs; None if it is not known which "all" were
    :param before: the archives that were there before it was sent, by name or hash; None if that is not known
    :param state: of its outcome
    :param archives: its own, or those that may be and were reported
    """

    number: int
    directory: ObsLocation
    job_ids: tuple[int, ...] | None
    jobs: str | None
    before: frozenset[str] | None
    state: str
    archives: list[str]

    def is_for(self, directory: ObsLocation, job_ids: tuple[int, ...] | None) -> bool:
        """Return whether it is for these jobs and this directory."""
        return self.directory == directory and self.job_ids == job_ids

    def is_of(self, job_ids: Iterable[int]) -> bool:
        """Return whether it is for exactly these jobs."""
        return self.jobs == _digest(job_ids)

    def is_new(self, archive: str) -> bool:
        """Return whether an archive, ``bucket/key``, was not in the directory before this request."""
        name = archive.removeprefix(f"{self.directory}/")
        return not self.before or not {name, _hash(name)} & self.before


def _export_request(number: int, record: Mapping[str, Any]) -> ExportRequest:
    jobs, before = record["jobs"], record.get("before")
    return ExportRequest(
        number,
        parse_directory("dir", record["dir"]),
        None if jobs is None else tuple(jobs),
        record.get("visible") if jobs is None else _digest(jobs),
        None if before is None else frozenset(before),
        record["state"],
        list(record.get("archives", [])),
    )


def _digest(job_ids: Iterable[int]) -> str:
    return hashlib.sha256(" ".join(map(str, sorted(job_ids))).encode()).hexdigest()


def _hash(name: str) -> str:
    # Never a name of an archive: those end in ".zip".
    return urlsafe_b64encode(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:6]).decode()


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
        """Return the snapshot of a job from before its request; None if it was not requested."""
        return self._entry(job_id)[0] if job_id in self._places else None

    def unresolved(self, job_id: int) -> int:
        """Return the number of requests for a job whose outcome is not known."""
        return self._entry(job_id)[1] if job_id in self._places else 0

    def begin(self, job_id: int, snapshot: JobSnapshot) -> JobSnapshot:
        """Record that a request is about to be sent; return the snapshot to compare its outcome with."""
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

    def finish(self, job_id: int) -> None:
        """Record that the last request was accepted; written with the next one."""
        entry = self._entry(job_id)
        entry[1:] = [entry[1] - 1, True]

    def cancel(self, job_id: int) -> None:
        """Record that the last request surely had no effect."""
        entry, number = self._entry(job_id), self._places[job_id]
        entry[1] -= 1
        if entry[1:] == [0, False]:
            del self._log.records[number]["jobs"][str(job_id)], self._places[job_id]
        self._log.update(number)

    def update(self, job_id: int, snapshot: JobSnapshot) -> None:
        """Record what a later poll may no longer show, in the snapshot from before the request."""
        self._entry(job_id)[0] = snapshot
        self._log.update(self._places[job_id])

    def _entry(self, job_id: int) -> list[Any]:
        """Return the entry of a job: its snapshot, how many requests are open, and whether one was accepted."""
        return self._log.records[self._places[job_id]]["jobs"][str(job_id)]  # type: ignore[no-any-return]  # likewise
