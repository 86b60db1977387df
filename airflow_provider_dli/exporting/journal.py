"""The requests of an export over the attempts of its task: each with what lay there before, and its outcome."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.locations import ObsLocation, parse_directory

if TYPE_CHECKING:
    from airflow_provider_dli.task_state import RequestLog

#: names that a record spells out; beyond, each is kept as a hash of eight characters
_SPELT_OUT = 1000
_DIGEST = 6

_OPEN, _DONE, _VOID, _REPORTED = "open", "done", "void", "reported"


class Before:
    """The archives that lay in a directory before a request was sent.

    :param kept: plain JSON: a list of names, or one text of hashes
    """

    def __init__(self, kept: Sequence[str] | str) -> None:
        self.kept = kept
        width = len(_hash(""))
        self._hashes = (
            frozenset(kept[at : at + width] for at in range(0, len(kept), width))
            if isinstance(kept, str)
            else frozenset(map(_hash, kept))
        )

    @classmethod
    def of(cls, names: Iterable[str]) -> Before:
        """Take down names, relative to the directory."""
        listed = sorted(names)
        return cls(listed if len(listed) <= _SPELT_OUT else "".join(map(_hash, listed)))

    def __contains__(self, name: str) -> bool:
        """Whether an archive of that name lay there."""
        return _hash(name) in self._hashes


def _hash(name: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:_DIGEST]).decode()


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """One request, as it is kept.

    :param number: of its record
    :param directory: where its archive goes
    :param job_ids: the jobs; None for all of the project
    :param before: what lay there before it was sent; None if that could not be listed
    """

    number: int
    directory: ObsLocation
    job_ids: tuple[int, ...] | None
    before: Before | None


class ExportRequests:
    """All requests of a task instance: whatever batch, order of ids or directory.

    A record ends when the outcome of its own request is known or was reported; the outcome of another request ends
    none.

    :param log: of the task
    """

    def __init__(self, log: RequestLog) -> None:
        self._log = log

    @property
    def survives(self) -> bool:
        """Whether a later attempt will know of the requests."""
        return self._log.is_persistent

    @property
    def selected(self) -> list[int] | None:
        """The ids that an earlier attempt selected within the last day; None if none did."""
        found = [record["selected"] for record in self._log.records if "selected" in record]
        return list(found[-1]) if found and self._log.is_recent else None

    def select(self, job_ids: Sequence[int]) -> None:
        """Keep which jobs are selected: a later attempt goes on with the same."""
        self._log.add({"selected": list(job_ids)})

    @property
    def superseded(self) -> list[str]:
        """The archives of an earlier attempt that exported everything.

        Either the task was cleared, or its process was killed before Airflow knew that it had succeeded. Nobody
        can know which; so the export is done again, and the archives are reported.
        """
        return list(self._log.head.get("superseded", []))

    def archives_of(self, directory: ObsLocation, job_ids: Sequence[int] | None) -> list[str]:
        """Return the archives that these jobs were exported to within the last day; none if they were not."""
        wanted = {"dir": str(directory), "jobs": None if job_ids is None else list(job_ids)}
        found = [
            record["archives"]
            for record in self._requests(_DONE)
            if all(record[name] == value for name, value in wanted.items())
        ]
        return list(found[-1]) if found and self._log.is_recent else []

    def archives(self) -> set[str]:
        """Return all archives that are known to be of some request, or were reported."""
        return {archive for record in self._requests(_DONE, _REPORTED) for archive in record["archives"]}

    def completed(self) -> Iterator[tuple[ObsLocation, list[str]]]:
        """Give the directory and the archives of each request whose outcome is known."""
        for record in self._requests(_DONE):
            yield parse_directory("dir", record["dir"]), list(record["archives"])

    def open(self) -> list[ExportRequest]:
        """Return the requests whose outcome is not known, oldest first."""
        return [
            self._read(number, record)
            for number, record in enumerate(self._log.records)
            if record.get("state") == _OPEN
        ]

    def open_for(self, directory: ObsLocation, job_ids: Sequence[int] | None) -> list[ExportRequest]:
        """Return those of them that are for these jobs and this directory."""
        ids = None if job_ids is None else tuple(job_ids)
        return [each for each in self.open() if each.directory == directory and each.job_ids == ids]

    def begin(self, directory: ObsLocation, job_ids: Sequence[int] | None, before: Before | None) -> ExportRequest:
        """Keep that a request is about to be sent.

        :param directory: where its archive goes
        :param job_ids: the jobs; None for all of the project
        :param before: what lies there now; None if that cannot be listed
        """
        record = {
            "dir": str(directory),
            "jobs": None if job_ids is None else list(job_ids),
            "before": before.kept if before else None,
            "state": _OPEN,
        }
        return self._read(self._log.add(record), record)

    def cancel(self, request: ExportRequest) -> None:
        """Keep that a request surely did nothing."""
        self._end(request, _VOID)

    def finish(self, request: ExportRequest, archives: Sequence[str]) -> None:
        """Keep which archives a request made."""
        self._end(request, _DONE, archives)

    def report(self, request: ExportRequest, archives: Sequence[str]) -> None:
        """Keep that the user was told of a request, and of archives that may be its own."""
        self._end(request, _REPORTED, archives)

    def close(self, archives: Sequence[str]) -> None:
        """All is done: another run of the task begins again, and knows of these archives.

        What is still open stays: its archive may yet come.

        :param archives: those that the task returns
        """
        still_open = self._requests(_OPEN)
        self._log.restart(still_open, superseded=sorted(archives))

    def clear_if_over(self) -> None:
        """Forget a log that holds nothing of use to a later attempt."""
        useful = [record for record in self._log.records if record.get("state") != _VOID]
        if not useful and not self.superseded:
            self._log.clear()

    def _requests(self, *states: str) -> list[dict[str, Any]]:
        return [record for record in self._log.records if record.get("state") in states]

    def _end(self, request: ExportRequest, state: str, archives: Sequence[str] = ()) -> None:
        record = self._log.records[request.number]
        record.pop("before", None)
        record |= {"state": state, "archives": list(archives)}
        self._log.update(request.number)

    def _read(self, number: int, record: dict[str, Any]) -> ExportRequest:
        jobs, before = record["jobs"], record["before"]
        return ExportRequest(
            number,
            parse_directory("dir", record["dir"]),
            None if jobs is None else tuple(jobs),
            None if before is None else Before(before),
        )
