"""The plan of a restore: each job of a backup, its state in the project now, and what is done with it.

DLI imports whole archives. What the plan does about it: no archive is imported whose selected jobs are all as in
the backup, no job is replaced that was not selected, and what an archive brings along is deleted again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_dli.backups.choice import older_jobs, remedy_for, utc
from airflow_provider_dli.backups.diff import JobPair, diff_with_project
from airflow_provider_dli.backups.manifest import Archive, Job
from airflow_provider_dli.exceptions import DliFailException
from airflow_provider_dli.formatting import format_ids, format_jobs, log_table, pluralize
from airflow_provider_dli.services.selection import named_ids
from airflow_provider_dli.task_state import TaskState

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_dli.backups.catalogue import Catalogue
    from airflow_provider_dli.backups.state import Backup
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.parameters.models import RestoreParameters

#: what is done with a job: created, replaced, kept though it differs, nothing since it is as in the backup; or
#: created by the archive of another job and deleted again
Action = Literal["create", "replace", "keep", "none", "conflict", "create and delete"]
_STATES = {"removed": "missing", "changed": "changed", "equal": "equal"}
#: jobs that an XCom has
MAX_JOBS = 200


class Progress:
    """What the attempts of a task have done so far, kept in the task state (Airflow 3.3 and later).

    A later attempt goes on with the same backup and the archives that are left.
    """

    _NAMES = (
        *("imported", "importing", "is_cover", "created", "mapping", "deleted", "to_delete"),
        *("uncertain", "replaced"),
    )

    def __init__(self, context: Mapping[str, Any]) -> None:
        self._state = TaskState(context, "dli_restore")
        self._read(self._state.load())

    def _read(self, saved: Mapping[str, Any]) -> None:
        self._request = saved.get("request")
        self._backup_id = saved.get("backup_id")
        #: names of the archives whose import has ended
        self.imported: list[str] = saved.get("imported", [])
        #: name of the archive whose import has begun, and whether it replaces jobs
        self.importing: str | None = saved.get("importing")
        self.is_cover: bool = saved.get("is_cover", False)
        #: ids of the jobs that were created, and of those that were deleted again
        self.created: list[int] = saved.get("created", [])
        self.deleted: list[int] = saved.get("deleted", [])
        #: old id to new id of each job that DLI reports as imported
        self.mapping: dict[str, int] = saved.get("mapping", {})
        #: id to name of the jobs that are to be deleted again
        self.to_delete: dict[str, str] = saved.get("to_delete", {})
        #: id and name of jobs that were not selected, and perhaps created by a request whose response was lost
        self.uncertain: list[str] = saved.get("uncertain", [])
        #: id and name of jobs that were replaced against the plan
        self.replaced: list[str] = saved.get("replaced", [])

    def backup_of(self, request: Mapping[str, Any]) -> str | None:
        """Return the id of the backup that an earlier attempt has begun to restore, by the same parameters."""
        return self._backup_id if self._request == request else None

    def begin(self, request: Mapping[str, Any], backup_id: str) -> None:
        """Save which backup is restored; forget what was done with another."""
        if (self._request, self._backup_id) != (request, backup_id):
            self._read({"request": dict(request), "backup_id": backup_id})
            self.save()

    def save(self, **values: Any) -> None:  # noqa: ANN401 -- plain JSON
        """Change values and save all."""
        for name, value in values.items():
            setattr(self, name, value)
        saved = {name: getattr(self, name) for name in self._NAMES}
        self._state.save({**saved, "request": self._request, "backup_id": self._backup_id})

    @property
    def new_ids(self) -> dict[int, int]:
        """Old to new id of each job that DLI reports as imported."""
        return {int(old): new for old, new in self.mapping.items()}

    def clear(self) -> None:
        """Delete what is saved: nothing is left to resume."""
        self._state.clear()

    @property
    def archives(self) -> set[str | None]:
        """Names of all archives of which this task has imported something."""
        return {*self.imported, self.importing}


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """A job of the backup, its state in the project now, and what is done with it.

    :param renamed_to: what a missing job is called now, if it was renamed since the backup
    """

    pair: JobPair
    selected: bool
    action: Action
    renamed_to: str | None = None

    @property
    def state(self) -> str:
        """``missing``, ``changed`` or ``equal``."""
        return _STATES[self.pair.kind]

    @property
    def row(self) -> tuple[object, ...]:
        """It as a row of a table."""
        after = self.pair.after
        differs = self.pair.summary if self.pair.kind == "changed" else None
        if self.renamed_to is not None:
            differs = f"it is called {self.renamed_to} now, and stays"
        return self.pair.job_id, self.pair.name, self.state, after and after.status, self.action, differs

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        after = self.pair.after
        return {
            "old_job_id": self.pair.job_id,
            "name": self.pair.name,
            "state": self.state,
            "job_id": after.job_id if after else None,
            "status": after.status if after else None,
            "action": self.action,
            "renamed_to": self.renamed_to,
            "differences": [each["field"] for each in self.pair.settings],
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """What a restore does."""

    catalogue: Catalogue
    backup: Backup
    target: DliHook
    options: RestoreParameters
    jobs: tuple[PlannedJob, ...]
    #: to be imported, and whether jobs of the same names are replaced by its jobs
    archives: tuple[tuple[Archive, bool], ...]
    #: for which nothing is sent
    problems: tuple[str, ...]
    #: jobs that older backups have and this one lacks, each with the newest of these
    not_in_backup: tuple[dict[str, Any], ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many jobs there are of each action."""
        return dict(Counter(each.action for each in self.jobs))

    @property
    def selected(self) -> dict[int, PlannedJob]:
        """The selected jobs, by their ids in the backup."""
        return {each.pair.job_id: each for each in self.jobs if each.selected}

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values, without the jobs with which nothing is done, and not more than 200."""
        jobs = [each for each in self.jobs if each.action != "none"]
        manifest = self.backup.manifest
        return {
            "backup_id": self.backup.backup_id,
            "project_id": self.backup.project_id,
            "place": self.backup.place.url,
            "exported_at": manifest.exported_at.isoformat() if manifest else None,
            "archives": [
                {"zip_file": str(self.backup.archive(archive)), "is_cover": is_cover}
                for archive, is_cover in self.archives
            ],
            "counts": self.counts,
            "problems": list(self.problems),
            "not_in_backup": list(self.not_in_backup[:MAX_JOBS]),
            "jobs": [each.as_dict() for each in jobs[:MAX_JOBS]],
            "omitted": max(0, len(jobs) - MAX_JOBS),
        }

    def log(self, log: Logger) -> None:
        """Log it as a table, the jobs first with which something is done."""
        for job in self.jobs:
            if job.action == "replace" and job.state == "equal":
                log.warning(
                    "Job %d %s is replaced although it is equal, since its whole archive is imported.",
                    job.pair.job_id,
                    job.pair.name,
                )
        counts = ", ".join(f"{action}: {number:,}" for action, number in self.counts.items()) or "no job"
        log.info(
            "The plan for project %s imports %s: %s.",
            *(self.target.project_id, pluralize(len(self.archives), "archive"), counts),
        )
        rows = sorted(self.jobs, key=lambda each: each.action == "none")
        log_table(log, ("id", "name", "now", "status", "action", "differs"), [each.row for each in rows])

    def raise_for_problems(self) -> None:
        """Raise if it cannot be carried out as it was meant.

        :raises DliFailException: naming the jobs; nothing was sent
        """
        if self.problems:
            raise DliFailException(f"Nothing was restored: {format_ids(self.problems, ' | ')}")


def make_plan(
    options: RestoreParameters,
    catalogue: Catalogue,
    backup: Backup,
    target: DliHook,
    progress: Progress,
    log: Logger,
) -> Plan:
    """Compare the backup with the project and return the plan.

    :raises DliException: if a name or id is not in the backup, or the backup or the project cannot be read
    """
    _log_backup(backup, target, log)
    found = diff_with_project(catalogue, backup, target, by_name=True, imported=progress.new_ids)
    if found.absent:
        log.warning(
            "No archive of the backup has these jobs, so they are not restored: %s", format_jobs(found.absent)
        )
    pairs = {each.job_id: each for each in sorted(found.pairs, key=lambda pair: pair.job_id) if each.before}
    selected = _selected(options, pairs, lambda: older_jobs(catalogue, backup, pairs.keys(), options.level, log))
    others = _not_in_backup(catalogue, backup, pairs, options, log) if options.selects_all_jobs else ()
    contents = _contents(backup, pairs)
    archives: dict[str, tuple[Archive, bool]] = {}
    for archive in backup.manifest.archives if backup.manifest else ():
        kinds = {pairs[job_id].kind for job_id in contents[archive.name] & selected}
        is_cover = options.on_conflict == "replace" and "changed" in kinds
        if archive.name == progress.importing:
            archives[archive.name] = archive, progress.is_cover
        elif is_cover or "removed" in kinds:
            archives[archive.name] = archive, is_cover

    def jobs_of(names: Iterable[str]) -> set[int]:
        return {job_id for name in names for job_id in contents.get(name, ())}

    imported = jobs_of(archives)
    is_same_project = backup.project_id == target.project_id
    renamed = {each.job_id: each.name for each in found.pairs if each.kind == "added" and is_same_project}
    # What this task has imported is compared in the end: it is not in the way.
    ours = jobs_of(filter(None, progress.archives))
    covered = jobs_of(name for name, (_, is_cover) in archives.items() if is_cover)
    jobs = tuple(
        PlannedJob(
            each,
            job_id in selected,
            _action(
                each,
                options,
                selected=job_id in selected,
                imported=job_id in imported,
                covered=job_id in covered,
                ours=job_id in ours,
            ),
            renamed.get(job_id) if each.kind == "removed" else None,
        )
        for job_id, each in pairs.items()
    )
    problems = tuple(_problems(jobs, covered - ours, imported))
    return Plan(catalogue, backup, target, options, jobs, tuple(archives.values()), problems, others)


def _not_in_backup(
    catalogue: Catalogue, backup: Backup, pairs: Mapping[int, JobPair], options: RestoreParameters, log: Logger
) -> tuple[dict[str, Any], ...]:
    """Return the jobs that older backups have and the chosen one lacks, and warn of them.

    A key without ``dli:jobs:listAll`` makes a smaller backup of "all" jobs, which nothing else shows.
    """
    ids, names = set(pairs), {each.name for each in pairs.values()}
    found: list[dict[str, Any]] = []
    for older, job in older_jobs(catalogue, backup, ids, options.level, log):
        # A job that was restored or made again since has its name, and one that was renamed its id.
        if job.job_id not in ids and job.name not in names:
            found.append({"job_id": job.job_id, "name": job.name, "backup_id": older.backup_id})
        ids.add(job.job_id)
        names.add(job.name)
    if found:
        listed = format_ids([f"{each['job_id']} {each['name']} ({each['backup_id']})" for each in found], "; ")
        log.warning(
            "Older backups have %s that this one lacks, %sdeleted since or not visible to the key that made it "
            "(without dli:jobs:listAll a user sees only its own jobs): %s. They are not restored: to restore "
            "them, give backup_id, with job_names for these jobs only.",
            pluralize(len(found), "job"),
            "unchanged, " if backup.bases else "",
            listed,
        )
    return tuple(found)


def _log_backup(backup: Backup, target: DliHook, log: Logger) -> None:
    manifest = backup.manifest
    if manifest:
        log.info(
            "Backup %s of project %s has %s. It was exported at %s, and verified (%s) at %s.",
            *(backup.place.url, backup.project_id, pluralize(manifest.jobs.count, "job")),
            *(utc(manifest.exported_at), backup.level),
            utc(backup.last_verified) if backup.last_verified else "no known time",
        )
    if manifest and not manifest.is_all_jobs:
        log.warning("The backup has a selection of the jobs of the project: %s", manifest.selection)
    if backup.project_id != target.project_id:
        log.info("It is restored into another project, %s.", target.project_id)


def _selected(
    options: RestoreParameters,
    pairs: Mapping[int, JobPair],
    older: Callable[[], Iterator[tuple[Backup, Job]]],
) -> set[int]:
    """Return the ids of the selected jobs.

    :param older: jobs of older backups, for the message
    :raises DliFailException: naming what selects none
    """
    if options.selects_all_jobs:
        return set(pairs)
    names = {job_id: each.name for job_id, each in pairs.items()}
    by_name = {pattern: named_ids(names, [pattern]) for pattern in options.job_names}
    if missing := [pattern for pattern, found in by_name.items() if not found]:
        advice = remedy_for(older(), missing) or "Give names or wildcards of the backup."
        raise DliFailException(f"job_names: the backup has no job named {format_ids(missing)}.", advice=advice)
    if absent := [job_id for job_id in options.job_ids if job_id not in pairs]:
        advice = remedy_for(older(), absent) or "Give ids of the backup."
        raise DliFailException(f"job_ids: the backup has no job {format_ids(absent)}.", advice=advice)
    return set().union(options.job_ids, *by_name.values())


def _contents(backup: Backup, jobs: Iterable[int]) -> dict[str, set[int]]:
    """Return which jobs an archive has, by name; of one that is not known, all that are in no other."""
    archives = backup.manifest.archives if backup.manifest else ()
    listed = {job_id for archive in archives for job_id in archive.job_ids or ()}
    known = set(jobs)
    return {each.name: known - listed if each.job_ids is None else known & set(each.job_ids) for each in archives}


def _action(
    pair: JobPair, options: RestoreParameters, *, selected: bool, imported: bool, covered: bool, ours: bool
) -> Action:
    if not selected:
        return "create and delete" if imported and pair.kind == "removed" else "none"
    if pair.kind == "removed":
        return "create"
    if covered:
        return "replace"
    if pair.kind == "equal" or ours:
        return "none"
    return "conflict" if options.on_conflict == "fail" else "keep"


def _problems(jobs: Sequence[PlannedJob], covered: set[int], imported: set[int]) -> Iterator[str]:
    if conflicts := [each for each in jobs if each.action == "conflict"]:
        listed = format_ids(
            [f"{each.pair.job_id} {each.pair.name} ({each.pair.summary})" for each in conflicts], "; "
        )
        yield (
            f"{pluralize(len(conflicts), 'job differs', 'jobs differ')} in the project from the backup: "
            f"{listed} (give on_conflict='keep' to keep them, or 'replace' to replace them)"
        )
    others = [each for each in jobs if not each.selected and each.pair.job_id in covered and each.pair.after]
    if others:
        listed = format_ids([f"{each.pair.job_id} {each.pair.name}" for each in others])
        yield (
            "on_conflict='replace' would replace jobs that are not selected, since DLI imports a whole archive: "
            f"{listed} (select them too, or delete the jobs to be restored first and give 'keep')"
        )
    if nowhere := [each for each in jobs if each.action == "create" and each.pair.job_id not in imported]:
        listed = format_ids([f"{each.pair.job_id} {each.pair.name}" for each in nowhere])
        yield f"no archive of the backup has {listed} (restore another backup)"
