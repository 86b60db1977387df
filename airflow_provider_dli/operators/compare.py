"""Prove that restored Flink jobs came back as they were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.links.dli import DliConsoleLink, ObsBucketLink, persist
from airflow_provider_dli.operators.base import DliBaseOperator
from airflow_provider_dli.parameters import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_dli.parameters.models import CompareParameters
    from airflow_provider_dli.services.compare import JobComparison


class DliCompareFlinkJobsOperator(DliBaseOperator):
    """Prove that restored Flink jobs are as their sources: each setting of each job is compared.

    Ids, people, times and state are a job's own and not compared; see
    :mod:`airflow_provider_dli.client.flink.settings`.

    Pushes, whether it fails or not, a list as ``return_value``: ``old_job_id``, ``new_job_id``, ``name``,
    ``equal``, ``problem`` and ``differences``, each of those with ``field`` and, of source and restored job, the
    length and a digest of the value, and the value itself where it can hold no secret, such as a number or a
    queue's name; under ``report`` the same as Markdown; under ``report_file`` the place of the HTML page in OBS.

    :param job_mapping: what the import pushed, or a mapping of old to new ids, or either as a text (templated). A
        job that was left out did not come back; one that is its own source proves nothing
    :param source_conn_id: connection of the project that the jobs were exported from (templated)
    :param dli_conn_id: connection of the project that they were imported into (templated)
    :param report_dir: directory in OBS, of ``source_conn_id``, that a report to look at is written to, one HTML
        file (templated). Give all runs the same: the page shows how the last ones went
    :param show_values: True to show whole values in log, XCom and report (templated). **They may contain
        secrets**: passwords stand in the SQL of many jobs
    :raises DliFailException: if a job differs, is missing, or its source is; no retry is spent
    :raises DliException: if DLI or OBS is out of reach or in trouble; a retry may help
    """

    template_fields: Sequence[str] = ("job_mapping", "source_conn_id", "dli_conn_id", "report_dir", "show_values")
    template_fields_renderers = {"job_mapping": "json"}  # noqa: RUF012 -- as Airflow declares it
    operator_extra_links = (ObsBucketLink(), DliConsoleLink())
    ui_color = "#d9ead3"

    def __init__(
        self,
        *,
        job_mapping: Iterable[Mapping[str, Any]] | Mapping[int, int] | str | XComArg,
        source_conn_id: str = DEFAULT_CONN_ID,
        dli_conn_id: str = DEFAULT_CONN_ID,
        report_dir: str | XComArg | None = None,
        show_values: bool | str | XComArg = False,
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.job_mapping = job_mapping
        self.source_conn_id = source_conn_id
        self.dli_conn_id = dli_conn_id
        self.report_dir = report_dir
        self.show_values = show_values

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Compare the jobs."""
        from airflow_provider_dli.exceptions import DliException, translated
        from airflow_provider_dli.hooks.dli import DliHook
        from airflow_provider_dli.lineage import Lineage, jobs_dataset
        from airflow_provider_dli.parameters.models import CompareParameters
        from airflow_provider_dli.services import compare

        with translated():
            options = CompareParameters.from_operator(self)
        source, target = DliHook(options.source_conn_id), DliHook(options.dli_conn_id)
        bucket = options.report_dir.bucket if options.report_dir else None
        persist(context, self, target, bucket, source.account.region)
        pairs = compare.compare_jobs(
            source, target, options.job_mapping, self.log, show_values=options.show_values
        )
        self.lineage = Lineage([jobs_dataset(source), jobs_dataset(target)])
        result = [pair.as_dict() for pair in pairs]
        self.push_xcoms(context, return_value=result, report=compare.markdown(pairs))
        projects = {"From project": source.project_id, "Into project": target.project_id}
        try:
            self._file(context, options, pairs, projects)
        except DliException as error:
            compare.raise_for_failures(pairs, f"The report was not written: {error}")
            raise
        compare.raise_for_failures(pairs)
        return result

    def _file(
        self,
        context: Context,
        options: CompareParameters,
        pairs: Sequence[JobComparison],
        projects: Mapping[str, object],
    ) -> None:
        """Write the report to look at, green or red."""
        from airflow_provider_dli.hooks.obs import ObsHook
        from airflow_provider_dli.lineage import obs_dataset
        from airflow_provider_dli.services.compare import verdict
        from airflow_provider_dli.services.report import comparison_report, file_report

        file = None
        if options.report_dir:
            page = comparison_report(pairs, verdict(pairs), {**projects, "Run": context.get("run_id")})
            file = file_report(ObsHook(options.source_conn_id), options.report_dir, "compare", page, self.log)
            self.lineage = self.lineage and replace(self.lineage, outputs=[obs_dataset(file)])
        self.push_xcoms(context, report_file=file)
