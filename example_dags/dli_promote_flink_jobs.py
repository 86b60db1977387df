"""Promote Flink jobs from test to production: back up, stop with a savepoint, update, resume.

Press Trigger and name the jobs of the test project and what must differ in production. Production's own jobs
are exported and verified first, so that there is a way back.

``stop`` makes a savepoint of each running job that changes, and ``run`` starts from it; DLI deletes it once the
job runs. To repeat the promotion, clear ``plan`` with what follows it: jobs that run are stopped with a new one.

Needs a connection ``dli_default`` of production, a connection ``dli_test``, and the name of a bucket, as Airflow
variable ``dli_backup_bucket`` or environment variable ``AIRFLOW_VAR_DLI_BACKUP_BUCKET``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

try:
    from airflow.sdk import DAG, Param, XComArg
except ImportError:  # Airflow 2
    from airflow import DAG, XComArg
    from airflow.models import Param

from airflow_provider_dli.operators.dli import (
    DliExportFlinkJobsOperator,
    DliListFlinkJobsOperator,
    DliPromoteFlinkJobsOperator,
    DliRunFlinkJobsOperator,
    DliStopFlinkJobsOperator,
    DliVerifyFlinkExportOperator,
)

WHAT: dict[str, Any] = {
    "job_ids": "{{ params.job_ids }}",
    "queues": "{{ (params.queues or {}) | tojson }}",
    "replacements": "{{ (params.replacements or {}) | tojson }}",
    "source_conn_id": "dli_test",
}

with DAG(
    dag_id="dli_promote_flink_jobs",
    description="Promote Flink jobs from test to production",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["dli", "flink"],
    doc_md=__doc__,
    params={
        "job_ids": Param(
            "",
            type="string",
            format="multiline",
            title="Flink job ids",
            description="Ids of the jobs in the test project, with commas between or one a line.",
            pattern=r"^\s*[0-9]+([\s,]+[0-9]+)*[\s,]*$",
        ),
        "queues": Param(
            {},
            type=["null", "object"],
            title="Queues",
            description='Queue of the test project to queue of production: {"flink_test": "flink_prod"}.',
        ),
        "replacements": Param(
            {},
            type=["null", "object"],
            title="Replacements",
            description="String to string, in SQL and all other settings. Each must be found: "
            '{"kafka-test:9092": "kafka-prod:9092"}.',
        ),
    },
) as dag:
    # A record of production as it was: its log has each job with its status.
    before = DliListFlinkJobsOperator(task_id="before", if_empty="succeed")
    backup = DliExportFlinkJobsOperator(
        task_id="backup",
        obs_dir="{{ var.value.dli_backup_bucket }}/promote"
        "/{{ run_id | replace(':', '') | replace('+', '_') }}/{{ task.task_id }}",
    )
    verify = DliVerifyFlinkExportOperator(task_id="verify", zip_file=backup.output)
    plan = DliPromoteFlinkJobsOperator(task_id="plan", plan_only=True, **WHAT)
    stop = DliStopFlinkJobsOperator(
        task_id="stop",
        job_ids=XComArg(plan, key="to_stop"),
        trigger_savepoint=True,
        if_empty="succeed",
        poll_interval=5,
    )
    promote = DliPromoteFlinkJobsOperator(task_id="promote", **WHAT)
    run = DliRunFlinkJobsOperator(
        task_id="run", job_ids=XComArg(promote, key="job_ids"), resume_savepoint=True, poll_interval=5
    )

    before >> backup >> verify >> plan >> stop >> promote >> run
