"""A DAG that is scheduled by a verified archive."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Asset, task

from airflow_provider_dli.operators.dli import DliExportFlinkJobsOperator, DliVerifyFlinkExportOperator

VERIFIED = Asset("verified_flink_archives")

with DAG("assets_upstream", schedule=None):
    export = DliExportFlinkJobsOperator(task_id="export", obs_dir="{{ dag_run.conf['obs_dir'] }}")
    DliVerifyFlinkExportOperator(task_id="verify", zip_file=export.output, outlets=[VERIFIED])

with DAG("assets_downstream", schedule=[VERIFIED]):

    @task
    def read(triggering_asset_events: Any = None) -> dict[str, Any]:
        """Return what was proven of each archive."""
        (event,) = triggering_asset_events[VERIFIED]
        return dict(event.extra["archives"])

    read()
