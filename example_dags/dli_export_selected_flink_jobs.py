"""Back up some Flink jobs now: press Trigger, name the jobs, and each archive is verified.

Needs a connection ``dli_default`` and the name of a bucket, as Airflow variable ``dli_backup_bucket`` or
environment variable ``AIRFLOW_VAR_DLI_BACKUP_BUCKET``.
"""

from __future__ import annotations

from datetime import UTC, datetime

try:
    from airflow.sdk import DAG, Param
except ImportError:  # Airflow 2
    from airflow.models import DAG, Param

from airflow_provider_dli.operators.dli import DliExportFlinkJobsOperator, DliVerifyFlinkExportOperator

with DAG(
    dag_id="dli_export_selected_flink_jobs",
    description="Export the Flink jobs named in the trigger form to OBS and verify the archives",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    tags=["dli", "flink", "backup"],
    doc_md=__doc__,
    params={
        "job_selected": Param(
            "",
            type="string",
            format="multiline",
            title="Flink job ids",
            description="Ids of the jobs to export, with commas between or one a line. At least one.",
            pattern=r"^\s*[0-9]+([\s,]+[0-9]+)*[\s,]*$",
        ),
        "obs_dir": Param(
            None,
            type=["null", "string"],
            title="OBS directory",
            description="bucket or bucket/directory; empty for flink in the bucket of the variable. "
            "Each run gets a directory of its own below it.",
        ),
    },
) as dag:
    export = DliExportFlinkJobsOperator(
        task_id="export",
        # A directory of its own for every run and task, without characters of a run id that a path may not like.
        obs_dir="{{ params.obs_dir or var.value.dli_backup_bucket ~ '/flink' }}"
        "/{{ run_id | replace(':', '') | replace('+', '_') }}/{{ task.task_id }}",
        job_selected="{{ params.job_selected }}",
    )
    verify = DliVerifyFlinkExportOperator(task_id="verify", zip_file=export.output)

    export >> verify
