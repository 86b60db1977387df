"""One DAG with a successful and a failing path for each kind of credentials."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_dli.operators.dli import DliExportFlinkJobsOperator, DliVerifyFlinkExportOperator

CONNECTIONS = [
    "access_key",
    "temporary",
    "password",
    "token",
    "metadata",
    "oidc",
    "environment",
    "credentials_file",
    "agency",
]

with DAG("secrets_of_each_kind", schedule=None, max_active_tasks=4):
    for name in CONNECTIONS:
        conn_id = f"dli_{name}"
        export = DliExportFlinkJobsOperator(
            task_id=f"export_{name}", obs_dir="{{ dag_run.conf['bucket'] }}/" + name, dli_conn_id=conn_id
        )
        DliVerifyFlinkExportOperator(task_id=f"verify_{name}", zip_file=export.output, dli_conn_id=conn_id)
        DliVerifyFlinkExportOperator(
            task_id=f"deferred_{name}",
            zip_file="{{ dag_run.conf['bucket'] }}/never.zip",
            timeout=2,
            poll_interval=1,
            deferrable=True,
            dli_conn_id=conn_id,
        )
        DliExportFlinkJobsOperator(
            task_id=f"unknown_job_{name}",
            obs_dir="{{ dag_run.conf['bucket'] }}",
            job_selected=[999999],
            dli_conn_id=conn_id,
        )
        DliVerifyFlinkExportOperator(
            task_id=f"missing_bucket_{name}", zip_file="no-such-bucket/a.zip", timeout=0, dli_conn_id=conn_id
        )
