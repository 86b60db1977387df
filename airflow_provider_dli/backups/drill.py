"""Restore drills: import some archives of the newest backup into a scratch project, compare, and delete.

Each drill takes the archives whose jobs were drilled longest ago, so that in time every job has its turn. What was
found is a record of the backup, one for each archive. Before an import a marker is written beside the backup: what
an attempt that was killed has left in the scratch project is found by it, on every version of Airflow.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.diff import kept_job
from airflow_provider_dli.backups.manifest import RECORDS, Archive, Document, Job, Run
from airflow_provider_dli.backups.rotation import choose, ids_by_archive, past_drills, warn_of_pace
from airflow_provider_dli.backups.state import Backup, newest_usable
from airflow_provider_dli.backups.verification import problem_of_archive
from airflow_provider_dli.client.flink.settings import differences, settings_digest
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.exceptions import DliException, DliFailException, read_parameters, translated
from airflow_provider_dli.formatting import format_duration, format_ids, format_jobs, log_table, pluralize
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.parameters.models import DrillParameters, ImportParameters
from airflow_provider_dli.services.compare import JobComparison
from airflow_provider_dli.services.jobs import delete_created
from airflow_provider_dli.services.report import Page, Table, write_page
from airflow_provider_dli.services.restore import import_jobs
from airflow_provider_dli.services.selection import each_with_settings
from airflow_provider_dli.task_state import TaskState

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_dli.client.flink import FlinkJob
    from airflow_provider_dli.services.restore import ImportOutcome

#: seconds to check for new jobs after the response to an import was lost
_RECONCILE_TIMEOUT = 60
_STAGING_DIGITS = 16


@dataclass(frozen=True, slots=True)
class DrilledJob:
    """What a drill found of one job."""

    job_id: int
    name: str
    #: None if the restored job equals its source
    problem: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values, without the name, which the backup has."""
        return {"job_id": self.job_id, "equal": self.problem is None, "problem": self.problem}


@dataclass(slots=True)
class Outcome:
    """The outcome of a drill."""

    backup: Backup
    jobs: list[DrilledJob] = field(default_factory=list)
    archives: list[str] = field(default_factory=list)
    #: that the imports took
    seconds: float = 0.0
    #: jobs that the backup lists and no drill has found equal within the window, or that are in no archive of it
    remaining: int = 0

    @property
    def failed(self) -> list[DrilledJob]:
        """The jobs that could not be restored as they were."""
        return [each for each in self.jobs if each.problem]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values, for XCom."""
        return {
            "backup": str(self.backup.place),
            "archives": self.archives,
            "drilled": [each.job_id for each in self.jobs if not each.problem],
            "failed": [{"name": each.name, **each.as_dict()} for each in self.failed],
            "seconds": round(self.seconds, 3),
            "seconds_per_job": round(self.seconds / len(self.jobs), 3) if self.jobs else None,
            "remaining": self.remaining,
        }


class _Marker(Document):
    """What is written before an import, for a later attempt of the run to find what this one has left.

    :param before: ids of the jobs that the scratch project had
    :param names: of the jobs that are imported
    """

    drill: Run | None
    scratch_project: str
    before: tuple[int, ...]
    names: tuple[str, ...]


@dataclass(slots=True)
class _Restored:
    """What an import may have created."""

    before: frozenset[int]
    names: frozenset[str]
    #: id to name, once the outcome is known
    created: Mapping[int, str] | None = None
    #: id to name of other new jobs, which the import may have created too
    others: Mapping[int, str] = field(default_factory=dict)

    def find(self, new: Mapping[int, str], mapped: Collection[int | None] = ()) -> None:
        """Note which of the new jobs the import has created.

        :param new: id to name
        :param mapped: ids that its response has; the others are those of its names
        """
        self.created = {job_id: name for job_id, name in new.items() if job_id in mapped or name in self.names}
        self.others = {job_id: name for job_id, name in new.items() if job_id not in self.created}


def prepare(operator: object) -> tuple[DrillParameters, Catalogue, DliHook]:
    """Return the parameters of an operator, all of them checked, its catalogue, and a hook to restore with."""
    options = read_parameters(DrillParameters, operator)
    return options, Catalogue(ObsHook(options.dli_conn_id), options.backup_dir), DliHook(options.scratch_conn_id)


def drill(
    options: DrillParameters, catalogue: Catalogue, scratch: DliHook, run: Run | None, log: Logger
) -> Outcome:
    """Restore a sample of jobs and compare each with its source; nothing of it stays in the scratch project.

    :raises DliFailException: if there is no usable backup, or the scratch project is that of the backup or has
        jobs of the same names
    :raises DliException: if DLI or OBS does not respond; nothing is recorded of the archive that was being drilled
    """
    project_id = options.project_id or catalogue.obs.project_id
    if scratch.project_id == project_id:
        raise DliFailException(
            f"scratch_conn_id: {options.scratch_conn_id!r} is a connection of project {project_id} itself, whose "
            "jobs are backed up; give one of a project that nobody works in"
        )
    backups = catalogue.backups(project_id)
    _clear_up_after_earlier_attempt(options, catalogue, backups, scratch, run, log)
    backup = newest_usable(backups)
    if backup is None:
        raise DliFailException(
            f"backup_dir: {catalogue.root.url} has no usable backup of project {project_id}",
            advice="Back up its jobs, or check what DliVerifyBackupsOperator reports.",
        )
    listed = {job.job_id: job for job in catalogue.listed_jobs(backup)}
    jobs = {job_id: job for job_id, job in listed.items() if job.in_archive is not False}
    past, began, outcome = past_drills(catalogue, backups, run), time.monotonic(), Outcome(backup)
    wanted = max(0, options.sample - len(past.by_this_run & jobs.keys()))
    chosen = choose(ids_by_archive(backup, jobs), past.drilled, wanted, str(run))
    count = sum(map(len, chosen.values()))
    log.info(
        "Drilling %s of %s in %s, into project %s.",
        *(f"{count:,}", pluralize(len(jobs), "job"), backup.place.url, scratch.project_id),
    )
    with catalogue.reading(backup, {"drill": run and run.model_dump()}):
        kept = _kept(catalogue, backup, {job_id for ids in chosen.values() for job_id in ids})
        for archive, ids in chosen.items():
            # One is drilled in any case: a drill of nothing would succeed and show nothing.
            if outcome.archives and time.monotonic() - began >= options.time_limit:
                log.warning(
                    "time_limit has passed: %d of %d archives were drilled.", len(outcome.archives), len(chosen)
                )
                break
            _drill_archive(
                _Setting(options, catalogue, scratch, backup, run, log),
                archive,
                [jobs[each] for each in ids],
                kept,
                outcome,
            )
    equal = {each.job_id for each in outcome.jobs if not each.problem} | past.by_this_run
    _log_outcome(outcome, log)
    now = catalogue.now()
    since = now - timedelta(seconds=options.drill_window)
    recent = {*equal, *(job_id for job_id, at in past.drilled.items() if at >= since)}
    outcome.remaining = len(listed.keys() - (recent & jobs.keys()))
    if absent := {job_id: job.name for job_id, job in listed.items() if job_id not in jobs}:
        log.warning("No archive of the backup has these jobs, so no drill restores them: %s", format_jobs(absent))
    warn_of_pace(past, options.drill_window, len(jobs), max(count, options.sample), now, log)
    return outcome


@dataclass(frozen=True, slots=True)
class _Setting:
    """What the drills of all archives have in common."""

    options: DrillParameters
    catalogue: Catalogue
    scratch: DliHook
    backup: Backup
    run: Run | None
    log: Logger


def _kept(catalogue: Catalogue, backup: Backup, job_ids: Collection[int]) -> dict[int, FlinkJob]:
    """Return these jobs with the settings that the backup has kept; empty if it has kept none."""
    return {each.job_id: kept_job(each) for each in catalogue.settings(backup) if each.job_id in job_ids}


def _drill_archive(
    setting: _Setting, name: str, jobs: Sequence[Job], kept: Mapping[int, FlinkJob], outcome: Outcome
) -> None:
    """Restore an archive, compare its jobs, record the outcome, and delete what was restored."""
    catalogue, scratch, backup, log = setting.catalogue, setting.scratch, setting.backup, setting.log
    archive = next(each for each in backup.manifest.archives if each.name == name) if backup.manifest else None
    assert archive  # noqa: S101 -- it was chosen of them
    if problem := problem_of_archive(catalogue.obs, backup, archive, log):
        found, seconds = [DrilledJob(job.job_id, job.name, f"its archive {problem}") for job in jobs], 0.0
    else:
        with _clearing_up(setting, jobs) as restored:
            began = time.monotonic()
            imported = _import(setting, archive)
            # Before anything is raised: what it did not create belongs to others.
            new = {job_id: imported.appeared[job_id] for job_id in imported.created}
            restored.find(new, {each.new_job_id for each in imported.jobs})
            _raise_for_conflicts(scratch, jobs, imported)
            seconds = time.monotonic() - began
            found = list(_compared(jobs, kept, imported, restored.before, scratch, log))
    content = {
        "jobs": [each.as_dict() for each in found],
        "seconds": round(seconds, 3),
        "scratch_project": scratch.project_id,
        "archives": [name],
        "run": setting.run and setting.run.model_dump(),
    }
    is_failed = any(each.problem for each in found)
    catalogue.record(backup, "drill", content, "failed" if is_failed else "passed")
    outcome.jobs += found
    outcome.archives.append(name)
    outcome.seconds += seconds


def _import(setting: _Setting, archive: Archive) -> ImportOutcome:
    """Import an archive into the scratch project.

    :raises DliException: if it cannot be imported
    """
    options, log = setting.options, setting.log
    staging = options.staging_dir and _staging(setting.options, setting.run)
    with translated():
        parameters = ImportParameters.read(
            {
                "zip_file": str(setting.backup.archive(archive)),
                "is_cover": False,
                "on_conflict": "fail",
                "verify_archive": False,
                "dli_conn_id": options.scratch_conn_id,
                "staging_dir": str(staging) if staging else None,
                "plan_only": False,
                "reconcile_timeout": _RECONCILE_TIMEOUT,
            }
        )
    # Without a state: an attempt that ended has left nothing that this one could go on with.
    return import_jobs(parameters, setting.scratch, setting.catalogue.obs, TaskState({}, "dli_drill"), log)


def _raise_for_conflicts(scratch: DliHook, jobs: Sequence[Job], imported: ImportOutcome) -> None:
    """Raise if a job was not imported since one of its name exists.

    :raises DliFailException: naming them
    """
    names = {job.job_id: job.name for job in jobs}
    if conflicts := [each.old_job_id for each in imported.jobs if each.is_conflict]:
        raise _conflict(
            scratch, [names.get(each, each) for each in conflicts], "; the archive may have other names"
        )


def _conflict(scratch: DliHook, jobs: Sequence[object], note: str = "") -> DliFailException:
    listed = f"{format_ids(jobs)}{note}"
    return DliFailException(
        f"scratch_conn_id: project {scratch.project_id} has jobs of the same names already: {listed}",
        advice="Delete them, or give the connection of a project that nobody works in. A key without "
        "dli:jobs:listAll does not see those of other users.",
    )


def _staging(options: DrillParameters, run: Run | None) -> ObsLocation | None:
    """Return a directory of this run's own for the copies of archives."""
    digest = sha256(str(run).encode()).hexdigest()[:_STAGING_DIGITS]
    return options.staging_dir.below(digest) if options.staging_dir else None


def _compared(
    jobs: Sequence[Job],
    kept: Mapping[int, FlinkJob],
    imported: ImportOutcome,
    before: Collection[int],
    scratch: DliHook,
    log: Logger,
) -> Iterator[DrilledJob]:
    """Yield what differs between each job of the backup and the restored one."""
    restored = {job.job_id: job for job in each_with_settings(scratch) if job.job_id not in before}
    ids = {job.name: job_id for job_id, job in restored.items()}
    outcome = {each.old_job_id: each for each in imported.jobs}
    for job in jobs:
        mapped = outcome.get(job.job_id)
        # The new id of a job that a request without response has imported is not known.
        new_id = ids.get(job.name) if mapped is None or mapped.recovered else mapped.new_job_id
        found, source = restored.get(new_id or 0), kept.get(job.job_id)
        if found and source is None:
            problem = (
                None
                if settings_digest(found) == job.digest
                else "its settings differ; the backup has not kept them"
            )
        else:
            differing = differences(source, found) if source and found else ()
            problem = JobComparison(job.job_id, new_id if found else None, job.name, differing).problem
        if problem and found and job.is_changed:
            # Neither a failure nor a proof: the archive and the kept settings may be of two moments.
            log.warning(
                "Job %d %s was changed while it was backed up, and differs: %s", job.job_id, job.name, problem
            )
            continue
        yield DrilledJob(job.job_id, job.name, problem)


@contextmanager
def _clearing_up(setting: _Setting, jobs: Sequence[Job]) -> Iterator[_Restored]:
    """Delete what is created meanwhile in the scratch project, whatever happens.

    :raises DliFailException: if it has jobs of the same names
    """
    catalogue, scratch, log = setting.catalogue, setting.scratch, setting.log
    before, names = {job.job_id: job.name for job in scratch.list_flink_jobs()}, {job.name for job in jobs}
    if conflicts := sorted(names & {*before.values()}):
        raise _conflict(scratch, conflicts)
    marker = _Marker(
        drill=setting.run, scratch_project=scratch.project_id, before=tuple(before), names=tuple(names)
    )
    place = catalogue.record(setting.backup, "reading", marker.model_dump())
    restored = _Restored(frozenset(before), frozenset(names))
    try:
        yield restored
    except BaseException:
        try:
            _delete(setting.options, scratch, restored, setting.run, log)
            _forget(catalogue, place)
        except DliException as error:
            log.warning(
                "Not everything was deleted that the drill has made in project %s, jobs named %s; the next "
                "attempt does it: %s",
                *(scratch.project_id, format_ids(sorted(restored.names)), error),
            )
        raise
    _delete(setting.options, scratch, restored, setting.run, log)
    _forget(catalogue, place)


def _forget(catalogue: Catalogue, marker: ObsLocation) -> None:
    """Delete a marker; one that stays, where the key may not delete, is over after a day."""
    with suppress(DliException):
        catalogue.obs.delete(marker)


def _delete(options: DrillParameters, scratch: DliHook, restored: _Restored, run: Run | None, log: Logger) -> None:
    """Delete restored jobs and copies of archives; the jobs by their names while their ids are not known."""
    if restored.created is None:
        jobs = scratch.list_flink_jobs()
        restored.find({job.job_id: job.name for job in jobs if job.job_id not in restored.before})
    if restored.others:
        log.warning(
            "New in project %s since before the import, under no name of the backup, and not deleted: %s. Delete "
            "them if nobody else has created them.",
            *(scratch.project_id, format_jobs(restored.others)),
        )
    delete_created(scratch, restored.created or {}, {}, log)
    if directory := _staging(options, run):
        obs = ObsHook(scratch.dli_conn_id)
        for key in obs.list_keys(directory):
            obs.delete(ObsLocation(directory.bucket, key))


def _clear_up_after_earlier_attempt(
    options: DrillParameters,
    catalogue: Catalogue,
    backups: Sequence[Backup],
    scratch: DliHook,
    run: Run | None,
    log: Logger,
) -> None:
    """Delete what an attempt of this run that was killed has left."""
    if run is None:
        return
    for backup in backups:
        for record in backup.of_kind("reading"):
            content = catalogue.read_record(backup, record)
            if content.get("drill") != run.model_dump():
                continue
            try:
                marker = _Marker.model_validate(content)
            except ValidationError:
                marker = None
            if marker and marker.scratch_project == scratch.project_id:
                log.info(
                    "An earlier attempt was restoring jobs from %s: deleting what it has left.", backup.place.url
                )
                _delete(options, scratch, _Restored(frozenset(marker.before), frozenset(marker.names)), run, log)
            _forget(catalogue, backup.place.below(RECORDS).below(record.name))


def _log_outcome(outcome: Outcome, log: Logger) -> None:
    failed = outcome.failed
    log.info(
        "The drill restored %s of %s in %s, and found them equal to their sources.",
        *(
            f"{len(outcome.jobs) - len(failed):,}",
            pluralize(len(outcome.jobs), "job"),
            format_duration(outcome.seconds),
        ),
    )
    if failed:
        log_table(log, ("job", "name", "problem"), [(each.job_id, each.name, each.problem) for each in failed])


def write_report(
    options: DrillParameters,
    catalogue: Catalogue,
    scratch: DliHook,
    outcome: Outcome,
    run_id: str | None,
    log: Logger,
) -> str | None:
    """Write the HTML report to OBS and return its place; None if none was required.

    :raises DliException: if it cannot be written; jobs that differ come first
    """
    if options.report_dir is None:
        return None
    jobs = sorted(outcome.jobs, key=lambda each: each.problem is None)
    bad = frozenset(range(len(outcome.failed)))
    rows = [(each.job_id, each.name, each.problem or "equal") for each in jobs]
    facts = {
        "Backup": outcome.backup.place.url,
        "Into project": scratch.project_id,
        "Run": run_id,
        "Time to restore": format_duration(outcome.seconds),
        "Jobs still to be drilled": outcome.remaining,
    }
    data = {"value": len(jobs), "good": not bad, **outcome.as_dict()}
    tables = [Table("Jobs", ("Id", "Name", "Result"), rows, bad)]
    page = Page("Restore drill of backed up Flink jobs", not bad, _verdict(outcome), facts, tables, data)
    try:
        return write_page(catalogue.obs, options.report_dir, "drill", page, log)
    except DliException as error:
        raise_for_failures(outcome, f"The report was not written: {error}")
        raise


def _verdict(outcome: Outcome) -> str:
    jobs = pluralize(len(outcome.jobs), "job")
    if failed := len(outcome.failed):
        return f"{failed:,} of {jobs} could not be restored as they were."
    return f"All {jobs} restored and equal."


def raise_for_failures(outcome: Outcome, note: str = "") -> None:
    """Raise unless every job was restored as it was.

    :param note: a further sentence of the message
    :raises DliFailException: naming each job and what differs
    """
    if not outcome.failed:
        return
    listed = format_ids([f"job {each.job_id} {each.name}: {each.problem}" for each in outcome.failed], " | ")
    raise DliFailException(
        f"{_verdict(outcome)[:-1]} from {outcome.backup.place.url}: {listed}.{note and f' {note}'}",
        advice="Do not rely on this backup for these jobs: keep it as evidence, and back them up again.",
    )
