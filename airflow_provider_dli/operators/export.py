"""Export Flink jobs to archives in OBS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.links.dli import DliConsoleLink, ObsBucketLink, persist
from airflow_provider_dli.operators.base import DliBaseOperator
from airflow_provider_dli.parameters import DEFAULT_CONN_ID, NOT_GIVEN, NotGiven, names_of, number_of, value_of

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_dli.exporting.plan import Exported
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.lineage import Lineage
    from airflow_provider_dli.parameters import IfEmpty

_BATCH_SIZE = 100


class DliExportFlinkJobsOperator(DliBaseOperator):
    """Export Flink jobs of a DLI project as ZIP archives to OBS.

    Follows *Exporting a Flink Job* of the DLI API reference (dli_02_0254). Every run makes new archives; give
    each run and task, and each instance of a mapped one, a directory of its own: the path names them.

    Everything is checked once templates are rendered, and before anything is sent.

    Many jobs are exported in batches, each into a directory ``batch-0001`` and so on below ``obs_dir``. A batch
    that fails does not stop the others. What succeeded is kept: a later attempt, or one after a killed worker,
    goes on with the same jobs and requests only what is missing (known on Airflow 3.3 and later, for a day).

    Pushes, also when the task fails, the ``zip_file`` list, each entry ``bucket/key``, as ``return_value`` and
    under the key ``zip_file``; under ``batches``, for each batch, its ``job_ids``, ``zip_file``, ``failed`` ids
    and ``error``; under ``failed`` the ids of all jobs that are in no archive. Only where there are some: under
    ``vanished`` the ids of jobs that were selected and deleted before they were exported, which is no failure;
    under ``extra_archives`` archives that this task or an earlier attempt of it made, or may have made, and that
    it does not return.

    An outlet that is an asset ``obs://bucket/directory``, or an alias, gets the archives in its event.

    :param obs_dir: where the archives go: ``bucket``, ``bucket/directory`` or ``obs://bucket/directory``, with
        or without slashes at the ends (templated)
    :param job_selected: the jobs to export: a list of ids, one id, a text of ids with commas, blanks or newlines
        between, or the output of another task (templated). By default all jobs of the project; a selection
        that is given and turns out empty is an error, never "all jobs"
    :param is_selected: by default it follows from ``job_selected``; if given it must agree with it: True with
        ids, False without (templated)
    :param selection: instead of ``job_selected``, which jobs are meant when the task runs: a mapping with the
        names ``name_pattern``, ``job_type``, ``status``, ``queue_name``, ``user_name``, ``tags``,
        ``changed_since`` and ``exclude``, see
        :class:`~airflow_provider_dli.operators.listing.DliListFlinkJobsOperator` (templated). ``{}`` means all
        jobs; one whose every filter is empty, as a form leaves them that nobody filled in, is an error, and so is
        one that turns out to be None
    :param if_empty: what to do where ``selection`` selects nothing: ``fail``, ``skip`` or ``succeed``. It never
        means "all jobs" (templated)
    :param batch_size: most jobs that are asked for at once, where they are named or selected. How many the service
        takes is not documented (templated)
    :param allow_partial: True to be green with what succeeded, as long as anything did; the log and the XCom
        ``failed`` name the rest (templated)
    :param dli_conn_id: connection of type ``dli`` (templated)
    :param settling_time: seconds to poll ``obs_dir`` for a new archive when the response to the export was lost or
        says nothing of it, or an earlier attempt was killed while sending (known on Airflow 3.3 and later). New is
        what was not there before the request. One is returned if it is certain whose it is; else the task fails
        and names what is there. If none appears the request is sent again, unless the service itself has spoken
        (templated)
    :raises DliFailException: if a parameter or the connection cannot be used, or DLI refuses, or it is not certain
        which archive the export made; no retry is spent
    :raises DliException: if DLI or OBS is out of reach or in trouble; a retry may help, and begins by looking in
        ``obs_dir`` for the archive
    """

    template_fields: Sequence[str] = (
        "obs_dir",
        "job_selected",
        "is_selected",
        "selection",
        "if_empty",
        "batch_size",
        "allow_partial",
        "dli_conn_id",
        "settling_time",
    )
    template_fields_renderers = {"selection": "json"}  # noqa: RUF012 -- as Airflow declares it
    operator_extra_links = (ObsBucketLink(), DliConsoleLink())
    ui_color = "#f4d7da"
    on_kill_message = (
        "An export that was requested goes on in DLI and may leave an archive in obs_dir; "
        "the next attempt looks for it."
    )

    def __init__(
        self,
        *,
        obs_dir: str | XComArg,
        job_selected: Iterable[int | str] | int | str | XComArg | NotGiven | None = NOT_GIVEN,
        is_selected: bool | str | None = None,
        selection: Mapping[str, Any] | str | XComArg | NotGiven = NOT_GIVEN,
        if_empty: IfEmpty | str = "fail",
        batch_size: int | str = _BATCH_SIZE,
        allow_partial: bool | str = False,
        dli_conn_id: str = DEFAULT_CONN_ID,
        settling_time: float | str | timedelta = 30,
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.obs_dir = obs_dir
        self.job_selected = value_of(job_selected)
        self.is_selected = is_selected
        self.selection = value_of(selection)
        self.if_empty = if_empty
        self.batch_size = number_of(batch_size)
        self.allow_partial = allow_partial
        self.dli_conn_id = dli_conn_id
        self.settling_time = number_of(settling_time)
        # A template, XCom or row of a mapping that is None must not turn "some jobs" into "all jobs".
        self.given = names_of(job_selected=job_selected, selection=selection)

    def execute(self, context: Context) -> list[str]:
        """Export the jobs; the archives, each as ``bucket/key``."""
        from airflow_provider_dli.exceptions import translated
        from airflow_provider_dli.exporting.judgement import judge
        from airflow_provider_dli.exporting.plan import Plan
        from airflow_provider_dli.exporting.writer import Writer
        from airflow_provider_dli.hooks.dli import DliHook
        from airflow_provider_dli.hooks.obs import ObsHook
        from airflow_provider_dli.lineage import add_asset_events
        from airflow_provider_dli.parameters.models import ExportParameters
        from airflow_provider_dli.selecting import nothing
        from airflow_provider_dli.task_state import RequestLog

        with translated():
            options = ExportParameters.from_operator(self)
        plan = Plan(options.obs_dir, options.job_selected, options.chosen, options.batch_size)
        dli, obs = DliHook(options.dli_conn_id), ObsHook(options.dli_conn_id)
        persist(context, self, dli, plan.directory.bucket)
        requests = RequestLog(context, "dli_export")
        outcome = plan.run(dli, obs, requests, Writer.of(context), options.settling_time, self.log)
        self._push(context, outcome)
        if not any(batch.zip_file or batch.is_failure for batch in outcome.batches):
            nothing(options.if_empty, str(plan.selection))
        archives = outcome.archives
        self.lineage = _lineage(dli, outcome)
        add_asset_events(context, self.outlets, {archive: {"verified": False} for archive in archives})
        judge(outcome.batches, plan, allow_partial=options.allow_partial, log=self.log)
        return archives

    def _push(self, context: Context, outcome: Exported) -> None:
        """Push the outcome, also if the task fails."""
        self.push_xcoms(
            context,
            zip_file=outcome.archives,
            batches=[batch.as_dict() for batch in outcome.batches],
            failed=outcome.failed,
            return_value=outcome.archives,
        )
        rare = {"vanished": outcome.vanished, "extra_archives": list(outcome.extra)}
        self.push_xcoms(context, **{key: found for key, found in rare.items() if found})


def _lineage(dli: DliHook, outcome: Exported) -> Lineage:
    """Tell which jobs went into which archives."""
    from airflow_provider_dli.lineage import Lineage, jobs_dataset, obs_dataset

    ids = [job for batch in outcome.batches for job in batch.job_ids or () if job not in batch.failed]
    return Lineage(
        inputs=[jobs_dataset(dli)],
        outputs=[obs_dataset(archive) for archive in outcome.archives],
        facts={
            "region": dli.account.region,
            "projectId": dli.project_id,
            "jobIds": ids or None,
            "failedJobIds": outcome.failed,
        },
    )
