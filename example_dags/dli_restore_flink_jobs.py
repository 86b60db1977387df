"""Restore Flink jobs from an archive: press Trigger and name it.

The archive is verified first. The jobs are imported as drafts; run them when you are sure. Needs a connection
``dli_default`` of the project to restore into.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_dli.operators.dli import DliImportFlinkJobsOperator

with DAG(
    dag_id="dli_restore_flink_jobs",
    description="Import the Flink jobs of an archive in OBS",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    tags=["dli", "flink", "restore"],
    doc_md=__doc__,
    params={
        "zip_file": Param(
            "",
            type="string",
            minLength=5,
            title="Archive",
            description="bucket/key of an archive as the export returned it, or bucket/directory of several.",
            pattern=r"^\s*(obs://)?[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+$",
        ),
        "dli_conn_id": Param(
            "dli_default",
            type="string",
            title="Connection",
            description="Of the project to restore into.",
            minLength=1,
        ),
        "on_conflict": Param(
            "fail",
            type="string",
            enum=["fail", "keep"],
            title="If a job of the same name exists",
            description="fail: the task fails and lists those jobs. keep: they stay as they are.",
        ),
        "is_cover": Param(
            default=False,
            type="boolean",
            title="Replace jobs of the same names",
            description="On: jobs of the same names are replaced by those of the archive. There is no way back.",
        ),
        "plan_only": Param(
            default=False,
            type="boolean",
            title="Plan only",
            description="On: the archive is verified, and nothing is imported.",
        ),
    },
) as dag:
    restore = DliImportFlinkJobsOperator(
        task_id="restore",
        zip_file="{{ params.zip_file }}",
        dli_conn_id="{{ params.dli_conn_id }}",
        on_conflict="{{ params.on_conflict }}",
        is_cover="{{ params.is_cover }}",
        plan_only="{{ params.plan_only }}",
    )
