"""Select Flink jobs, all at one moment, and do what a task is to do if there is none."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_dli.client.flink import FlinkJob, job_pages
from airflow_provider_dli.exceptions import DliFailException
from airflow_provider_dli.formatting import escaped, pluralize, text_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from logging import Logger

    from airflow_provider_dli.client.call import QueryValue
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.parameters import IfEmpty
    from airflow_provider_dli.parameters.models import Selection

#: seconds before ``changed_since`` in which a change counts still: clocks agree to a second or two at best
_CLOCK_MARGIN = 5.0
_MAX_ROWS = 50


def select_jobs(hook: DliHook, selection: Selection, log: Logger) -> list[FlinkJob]:
    """Return the selected jobs, oldest first, and log them as a table.

    :param hook: of the project
    :param selection: filters
    :param log: of the task
    :raises DliException: if DLI does not respond, or refuses
    """
    listed = hook.walk(job_pages(_query(selection)))
    # The clock offset is known as soon as a page has come.
    jobs = [job for job in listed if _matches(selection, job, hook.clock_offset or 0.0)]
    log.info("Selected %s of project %s by: %s", pluralize(len(jobs), "Flink job"), hook.project_id, selection)
    if jobs:
        log_selected_jobs(jobs, log)
    return jobs


def _query(selection: Selection) -> dict[str, QueryValue]:
    """Return the filters that DLI applies itself (dli_02_0234)."""
    query: dict[str, QueryValue | None] = {
        "job_type": selection.job_type,
        # Whether DLI takes several at once is not documented.
        "status": selection.status[0] if len(selection.status) == 1 else None,
        "queue_name": selection.queue_name,
        "user_name": selection.user_name,
        "tags": ",".join(f"{key}={value}" for key, value in selection.tags) or None,
        "show_detail": True if selection.changed_since else None,
    }
    return {name: value for name, value in query.items() if value is not None}


def _matches(selection: Selection, job: FlinkJob, clock_offset: float) -> bool:
    """Return whether a listed job passes the filters that DLI does not have.

    :param clock_offset: seconds by which DLI's clock, which wrote the times of the job, is ahead of Airflow's,
        which ``changed_since`` is from
    """
    if selection.name_pattern and not any(fnmatchcase(job.name, each) for each in selection.name_pattern):
        return False
    if selection.status and job.status not in selection.status:
        return False
    # When a job without these times was changed is not known: rather one too many than one too few.
    changed = max(job.create_time or 0, job.update_time) if job.update_time is not None else 0
    if selection.changed_since and changed:
        since = selection.changed_since.timestamp() + clock_offset - _CLOCK_MARGIN
        if changed < since * 1000:
            return False
    return not any(
        job.job_id == each if isinstance(each, int) else fnmatchcase(job.name, each) for each in selection.exclude
    )


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
