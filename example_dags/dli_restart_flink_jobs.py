"""Restart Flink jobs from a savepoint: see them run, save, stop, and run on from there.

Press Trigger and name the jobs. ``save`` makes a savepoint in your bucket, which stays. ``stop`` makes the one
that ``run`` starts from, and DLI deletes it once the job runs: to repeat the restart, clear ``stop`` with what
follows it, so that there is a new one. A job that runs already is not run again.

Needs a connection ``dli_default`` and the name of a bucket for the savepoints, as Airflow variable
``dli_backup_bucket`` or environment variable ``AIRFLOW_VAR_DLI_BACKUP_BUCKET``.
"""

from __future__ import annotations

from datetime import UTC, datetime

try:
    from airflow.sdk import DAG, Param
except ImportError:  # Airflow 2
    from airflow.models import DAG, Param

from airflow_provider_dli.operators.dli import (
    DliRunFlinkJobsOperator,
    DliSavepointFlinkJobsOperator,
    DliStopFlinkJobsOperator,
)
from airflow_provider_dli.sensors.dli import DliFlinkJobSensor

JOB_IDS = "{{ params.job_ids }}"

with DAG(
    dag_id="dli_restart_flink_jobs",
    description="Save, stop and resume the Flink jobs named in the trigger form",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    tags=["dli", "flink"],
    doc_md=__doc__,
    params={
        "job_ids": Param(
            "",
            type="string",
            format="multiline",
            title="Flink job ids",
            description="Ids of the jobs to restart, with commas between or one a line. Each must be running.",
            pattern=r"^\s*[0-9]+([\s,]+[0-9]+)*[\s,]*$",
        ),
    },
) as dag:
    running = DliFlinkJobSensor(task_id="running", job_ids=JOB_IDS, poke_interval=5, timeout=600)
    save = DliSavepointFlinkJobsOperator(
        task_id="save",
        job_ids=JOB_IDS,
        savepoint_path="{{ var.value.dli_backup_bucket }}/savepoints",
        poll_interval=5,
    )
    stop = DliStopFlinkJobsOperator(task_id="stop", job_ids=JOB_IDS, trigger_savepoint=True, poll_interval=5)
    run = DliRunFlinkJobsOperator(task_id="run", job_ids=JOB_IDS, resume_savepoint=True, poll_interval=5)

    running >> save >> stop >> run
