"""Select jobs at one moment: by ids, told as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_dli.client.flink import FlinkJob, job_pages
from airflow_provider_dli.escaping import escaped
from airflow_provider_dli.exceptions import DliFailException
from airflow_provider_dli.tables import text_table
from airflow_provider_dli.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.parameters import IfEmpty
    from airflow_provider_dli.selection import Selection
    from airflow_provider_dli.wording import Logger

_SHOWN = 50


def select(hook: DliHook, selection: Selection, log: Logger) -> list[FlinkJob]:
    """Select jobs, oldest first.

    :param hook: asks the service
    :param selection: which are meant
    :param log: where to tell, as a table
    :raises DliException: if the service does not answer or refuses
    """
    listed = hook.walk(job_pages(selection.filters()))
    # The offset is known as soon as a page has come.
    chosen = [job for job in listed if selection.fits(job, hook.clock_offset or 0.0)]
    log.info("Selected %s of project %s by: %s", counted(len(chosen), "Flink job"), hook.project_id, selection)
    if chosen:
        tell(chosen, log)
    return chosen


def tell(jobs: Sequence[FlinkJob], log: Logger) -> None:
    """Tell jobs as a table.

    :param jobs: the jobs
    :param log: where to tell
    """
    rows = [(job.job_id, job.name, job.job_type, job.status, job.queue_name) for job in jobs[:_SHOWN]]
    for line in text_table(("id", "name", "type", "status", "queue"), rows):
        log.info("  %s", line)
    if len(jobs) > _SHOWN:
        log.info("  … and %s more", counted(len(jobs) - _SHOWN, "job"))


def nothing(if_empty: IfEmpty, what: str) -> None:
    """Do what is to be done where nothing is selected: return only where that is a success.

    :param if_empty: ``fail``, ``skip`` or ``succeed``
    :param what: which jobs were meant, for the message
    :raises DliFailException: for ``fail``
    :raises AirflowSkipException: for ``skip``
    """
    from airflow.providers.common.compat.sdk import AirflowSkipException  # noqa: PLC0415 -- needed only here

    message = f"No Flink job is selected by: {what}"
    if if_empty == "fail":
        raise DliFailException(f"{message}. Correct the selection, or say if_empty='skip' or 'succeed'.")
    if if_empty == "skip":
        raise AirflowSkipException(escaped(message))
