"""Exports of all jobs for a run by ``dag.test()``, one for each night: real task instances, on any Airflow.

Each line of standard input is a night: its ``number``, and the ``connection`` that it has.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow import DAG, __version__

from airflow_provider_dli.operators.dli import DliExportFlinkJobsOperator

BUCKET = os.environ.get("NIGHTS_BUCKET", "bucket")
START = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = ("visible_jobs", "missing_since_last")

with DAG("nights", schedule=None, start_date=START, catchup=False) as dag:
    DliExportFlinkJobsOperator(task_id="all", obs_dir=BUCKET)
    DliExportFlinkJobsOperator(task_id="strict", obs_dir=BUCKET, max_missing="{{ 0 }}")
    DliExportFlinkJobsOperator.partial(task_id="mapped", selection={}).expand(obs_dir=[BUCKET, f"{BUCKET}/b"])

if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    testing: Any = dag.test
    for line in sys.stdin:
        night = json.loads(line)
        os.environ["AIRFLOW_CONN_DLI_DEFAULT"] = night["connection"]
        date = START + timedelta(days=night["number"])
        run = testing(execution_date=date) if __version__.startswith("2.") else testing(logical_date=date)
        outcomes = {}
        for each in run.get_task_instances():
            pushed = [each.xcom_pull(task_ids=each.task_id, key=key, map_indexes=each.map_index) for key in KEYS]
            name = each.task_id if each.map_index < 0 else f"{each.task_id}-{each.map_index}"
            outcomes[name] = [str(each.state), *pushed]
        answers.write(f"{json.dumps(outcomes)}\n")
        answers.flush()
