"""Coverage: which live jobs could be brought back now, to which state, and since when that is proven.

The result of a check is a document beside the backups, ``<catalogue>/<project id>/reports/coverage-<time>.json``.
All times are the store's.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from pydantic import AwareDatetime, ValidationError

from airflow_provider_dli.backups.catalogue import MAX_DOCUMENT, AllBut, Catalogue
from airflow_provider_dli.backups.diff import row_of
from airflow_provider_dli.backups.manifest import SCHEMA_VERSION, STAMP, Document, Job, Level, Text, drilled_jobs
from airflow_provider_dli.backups.state import Backup, usable
from airflow_provider_dli.exceptions import DliFailException
from airflow_provider_dli.formatting import format_duration, format_ids, pluralize
from airflow_provider_dli.services.selection import each_with_settings, named_ids

if TYPE_CHECKING:
    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.parameters.models import CoverageParameters

REPORTS = "reports"
_NAME = re.compile(r"coverage-[0-9]{8}T[0-9]{6}Z\.json")
#: reports that are tried, newest first: one that cannot be read must not hide the others, nor cost a request each
_TRIED = 5
#: most records of drills that are read, newest first
_MAX_DRILLS = 1000
#: a directory in which nothing was written for this long is of a task that was killed
_ABANDONED = timedelta(days=1)
#: by which a time in a manifest may be ahead of the store's clock
_MARGIN = timedelta(minutes=5)
#: names of archives, or changes of them, that a message has
_SHOWN = 3
_CHANGED_MEANWHILE = "it was changed while it was backed up: the archive may have its settings before or after"

#: what is wrong, in the order in which messages name it
Kind = Literal[
    "not_checked",
    "no_jobs",
    "no_backups",
    "unreadable",
    "damaged",
    "no_backup",
    "changed",
    "too_old",
    "not_drilled",
    "drill_failed",
    "incomplete",
    "unnamed",
    "unproven",
    "not_seen",
]
#: what each means; the last four are warnings, which fail nothing
KINDS: Mapping[Kind, str] = {
    "not_checked": "a project whose connection, jobs or backups cannot be read",
    "no_jobs": "a project of which the key sees no job",
    "no_backups": "a project without any backup",
    "unreadable": "a backup whose manifest cannot be read",
    "damaged": "a backup of which an archive is gone or changed, or whose newest verification failed",
    "no_backup": "a job that no usable backup has",
    "changed": "a job whose settings differ from those in its youngest usable backup",
    "too_old": "a job whose youngest usable backup is older than `max_age`",
    "not_drilled": "a job that no restore drill within `drill_max_age` has found equal to its source",
    "drill_failed": "a job that its last restore drill, or the last one of its youngest usable backup, did not "
    "restore as it was",
    "incomplete": "a directory without a manifest in which nothing was written for a day: of a killed task",
    "unnamed": "archives in the directory of a backup that its manifest does not name",
    "unproven": "jobs that no drill of their youngest usable backup has restored, and that may not be in its "
    "archives, which were not read or have an unknown layout",
    "not_seen": "jobs that the newest backup of all jobs has, and the key does not see: deleted "
    "since, or hidden from it",
}
_REPLACE = (
    "Do not rely on a damaged backup: back up again. Put its objects back as they were and verify it again, or "
    "copy its directory elsewhere as evidence, and delete it here."
)
#: what to do about each; what was not checked has its own advice
REMEDIES: Mapping[Kind, str] = {
    "no_jobs": "Grant dli:jobs:listAll by policy, or omit the connection of a project without jobs.",
    "no_backups": "Back up the project with DliBackupFlinkJobsOperator.",
    "unreadable": _REPLACE,
    "damaged": _REPLACE,
    "no_backup": "Back up all jobs, and exclude those that need no backup.",
    "changed": "Back up again.",
    "too_old": "Back up again, and find out why no younger backup was made.",
    "not_drilled": "Run DliDrillBackupsOperator, and check again.",
    "drill_failed": "See the record of the drill for what differed, back up again, and drill the new backup.",
    "incomplete": "Delete a directory that no task continues.",
    "unnamed": "Keep or delete archives that no manifest names: they are not part of a backup.",
    "unproven": "Run DliDrillBackupsOperator: a drill shows whether the archives have the jobs.",
    "not_seen": "Grant dli:jobs:listAll by policy; if they were deleted, there is nothing to do.",
}
#: kinds of problems of a job for which it could not be brought back as it is
UNCOVERED = ("no_backup", "changed", "too_old", "drill_failed")


class Problem(Document):
    """What is wrong with a job, a backup, or a whole project.

    :param kind: see :data:`KINDS`
    :param name: of the job, as DLI has it
    :param message: in one line
    """

    kind: Kind
    job_id: int | None = None
    name: Text | None = None
    backup_id: str | None = None
    message: Text


class JobCoverage(Document):
    """A live job, and the youngest usable backup that has it.

    :param status: of the job, when it was checked
    :param backup_id: None if no usable backup has it
    :param verified_at: when that backup was last found intact
    :param exported_at: of that backup
    :param drilled_at: when a restore drill last found the job equal to its source
    :param changed: whether its settings differ from those in that backup; None without one
    """

    job_id: int
    name: Text
    job_type: str
    status: str
    backup_id: str | None = None
    verified_at: AwareDatetime | None = None
    exported_at: AwareDatetime | None = None
    drilled_at: AwareDatetime | None = None
    changed: bool | None = None


class Coverage(Document):
    """The result of a check of one project.

    :param checked_at: by the store's clock
    :param passed: whether there is no problem
    :param level: that a backup must have been verified at
    :param max_age: seconds since the export of the youngest usable backup of a job, at most
    :param drill_max_age: seconds since the last drill of a job, at most; None if drills are not required
    :param problems: for which the check fails
    :param warnings: for which it does not
    :param jobs: all live jobs that are not excluded, in the order of their ids
    """

    schema_version: int = SCHEMA_VERSION
    checked_at: AwareDatetime
    project_id: str
    passed: bool
    level: Level
    max_age: float
    drill_max_age: float | None = None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    jobs: tuple[JobCoverage, ...] = ()

    @property
    def uncovered(self) -> list[int]:
        """Ids of the jobs that could not be brought back as they are, or only from a backup that is too old."""
        ids = (each.job_id for each in self.problems if each.kind in UNCOVERED)
        return list(dict.fromkeys(job_id for job_id in ids if job_id is not None))


def check_project(hook: DliHook, catalogue: Catalogue, options: CoverageParameters, now: datetime) -> Coverage:
    """Compare the live jobs of a project with its backups.

    Of the lists of jobs in backups, the newest first, no more are read than until each live job is found, and none
    is kept.

    :param catalogue: one that no other project was read of: it keeps the manifests
    :param now: by the store's clock
    :raises DliException: if the jobs or the backups cannot be read
    """
    rows = {job.job_id: row_of(job) for job in each_with_settings(hook)}
    seen = rows.keys()
    excluded = named_ids({job.job_id: job.name for job in rows.values()}, options.exclude)
    live = {job_id: job for job_id, job in rows.items() if job_id not in excluded}
    backups = catalogue.backups(hook.project_id)
    of_backups, warnings = check_backups(backups, now)
    problems = [*_of_project(hook, backups, is_any=bool(seen)), *of_backups]
    newest_first = [each for each in usable(backups, level=options.level) if not is_ahead(each, now)]
    found: dict[int, tuple[Job, Backup]] = {}
    of_all = next((each for each in newest_first if each.is_all_jobs), None)
    for backup in newest_first:
        missing = live.keys() - found.keys()
        if missing or backup is of_all:
            try:
                # A list, since the whole file must have been read before any of it counts.
                has = list(catalogue.listed_jobs(backup, AllBut(seen - missing) if backup is of_all else missing))
                there = [job for job in has if job.in_archive is not False]
                found |= {job.job_id: (job, backup) for job in there if job.job_id in missing}
                warnings += _not_seen(backup, [job for job in has if job.job_id not in seen])
            except DliFailException as error:
                if error.error:  # the service refuses; else the list is not what was written
                    raise
                if not catalogue.is_gone(backup):
                    problems.append(_backup_problem("damaged", backup, str(error)))
    if seen and not live:
        text = f"exclude leaves none of {pluralize(len(seen), 'job')} that this key sees, so nothing was compared"
        warnings.append(Problem(kind="no_jobs", message=text))
    drills = read_drills(catalogue, backups, found, live.keys(), now)
    jobs = tuple(
        _coverage_of(live[job_id], found.get(job_id), drills.equal_at.get(job_id)) for job_id in sorted(live)
    )
    problems += [problem for job in jobs for problem in _of_job(job, found.get(job.job_id), options, now)]
    problems += [_drill_failed(live[job_id], backup) for job_id, backup in drills.failed.items()]
    warnings += _unproven(found.values(), drills.restored)
    limit = options.drill_max_age
    return Coverage(
        checked_at=now,
        project_id=hook.project_id,
        passed=not problems,
        level=options.level,
        max_age=options.max_age,
        drill_max_age=None if limit == float("inf") else limit,
        problems=tuple(sorted(problems, key=_order)),
        warnings=tuple(warnings),
        jobs=jobs,
    )


def check_backups(backups: Sequence[Backup], now: datetime) -> tuple[list[Problem], list[Problem]]:
    """Return what is wrong with backups, and warnings about them, which the catalogue alone shows.

    :param now: by the store's clock
    """
    ahead = [_ahead(each) for each in backups if is_ahead(each, now)]
    return [*_of_backups(backups), *ahead], list(_warnings(backups, now))


def check_jobs(catalogue: Catalogue, backup: Backup, now: datetime) -> tuple[list[Problem], list[Problem]]:
    """Return what is wrong with the jobs of a backup, and warnings about them, as its lists and drills show it.

    :param now: by the store's clock
    :raises DliException: if the service refuses, or does not respond
    """
    if why := catalogue.why_unlisted(backup):
        return [_backup_problem("damaged", backup, why)], []
    listed = list(catalogue.listed_jobs(backup))
    found = {job.job_id: (job, backup) for job in listed if job.in_archive is not False}
    drills = read_drills(catalogue, [backup], found, (), now)
    warnings = list(_unproven(found.values(), drills.restored))
    # Whether such a job still exists only the project shows.
    for job in listed:
        if job.job_id not in found:
            warnings.append(_listed_problem("no_backup", job, backup, "no archive of the newest backup has it"))
        elif job.is_changed:
            warnings.append(_listed_problem("changed", job, backup, _CHANGED_MEANWHILE))
    return [_drill_failed(found[job_id][0], backup) for job_id in drills.failed], warnings


_KINDS = tuple(KINDS)


def _order(problem: Problem) -> tuple[int, str, int]:
    return _KINDS.index(problem.kind), problem.backup_id or "", problem.job_id or 0


def is_ahead(backup: Backup, now: datetime) -> bool:
    """Return whether it claims to be of the future: it would be the youngest for ever."""
    return backup.state == "verified" and backup.exported_at > now + _MARGIN


def _ahead(backup: Backup) -> Problem:
    at = backup.exported_at.isoformat()
    return _backup_problem("damaged", backup, f"exported_at of its manifest, {at}, is ahead of the store's clock")


@dataclass(slots=True)
class _Drills:
    """What the records of restore drills show of live jobs.

    :param equal_at: when each job was last found equal to its source
    :param failed: by job, the backup from which a drill did not restore it as it was: the last drill of the job,
        or the last one of its youngest usable backup
    :param restored: jobs of which a drill of their youngest usable backup has a result
    """

    equal_at: dict[int, datetime] = field(default_factory=dict)
    failed: dict[int, Backup] = field(default_factory=dict)
    restored: set[int] = field(default_factory=set)


def read_drills(
    catalogue: Catalogue,
    backups: Iterable[Backup],
    found: Mapping[int, tuple[Job, Backup]],
    wanted: Iterable[int],
    now: datetime,
) -> _Drills:
    """Read the records of drills, the newest first, and no more than count.

    :param found: the live jobs that a backup has, each with its youngest usable one
    :param wanted: ids of all live jobs
    """
    records = [
        (record, backup) for backup in backups for record in backup.of_kind("drill") if record.at <= now + _MARGIN
    ]
    records.sort(key=lambda each: (each[0].at, each[0].name), reverse=True)
    own: dict[str, set[int]] = {}
    for job_id, (_, backup) in found.items():
        own.setdefault(backup.backup_id, set()).add(job_id)
    missing, seen, drills = set(wanted), set[int](), _Drills()
    for record, backup in records[:_MAX_DRILLS]:
        mine = own.get(backup.backup_id, set()) - drills.restored
        if not missing and not mine:
            continue
        results = drilled_jobs(catalogue.read_record(backup, record))
        for job_id in results.keys() & (missing | mine):
            if results[job_id]:
                drills.equal_at.setdefault(job_id, record.at)
            elif job_id in mine or job_id not in seen:
                drills.failed.setdefault(job_id, backup)
        seen |= results.keys()
        missing -= {job_id for job_id, is_equal in results.items() if is_equal}
        drills.restored |= mine & results.keys()
    return drills


def _coverage_of(job: Job, found: tuple[Job, Backup] | None, drilled_at: datetime | None) -> JobCoverage:
    kept, backup = found or (None, None)
    return JobCoverage(
        job_id=job.job_id,
        name=job.name,
        job_type=job.job_type,
        status=job.status,
        backup_id=backup.backup_id if backup else None,
        verified_at=backup.last_verified if backup else None,
        exported_at=backup.exported_at if backup else None,
        drilled_at=drilled_at,
        changed=(kept.is_changed or kept.digest != job.digest) if kept else None,
    )


def _of_job(
    job: JobCoverage, found: tuple[Job, Backup] | None, options: CoverageParameters, now: datetime
) -> Iterator[Problem]:
    """Yield what is wrong with a job."""
    if found is None or job.exported_at is None:
        yield _job_problem("no_backup", job, f"no backup that is usable at level {options.level} has it")
    else:
        if job.changed:
            text = f"its settings differ from those that were backed up {job.exported_at:%Y-%m-%d %H:%M} UTC"
            if found[0].is_changed:
                text = _CHANGED_MEANWHILE
            yield _job_problem("changed", job, text)
        if (age := (now - job.exported_at).total_seconds()) > options.max_age:
            yield _job_problem("too_old", job, f"its youngest usable backup is {format_duration(age)} old")
    if options.drill_max_age == float("inf"):
        return
    if job.drilled_at is None:
        yield _job_problem("not_drilled", job, "no restore drill has found it equal to its source")
    elif (age := (now - job.drilled_at).total_seconds()) > options.drill_max_age:
        text = f"the last restore drill that found it equal was {format_duration(age)} ago"
        yield _job_problem("not_drilled", job, text)


def _drill_failed(job: Job, backup: Backup) -> Problem:
    text = f"the last restore drill of it, from backup {backup.backup_id}, did not restore it as it was"
    return _listed_problem("drill_failed", job, backup, text)


def _listed_problem(kind: Kind, job: Job, backup: Backup, message: str) -> Problem:
    return Problem(kind=kind, job_id=job.job_id, name=job.name, backup_id=backup.backup_id, message=message)


def _unproven(found: Iterable[tuple[Job, Backup]], restored: Container[int]) -> Iterator[Problem]:
    """Yield a warning for each backup of the jobs that may be in no archive of it."""
    unknown: dict[str, tuple[Backup, list[int]]] = {}
    for job, backup in found:
        if job.in_archive is None and job.job_id not in restored:
            unknown.setdefault(backup.backup_id, (backup, []))[1].append(job.job_id)
    for backup, ids in unknown.values():
        text = f"whether its archives have {pluralize(len(ids), 'job')} is not known, and no drill of it has"
        yield _backup_problem("unproven", backup, f"{text} restored them: {format_ids(sorted(ids))}")


def _not_seen(backup: Backup, jobs: Sequence[Job]) -> Iterator[Problem]:
    """Yield a warning for jobs of a backup that the key does not see."""
    if jobs:
        listed = format_ids([f"{job.job_id} {job.name}" for job in jobs])
        text = (
            f"{pluralize(len(jobs), 'job')} of it this key does not see: deleted since, or no longer visible to it"
        )
        yield _backup_problem("not_seen", backup, f"{text}: {listed}")


def _job_problem(kind: Kind, job: JobCoverage, message: str) -> Problem:
    return Problem(kind=kind, job_id=job.job_id, name=job.name, backup_id=job.backup_id, message=message)


def _of_project(hook: DliHook, backups: Sequence[Backup], *, is_any: bool) -> Iterator[Problem]:
    if not is_any:
        identity = hook.account.credentials.identity
        text = f"this key ({identity}) sees no Flink job; without dli:jobs:listAll a user sees only its own jobs"
        yield Problem(kind="no_jobs", message=text)
    if not any(backup.manifest or backup.problem for backup in backups):
        yield Problem(kind="no_backups", message="the project has no backup")


def _of_backups(backups: Iterable[Backup]) -> Iterator[Problem]:
    """Yield what is wrong with the backups that are kept."""
    for backup in backups:
        if backup.state == "unreadable":
            yield _backup_problem("unreadable", backup, str(backup.why_unreadable))
        elif backup.state == "damaged":
            found = backup.changes
            if backup.last_verified is None:
                found = ["its newest verification failed", *found]
            yield _backup_problem("damaged", backup, _some(found, "; "))


def _warnings(backups: Iterable[Backup], now: datetime) -> Iterator[Problem]:
    for backup in backups:
        state, names = backup.state, backup.unnamed
        if state == "incomplete" and max(each.written for each in backup.objects.values()) < now - _ABANDONED:
            archives = f", with {pluralize(len(names), 'archive')} that nothing names" if names else ""
            yield _backup_problem("incomplete", backup, f"it has no manifest{archives}: the task was killed")
        elif state in ("verified", "damaged") and names:
            yield _backup_problem(
                "unnamed", backup, f"its manifest does not name {_some(names, ', ')}, {backup.origin_of_unnamed}"
            )


def _backup_problem(kind: Kind, backup: Backup, message: str) -> Problem:
    return Problem(kind=kind, backup_id=backup.backup_id, message=message)


def _some(texts: Sequence[str], separator: str) -> str:
    more = f"{separator}and {len(texts) - _SHOWN:,} more" if len(texts) > _SHOWN else ""
    return separator.join(texts[:_SHOWN]) + more


def newest_coverage(catalogue: Catalogue, project_id: str) -> Coverage | None:
    """Return the result of the last check of a project; None if there is none, or none that can be read.

    :raises DliException: if the catalogue cannot be listed or read
    """
    directory = catalogue.root.below(project_id).below(REPORTS)
    names = (entry.key.rpartition("/")[2] for entry in catalogue.obs.list_tree(directory))
    found = sorted((name for name in names if _NAME.fullmatch(name)), reverse=True)
    for name in found[:_TRIED]:
        data = catalogue.obs.read(directory.below(name), MAX_DOCUMENT)
        try:
            coverage = Coverage.model_validate_json(data or b"")
        except ValidationError:
            continue
        if (coverage.schema_version, coverage.project_id) == (SCHEMA_VERSION, project_id):
            return coverage
    return None


def write_coverage(catalogue: Catalogue, coverage: Coverage) -> ObsLocation:
    """Write the result of a check beside the backups of its project; return its place.

    :raises DliException: if it cannot be written
    """
    directory, at = catalogue.root.below(coverage.project_id).below(REPORTS), coverage.checked_at.astimezone(UTC)
    # Nothing in a catalogue is written twice: of several of one second, each later one is named by the next.
    # They are listed, since a HEAD of an object that is not there needs one more permission, HeadBucket.
    taken = {entry.key for entry in catalogue.obs.list_tree(directory)}
    while (place := directory.below(f"coverage-{at:{STAMP}}.json")).key in taken:
        at += timedelta(seconds=1)
    catalogue.obs.put(place, coverage.model_dump_json(exclude_none=True).encode(), "application/json")
    return place
