"""Differences between two backups, or between a backup and the project now: job by job, setting by setting.

The digests of all jobs are compared; of those that differ the settings, where they were kept. So what is in memory
grows with the jobs that changed, and not with the settings of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_dli.backups.manifest import Job, JobSettings
from airflow_provider_dli.client.flink import FlinkJob
from airflow_provider_dli.client.flink.settings import differences, settings_digest
from airflow_provider_dli.exceptions import DliFailException
from airflow_provider_dli.formatting import escaped, format_ids, pluralize
from airflow_provider_dli.services.selection import each_with_settings

if TYPE_CHECKING:
    from airflow_provider_dli.backups.catalogue import Catalogue
    from airflow_provider_dli.backups.state import Backup
    from airflow_provider_dli.client.flink.settings import Difference
    from airflow_provider_dli.hooks.dli import DliHook

Kind = Literal["added", "removed", "changed", "equal"]
#: in the order in which they are shown
KINDS: tuple[Kind, ...] = ("removed", "changed", "added", "equal")
#: characters of a value in a line
_LONGEST = 160
_SIGNS: Mapping[Kind, str] = {"removed": "-", "changed": "~", "added": "+", "equal": "="}


@dataclass(frozen=True, slots=True)
class JobPair:
    """A job before and after.

    :param before: None if it was added
    :param after: None if it was removed
    :param kind: ``changed`` if a setting differs, or only the digest where the settings were not kept
    :param settings: that differ: ``field``, and of both values length, digest, and the value if it is public
    :param texts: of each of these, one line
    """

    before: Job | None
    after: Job | None
    kind: Kind
    settings: tuple[Mapping[str, Any], ...] = ()
    texts: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name before, if it was there."""
        return self._known.name

    @property
    def job_id(self) -> int:
        """Its id before, if it was there."""
        return self._known.job_id

    @property
    def _known(self) -> Job:
        known = self.before or self.after
        assert known  # noqa: S101 -- one of the two is always there
        return known

    @property
    def summary(self) -> str:
        """What differs, on one line."""
        if self.kind != "changed":
            return self.kind
        unknown = "its settings differ; they were not kept, so which of them is not known"
        return format_ids(self.texts, "; ") or unknown

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "job_id": self.job_id,
            "name": self.name,
            "kind": self.kind,
            "job_id_after": self.after.job_id if self.after else None,
            "settings": [dict(each) for each in self.settings],
        }


@dataclass(frozen=True, slots=True)
class Differences:
    """All jobs of both sides.

    :param before: what is compared, in words
    :param after: what it is compared with, in words
    :param pairs: in the order of :data:`KINDS`, then by id
    :param absent: id to name of the jobs before that are in no archive, and so not compared
    """

    before: str
    after: str
    pairs: tuple[JobPair, ...]
    absent: Mapping[int, str] = field(default_factory=dict)

    def of_kind(self, kind: Kind) -> list[JobPair]:
        """Return the jobs that were added, removed, changed, or are equal."""
        return [each for each in self.pairs if each.kind == kind]

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs."""
        return all(each.kind == "equal" for each in self.pairs)

    @property
    def counts(self) -> dict[Kind, int]:
        """How many jobs there are of each kind."""
        return {kind: len(self.of_kind(kind)) for kind in KINDS}

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values: counts, and each job that differs."""
        jobs = [each.as_dict() for each in self.pairs if each.kind != "equal"]
        return {"before": self.before, "after": self.after, "counts": dict(self.counts), "jobs": jobs}

    def lines(self) -> Iterator[str]:
        """Yield it as people read it, escaped: a line for each job that differs, then one for each setting."""
        counts = ", ".join(f"{number:,} {kind}" for kind, number in self.counts.items())
        yield escaped(f"{self.before} -> {self.after}: {pluralize(len(self.pairs), 'job')}, {counts}")
        for each in self.pairs:
            if each.kind == "equal":
                continue
            yield escaped(f"{_SIGNS[each.kind]} {each.job_id} {each.name}")
            texts = each.texts or ([each.summary] if each.kind == "changed" else [])
            yield from (f"    {escaped(text)}" for text in texts)


def diff_backups(catalogue: Catalogue, before: Backup, after: Backup, *, show_values: bool = False) -> Differences:
    """Compare two backups. Jobs of one project are the same by their ids, otherwise by their names.

    :param show_values: True to show whole values; they may contain secrets
    :raises DliException: if one has no manifest, or its jobs or settings cannot be read, or are not those of it
    """
    ours, theirs = _archived(_listed(catalogue, before)), _archived(_listed(catalogue, after))
    by_id = before.project_id == after.project_id
    pairs = _pairs(ours, theirs, {job.job_id: job.job_id for job in ours if by_id})
    differing = {new.job_id for old, new in pairs if old and new and old.digest != new.digest}
    details = {each.job_id: kept_job(each) for each in catalogue.settings(after) if each.job_id in differing}
    return Differences(
        _words(before), _words(after), _compared(catalogue, before, pairs, details, show_values=show_values)
    )


def diff_with_project(
    catalogue: Catalogue,
    before: Backup,
    hook: DliHook,
    *,
    by_name: bool = False,
    imported: Mapping[int, int] | None = None,
    show_values: bool = False,
) -> Differences:
    """Compare a backup with the jobs of a project now, which are requested with all their settings.

    :param by_name: True if jobs are the same by their names alone, as for an import; otherwise, in the project of
        the backup, by their ids
    :param imported: id in the backup to id in the project of jobs that are the same whatever their names are: the
        archive may have another name than the list
    :param show_values: True to show whole values; they may contain secrets
    :raises DliException: as :func:`diff_backups`, or if DLI does not respond, or refuses
    """
    listed = _listed(catalogue, before)
    ours = _archived(listed)
    by_id = not by_name and before.project_id == hook.project_id
    known = imported or {job.job_id: job.job_id for job in ours if by_id}
    ids = {known[job.job_id]: job for job in ours if job.job_id in known}
    names = {job.name: job for job in ours}
    theirs, details = [], {}
    for job in each_with_settings(hook):
        row = row_of(job)
        theirs.append(row)
        same = ids.get(job.job_id) or names.get(job.name)
        if same and same.digest != row.digest:
            details[job.job_id] = job
    pairs = _pairs(ours, theirs, known)
    compared = _compared(catalogue, before, pairs, details, show_values=show_values)
    absent = {job.job_id: job.name for job in listed if job.in_archive is False}
    return Differences(_words(before), f"project {hook.project_id} now", compared, absent)


def _listed(catalogue: Catalogue, backup: Backup) -> list[Job]:
    """Return the jobs that a backup lists; one that was deleted, or never completed, does not count as empty."""
    if backup.manifest is None:
        raise DliFailException(
            f"{backup.place.url} cannot be compared: {backup.why_unreadable}", advice="Compare another backup."
        )
    return list(catalogue.listed_jobs(backup))


def _archived(jobs: Iterable[Job]) -> list[Job]:
    return [job for job in jobs if job.in_archive is not False]


def _pairs(
    before: Iterable[Job], after: Iterable[Job], known: Mapping[int, int]
) -> list[tuple[Job | None, Job | None]]:
    """Return each job of either side with the same one of the other: by ids that are known, the rest by name."""
    ours, theirs = {job.job_id: job for job in before}, {job.job_id: job for job in after}
    same = {job_id: known[job_id] for job_id in ours if known.get(job_id) in theirs}
    taken = set(same.values())
    names = {job.name: job_id for job_id, job in theirs.items() if job_id not in taken}
    for job_id, job in ours.items():
        if job_id not in same and job.name in names:
            same[job_id] = names.pop(job.name)
    found = set(same.values())
    pairs: list[tuple[Job | None, Job | None]] = [
        (job, theirs[same[job_id]] if job_id in same else None) for job_id, job in ours.items()
    ]
    return [*pairs, *((None, job) for job_id, job in theirs.items() if job_id not in found)]


def _compared(
    catalogue: Catalogue,
    backup: Backup,
    pairs: Iterable[tuple[Job | None, Job | None]],
    details: Mapping[int, FlinkJob],
    *,
    show_values: bool,
) -> tuple[JobPair, ...]:
    """Return the pairs, of those whose digests differ with the settings, as far as both sides have them."""
    found, differing = [], {}
    for old, new in pairs:
        if old is None or new is None:
            found.append(JobPair(old, new, "added" if old is None else "removed"))
        elif old.digest == new.digest:
            found.append(JobPair(old, new, "equal"))
        else:
            differing[old.job_id] = (old, new)
    kept = catalogue.settings(backup) if differing else ()
    for each in kept:
        pair = differing.get(each.job_id)
        if pair and (detail := details.get(pair[1].job_id)):
            del differing[each.job_id]
            settings = differences(kept_job(each), detail)
            found.append(_changed(*pair, settings, show_values=show_values))
    found += [JobPair(old, new, "changed") for old, new in differing.values()]
    return tuple(sorted(found, key=lambda pair: (KINDS.index(pair.kind), pair.job_id)))


def _changed(old: Job, new: Job, settings: tuple[Difference, ...], *, show_values: bool) -> JobPair:
    def text(each: Difference) -> str:
        was, now = (_cut(each.describe(value, show_values=show_values)) for value in (each.source, each.restored))
        return f"{each.field} was {was} and is {now}"

    return JobPair(
        old,
        new,
        "changed" if settings else "equal",
        tuple(each.as_dict(show_values=show_values) for each in settings),
        tuple(map(text, settings)),
    )


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _words(backup: Backup) -> str:
    at = f", {backup.manifest.exported_at:%Y-%m-%d %H:%M} UTC" if backup.manifest else ""
    return f"backup {backup.backup_id} of project {backup.project_id}{at}"


def row_of(job: FlinkJob) -> Job:
    """Return a job, which has all its settings, as a backup lists it."""
    return Job(
        job_id=job.job_id,
        name=job.name,
        job_type=job.job_type,
        status=job.status,
        update_time=job.update_time,
        digest=settings_digest(job),
    )


def kept_job(kept: JobSettings) -> FlinkJob:
    """Return a job as its kept settings show it: what is not a string there was not written by this provider."""
    name, job_type, status = (str(kept.detail.get(field) or "") for field in ("name", "job_type", "status"))
    return FlinkJob(job_id=kept.job_id, name=name, job_type=job_type, status=status, raw=kept.detail)
