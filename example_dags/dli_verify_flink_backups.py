"""Verify old backups of Flink jobs again every night, those first whose last verification is oldest.

A store can lose bytes without noticing; only reading finds it. Each night reads what its budget of bytes allows of
the backups that were not verified for a month. A damaged backup fails the task every night until it is deleted.

Needs a connection ``dli_default`` and the name of a bucket, as Airflow variable ``dli_backup_bucket`` or
environment variable ``AIRFLOW_VAR_DLI_BACKUP_BUCKET``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow.models import DAG

from airflow_provider_dli.operators.dli import DliVerifyBackupsOperator

with DAG(
    dag_id="dli_verify_flink_backups",
    description="Verify old backups of Flink jobs again, within a budget of bytes",
    schedule="0 6 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    tags=["dli", "flink", "verify"],
    doc_md=__doc__,
) as dag:
    verify_backups = DliVerifyBackupsOperator(
        task_id="verify_backups",
        backup_dir="{{ var.value.dli_backup_bucket }}/flink-backups",
        max_bytes="50 GiB",
        max_age=timedelta(days=30),
        report_dir="{{ var.value.dli_backup_bucket }}/flink-backups/verify-reports",
    )
