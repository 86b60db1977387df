"""Back up the Flink jobs that changed since the last night, in batches.

Needs a connection ``dli_default`` and the name of a bucket, as Airflow variable ``dli_backup_bucket`` or
environment variable ``AIRFLOW_VAR_DLI_BACKUP_BUCKET``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_provider_dli.operators.dli import (
    DliExportFlinkJobsOperator,
    DliListFlinkJobsOperator,
    DliVerifyFlinkExportOperator,
)

with DAG(
    dag_id="dli_export_changed_flink_jobs",
    description="Export the Flink jobs that changed since the last night and verify the archives",
    schedule="0 3 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    tags=["dli", "flink", "backup"],
    doc_md=__doc__,
) as dag:
    changed = DliListFlinkJobsOperator(
        task_id="changed",
        # Since the last run that succeeded, so that no job is omitted after a failed run; the first time, all.
        changed_since="{{ prev_start_date_success or '2020-01-01T00:00Z' }}",
        exclude="*_scratch",
        # Nothing changed: the run is skipped.
        if_empty="skip",
    )
    export = DliExportFlinkJobsOperator(
        task_id="export",
        obs_dir="{{ var.value.dli_backup_bucket }}/flink-changed"
        "/{{ run_id | replace(':', '') | replace('+', '_') }}/{{ task.task_id }}",
        job_selected=changed.output,
        batch_size=20,
    )
    verify = DliVerifyFlinkExportOperator(task_id="verify", zip_file=export.output, expected_jobs=changed.output)

    changed >> export >> verify
