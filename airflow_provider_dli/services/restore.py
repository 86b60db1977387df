"""Import jobs from archives, in the order in which it happens.

Find the archives, verify them, copy them where the target cannot read them, send the request, reconcile if its
response is lost, and fail the task if a job was not imported.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.errors import RefusedError, UnexpectedReplyError
from airflow_provider_dli.client.flink import JobMapping
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.exceptions import DliException, DliFailException, read_parameters, translated
from airflow_provider_dli.formatting import escaped, format_ids, format_jobs, log_table, pluralize
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.parameters.models import ImportParameters
from airflow_provider_dli.services import verify
from airflow_provider_dli.services.deadline import Deadline
from airflow_provider_dli.services.reconcile import call_with_reconciliation

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_dli.client.flink import ImportResult
    from airflow_provider_dli.services.report import ArchiveReport
    from airflow_provider_dli.task_state import TaskState

#: of a version: enough that no two are equal
_DIGITS = 16
#: key of the task state: the ``is_cover`` that a response is to; without it, the jobs of the response are known to
#: be the task's own, and the import is requested again
_IS_COVER = "is_cover"
_ONE_EACH = (
    "DLI refuses several archives of one job in a directory, also with is_cover: import one of them alone, or a "
    "directory with one archive of each job."
)


@dataclass(frozen=True, slots=True)
class Archives:
    """Archives that are imported together."""

    #: the archive, or the directory that contains them
    place: ObsLocation
    places: tuple[ObsLocation, ...]
    #: differs from that of other archives under the same names
    version: str


@dataclass(frozen=True, slots=True)
class ImportedJob:
    """What happened to one job of an archive; the fields are those of the XCom."""

    old_job_id: int
    #: None if it was not imported, or its id is not known
    new_job_id: int | None
    #: None if the project has no such job
    name: str | None
    created: bool
    #: whether a request whose response was lost imported it
    recovered: bool
    remark: str

    @property
    def is_conflict(self) -> bool:
        """Whether it was omitted because a job of its name exists."""
        return self.new_job_id is None and not self.recovered


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """The outcome of an import."""

    archives: Archives
    #: each job of the response
    jobs: tuple[ImportedJob, ...]
    #: ids of the jobs that it created; if a response was lost, of those that may be its own too
    created: tuple[int, ...]
    #: id to name of all jobs that the project did not have before
    appeared: Mapping[int, str]

    @property
    def not_in_response(self) -> list[int]:
        """Ids of new jobs that neither the response names nor a lost one explains."""
        return [job_id for job_id in self.appeared if job_id not in self.created]


def prepare(operator: object) -> tuple[ImportParameters, DliHook, ObsHook]:
    """Check all parameters; return them, a hook of the project to import into, and one that may read archives."""
    options = read_parameters(ImportParameters, operator)
    return options, DliHook(options.dli_conn_id), ObsHook(options.source_conn_id or options.dli_conn_id)


def import_jobs(
    options: ImportParameters,
    target: DliHook,
    obs: ObsHook,
    state: TaskState,
    log: Logger,
    reports: Sequence[ArchiveReport] = (),
) -> ImportOutcome:
    """Import the jobs of archives so that the outcome is known, also if a response is lost or the task is killed.

    Before the request, the ids of the project's jobs are saved. So a later attempt knows which jobs are new: if a
    request whose response was lost has imported jobs, the next request meets them as conflicts. A response is
    saved too, and its request not sent again.

    :param obs: hook that may read the archives
    :param reports: of the archives, if they were verified
    :raises DliException: if an archive is missing or damaged, DLI refuses, or the outcome stays unknown
    """
    archives = find_archives(obs, options.zip_file)
    if options.verify_archive and not reports:
        reports = _verify(obs, archives.places, log)
    repeated = _repeated(reports, log)
    if options.staging_dir:
        archives = _copy(obs, archives, ObsHook(target.dli_conn_id), options.staging_dir, reports, log)
    log.info("Importing %s into project %s.", archives.place.url, target.project_id)
    record = ImportRecord(state, archives)
    jobs = _names(target)
    if record.abandoned:
        _warn_of_abandoned(*record.abandoned, jobs, log)
    if record.is_resumed:
        log.info("An earlier attempt was importing %s.", archives.place.url)
    else:
        record.before = frozenset(jobs)
    if record.is_complete(jobs, is_cover=options.is_cover):
        log.info("It received its response, and the jobs exist: nothing is requested again.")
    else:
        with _explained(archives, repeated), _naming_created(target, record):
            _request(target, record, options, log)
            jobs = _names(target)
    outcome = _outcome(record, jobs)
    _log_outcome(outcome, log)
    return outcome


def find_archives(obs: ObsHook, place: ObsLocation) -> Archives:
    """Return the archive of a place, or those of a directory that contains archives and nothing else.

    :param place: with a slash at its end a directory, otherwise either; DLI gets it without
    :raises DliFailException: if there is no such archive, or the directory contains something else
    """
    is_directory, place = place.is_directory, place.directory
    facts = obs.find(place)
    if facts and (is_directory or not place.is_archive) and obs.has_objects(place):
        raise DliFailException(
            f"zip_file: {place.url} is both an object and a directory, and a request names both alike; "
            "give bucket/key of an archive in it, or remove one of the two"
        )
    if facts and not is_directory:
        return Archives(place, (place,), _version({place: facts.etag}))
    content = obs.list_entries(place)
    objects = sorted(content.objects, key=lambda each: each.key) if content else []
    others = [each.key for each in objects if not ObsLocation(place.bucket, each.key).is_archive]
    # Whether DLI imports what is in directories below is not documented: nothing may be that was not verified.
    # Stores that are file systems list emptied directories too.
    below = (ObsLocation(place.bucket, key) for key in (content.directories if content else ()))
    others += [f"{each.key}/" for each in islice(filter(obs.has_objects, below), 1)]
    if others:
        raise DliFailException(
            f"zip_file: {place.url} contains other objects than archives: {', '.join(others[:3])}; a directory to "
            "import from must contain archives and nothing else, no directories either"
        )
    if not objects:
        raise DliFailException(
            f"zip_file: {place.url} is neither an archive nor a directory that contains archives; "
            "give the bucket/key that the export returned"
        )
    written = {ObsLocation(place.bucket, each.key): each.written.isoformat() for each in objects}
    return Archives(place, tuple(written), _version(written))


def _version(marks: Mapping[ObsLocation, str]) -> str:
    text = "\n".join(f"{archive} {mark}" for archive, mark in marks.items())
    return sha256(text.encode()).hexdigest()[:_DIGITS]


def _verify(obs: ObsHook, places: Sequence[ObsLocation], log: Logger) -> list[ArchiveReport]:
    reports = verify.verify_archives(obs, places, verify.VerifyOptions(), log)
    verify.raise_for_failures(reports)
    return reports


def _repeated(reports: Sequence[ArchiveReport], log: Logger) -> str:
    """Return which archives have an entry of the same name, and so probably the same job; log it as a warning.

    An entry is called after its job, or it is not: what an archive holds is not documented, so nothing is refused.
    """
    archives: dict[str, list[str]] = {}
    for each in reports:
        entries = each.report.entries if each.report else ()
        for name in dict.fromkeys(entry.name for entry in entries if not entry.is_directory):
            archives.setdefault(name, []).append(each.place.key.rpartition("/")[2])
    found = {name: keys for name, keys in archives.items() if len(keys) > 1}
    listed = format_ids([f"{escaped(name, 60)} is in {format_ids(keys)}" for name, keys in found.items()], "; ")
    if found:
        log.warning("%s in several archives: %s. %s", pluralize(len(found), "entry", "entries"), listed, _ONE_EACH)
    return listed


@contextmanager
def _explained(archives: Archives, repeated: str) -> Iterator[None]:
    """Add to a refusal, where several archives are imported, that they may have the same job."""
    try:
        yield
    except DliFailException as error:
        is_about_names = repeated or "already exists" in error.problem
        if not (len(archives.places) > 1 and is_about_names and isinstance(error.error, RefusedError)):
            raise
        listed = f" Entries of the same name: {repeated}." if repeated else ""
        raise DliFailException(f"{error.problem}.{listed}", advice=_ONE_EACH) from error.error


def _copy(
    obs: ObsHook,
    archives: Archives,
    target: ObsHook,
    directory: ObsLocation,
    reports: Sequence[ArchiveReport],
    log: Logger,
) -> Archives:
    """Copy archives to where the target can read them, and verify the copies.

    Each set of archives gets a directory of its own: DLI imports everything in a directory, and the copies of
    another run must not be there.
    """
    own = directory.below(archives.version)
    places = tuple(own.below(archive.key.rpartition("/")[2]) for archive in archives.places)
    for archive, place in zip(archives.places, places, strict=True):
        facts = obs.find(archive)
        if facts is None:
            raise DliFailException(f"{archive.url} no longer exists; export again")
        is_within = target.copy_from(obs, archive, facts, place)
        log.info(
            "Copied %s to %s, %s.", archive.url, place.url, "within OBS" if is_within else "through this machine"
        )
    copies = _verify(target, places, log)
    for original, copy in zip(reports, copies, strict=False):  # without reports, none was verified
        if original.report and copy.report and original.report.sha256 != copy.report.sha256:
            raise DliFailException(
                f"{copy.place.url} is not a copy of {original.place.url}: their SHA-256 differ; delete it and try "
                "again"
            )
    log.info("Verified %s, byte for byte.", pluralize(len(copies), "copy", "copies"))
    return Archives(places[0] if archives.place in archives.places else own, places, archives.version)


class ImportRecord:
    """What is known of an import: as an earlier attempt saved it, and as this one learns it."""

    def __init__(self, state: TaskState, archives: Archives) -> None:
        self._state = state
        self.archives = archives
        self._identity = {"zip_file": str(archives.place), "version": archives.version}
        saved = state.load()
        #: whether an earlier attempt began this import
        self.is_resumed = all(saved.get(name) == value for name, value in self._identity.items())
        #: an import of something else whose outcome is unknown: what it was of, and the jobs before it
        self.abandoned: tuple[str, frozenset[int]] | None = None
        if not self.is_resumed:
            if saved.get("unknown"):
                self.abandoned = (str(saved.get("zip_file")), frozenset(saved.get("before", ())))
            saved = {}
        #: ids of the jobs that the project had before the first request
        self.before: Collection[int] = frozenset(saved.get("before", ()))
        #: DLI's result for each job; empty until there is a response
        self.response = tuple(JobMapping(*each) for each in saved.get("response", ()))
        #: whether a request was sent whose outcome is unknown
        self.unknown: bool = saved.get("unknown", False)
        self._is_cover: bool | None = saved.get(_IS_COVER)

    @property
    def known_jobs(self) -> frozenset[int]:
        """Ids of the jobs whose origin is known: those from before, and those of the response."""
        return frozenset(self.before) | {each.new_job_id for each in self.response if each.new_job_id is not None}

    def is_complete(self, jobs: Collection[int], *, is_cover: bool) -> bool:
        """Return whether nothing is left to request: a response names each job, and all of them exist.

        A response to a request with the other value of ``is_cover`` does not count.
        """
        has_response = bool(self.response) and self._is_cover == is_cover
        return has_response and all(each.new_job_id in jobs for each in self.response)

    def save_request(self) -> None:
        """Save that a request is being sent: if the attempt ends now, its outcome is unknown."""
        self._save(unknown=True)

    def save_response(self, response: Sequence[JobMapping], *, is_cover: bool) -> None:
        """Save a response; what an earlier one has for a job that is a conflict now stays valid."""
        earlier = {each.old_job_id: each for each in self.response if each.new_job_id is not None}
        self.response = tuple(
            earlier.get(each.old_job_id, each) if each.new_job_id is None else each for each in response
        )
        self._is_cover = is_cover
        self._save(unknown=self.unknown)

    def save_refusal(self) -> None:
        """Save that the last request did nothing; clear the state if no earlier one did anything either."""
        if self.unknown or self.response:
            self._save(unknown=self.unknown)
        else:
            self._state.clear()

    def _save(self, *, unknown: bool) -> None:
        values: dict[str, Any] = {**self._identity, "before": sorted(self.before), "unknown": unknown}
        if self.response:
            rows = [[each.old_job_id, each.new_job_id, each.remark] for each in self.response]
            values |= {"response": rows, _IS_COVER: self._is_cover}
        self._state.save(values)


def _warn_of_abandoned(zip_file: str, before: Collection[int], jobs: Mapping[int, str], log: Logger) -> None:
    """Warn of an import of an earlier attempt that this one does not continue."""
    appeared = format_ids([f"{job_id} {name}" for job_id, name in jobs.items() if job_id not in before])
    log.warning(
        "An earlier attempt requested an import of %s, and its response was lost or could not be used. Jobs "
        "that appeared since, and may be its own: %s.",
        zip_file,
        appeared or "none",
    )


def _request(target: DliHook, record: ImportRecord, options: ImportParameters, log: Logger) -> None:
    """Send the request until there is a response, and save it."""
    place, is_cover, known = record.archives.place, options.is_cover, record.known_jobs
    if record.unknown:
        _wait_for_new_jobs(target, known, options.reconcile_timeout, log)
    record.save_request()

    def send() -> ImportResult:
        where = (target.project_id, target.account.region)
        log.info("Requesting an import of %s into project %s, %s, is_cover=%s.", place.url, *where, is_cover)
        try:
            result = target.import_flink_jobs(str(place), is_cover=is_cover)
            if not is_cover:
                _check_new(result, record.before)
        except DliException as error:
            if error.outcome_unknown:
                record.unknown = True
            else:
                record.save_refusal()
            raise
        return result

    def should_retry(error: DliException) -> bool:
        """Return whether it imported something, then only the response to another request has details."""
        log.info("%s Checking the project for its outcome.", error)
        return _wait_for_new_jobs(target, known, options.reconcile_timeout, log) or error.should_resend

    result = call_with_reconciliation(send, lambda _: None, log, should_retry=should_retry)
    record.save_response(result.job_mapping, is_cover=is_cover)


@contextmanager
def _naming_created(target: DliHook, record: ImportRecord) -> Iterator[None]:
    """Add to a failure which jobs the import has created, or may have: no later attempt may come to find them."""
    try:
        yield
    except DliException as failure:
        new = {each.new_job_id for each in record.response} - {None, *record.before}
        appeared: dict[int, str] = {}
        if new or record.unknown:
            with suppress(DliException):
                appeared = {job_id: name for job_id, name in _names(target).items() if job_id not in record.before}
        if appeared:
            note = f"New in the project since before the import, and perhaps of it: {format_jobs(appeared)}"
        elif new:
            note = f"DLI has created: {format_ids(sorted(filter(None, new)))}"
        else:
            raise
        raise type(failure)(f"{failure.problem}. {note}.", advice=failure.advice) from failure.__cause__


def _wait_for_new_jobs(target: DliHook, known: Collection[int], timeout: float, log: Logger) -> bool:
    """Wait until new jobs have appeared and no more do, at most for a time; return whether any have."""
    deadline = Deadline.within(timeout, 1.0, log)
    before: set[int] = set()
    while deadline.left > 0:
        new = {job_id for job_id in deadline.poll(partial(_names, target)) if job_id not in known}
        if new and new == before:
            log.info("%s appeared since the request.", pluralize(len(new), "job"))
            return True
        before = new
        deadline.sleep()
    return bool(before)


def _names(target: DliHook) -> dict[int, str]:
    return {job.job_id: job.name for job in target.list_flink_jobs()}


def _check_new(result: ImportResult, before: Collection[int]) -> None:
    """Raise if a response names jobs as imported that the project had before: it is not one to this request."""
    old = [each.new_job_id for each in result.job_mapping if each.new_job_id in before]
    if old:
        problem = f"the response names as imported what the project had before: job {format_ids(old)}"
        with translated():
            raise UnexpectedReplyError("ImportFlinkJobs", 200, None, problem, None)


def _outcome(record: ImportRecord, names: Mapping[int, str]) -> ImportOutcome:
    """Return the outcome, from the response and from the jobs that the project has now."""
    response, before = record.response, record.before
    named = {each.new_job_id for each in response}
    unnamed = {job_id for job_id in names if job_id not in before and job_id not in named}
    conflicts = sum(each.new_job_id is None for each in response)
    # If a response was lost, new jobs that this one does not name may be what that request imported. Others may
    # create jobs meanwhile: only if there are enough of them can they account for the conflicts.
    is_recovered = record.unknown and 0 < conflicts <= len(unnamed)
    # Without conflicts no earlier request has imported anything: what is new is somebody else's.
    ours = named | unnamed if record.unknown and conflicts else named
    return ImportOutcome(
        record.archives,
        tuple(_imported(each, names, before, is_recovered=is_recovered) for each in response),
        tuple(job_id for job_id in names if job_id in ours and job_id not in before),
        {job_id: name for job_id, name in names.items() if job_id not in before},
    )


def _imported(
    each: JobMapping, names: Mapping[int, str], before: Collection[int], *, is_recovered: bool
) -> ImportedJob:
    new_id, remark = each.new_job_id, each.remark
    if new_id is None:
        if is_recovered:
            remark = "imported by a request whose response was lost; its new id is not known"
        return ImportedJob(each.old_job_id, None, None, is_recovered, is_recovered, remark)
    name, is_new = names.get(new_id), new_id not in before
    return ImportedJob(each.old_job_id, new_id, name, created=is_new, recovered=False, remark=remark)


def _log_outcome(outcome: ImportOutcome, log: Logger) -> None:
    """Log each job as a table; warn of new jobs that the response does not name."""
    jobs = outcome.jobs
    log.info("%s in %s:", pluralize(len(jobs), "job"), outcome.archives.place.url)
    rows = [(each.old_job_id, each.new_job_id, each.name, each.remark) for each in jobs]
    log_table(log, ("old id", "new id", "name", "remark"), rows)
    if unnamed := outcome.not_in_response:
        log.warning(
            "New in the project since before the import, and not in its response: %s. They may be of it, or "
            "created by others.",
            format_jobs({job_id: outcome.appeared[job_id] for job_id in unnamed}),
        )


def raise_for_failures(outcome: ImportOutcome, options: ImportParameters, state: TaskState) -> None:
    """Raise unless every job was imported and exists.

    The import has ended: a task that is cleared requests it again.

    :raises DliFailException: naming each job that was not imported, what was done all the same, and what to do
    """
    problems = "; ".join(_problems(outcome, options.expected_jobs, keep=options.on_conflict == "keep"))
    if problems:
        state.clear()
        imported = [each for each in outcome.jobs if each.name is not None or each.recovered]
        raise DliFailException(
            f"{problems}. What was done: {pluralize(len(imported), 'job')} imported; new in the project: "
            f"{format_ids(outcome.created) or 'none'}."
        )
    # Should the process die before Airflow knows of the success, the next attempt must know that the jobs are its
    # own.
    state.save({name: value for name, value in state.load().items() if name != _IS_COVER})


def _problems(outcome: ImportOutcome, expected: Collection[int | str], *, keep: bool) -> Iterator[str]:
    conflicts = [each.old_job_id for each in outcome.jobs if each.is_conflict]
    if conflicts and not keep:
        yield (
            f"{len(conflicts):,} of {pluralize(len(outcome.jobs), 'job')} not imported, because jobs of their "
            f"names exist: {format_ids(conflicts)} (set is_cover=True to replace them, or on_conflict='keep' to "
            "keep them)"
        )
    absent = [each for each in outcome.jobs if each.new_job_id is not None and each.name is None]
    if absent:
        ids = [f"{each.old_job_id} as {each.new_job_id}" for each in absent]
        yield f"DLI reports as imported what the project does not have: {format_ids(ids)}"
    # A job that the response does not name, or names without its new id, counts by its name in the project.
    found = {name for each in outcome.jobs if not each.is_conflict for name in (each.old_job_id, each.name)}
    found |= {*outcome.appeared.values(), *([] if keep else conflicts)}
    if missing := [job for job in expected if job not in found]:
        yield f"expected but not imported: {format_ids(missing)}"


def plan(options: ImportParameters, target: DliHook, obs: ObsHook, log: Logger) -> None:
    """Verify the archives and log what an import would meet; nothing is copied or imported."""
    archives = find_archives(obs, options.zip_file)
    if options.verify_archive:
        _repeated(_verify(obs, archives.places, log), log)
    names = set(_names(target).values())
    log.info("Plan only: nothing is imported. Project %s has %s.", target.project_id, pluralize(len(names), "job"))
    if options.expected_jobs:
        existing = sorted(str(name) for name in options.expected_jobs if name in names)
        verb = "would be replaced" if options.is_cover else "would be omitted"
        shown = format_ids(existing) or "none"
        log.info("Of the expected names, %d exist and %s: %s", len(existing), verb, shown)
    else:
        log.info("The names in a DLI archive are not documented; set expected_jobs to check for them.")
