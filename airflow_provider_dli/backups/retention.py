"""Which backups of a catalogue are kept, and why: rules as those of restic's ``forget``, and what no rule deletes.

:func:`plan` decides and changes nothing; :mod:`.expiry` deletes. :func:`hold` keeps a backup whatever the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.manifest import LEVELS, Job
from airflow_provider_dli.backups.state import Backup, State, with_bases
from airflow_provider_dli.exceptions import DliFailException
from airflow_provider_dli.formatting import format_ids, pluralize

if TYPE_CHECKING:
    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.parameters.models import Retention

#: of the time of an export, by the store's clock: what is outside is of no use to any rule, and kept
_EARLIEST, _TOLERANCE = datetime(1971, 1, 1, tzinfo=UTC), timedelta(minutes=5)
#: jobs that a reason names
_SHOWN = 3
#: the highest that :func:`proof` returns
_SUREST = 3


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a backup is kept.

    :param reasons: why it is kept; none if it is to be deleted
    :param protectors: if it is to be deleted: the backups that have the newest copies of its jobs, and are kept
    """

    backup: Backup
    reasons: tuple[str, ...]
    protectors: tuple[Backup, ...] = ()


def condition(backup: Backup) -> State:
    """Return the state of a backup as if no expiry had begun."""
    others = tuple(record for record in backup.records if record.kind != "expiring")
    return replace(backup, records=others).state


def rank(backup: Backup) -> int:
    """Return how much a backup is worth for its jobs: 0 if it is damaged, else by its level; -1 if it is none."""
    state = condition(backup)
    if backup.level is None or state not in ("verified", "damaged"):
        return -1
    return 0 if state == "damaged" else 1 + LEVELS.index(backup.level)


def plan(
    backups: Iterable[Backup],
    jobs_of: Callable[[Backup], Mapping[int, int]],
    policy: Retention,
    now: datetime,
) -> list[Decision]:
    """Decide for each backup whether it is kept; those of each project are decided by themselves.

    A backup is kept if any rule keeps it, and with it the usable ones that have the jobs which it omits. The rules
    are applied to the verified backups, once more to these and the damaged ones together, so that a damaged
    backup takes the place of no verified one, and to the verified ones of all jobs. Whatever the rules, these are
    kept: what is held or read, the newest backup of every job at each level of verification, and what is not a
    backup that can be read. A backup replaces none that is surer to have a job, by :func:`proof`. A damaged backup
    is the newest of a job only until there is a newer one, and never instead of a verified one.

    :param backups: all of the catalogue, in any order, as one listing shows them
    :param jobs_of: returns the ids of the jobs that a backup has, and how sure each is, by :func:`proof`; of each
        backup at most once, newest first
    :param now: by the store's clock
    :returns: in the order of ``backups``, without those that were deleted
    :raises DliException: what ``jobs_of`` raises because the store does not respond, or refuses
    """
    listed = [backup for backup in backups if backup.state != "expired"]
    projects: dict[str, list[Backup]] = {}
    for backup in listed:
        projects.setdefault(backup.project_id, []).append(backup)
    decided: dict[tuple[str, str], Decision] = {}
    for project_id, found in projects.items():
        for decision in _plan_project(found, jobs_of, policy, now):
            decided[project_id, decision.backup.backup_id] = decision
    return [decided[backup.project_id, backup.backup_id] for backup in listed]


def _plan_project(
    backups: Sequence[Backup], jobs_of: Callable[[Backup], Mapping[int, int]], policy: Retention, now: datetime
) -> list[Decision]:
    reasons = {backup.backup_id: _exemptions(backup, now) for backup in backups}
    newest_first = sorted(
        (backup for backup in backups if rank(backup) >= 0 and _is_timely(backup, now)),
        key=lambda backup: backup.order,
        reverse=True,
    )
    verified = [backup for backup in newest_first if backup.state == "verified"]
    # Nor does a backup of some jobs take the place of one of all.
    full = [backup for backup in verified if backup.is_all_jobs]
    for each in (verified, newest_first, full):
        for backup_id, rule in _by_rule(each, policy):
            if rule not in reasons[backup_id]:
                reasons[backup_id].append(rule)
    _keep_bases(newest_first, reasons)
    protectors = _protect(newest_first, jobs_of, reasons)
    return [
        Decision(backup, tuple(reasons[backup.backup_id]), protectors.get(backup.backup_id, ()))
        for backup in backups
    ]


def _exemptions(backup: Backup, now: datetime) -> list[str]:
    """Return why no rule may delete a backup, without its jobs."""
    if backup.manifest is None:
        return [str(backup.why_unreadable)]
    reasons = [f"held since {held.at:%Y-%m-%d}" for held in backup.of_kind("hold")[:1]]
    if backup.is_read(now):
        reasons.append("a task reads it")
    if not _is_timely(backup, now):
        reasons.append(f"exported at {backup.exported_at.isoformat()}, which cannot be")
    return reasons


def _by_rule(newest_first: Sequence[Backup], policy: Retention) -> Iterable[tuple[str, str]]:
    """Yield which backup is kept by which rule.

    Of each of the last ``n`` periods in which there is a backup the newest one is kept; if there are fewer
    periods, the oldest of all backups too, as restic does.
    """
    local = [backup.exported_at.astimezone(policy.timezone) for backup in newest_first]
    periods: dict[str, Callable[[int, datetime], Hashable]] = {
        "keep_last": lambda number, _: number,
        "keep_daily": lambda _, at: at.date(),
        "keep_weekly": lambda _, at: at.isocalendar()[:2],
        "keep_monthly": lambda _, at: (at.year, at.month),
        "keep_yearly": lambda _, at: at.year,
    }
    for rule, period_of in periods.items():
        left, last = getattr(policy, rule), None
        for number, (backup, at) in enumerate(zip(newest_first, local, strict=True)):
            period = period_of(number, at)
            if left and (period != last or number == len(local) - 1):
                yield backup.backup_id, rule if period != last else f"{rule} (oldest)"
                left, last = left - 1, period
    if policy.keep_within and local:
        since = local[0] - timedelta(seconds=min(policy.keep_within, local[0].timestamp()))
        for backup, at in zip(newest_first, local, strict=True):
            if at > since:
                yield backup.backup_id, "keep_within"


def _keep_bases(newest_first: Sequence[Backup], reasons: dict[str, list[str]]) -> None:
    """Add why the backups are kept that have the jobs which an incremental backup omits, if that one is kept."""
    usable = [backup for backup in newest_first if rank(backup) > 0]
    kept = [backup for backup in newest_first if reasons[backup.backup_id]]
    of: dict[str, list[str]] = {}
    for backup in with_bases(kept, usable):
        for base in backup.bases:
            of.setdefault(base, []).append(backup.backup_id)
    for backup in usable:
        if backups := of.get(backup.backup_id):
            reasons[backup.backup_id].append(f"has unchanged jobs of {format_ids(backups[:_SHOWN])}")


def _protect(
    newest_first: Sequence[Backup], jobs_of: Callable[[Backup], Mapping[int, int]], reasons: dict[str, list[str]]
) -> dict[str, tuple[Backup, ...]]:
    """Add why the newest backups of each job are kept; return for each other one those that have its jobs.

    What is older than the last backup that no rule keeps is not read. In memory are of each job the newest backup
    of each degree of :func:`proof`.
    """
    newest: dict[tuple[int, int], tuple[int, Backup]] = {}
    protectors: dict[str, tuple[Backup, ...]] = {}
    unprotected = sum(not reasons[backup.backup_id] for backup in newest_first)
    for backup in newest_first:
        if not unprotected:
            break
        unprotected -= not reasons[backup.backup_id]
        own = rank(backup)
        try:
            jobs = jobs_of(backup)
        except DliFailException as failure:
            if failure.error:
                raise
            reasons[backup.backup_id].append(f"its jobs cannot be read: {failure.problem}")
            continue
        first: list[int] = []
        found: dict[str, Backup] = {}
        for job, sure in jobs.items():
            # What is damaged is replaced by any newer backup.
            newer = [newest[job, each] for each in range(sure if own else 0, _SUREST + 1) if (job, each) in newest]
            protector = next((each for level, each in newer if level >= own), None)
            if protector:
                found[protector.backup_id] = protector
            else:
                first.append(job)
        protectors[backup.backup_id] = tuple(found.values())
        if first:
            reasons[backup.backup_id].append(_newest_of(backup, first))
        if backup.state != "expiring":
            newest.update(((job, jobs[job]), (own, backup)) for job in first)
    return protectors


def proof(job: Job, drilled: Mapping[int, bool]) -> int:
    """Return how sure it is that a backup has a job as it was: a newer backup replaces none that is surer.

    :param drilled: of the jobs that a drill has restored from this backup, whether they were as they should be
    :returns: 2 if it was found in an archive, or restored; 1 more if it was not changed meanwhile
    """
    is_found = drilled.get(job.job_id, job.in_archive is True)
    return 2 * is_found + (not job.is_changed)


def _newest_of(backup: Backup, jobs: Sequence[int]) -> str:
    shown = ", ".join(map(str, jobs[:_SHOWN])) + (", …" if len(jobs) > _SHOWN else "")
    return f"newest {condition(backup)} backup of {pluralize(len(jobs), 'job')} ({shown})"


def _is_timely(backup: Backup, now: datetime) -> bool:
    return _EARLIEST < backup.exported_at <= now + _TOLERANCE


def hold(catalogue: Catalogue, backup: Backup, reason: str) -> ObsLocation:
    """Keep a backup from being deleted by any expiry, until it is released; return the place of the record.

    As a reader does, it writes first and then searches for an expiry: see :meth:`.Catalogue.reading`.

    :param reason: for people
    :raises DliFailException: without a reason, or if it is being deleted, was, or is not a backup
    """
    if not reason.strip():
        raise DliFailException("reason: is empty; give one, such as the number of a ticket")
    place = catalogue.record(backup, "hold", {"reason": reason})
    found = catalogue.backup(backup.project_id, backup.backup_id)
    if found is None or found.is_deleted or found.state == "incomplete":
        catalogue.obs.delete(place)
        state = found.state if found else "not there"
        raise DliFailException(f"{backup.place.url} cannot be held: it is {state}", advice="Name another backup.")
    return place


def release(catalogue: Catalogue, backup: Backup) -> int:
    """Delete all holds of a backup; return how many there were."""
    found = catalogue.backup(backup.project_id, backup.backup_id)
    held = found.of_kind("hold") if found else []
    for record in held:
        catalogue.delete_record(backup, record)
    return len(held)
