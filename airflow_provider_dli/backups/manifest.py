"""The documents of a catalogue: the manifest of a backup, its jobs, and the records of what happened since.

Their schema is documented in ``docs/backups.md``. A later version may add fields, which this one ignores; what it
cannot read it names and leaves alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationInfo

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
JOBS = "jobs.jsonl.gz"
#: the jobs as they were listed before the export, for a later attempt: its own list could be newer than an archive
LISTED = "listed.jsonl.gz"
SETTINGS = "settings.jsonl.gz"
EXPIRED = "expired.json"
ARCHIVES = "archives"
RECORDS = "records"

#: what a record is about. ``verification`` and ``drill`` passed or failed; ``copy`` is a copy of this backup in
#: another catalogue; while there is a ``hold``, or a ``reading`` that is not over, the backup is not deleted;
#: ``expiring`` is an expiry that has begun
RecordKind = Literal["verification", "drill", "copy", "hold", "reading", "expiring"]
Outcome = Literal["passed", "failed", "none"]
Level = Literal["exists", "directory", "full"]
#: from the least to the most that a verification reads
LEVELS: tuple[Level, ...] = ("exists", "directory", "full")

#: of backups and records: UTC by the store's clock, then a random part that keeps two of one second apart
STAMP = "%Y%m%dT%H%M%SZ"
_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
_RECORD = re.compile(
    r"(?P<kind>verification|drill|copy|hold|reading|expiring)-(?P<time>[0-9]{8}T[0-9]{6}Z)"
    r"-(?P<outcome>passed|failed|none)-[0-9a-f]{8}\.json"
)
#: a string from outside; half a character, which no JSON can have, becomes a question mark
Text = Annotated[str, AfterValidator(lambda text: text.encode("utf-8", "replace").decode())]


def _shared(ids: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
    """Return what is equal as one object: the manifests of hundreds of nights have nearly the same ids."""
    known = info.context
    if not isinstance(known, dict):
        return ids
    if ids not in known:
        known[ids] = tuple(known.setdefault(each, each) for each in ids)
    shared: tuple[int, ...] = known[ids]
    return shared


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _archive_name(name: str) -> str:
    """Return the name of an archive; whoever may write a manifest must not make readers leave its directory."""
    first, *others = name.split("/")
    if first != ARCHIVES or not others or not {"", ".", ".."}.isdisjoint(others) or min(name) < " ":
        raise ValueError(f"it is not below {ARCHIVES}/")
    return name


ArchiveName = Annotated[str, AfterValidator(_archive_name)]


class Document(BaseModel):
    """Base of the documents: immutable, and lenient towards fields of later versions."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Run(Document):
    """The task instance that made something; None for what was not made by a task.

    :param dag_id: of its DAG
    :param run_id: of the run
    :param task_id: of the task
    :param map_index: of a mapped task, else -1
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1

    @classmethod
    def of(cls, context: Mapping[str, Any]) -> Run | None:
        """Return that of the context of a task; None without a task instance, as in a bare call of ``execute``."""
        names = {name: getattr(context.get("ti"), name, None) for name in cls.model_fields}
        known = {name: value for name, value in names.items() if value is not None}
        return cls.model_validate(known) if {"dag_id", "run_id", "task_id"} <= known.keys() else None


class Content(Document):
    """One of the files of a backup that list its jobs.

    :param count: lines, each one job as JSON
    :param size: bytes, compressed
    :param sha256: of the compressed bytes
    :param etag: as OBS has it, without quotes
    """

    count: int
    size: int
    sha256: Sha256
    etag: str


class Archive(Document):
    """An archive of a backup, as it was verified.

    :param name: relative to the directory of the backup
    :param size: bytes
    :param etag: as OBS has it, without quotes
    :param version_id: in a bucket with versions
    :param last_modified: as OBS has it
    :param sha256: of the bytes; None if the level of verification does not read them
    :param entries: how many files are in it; None if it was not read
    :param job_ids: that were requested for this archive; None where all jobs were requested
    """

    name: ArchiveName
    size: int
    etag: str
    version_id: str | None = None
    last_modified: str | None = None
    sha256: Sha256 | None = None
    entries: int | None = None
    job_ids: Annotated[tuple[int, ...], AfterValidator(_shared)] | None = None


class Verification(Document):
    """A verification of all archives of a backup.

    :param level: how much of each archive was read
    :param verified_at: when it ended, by the store's clock
    :param passed: whether all archives are intact
    :param findings: what was found, each as one line
    :param bytes_read: of the archives
    """

    level: Level
    verified_at: AwareDatetime
    passed: bool
    findings: tuple[Text, ...] = ()
    bytes_read: int = 0


class Manifest(Document):
    """A backup: written once, after everything in it was verified, and never changed.

    :param schema_version: 1
    :param backup_id: name of its directory
    :param project_id: of the jobs
    :param started_at: before the first request, by the store's clock
    :param exported_at: after the last archive was exported: the jobs are those of some moment between the two
    :param completed_at: when this was written
    :param is_all_jobs: whether it has all jobs that the key could see
    :param selection: in words, which jobs were to be backed up
    :param bases: ids of the backups that have the selected jobs which had not changed since, and are not in this
        one
    :param not_included: ids of jobs that the key could see after the export and not before, or that changed
        meanwhile and would have been omitted
    :param region: of the project
    :param connection_id: that it was made with
    :param run: of the task that made it
    :param provider_version: that made it
    :param jobs: what there is in ``jobs.jsonl.gz``
    :param settings: what there is in ``settings.jsonl.gz``: of all jobs that were listed before the export; None
        if they are not kept
    :param archives: one or more for each batch
    :param verification: of all of them
    :param copied_from: ``bucket/directory`` of the backup that this is a copy of
    """

    schema_version: int = SCHEMA_VERSION
    backup_id: str
    project_id: str
    region: str
    connection_id: str
    run: Run | None = None
    provider_version: str
    started_at: AwareDatetime
    exported_at: AwareDatetime
    completed_at: AwareDatetime
    is_all_jobs: bool
    selection: Text
    bases: tuple[str, ...] = ()
    not_included: tuple[int, ...] = ()
    jobs: Content
    settings: Content | None = None
    archives: tuple[Archive, ...]
    verification: Verification
    copied_from: str | None = None

    @property
    def size(self) -> int:
        """Bytes of all archives."""
        return sum(archive.size for archive in self.archives)

    @property
    def contents(self) -> dict[str, Content]:
        """The files that list its jobs and their settings, by name."""
        return {JOBS: self.jobs} | ({SETTINGS: self.settings} if self.settings else {})


class Job(Document):
    """A job of a backup: one line of ``jobs.jsonl.gz``.

    :param job_id: as DLI has it
    :param name: likewise, as the next two
    :param job_type: such as ``flink_jar_job``
    :param status: before the export
    :param digest: of its settings, see :func:`~airflow_provider_dli.client.flink.settings.settings_digest`
    :param update_time: epoch milliseconds, as DLI has it
    :param in_archive: True if it was found in an archive; False if it was not, and others were: the backup does
        not have it; None where that is not known: archives were not read, their layout is not known, or the job
        was updated during the export and may be in it as it was for a moment
    :param is_changed: whether its settings were others after the export: the archive may have either, and digest
        and kept settings are those before
    """

    job_id: int
    name: Text
    job_type: Text
    status: Text
    update_time: int | None = None
    digest: str
    in_archive: bool | None = None
    is_changed: bool = False


class JobSettings(Document):
    """All settings of a job: one line of ``settings.jsonl.gz``. They may contain secrets.

    :param job_id: as DLI has it
    :param detail: the job as DLI shows it
    """

    job_id: int
    detail: dict[str, Any]


class Expired(Document):
    """What is left of a backup that was deleted.

    :param schema_version: 1
    :param backup_id: name of its directory
    :param project_id: of its jobs
    :param exported_at: as in its manifest
    :param expired_at: when it was deleted
    :param policy: in words, what it was deleted by
    :param run: of the task that deleted it
    :param archives: how many there were
    :param size: bytes of them
    """

    schema_version: int = SCHEMA_VERSION
    backup_id: str
    project_id: str
    exported_at: AwareDatetime
    expired_at: AwareDatetime
    policy: str
    run: Run | None = None
    archives: int
    size: int


class RecordName(Document):
    """What the name of a record shows of it, so that a listing is enough to know the state of a backup."""

    kind: RecordKind
    at: AwareDatetime
    outcome: Outcome
    name: str


def is_backup_id(name: str) -> bool:
    """Return whether a directory is named as that of a backup."""
    return began_at(name) is not None


def began_at(backup_id: str) -> datetime | None:
    """Return when a backup began, which its id shows; None if it is not an id."""
    return _moment(backup_id.partition("-")[0]) if _ID.fullmatch(backup_id) else None


def parse_record(name: str) -> RecordName | None:
    """Return what the name of a record shows; None if it is not one."""
    match = _RECORD.fullmatch(name)
    at = _moment(match["time"]) if match else None
    if match is None or at is None:
        return None
    return RecordName.model_validate({"kind": match["kind"], "at": at, "outcome": match["outcome"], "name": name})


def rows_of(record: Mapping[str, Any], name: str) -> list[Any]:
    """Return a list in a record; empty if there is none of that name, for others may have written it."""
    value = record.get(name)
    return value if isinstance(value, list) else []


def drilled_jobs(record: Mapping[str, Any]) -> dict[int, bool]:
    """Return the ids of the jobs in the record of a drill, and whether each was equal to its source."""
    rows = [row for row in rows_of(record, "jobs") if isinstance(row, dict) and type(row.get("job_id")) is int]
    return {row["job_id"]: row.get("equal") is True for row in rows}


def equal_jobs(record: Mapping[str, Any]) -> set[int]:
    """Return the ids of those that were equal."""
    return {job_id for job_id, is_equal in drilled_jobs(record).items() if is_equal}


def _moment(stamp: str) -> datetime | None:
    try:
        return datetime.strptime(f"{stamp}+0000", f"{STAMP}%z")
    except ValueError:  # anybody may have named it: the 32nd, or the year 0
        return None
