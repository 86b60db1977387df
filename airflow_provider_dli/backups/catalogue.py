"""The catalogue: a directory in OBS with one directory for each backup, below one for each project.

::

    <catalogue>/<project id>/<backup id>/archives/…zip       as the export wrote them
                                        /jobs.jsonl.gz       one line for each job
                                        /settings.jsonl.gz   all settings of each job
                                        /manifest.json       written last: before it there is no backup
                                        /records/…json       what happened since, one small object each
                                        /expired.json        what is left of a backup that was deleted

Nothing is ever rewritten, so that any number of tasks may work on a catalogue. One listing shows the state of all
backups: the names of records have what matters of them, and sizes and ETags are compared with the manifests.
OBS shows a written object to every later request, on which the order of these objects rests.
"""

from __future__ import annotations

import gzip
import json
import re
import secrets
import zlib
from collections.abc import Container, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from airflow_provider_dli.backups.manifest import (
    EXPIRED,
    JOBS,
    MANIFEST,
    RECORDS,
    SCHEMA_VERSION,
    SETTINGS,
    STAMP,
    Content,
    Expired,
    Job,
    JobSettings,
    Manifest,
    Outcome,
    RecordKind,
    RecordName,
    drilled_jobs,
    is_backup_id,
    parse_record,
)
from airflow_provider_dli.backups.state import Backup
from airflow_provider_dli.client.errors import PermissionDeniedError
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.exceptions import DliException, DliFailException

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_dli.client.obs.objects import Entry
    from airflow_provider_dli.hooks.obs import ObsHook

Line = TypeVar("Line", bound=BaseModel)

#: bytes: nothing larger is read into memory as a document
MAX_DOCUMENT = 64 * 1024 * 1024
#: how the line of a job begins, as this provider writes it
_JOB_ID = re.compile(r'\{"job_id": ?([0-9]{1,19}),')
_MAX_LINE = 32 * 1024 * 1024
_READERS = 8
_JSON = "application/json"
GZIP = "application/gzip"


class AllBut:
    """All ids of jobs but some, to read only the lines of other jobs."""

    def __init__(self, known: Container[int]) -> None:
        self._known = known

    def __contains__(self, job_id: object) -> bool:
        return job_id not in self._known


@dataclass(slots=True)
class Catalogue:
    """A catalogue of backups.

    :param obs: hook whose key may list, read and write its directory
    :param root: ``bucket`` or ``bucket/directory``
    """

    obs: ObsHook
    root: ObsLocation
    #: manifests never change: by place and ETag, so that a catalogue that is read again reads only what is new
    _manifests: dict[tuple[ObsLocation, str], Manifest] = field(default_factory=dict)
    #: ids of jobs that they have, each kept once
    _ids: dict[Any, Any] = field(default_factory=dict)

    def now(self) -> datetime:
        """Return the time by the store's clock, in whole seconds."""
        if self.obs.clock_offset is None:
            self.obs.has_objects(self.root)
        return datetime.fromtimestamp(int(self.obs.service_time()), UTC)

    def place(self, project_id: str, backup_id: str) -> ObsLocation:
        """Return the directory of a backup."""
        return self.root.below(project_id).below(backup_id)

    def new_id(self, at: datetime) -> str:
        """Return an id for a backup that begins now; ids sort by time.

        :param at: by the store's clock
        """
        return f"{at.astimezone(UTC):{STAMP}}-{secrets.token_hex(4)}"

    # Reading.

    def backups(self, project_id: str | None = None) -> list[Backup]:
        """Return all backups, whatever their state, oldest first; by one listing and one request a new manifest.

        :param project_id: only those of this project
        :raises DliException: if the catalogue cannot be listed or read
        """
        found = self._listed(project_id)
        with ThreadPoolExecutor(_READERS, "catalogue") as pool:
            read = list(pool.map(self._backup, *zip(*found, strict=True), found.values())) if found else []
        return sorted(read, key=lambda each: (each.backup_id, each.project_id))

    def newest_first(self, project_id: str) -> Iterator[Backup]:
        """Yield the backups of a project, the one that was begun last first, and read no more than are wanted.

        :raises DliException: as :meth:`backups`
        """
        found = self._listed(project_id)
        for project, backup_id in sorted(found, reverse=True):
            yield self._backup(project, backup_id, found[project, backup_id])

    def _listed(self, project_id: str | None) -> dict[tuple[str, str], dict[str, Entry]]:
        """Return the objects of each backup, by their names in it."""
        directory = self.root.below(project_id) if project_id else self.root
        found: dict[tuple[str, str], dict[str, Entry]] = {}
        above = len(self.root.key) + 1 if self.root.key else 0
        for entry in self.obs.list_tree(directory):
            project, _, rest = entry.key[above:].partition("/")
            backup_id, _, name = rest.partition("/")
            if name and is_backup_id(backup_id):
                found.setdefault((project, backup_id), {})[name] = entry
        return found

    def backup(self, project_id: str, backup_id: str) -> Backup | None:
        """Return one backup, as it is now; None if there is no such directory."""
        place = self.place(project_id, backup_id)
        objects = {entry.key[len(place.key) + 1 :]: entry for entry in self.obs.list_tree(place)}
        objects.pop("", None)
        return self._backup(project_id, backup_id, objects) if objects else None

    def _backup(self, project_id: str, backup_id: str, objects: dict[str, Entry]) -> Backup:
        place, manifest, problem = self.place(project_id, backup_id), None, None
        if MANIFEST in objects and EXPIRED not in objects:
            try:
                manifest = self._manifest(place, objects[MANIFEST])
            except (ValueError, RecursionError) as error:
                problem = _first_line(error)
        if manifest and (manifest.project_id, manifest.backup_id) != (project_id, backup_id):
            problem = f"it is that of {manifest.project_id}/{manifest.backup_id}, copied by hand"
            manifest = None
        names = [name.partition(f"{RECORDS}/")[2] for name in objects if name.startswith(f"{RECORDS}/")]
        records = sorted(filter(None, map(parse_record, names)), key=_order)
        return Backup(place, project_id, backup_id, manifest, problem, objects, tuple(records))

    def _manifest(self, place: ObsLocation, entry: Entry) -> Manifest | None:
        if known := self._manifests.get((place, entry.etag)):
            return known
        if entry.size > MAX_DOCUMENT:
            raise ValueError(f"it has {entry.size:,} bytes, which is too large for a manifest")
        data = self.obs.read(place.below(MANIFEST), MAX_DOCUMENT)
        if data is None:
            return None
        document = json.loads(data)
        version = document.get("schema_version") if isinstance(document, dict) else None
        if version != SCHEMA_VERSION:
            raise ValueError(f"schema_version is {version!r}, and this provider reads {SCHEMA_VERSION}")
        manifest = Manifest.model_validate(document, context=self._ids)
        self._manifests[place, entry.etag] = manifest
        return manifest

    def jobs(self, backup: Backup, wanted: Container[int] | None = None) -> Iterator[Job]:
        """Yield the jobs that a backup has: those that it lists and that are not known to be in no archive of it.

        :param wanted: as of :meth:`listed_jobs`
        :raises DliException: likewise
        """
        yield from (job for job in self.listed_jobs(backup, wanted) if job.in_archive is not False)

    def listed_jobs(self, backup: Backup, wanted: Container[int] | None = None) -> Iterator[Job]:
        """Yield the jobs that a backup lists.

        :param wanted: ids of those that are yielded; all if None
        :raises DliException: if they cannot be read, or are not those of the manifest
        """
        if backup.manifest:
            found = self.lines(backup, JOBS, backup.manifest.jobs, Job, wanted)
            yield from (job for job in found if wanted is None or job.job_id in wanted)

    def settings(self, backup: Backup) -> Iterator[JobSettings]:
        """Yield the settings of the jobs of a backup; none if they were not kept.

        :raises DliException: if they cannot be read, or are not those of the manifest
        """
        if backup.manifest and backup.manifest.settings:
            yield from self.lines(backup, SETTINGS, backup.manifest.settings, JobSettings)

    def lines(
        self,
        backup: Backup,
        name: str,
        content: Content,
        kind: type[Line],
        wanted: Container[int] | None = None,
    ) -> Iterator[Line]:
        """Yield the lines of a file of a backup.

        :param wanted: ids of jobs; others may be omitted
        :raises DliException: if they cannot be read, or are not those that were written
        """
        place = backup.place.below(name)
        data, count = self.read_content(backup, name, content), 0
        try:
            with gzip.open(BytesIO(data), "rt", encoding="utf-8") as lines:
                while line := lines.readline(_MAX_LINE):
                    count += 1
                    # Of hundreds of lists one job each may be wanted: only its line is worth parsing.
                    found = _JOB_ID.match(line) if wanted is not None else None
                    if wanted is None or not found or int(found[1]) in wanted:
                        # Not pydantic's own reader of JSON: it refuses half a character, which a setting may have.
                        yield kind.model_validate(json.loads(line))
        except (ValueError, OSError, EOFError, RecursionError, zlib.error) as error:
            raise DliFailException(
                f"{place.url} cannot be read: {_first_line(error)}", advice="Restore from another backup."
            ) from None
        if count != content.count:
            problem = f"{place.url} cannot be read: it has {count:,} lines, and the manifest {content.count:,}"
            raise DliFailException(problem, advice="Restore from another backup.")

    def why_unlisted(self, backup: Backup) -> str | None:
        """Return why the jobs or the settings of a backup cannot be read; None if they can.

        :raises DliException: if the service refuses, or does not respond
        """
        contents = backup.manifest.contents if backup.manifest else {}
        try:
            for name, content in contents.items():
                self.read_content(backup, name, content)
        except DliFailException as failure:
            if failure.error:
                raise
            return failure.problem
        return None

    def read_content(self, backup: Backup, name: str, content: Content) -> bytes:
        """Return the jobs or the settings of a backup as they were written, compressed.

        :param name: ``jobs.jsonl.gz`` or ``settings.jsonl.gz``
        :param content: what the manifest has of them
        :raises DliException: if they cannot be read, or are not those of the manifest
        """
        place, entry = backup.place.below(name), backup.objects.get(name)
        if entry and entry.size > MAX_DOCUMENT:
            raise DliFailException(
                f"{place.url} has {entry.size:,} bytes, which is too large for a list of jobs",
                advice="Restore from another backup.",
            )
        data = self.obs.read(place, MAX_DOCUMENT)
        if data is None:
            raise DliFailException(f"{place.url} no longer exists", advice="Restore from another backup.")
        if sha256(data).hexdigest() != content.sha256:
            raise DliFailException(
                f"{place.url} is not what was written: its SHA-256 differs from the manifest's",
                advice="Do not rely on this backup.",
            )
        return data

    def read_record(self, backup: Backup, record: RecordName) -> dict[str, Any]:
        """Return what a record has; empty if it was deleted since, or cannot be read."""
        entry = backup.objects.get(f"{RECORDS}/{record.name}")
        if entry and entry.size > MAX_DOCUMENT:
            return {}
        data = self.obs.read(backup.place.below(RECORDS).below(record.name), MAX_DOCUMENT)
        try:
            document = json.loads(data) if data else None
        except (ValueError, RecursionError):
            return {}
        return document if isinstance(document, dict) else {}

    def drill_results(self, backup: Backup) -> dict[int, bool]:
        """Return, of each job that was drilled from this backup, whether it was equal the last time."""
        found: dict[int, bool] = {}
        for record in backup.of_kind("drill"):
            found |= drilled_jobs(self.read_record(backup, record))
        return found

    # Writing.

    def write_content(self, place: ObsLocation, name: str, lines: Iterable[BaseModel]) -> Content:
        """Write the jobs or the settings of a backup that is being made; return what its manifest has of them.

        :param place: directory of the backup
        :param name: such as ``jobs.jsonl.gz``
        """
        buffer, count = BytesIO(), 0
        with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=6, mtime=0) as file:
            for line in lines:
                file.write(_encoded(line.model_dump(exclude_none=True)) + b"\n")
                count += 1
        data = buffer.getvalue()
        self.obs.put(place.below(name), data, GZIP)
        return Content(
            count=count, size=len(data), sha256=sha256(data).hexdigest(), etag=self.etag_of(place.below(name))
        )

    def etag_of(self, place: ObsLocation) -> str:
        """Return the ETag of an object that was written, as OBS shows it.

        :raises DliException: if there is none
        """
        facts = self.obs.find(place)
        if facts is None:
            raise DliException(f"{place.url} was written and does not exist; try again")
        return facts.etag

    def write_manifest(self, manifest: Manifest) -> ObsLocation:
        """Write the manifest of a backup, the last of its objects; return its place.

        :raises DliFailException: if there is one already: a backup is written once
        """
        place = self.place(manifest.project_id, manifest.backup_id).below(MANIFEST)
        if self.obs.find(place):
            raise DliFailException(
                f"{place.url} exists: a backup is never written again",
                advice="Clear the task, which then makes another backup.",
            )
        self.obs.put(place, _pretty(manifest), _JSON)
        return place

    def write_expired(self, document: Expired) -> ObsLocation:
        """Write what is left of a backup whose archives were deleted; return its place."""
        place = self.place(document.project_id, document.backup_id).below(EXPIRED)
        self.obs.put(place, _pretty(document), _JSON)
        return place

    def record(
        self,
        backup: Backup,
        kind: RecordKind,
        content: Mapping[str, Any],
        outcome: Outcome = "none",
        *,
        at: datetime | None = None,
    ) -> ObsLocation:
        """Write a record of a backup; return its place.

        :param content: plain JSON
        :param at: when it happened, by the store's clock; now by default
        """
        stamp = f"{(at or self.now()).astimezone(UTC):{STAMP}}"
        place = backup.place.below(RECORDS).below(f"{kind}-{stamp}-{outcome}-{secrets.token_hex(4)}.json")
        self.obs.put(place, _encoded(content, indent=1), _JSON)
        return place

    def delete_record(self, backup: Backup, record: RecordName) -> None:
        """Delete a record; one that is not there is as good as deleted."""
        self.obs.delete(backup.place.below(RECORDS).below(record.name))

    @contextmanager
    def reading(self, backup: Backup, why: Mapping[str, Any], log: Logger | None = None) -> Iterator[None]:
        """Keep a backup from being deleted while it is read, for a day at most.

        Whoever deletes writes ``expiring`` first and then searches for readers; so this writes first and then
        searches for an expiry, and of the two at least one meets the other.

        :param why: who reads it, plain JSON
        :param log: of who reads it also if this key may not write there, as where copies are kept, with a warning
        :raises DliFailException: if it is being deleted
        """
        try:
            place = self.record(backup, "reading", why)
        except DliException as failure:
            if log is None or not isinstance(failure.error, PermissionDeniedError):
                raise
            log.warning("%s An expiry may delete the backup while it is read.", failure)
            yield
            return
        try:
            if self.is_gone(backup):
                raise DliFailException(
                    f"{backup.place.url} is being deleted by an expiry", advice="Restore from another backup."
                )
            yield
        finally:
            # One that stays is over after a day; what was read is not worth less.
            with suppress(DliException):
                self.obs.delete(place)

    def is_gone(self, backup: Backup) -> bool:
        """Return whether a backup was deleted since it was listed, or is being deleted by an expiry."""
        now = self.backup(backup.project_id, backup.backup_id)
        return now is None or now.is_deleted


def _order(record: RecordName) -> tuple[datetime, bool, str]:
    """Return what records are sorted by: of several of one second one that failed is the last, which counts."""
    return record.at, record.outcome == "failed", record.name


def _pretty(document: BaseModel) -> bytes:
    return document.model_dump_json(indent=1, exclude_none=True).encode() + b"\n"


def _encoded(content: Mapping[str, Any], **options: Any) -> bytes:  # noqa: ANN401 -- of json.dumps
    # Half a character cannot be encoded: what is written in place of it is the escape that JSON has.
    return json.dumps(content, ensure_ascii=False, **options).encode(errors="backslashreplace")


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error).partition("\n")[0]
