"""Restart Flink jobs from a savepoint: save, stop, run on from there, and see them run.

Press Trigger and name the jobs. Needs a connection ``dli_default`` and the name of a bucket for the savepoints, as
Airflow variable ``dli_backup_bucket`` or environment variable ``AIRFLOW_VAR_DLI_BACKUP_BUCKET``.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_dli.operators.dli import (
    DliRunFlinkJobsOperator,
    DliSavepointFlinkJobsOperator,
    DliStopFlinkJobsOperator,
)
from airflow_provider_dli.sensors.dli import DliFlinkJobSensor

JOB_IDS = "{{ params.job_ids }}"

with DAG(
    dag_id="dli_restart_flink_jobs",
    description="Save, stop and run the Flink jobs named in the trigger form",
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
    save = DliSavepointFlinkJobsOperator(
        task_id="save",
        job_ids=JOB_IDS,
        savepoint_path="{{ var.value.dli_backup_bucket }}/savepoints",
        poll_interval=5,
    )
    stop = DliStopFlinkJobsOperator(task_id="stop", job_ids=JOB_IDS, wait_for_completion=False)
    stopped = DliFlinkJobSensor(
        task_id="stopped", job_ids=JOB_IDS, target_state="stopped", poke_interval=5, timeout=1200
    )
    run = DliRunFlinkJobsOperator(task_id="run", job_ids=JOB_IDS, resume_savepoint=True, poll_interval=5)

    save >> stop >> stopped >> run
