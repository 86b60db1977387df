"""Back up Flink jobs into a catalogue of backups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_dli.assets.obs import add_asset_events
from airflow_provider_dli.links.dli import DliConsoleLink, ObsBucketLink
from airflow_provider_dli.metrics import count, observing
from airflow_provider_dli.operators.base import DliBaseOperator, apply_if_empty, skip_if_unchanged
from airflow_provider_dli.parameters import DEFAULT_CONN_ID, NOT_GIVEN, NotGiven, names_of, number_of, value_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import timedelta

    from airflow_provider_dli.compat import Context, XComArg
    from airflow_provider_dli.parameters import IfEmpty, Level


class DliBackupFlinkJobsOperator(DliBaseOperator):
    """Back up Flink jobs of a DLI project into a catalogue in OBS: export, verify, and write a manifest.

    Success proves that there are archives of all these jobs, that each archive is intact, and, where the layout of
    the archives is known, that each job is in one. If anything fails there is no manifest, and so no backup.

    Pushes a small summary of the backup as ``return_value``.

    .. seealso::
        :doc:`Back up Flink jobs </docs/operators/backup>`: jobs, XComs, failures, permissions.

    :param backup_dir: the catalogue: ``bucket``, ``bucket/directory`` or ``obs://bucket/directory`` (templated).
        Use one for all runs and projects: each backup gets a directory of its own in it
    :param job_selected: the jobs to back up: ids as a list or a string, one id, or the output of another task
        (templated). By default all jobs that this key sees. A selection that is given and turns out empty is an
        error, never "all jobs"
    :param selection: instead of ``job_selected``, a mapping of filters that select the jobs when the task runs:
        those of :class:`~airflow_provider_dli.operators.jobs.DliListFlinkJobsOperator` (templated).
        ``changed_since`` may be ``last_backup``: jobs that no usable backup in ``backup_dir`` has as they are
    :param batch_size: most jobs in one request, and so in one archive (templated)
    :param max_concurrency: archives that are exported, and then verified, at a time: 1 to 32 (templated)
    :param expected_jobs: the jobs that the archives must have: ``listed``, each that was listed before the export
        and after it; ids or names; or ``none`` (templated). With ``listed`` an unknown layout of the archives is a
        warning and no failure
    :param level: how much of each archive is read: ``full``, every byte; ``directory``, two or three ranges at the
        end; ``exists``, nothing (templated)
    :param keep_settings: True to keep all settings of each job beside the archives, which have them too, for
        comparisons (templated)
    :param expected_min_jobs: fewest jobs that this key must see, of those that are selected: with fewer the task
        fails before it requests anything (templated)
    :param max_missing: most jobs that the last run saw, or the newest backup has if no run is known, and this key
        no longer sees: with more the task fails, after it has backed up the others (templated). By default any
        number, with a warning. For backups of all jobs only; needs ``do_xcom_push``
    :param if_empty: what to do if ``selection`` selects no job, or this key sees none: ``fail``, ``skip`` or
        ``succeed``, without a backup (templated). If jobs are selected and none has changed since its last
        backup, ``skip`` skips the task, and otherwise it succeeds
    :param dli_conn_id: connection of type ``dli`` (templated)
    :param timeout: seconds to wait, in all, for archives that do not exist yet (templated)
    :param poll_interval: seconds between two polls (templated)
    :param reconcile_timeout: seconds to poll OBS for the archive of a request whose response was lost, or that a
        killed attempt sent (templated)
    :raises DliFailException: if a parameter or the connection cannot be used, DLI refuses a request, or an archive
        is damaged or lacks a job; no retry is spent
    :raises DliException: if DLI or OBS is unreachable or in trouble, or an archive did not appear in time; a retry
        may help, and continues
    """

    action = "backup"
    template_fields: Sequence[str] = (
        "backup_dir",
        "job_selected",
        "selection",
        "batch_size",
        "max_concurrency",
        "expected_jobs",
        "level",
        "keep_settings",
        "expected_min_jobs",
        "max_missing",
        "if_empty",
        "dli_conn_id",
        "timeout",
        "poll_interval",
        "reconcile_timeout",
    )
    template_fields_renderers = {"selection": "json"}  # noqa: RUF012 -- as Airflow declares it
    operator_extra_links = (ObsBucketLink(), DliConsoleLink())
    ui_color = "#f4d7da"
    on_kill_message = (
        "An export that was requested goes on in DLI. What is in the directory is not a backup before there is a "
        "manifest; on Airflow 3.3 and later the next attempt continues it."
    )

    def __init__(  # noqa: PLR0913 -- by name, as Airflow's
        self,
        *,
        backup_dir: str | XComArg,
        job_selected: Iterable[int | str] | int | str | XComArg | NotGiven | None = NOT_GIVEN,
        selection: Mapping[str, Any] | str | XComArg | NotGiven = NOT_GIVEN,
        batch_size: int | str = 100,
        max_concurrency: int | str = 4,
        expected_jobs: Iterable[int | str] | int | str | XComArg = "listed",
        level: Level | str = "full",
        keep_settings: bool | str = True,
        expected_min_jobs: int | str | NotGiven = NOT_GIVEN,
        max_missing: int | str | NotGiven = NOT_GIVEN,
        if_empty: IfEmpty | str = "fail",
        dli_conn_id: str = DEFAULT_CONN_ID,
        timeout: float | str | timedelta = 600,
        poll_interval: float | str | timedelta = 10,
        reconcile_timeout: float | str | timedelta = 30,
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.backup_dir = backup_dir
        self.job_selected = value_of(job_selected)
        self.selection = value_of(selection)
        self.batch_size = number_of(batch_size)
        self.max_concurrency = number_of(max_concurrency)
        self.expected_jobs = expected_jobs
        self.level = level
        self.keep_settings = keep_settings
        self.expected_min_jobs = number_of(value_of(expected_min_jobs))
        self.max_missing = number_of(value_of(max_missing))
        self.if_empty = if_empty
        self.dli_conn_id = dli_conn_id
        self.timeout = number_of(timeout)
        self.poll_interval = number_of(poll_interval)
        self.reconcile_timeout = number_of(reconcile_timeout)
        # What comes out as None must not turn "some jobs" into "all jobs", nor drop a check.
        self.given = names_of(
            job_selected=job_selected,
            selection=selection,
            expected_min_jobs=expected_min_jobs,
            max_missing=max_missing,
        )

    def execute(self, context: Context) -> dict[str, Any] | None:
        """Back up the jobs; return a summary of the backup, None if there are no jobs."""
        with observing(self, context):
            from airflow_provider_dli.backups import backup

            options, dli, obs = backup.prepare(self)
            self.begin(context, dli, options.backup_dir.bucket)
            self.stops_on_kill = dli
            result = backup.back_up(options, dli, obs, context, self.log)
            self.push_xcoms(context, **result.xcoms)
            self.lineage = result.lineage(dli)
            if result.manifest:
                count(context, "dli.backup.jobs", result.manifest.jobs.count)
                count(context, "dli.backup.archives", len(result.manifest.archives))
                count(context, "dli.backup.bytes", result.manifest.size)
                add_asset_events(context, self.outlets, result.proofs)
                result.end()
            backup.raise_for_failures(result, options)
            if result.is_unchanged:
                result.end()
                skip_if_unchanged(options.if_empty, options.selected)
            elif not result.manifest:
                apply_if_empty(options.if_empty, options.selected)
            return result.summary
