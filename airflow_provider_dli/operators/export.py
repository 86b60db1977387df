"""Export Flink jobs to archives in OBS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.assets.obs import add_asset_events
from airflow_provider_dli.links.dli import DliConsoleLink, ObsBucketLink
from airflow_provider_dli.metrics import count, observing
from airflow_provider_dli.operators.base import DliBaseOperator, apply_if_empty
from airflow_provider_dli.parameters import DEFAULT_CONN_ID, NOT_GIVEN, NotGiven, names_of, number_of, value_of

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow_provider_dli.compat import Context, XComArg
    from airflow_provider_dli.parameters import IfEmpty

_BATCH_SIZE = 100


class DliExportFlinkJobsOperator(DliBaseOperator):
    """Export Flink jobs of a DLI project as ZIP archives to OBS.

    A successful export request does not prove a usable backup: verify the archives with
    :class:`~airflow_provider_dli.operators.verify.DliVerifyFlinkExportOperator`. Give each run, each task and
    each instance of a mapped task a directory of its own, whose path names them.

    Pushes the archives as ``return_value`` and ``zip_file``, also when the task fails.

    .. seealso::
        :doc:`Export Flink jobs </docs/operators/export>`: all jobs, batches, XComs, permissions.

    :param obs_dir: where the archives go: ``bucket``, ``bucket/directory`` or ``obs://bucket/directory``
        (templated)
    :param job_selected: the jobs to export: ids as a list or a string, one id, or the output of another task
        (templated). By default all jobs that this key sees, by one request. A selection that is given and turns
        out empty is an error, never "all jobs"
    :param is_selected: by default derived from ``job_selected``, and must agree with it: True with ids, False
        without (templated)
    :param selection: instead of ``job_selected``, a mapping of filters that select the jobs when the task runs:
        those of :class:`~airflow_provider_dli.operators.jobs.DliListFlinkJobsOperator` (templated). ``{}`` means
        all jobs that this key sees, by their ids. A selection of which every filter is empty, or that renders to
        None, is an error
    :param if_empty: what to do if ``selection`` selects no job, or this key sees none: ``fail``, ``skip`` or
        ``succeed`` (templated)
    :param batch_size: most jobs in one request, if jobs are named or selected (templated)
    :param max_concurrency: batches that are exported at a time, 1 to 32 (templated). When DLI throttles one, all
        requests of the task wait. With more than 5, keys that are refused midway may be locked
    :param allow_partial: True if the task succeeds as long as any job is exported; the log and the XCom ``failed``
        name the others (templated)
    :param expected_min_jobs: fewest jobs that this key must see, of those that are selected: with fewer the task
        fails before it requests anything (templated)
    :param max_missing: most jobs that the last run saw and this key no longer sees: with more the task fails,
        after it has exported the others (templated). By default any number, with a warning. For exports of all
        jobs only; needs ``do_xcom_push``
    :param dli_conn_id: connection of type ``dli`` (templated)
    :param reconcile_timeout: seconds to poll ``obs_dir`` for the archive of a request whose response was lost, or
        that a killed attempt sent (templated)
    :raises DliFailException: if a parameter or the connection cannot be used, DLI refuses the request, or it is
        not certain which archive the request made; no retry is spent
    :raises DliException: if DLI or OBS is unreachable or in trouble; a retry may help, and first checks
        ``obs_dir`` for the archive
    """

    action = "export"
    template_fields: Sequence[str] = (
        "obs_dir",
        "job_selected",
        "is_selected",
        "selection",
        "if_empty",
        "batch_size",
        "max_concurrency",
        "allow_partial",
        "expected_min_jobs",
        "max_missing",
        "dli_conn_id",
        "reconcile_timeout",
    )
    template_fields_renderers = {"selection": "json"}  # noqa: RUF012 -- as Airflow declares it
    operator_extra_links = (ObsBucketLink(), DliConsoleLink())
    ui_color = "#f4d7da"
    on_kill_message = (
        "An export that was requested goes on in DLI and may leave an archive in obs_dir; "
        "the next attempt checks for it."
    )

    def __init__(  # noqa: PLR0913 -- by name, as Airflow's
        self,
        *,
        obs_dir: str | XComArg,
        job_selected: Iterable[int | str] | int | str | XComArg | NotGiven | None = NOT_GIVEN,
        is_selected: bool | str | None = None,
        selection: Mapping[str, Any] | str | XComArg | NotGiven = NOT_GIVEN,
        if_empty: IfEmpty | str = "fail",
        batch_size: int | str = _BATCH_SIZE,
        max_concurrency: int | str = 4,
        allow_partial: bool | str = False,
        expected_min_jobs: int | str | NotGiven = NOT_GIVEN,
        max_missing: int | str | NotGiven = NOT_GIVEN,
        dli_conn_id: str = DEFAULT_CONN_ID,
        reconcile_timeout: float | str | timedelta = 30,
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.obs_dir = obs_dir
        self.job_selected = value_of(job_selected)
        self.is_selected = is_selected
        self.selection = value_of(selection)
        self.if_empty = if_empty
        self.batch_size = number_of(batch_size)
        self.max_concurrency = number_of(max_concurrency)
        self.allow_partial = allow_partial
        self.expected_min_jobs = number_of(value_of(expected_min_jobs))
        self.max_missing = number_of(value_of(max_missing))
        self.dli_conn_id = dli_conn_id
        self.reconcile_timeout = number_of(reconcile_timeout)
        # What comes out as None must not turn "some jobs" into "all jobs", nor drop a check.
        self.given = names_of(
            job_selected=job_selected,
            selection=selection,
            expected_min_jobs=expected_min_jobs,
            max_missing=max_missing,
        )

    def execute(self, context: Context) -> list[str]:
        """Export the jobs; return the archives, each as ``bucket/key``."""
        with observing(self, context):
            from airflow_provider_dli.parameters.models import ExportParameters
            from airflow_provider_dli.services import export

            options, dli, obs = export.prepare(self, ExportParameters)
            self.begin(context, dli, options.obs_dir.bucket)
            self.stops_on_kill = dli
            result = export.export_jobs(options, dli, obs, context, self.log)
            self.push_xcoms(context, **result.xcoms, return_value=result.archives)
            self.lineage = export.lineage_of(result, dli)
            count(context, "dli.export.archives", len(result.archives))
            count(context, "dli.export.jobs", result.exported)
            add_asset_events(context, self.outlets, {archive: {"verified": False} for archive in result.archives})
            export.raise_for_failures(result, options, self.log)
            if result.is_empty:
                apply_if_empty(options.if_empty, str(options.selection))
            return result.archives
