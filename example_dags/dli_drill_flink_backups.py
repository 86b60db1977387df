"""Drill backups every month: restore a sample of the jobs into a scratch project and compare each setting.

Each run restores the archives of the newest backup whose jobs were drilled longest ago, and deletes the restored
jobs. With three runs in ninety days, a sample of a third of the jobs has every job drilled once a quarter; the log
warns if the sample is too small.

Needs a connection ``dli_default``, a connection ``dli_scratch`` of a project that nobody works in, and the name
of a bucket, as Airflow variable ``dli_backup_bucket`` or environment variable ``AIRFLOW_VAR_DLI_BACKUP_BUCKET``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

try:
    from airflow.sdk import DAG, Param
except ImportError:  # Airflow 2
    from airflow.models import DAG, Param

from airflow_provider_dli.operators.dli import DliDrillBackupsOperator

with DAG(
    dag_id="dli_drill_flink_backups",
    description="Restore a sample of the backed up Flink jobs into a scratch project, compare and delete them",
    schedule="0 5 1 * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    tags=["dli", "flink", "restore"],
    doc_md=__doc__,
    params={
        "scratch_conn_id": Param(
            "dli_scratch",
            type="string",
            minLength=1,
            title="Scratch connection",
            description="Of a project that nobody works in, another one: names would conflict.",
        ),
        "sample": Param(
            100, type="integer", minimum=1, title="Jobs", description="At least; archives are drilled whole."
        ),
    },
) as dag:
    drill = DliDrillBackupsOperator(
        task_id="drill",
        backup_dir="{{ var.value.dli_backup_bucket }}/flink-backups",
        scratch_conn_id="{{ params.scratch_conn_id }}",
        sample="{{ params.sample }}",
        drill_window=timedelta(days=92),
        # One directory for all drills: the report shows how the last ones went.
        report_dir="{{ var.value.dli_backup_bucket }}/flink-backups/drill-reports",
    )
