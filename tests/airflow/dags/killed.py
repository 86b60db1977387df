"""DAGs whose task processes are killed."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_dli.operators.dli import DliExportFlinkJobsOperator, DliVerifyFlinkExportOperator

RETRY = {"retries": 1, "retry_delay": timedelta(seconds=1)}

with DAG("killed_export", schedule=None, default_args=RETRY):
    DliExportFlinkJobsOperator(task_id="export", obs_dir="{{ dag_run.conf['obs_dir'] }}", reconcile_timeout=3)

with DAG("killed_verify", schedule=None, default_args=RETRY):
    DliVerifyFlinkExportOperator(task_id="verify", zip_file="{{ dag_run.conf['zip_file'] }}", timeout=60)
