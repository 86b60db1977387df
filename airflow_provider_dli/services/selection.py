"""Select Flink jobs, all at one moment, and do what a task is to do if there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_dli.client.flink import FlinkJob, job_pages
from airflow_provider_dli.escaping import escaped
from airflow_provider_dli.exceptions import DliFailException
from airflow_provider_dli.formatting import pluralize, text_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from logging import Logger

    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.parameters import IfEmpty
    from airflow_provider_dli.selection import Selection

_MAX_ROWS = 50


def select_jobs(hook: DliHook, selection: Selection, log: Logger) -> list[FlinkJob]:
    """Return the selected jobs, oldest first, and log them as a table.

    :param hook: of the project
    :param selection: filters
    :param log: of the task
    :raises DliException: if DLI does not respond, or refuses
    """
    listed = hook.walk(job_pages(selection.filters()))
    # The clock offset is known as soon as a page has come.
    jobs = [job for job in listed if selection.fits(job, hook.clock_offset or 0.0)]
    log.info("Selected %s of project %s by: %s", pluralize(len(jobs), "Flink job"), hook.project_id, selection)
    if jobs:
        log_selected_jobs(jobs, log)
    return jobs


def log_selected_jobs(jobs: Sequence[FlinkJob], log: Logger) -> None:
    """Log jobs as a table.

    :param jobs: the jobs
    :param log: of the task
    """
    rows = [(job.job_id, job.name, job.job_type, job.status, job.queue_name) for job in jobs[:_MAX_ROWS]]
    for line in text_table(("id", "name", "type", "status", "queue"), rows):
        log.info("  %s", line)
    if len(jobs) > _MAX_ROWS:
        log.info("  … and %s more", pluralize(len(jobs) - _MAX_ROWS, "job"))


def apply_if_empty(if_empty: IfEmpty, selection: str) -> None:
    """Apply ``if_empty``: raise, skip or return.

    :param if_empty: ``fail``, ``skip`` or ``succeed``
    :param selection: by which no job is selected, for the message
    :raises DliFailException: for ``fail``
    :raises AirflowSkipException: for ``skip``
    """
    message = f"No Flink job is selected by: {selection}"
    if if_empty == "fail":
        raise DliFailException(f"{message}. Correct the selection, or give if_empty='skip' or 'succeed'.")
    if if_empty == "skip":
        raise AirflowSkipException(escaped(message))
