"""Back up all Flink jobs of a DLI project every night, and verify each archive.

Needs a connection ``dli_default`` and the name of a bucket, as Airflow variable ``dli_backup_bucket`` or
environment variable ``AIRFLOW_VAR_DLI_BACKUP_BUCKET``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

try:
    from airflow.sdk import DAG, Asset, Param
except ImportError:  # Airflow 2
    from airflow.models import DAG, Param

    from airflow_provider_dli.compat import Asset

from airflow_provider_dli.operators.dli import DliExportFlinkJobsOperator, DliVerifyFlinkExportOperator

with DAG(
    dag_id="dli_export_flink_jobs",
    description="Export all Flink jobs to OBS every night and verify the archives",
    schedule="0 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    tags=["dli", "flink", "backup"],
    doc_md=__doc__,
    params={
        "obs_dir": Param(
            None,
            type=["null", "string"],
            title="OBS directory",
            description="bucket or bucket/directory; empty for flink in the bucket of the variable. "
            "Each run gets a directory of its own below it.",
        ),
        "level": Param(
            "full",
            type="string",
            enum=["full", "directory", "exists"],
            values_display={
                "full": "full: every byte",
                "directory": "directory: the list of entries",
                "exists": "exists: nothing",
            },
            title="Level of verification",
            description="How much of each archive is read.",
        ),
    },
) as dag:
    export = DliExportFlinkJobsOperator(
        task_id="export",
        # A directory of its own for every run and task: whatever lies in it was exported by this task. The
        # characters of a run id that a path may not like are omitted.
        obs_dir="{{ params.obs_dir or var.value.dli_backup_bucket ~ '/flink' }}"
        "/{{ run_id | replace(':', '') | replace('+', '_') }}/{{ task.task_id }}",
    )
    # A DAG with schedule=[Asset("verified_flink_archives")] starts when this succeeds.
    verify = DliVerifyFlinkExportOperator(
        task_id="verify",
        zip_file=export.output,
        level="{{ params.level }}",
        outlets=[Asset("verified_flink_archives")],
    )

    export >> verify
