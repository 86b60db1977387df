"""Copy the newest backup of each project to a bucket elsewhere, and verify the copies, every week.

Needs a connection ``dli_default``, a connection ``dli_offsite`` whose key writes the copies, and the names of both
buckets, as Airflow variables ``dli_backup_bucket`` and ``dli_offsite_bucket`` or as environment variables
``AIRFLOW_VAR_DLI_BACKUP_BUCKET`` and ``AIRFLOW_VAR_DLI_OFFSITE_BUCKET``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

try:
    from airflow.sdk import DAG, Param
except ImportError:  # Airflow 2
    from airflow.models import DAG, Param

from airflow_provider_dli.operators.dli import DliCopyBackupsOperator

with DAG(
    dag_id="dli_copy_flink_backups",
    description="Copy the newest backup of each project to another bucket, region or account",
    schedule="0 6 * * 0",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    tags=["dli", "flink", "backup"],
    doc_md=__doc__,
    params={
        "backup_dir": Param(
            "",
            type=["string", "null"],
            title="Backups",
            description="Bucket, or bucket/directory; if empty, flink-backups in the bucket dli_backup_bucket.",
        ),
        "target_dir": Param(
            "",
            type=["string", "null"],
            title="Copies",
            description="Bucket, or bucket/directory; if empty, flink-backups in the bucket dli_offsite_bucket.",
        ),
    },
) as dag:
    copy = DliCopyBackupsOperator(
        task_id="copy",
        backup_dir="{{ params.backup_dir or var.value.dli_backup_bucket + '/flink-backups' }}",
        target_dir="{{ params.target_dir or var.value.dli_offsite_bucket + '/flink-backups' }}",
        target_conn_id="dli_offsite",
    )
