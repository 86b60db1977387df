"""DLI's Flink job operations: for each a function that makes its call, its result and its parser.

Follows the *Flink Job APIs* of the DLI API reference; every function names its page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_dli.client.call import Call, QueryValue
from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.locations import parse_directory

_JOBS = "/v1.0/{project_id}/streaming/jobs"

#: most jobs that one page of the list holds (dli_02_0234)
MAX_PAGE = 100


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What an export gave.

    :param zip_file: each archive as ``bucket/key``; at least one
    :param message: the service's words, perhaps empty
    """

    zip_file: tuple[str, ...]
    message: str


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
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of the list.

    :param total_count: jobs that fit the filters, on all pages
    :param jobs: those on this page
    """

    total_count: int
    jobs: tuple[FlinkJob, ...]


def export_jobs(obs_dir: str, job_ids: Iterable[int] | None = None) -> Call[ExportResult]:
    """Export Flink jobs as ZIP archives to OBS (dli_02_0254).

    :param obs_dir: bucket, or bucket and directory, that the archives go to
    :param job_ids: ids of the jobs to export; None for all jobs of the project
    :raises ConfigurationError: if ``obs_dir`` is no place in OBS, or ``job_ids`` is empty or holds no ids
    """
    body: dict[str, Any] = {
        "obs_dir": str(parse_directory("obs_dir", obs_dir)),
        "is_selected": job_ids is not None,
    }
    if job_ids is not None:
        body["job_selected"] = checked_job_ids("job_selected", job_ids)
    return Call("ExportFlinkJobs", "POST", f"{_JOBS}/export", _export_result, body=body)


def list_jobs(filters: Mapping[str, QueryValue], limit: int = MAX_PAGE, offset: int = 0) -> Call[JobPage]:
    """List one page of the project's Flink jobs (dli_02_0234).

    :param filters: query parameters of the manual's page, but for ``limit`` and ``offset``
    :param limit: most jobs on the page, 0 to 100
    :param offset: jobs to pass over
    """
    query = {**filters, "limit": limit, "offset": offset}
    return Call("ListFlinkJobs", "GET", _JOBS, _job_page, query=query, repeatable=True)


def show_job(job_id: int) -> Call[FlinkJob]:
    """Show one Flink job with all its settings (dli_02_0235).

    :param job_id: its id
    :raises ConfigurationError: if ``job_id`` cannot be one
    """
    (checked,) = checked_job_ids("job_id", [job_id])
    return Call(
        "ShowFlinkJob",
        "GET",
        f"{_JOBS}/{{job_id}}",
        lambda body: _job(_object(body, "job_detail")),
        path_params={"job_id": checked},
        repeatable=True,
    )


class JobPages:
    """Walk through all pages of the list, no job twice, whoever does the asking.

    Ask ``next_call`` for the next page's call and hand the page to ``accept``; the walk ends when
    ``next_call`` is None. The list is no snapshot: a job made meanwhile shifts the pages, so ids are
    remembered.

    :param filters: as for :func:`list_jobs`
    """

    def __init__(self, filters: Mapping[str, QueryValue]) -> None:
        self._filters = filters
        self._offset = 0
        self._seen: set[int] = set()
        self._done = False

    def next_call(self) -> Call[JobPage] | None:
        """Return the call for the next page, or None after the last one."""
        return None if self._done else list_jobs(self._filters, MAX_PAGE, self._offset)

    def accept(self, page: JobPage) -> Iterator[FlinkJob]:
        """Take a page, and give the jobs on it that no page before had."""
        self._offset += len(page.jobs)
        self._done = not page.jobs or self._offset >= page.total_count
        fresh = [job for job in page.jobs if job.job_id not in self._seen]
        self._seen.update(job.job_id for job in fresh)
        return iter(fresh)


def checked_job_ids(name: str, job_ids: Iterable[object]) -> list[int]:
    """Return the ids, each once, in their order.

    :param name: the parameter they come from, for messages
    :param job_ids: positive whole numbers
    :raises ConfigurationError: if there are none, or one is not a positive 64-bit number
    """
    ids = list(dict.fromkeys(_checked_job_id(name, job_id) for job_id in job_ids))
    if not ids:
        raise ConfigurationError(name, "holds no job id", "name at least one job, or leave it out for all")
    return ids


def _checked_job_id(name: str, job_id: object) -> int:
    if isinstance(job_id, int) and not isinstance(job_id, bool) and 0 < job_id < 1 << 63:
        return job_id
    raise ConfigurationError(name, f"{job_id!r} is not a job id", "job ids are positive whole numbers")


def _export_result(body: Mapping[str, Any]) -> ExportResult:
    # "zip_files" stood in the manual's 2020 edition; both are taken.
    archives = body.get("zip_file") or body.get("zip_files") or []
    if isinstance(archives, str):
        archives = [archives]
    if not archives or not all(isinstance(archive, str) and archive for archive in archives):
        raise ValueError(f"zip_file should list at least one archive and is {body.get('zip_file')!r}")
    return ExportResult(tuple(archives), str(body.get("message") or ""))


def _job_page(body: Mapping[str, Any]) -> JobPage:
    job_list = _object(body, "job_list")
    jobs = tuple(_job(job) for job in job_list.get("jobs") or [])
    return JobPage(int(job_list["total_count"]), jobs)


def _job(job: Mapping[str, Any]) -> FlinkJob:
    return FlinkJob(
        job_id=int(job["job_id"]),
        name=str(job["name"]),
        job_type=str(job["job_type"]),
        status=str(job["status"]),
        desc=job.get("desc"),
        status_desc=job.get("status_desc"),
        queue_name=job.get("queue_name"),
        # "username" stood in editions up to 2021.
        user_name=job.get("user_name", job.get("username")),
        create_time=job.get("create_time"),
        start_time=job.get("start_time"),
        duration=job.get("duration"),
        raw=job,
    )


def _object(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = body.get(name)
    if not isinstance(found, Mapping):
        raise TypeError(f"{name} should be an object and is {found!r}")
    return found
