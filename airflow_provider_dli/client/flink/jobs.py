"""List jobs and show one with all its settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from airflow_provider_dli.client.call import Call, QueryValue
from airflow_provider_dli.client.errors import RefusedError
from airflow_provider_dli.client.flink.pages import MAX_PAGE, Page, Pages
from airflow_provider_dli.client.flink.status import checked_status
from airflow_provider_dli.client.flink.values import (
    JOBS,
    checked_id,
    count_of,
    id_of,
    number_of,
    object_of,
    objects_of,
    text_of,
)

_MISSING = "DLI.16001"


@dataclass(frozen=True, slots=True)
class FlinkJob:
    """A Flink job as list and detail give it; None where the service gave nothing.

    :param job_id: 64-bit id
    :param name: name, unique in the project
    :param job_type: such as ``flink_opensource_sql_job`` or ``flink_jar_job``
    :param status: such as ``job_running``
    :param desc: description
    :param status_desc: the service's words on the status
    :param queue_name: queue it runs in
    :param user_name: who made it; only in a list without details
    :param create_time: epoch milliseconds
    :param start_time: epoch milliseconds; None or 0 if it never started
    :param duration: running time in milliseconds; only in a list without details
    :param savepoint_path: where its newest savepoint is
    :param update_time: epoch milliseconds; only in detail and a list with details
    :param raw: everything that came, as it came
    """

    job_id: int
    name: str
    job_type: str
    status: str
    desc: str | None = None
    status_desc: str | None = None
    queue_name: str | None = None
    user_name: str | None = None
    create_time: int | None = None
    start_time: int | None = None
    duration: int | None = None
    savepoint_path: str | None = None
    update_time: int | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


def list_jobs(filters: Mapping[str, QueryValue], limit: int = MAX_PAGE, offset: int = 0) -> Call[Page[FlinkJob]]:
    """List one page of the project's Flink jobs (dli_02_0234).

    :param filters: query parameters of the manual's page, but for ``limit`` and ``offset``
    :param limit: most jobs on the page, 0 to 100
    :param offset: jobs to pass over
    """
    query = {**filters, "limit": limit, "offset": offset}
    return Call("ListFlinkJobs", "GET", JOBS, _job_page, query=query, repeatable=True)


def show_job(job_id: int) -> Call[FlinkJob]:
    """Show one Flink job with all its settings (dli_02_0235).

    :param job_id: its id
    :raises ConfigurationError: if ``job_id`` cannot be one
    """
    return Call(
        "ShowFlinkJob",
        "GET",
        f"{JOBS}/{{job_id}}",
        # A response about another job is none to this request.
        lambda body: _job(object_of(body, "job_detail"), job_id),
        path_params={"job_id": checked_id("job_id", job_id)},
        repeatable=True,
    )


def job_pages(filters: Mapping[str, QueryValue]) -> Pages[FlinkJob]:
    """Walk through all pages of the list, oldest jobs first unless the filters say otherwise.

    :param filters: as for :func:`list_jobs`
    """
    # Jobs that are made meanwhile come last, and move nothing.
    return Pages(partial(list_jobs, {"order": "asc", **filters}), lambda job: job.job_id)


def is_missing(error: Exception | None) -> bool:
    """Tell whether an error of :func:`show_job` says that the project has no such job.

    :param error: as the client raised it
    """
    return isinstance(error, RefusedError) and error.code == _MISSING


def _job_page(body: Mapping[str, Any]) -> Page[FlinkJob]:
    job_list = object_of(body, "job_list")
    return Page(count_of(job_list, "total_count"), tuple(_job(job) for job in objects_of(job_list, "jobs")))


def _job(job: Mapping[str, Any], expected: int | None = None) -> FlinkJob:
    job_id = id_of(job, "job_id", expected)
    return FlinkJob(
        job_id=job_id,
        name=text_of(job, "name"),
        job_type=text_of(job, "job_type"),
        status=checked_status(job_id, job.get("status")),
        desc=job.get("desc"),
        status_desc=job.get("status_desc"),
        queue_name=job.get("queue_name"),
        # "username" stood in editions up to 2021.
        user_name=job.get("user_name", job.get("username")),
        create_time=number_of(job.get("create_time")),
        start_time=number_of(job.get("start_time")),
        duration=number_of(job.get("duration")),
        savepoint_path=job.get("savepoint_path"),
        update_time=number_of(job.get("update_time")),
        raw=job,
    )
