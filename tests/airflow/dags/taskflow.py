"""Hook in a task, operators mapped over what it returns, their results in a task again."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_dli.operators.dli import DliExportFlinkJobsOperator, DliVerifyFlinkExportOperator

with DAG("taskflow", schedule=None):

    @task
    def jobs_by_type() -> list[list[int]]:
        """Return the jobs of each type; each is an export of its own."""
        from airflow_provider_dli.hooks.dli import DliHook  # noqa: PLC0415 -- when it runs, not when it is read

        found: dict[str, list[int]] = {}
        for job in DliHook().list_flink_jobs():
            found.setdefault(job.job_type, []).append(job.job_id)
        return list(found.values())

    export = DliExportFlinkJobsOperator.partial(
        task_id="export",
        obs_dir="{{ dag_run.conf['obs_dir'] }}/{{ ti.map_index }}",
        map_index_template="{{ task.job_selected | length }} jobs",
    ).expand(job_selected=jobs_by_type())
    verify = DliVerifyFlinkExportOperator.partial(task_id="verify").expand(zip_file=export.output)

    @task
    def total(reports: Any) -> int:
        """Count the entries of all archives."""
        return sum(report["entries"] for of_one in reports for report in of_one)

    total(verify.output)
