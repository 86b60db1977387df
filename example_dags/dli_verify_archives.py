"""Verify archives that somebody else made, or that are old: press Trigger and name them.

Needs a connection ``dli_default``.
"""

from __future__ import annotations

from datetime import UTC, datetime

try:
    from airflow.sdk import DAG, Param
except ImportError:  # Airflow 2
    from airflow.models import DAG, Param

from airflow_provider_dli.operators.dli import DliVerifyFlinkExportOperator
from airflow_provider_dli.sensors.dli import DliExportArchiveSensor

ARCHIVES = "{{ params.zip_file }}"

with DAG(
    dag_id="dli_verify_archives",
    description="Wait until archives are in OBS and no longer change, and verify them",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    tags=["dli", "flink", "backup"],
    doc_md=__doc__,
    params={
        "zip_file": Param(
            [],
            type="array",
            items={"type": "string", "pattern": r"^\s*(obs://)?[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+$"},
            minItems=1,
            title="Archives",
            description="bucket/key of each, as the export returned it, one a line.",
        ),
    },
) as dag:
    arrived = DliExportArchiveSensor(task_id="arrived", zip_file=ARCHIVES, poke_interval=10, timeout=600)
    verify = DliVerifyFlinkExportOperator(task_id="verify", zip_file=ARCHIVES)

    arrived >> verify
