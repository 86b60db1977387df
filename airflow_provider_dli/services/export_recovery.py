"""Find the archive of an export whose response was lost.

DLI's exports have no idempotency token, and the clocks of workers differ. So a listing decides: each request is
recorded (``ExportRequests``) with the archives that were in its directory before it was sent. An archive that is
not in that listing is *new*. While the outcome of a request is unknown, :class:`ExportRecovery`
polls its directory:

- exactly one new archive, and certainly made by this request: it is the result;
- several where nobody else writes, and no more than requests were sent for these jobs: the last is the result, and
  the others are reported;
- no new archive: the caller sends the request again;
- anything else: the task fails, with a message that names the archives.

It is certain if nobody else writes to the directory (:func:`is_exclusive`), or if the archive holds exactly the
requested jobs and no other task of the DAG may export the same ones. One that holds other jobs is ignored; for a
request for all jobs only where others may write, since which jobs those were is not known.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from itertools import permutations
from logging import Logger
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.archive import Expectation, Limits, inspect
from airflow_provider_dli.client.errors import AuthenticationError, ConfigurationError, ServiceError
from airflow_provider_dli.client.locations import ObsLocation, parse_directory
from airflow_provider_dli.exceptions import DliException, DliFailException, translated
from airflow_provider_dli.formatting import format_ids, pluralize
from airflow_provider_dli.services.deadline import Deadline

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_dli.client.obs.objects import Listing
    from airflow_provider_dli.hooks.obs import ObsHook
    from airflow_provider_dli.services.export_requests import ExportRequest, ExportRequests

_POLL_INTERVAL = 2.0
_SHOWN = 5
_LOST = "its response was lost or could not be used"
_ADVICE = (
    "Verify them, keep the one that holds your jobs, and clear the task to export again. Give every task a "
    "directory of its own, with run, task and map index in its path: then it is certain whose an archive is."
)
_EXPORT = "DliExportFlinkJobsOperator"
#: bytes of an archive above which it is not read
_MAX_PACKED = 64 << 20
_LIMITS = Limits(total_bytes=256 << 20)
_IDS = Expectation(min_entries=0, json_keys=("job_id", "jobId"))


@dataclass
class ExportRecovery:
    """Finds the archives of requests whose outcome is unknown.

    :param requests: the requests of this and of earlier attempts
    :param context: of the task: it shows who else may write to a directory
    :param reconcile_timeout: seconds to poll OBS for the archive of a request whose response was lost
    :param is_refused: whether the keys were refused: they are not sent again, since more than five failures lock
        them
    :param is_alone: whether the task has made the directory for this export alone, which its path does not show
    """

    obs: ObsHook
    requests: ExportRequests
    context: Mapping[str, Any]
    reconcile_timeout: float
    log: Logger
    is_refused: bool = False
    is_alone: bool = False

    def __post_init__(self) -> None:
        # For the requests of earlier attempts, all together. By this machine's clock: no other counts.
        self._resume_until = time.monotonic() + self.reconcile_timeout
        self._earlier = {request.number for request in self.requests.unresolved()}
        self._contents: dict[tuple[str, str | None], Content] = {}

    def list_before(self, directory: ObsLocation) -> tuple[list[str], datetime] | None:
        """List the archives that are in a directory before a request; None if that is not allowed.

        :returns: their names, and the time of the listing by OBS's clock
        """
        try:
            listing = self.obs.list_directory(directory)
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
        names = _archives_of(directory, listing)
        attempt = getattr(self.context.get("ti"), "try_number", 1)
        if names and attempt > 1 and not self.requests.log.is_persistent:
            self.log.warning(
                "%s holds %s already: %s. Whether an earlier attempt of this task made them is not known before "
                "Airflow 3.3.",
                directory.url,
                pluralize(len(names), "archive"),
                ", ".join(names[-_SHOWN:]),
            )
        return names, listing.moment

    def older_archives(
        self, request: ExportRequest, archives: Sequence[str], listed: datetime | None
    ) -> list[str]:
        """Return those archives of a response that were there before its request.

        The listing before the request has those in its directory. Nothing was listed of a directory below: such an
        archive is older if OBS has written it before that listing. Both times are of OBS's clock.

        :param listed: the time of that listing; None if there is none
        """
        older = [archive for archive in archives if not request.is_new(archive)]
        below = {archive.rpartition("/")[0] for archive in archives} - {str(request.directory)}
        if listed is None:
            return older
        for directory in sorted(below):
            self.log.info("The response names an archive in %s: checking when it was written.", directory)
            bucket, _, key = directory.partition("/")
            objects = self.obs.list_directory(ObsLocation(bucket, key)).objects
            written_before = {f"{bucket}/{key}" for key, moment in objects if moment < listed}
            older += [archive for archive in archives if archive in written_before]
        return older

    def there(self, archives: Iterable[str]) -> list[str]:
        """Return those archives that are there, or may be where OBS does not respond."""
        found = []
        for archive in archives:
            try:
                is_there = self.obs.find(archive) is not None
            except DliException as error:
                self.log.warning("Whether %s is there is not known: %s", archive, error)
                is_there = True
            found += [archive] * is_there
        return found

    def wait_for(self, archives: Sequence[str]) -> list[str]:
        """Return those archives that are not there, also after the time for what earlier attempts requested.

        :raises DliException: if OBS refuses, or does not respond
        """
        deadline = Deadline(self._resume_until, _POLL_INTERVAL, self.log)
        while absent := [archive for archive in archives if not self.obs.find(archive)]:
            if not deadline.sleep():
                break
        return absent

    def resume(self, directory: ObsLocation, job_ids: tuple[int, ...] | None) -> list[str]:
        """Return the archive of a request whose outcome an earlier attempt did not learn; empty if there is none.

        :raises DliFailException: if it is not certain which archive it is
        """
        if not self.requests.unresolved_for(directory, job_ids):
            return []
        self.log.info("An earlier request for an export into %s has no known outcome.", directory.url)
        archives = self._recover(directory, job_ids, self._resume_until)
        if not archives:
            self.log.info("Sending the request again.")
        return archives

    def reconcile(
        self, directory: ObsLocation, job_ids: tuple[int, ...] | None, error: DliException
    ) -> list[str] | None:
        """Return the archive of the request that has just lost its response; None if there is none.

        :param error: how the response was lost
        :raises DliFailException: if it is not certain which archive it is
        """
        self.log.info("%s Checking OBS for its archive.", error)
        return self._recover(directory, job_ids, time.monotonic() + self.reconcile_timeout) or None

    def _recover(self, directory: ObsLocation, job_ids: tuple[int, ...] | None, until: float) -> list[str]:
        requests, began = self.requests.unresolved_for(directory, job_ids), time.monotonic()
        try:
            deadline = Deadline(until, _POLL_INTERVAL, self.log)
            while not (found := deadline.poll(partial(self._candidates, requests))) and deadline.sleep():
                pass
        except DliException as error:
            if error.error is None:
                raise
            # The request stays open: the next attempt, or the cleared task, first checks for its archive.
            raise type(error)(
                f"The outcome of an export into {directory.url} is unknown: {_LOST}, and OBS could not be "
                f"checked: {error.problem}.",
                advice=error.advice,
            ) from error.error
        if not found:
            self.log.info("No archive appeared in %s within %.0f s.", directory.url, time.monotonic() - began)
            return []
        if not self._are_certain(found, requests):
            # This reports it, and whoever clears the task wants a new export.
            for request in requests:
                self.requests.report(request, found)
            several = "several archives appeared" if len(found) > 1 else "an archive appeared"
            raise DliFailException(
                f"The outcome of an export into {directory.url} is unknown: {_LOST}, and {several} there "
                f"since, of which it is not certain that this task's request made it: {format_ids(found)}.",
                advice=_ADVICE,
            )
        # Any of these requests may have made it, all for the same jobs. The others stay unresolved: their archives
        # may yet appear, or are there and are reported in the end.
        self.requests.finish(requests[-1], found[-1:])
        self.log.info("Recovered %s: it is new in %s since the export was requested.", found[-1], directory.url)
        return found[-1:]

    def _candidates(self, requests: Sequence[ExportRequest]) -> list[str]:
        """Return the new archives of the directories of requests, without those that hold other jobs."""
        found = {
            archive: None
            for request in requests
            for archive in self._new_archives(request)
            if not self._is_of_another(archive, request)
        }
        return list(found)

    def _is_of_another(self, archive: str, request: ExportRequest) -> bool:
        """Whether an archive holds other jobs than were requested.

        Which jobs "all jobs" were when DLI exported them is not known: where nobody else writes, it is theirs.
        """
        if request.job_ids is None and self._is_exclusive(request.directory):
            return False
        return self._content(archive, request) is Content.OTHER_JOBS

    def _new_archives(self, request: ExportRequest) -> list[str]:
        """Return the archives that were not there before a request, and that are of no other.

        :raises DliFailException: if it is not known what was there, and the request may have made what is there
            now, or that cannot be listed either. The request ends with this report; in the second case with that
            of a later attempt, which may be able to name what is there
        """
        known, names = self.requests.known_archives(), None
        try:
            names = _archives_of(request.directory, self.obs.list_directory(request.directory))
        except DliFailException as error:
            if request.before is not None or isinstance(error.error, AuthenticationError):
                raise
        archives = [str(request.directory.below(name)) for name in names or ()]
        new = [archive for archive in archives if request.is_new(archive) and archive not in known]
        if request.before is None and (new or names is None):
            if new or request.number in self._earlier:
                self.requests.report(request, new)
            there = f", and now holds {format_ids(new)}" if new else " nor now"
            raise DliFailException(
                f"The outcome of an export into {request.directory.url} is unknown: {_LOST}, and the "
                f"directory could not be listed before the request{there}.",
                advice="Check the directory, allow the connection to list the bucket, and clear the task.",
            )
        return new

    def _are_certain(self, archives: Sequence[str], requests: Sequence[ExportRequest]) -> bool:
        """Whether only these requests of this task, all for the same jobs, can have made the new archives."""
        request = requests[-1]
        if self._is_exclusive(request.directory):
            there = [each for each in self.requests.unresolved() if each.directory == request.directory]
            return len(archives) == 1 or (len(archives) <= len(requests) == len(there))
        same_jobs = len(archives) == 1 and self._content(archives[0], request) is Content.SAME_JOBS
        return same_jobs and not may_be_shared_within_dag(request.directory, self.context)

    def _is_exclusive(self, directory: ObsLocation) -> bool:
        return self.is_alone or is_exclusive(directory, self.context)

    def _content(self, archive: str, request: ExportRequest) -> Content:
        key = archive, request.jobs
        if key not in self._contents:
            self._contents[key] = content = compare_content(self.obs, archive, request)
            if content is Content.OTHER_JOBS:
                self.log.warning("Ignoring %s: it is new, and holds other jobs than were requested.", archive)
        return self._contents[key]

    def extra_archives(self, *, is_final: bool) -> list[str]:
        """Return new archives in the directories of requests whose outcome is still unknown, and log each.

        :param is_final: whether no later attempt continues with these requests: then it waits until the
            ``reconcile_timeout`` of those of earlier attempts has passed, and what it finds is reported for good
        """
        deadline = Deadline(self._resume_until, _POLL_INTERVAL, self.log)
        while is_final and not all(map(self._possible_archives, self.requests.unresolved())):
            if self.is_refused or not deadline.sleep():
                break
        extra: dict[str, None] = {}
        for request in self.requests.unresolved():
            archives = self._possible_archives(request)
            extra |= dict.fromkeys(archives)
            if archives:
                self.log.warning(
                    "Extra archives in %s: %s. They appeared after an export was requested%s whose response "
                    "was lost or could not be used, and may be its own.%s",
                    request.directory.url,
                    format_ids(archives),
                    f" at {request.requested_at}" if request.requested_at else "",
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
        if self.is_refused:
            return []
        try:
            archives = self._new_archives(request)
            # Templates of other tasks are rendered for this: only if something has appeared.
            if not archives or self._is_exclusive(request.directory):
                return archives
            return [each for each in archives if not self._is_of_another(each, request)]
        except DliException as error:
            self.is_refused = isinstance(error.error, AuthenticationError)
            self.log.warning("Whether %s holds extra archives is not known: %s", request.directory.url, error)
            return []


def _archives_of(directory: ObsLocation, listing: Listing) -> list[str]:
    """Return the names of the archives of a listing, relative to its directory."""
    keys = [key for key, _ in listing.objects if key.lower().endswith(".zip")]
    return [str(ObsLocation(directory.bucket, key)).removeprefix(f"{directory}/") for key in keys]


class Content(Enum):
    """What the content of an archive shows about the jobs that were requested."""

    SAME_JOBS = "it holds exactly the requested jobs"
    OTHER_JOBS = "it holds other jobs"
    UNKNOWN = "it does not show which jobs it holds"


def compare_content(obs: ObsHook, archive: str, request: ExportRequest) -> Content:
    """Compare the jobs of an archive with those that were requested.

    The layout of DLI's archives is not documented: an archive in which no jobs are recognised shows nothing.

    :raises DliException: if OBS does not respond; a later attempt may succeed
    """
    if request.jobs is None:
        return Content.UNKNOWN
    try:
        with translated():
            facts = obs.find(archive)
            if facts is None or not facts.readable or facts.size > _MAX_PACKED:
                return Content.UNKNOWN
            with obs.open(archive, facts) as reader:
                report = inspect(reader, expect=_IDS, limits=_LIMITS, lists_ids=True)
    except DliFailException:
        return Content.UNKNOWN
    if report.errors:
        return Content.UNKNOWN
    if report.job_ids:
        return Content.SAME_JOBS if request.is_of(map(int, report.job_ids)) else Content.OTHER_JOBS
    stems = [each.name.rpartition("/")[2].partition(".")[0] for each in report.entries if not each.is_directory]
    named = {int(stem) for stem in stems if stem.isascii() and stem.isdigit()}
    # Other numbers may count the entries, and name no jobs.
    return Content.SAME_JOBS if len(named) == len(stems) and request.is_of(named) else Content.UNKNOWN


def is_exclusive(directory: ObsLocation, context: Mapping[str, Any]) -> bool:
    """Return whether no other task instance writes to a directory, as far as its path and the context show.

    Its path names the run, the task and, of a mapped task, the map index, and no other task of the DAG exports
    to it. What other DAGs, people and tools write nobody can know.
    """
    directory = directory.without_batch
    return all(_is_named(directory, context)) and not _is_of_other_task(directory, context)


def may_be_shared_within_dag(directory: ObsLocation, context: Mapping[str, Any]) -> bool:
    """Return whether another task instance of the same DAG may export there at the same time."""
    directory = directory.without_batch
    run, task, index = _is_named(directory, context)
    if not index or (not task and any(export_tasks(context))) or _is_of_other_task(directory, context):
        return True
    return not run and _has_other_active_runs(context)


def _is_named(directory: ObsLocation, context: Mapping[str, Any]) -> tuple[bool, bool, bool]:
    """Return whether the path names the run, the task, and the map index if there is one.

    Each is a directory of its own, or several are one, with something between them: a word of a longer name is
    that of another task. What stands before the run is the same in every run, and names nothing.
    """
    instance = context.get("ti")
    map_index = getattr(instance, "map_index", -1)
    is_mapped = isinstance(map_index, int) and map_index >= 0
    run, task = _pattern(context.get("run_id")), _pattern(getattr(instance, "task_id", None))
    # Alone, or a word and the index: no part of a date.
    index = rf"(?:[^\W\d_]+[\W_]*)?0*{map_index}" if is_mapped else None
    patterns = {name: text for name, text in (("run", run), ("task", task), ("index", index)) if text}
    found: set[str] = set()
    for part in directory.key.split("/"):
        missing = {name: text for name, text in patterns.items() if name not in found}
        named = _names_in(part, missing)
        found |= named if not run or "run" in found | named else set()
    return "run" in found, "task" in found, not is_mapped or "index" in found


def _pattern(identifier: str | None) -> str | None:
    """Return a pattern for an id in a path, in which characters may be omitted or replaced; None for no id."""
    words = re.findall(r"[^\W_]+", identifier or "")
    return r"[^\w/]*_*[^\w/]*".join(map(re.escape, words)) if words else None


def _names_in(part: str, patterns: Mapping[str, str]) -> set[str]:
    """Return the names of the patterns of which one part of a path consists, and of nothing else."""
    for count in range(len(patterns), 0, -1):
        for names in permutations(patterns, count):
            if re.fullmatch(r"[\W_]+".join(patterns[name] for name in names), part, re.IGNORECASE):
                return set(names)
    return set()


def _is_of_other_task(directory: ObsLocation, context: Mapping[str, Any]) -> bool:
    """Return whether another task of the DAG may export there, or below."""
    return any(_may_export_to(directory, task, context) for task in export_tasks(context))


def export_tasks(context: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the tasks of the DAG that export, but for this one."""
    own = getattr(context.get("ti"), "task_id", None)
    for task in getattr(context.get("dag"), "tasks", ()):
        # A mapped operator is not an instance of its class, and has its name.
        classes = [*type(task).__mro__, *getattr(getattr(task, "operator_class", None), "__mro__", ())]
        names = [each.__name__ for each in classes]
        if _EXPORT in [*names, getattr(task, "task_type", None)] and getattr(task, "task_id", None) != own:
            yield task


def _may_export_to(directory: ObsLocation, task: Any, context: Mapping[str, Any]) -> bool:  # noqa: ANN401 -- Airflow's
    """Return whether a task may export there or below: as its own parameter shows, rendered for this run."""
    template = getattr(task, "partial_kwargs", {}).get("obs_dir", getattr(task, "obs_dir", None))
    if not isinstance(template, str):
        return True  # the output of another task, or the row of a mapping: not known here
    instance = _OtherInstance(context.get("ti"), task)
    try:
        text = task.render_template(template, {**context, "task": task, "ti": instance, "task_instance": instance})
        theirs = parse_directory("obs_dir", text)
    except ConfigurationError:
        return False  # that task cannot export anywhere
    except Exception:  # noqa: BLE001 -- a template may raise whatever it likes
        return True
    return f"{theirs}/".startswith(f"{directory}/")


class _OtherInstance:
    """The instance of another task of the same run, as far as a template can see it."""

    def __init__(self, instance: Any, task: Any) -> None:  # noqa: ANN401 -- Airflow's
        self._instance = instance
        self.task = task
        self.task_id = task.task_id

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- Airflow's
        return getattr(self._instance, name)


def _has_other_active_runs(context: Mapping[str, Any]) -> bool:
    dag = context.get("dag")
    if getattr(dag, "max_active_runs", 1) == 1:
        return False
    count = getattr(context.get("ti"), "get_dr_count", None)
    # Airflow 2 has no such method: then nobody can know.
    return count is None or int(count(dag_id=getattr(dag, "dag_id", None), states=["running"])) > 1
