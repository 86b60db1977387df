"""Check every morning which Flink jobs the backups cover; fail, and name those that they do not.

Needs a connection ``dli_default`` and the name of a bucket, as Airflow variable ``dli_backup_bucket`` or
environment variable ``AIRFLOW_VAR_DLI_BACKUP_BUCKET``. It has a schedule of its own, so that it also fails if the
DAG of the backups does not run.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow.models import DAG

from airflow_provider_dli.operators.dli import DliCheckBackupCoverageOperator

with DAG(
    dag_id="dli_check_flink_backups",
    description="Check that each Flink job has a young verified backup with its settings of now",
    schedule="0 6 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    tags=["dli", "flink", "backup"],
    doc_md=__doc__,
) as dag:
    DliCheckBackupCoverageOperator(
        task_id="check",
        backup_dir="{{ var.value.dli_backup_bucket }}/flink-backups",
        # One connection for each project.
        dli_conn_id=["dli_default"],
        # The backups are nightly, and take up to two hours.
        max_age=timedelta(hours=26),
        # What could be restored, as one file beside the backups: index.html.
        write_page=True,
    )
