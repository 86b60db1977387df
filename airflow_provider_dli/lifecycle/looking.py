"""Look at jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_dli.client.flink import is_missing
from airflow_provider_dli.exceptions import DliException, DliFailException

if TYPE_CHECKING:
    from airflow_provider_dli.client.flink import FlinkJob
    from airflow_provider_dli.hooks.dli import DliHook


def find(hook: DliHook, job_id: int) -> FlinkJob | None:
    """Show a job; None if the project has none of that id.

    :param hook: asks the service
    :param job_id: its id
    """
    try:
        return hook.get_flink_job(job_id)
    except DliException as error:
        if is_missing(error.error):
            return None
        raise


def all_of(hook: DliHook, job_ids: Sequence[int]) -> dict[int, FlinkJob]:
    """Show jobs that must all be there.

    :param hook: asks the service
    :param job_ids: their ids
    :raises DliFailException: naming those that are not
    """
    found = {job_id: find(hook, job_id) for job_id in job_ids}
    missing = [str(job_id) for job_id, job in found.items() if job is None]
    if missing:
        raise DliFailException(
            f"job_ids: project {hook.project_id} has no job {', '.join(missing)}; name jobs that it has. "
            "Nothing was asked of the others."
        )
    return {job_id: job for job_id, job in found.items() if job is not None}
