"""A verification and a run that wait on the triggerer."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_dli.operators.dli import DliRunFlinkJobsOperator, DliVerifyFlinkExportOperator

# Under load Airflow's scheduler now and then takes the end of a deferred task's first half for that of the second.
with DAG("deferred_verify", schedule=None, default_args={"retries": 2, "retry_delay": timedelta(seconds=1)}):
    DliVerifyFlinkExportOperator(
        task_id="verify",
        zip_file="{{ dag_run.conf['zip_file'] }}",
        timeout=60,
        poll_interval=1,
        deferrable=True,
    )

with DAG("deferred_run", schedule=None):
    DliRunFlinkJobsOperator(
        task_id="run", job_ids=[100], target_state="finished", poll_interval=1, deferrable=True, stop_on_kill=True
    )
