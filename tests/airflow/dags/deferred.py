"""A verification that waits on the triggerer."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_dli.operators.dli import DliVerifyFlinkExportOperator

with DAG("deferred_verify", schedule=None):
    DliVerifyFlinkExportOperator(
        task_id="verify",
        zip_file="{{ dag_run.conf['zip_file'] }}",
        timeout=60,
        poll_interval=1,
        deferrable=True,
    )
