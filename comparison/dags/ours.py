"""Export all Flink jobs of a project every night and verify the archives: with this provider."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG

from airflow_provider_dli.operators.dli import DliExportFlinkJobsOperator, DliVerifyFlinkExportOperator

with DAG(
    "nightly_ours",
    schedule="0 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"retries": 2},
):
    export = DliExportFlinkJobsOperator(
        task_id="export", obs_dir="{{ var.value.dli_backup_bucket }}/flink/{{ ts_nodash }}"
    )
    DliVerifyFlinkExportOperator(task_id="verify", zip_file=export.output, timeout=30, poll_interval=5)
