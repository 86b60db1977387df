"""Which backup a restore uses: the newest usable one of a point in time, or a named one; or why there is none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_dli.backups.catalogue import AllBut, Catalogue
from airflow_provider_dli.backups.manifest import Job, Level
from airflow_provider_dli.backups.state import Backup, usable
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.formatting import format_ids
from airflow_provider_dli.services.selection import named_ids

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_dli.parameters.models import RestoreParameters

#: backups that a message names, before and after a point in time
_NEAREST = 3
#: older backups that are searched for jobs that the chosen one lacks
_OLDER = 31


def choose_backup(options: RestoreParameters, catalogue: Catalogue, project_id: str, log: Logger) -> Backup:
    """Return the backup of the id, or the newest usable one that was complete by ``as_of``.

    :raises DliFailException: if there is none, with those that are nearest and why they are not usable
    """
    named = _named(options, catalogue, project_id) if options.backup_id else None
    return named or _newest(options, catalogue, project_id, log)


def _named(options: RestoreParameters, catalogue: Catalogue, project_id: str) -> Backup:
    backup = catalogue.backup(project_id, options.backup_id or "")
    if backup is None:
        raise _none_at_all(f"backup_id: there is no backup {options.backup_id}", catalogue, project_id)
    if problem := why_unusable(backup, options.level) or catalogue.why_unlisted(backup):
        raise DliFailException(
            f"backup_id: {backup.place.url} cannot be restored: {problem.rstrip('.')}.",
            advice="Give another backup_id, or omit it for the newest usable backup.",
        )
    return backup


def _newest(options: RestoreParameters, catalogue: Catalogue, project_id: str, log: Logger) -> Backup:
    backups = catalogue.backups(project_id)
    until = options.as_of
    found = usable(backups, as_of=until, level=options.level)
    # A backup of a few jobs, made by hand, is not what a project is restored from if there is another.
    found.sort(key=lambda each: (not each.is_all_jobs, bool(each.bases)))
    unlisted: dict[ObsLocation, str] = {}
    chosen = None
    for each in found:
        if why := catalogue.why_unlisted(each):
            unlisted[each.place] = why
        else:
            chosen = each
            break

    def why_not(backup: Backup) -> str | None:
        return unlisted.get(backup.place) or why_unusable(backup, options.level)

    earlier = [each for each in backups if until is None or each.exported_at <= until]
    if chosen is None:
        if not backups:
            raise _none_at_all("There is no backup", catalogue, project_id)
        by = f" that was complete by {utc(until)}" if until else ""
        later = [each for each in backups if each not in earlier]
        parts = [_listed(name, each, why_not) for name, each in (("before", earlier[::-1]), ("after", later))]
        raise DliFailException(
            f"as_of: project {project_id} has no usable backup{by} in {catalogue.root.url}: {'; '.join(parts)}.",
            advice="Give another as_of, or backup_id.",
        )
    if chosen.bases:
        raise DliFailException(
            f"Project {project_id} has no usable backup of all jobs in {catalogue.root.url}, and the newest, "
            f"{chosen.backup_id}, is incremental: it lacks the jobs of {format_ids(chosen.bases)} that had not "
            "changed.",
            advice="Restore these, oldest first, and then that one, each by its backup_id.",
        )
    for newer in [each for each in earlier if each.order > chosen.order]:
        what = "is incremental" if newer.bases else "has a selection of the jobs"
        reason = why_not(newer) or f"it {what}; give backup_id to use it"
        log.warning("%s is newer and not used: %s", newer.place.url, reason)
    return chosen


def older_jobs(
    catalogue: Catalogue, backup: Backup, known: Collection[int], level: Level, log: Logger
) -> Iterator[tuple[Backup, Job]]:
    """Yield jobs of the usable backups before one, the newest first, each with its backup.

    :param known: ids of jobs that are omitted
    """
    backups = usable(catalogue.backups(backup.project_id), level=level)
    older = [each for each in backups if each.order < backup.order]
    for each in older[:_OLDER]:
        try:
            jobs = list(catalogue.jobs(each, AllBut(known)))
        except DliException as error:
            log.warning("Which jobs an older backup has is not known. %s", error)
            continue
        yield from ((each, job) for job in jobs)


def remedy_for(jobs: Iterator[tuple[Backup, Job]], missing: Sequence[int | str]) -> str | None:
    """Return which older backup has a job that the chosen one lacks, and how to restore from it; None if none has.

    :param missing: ids, or wildcards for names, of what was to be restored
    """
    for backup, job in jobs:
        if named_ids({job.job_id: job.name}, missing):
            at = backup.exported_at.astimezone(UTC)
            return (
                f"Give backup_id={backup.backup_id!r} (or as_of='{at.isoformat()}'), the newest usable one "
                f"before it that has {job.job_id} {job.name}."
            )
    return None


def why_unusable(backup: Backup, level: Level = "exists") -> str | None:
    """Return why jobs cannot be restored from a backup; None if they can."""
    if backup.is_usable(level):
        return None
    match backup.state:
        case "verified":
            return f"it was verified at level {backup.level!r}, and level is {level!r}"
        case "damaged":
            proof = backup.last("verification")
            failed = f"its verification failed at {utc(proof.at)}" if proof else "its verification failed"
            return "; ".join(backup.changes[:_NEAREST]) or failed
        case _:
            return backup.why_unreadable


def _none_at_all(problem: str, catalogue: Catalogue, project_id: str) -> DliFailException:
    root, listed = catalogue.root, catalogue.obs.list_entries(catalogue.root)
    directories = [ObsLocation(root.bucket, key.rstrip("/")) for key in (listed.directories if listed else ())]
    # Stores that are file systems list emptied directories too.
    names = [each.key.rpartition("/")[2] for each in directories if catalogue.obs.has_objects(each)]
    others = f"it has directories of {format_ids(names)}" if names else "it is empty"
    return DliFailException(
        f"{problem} of project {project_id} in {catalogue.root.url}: {others}.",
        advice="Give project_id for the backups of another project, and check backup_dir.",
    )


def _listed(name: str, backups: Sequence[Backup], why_not: Callable[[Backup], str | None]) -> str:
    shown = [
        f"{each.backup_id} ({utc(each.exported_at)}): {why_not(each) or 'usable'}" for each in backups[:_NEAREST]
    ]
    more = f" and {len(backups) - _NEAREST} more" if len(backups) > _NEAREST else ""
    return f"{name} that {', '.join(shown) or 'none'}{more}"


def utc(at: datetime) -> str:
    """Return a time as messages have it."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
