"""Backups for tests: real archives in a real store, with manifests, at any time."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from airflow_provider_dli import __version__
from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.manifest import (
    JOBS,
    MANIFEST,
    SETTINGS,
    Archive,
    Job,
    JobSettings,
    Manifest,
    Run,
    Verification,
)
from airflow_provider_dli.backups.state import Backup
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.hooks.obs import ObsHook
from dli_emulator import Emulator
from tests.zipped import zipped

PROJECT = "48cc2c48765f481480c7db940d6409d1"


def catalogue_of(emulator: Emulator, directory: str = "flink-backups") -> Catalogue:
    """Return a catalogue in the bucket of the emulator."""
    return Catalogue(ObsHook(), ObsLocation(emulator.bucket, directory))


def make_backup(  # noqa: PLR0913 -- whatever a test varies
    catalogue: Catalogue,
    at: datetime,
    jobs: Sequence[int] | Mapping[int, str] = (100, 101),
    *,
    project_id: str = PROJECT,
    passed: bool = True,
    level: str = "full",
    batch: int = 100,
    with_settings: bool = True,
    changed: Collection[int] = (),
    in_archive: bool | Mapping[int, bool | None] | None = True,
    data: bytes | None = None,
    is_all_jobs: bool = True,
    bases: Sequence[str] = (),
) -> Backup:
    """Write a backup that was exported at some time; return it.

    :param jobs: ids, or the digest of each
    :param batch: jobs in each archive
    :param changed: jobs that were changed while they were backed up
    :param in_archive: of all jobs, or of some and True for the others
    :param passed: of the verification in its manifest
    :param data: of each archive; one that has the jobs by default
    """
    digests = dict(jobs) if isinstance(jobs, Mapping) else {job: f"digest-{job}" for job in jobs}
    backup_id = catalogue.new_id(at)
    place = catalogue.place(project_id, backup_id)
    archives = []
    ids = sorted(digests)
    for number, start in enumerate(range(0, len(ids), batch), 1):
        inside = ids[start : start + batch]
        content = data or zipped(
            {f"{job}.json": json.dumps({"job_id": job, "name": f"job_{job}"}) for job in inside}
        )
        name = f"archives/batch-{number:04d}/aggregate_{number}.zip"
        catalogue.obs.put(place.below(name), content, "application/zip")
        facts = catalogue.obs.find(place.below(name))
        assert facts
        archives.append(
            Archive(
                name=name,
                size=facts.size,
                etag=facts.etag,
                last_modified=facts.last_modified,
                sha256=sha256(content).hexdigest() if level == "full" else None,
                entries=len(inside),
                job_ids=tuple(inside),
            )
        )
    rows = [
        Job(
            job_id=job,
            name=f"job_{job}",
            job_type="flink_jar_job",
            status="job_init",
            digest=digest,
            in_archive=in_archive.get(job, True) if isinstance(in_archive, Mapping) else in_archive,
            is_changed=job in changed,
        )
        for job, digest in digests.items()
    ]
    details = [
        JobSettings(job_id=job, detail={"job_id": job, "name": f"job_{job}", "job_config": {"cu_number": job}})
        for job in digests
    ]
    manifest = Manifest(
        backup_id=backup_id,
        project_id=project_id,
        region="cn-north-4",
        connection_id="dli_default",
        run=Run(dag_id="nightly", run_id=f"manual__{at.isoformat()}", task_id="backup"),
        provider_version=__version__,
        started_at=at - timedelta(seconds=30),
        exported_at=at,
        completed_at=at + timedelta(seconds=30),
        is_all_jobs=is_all_jobs,
        selection="all jobs" if is_all_jobs else "some jobs",
        bases=tuple(bases),
        jobs=catalogue.write_content(place, JOBS, rows),
        settings=catalogue.write_content(place, SETTINGS, details) if with_settings else None,
        archives=tuple(archives),
        verification=Verification.model_validate(
            {"level": level, "verified_at": at + timedelta(seconds=20), "passed": passed}
        ),
    )
    catalogue.write_manifest(manifest)
    found = catalogue.backup(project_id, backup_id)
    assert found
    return found


def rot(catalogue: Catalogue, backup: Backup, name: str) -> None:
    """Change the bytes of the jobs or settings of a backup as a store does that loses them: no ETag shows it."""
    place, document = backup.place.below(name), backup.place.below(MANIFEST)
    catalogue.obs.put(place, b"x" * backup.objects[name].size, "application/gzip")
    manifest = json.loads(catalogue.obs.read(document, 1 << 24) or b"")
    manifest[name.partition(".")[0]]["etag"] = catalogue.etag_of(place)
    catalogue.obs.put(document, json.dumps(manifest).encode(), "application/json")
