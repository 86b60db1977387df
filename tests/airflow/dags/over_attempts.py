"""Requests whose responses are lost in one attempt, and what the next attempt makes of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow import DAG

from airflow_provider_dli.operators.dli import (
    DliExportFlinkJobsOperator,
    DliRunFlinkJobsOperator,
    DliVerifyFlinkExportOperator,
)

RETRIED: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(0)}
EXPORT: dict[str, Any] = {"dli_conn_id": "dli_impatient", "reconcile_timeout": 2}
RUN: dict[str, Any] = {"dli_conn_id": "dli_impatient", "status_grace_period": 2}

with DAG("export_over_attempts", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), default_args=RETRIED):
    export = DliExportFlinkJobsOperator(
        task_id="export",
        obs_dir="{{ dag_run.conf['obs_dir'] }}{{ '/' ~ ti.try_number if dag_run.conf.get('numbered') else '' }}",
        # Of a set of texts the order differs from process to process.
        job_selected={"100", "101", "102", "103", "104", "105"},
        **EXPORT,
    )
    export >> DliVerifyFlinkExportOperator(
        task_id="verify",
        # The second one is there when all requests have acted.
        zip_file="{{ ti.xcom_pull(task_ids='export') + [dag_run.conf['last']] }}",
        poll_interval=0.5,
        dli_conn_id="dli_impatient",
    )

with DAG("mapped_over_attempts", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
    DliExportFlinkJobsOperator.partial(task_id="export", **EXPORT).expand(
        obs_dir=["obs-test/shared/{{ run_id }}"] * 2
    )

with DAG("run_over_attempts", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), default_args=RETRIED):
    DliRunFlinkJobsOperator(task_id="run", job_ids=[100], target_state="finished", poll_interval=0.2, **RUN)
