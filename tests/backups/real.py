"""Backups of the emulator's jobs, whose archives can be imported, at any time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from airflow_provider_dli import __version__
from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.diff import row_of
from airflow_provider_dli.backups.manifest import JOBS, SETTINGS, Archive, JobSettings, Manifest, Verification
from airflow_provider_dli.backups.state import Backup
from airflow_provider_dli.client.locations import parse_archive
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.services.selection import list_with_settings
from airflow_provider_dli.services.verify import VerifyOptions, verify_archives

_log = logging.getLogger(__name__)


def back_up(
    catalogue: Catalogue,
    at: datetime,
    *,
    conn_id: str = "dli_default",
    batches: Sequence[Sequence[int]] = (),
    with_settings: bool = True,
    changed: Sequence[int] = (),
    absent: Sequence[int] = (),
    meanwhile: Callable[[], object] = bool,
) -> Backup:
    """Export jobs as they are now into a backup that was complete at some time; return it.

    :param changed: ids of jobs that were changed meanwhile
    :param absent: ids of jobs that are noted as in no archive
    :param meanwhile: what happens between the list and the export
    :param batches: ids of the jobs of each archive; all jobs in one, without their ids in the manifest, if empty
    """
    hook = DliHook(conn_id)
    place = catalogue.place(hook.project_id, catalogue.new_id(at))
    wanted = {job_id for batch in batches for job_id in batch}
    listed = list_with_settings(hook)
    jobs = [job for job in listed if not wanted or job.job_id in wanted]
    meanwhile()
    exported = {}
    for number, batch in enumerate(batches or [None], 1):
        directory = place.below("archives").batch(number)
        (entry,) = hook.export_flink_jobs(str(directory), batch).zip_file
        exported[parse_archive("zip_file", entry)] = tuple(batch) if batch else None
    archives = []
    for report in verify_archives(catalogue.obs, list(exported), VerifyOptions(), _log):
        assert report.verified
        assert report.facts
        assert report.report
        archives.append(
            Archive(
                name=report.place.key.removeprefix(f"{place.key}/"),
                size=report.facts.size,
                etag=report.facts.etag,
                sha256=report.report.sha256,
                entries=len(report.report.entries),
                job_ids=exported[report.place],
            )
        )
    rows = [
        row_of(job).model_copy(
            update={"is_changed": job.job_id in changed, "in_archive": job.job_id not in absent}
        )
        for job in jobs
    ]
    details = [JobSettings(job_id=job.job_id, detail=dict(job.raw)) for job in jobs]
    manifest = Manifest(
        backup_id=place.key.rpartition("/")[2],
        project_id=hook.project_id,
        region=hook.account.region,
        connection_id=conn_id,
        provider_version=__version__,
        started_at=at - timedelta(seconds=30),
        exported_at=at,
        completed_at=at + timedelta(seconds=30),
        is_all_jobs=len(jobs) == len(listed),
        selection="all jobs" if len(jobs) == len(listed) else "jobs by id",
        jobs=catalogue.write_content(place, JOBS, rows),
        settings=catalogue.write_content(place, SETTINGS, details) if with_settings else None,
        archives=tuple(archives),
        verification=Verification(level="full", verified_at=at + timedelta(seconds=20), passed=True),
    )
    catalogue.write_manifest(manifest)
    found = catalogue.backup(manifest.project_id, manifest.backup_id)
    assert found
    return found
