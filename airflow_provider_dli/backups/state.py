"""What is known of a backup: its state, as one listing and its manifest show it, and whether it can be used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from airflow_provider_dli.backups.manifest import (
    EXPIRED,
    LEVELS,
    MANIFEST,
    Archive,
    Content,
    Level,
    Manifest,
    RecordKind,
    RecordName,
    began_at,
)

if TYPE_CHECKING:
    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.client.obs.objects import Entry

#: ``incomplete``: there is no manifest; ``expiring``: an expiry has begun and perhaps deleted archives;
#: ``expired``: it was deleted; ``unreadable``: its manifest cannot be read; ``damaged``: an archive is gone or
#: changed, or the newest verification failed; ``verified``: none of these
State = Literal["verified", "damaged", "unreadable", "incomplete", "expiring", "expired"]

#: a restore that was killed keeps its backup from being deleted for this long
READING_TIME = timedelta(hours=24)
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Backup:
    """A directory of the catalogue, as one listing and its manifest show it.

    :param place: its directory
    :param manifest: None if there is none, it cannot be read, or it was not read
    :param problem: why the manifest cannot be read
    :param objects: by name relative to the directory
    :param records: what the names of its records show, oldest first
    """

    place: ObsLocation
    project_id: str
    backup_id: str
    manifest: Manifest | None
    problem: str | None
    objects: Mapping[str, Entry]
    records: tuple[RecordName, ...]

    @property
    def state(self) -> State:
        """What can be done with it; see :data:`State`."""
        if EXPIRED in self.objects:
            return "expired"
        if MANIFEST not in self.objects:
            return "incomplete"
        if self.manifest is None:
            return "unreadable"
        if self.of_kind("expiring"):
            return "expiring"
        return "damaged" if self.changes or self.last_verified is None else "verified"

    @property
    def why_unreadable(self) -> str | None:
        """Why nothing can be read of it; None if its manifest can be read and no expiry has begun."""
        state = self.state
        if state == "expired":
            return f"it was deleted by an expiry at {self.objects[EXPIRED].written:%Y-%m-%d %H:%M} UTC"
        if state == "incomplete":
            return "it has no manifest: it is being made, or the task that made it failed"
        if state == "unreadable":
            return f"its manifest cannot be read: {self.problem or 'it is gone'}"
        return "it is being deleted by an expiry" if state == "expiring" else None

    @property
    def changes(self) -> list[str]:
        """What differs between the manifest and the listing, each as one line; empty if nothing does."""
        if self.manifest is None:
            return []
        parts = {archive.name: archive for archive in self.manifest.archives} | self.manifest.contents
        return [change for name, part in parts.items() if (change := self._change(name, part))]

    def change_of(self, archive: Archive) -> str | None:
        """Return what differs between an archive in the manifest and in the listing; None if nothing does."""
        return self._change(archive.name, archive)

    def _change(self, name: str, part: Archive | Content) -> str | None:
        entry = self.objects.get(name)
        if entry is None:
            return f"{name} is gone"
        if entry.size != part.size:
            return f"{name} has {entry.size:,} bytes and had {part.size:,}"
        return f"{name} was replaced: its ETag differs" if entry.etag != part.etag else None

    @property
    def unnamed(self) -> list[str]:
        """Archives that the manifest does not name: a request whose outcome was unknown may have made them."""
        named = {archive.name for archive in self.manifest.archives} if self.manifest else set()
        return [name for name in self.objects if name.lower().endswith(".zip") and name not in named]

    @property
    def origin_of_unnamed(self) -> str:
        """When the last of these was written, and by which task; the directory of each is that of its batch."""
        written = max(self.objects[name].written for name in self.unnamed)
        run = self.manifest and self.manifest.run
        by = f"task {run.task_id} of {run.dag_id}, run {run.run_id}," if run else "the task that made the backup"
        at = f"the last one written at {written:%Y-%m-%d %H:%M} UTC"
        return f"{at}: a request of {by} whose response was lost may have made them"

    @property
    def last_verified(self) -> datetime | None:
        """When its archives were last found intact; None if the newest verification failed or there is none."""
        proof = self.last("verification")
        if proof:
            return proof.at if proof.outcome == "passed" else None
        made = self.manifest and self.manifest.verification
        return made.verified_at if made and made.passed else None

    @property
    def level(self) -> Level | None:
        """How much of its archives was ever read and found intact; None if its manifest cannot be read."""
        proof = self.last("verification")
        if self.manifest is None:
            return None
        # The records are of verifications that read every byte.
        return "full" if proof and proof.outcome == "passed" else self.manifest.verification.level

    @property
    def exported_at(self) -> datetime:
        """When its export was complete; of one without manifest when it began."""
        return self.manifest.exported_at if self.manifest else began_at(self.backup_id) or _NEVER

    @property
    def is_all_jobs(self) -> bool:
        """Whether it has all jobs that its key could see, as far as is known."""
        return self.manifest is not None and self.manifest.is_all_jobs

    @property
    def bases(self) -> tuple[str, ...]:
        """Ids of the backups that have the jobs which it omits: none of one that is not incremental."""
        return self.manifest.bases if self.manifest else ()

    @property
    def order(self) -> tuple[datetime, bool, str]:
        """What backups are sorted by, the oldest first; of one second those last that have bases."""
        return self.exported_at, bool(self.bases), self.backup_id

    @property
    def is_deleted(self) -> bool:
        """Whether an expiry has deleted it, or is about to."""
        return self.state in ("expiring", "expired")

    @property
    def is_held(self) -> bool:
        """Whether somebody keeps it from being deleted."""
        return bool(self.of_kind("hold"))

    def is_read(self, now: datetime) -> bool:
        """Return whether a restore reads it, or was killed within the last day while it did.

        :param now: by the store's clock
        """
        return any(record.at > now - READING_TIME for record in self.of_kind("reading"))

    def of_kind(self, kind: RecordKind) -> list[RecordName]:
        """Return the records of a kind, oldest first."""
        return [record for record in self.records if record.kind == kind]

    def last(self, kind: RecordKind) -> RecordName | None:
        """Return the newest record of a kind."""
        return next(iter(reversed(self.of_kind(kind))), None)

    def is_usable(self, level: Level = "exists") -> bool:
        """Return whether jobs can be restored from it, as far as is known.

        :param level: that it must have been verified at
        """
        is_read = self.level is not None and LEVELS.index(self.level) >= LEVELS.index(level)
        return is_read and self.state == "verified"

    def archive(self, archive: Archive) -> ObsLocation:
        """Return the place of an archive of its."""
        return self.place.below(archive.name)


def usable(backups: Iterable[Backup], *, as_of: datetime | None = None, level: Level = "exists") -> list[Backup]:
    """Return the backups that jobs can be restored from, the newest first.

    :param as_of: whose export was complete by then
    :param level: that they must have been verified at
    """
    found = [each for each in backups if each.is_usable(level) and (as_of is None or each.exported_at <= as_of)]
    return sorted(found, key=lambda each: each.order, reverse=True)


def newest_usable(
    backups: Iterable[Backup], *, as_of: datetime | None = None, level: Level = "exists"
) -> Backup | None:
    """Return the first of :func:`usable` backups, one of all jobs if there is any; None if there is none.

    An incremental one, or one of a few jobs that was made by hand, is not what a project is restored from.
    """
    found = usable(backups, as_of=as_of, level=level)
    of_all = (each for each in found if each.is_all_jobs)
    return next(of_all, next(iter(found), None))


def with_bases(backups: Iterable[Backup], among: Iterable[Backup]) -> list[Backup]:
    """Return backups and, after them, those that have the jobs which they omit, and which these omit in turn."""
    known = {each.backup_id: each for each in among}
    found = {each.backup_id: each for each in backups}
    left = [*found.values()]
    while left:
        for base in left.pop().bases:
            if base in known and base not in found:
                found[base] = known[base]
                left.append(known[base])
    return [*found.values()]
