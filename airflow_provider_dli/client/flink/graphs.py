"""Graphs of jobs: as one runs, and as a SQL text would make one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict, Unpack

from airflow_provider_dli.client.call import Call
from airflow_provider_dli.client.flink.settings import checked_settings
from airflow_provider_dli.client.flink.values import JOBS, checked_id, checked_text, message_of, object_of

_LONGEST_SQL = 1024 * 1024
_RUNS_STILL = -1


@dataclass(frozen=True, slots=True)
class ExecutionGraph:
    """How a Flink job runs.

    :param jid: Flink's own id of the job
    :param name: name of the job
    :param state: Flink's own word, in capitals, such as ``RUNNING``; none of DLI's job statuses
    :param is_stoppable: whether it can be stopped
    :param start_time: epoch milliseconds
    :param end_time: epoch milliseconds; None while it runs
    :param duration: milliseconds
    :param raw: everything that came, as it came
    """

    jid: str
    name: str
    state: str
    is_stoppable: bool
    start_time: int
    end_time: int | None
    duration: int
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class StreamGraph:
    """The graph that a SQL text would make.

    :param stream_graph: the graph
    :param message: the service's words, perhaps empty
    """

    stream_graph: Mapping[str, Any]
    message: str


class GraphSettings(TypedDict, total=False):
    """What the graph of a SQL text depends on, beside the text (dli_02_0316)."""

    cu_number: int
    manager_cu_number: int
    parallel_number: int
    tm_cus: int
    tm_slot_num: int
    operator_config: str
    static_estimator: bool
    static_estimator_config: str
    job_type: str
    graph_type: Literal["simple_graph", "job_graph"]
    flink_version: str


def show_execution_graph(job_id: int) -> Call[ExecutionGraph]:
    """Show the execution graph of a Flink job (dli_02_0236).

    :param job_id: id of a job that runs or has run
    :raises ConfigurationError: if it cannot be one
    """
    return Call(
        "ShowFlinkJobExecutionGraph",
        "GET",
        f"{JOBS}/{{job_id}}/execute-graph",
        _execution_graph,
        path_params={"job_id": checked_id("job_id", job_id)},
        repeatable=True,
    )


def create_sql_job_graph(job_id: int, sql_body: str, **settings: Unpack[GraphSettings]) -> Call[StreamGraph]:
    """Make the graph of a SQL text, without running it (dli_02_0316).

    The one job operation under ``/v3``; it may answer an error with HTTP 200, which is an error here too.

    :param job_id: id of a job
    :param sql_body: the SQL text
    :param settings: fields of :class:`GraphSettings`
    :raises ConfigurationError: naming the field, if one cannot be used
    """
    checked_text("sql_body", sql_body, _LONGEST_SQL)
    return Call(
        "CreateFlinkSqlJobGraph",
        "POST",
        "/v3/{project_id}/streaming/jobs/{job_id}/gen-graph",
        _stream_graph,
        path_params={"job_id": checked_id("job_id", job_id)},
        body={"sql_body": sql_body, **checked_settings(GraphSettings, settings)},
        repeatable=True,
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
        None if end == _RUNS_STILL else end,
        int(graph["duration"]),
        graph,
    )


def _stream_graph(body: Mapping[str, Any]) -> StreamGraph:
    graph = body.get("stream_graph")
    decoded = json.loads(graph) if isinstance(graph, str) else graph
    if not isinstance(decoded, Mapping):
        raise TypeError(f"stream_graph should be a JSON object and is {graph!r}")
    return StreamGraph(decoded, message_of(body))
