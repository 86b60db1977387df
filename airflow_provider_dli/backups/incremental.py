"""Incremental backups: which jobs one omits, since a backup of the catalogue has them as they are now.

Each job is compared with its own youngest usable backup, whatever selection that backup was of: one that no usable
backup has is never omitted. No clock is compared with that of DLI: what counts is that name, settings and
``update_time`` are those that DLI showed before the export.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from airflow_provider_dli.backups.coverage import is_ahead, read_drills
from airflow_provider_dli.backups.state import Backup, usable
from airflow_provider_dli.exceptions import DliFailException

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_dli.backups.catalogue import Catalogue
    from airflow_provider_dli.backups.manifest import Job, Level


def youngest_copies(
    catalogue: Catalogue, project_id: str, job_ids: Iterable[int], level: Level, log: Logger
) -> dict[int, tuple[Job, Backup]]:
    """Return jobs as their youngest usable backups have them, each with its backup.

    Without those that a restore drill of that backup has not restored as they were. A backup whose lists are not
    what was written is omitted, as by a restore, with a warning.

    :param level: that a backup must have been verified at
    :raises DliException: if the service refuses, or does not respond
    """
    now, missing = catalogue.now(), set(job_ids)
    found: dict[int, tuple[Job, Backup]] = {}
    for backup in usable(catalogue.backups(project_id), level=level):
        if not missing:
            break
        if is_ahead(backup, now):
            continue
        try:
            jobs = list(catalogue.jobs(backup, missing))
            why = catalogue.why_unlisted(backup) if jobs else None
        except DliFailException as failure:
            if failure.error:
                raise
            jobs, why = [], failure.problem
        if why:
            log.warning("No job is compared with backup %s, which is damaged: %s", backup.backup_id, why)
            continue
        found |= {job.job_id: (job, backup) for job in jobs}
        missing -= found.keys()
    backups = {backup.backup_id: backup for _, backup in found.values()}
    failed = read_drills(catalogue, backups.values(), found, (), now).failed
    return {job_id: copy for job_id, copy in found.items() if job_id not in failed}


def unchanged_jobs(jobs: Iterable[Job], copies: Mapping[int, tuple[Job, Backup]]) -> dict[int, Backup]:
    """Return the ids of the jobs that a backup has as they are now, each with that backup.

    :param jobs: as DLI shows them now
    :param copies: those of :func:`youngest_copies`
    """
    return {
        job.job_id: copies[job.job_id][1]
        for job in jobs
        if job.job_id in copies and _is_unchanged(job, copies[job.job_id][0])
    }


def _is_unchanged(job: Job, kept: Job) -> bool:
    """Return whether a backup has a job as it is.

    A job that was changed and changed back was updated since: rather one too many than one too few.
    """
    same = (job.name, job.digest, job.update_time) == (kept.name, kept.digest, kept.update_time)
    return same and not kept.is_changed
