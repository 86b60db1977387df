"""Back up the Flink jobs that changed since their last backup, every hour between full backups.

Needs a connection ``dli_default`` and the name of a bucket, as Airflow variable ``dli_backup_bucket`` or
environment variable ``AIRFLOW_VAR_DLI_BACKUP_BUCKET``. The full backups are those of ``dli_back_up_flink_jobs``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_provider_dli.operators.dli import DliBackupFlinkJobsOperator

with DAG(
    dag_id="dli_back_up_changed_flink_jobs",
    description="Back up the Flink jobs that changed since their last backup",
    schedule="0 * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    tags=["dli", "flink", "backup"],
    doc_md=__doc__,
) as dag:
    backup = DliBackupFlinkJobsOperator(
        task_id="backup",
        # The catalogue of the full backups: a job that none of its backups has as it is now is backed up.
        backup_dir="{{ var.value.dli_backup_bucket }}/flink-backups",
        selection={"changed_since": "last_backup"},
        batch_size=20,
        # Nothing changed: the run is skipped.
        if_empty="skip",
    )
