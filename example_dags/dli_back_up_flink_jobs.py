"""Back up all Flink jobs of a DLI project every night into a catalogue of backups, and delete old backups.

None is deleted in a night in which the backup fails, or a job is in no backup of that night.

Needs a connection ``dli_default`` and the name of a bucket, as Airflow variable ``dli_backup_bucket`` or
environment variable ``AIRFLOW_VAR_DLI_BACKUP_BUCKET``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

try:
    from airflow.sdk import DAG, Param
except ImportError:  # Airflow 2
    from airflow.models import DAG, Param

from airflow_provider_dli.operators.dli import (
    DliBackupFlinkJobsOperator,
    DliCheckBackupCoverageOperator,
    DliExpireBackupsOperator,
)

BACKUP_DIR = "{{ params.backup_dir or var.value.dli_backup_bucket ~ '/flink-backups' }}"

with DAG(
    dag_id="dli_back_up_flink_jobs",
    description="Back up all Flink jobs every night into a catalogue in OBS",
    schedule="30 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    tags=["dli", "flink", "backup"],
    doc_md=__doc__,
    params={
        "backup_dir": Param(
            None,
            type=["null", "string"],
            title="Catalogue",
            description="bucket or bucket/directory of the backups; empty for flink-backups in the bucket of the "
            "variable. The same for all runs and projects.",
        ),
        "keep_daily": Param(14, type="integer", minimum=0, description="days to keep a backup of"),
        "keep_weekly": Param(8, type="integer", minimum=0, description="weeks to keep a backup of"),
        "keep_monthly": Param(12, type="integer", minimum=0, description="months to keep a backup of"),
    },
) as dag:
    backup = DliBackupFlinkJobsOperator(
        task_id="backup",
        # One directory for all runs and projects: each backup gets its own in it.
        backup_dir=BACKUP_DIR,
    )
    check = DliCheckBackupCoverageOperator(
        task_id="check",
        backup_dir=BACKUP_DIR,
        max_age=timedelta(hours=26),
    )
    expire = DliExpireBackupsOperator(
        task_id="expire",
        backup_dir=BACKUP_DIR,
        keep_daily="{{ params.keep_daily }}",
        keep_weekly="{{ params.keep_weekly }}",
        keep_monthly="{{ params.keep_monthly }}",
    )

    backup >> check >> expire
