"""Nightly exports, as a scheduler runs them; paused, until a test wants them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Asset, task

from airflow_provider_dli.operators.dli import (
    DliBackupFlinkJobsOperator,
    DliExportFlinkJobsOperator,
    DliVerifyFlinkExportOperator,
)

DEPLOYED = Asset(name="deployed_jobs")
VERIFIED = Asset(name="verified_nights", uri="obs://obs-test/nightly_caught_up")
RETRIES = {"retries": 2, "retry_delay": timedelta(seconds=1)}
FIRST = datetime(2026, 1, 1, 2, tzinfo=UTC)


def nightly(dag_id: str, **kwargs: Any) -> None:
    """Define a DAG with a directory for each night, verified by way of the triggerer."""
    with DAG(
        dag_id,
        schedule="0 2 * * *",
        start_date=FIRST,
        is_paused_upon_creation=True,
        default_args=RETRIES,
        **kwargs,
    ):
        export = DliExportFlinkJobsOperator(task_id="export", obs_dir=f"obs-test/{dag_id}/" + "{{ ds_nodash }}")
        DliVerifyFlinkExportOperator(
            task_id="verify", zip_file=export.output, outlets=[VERIFIED], deferrable=True, poll_interval=1
        )


nightly("nightly_caught_up", catchup=True, max_active_runs=1, end_date=FIRST + timedelta(days=2))
nightly("nightly_latest", catchup=False)

with DAG("undated", schedule=None, params={"selection": {}}, default_args=RETRIES):
    # Of a form: all jobs, or those of some filters.
    DliExportFlinkJobsOperator(
        task_id="export", obs_dir="obs-test/undated/{{ run_id }}", selection="{{ params.selection | tojson }}"
    )

with DAG("increments", schedule=[DEPLOYED], params={"since": "last_backup"}, default_args=RETRIES):
    # By a form, or after each deployment.
    DliBackupFlinkJobsOperator.partial(task_id="backup", backup_dir="obs-test/increments", if_empty="skip").expand(
        selection=[
            "{'changed_since': '{{ params.since }}', 'exclude': 'orders_*'}",
            {"changed_since": "{{ params.since }}", "name_pattern": "orders_*"},
        ]
    )

with DAG("deployment", schedule=None):

    @task(outlets=[DEPLOYED])
    def deploy() -> None:
        """Report that jobs were deployed."""

    deploy()

with DAG("after_the_nights", schedule=[VERIFIED], is_paused_upon_creation=True):

    @task
    def read(triggering_asset_events: Any = None) -> list[str]:
        """Return the archives whose events report that they are intact."""
        reported = [event.extra["archives"] for event in triggering_asset_events[VERIFIED]]
        return [name for archives in reported for name, proof in archives.items() if proof["verified"]]

    read()
