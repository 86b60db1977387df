"""Restore the jobs of a project as they were at a point in time, in the order in which it happens.

Choose the backup, compare it with the project, plan, verify the archives, import those that are needed, delete
what was created with them and not selected, and compare what was restored with its kept settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.choice import choose_backup
from airflow_provider_dli.backups.diff import JobPair, diff_with_project
from airflow_provider_dli.backups.manifest import Archive, Run
from airflow_provider_dli.backups.restore_plan import MAX_JOBS, Plan, Progress
from airflow_provider_dli.backups.state import Backup
from airflow_provider_dli.backups.verification import record_verification
from airflow_provider_dli.exceptions import DliException, DliFailException, read_parameters, translated
from airflow_provider_dli.formatting import format_ids, pluralize
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.parameters.models import ImportParameters, RestoreParameters
from airflow_provider_dli.services.jobs import delete_created
from airflow_provider_dli.services.restore import import_jobs
from airflow_provider_dli.services.verify import VerifyOptions, raise_for_failures, verify_archives
from airflow_provider_dli.task_state import TaskState

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_dli.services.report import ArchiveReport
    from airflow_provider_dli.services.restore import ImportOutcome


@dataclass(slots=True)
class Restoration:
    """The outcome of a restore."""

    plan: Plan
    #: the selected jobs, compared after the import
    compared: list[JobPair] = field(default_factory=list)
    #: ids of the selected jobs that were created
    created: list[int] = field(default_factory=list)
    #: ids of the jobs that were created with them and deleted again
    deleted: list[int] = field(default_factory=list)
    #: ids, in the backup, of the jobs that DLI reports as imported
    imported: frozenset[int] = frozenset()
    problems: list[str] = field(default_factory=list)

    @property
    def job_ids(self) -> list[int]:
        """Ids, in the project, of the selected jobs that are now as in the backup."""
        return [each.after.job_id for each in self.compared if each.after and self._is_restored(each)]

    def _is_restored(self, pair: JobPair) -> bool:
        planned = self.plan.selected[pair.job_id].action in ("create", "replace")
        is_imported = planned or pair.job_id in self.imported
        return pair.kind == "equal" or (pair.kind == "changed" and is_imported and _may_differ(pair))

    def rows(self) -> list[dict[str, Any]]:
        """Return each selected job as plain JSON values."""
        planned = self.plan.selected
        return [
            {
                "old_job_id": each.job_id,
                "new_job_id": each.after.job_id if each.after else None,
                "name": each.name,
                "action": planned[each.job_id].action,
                "equal": each.kind == "equal",
            }
            for each in self.compared
        ]

    def comparison(self) -> dict[str, Any]:
        """Return the comparison with the backup as plain JSON values, with at most 200 jobs."""
        different = [each for each in self.compared if each.kind != "equal"]
        manifest = self.plan.backup.manifest
        return {
            "jobs": len(self.compared),
            "equal": len(self.compared) - len(different),
            "by": "settings" if manifest and manifest.settings else "digest",
            "different": [each.as_dict() for each in different[:MAX_JOBS]],
        }

    @property
    def restored(self) -> int:
        """How many jobs were created or replaced, and are as in the backup."""
        actions = {job_id: each.action for job_id, each in self.plan.selected.items()}
        done = [each for each in self.compared if actions[each.job_id] == "replace"]
        return len(self.created) + sum(each.kind == "equal" for each in done)

    def raise_for_failures(self) -> None:
        """Raise unless each selected job is as in the backup, or was to be kept.

        :raises DliFailException: naming each other job, and what differs
        """
        if not self.problems:
            return
        raise DliFailException(
            f"{format_ids(self.problems, ' | ')}. What was done: {pluralize(len(self.created), 'job')} created, "
            f"{len(self.job_ids):,} of {pluralize(len(self.compared), 'job')} as in the backup."
        )


def prepare(operator: object) -> tuple[RestoreParameters, DliHook, Catalogue]:
    """Check all parameters; return them, a hook of the project to restore into, and the catalogue."""
    options = read_parameters(RestoreParameters, operator)
    obs = ObsHook(options.source_conn_id or options.dli_conn_id)
    return options, DliHook(options.dli_conn_id), Catalogue(obs, options.backup_dir)


def begin(
    options: RestoreParameters, target: DliHook, catalogue: Catalogue, context: Mapping[str, Any], log: Logger
) -> tuple[Backup, Progress]:
    """Return the backup to restore, that of an earlier attempt if there is one, and what was done so far.

    :raises DliFailException: if there is no usable backup
    """
    project_id, progress = options.project_id or target.project_id, Progress(context)
    # A task with other parameters continues nothing.
    chosen = options.model_dump(mode="json", include={"as_of", "backup_id", "level", "job_names", "job_ids"})
    request = {**chosen, "place": str(catalogue.root.below(project_id)), "into": target.project_id}
    earlier = progress.backup_of(request)
    backup = catalogue.backup(project_id, earlier) if earlier else None
    if backup and backup.is_usable(options.level):
        log.info("An earlier attempt began to restore %s.", backup.place.url)
    else:
        backup = choose_backup(options, catalogue, project_id, log)
    if not options.plan_only:
        progress.begin(request, backup.backup_id)
    return backup, progress


@contextmanager
def reading(
    options: RestoreParameters, catalogue: Catalogue, backup: Backup, context: Mapping[str, Any], log: Logger
) -> Iterator[None]:
    """Keep the backup from being deleted while it is restored; a plan alone writes nothing.

    :raises DliFailException: if it is being deleted
    """
    run = Run.of(context)
    with ExitStack() as stack:
        if not options.plan_only:
            stack.enter_context(catalogue.reading(backup, {"restore": run and run.model_dump()}, log))
        yield


def apply(plan: Plan, progress: Progress, context: Mapping[str, Any], log: Logger) -> Restoration:
    """Carry out a plan.

    :param context: of the task
    :returns: the outcome; jobs that are not as in the backup raise only in :meth:`Restoration.raise_for_failures`
    :raises DliException: if the plan has problems, an archive is damaged, DLI refuses, or does not respond
    """
    plan.raise_for_problems()
    reports = verify(plan, context, log) if plan.options.verify_archive else {}
    _delete(plan, progress, context, log)
    for number, (archive, is_cover) in enumerate(plan.archives, 1):
        log.info("Importing archive %d of %d: %s", number, len(plan.archives), plan.backup.archive(archive).url)
        progress.save(importing=archive.name, is_cover=is_cover)
        report = reports.get(archive.name)
        try:
            outcome = _import(plan, archive, is_cover, [report] if report else [], context, log)
        except DliException as failure:
            done = f"{number - 1} of {pluralize(len(plan.archives), 'archive')} imported before"
            raise type(failure)(f"{failure.problem}. {done}.", advice=failure.advice) from failure.__cause__
        _keep(plan, progress, archive, outcome, log)
        _import_state(context).clear()
        _delete(plan, progress, context, log)
    mapping = progress.new_ids
    after = diff_with_project(plan.catalogue, plan.backup, plan.target, by_name=True, imported=mapping)
    known = {each.job_id: each for each in after.pairs if each.before}
    compared = [known[job_id] for job_id in plan.selected]
    # Others appear in a project too.
    ours = {*mapping.values(), *(each.after.job_id for each in compared if each.after)}
    progress.created = [job_id for job_id in progress.created if job_id in ours]
    restoration = Restoration(plan, compared, progress.created, progress.deleted, frozenset(mapping))
    restoration.problems += _failures(plan, progress, restoration)
    if uncertain := [each for each in compared if each.kind == "changed" and _may_differ(each)]:
        log.warning(
            "%s backed up, so that they may be as before or as after: %s",
            pluralize(len(uncertain), "job was changed while it was", "jobs were changed while they were"),
            format_ids([*map(_words, uncertain)]),
        )
    selected = pluralize(len(compared), "selected job")
    log.info(
        "The project has %s of %s as in the backup; the task created %s of them.",
        *(f"{len(restoration.job_ids):,}", selected, f"{len(restoration.created):,}"),
    )
    progress.clear()
    return restoration


def verified(plan: Plan, context: Mapping[str, Any], log: Logger) -> list[dict[str, Any]]:
    """Return the selected jobs of a plan that is not carried out; verify its archives, if it would."""
    if plan.options.verify_archive:
        verify(plan, context, log)
    for problem in plan.problems:
        log.warning("With these parameters nothing would be restored: %s", problem)
    log.info("Plan only: nothing is restored.")
    return Restoration(plan, [each.pair for each in plan.selected.values()]).rows()


def verify(plan: Plan, context: Mapping[str, Any], log: Logger) -> dict[str, ArchiveReport]:
    """Verify the archives to be imported, and record it if one is damaged: no other restore uses this backup."""
    catalogue, backup = plan.catalogue, plan.backup
    archives = {backup.archive(archive): archive for archive, _ in plan.archives}
    if not archives:
        return {}
    reports = verify_archives(catalogue.obs, list(archives), VerifyOptions(), log)
    by_name = {archives[each.place].name: each for each in reports}
    changed = [
        f"{archives[each.place].name}: its SHA-256 is {each.report.sha256} and was {archives[each.place].sha256}"
        for each in reports
        if each.verified and each.report and archives[each.place].sha256 not in (None, each.report.sha256)
    ]
    try:
        raise_for_failures(reports)
        _raise_for_changed(changed)
    except DliFailException as failure:
        if plan.options.plan_only:
            raise
        damaged = [str(each) for each in reports if not each.verified]
        record_verification(catalogue, backup, [*damaged, *changed], by_name, Run.of(context))
        advice = "This is recorded in the catalogue: restore again, and the usable backup before it is used."
        raise DliFailException(f"{failure.problem}.", advice=advice) from failure.__cause__
    return by_name


def _raise_for_changed(changed: Sequence[str]) -> None:
    if changed:
        problem = f"The backup is not what was verified: {format_ids(changed, '; ')}."
        raise DliFailException(problem, advice="Restore from another backup.")


def _import(
    plan: Plan,
    archive: Archive,
    is_cover: bool,  # noqa: FBT001 -- with its archive
    reports: Sequence[ArchiveReport],
    context: Mapping[str, Any],
    log: Logger,
) -> ImportOutcome:
    options = plan.options
    given: dict[str, Any] = {
        "zip_file": str(plan.backup.archive(archive)),
        "is_cover": is_cover,
        # A job that exists is not in the way: what counts is compared in the end.
        "on_conflict": "keep",
        "verify_archive": options.verify_archive,
        "dli_conn_id": options.dli_conn_id,
        "plan_only": False,
        "reconcile_timeout": options.reconcile_timeout,
        **({"staging_dir": str(options.staging_dir)} if options.staging_dir else {}),
    }
    with translated():
        parameters = ImportParameters.read(given)
    state = _import_state(context)
    return import_jobs(parameters, plan.target, plan.catalogue.obs, state, log, reports)


def _import_state(context: Mapping[str, Any]) -> TaskState:
    return TaskState(context, "dli_import")


def _keep(plan: Plan, progress: Progress, archive: Archive, outcome: ImportOutcome, log: Logger) -> None:
    """Save the outcome of one import: what it has created, and what of it is to be deleted again."""
    is_selection = not plan.options.selects_all_jobs
    there = {each.pair.job_id: each.pair.after and each.pair.after.job_id for each in plan.jobs}
    unwanted = [each for each in outcome.jobs if is_selection and each.old_job_id not in plan.selected]
    to_delete = {each.new_job_id: each.name or "?" for each in unwanted if each.created and each.new_job_id}
    if unlisted := [each for each in outcome.jobs if not is_selection and each.old_job_id not in there]:
        log.warning(
            "The archive has jobs that the backup does not list: %s",
            format_ids([f"{each.old_job_id} as {each.new_job_id} {each.name}" for each in unlisted]),
        )
    # The archive may have another name than the list, and a job of that name is replaced.
    replaced = [
        f"{each.new_job_id} {each.name}"
        for each in outcome.jobs
        if each.name and not each.created and each.new_job_id != there.get(each.old_job_id)
    ]
    progress.save(
        importing=None,
        imported=[*progress.imported, archive.name],
        created=[*progress.created, *(each for each in outcome.created if each not in to_delete)],
        mapping={
            **progress.mapping,
            **{str(each.old_job_id): each.new_job_id for each in outcome.jobs if each.name},
        },
        to_delete={str(job_id): name for job_id, name in to_delete.items()},
        uncertain=[*progress.uncertain, *_uncertain(plan, outcome)],
        replaced=[*progress.replaced, *replaced],
    )


def _uncertain(plan: Plan, outcome: ImportOutcome) -> Iterator[str]:
    """Yield the jobs beside the selected that a request whose response was lost may have created.

    A job of another name than the backup lists may be one of them only if the response leaves one unexplained:
    others create jobs too.
    """
    mapped = {each.new_job_id for each in outcome.jobs}
    new = {job_id: outcome.appeared[job_id] for job_id in outcome.created if job_id not in mapped}
    names = {each.pair.job_id: each.pair.name for each in plan.jobs}
    selected = {each.pair.name for each in plan.selected.values()}
    omitted = [each.old_job_id for each in outcome.jobs if each.new_job_id is None]
    is_open = any(names.get(job_id) not in new.values() for job_id in omitted)
    for job_id, name in new.items():
        if name not in selected and (is_open or name in names.values()):
            yield f"{job_id} {name}"


def _delete(plan: Plan, progress: Progress, context: Mapping[str, Any], log: Logger) -> None:
    """Delete the jobs that an import has created beside the selected ones, and no others."""
    if jobs := {int(job_id): name for job_id, name in progress.to_delete.items()}:
        delete_created(plan.target, jobs, context, log)
        progress.save(deleted=[*progress.deleted, *jobs], to_delete={})


def _may_differ(pair: JobPair) -> bool:
    """Return whether a job was changed while it was backed up, so that its archive may have other settings."""
    return pair.before is not None and pair.before.is_changed


def _words(pair: JobPair) -> str:
    """Return a job of the backup, and how it is called if DLI has imported it under another name."""
    after = pair.after
    renamed = f" as {after.job_id} {after.name}" if after and after.name != pair.name else ""
    return f"{pair.job_id} {pair.name}{renamed}"


def _failures(plan: Plan, progress: Progress, restoration: Restoration) -> Iterator[str]:
    missing = [each for each in restoration.compared if each.kind == "removed"]
    changed = [each for each in restoration.compared if each.kind == "changed" and not _may_differ(each)]
    if missing:
        now = {each.job_id: plan.selected[each.job_id].renamed_to for each in missing}
        listed = format_ids(
            [_words(each) + (f", called {name} now" if (name := now[each.job_id]) else "") for each in missing]
        )
        yield (
            f"not restored, for this key sees no jobs of these names: {listed} (those of other users it sees with "
            "dli:jobs:listAll only; the archive may have one under another name, of which a job exists; if it "
            "lacks them, restore from an older backup by backup_id)"
        )
    for each in changed:
        if plan.selected[each.job_id].action != "keep":
            yield f"job {_words(each)}: {each.summary}"
    if progress.uncertain and (missing or not plan.options.selects_all_jobs):
        yield (
            "a response was lost, so it is not known whether this task has created jobs beside the selected: "
            f"{format_ids(progress.uncertain)}; delete them if nobody else did"
        )
    if progress.replaced:
        yield (
            "the archive has jobs under other names than the backup lists, and has replaced those of these names: "
            f"{format_ids(progress.replaced)}; check them"
        )
