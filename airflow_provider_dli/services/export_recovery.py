"""Find the archive of an export whose response was lost.

DLI's exports have no idempotency token, and the clocks of workers differ. So a listing decides: each request is
recorded with the archives that were in its directory before it was sent (:class:`ExportRequests`), and an archive
that is not in that listing is *new*. While the outcome of a request is unknown, :class:`ExportRecovery` polls its
directory:

- exactly one new archive, and certainly made by this request: it is the result;
- no new archive: the caller sends the request again;
- anything else: the task fails, with a message that names the archives.

It is certain if nobody else writes to the directory (:mod:`~airflow_provider_dli.services.directory_writers`), or
if the archive holds exactly the requested jobs and no other task of the DAG may export the same ones.
"""

from __future__ import annotations

import hashlib
import json
import time
import zipfile
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from logging import Logger
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.errors import AuthenticationError, ServiceError
from airflow_provider_dli.client.flink.fields import number_of
from airflow_provider_dli.client.locations import ObsLocation, parse_directory
from airflow_provider_dli.client.replies import UNREADABLE
from airflow_provider_dli.exceptions import DliException, DliFailException, translated
from airflow_provider_dli.formatting import pluralize
from airflow_provider_dli.services.directory_writers import is_exclusive, may_be_shared_within_dag

if TYPE_CHECKING:
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.hooks.obs import ObsHook
    from airflow_provider_dli.task_state import RequestLog

_POLL_INTERVAL = 2.0
_SHOWN = 5
_LOST = "its response was lost or could not be used"
_ADVICE = (
    "Verify them, keep the one that holds your jobs, and clear the task to export again. Give every task a "
    "directory of its own, with run, task and map index in its path: then it is certain whose an archive is."
)
#: states of a request: its outcome is unknown; its archives are known; it did nothing; it was reported
_OPEN, _DONE, _VOID, _REPORTED = "open", "done", "void", "reported"
#: names of a listing that are recorded in full; of a longer one only short hashes are
_FULL_NAMES = 1000
#: bytes of an archive, and of its content, above which it is not read
_MAX_PACKED, _MAX_UNPACKED = 64 << 20, 256 << 20


@dataclass
class ExportRecovery:
    """Finds the archives of requests whose outcome is unknown.

    :param requests: the requests of this and of earlier attempts
    :param context: of the task: it shows who else may write to a directory
    :param reconcile_timeout: seconds to poll OBS for the archive of a request whose response was lost
    """

    dli: DliHook
    obs: ObsHook
    requests: ExportRequests
    context: Mapping[str, Any]
    reconcile_timeout: float
    log: Logger

    def __post_init__(self) -> None:
        # For the requests of earlier attempts, all together. By this machine's clock: no other counts.
        self._resume_until = time.monotonic() + self.reconcile_timeout
        self._contents: dict[str, Content] = {}

    def list_before(self, directory: ObsLocation) -> list[str] | None:
        """List the archives that are in a directory before a request; None if that is not allowed."""
        try:
            names = self._list(directory)
        except DliFailException as error:
            # Refused keys are not sent to DLI either: more than five failures lock them.
            if not isinstance(error.error, ServiceError) or isinstance(error.error, AuthenticationError):
                raise
            self.log.warning(
                "%s cannot be listed: should the response of the export be lost, its outcome stays unknown. %s",
                directory.url,
                error,
            )
            return None
        attempt = getattr(self.context.get("ti"), "try_number", 1)
        if names and attempt > 1 and not self.requests.log.is_persistent:
            self.log.warning(
                "%s holds %s already: %s. Whether an earlier attempt of this task made them is not known before "
                "Airflow 3.3.",
                directory.url,
                pluralize(len(names), "archive"),
                ", ".join(names[-_SHOWN:]),
            )
        return names

    def resume(self, directory: ObsLocation, job_ids: Sequence[int] | None) -> list[str]:
        """Return the archive of a request whose outcome an earlier attempt did not learn; empty if there is none.

        :raises DliFailException: if it is not certain which archive it is
        """
        if not self.requests.open_for(directory, job_ids):
            return []
        self.log.info("An earlier request for an export into %s has no known outcome.", directory.url)
        archives = self._recover(directory, job_ids, self._resume_until)
        if not archives:
            self.log.info("Sending the request again.")
        return archives

    def reconcile(
        self, directory: ObsLocation, job_ids: Sequence[int] | None, error: DliException
    ) -> list[str] | None:
        """Return the archive of the request that has just lost its response; None if there is none.

        :param error: how the response was lost
        :raises DliFailException: if it is not certain which archive it is
        """
        self.log.info("%s Checking OBS for its archive.", error)
        return self._recover(directory, job_ids, time.monotonic() + self.reconcile_timeout) or None

    def _recover(self, directory: ObsLocation, job_ids: Sequence[int] | None, until: float) -> list[str]:
        requests = self.requests.open_for(directory, job_ids)
        try:
            while not (found := self._candidates(requests)) and _sleep(until):
                pass
        except DliException as error:
            if error.error is None:
                raise
            # The request stays open: the next attempt, or the cleared task, first checks for its archive.
            problem = str(error).removesuffix(error.advice or "").rstrip(" ;")
            raise type(error)(
                f"The outcome of an export into {directory.url} is unknown: {_LOST}, and OBS could not be "
                f"checked: {problem}",
                advice=error.advice,
            ) from error.error
        if not found:
            self.log.info("No archive appeared in %s within %.0f s.", directory.url, self.reconcile_timeout)
            return []
        if len(found) > 1 or not self._is_certain(directory, found[0], job_ids):
            # This reports it, and whoever clears the task wants a new export.
            for request in requests:
                self.requests.report(request, found)
            several = "several archives appeared" if len(found) > 1 else "an archive appeared"
            raise DliFailException(
                f"The outcome of an export into {directory.url} is unknown: {_LOST}, and {several} there "
                f"since, of which it is not certain that this task's request made it: {', '.join(found)}.",
                advice=_ADVICE,
            )
        self.requests.finish(requests[-1], found)
        self.log.info("Recovered %s: it is new in %s since the export was requested.", found[0], directory.url)
        return found

    def _candidates(self, requests: Sequence[ExportRequest]) -> list[str]:
        """Return the new archives of the directories of requests, without those that hold other jobs."""
        found = {
            archive: None
            for request in requests
            for archive in self._new_archives(request)
            if self._content(archive, request.job_ids) is not Content.OTHER_JOBS
        }
        return list(found)

    def _new_archives(self, request: ExportRequest) -> list[str]:
        """Return the archives that were not there before a request, and that are of no other."""
        if request.before is None:
            raise DliFailException(
                f"The outcome of an export into {request.directory.url} is unknown: {_LOST}, and the "
                "directory could not be listed before the request.",
                advice="Check the directory, and allow the connection to list the bucket.",
            )
        known = self.requests.archives()
        archives = [str(request.directory.below(name)) for name in self._list(request.directory)]
        return [archive for archive in archives if request.is_new(archive) and archive not in known]

    def _is_certain(self, directory: ObsLocation, archive: str, job_ids: Sequence[int] | None) -> bool:
        """Whether only the request of this task can have made the one new archive."""
        if is_exclusive(directory, self.context):
            return True
        same_jobs = self._content(archive, job_ids) is Content.SAME_JOBS
        return same_jobs and not may_be_shared_within_dag(directory, self.context)

    def _content(self, archive: str, job_ids: Sequence[int] | None) -> Content:
        if archive not in self._contents:
            ids = [job.job_id for job in self.dli.list_flink_jobs()] if job_ids is None else job_ids
            content = self._contents[archive] = compare_content(self.obs, archive, ids)
            if content is Content.OTHER_JOBS:
                self.log.warning("Ignoring %s: it is new, and holds other jobs than were requested.", archive)
        return self._contents[archive]

    def _list(self, directory: ObsLocation) -> list[str]:
        """Return the names of the archives in a directory, relative to it."""
        keys = [key for key, _ in self.obs.list_directory(directory).objects if key.lower().endswith(".zip")]
        return [str(ObsLocation(directory.bucket, key)).removeprefix(f"{directory}/") for key in keys]

    def extra_archives(self, *, is_final: bool) -> list[str]:
        """Return new archives in the directories of requests whose outcome is still unknown, and log each.

        :param is_final: whether no later attempt continues with these requests: then it waits until the
            ``reconcile_timeout`` of those of earlier attempts has passed, and what it finds is reported for good
        """
        while is_final and any(not self._possible_archives(request) for request in self.requests.open()):
            if not _sleep(self._resume_until):
                break
        extra: dict[str, None] = {}
        for request in self.requests.open():
            archives = self._possible_archives(request)
            extra |= dict.fromkeys(archives)
            if archives:
                self.log.warning(
                    "Extra archives in %s: %s. They appeared after an export was requested whose response "
                    "was lost or could not be used, and may be its own.%s",
                    request.directory.url,
                    ", ".join(archives),
                    " This task does not return them." if is_final else "",
                )
                if is_final:
                    self.requests.report(request, archives)
            elif is_final:
                self.log.warning(
                    "The response of an export into %s was lost or could not be used, and no archive of it has "
                    "appeared. Should one come yet, it is an extra one.",
                    request.directory.url,
                )
        return list(extra)

    def _possible_archives(self, request: ExportRequest) -> list[str]:
        """Return the new archives that may be of a request and that this task does not return."""
        try:
            archives = self._new_archives(request)
            # Templates of other tasks are rendered for this: only if something has appeared.
            if not archives or is_exclusive(request.directory, self.context):
                return archives
            return [each for each in archives if self._content(each, request.job_ids) is not Content.OTHER_JOBS]
        except DliException as error:
            self.log.warning("Whether %s holds extra archives is not known: %s", request.directory.url, error)
            return []


def _sleep(until: float) -> bool:
    """Wait for the next poll; return False if time is up."""
    left = until - time.monotonic()
    if left <= 0:
        return False
    time.sleep(min(_POLL_INTERVAL, left))
    return True


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """One request, as it is recorded.

    :param number: of its record
    :param directory: where its archive goes
    :param job_ids: the requested jobs; None for all of the project
    :param before: the archives that were there before it was sent, by name or hash; None if that is not known
    """

    number: int
    directory: ObsLocation
    job_ids: tuple[int, ...] | None
    before: frozenset[str] | None

    def is_new(self, archive: str) -> bool:
        """Return whether an archive, ``bucket/key``, was not in the directory before this request."""
        name = archive.removeprefix(f"{self.directory}/")
        return not self.before or not {name, _hash(name)} & self.before


def _hash(name: str) -> str:
    # Never a name of an archive: those end in ".zip".
    return urlsafe_b64encode(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:6]).decode()


@dataclass(frozen=True, slots=True)
class ExportRequests:
    """The requests of a task instance over its attempts, whatever their batch and directory.

    A record ends when the outcome of its own request is known or was reported; the outcome of another request ends
    none.
    """

    log: RequestLog

    @property
    def selected(self) -> list[int] | None:
        """The ids that an earlier attempt selected within the last day; None if none did."""
        found = [record["selected"] for record in self.log.records if "selected" in record]
        return list(found[-1]) if found and self.log.is_recent else None

    def select(self, job_ids: Sequence[int]) -> None:
        """Record which jobs are selected: a later attempt continues with the same."""
        self.log.add({"selected": list(job_ids)})

    @property
    def superseded(self) -> list[str]:
        """The archives of an earlier attempt that exported everything.

        Either the task was cleared, or its process was killed before Airflow knew that it had succeeded: nobody
        can know which. So the jobs are exported again, and these archives are reported.
        """
        return list(self.log.head.get("superseded", []))

    def archives_of(self, directory: ObsLocation, job_ids: Sequence[int] | None) -> list[str]:
        """Return the archives that these jobs were exported to within the last day; empty if they were not."""
        ids = None if job_ids is None else list(job_ids)
        found = [
            record["archives"]
            for record in self._in_state(_DONE)
            if record["dir"] == str(directory) and record["jobs"] == ids
        ]
        return list(found[-1]) if found and self.log.is_recent else []

    def archives(self) -> set[str]:
        """Return all archives that are known to be of some request, or were reported."""
        return {archive for record in self._in_state(_DONE, _REPORTED) for archive in record["archives"]}

    def completed(self) -> Iterator[tuple[ObsLocation, list[str]]]:
        """Yield the directory and the archives of each request whose outcome is known."""
        for record in self._in_state(_DONE):
            yield parse_directory("dir", record["dir"]), list(record["archives"])

    def open(self) -> list[ExportRequest]:
        """Return the requests whose outcome is not known, oldest first."""
        records = enumerate(self.log.records)
        return [_request(number, record) for number, record in records if record.get("state") == _OPEN]

    def open_for(self, directory: ObsLocation, job_ids: Sequence[int] | None) -> list[ExportRequest]:
        """Return those of them that are for these jobs and this directory."""
        ids = None if job_ids is None else tuple(job_ids)
        return [each for each in self.open() if each.directory == directory and each.job_ids == ids]

    def begin(
        self, directory: ObsLocation, job_ids: Sequence[int] | None, before: Sequence[str] | None
    ) -> ExportRequest:
        """Record that a request is about to be sent, with the names of the archives in its directory.

        :param before: those names; None if they cannot be listed
        """
        if before is not None and len(before) > _FULL_NAMES:
            before = list(map(_hash, before))
        record = {
            "dir": str(directory),
            "jobs": None if job_ids is None else list(job_ids),
            "before": before,
            "state": _OPEN,
        }
        return _request(self.log.add(record), record)

    def cancel(self, request: ExportRequest) -> None:
        """Record that a request surely did nothing."""
        self._end(request, _VOID)

    def finish(self, request: ExportRequest, archives: Sequence[str]) -> None:
        """Record the archives that a request made."""
        self._end(request, _DONE, archives)

    def report(self, request: ExportRequest, archives: Sequence[str]) -> None:
        """Record that a request was reported, and the archives that may be its own."""
        self._end(request, _REPORTED, archives)

    def end_attempt(self, archives: Sequence[str], *, is_complete: bool) -> None:
        """Keep only what is of use to a later attempt.

        :param archives: the archives that the task returns
        :param is_complete: whether everything was exported: then a later run of the task exports everything again,
            and knows of these archives. Open requests stay: their archives may yet appear
        """
        if is_complete:
            self.log.restart(self._in_state(_OPEN), superseded=sorted(archives))
        elif not self.superseded and all(record.get("state") == _VOID for record in self.log.records):
            self.log.clear()

    def _in_state(self, *states: str) -> list[dict[str, Any]]:
        return [record for record in self.log.records if record.get("state") in states]

    def _end(self, request: ExportRequest, state: str, archives: Sequence[str] = ()) -> None:
        record = self.log.records[request.number]
        record.pop("before", None)
        record |= {"state": state, "archives": list(archives)}
        self.log.update(request.number)


def _request(number: int, record: Mapping[str, Any]) -> ExportRequest:
    jobs, before = record["jobs"], record["before"]
    return ExportRequest(
        number,
        parse_directory("dir", record["dir"]),
        None if jobs is None else tuple(jobs),
        None if before is None else frozenset(before),
    )


class Content(Enum):
    """What the content of an archive shows about the jobs that were requested."""

    SAME_JOBS = "it holds exactly the requested jobs"
    OTHER_JOBS = "it holds other jobs"
    UNKNOWN = "it does not show which jobs it holds"


def compare_content(obs: ObsHook, archive: str, job_ids: Collection[int]) -> Content:
    """Compare the jobs of an archive with those that were requested.

    The layout of DLI's archives is not documented: an archive in which no jobs are recognised shows nothing.

    :raises DliException: if OBS does not respond; a later attempt may succeed
    """
    try:
        with translated():
            facts = obs.find(archive)
            if facts is None or not facts.readable or facts.size > _MAX_PACKED:
                return Content.UNKNOWN
            with obs.open(archive, facts) as reader, zipfile.ZipFile(reader) as opened:
                return _compare(opened, frozenset(job_ids))
    except (DliFailException, zipfile.error, zlib.error, EOFError, OSError, NotImplementedError, *UNREADABLE):
        return Content.UNKNOWN


def _compare(opened: zipfile.ZipFile, requested: frozenset[int]) -> Content:
    files = [entry for entry in opened.infolist() if not entry.is_dir()]
    if not files or sum(entry.file_size for entry in files) > _MAX_UNPACKED:
        return Content.UNKNOWN
    found: set[int] = set()
    for entry in files:
        ids = set(_ids_of(json.loads(opened.read(entry))))
        if not ids:
            break
        found |= ids
    else:
        return Content.SAME_JOBS if found == requested else Content.OTHER_JOBS
    stems = [entry.filename.rpartition("/")[2].partition(".")[0] for entry in files]
    named = {number_of(stem) for stem in stems if stem.isascii() and stem.isdigit()}
    # Other numbers may count the entries, and name no jobs.
    return Content.SAME_JOBS if named == requested and len(stems) == len(requested) else Content.UNKNOWN


def _ids_of(document: Any) -> Iterator[int]:  # noqa: ANN401 -- what JSON holds has no type
    """Yield the ids of a document: of one job, of its detail, or of a list of either."""
    for each in document if isinstance(document, list) else [document]:
        if isinstance(each, Mapping):
            detail = each.get("job_detail")
            job_id = number_of(each.get("job_id", detail.get("job_id") if isinstance(detail, Mapping) else None))
            if job_id is not None:
                yield job_id
