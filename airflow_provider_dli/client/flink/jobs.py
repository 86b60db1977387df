"""List jobs, show, run, stop and delete them, and make savepoints of them.

The service answers run, stop and delete requests for several jobs with an array of envelopes whose length and
order are not established (the manual's examples contradict each other), or, in editions up to 2022, with one
object. So the array is never matched to the ids: every element must be a success. For exact results, send one id
per call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from airflow_provider_dli.client.call import Call, QueryValue
from airflow_provider_dli.client.errors import RefusedError
from airflow_provider_dli.client.flink.fields import (
    JOBS,
    Ack,
    checked_id,
    checked_job_ids,
    count_of,
    id_of,
    number_of,
    object_of,
    objects_of,
    string_of,
)
from airflow_provider_dli.client.flink.pages import MAX_PAGE, Page, Pages
from airflow_provider_dli.client.flink.status import checked_status
from airflow_provider_dli.client.locations import parse_directory

T = TypeVar("T")

_MISSING = "DLI.16001"
_NO_END = -1


@dataclass(frozen=True, slots=True)
class FlinkJob:
    """A Flink job as list and detail show it; None where the service omits a field.

    :param job_id: 64-bit id
    :param name: name, unique in the project
    :param job_type: such as ``flink_opensource_sql_job`` or ``flink_jar_job``
    :param status: such as ``job_running``
    :param desc: description
    :param status_desc: the service's description of the status
    :param queue_name: queue it runs in
    :param user_name: user who created it; only in a list without details
    :param create_time: epoch milliseconds
    :param start_time: epoch milliseconds; None or 0 if it never started
    :param duration: running time in milliseconds; only in a list without details
    :param savepoint_path: where its newest savepoint is
    :param update_time: epoch milliseconds; only in detail and a list with details
    :param raw: the whole object of the response
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


@dataclass(frozen=True, slots=True)
class ExecutionGraph:
    """How a Flink job runs.

    :param jid: Flink's own id of the job
    :param name: name of the job
    :param state: Flink's own state, in capitals, such as ``RUNNING``; not one of DLI's job statuses
    :param is_stoppable: whether it can be stopped
    :param start_time: epoch milliseconds
    :param end_time: epoch milliseconds; None while it runs
    :param duration: milliseconds
    :param raw: the whole object of the response
    """

    jid: str
    name: str
    state: str
    is_stoppable: bool
    start_time: int
    end_time: int | None
    duration: int
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


def list_jobs(filters: Mapping[str, QueryValue], limit: int = MAX_PAGE, offset: int = 0) -> Call[Page[FlinkJob]]:
    """List one page of the project's Flink jobs (dli_02_0234).

    :param filters: query parameters of the manual's page, except ``limit`` and ``offset``
    :param limit: most jobs on the page, 0 to 100
    :param offset: number of jobs to skip
    """
    query = {**filters, "limit": limit, "offset": offset}
    return Call("ListFlinkJobs", "GET", JOBS, _job_page, query=query, repeatable=True)


def job_pages(filters: Mapping[str, QueryValue]) -> Pages[FlinkJob]:
    """Walk through all pages of the list, oldest jobs first unless the filters order otherwise.

    :param filters: as for :func:`list_jobs`
    """
    # Jobs that are created meanwhile are appended, and move no other.
    return Pages(partial(list_jobs, {"order": "asc", **filters}), lambda job: job.job_id)


def show_job(job_id: int) -> Call[FlinkJob]:
    """Show one Flink job with all its settings (dli_02_0235).

    :param job_id: its id
    :raises ConfigurationError: if ``job_id`` is not valid
    """
    return _call("ShowFlinkJob", "GET", job_id, "", lambda body: _job(object_of(body, "job_detail"), job_id))


def is_missing(error: Exception | None) -> bool:
    """Return whether an error of :func:`show_job` means that this key sees no such job.

    :param error: as the client raised it
    """
    return isinstance(error, RefusedError) and error.code == _MISSING


def show_execution_graph(job_id: int) -> Call[ExecutionGraph]:
    """Show the execution graph of a Flink job (dli_02_0236).

    :param job_id: id of a job that runs or has run
    :raises ConfigurationError: if it is not valid
    """
    return _call("ShowFlinkJobExecutionGraph", "GET", job_id, "/execute-graph", _execution_graph)


def run_jobs(job_ids: Iterable[int], *, resume_savepoint: bool = False) -> Call[Ack]:
    """Submit Flink jobs to run (dli_02_0233). They are only submitted: check their status.

    :param job_ids: ids of the jobs
    :param resume_savepoint: True to start from the newest savepoint
    :raises ConfigurationError: if there is no id, or one is not valid
    """
    body = {"job_ids": checked_job_ids("job_ids", job_ids), "resume_savepoint": resume_savepoint}
    return Call("BatchRunFlinkJobs", "POST", f"{JOBS}/run", Ack.read, body=body)


def stop_jobs(job_ids: Iterable[int], *, trigger_savepoint: bool = False) -> Call[Ack]:
    """Request Flink jobs to stop (dli_02_0241). Check their status to see them stopped.

    :param job_ids: ids of the jobs, each submitting or running
    :param trigger_savepoint: True to make a savepoint first
    :raises ConfigurationError: if there is no id, or one is not valid
    """
    body = {"job_ids": checked_job_ids("job_ids", job_ids), "trigger_savepoint": trigger_savepoint}
    return Call("BatchStopFlinkJobs", "POST", f"{JOBS}/stop", Ack.read, body=body)


def delete_job(job_id: int) -> Call[Ack]:
    """Delete one Flink job, in any status; a running one is stopped (dli_02_0242).

    :param job_id: its id
    :raises ConfigurationError: if it is not valid
    """
    return _call("DeleteFlinkJob", "DELETE", job_id, "", Ack.read)


def delete_jobs(job_ids: Iterable[int]) -> Call[Ack]:
    """Delete Flink jobs, in any status (dli_02_0243).

    :param job_ids: ids of the jobs
    :raises ConfigurationError: if there is no id, or one is not valid
    """
    body = {"job_ids": checked_job_ids("job_ids", job_ids)}
    return Call("BatchDeleteFlinkJobs", "POST", f"{JOBS}/delete", Ack.read, body=body)


# The two calls about savepoints write places in opposite ways; both accept either form.


def trigger_savepoint(job_id: int, savepoint_path: str | None = None) -> Call[Ack]:
    """Make a savepoint of a running Flink job (dli_02_0392). Check its status to see it made.

    :param job_id: id of the job; it must be running
    :param savepoint_path: directory for it. Mandatory by the manual; clients in use omit it, and the service then
        uses a directory of its own
    :raises ConfigurationError: if ``job_id`` is not valid, or ``savepoint_path`` is not a place in OBS
    """
    body = {"action": "TRIGGER"}
    if savepoint_path is not None:
        body["savepoint_path"] = f"{parse_directory('savepoint_path', savepoint_path)}/"
    return _call("ExecuteFlinkJobSavepoint", "POST", job_id, "/savepoint", Ack.read, body)


def import_savepoint(job_id: int, savepoint_path: str) -> Call[Ack]:
    """Set the savepoint that a Flink job starts from (dli_02_0393).

    :param job_id: id of the job
    :param savepoint_path: directory that holds the savepoint's ``_metadata``
    :raises ConfigurationError: if ``job_id`` is not valid, or ``savepoint_path`` is not a place in OBS
    """
    place = parse_directory("savepoint_path", savepoint_path)
    body = {"job_id": job_id, "savepoint_path": place.url}
    return _call("ImportFlinkJobSavepoint", "POST", job_id, "/import-savepoint", Ack.read, body, repeatable=True)


def _call(
    operation: str,
    method: str,
    job_id: int,
    action: str,
    parse: Callable[[Mapping[str, Any]], T],
    body: Mapping[str, Any] | None = None,
    *,
    repeatable: bool = False,
) -> Call[T]:
    path, ids = f"{JOBS}/{{job_id}}{action}", {"job_id": checked_id("job_id", job_id)}
    return Call(
        operation, method, path, parse, path_params=ids, body=body, repeatable=repeatable or method == "GET"
    )


def _job_page(body: Mapping[str, Any]) -> Page[FlinkJob]:
    job_list = object_of(body, "job_list")
    return Page(count_of(job_list, "total_count"), tuple(_job(job) for job in objects_of(job_list, "jobs")))


def _job(job: Mapping[str, Any], expected: int | None = None) -> FlinkJob:
    job_id = id_of(job, "job_id", expected)
    return FlinkJob(
        job_id=job_id,
        name=string_of(job, "name"),
        job_type=string_of(job, "job_type"),
        status=checked_status(job_id, job.get("status")),
        desc=job.get("desc"),
        status_desc=job.get("status_desc"),
        queue_name=job.get("queue_name"),
        # "username" is the name in editions up to 2021.
        user_name=job.get("user_name", job.get("username")),
        create_time=number_of(job.get("create_time")),
        start_time=number_of(job.get("start_time")),
        duration=number_of(job.get("duration")),
        savepoint_path=job.get("savepoint_path"),
        update_time=number_of(job.get("update_time")),
        raw=job,
    )


def _execution_graph(body: Mapping[str, Any]) -> ExecutionGraph:
    graph = object_of(body, "execute_graph")
    end = int(graph["end-time"])
    return ExecutionGraph(
        str(graph["jid"]),
        str(graph["name"]),
        str(graph["state"]),
        bool(graph.get("isStoppable")),
        int(graph["start-time"]),
        None if end == _NO_END else end,
        int(graph["duration"]),
        graph,
    )
