"""Back up the Flink jobs of several projects, side by side.

One connection for each: name them in the trigger form, or change the default. Needs the name of a bucket that all
may use, as Airflow variable ``dli_backup_bucket`` or environment variable ``AIRFLOW_VAR_DLI_BACKUP_BUCKET``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

try:
    from airflow.sdk import DAG, Param, Variable, task, task_group
except ImportError:  # Airflow 2
    from airflow.decorators import task, task_group  # type: ignore[attr-defined,no-redef]
    from airflow.models import DAG, Param, Variable

from airflow_provider_dli.operators.dli import DliExportFlinkJobsOperator, DliVerifyFlinkExportOperator

with DAG(
    dag_id="dli_export_projects",
    description="Export all Flink jobs of several projects to OBS and verify the archives",
    schedule="0 1 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    tags=["dli", "flink", "backup"],
    doc_md=__doc__,
    params={
        "connections": Param(
            ["dli_default"],
            type="array",
            items={"type": "string", "minLength": 1},
            minItems=1,
            title="Connections",
            description="Of the projects to back up, one a line.",
        ),
    },
) as dag:

    @task
    def projects(**context: Any) -> list[dict[str, str]]:  # noqa: ANN401 -- Airflow's context
        """Return the connections that the form names, each once, with a directory of its own.

        Its path names run, task and map index: whatever lies in it was exported by that task.
        """
        bucket, run = Variable.get("dli_backup_bucket"), context["run_id"].replace(":", "").replace("+", "_")
        return [
            {"dli_conn_id": conn_id, "obs_dir": f"{bucket}/projects/{conn_id}/{run}/backup.export/{map_index}"}
            for map_index, conn_id in enumerate(dict.fromkeys(context["params"]["connections"]))
        ]

    @task_group
    def backup(dli_conn_id: str, obs_dir: str) -> None:
        """Export one project, and verify its archives."""
        export = DliExportFlinkJobsOperator(task_id="export", obs_dir=obs_dir, dli_conn_id=dli_conn_id)
        DliVerifyFlinkExportOperator(task_id="verify", zip_file=export.output, dli_conn_id=dli_conn_id)

    backup.expand_kwargs(projects())
