"""Delete the backups that no rule keeps, so that it can be interrupted anywhere and done by several tasks at once.

The order of a deletion::

    1  write the record ``expiring``
    2  list the backup, and those that protect its jobs; give up unless all is as it was planned
    3  delete the archives
    4  write expired.json
    5  delete the manifest, then the lists of jobs and the records

**No job loses its last verified backup**, however many tasks delete at once, with whatever rules and however old
their listings are. Of all deletions of verified backups of a job take the one whose step 2 came last. It saw a
backup that has the job, is verified at the same level or above, and had no record ``expiring``. If that one is
deleted too, then its own step 1 came after that listing, and its step 2 later still: but there is no later one. So
it remains. For this a record ``expiring`` may be removed only by the task that wrote it, and only before step 3,
or by any task once it is so old that its own has given up: see :data:`DELETION_TIME`.

**Nothing that is held or read is deleted**: who holds or reads writes a record first, and then searches for an
expiry. Of two that write first and then search, at least one finds the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.manifest import (
    ARCHIVES,
    EXPIRED,
    JOBS,
    LISTED,
    MANIFEST,
    RECORDS,
    SETTINGS,
    Expired,
    Run,
)
from airflow_provider_dli.backups.retention import Decision, condition, plan, proof, rank
from airflow_provider_dli.backups.state import Backup
from airflow_provider_dli.exceptions import DliException, DliFailException, read_parameters
from airflow_provider_dli.formatting import format_ids, log_table, pluralize
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.parameters.models import ExpireParameters

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.parameters.models import Retention

#: for how long a task may delete archives after its step 1; a record that is twice as old belongs to no task
DELETION_TIME = timedelta(minutes=30)
_HEAD = ("project", "backup", "exported", "state", "", "why")
_NO_RULE = "no rule keeps it"


@dataclass(slots=True)
class Expiry:
    """The deletion of the backups of a catalogue that no rule keeps, and the outcome for each.

    :param policy: the rules
    :param run: of the task that deletes
    """

    catalogue: Catalogue
    policy: Retention
    run: Run | None
    log: Logger
    #: of all backups that are kept, why; those that no rule keeps; those of them that were deleted
    kept: list[tuple[Backup, str]] = field(default_factory=list)
    to_delete: list[Backup] = field(default_factory=list)
    deleted: list[Backup] = field(default_factory=list)

    def expire(self, *, plan_only: bool = False) -> None:
        """Delete the backups that no rule keeps; what earlier tasks have begun first.

        :param plan_only: to log what would be deleted, and why all else is kept
        :raises DliException: if OBS does not respond; what was begun is finished by the next attempt
        :raises DliFailException: naming each backup that OBS refuses to delete, after all others were deleted
        """
        backups, decisions = self._plan()
        if not plan_only and self._put_back(decisions):
            # They are usable again, and others may be deleted now.
            backups, decisions = self._plan()
        self.kept = [(each.backup, ", ".join(each.reasons)) for each in decisions if each.reasons]
        doomed = [each for each in decisions if not each.reasons]
        self.to_delete = [each.backup for each in doomed]
        self._log_plan(decisions)
        if plan_only:
            self.log.info("Plan only: nothing is deleted.")
            return
        for backup in backups:
            if backup.state == "expired":
                self._clear(backup)
        if doomed:
            self._check_permissions(doomed[0].backup)
        refused = [failure for each in doomed if (failure := self._delete(each))]
        if refused:
            raise _failure(refused, len(doomed)) from refused[0][1].error

    def _plan(self) -> tuple[list[Backup], list[Decision]]:
        backups = self.catalogue.backups()
        return backups, plan(backups, self._jobs_of, self.policy, self.catalogue.now())

    def result(self, *, plan_only: bool) -> dict[str, Any]:
        """Return what the task pushes: how many backups and bytes, and as ``lists`` which."""
        gone, name = (self.to_delete, "to_delete") if plan_only else (self.deleted, "deleted")
        kept = [backup for backup, _ in self.kept]
        return {
            "kept": len(kept),
            "kept_bytes": sum(map(size_of, kept)),
            name: len(gone),
            f"{name}_bytes": sum(map(size_of, gone)),
            "lists": {
                "kept": [{**_ids(backup), "reason": why} for backup, why in self.kept],
                name: [{**_ids(backup), "reason": _NO_RULE} for backup in gone],
            },
        }

    def _jobs_of(self, backup: Backup) -> dict[int, int]:
        drilled = self.catalogue.drill_results(backup)
        return {job.job_id: proof(job, drilled) for job in self.catalogue.jobs(backup)}

    def _log_plan(self, decisions: list[Decision]) -> None:
        self.log.info(
            "Of %s in %s, %s to be deleted by %s.",
            pluralize(len(decisions), "backup"),
            self.catalogue.root.url,
            pluralize(len(self.to_delete), "is", "are"),
            self.policy,
        )
        rows = [
            (
                each.backup.project_id,
                each.backup.backup_id,
                each.backup.manifest and f"{each.backup.manifest.exported_at:%Y-%m-%d %H:%M}",
                each.backup.state,
                "keep" if each.reasons else "delete",
                ", ".join(each.reasons) or _NO_RULE,
            )
            for each in decisions
        ]
        log_table(self.log, _HEAD, rows, max_rows=500)

    def _check_permissions(self, backup: Backup) -> None:
        """Raise if this key may not write or not delete a record: it would leave a backup that nobody may read.

        The record is that of a reader, which, should it remain, only delays the deletion by a day.
        """
        self.catalogue.obs.delete(self.catalogue.record(backup, "reading", self._about()))

    def _delete(self, decision: Decision) -> tuple[Backup, DliFailException] | None:
        """Delete a backup, or add why it is kept after all; return the failure if OBS refuses."""
        backup, until = decision.backup, self.catalogue.now() + DELETION_TIME
        mine = self.catalogue.record(backup, "expiring", self._about())
        try:
            problem = self._obstacle(decision)
        except DliException:
            # Nothing of it was deleted.
            self._give_up(backup, mine)
            raise
        if problem is not None:
            self.catalogue.obs.delete(mine)
            if problem:
                self._keep(backup, problem)
            else:
                self.deleted.append(backup)
            return None
        try:
            self._delete_archives(backup, until)
        except DliFailException as failure:
            if not failure.outcome_unknown:
                self._give_up(backup, mine)
            if failure.refuses_identity:
                raise
            self._keep(backup, f"OBS refuses to delete it: {failure.problem}")
            return backup, failure
        self._write_expired(backup)
        self._clear_all(backup)
        self.catalogue.obs.delete(mine)
        self.deleted.append(backup)
        self.log.info("Deleted backup %s of project %s.", backup.backup_id, backup.project_id)
        return None

    def _obstacle(self, decision: Decision) -> str | None:
        """Return why a backup is kept after all; empty if another task has deleted it, None to delete it."""
        backup = decision.backup
        found = self.catalogue.backup(backup.project_id, backup.backup_id)
        if found is None or found.state == "expired":
            return ""
        if found.is_held or found.is_read(self.catalogue.now()):
            return "it is held, or a task reads it, since the plan was made"
        if (condition(found), found.manifest) != (condition(backup), backup.manifest):
            return f"it is {condition(found)} by now and was {condition(backup)} when the plan was made"
        if rank(found) != rank(backup):
            return (
                f"it is verified at level {found.level} by now, and was at {backup.level} when the plan was made"
            )
        for protector in decision.protectors:
            known = self.catalogue.backup(protector.project_id, protector.backup_id)
            if known is None or known.state == "expiring" or rank(known) < rank(backup):
                state = known.state if known else "gone"
                return f"backup {protector.backup_id}, which has jobs of it, is {state} by now"
        return None

    def _delete_archives(self, backup: Backup, until: datetime) -> None:
        assert backup.manifest  # noqa: S101 -- for the type checker: others are not deleted
        for archive in backup.manifest.archives:
            if archive.name not in backup.objects:
                continue
            if self.catalogue.now() >= until:
                raise DliException(
                    f"{backup.place.url} was not deleted within {DELETION_TIME}",
                    advice="Run the task again: it goes on.",
                )
            self.catalogue.obs.delete(backup.archive(archive))

    def _give_up(self, backup: Backup, mine: ObsLocation) -> None:
        """Make a backup usable again, if no archive of it was deleted."""
        with suppress(DliException):
            found = self.catalogue.backup(backup.project_id, backup.backup_id)
            if found and (condition(found), found.changes) == (condition(backup), backup.changes):
                self.catalogue.obs.delete(mine)
                self._put_back([Decision(found, ("refused",))])

    def _put_back(self, decisions: Iterable[Decision]) -> int:
        """Remove the records of tasks that were killed, of backups that are kept; return how many there were."""
        oldest = self.catalogue.now() - 2 * DELETION_TIME
        expiring = [each.backup for each in decisions if each.reasons and each.backup.state == "expiring"]
        found = [(each, record) for each in expiring for record in each.of_kind("expiring") if record.at < oldest]
        for backup, record in found:
            self.catalogue.delete_record(backup, record)
            self.log.info("Backup %s is kept: its deletion was begun at %s.", backup.backup_id, record.at)
        return len(found)

    def _write_expired(self, backup: Backup) -> None:
        assert backup.manifest  # noqa: S101 -- as above
        self.catalogue.write_expired(
            Expired(
                backup_id=backup.backup_id,
                project_id=backup.project_id,
                exported_at=backup.manifest.exported_at,
                expired_at=self.catalogue.now(),
                policy=str(self.policy),
                run=self.run,
                archives=len(backup.manifest.archives),
                size=backup.manifest.size,
            )
        )

    def _clear(self, backup: Backup) -> None:
        """Finish the deletion of a backup that has expired.json."""
        left = [name for name in backup.objects if name.startswith(f"{ARCHIVES}/")]
        if MANIFEST in backup.objects and left:
            # Not ours: archives are deleted before.
            self.log.warning("%s has %s beside archives: nothing of it is deleted.", backup.place.url, EXPIRED)
            return
        self._clear_all(backup)

    def _clear_all(self, backup: Backup) -> None:
        """Delete what a backup has beside its archives, its manifest first: without it the rest is of no use."""
        known = [name for name in (MANIFEST, JOBS, SETTINGS, LISTED) if name in backup.objects]
        for name in (*known, *(name for name in backup.objects if name.startswith(f"{RECORDS}/"))):
            self.catalogue.obs.delete(backup.place.below(name))

    def _keep(self, backup: Backup, why: str) -> None:
        self.kept.append((backup, why))
        self.log.warning("Backup %s of project %s is kept: %s", backup.backup_id, backup.project_id, why)

    def _about(self) -> dict[str, Any]:
        return {"run": self.run and self.run.model_dump(mode="json"), "policy": str(self.policy)}


def size_of(backup: Backup) -> int:
    """Return the bytes of all archives of a backup; 0 where its manifest cannot be read."""
    return backup.manifest.size if backup.manifest else 0


def _ids(backup: Backup) -> dict[str, str]:
    return {"backup_id": backup.backup_id, "project_id": backup.project_id}


def _failure(refused: Sequence[tuple[Backup, DliFailException]], planned: int) -> DliFailException:
    """Return the failure of a task that OBS has refused to delete some backups."""
    listed = format_ids([f"{backup.place.url}: {failure.problem}" for backup, failure in refused], " | ")
    return DliFailException(
        f"{len(refused):,} of {pluralize(planned, 'backup')} could not be deleted: {listed}.",
        advice="Grant the key DeleteObject on the directory; if it has it, a policy of the bucket or a retention "
        "period (WORM) of the objects forbids it: wait until the period is over, or keep backups for longer.",
    )


def prepare(operator: object) -> tuple[ExpireParameters, Catalogue]:
    """Check all parameters; return them, and the catalogue.

    :raises DliFailException: naming each parameter that cannot be used
    """
    options = read_parameters(ExpireParameters, operator)
    return options, Catalogue(ObsHook(options.dli_conn_id), options.backup_dir)
