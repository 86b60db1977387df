"""Restore Flink jobs: press Trigger, and the last verified backup is imported.

Or name a night, or an archive. The archive is verified again first. Jobs that exist are not touched, unless you
choose so in the form; the others are imported as drafts: run them when you are sure.

Needs a connection ``dli_default`` of the project to restore into. The last backup is the one that
``dli_export_flink_jobs`` has verified.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

try:
    from airflow.sdk import DAG, Asset, Param, task
except ImportError:  # Airflow 2
    from airflow.decorators import task  # type: ignore[attr-defined,no-redef]
    from airflow.models import DAG, Param

    from airflow_provider_dli.compat import Asset

from airflow_provider_dli.exceptions import DliFailException
from airflow_provider_dli.operators.dli import DliImportFlinkJobsOperator

BACKUPS = Asset("verified_flink_archives")

with DAG(
    dag_id="dli_restore_flink_jobs",
    description="Import the Flink jobs of the last verified backup, or of an archive in OBS",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    tags=["dli", "flink", "restore"],
    doc_md=__doc__,
    params={
        "zip_file": Param(
            None,
            type=["null", "string"],
            title="Archive",
            description="bucket/key of an archive as the export returned it, or bucket/directory of several. "
            "Empty for the last verified backup.",
            pattern=r"^\s*(obs://)?[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+$",
        ),
        "backup_run_id": Param(
            None,
            type=["null", "string"],
            title="Run of the backup",
            description="Run id of a nightly export, to restore that night instead of the last one.",
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
            values_display={
                "fail": "fail: the task fails and lists these jobs",
                "keep": "keep: they stay as they are, the others are imported",
            },
            title="If jobs of the same names exist",
            description="Without effect where they are replaced.",
        ),
        "is_cover": Param(
            default=False,
            type="boolean",
            title="Replace jobs of the same names",
            description="On: existing jobs are replaced by those of the archive. There is no way back.",
        ),
        "plan_only": Param(
            default=False,
            type="boolean",
            title="Plan only",
            description="On: the archive is verified, and nothing is imported.",
        ),
    },
) as dag:

    @task(inlets=[BACKUPS])
    def backup(params: Any = None, inlet_events: Any = None) -> str:  # noqa: ANN401 -- Airflow's context
        """Return what to restore: the archive that the form names, or the directory of a verified backup."""
        if params["zip_file"]:
            return str(params["zip_file"])
        run_id = params["backup_run_id"]
        events = [event for event in inlet_events[BACKUPS] if run_id in (None, "", event.source_run_id)]
        if not events:
            of_run = f" of run {run_id!r}" if run_id else ""
            raise DliFailException(
                f"zip_file: is empty, and this Airflow knows no verified backup{of_run}; name an archive in OBS"
            )
        # Every run exports into a directory of its own: it has all archives of that night, and no other.
        archive = next(iter(events[-1].extra["archives"]))
        return str(archive).rpartition("/")[0]

    restore = DliImportFlinkJobsOperator(
        task_id="restore",
        zip_file=backup(),
        dli_conn_id="{{ params.dli_conn_id }}",
        on_conflict="{{ params.on_conflict }}",
        is_cover="{{ params.is_cover }}",
        plan_only="{{ params.plan_only }}",
    )
