"""The export requests of a task instance over its attempts: what its :class:`RequestLog` means."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.locations import ObsLocation, parse_directory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from airflow_provider_dli.task_state import RequestLog

#: states of a request: its outcome is unknown; its archives are known; it did nothing; it was reported
_OPEN, _DONE, _VOID, _REPORTED = "open", "done", "void", "reported"
#: names of a listing that are recorded in full; of a longer one only short hashes are
_FULL_NAMES = 1000


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
        at: datetime | None = None,
    ) -> ExportRequest:
        """Record that a request is about to be sent, with the names of the archives in its directory.

        :param before: those names; None if they cannot be listed
        :param visible: all jobs, for a request for all; None if they cannot be listed
        :param at: when they were listed, by OBS's clock
        """
        if before is not None and len(before) > _FULL_NAMES:
            before = list(map(_hash, before))
        jobs = None if job_ids is None else list(job_ids)
        record = {"dir": str(directory), "jobs": jobs, "before": before, "state": _OPEN}
        if at is not None:
            record["at"] = at.isoformat()
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
        # A new one: another thread may be writing the old one.
        record = self.log.records[request.number] | {"state": state, "archives": request.archives}
        record.pop("before", None)
        self.log.records[request.number] = record
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
    :param requested_at: when it was sent, by OBS's clock, as ISO 8601; None if that is not known
    """

    number: int
    directory: ObsLocation
    job_ids: tuple[int, ...] | None
    jobs: str | None
    before: frozenset[str] | None
    state: str
    archives: list[str]
    requested_at: str | None

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
        record.get("at"),
    )


def _digest(job_ids: Iterable[int]) -> str:
    return hashlib.sha256(" ".join(map(str, sorted(job_ids))).encode()).hexdigest()


def _hash(name: str) -> str:
    # Never a name of an archive: those end in ".zip".
    return urlsafe_b64encode(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:6]).decode()
