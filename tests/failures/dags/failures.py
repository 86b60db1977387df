"""A DAG for each of the failures that are most likely: ``failure_<name>``, with one task."""

from __future__ import annotations

from collections.abc import Callable

from airflow.sdk import DAG, BaseOperator

from airflow_provider_dli.operators.dli import (
    DliExportFlinkJobsOperator,
    DliImportFlinkJobsOperator,
    DliVerifyFlinkExportOperator,
)

BUCKET = "obs-test"


def export(**changed: object) -> BaseOperator:
    """Export two jobs, but for what is changed."""
    given: dict[str, object] = {"obs_dir": f"{BUCKET}/flink", "job_selected": [100, 101], **changed}
    return DliExportFlinkJobsOperator(task_id="export", reconcile_timeout=1, **given)  # type: ignore[arg-type]  # as a careless author gives it


def verify(zip_file: str) -> BaseOperator:
    """Verify an archive of a test's making, or one that is not there."""
    return DliVerifyFlinkExportOperator(task_id="verify", zip_file=zip_file, timeout=1, poll_interval=1)


def restore(key: str) -> BaseOperator:
    """Import an archive of a test's making."""
    return DliImportFlinkJobsOperator(task_id="restore", zip_file=f"{BUCKET}/{key}")


MAKE: dict[str, Callable[[], BaseOperator]] = {
    "no_connection": lambda: export(dli_conn_id="dli_production"),
    "wrong_field": lambda: export(dli_conn_id="dli_wrong_field"),
    "wrong_secret": lambda: export(dli_conn_id="dli_wrong_secret"),
    "out_of_reach": lambda: export(dli_conn_id="dli_out_of_reach"),
    "no_permission": export,
    "no_agency": export,
    "throttled": lambda: export(dli_conn_id="dli_impatient"),
    "wrong_job_ids": lambda: export(job_selected="orders, 101"),
    "unknown_job": lambda: export(job_selected=[100, 999999]),
    "no_bucket": lambda: verify("flink-backups-2025/flink/a.zip"),
    "archive_missing": lambda: verify(f"{BUCKET}/flink/never.zip"),
    "archive_damaged": lambda: verify(f"{BUCKET}/flink/damaged.zip"),
    "conflict": lambda: restore("flink/again.zip"),
}

for name, make in MAKE.items():
    with DAG(f"failure_{name}", schedule=None, tags=["failure"]):
        make()
