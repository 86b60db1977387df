"""Restore Flink jobs to a point in time, from a catalogue of backups in OBS.

Press Trigger: the form shows what would be done and changes nothing, until you switch *Plan only* off. It needs
nothing of Airflow's database but a connection ``dli_default`` of the project to restore into; the catalogue is the
``backup_dir`` of the backups. Jobs are restored as drafts: run them when you are sure.
"""

from __future__ import annotations

from datetime import UTC, datetime

try:
    from airflow.sdk import DAG, Param
except ImportError:  # Airflow 2
    from airflow.models import DAG, Param

from airflow_provider_dli.operators.dli import DliRestoreFlinkJobsOperator

with DAG(
    dag_id="dli_restore_flink_backup",
    description="Restore Flink jobs to a point in time, from a catalogue of backups in OBS",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    tags=["dli", "flink", "restore"],
    doc_md=__doc__,
    params={
        "backup_dir": Param(
            None,
            type=["null", "string"],
            title="Catalogue",
            description="bucket/directory of the backups. Empty for flink-backups in the bucket of the variable "
            "dli_backup_bucket.",
            pattern=r"^\s*(obs://)?[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?$",
        ),
        "as_of": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="As of",
            description="The newest usable backup that was complete by then. Empty for now.",
        ),
        "job_names": Param(
            None,
            type=["null", "string"],
            title="Jobs",
            description="Names, with wildcards and commas between: orders_*, fraud. Empty for all jobs.",
        ),
        "dli_conn_id": Param(
            "dli_default",
            type="string",
            title="Connection",
            description="Of the project to restore into.",
            minLength=1,
        ),
        "project_id": Param(
            None,
            type=["null", "string"],
            title="Project of the backup",
            description="Its id, if it is another one than that of the connection.",
        ),
        "source_conn_id": Param(
            None,
            type=["null", "string"],
            title="Connection of the catalogue",
            description="If it is in another account or region.",
        ),
        "staging_dir": Param(
            None,
            type=["null", "string"],
            title="Directory for copies",
            description="bucket/directory in the region of the project, if DLI there cannot read the catalogue.",
        ),
        "on_conflict": Param(
            "fail",
            type="string",
            enum=["fail", "keep", "replace"],
            values_display={
                "fail": "fail: the task fails, lists these jobs, and restores none",
                "keep": "keep: they stay as they are, the others are restored",
                "replace": "replace: they become as in the backup. There is no way back",
            },
            title="If jobs of the same names differ from the backup",
        ),
        "plan_only": Param(
            default=True,
            type="boolean",
            title="Plan only",
            description="On: the log shows what would be done with each job, and nothing is done.",
        ),
    },
) as dag:
    restore = DliRestoreFlinkJobsOperator(
        task_id="restore",
        backup_dir="{{ params.backup_dir or var.value.dli_backup_bucket ~ '/flink-backups' }}",
        as_of="{{ params.as_of }}",
        job_names="{{ params.job_names or '*' }}",
        project_id="{{ params.project_id }}",
        on_conflict="{{ params.on_conflict }}",
        dli_conn_id="{{ params.dli_conn_id }}",
        source_conn_id="{{ params.source_conn_id }}",
        staging_dir="{{ params.staging_dir }}",
        plan_only="{{ params.plan_only }}",
    )
