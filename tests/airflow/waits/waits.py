"""Sensors and waiting tasks in every mode, for a run by ``dag.test()``: real task instances, on any Airflow."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow import DAG

from airflow_provider_dli.compat import BaseSensorOperator
from airflow_provider_dli.operators.dli import (
    DliRunFlinkJobsOperator,
    DliStopFlinkJobsOperator,
    DliVerifyFlinkExportOperator,
)
from airflow_provider_dli.sensors.dli import DliExportArchiveSensor, DliFlinkJobSensor

BUCKET = os.environ.get("WAITS_BUCKET", "bucket")
MODES: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke", "deferrable": False},
    "reschedule": {"mode": "reschedule", "deferrable": False},
    "deferred": {"deferrable": True},
}
#: what is wrong, and what that makes of a task with ``soft_fail``
SOFT_FAIL: dict[str, dict[str, Any]] = {
    "down": {"dli_conn_id": "down"},
    "no_connection": {"dli_conn_id": "missing"},
    "late": {},
}
QUICK: dict[str, Any] = {"poke_interval": 0.5, "timeout": 1.5}
AWAITED: dict[type[BaseSensorOperator], dict[str, dict[str, Any]]] = {
    DliExportArchiveSensor: {
        "ok": {"zip_file": f"{BUCKET}/a.zip"},
        "late": {"zip_file": f"{BUCKET}/never.zip"},
    },
    DliFlinkJobSensor: {"ok": {"job_ids": [103]}, "late": {"job_ids": [101]}},
}

with DAG("waits", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False) as dag:
    for kind, awaited in AWAITED.items():
        name = "archive" if kind is DliExportArchiveSensor else "job"
        for mode, parameters in MODES.items():
            kind(task_id=f"{name}-{mode}-ok", **awaited["ok"], **parameters, **QUICK)
            for case, given in SOFT_FAIL.items():
                what = awaited["late" if case == "late" else "ok"]
                kind(task_id=f"{name}-{mode}-{case}", soft_fail=True, **what, **given, **parameters, **QUICK)
    # Its timeout is far away; what ends it is execution_timeout.
    limited: dict[str, Any] = {
        "deferrable": True,
        "timeout": 3600,
        "execution_timeout": timedelta(seconds=4),
    }
    DliVerifyFlinkExportOperator(
        task_id="verify-limited", zip_file=f"{BUCKET}/never.zip", poll_interval=1, **limited
    )
    DliExportArchiveSensor(task_id="archive-limited", zip_file=f"{BUCKET}/never.zip", poke_interval=60, **limited)
    DliFlinkJobSensor(task_id="job-limited", job_ids=[101], poke_interval=1, **limited)
    DliRunFlinkJobsOperator(task_id="run-limited", job_ids=[105], poll_interval=1, **limited)
    moved: dict[str, Any] = {"deferrable": True, "poll_interval": 0.5}
    DliRunFlinkJobsOperator(task_id="run", job_ids=[100], **moved) >> DliStopFlinkJobsOperator(
        task_id="stop", job_ids=[100], **moved
    )

if __name__ == "__main__":
    run: Any = dag.test()
    instances = run.get_task_instances()
    sys.stdout.write(f"{json.dumps({each.task_id: str(each.state) for each in instances})}\n")
