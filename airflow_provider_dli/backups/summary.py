"""What a catalogue has, for people: of each project its jobs, its backups and the last check of its coverage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.coverage import Coverage, JobCoverage, Kind, newest_coverage
from airflow_provider_dli.backups.manifest import Job, RecordName
from airflow_provider_dli.backups.state import Backup, newest_usable
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.exceptions import DliException
from airflow_provider_dli.formatting import pluralize

#: jobs of a project that are read; a page of more helps nobody
MAX_JOBS = 50_000
_READERS = 8
#: what a check found of a job, in words
_WORDS: dict[Kind, str] = {
    "no_backup": "no backup",
    "too_old": "too old",
    "changed": "changed",
    "not_drilled": "not drilled",
    "drill_failed": "drill failed",
}
#: those that a later backup may have put right
_OF_THE_BACKUP: set[Kind] = {"no_backup", "too_old", "changed", "drill_failed"}
#: states of a job, for a filter
JOB_STATES = ("verified", *_WORDS.values())
#: states of a backup, for a filter; an expired one is not shown
BACKUP_STATES = ("verified", "damaged", "unreadable", "incomplete", "expiring", "held")


@dataclass(frozen=True, slots=True)
class JobSummary:
    """A job, and the newest usable backup that has it.

    :param job_type: empty where it is not known
    :param states: some of :data:`JOB_STATES`
    :param backup_id: None if no usable backup has it
    :param verified_at: when that backup was last found intact
    :param drilled_at: when a drill last found it equal; None where that is not known
    :param changed: whether it has changed since that backup; None where that is not known
    """

    project_id: str
    job_id: int
    name: str
    job_type: str
    states: tuple[str, ...]
    backup_id: str | None
    verified_at: datetime | None
    drilled_at: datetime | None
    changed: bool | None

    @property
    def good(self) -> bool:
        """Whether it could be brought back, and nothing is wrong."""
        return self.states == ("verified",)


@dataclass(frozen=True, slots=True)
class ProjectSummary:
    """A project in a catalogue.

    :param backups: oldest first, without those that are expired
    :param newest: the newest usable one
    :param coverage: the last check
    :param problems: what cannot be read, each as one line
    """

    project_id: str
    backups: tuple[Backup, ...]
    newest: Backup | None
    coverage: Coverage | None
    jobs: tuple[JobSummary, ...]
    problems: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether there is a usable backup, and the last check found no problem."""
        return bool(self.newest) and not self.problems and (self.coverage is None or self.coverage.passed)

    @property
    def region(self) -> str | None:
        """The region, as the newest usable backup has it."""
        return self.newest.manifest.region if self.newest and self.newest.manifest else None

    @property
    def last_drill(self) -> RecordName | None:
        """The newest drill of any of its backups."""
        drills = [drill for backup in self.backups if (drill := backup.last("drill"))]
        return max(drills, key=lambda drill: drill.at, default=None)


@dataclass(frozen=True, slots=True)
class Summary:
    """A catalogue at a moment.

    :param read_at: by the store's clock
    :param expired: how many backups were deleted
    """

    place: ObsLocation
    read_at: datetime
    projects: tuple[ProjectSummary, ...]
    expired: int

    @property
    def problems(self) -> list[str]:
        """What is wrong, each in words; empty if nothing is."""
        unusable = sum(not project.newest for project in self.projects)
        states = [backup.state for project in self.projects for backup in project.backups]
        damaged = sum(state in ("damaged", "unreadable") for state in states)
        failed = sum(bool(project.coverage and not project.coverage.passed) for project in self.projects)
        unread = sum(bool(project.problems) for project in self.projects)
        found = (
            (unusable, f"{unusable} of {pluralize(len(self.projects), 'project')} without a usable backup"),
            (damaged, f"{pluralize(damaged, 'backup')} damaged or unreadable"),
            (failed, f"problems found by the last check of {pluralize(failed, 'project')}"),
            (unread, f"{pluralize(unread, 'project')} not read completely"),
        )
        return [words for number, words in found if number]


def summarize(catalogue: Catalogue) -> Summary:
    """Return what is in a catalogue: one listing, and for each project the jobs of one backup and one report.

    :raises DliException: if the catalogue cannot be listed or read
    """
    backups = catalogue.backups()
    by_project: dict[str, list[Backup]] = defaultdict(list)
    for backup in backups:
        by_project[backup.project_id].append(backup)
    with ThreadPoolExecutor(_READERS, "summary") as pool:
        projects = pool.map(lambda each: _project(catalogue, *each), sorted(by_project.items()))
        expired = sum(backup.state == "expired" for backup in backups)
        return Summary(catalogue.root, catalogue.now(), tuple(projects), expired)


def _project(catalogue: Catalogue, project_id: str, backups: list[Backup]) -> ProjectSummary:
    newest, coverage, problems = newest_usable(backups), None, []
    listed: dict[int, Job] = {}
    try:
        coverage = newest_coverage(catalogue, project_id)
    except DliException as error:
        problems.append(f"the last check cannot be read: {error}")
    try:
        if newest:
            listed = {job.job_id: job for job in islice(catalogue.listed_jobs(newest), MAX_JOBS)}
    except DliException as error:
        problems.append(str(error))
    if newest and newest.manifest and newest.manifest.jobs.count > MAX_JOBS:
        problems.append(f"{newest.backup_id} has more than {MAX_JOBS:,} jobs, of which the first are shown")
    kept = tuple(backup for backup in backups if backup.state != "expired")
    jobs = tuple(_jobs(project_id, newest, listed, coverage))
    return ProjectSummary(project_id, kept, newest, coverage, jobs, tuple(problems))


def _jobs(
    project_id: str, newest: Backup | None, listed: Mapping[int, Job], coverage: Coverage | None
) -> Iterator[JobSummary]:
    """Yield the jobs of the newest usable backup, and those that only the last check has seen."""
    checked = {job.job_id: job for job in coverage.jobs} if coverage else {}
    found = _found(coverage)
    # What a check found is not about a backup that was made after it.
    manifest = newest.manifest if newest else None
    is_later = bool(manifest and coverage and manifest.completed_at > coverage.checked_at)
    for job_id in sorted({*listed, *checked}):
        job, check = listed.get(job_id), checked.get(job_id)
        is_there = job is not None and job.in_archive is not False
        is_over = is_later and is_there
        kinds = found[job_id] - _OF_THE_BACKUP if is_over else found[job_id]
        backup_id, verified_at = _proof(newest if is_there else None, check)
        states = tuple(word for kind, word in _WORDS.items() if kind in kinds)
        known = job or check
        yield JobSummary(
            project_id,
            job_id,
            known.name if known else "",
            known.job_type if known else "",
            states or (("verified",) if backup_id else ("no backup",)),
            backup_id,
            verified_at,
            check.drilled_at if check else None,
            check.changed if check and not is_over else None,
        )


def _found(coverage: Coverage | None) -> dict[int, set[Kind]]:
    found: dict[int, set[Kind]] = defaultdict(set)
    for problem in coverage.problems if coverage else ():
        if problem.job_id is not None:
            found[problem.job_id].add(problem.kind)
    return found


def _proof(backup: Backup | None, check: JobCoverage | None) -> tuple[str | None, datetime | None]:
    if backup:
        return backup.backup_id, backup.last_verified
    return (check.backup_id, check.verified_at) if check else (None, None)
