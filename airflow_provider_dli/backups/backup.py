"""Back up Flink jobs, from the parameters to the manifest, in the order in which it happens.

1. The id of the backup is kept in the task state: a later attempt of the task continues the same directory.
2. The jobs are listed with all their settings, which are written before anything is exported.
3. ``services.export`` exports just these jobs, by their ids, in batches.
4. They are listed again: jobs that are new are named, jobs that were deleted need not be in the archives.
5. ``services.verify`` reads all archives, and searches for each job in the archives of its batch.
6. The manifest is written. Before it there is no backup: if anything fails, there is none.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from airflow_provider_dli import __version__
from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.choice import why_unusable
from airflow_provider_dli.backups.diff import row_of
from airflow_provider_dli.backups.incremental import unchanged_jobs, youngest_copies
from airflow_provider_dli.backups.manifest import (
    ARCHIVES,
    JOBS,
    LISTED,
    SETTINGS,
    Archive,
    Content,
    Job,
    JobSettings,
    Manifest,
    Run,
    Verification,
)
from airflow_provider_dli.backups.state import Backup
from airflow_provider_dli.client.flink.settings import settings_digest
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.formatting import format_ids, pluralize
from airflow_provider_dli.lineage import Lineage, jobs_dataset, obs_dataset
from airflow_provider_dli.parameters.models import BackupParameters, ExportParameters
from airflow_provider_dli.services import export, verify
from airflow_provider_dli.services.concurrency import in_order
from airflow_provider_dli.services.deadline import Deadline
from airflow_provider_dli.services.report import ArchiveReport, finding_line, log_reports
from airflow_provider_dli.services.selection import list_with_settings, matching_jobs
from airflow_provider_dli.services.visibility import (
    SeenBefore,
    VisibleJobs,
    checked_jobs,
    last_seen,
    raise_for_missing,
    raise_for_none,
)
from airflow_provider_dli.task_state import TaskState

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_dli.client.flink import FlinkJob
    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.hooks.obs import ObsHook

#: findings that a manifest has; there may be a hundred of each kind in each archive
_MAX_FINDINGS = 1000


def prepare(operator: object) -> tuple[BackupParameters, DliHook, ObsHook]:
    """Return the parameters of an operator, all of them checked, and the hooks of its connection."""
    return export.prepare(operator, BackupParameters)


def back_up(
    options: BackupParameters, dli: DliHook, obs: ObsHook, context: Mapping[str, Any], log: Logger
) -> BackupOutcome:
    """Back up jobs.

    :returns: also where an export or a verification has failed: see :attr:`BackupOutcome.failure`
    :raises DliException: if DLI or OBS does not respond, or refuses
    """
    task = _Task(options, dli, Catalogue(obs, options.backup_dir), context, log)
    if made := task.begin():
        return made
    jobs = task.list_jobs()
    before = last_seen(options, dli.project_id, context, log) or task.last_backed_up()
    visible = checked_jobs(task.listed, options, dli, before, log, damaged=task.damaged)
    task.outcome = replace(task.outcome, visible=visible)
    if jobs:
        task.write_list()
        if task.export(visible):
            task.compare()
            if task.verify():
                task.write_manifest()
    return task.outcome


@dataclass(frozen=True, slots=True)
class BackupOutcome:
    """The outcome of a backup.

    :param place: its directory
    :param state: of the task: see :meth:`end`
    :param visible: the jobs that were listed; None if an earlier attempt has made the backup
    :param zip_file: the archives, each as ``bucket/key``
    :param details: of the export, by XCom key: ``failed``, ``vanished``, ``extra_archives``
    :param is_unchanged: whether there is nothing to back up, since backups have all jobs as they are
    :param reports: on the archives, as far as they were verified
    :param manifest: None if there is no backup, since there are no jobs or something failed
    :param failure: of the export or the verification
    """

    place: ObsLocation
    state: TaskState
    visible: VisibleJobs | None = None
    zip_file: Sequence[str] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    is_unchanged: bool = False
    reports: Sequence[ArchiveReport] = ()
    manifest: Manifest | None = None
    failure: DliException | None = None

    @property
    def summary(self) -> dict[str, Any] | None:
        """What the task returns, small however many jobs there are; None if there is no backup."""
        if self.manifest is None:
            return None
        return {
            "backup_id": self.manifest.backup_id,
            "place": str(self.place),
            "project_id": self.manifest.project_id,
            "jobs": self.manifest.jobs.count,
            "archives": len(self.manifest.archives),
            "bytes": self.manifest.size,
            "exported_at": self.manifest.exported_at.isoformat(),
        }

    @property
    def xcoms(self) -> dict[str, Any]:
        """What the task pushes, by the XCom keys."""
        pushed: dict[str, Any] = {"zip_file": list(self.zip_file), **self.details}
        pushed |= self.visible.xcoms if self.visible else {}
        if self.manifest:
            pushed |= {"return_value": self.summary, "backup_id": self.manifest.backup_id}
            pushed["not_included"] = list(self.manifest.not_included)
        return pushed

    @property
    def proofs(self) -> dict[str, dict[str, Any]]:
        """What was verified of each archive, for an asset's event."""
        if self.manifest is None:
            return {}
        known = {
            "verified": True,
            "level": self.manifest.verification.level,
            "backup_id": self.manifest.backup_id,
        }
        return {
            str(self.place.below(archive.name)): known
            | {"size": archive.size, "sha256": archive.sha256, "entries": archive.entries}
            for archive in self.manifest.archives
        }

    def lineage(self, dli: DliHook) -> Lineage:
        """Return which jobs went into which archives, and what was verified of them."""
        verified = [report.dataset for report in self.reports]
        facts = {
            "region": dli.account.region,
            "projectId": dli.project_id,
            "backupId": self.place.key.split("/")[-1],
        }
        outputs = verified or [obs_dataset(archive) for archive in self.zip_file]
        return Lineage(inputs=[jobs_dataset(dli)], outputs=outputs, facts=facts)

    def end(self) -> None:
        """Forget the backup: a task that is cleared from now on makes another one."""
        self.state.clear()


def raise_for_failures(result: BackupOutcome, options: BackupParameters) -> None:
    """Raise if there is no backup that should be one, or jobs are missing that the last run saw.

    :raises DliException: naming what failed and why
    """
    if result.failure:
        raise result.failure
    raise_for_missing(result.visible, options)
    raise_for_none(result.visible, options)


class _Task:
    """One attempt of a task, with what is known so far.

    :param known: kept over the attempts: what was to be backed up, id, times, what was listed and exported
    """

    known: dict[str, Any]

    def __init__(
        self,
        options: BackupParameters,
        dli: DliHook,
        catalogue: Catalogue,
        context: Mapping[str, Any],
        log: Logger,
    ) -> None:
        self.options, self.dli, self.catalogue, self.context, self.log = options, dli, catalogue, context, log
        self.state = TaskState(context, "dli_backup")
        #: what an earlier attempt has written
        self.begun: Backup | None = None
        self.jobs: list[Job] = []
        #: ids of the jobs that are selected, also of those that have not changed since their last backup
        self.listed: list[int] = []
        #: of the latter, as far as they were listed by this attempt, their last backups
        self.unchanged: dict[int, Backup] = {}
        #: jobs as the last backups of each have them; None before they are needed
        self.copies: dict[int, tuple[Job, Backup]] | None = None
        #: why newer backups, of all jobs, are not what the jobs are compared with
        self.damaged: list[str] = []
        #: jobs that were updated between the lists and have the same settings in both
        self.touched: set[int] = set()
        #: the listed jobs with their settings; empty if an earlier attempt has listed them
        self.seen: dict[int, FlinkJob] = {}

    def begin(self) -> BackupOutcome | None:
        """Take up the directory of an earlier attempt, or begin one; return the backup if it is already made."""
        options, project = self.options, self.dli.project_id
        of = f"{options.backup_dir} {project} {options.job_selected} {options.selection}"
        of = sha256(of.encode(errors="backslashreplace")).hexdigest()
        self.known = self.state.load()
        if self.known.get("of") == of:
            self.begun = self.catalogue.backup(project, self.known["backup_id"])
        if self.begun is None:
            now = self.catalogue.now()
            self.known = {"of": of, "backup_id": self.catalogue.new_id(now), "started_at": now.isoformat()}
            self.state.save(self.known)
        self.place = self.catalogue.place(project, self.known["backup_id"])
        self.outcome = BackupOutcome(self.place, self.state)
        if self.begun and self.begun.manifest:
            self.log.info("An earlier attempt has made the backup %s.", self.place.url)
            made = self.begun.manifest
            archives = [str(self.place.below(archive.name)) for archive in made.archives]
            return replace(self.outcome, zip_file=archives, manifest=made)
        if self.begun:
            self.log.info("Continuing the backup that an earlier attempt has begun.")
        self.log.info("Backing up Flink jobs (%s) of project %s to %s.", options.selected, project, self.place.url)
        return None

    def _keep(self, **known: Any) -> None:  # noqa: ANN401 -- any JSON
        self.known |= known
        self.state.save(self.known)

    # The jobs.

    def list_jobs(self) -> list[Job]:
        """List the jobs to back up, with their settings; or return those that an earlier attempt has listed.

        :raises DliFailException: if the key does not see a job that is named
        """
        if self.begun and (listed := self.known.get("listed")):
            self.jobs = list(self.catalogue.lines(self.begun, LISTED, Content(**listed), Job))
            self.log.info("Continuing with the %s that were listed.", pluralize(len(self.jobs), "job"))
            self.listed = [job.job_id for job in self.jobs]
            if self.options.selection.is_incremental:
                there = self._list()
                self.listed = sorted({*self.listed, *self._selected(there)})
            return self.jobs
        there = self._list()
        if missing := sorted(set(self.options.job_selected or ()) - set(there)):
            raise DliFailException(
                f"job_selected: this key sees no job {format_ids(missing)} in project {self.dli.project_id}. "
                "Nothing was exported.",
                advice="Name jobs that it sees.",
            )
        self.listed = self._selected(there)
        rows = {job_id: row_of(there[job_id]) for job_id in self.listed}
        self.unchanged = self._unchanged(rows)
        self.jobs = [row for job_id, row in rows.items() if job_id not in self.unchanged]
        self.seen = {job.job_id: there[job.job_id] for job in self.jobs}
        number, identity = pluralize(len(there), "Flink job"), self.dli.account.credentials.identity
        self.log.info(
            "This key (%s) sees %s. The task backs up %s.", identity, number, pluralize(len(self.jobs), "job")
        )
        if self.unchanged:
            backups = Counter(backup.backup_id for backup in self.unchanged.values())
            self.log.info(
                "%s unchanged since the last backup: %s.",
                pluralize(len(self.unchanged), "selected Flink job is", "selected Flink jobs are"),
                format_ids([f"{number:,} of {backup_id}" for backup_id, number in sorted(backups.items())]),
            )
            self.outcome = replace(self.outcome, is_unchanged=not self.jobs)
        return self.jobs

    def _list(self) -> dict[int, FlinkJob]:
        """List the jobs that the key sees now, with their settings; return them by their ids."""
        return {job.job_id: job for job in list_with_settings(self.dli)}

    def _selected(self, there: Mapping[int, FlinkJob]) -> list[int]:
        """Return the ids of the jobs that are selected, of those that are there."""
        if self.options.job_selected is not None:
            return sorted(set(self.options.job_selected) & set(there))
        selection = self.options.selection.of_project
        if not selection.used_filters():
            return list(there)
        return sorted({job.job_id for job in matching_jobs(self.dli, selection)} & set(there))

    def _unchanged(self, rows: Mapping[int, Job]) -> dict[int, Backup]:
        """Return which jobs are omitted, since they are in a backup as they are: none of a full backup."""
        if not self.options.selection.is_incremental:
            return {}
        if self.copies is None:
            level, project_id = self.options.level, self.dli.project_id
            self.copies = youngest_copies(self.catalogue, project_id, rows, level, self.log)
        return unchanged_jobs(rows.values(), self.copies)

    def last_backed_up(self) -> SeenBefore | None:
        """Return the jobs of the newest backup of all jobs, for a task whose XComs have none: they may be lost."""
        if not self.options.compares_all_jobs:
            return None
        run = Run.of(self.context)
        for backup in self.catalogue.newest_first(self.dli.project_id):
            made = backup.manifest
            # Not that of a failed attempt of this very run: it lacks what is missing now.
            if made and (not made.is_all_jobs or (run and made.run == run)):
                continue
            if backup.state in ("damaged", "unreadable"):
                self.damaged.append(f"{backup.place.url}: {why_unusable(backup)}")
            if not backup.is_usable():
                continue
            try:
                ids = [job.job_id for job in self.catalogue.listed_jobs(backup)]
            except DliFailException as failure:
                if failure.error:
                    raise
                self.damaged.append(failure.problem)
                continue
            if self.damaged:
                self.log.warning(
                    "The jobs are compared with those of an older backup, %s, since newer ones are damaged: %s.",
                    *(backup.backup_id, format_ids(self.damaged)),
                )
            return SeenBefore(ids, f"backup {backup.backup_id}")
        return None

    def write_list(self) -> None:
        """Write what was listed, for a later attempt, and the settings, if they are kept."""
        if "listed" in self.known:
            return
        settings = None
        if self.options.keep_settings:
            kept = (JobSettings(job_id=job_id, detail=dict(job.raw)) for job_id, job in self.seen.items())
            settings = self.catalogue.write_content(self.place, SETTINGS, kept).model_dump()
        listed = self.catalogue.write_content(self.place, LISTED, self.jobs).model_dump()
        bases = sorted({backup.backup_id for backup in self.unchanged.values()})
        self._keep(listed=listed, settings=settings, bases=bases)

    def compare(self) -> None:
        """List the jobs again, and note which were deleted, changed or created since the first list."""
        there = self._list()
        listed = {job.job_id for job in self.jobs}
        # A job that is named is never another one.
        selected = [] if self.options.job_selected is not None else self._selected(there)
        others = {job_id: row_of(there[job_id]) for job_id in selected if job_id not in listed}
        self.not_included = tuple(sorted(others.keys() - self._unchanged(others).keys()))
        self.deleted = listed - set(there)
        exported = {job_id for _, ids in self.known["exported"] for job_id in ids}
        self.jobs = [
            job.model_copy(update={"is_changed": _is_changed(job, there.get(job.job_id))})
            for job in self.jobs
            if job.job_id in exported
        ]
        changed = [job.job_id for job in self.jobs if job.is_changed]
        self.touched = {
            job.job_id
            for job in self.jobs
            if not job.is_changed and job.job_id in there and job.update_time != there[job.job_id].update_time
        }
        for ids, what in (
            (self.not_included, "created or changed meanwhile, and not backed up"),
            (sorted(self.deleted), "deleted meanwhile, and perhaps not in the archive"),
            (changed, "changed meanwhile: the archive may have their settings before or after"),
            (sorted(self.touched), "updated meanwhile: the archive may have other settings than both lists"),
        ):
            if ids:
                self.log.warning(
                    "%s %s: %s", pluralize(len(ids), "Flink job was", "Flink jobs were"), what, format_ids(ids)
                )

    # The archives.

    def export(self, visible: VisibleJobs) -> bool:
        """Export the jobs, unless an earlier attempt has; return whether there is something to verify."""
        if "exported" not in self.known:
            options = ExportParameters.read(
                {
                    "obs_dir": str(self.place.below(ARCHIVES)),
                    "selection": {},
                    "allow_partial": False,
                    **{
                        name: getattr(self.options, name)
                        for name in (
                            "if_empty",
                            "batch_size",
                            "max_concurrency",
                            "dli_conn_id",
                            "reconcile_timeout",
                        )
                    },
                }
            )
            obs = self.catalogue.obs
            chosen = replace(visible, job_ids=tuple(sorted(job.job_id for job in self.jobs)))
            result = export.export_jobs(options, self.dli, obs, self.context, self.log, chosen)
            details = {key: result.xcoms[key] for key in ("failed", "vanished") if result.xcoms.get(key)}
            if extra := [archive for archive in result.extra if archive.startswith(f"{self.place}/")]:
                details["extra_archives"] = extra
            self.outcome = replace(self.outcome, zip_file=result.archives, details=details)
            try:
                # Missing jobs fail the task after the backup of the others is made.
                export.raise_for_failures(replace(result, visible=None), options, self.log)
            except DliException as failure:
                self._fail(failure, is_over=not result.archives)
                return False
            if not result.archives:
                self.state.clear()
                return False
            above = f"{self.place}/"
            exported = [
                # Not a tuple: Airflow's store takes JSON.
                [[archive.removeprefix(above) for archive in batch.zip_file], _exported(batch)]
                for batch in result.batches
                if batch.zip_file
            ]
            self._keep(exported=exported, exported_at=self.catalogue.now().isoformat(), details=details)
        zip_file = [str(self.place.below(name)) for names, _ in self.known["exported"] for name in names]
        self.outcome = replace(self.outcome, zip_file=zip_file, details=self.known["details"])
        return True

    def _fail(self, failure: DliException, *, is_over: bool) -> None:
        """Note a failure.

        :param is_over: whether a later attempt makes another backup, unless a retry may help
        """
        if is_over and isinstance(failure, DliFailException):
            self.state.clear()
        self.outcome = replace(self.outcome, failure=failure)

    def verify(self) -> bool:
        """Verify the archives; return whether they are all that is required."""
        options, wanted = self.options, self.options.expected_jobs
        #: of each batch the archives, the jobs that must be in them, and those that were requested
        groups: list[tuple[Sequence[str], Sequence[int | str], Sequence[int]]] = [
            (names, [job_id for job_id in ids if job_id not in self.deleted], ids)
            for names, ids in self.known["exported"]
        ]
        if not isinstance(wanted, str):
            groups = self._by_batch(wanted, [(names, ids) for names, _, ids in groups])
        elif wanted == "none":
            groups = [(names, (), ids) for names, _, ids in groups]
        if options.level == "exists":
            groups = [(names, (), ()) for names, _, _ in groups]
        began = time.monotonic()
        read = partial(self._read_batch, Deadline.within(options.timeout, options.poll_interval, self.log))
        reports = [report for group in in_order(read, groups, options.max_concurrency) for report in group]
        log_reports(reports, time.monotonic() - began, self.log)
        self.outcome = replace(self.outcome, reports=reports)
        searched = {str(job) for _, expected, requested in groups for job in (*expected, *requested)}
        self.absent = {job for report in reports for job in report.absent}
        unexamined = {job for report in reports for job in report.unexamined}
        self.found = searched - self.absent - unexamined
        if wanted == "listed" and (unexamined or not searched):
            self.log.warning(
                "Whether the archives have %s is not known, since not all of each archive was read or its layout "
                "is not known. Nothing is damaged; a drill shows what can be restored.",
                pluralize(len(unexamined) or len(self.jobs), "of the jobs", "of the jobs"),
            )
        try:
            verify.raise_for_failures(reports)
        except DliException as failure:
            self._fail(failure, is_over=True)
            return False
        return True

    def _read_batch(
        self, deadline: Deadline, batch: tuple[Sequence[str], Sequence[int | str], Sequence[int]]
    ) -> list[ArchiveReport]:
        """Read the archives of a batch, in which the jobs of this batch must be."""
        names, expected, requested = batch
        required = verify.VerifyOptions(
            self.options.level,
            tuple(expected),
            accepts_unexamined=self.options.expected_jobs == "listed",
            other_jobs=tuple(requested),
        )
        return verify.read_archives(
            self.catalogue.obs, [self.place.below(name) for name in names], required, deadline
        )

    def _by_batch(
        self, wanted: Sequence[int | str], batches: Sequence[tuple[Sequence[str], Sequence[int]]]
    ) -> list[tuple[Sequence[str], Sequence[int | str], Sequence[int]]]:
        """Return each batch with the jobs that must be in its own archives, since a restore reads no others.

        One that no batch has is missing, in the first.
        """
        ids_of = {job.name: job.job_id for job in self.jobs}
        batch_of = {job_id: number for number, (_, ids) in enumerate(batches) for job_id in ids}
        own: list[list[int | str]] = [[] for _ in batches]
        for job in wanted:
            job_id = job if isinstance(job, int) else ids_of.get(job)
            own[batch_of.get(job_id, 0) if job_id is not None else 0].append(job)
        return [(names, jobs, ids) for (names, ids), jobs in zip(batches, own, strict=True)]

    # The manifest.

    def write_manifest(self) -> None:
        """Write the jobs, and then the manifest: from now on there is a backup."""
        options, catalogue, known = self.options, self.catalogue, self.known
        numbers = {job.name for job in self.jobs if job.name.isdecimal()}
        jobs = [job.model_copy(update={"in_archive": self._is_in_archive(job, numbers)}) for job in self.jobs]
        if absent := [job.job_id for job in jobs if job.in_archive is False]:
            self.log.warning(
                "The archives lack %s, which this backup does not have: %s. "
                "Export again, or restore from an older backup.",
                pluralize(len(absent), "Flink job"),
                format_ids(absent),
            )
        content = catalogue.write_content(self.place, JOBS, jobs)
        now = catalogue.now()
        manifest = Manifest(
            backup_id=known["backup_id"],
            project_id=self.dli.project_id,
            region=self.dli.account.region,
            connection_id=options.dli_conn_id,
            run=Run.of(self.context),
            provider_version=__version__,
            started_at=datetime.fromisoformat(known["started_at"]),
            exported_at=datetime.fromisoformat(known["exported_at"]),
            completed_at=now,
            # An incremental backup that omits none is a full one.
            is_all_jobs=options.compares_all_jobs and not known.get("bases"),
            selection=options.selected,
            bases=tuple(known.get("bases", ())),
            not_included=self.not_included,
            jobs=content,
            settings=known["settings"] and Content(**known["settings"]),
            archives=tuple(self._archives()),
            verification=Verification(
                level=options.level,
                verified_at=now,
                passed=True,
                findings=tuple(self._findings()),
                bytes_read=sum(report.report.size for report in self.outcome.reports if report.report)
                if options.level == "full"
                else 0,
            ),
        )
        catalogue.write_manifest(manifest)
        self.log.info(
            "Backed up %s of project %s: %s, %s bytes, verified at level %s, in %s.",
            pluralize(content.count, "Flink job"),
            manifest.project_id,
            pluralize(len(manifest.archives), "archive"),
            f"{manifest.size:,}",
            options.level,
            self.place.url,
        )
        self.outcome = replace(self.outcome, manifest=manifest)

    def _is_in_archive(self, job: Job, numbers: AbstractSet[str]) -> bool | None:
        if job.job_id in self.touched:
            return None
        # A number is an id. One that is the name of a job, too, proves neither: in an archive it may be either.
        job_id, name = str(job.job_id), job.name
        if name in self.found and not name.isdecimal():
            return True
        if job_id in self.found:
            return None if job_id in numbers and job_id != name else True
        # An archive in which not one job was found may only seem to show which it has.
        return False if self.found and str(job.job_id) in self.absent else None

    def _archives(self) -> list[Archive]:
        ids = {name: tuple(ids) for names, ids in self.known["exported"] for name in names}
        return [
            Archive(
                name=(name := str(report.place).removeprefix(f"{self.place}/")),
                size=report.facts.size,
                etag=report.facts.etag,
                version_id=report.facts.version_id,
                last_modified=report.facts.last_modified,
                sha256=report.report.sha256 if report.report else None,
                entries=len(report.report.entries) if report.report else None,
                job_ids=ids[name],
            )
            for report in self.outcome.reports
            if report.facts
        ]

    def _findings(self) -> list[str]:
        found = [
            f"{str(report.place).removeprefix(f'{self.place}/')}: {finding_line(finding)}"
            for report in self.outcome.reports
            for finding in report.findings
        ]
        more = len(found) - _MAX_FINDINGS
        return found if more <= 0 else [*found[:_MAX_FINDINGS], f"and {pluralize(more, 'more finding')}"]


def _is_changed(listed: Job, now: FlinkJob | None) -> bool:
    return now is not None and settings_digest(now) != listed.digest


def _exported(batch: export.Batch) -> list[int]:
    return sorted(set(batch.job_ids or ()) - set(batch.failed))
