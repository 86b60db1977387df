"""Run a restore drill: restore exported jobs into a scratch project and compare each setting.

Export, verify, import into the scratch project, compare every job with its source, write a report beside the
archive, and always delete the restored jobs from the scratch project.

Needs a connection ``dli_default``, a connection ``dli_scratch`` of a project that nobody works in, and the name
of a bucket, as Airflow variable ``dli_backup_bucket`` or environment variable ``AIRFLOW_VAR_DLI_BACKUP_BUCKET``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

try:
    from airflow.sdk import DAG, Param
except ImportError:  # Airflow 2
    from airflow.models import DAG, Param

from airflow_provider_dli.operators.dli import (
    DliCompareFlinkJobsOperator,
    DliDeleteFlinkJobsOperator,
    DliExportFlinkJobsOperator,
    DliImportFlinkJobsOperator,
    DliVerifyFlinkExportOperator,
)

SOURCE, SCRATCH = "{{ params.source_conn_id }}", "{{ params.scratch_conn_id }}"
# A directory of its own for every run and task, without the characters of a run id that a path may not like.
RUN = "{{ run_id | replace(':', '') | replace('+', '_') }}"
DIRECTORY = "{{ var.value.dli_backup_bucket }}/drill/" + RUN + "/{{ task.task_id }}"

with DAG(
    dag_id="dli_restore_drill",
    description="Restore all Flink jobs into a scratch project, compare them with their sources, and delete them",
    schedule="0 4 * * 0",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    tags=["dli", "flink", "restore"],
    doc_md=__doc__,
    params={
        "source_conn_id": Param(
            "dli_default",
            type="string",
            minLength=1,
            title="Connection",
            description="Of the project whose jobs are exported.",
        ),
        "scratch_conn_id": Param(
            "dli_scratch",
            type="string",
            minLength=1,
            title="Scratch connection",
            description="Of a project that nobody works in, another one: names would conflict.",
        ),
    },
) as dag:
    export = DliExportFlinkJobsOperator(task_id="export", obs_dir=DIRECTORY, dli_conn_id=SOURCE)
    verify = DliVerifyFlinkExportOperator(task_id="verify", zip_file=export.output, dli_conn_id=SOURCE)
    restore = DliImportFlinkJobsOperator(
        task_id="restore",
        zip_file=export.output,
        dli_conn_id=SCRATCH,
        source_conn_id=SOURCE,
        verify_archive=False,  # the task before has done it
    )
    compare = DliCompareFlinkJobsOperator(
        task_id="compare",
        job_mapping=restore.output,
        source_conn_id=SOURCE,
        dli_conn_id=SCRATCH,
        # One directory for all drills: the report shows how the last ones went.
        report_dir="{{ var.value.dli_backup_bucket }}/drill/reports",
    )
    clear_up = DliDeleteFlinkJobsOperator(
        task_id="clear_up",
        # Only what this run created, whether the comparison succeeds or fails; nothing, if nothing was imported.
        job_ids="{{ ti.xcom_pull(task_ids='restore', key='created') or [] }}",
        if_empty="succeed",
        dli_conn_id=SCRATCH,
    ).as_teardown()

    export >> verify >> restore >> compare >> clear_up
