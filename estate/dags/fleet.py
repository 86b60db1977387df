"""The fleet: many exports, each verified, waits on the triggerer, and a backup of all jobs."""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_dli.operators.dli import (
    DliBackupFlinkJobsOperator,
    DliCheckBackupCoverageOperator,
    DliExportFlinkJobsOperator,
    DliVerifyFlinkExportOperator,
)
from airflow_provider_dli.sensors.dli import DliExportArchiveSensor

#: ids of the jobs of each batch
JOBS, BATCHES = int(os.environ["ESTATE_JOBS"]), int(os.environ["ESTATE_BATCHES"])
IDS = [list(range(100 + number, 100 + JOBS, BATCHES)) for number in range(BATCHES)]
#: ends once DLI is no longer disturbed and this archive is there
WAITS = 4
RUN = "{{ var.value.dli_backup_bucket }}/{{ run_id | replace(':', '') | replace('+', '_') }}"

with DAG(
    "fleet",
    schedule=None,
    default_args={"retries": 8, "retry_delay": timedelta(seconds=5)},
    max_active_tasks=32,
):
    # The timeouts are short so that what is frozen stays frozen for longer than all of them.
    export = DliExportFlinkJobsOperator.partial(
        task_id="export", obs_dir=RUN + "/{{ task.task_id }}/{{ ti.map_index }}", reconcile_timeout=5
    ).expand(job_selected=IDS)
    verify = DliVerifyFlinkExportOperator.partial(
        task_id="verify", timeout=120, poll_interval=2, deferrable=True
    ).expand(zip_file=export.output)
    export >> verify

    DliExportArchiveSensor.partial(
        task_id="wait", timeout=600, poke_interval=2, deferrable=True, inactivity_period=0
    ).expand(zip_file=[f"{RUN}/wait/{number}.zip" for number in range(WAITS)])

    backup = DliBackupFlinkJobsOperator(
        task_id="backup", backup_dir=RUN + "/backups", reconcile_timeout=5, timeout=120, poll_interval=2
    )
    backup >> DliCheckBackupCoverageOperator(task_id="coverage", backup_dir=RUN + "/backups")
