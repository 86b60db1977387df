"""List and show jobs; run, stop and delete them, and trigger savepoints."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from dli_emulator.access import sees
from dli_emulator.call import (
    BatchRefusal,
    Call,
    batch_done,
    done,
    done_with_boolean,
    envelope,
    field,
    job_ids,
    job_of_path,
    jobs_of,
)
from dli_emulator.dli.definitions import checked_graph_settings
from dli_emulator.flink_job import JOB_TYPES, NAME_LENGTH, NO_ROOT, STATUSES, FlinkJob
from dli_emulator.wire import Refusal, Reply

_LIVE = -1
#: DLI's status -> Flink's own
_STATES = {
    "job_running": "RUNNING",
    "job_savepointing": "RUNNING",
    "job_idle": "RUNNING",
    "job_canceling": "CANCELLING",
    "job_cancel_success": "CANCELED",
    "job_running_exception": "FAILED",
    "job_finish": "FINISHED",
}


async def list_flink_jobs(call: Call) -> Reply:
    """List the project's Flink jobs, of all that the sender may see (dli_02_0234)."""
    listing = read_listing(call.query())
    visible = [job for job in call.project.current_jobs() if sees(call.state, call.user, job)]
    fitting = listing.pick(visible)
    filled_in = call.state.settings.fills_in_settings
    page = listing.page(fitting)
    shown = [job.detail(filled_in=filled_in) if listing.show_detail else job.brief() for job in page]
    return done(call, job_list={"total_count": len(fitting), "jobs": shown})


async def show_flink_job(call: Call) -> Reply:
    """Show one Flink job with all its settings (dli_02_0235)."""
    job = job_of_path(call, "DLI.16001")
    return done(call, job_detail=job.detail(filled_in=call.state.settings.fills_in_settings))


async def show_execution_graph(call: Call) -> Reply:
    """Show how a job runs (dli_02_0236). A job that never ran has no graph."""
    job = job_of_path(call, "DLI.16001")
    if not job.start_time or job.status not in _STATES:
        raise Refusal(400, "DLI.14001", f"The job {job.job_id} has no execution graph.")
    is_live = _STATES[job.status] in ("RUNNING", "CANCELLING")
    end = _LIVE if is_live else job.start_time + job.duration
    now = int(call.state.clock() * 1000)
    graph = {
        "jid": f"{job.job_id:032x}",
        "name": job.name,
        "isStoppable": False,
        "state": _STATES[job.status],
        "start-time": job.start_time,
        "end-time": end,
        "duration": now - job.start_time if is_live else job.duration,
    }
    return done(call, execute_graph=graph)


async def create_sql_job_graph(call: Call) -> Reply:
    """Make the graph of a SQL text (dli_02_0316).

    INVENTED: a text without ``insert into`` is refused with HTTP 200; the form of the graph.
    """
    job_of_path(call, "DLI.16001")
    body = call.json_object()
    sql = field(body, "sql_body", str, required=True)
    checked_graph_settings(body)
    if "insert into" not in sql.lower():
        failure = {"is_success": False, "message": "There is no INSERT INTO.", "error_code": "DLI.0004"}
        return Reply(200, {**failure, "stream_graph": None})
    nodes = [{"id": 1, "type": "Source"}, {"id": 2, "type": "Sink", "predecessors": [{"id": 1}]}]
    return done_with_boolean(error_code="", stream_graph=json.dumps({"nodes": nodes}))


DEFAULT_LIMIT = 10
MAX_LIMIT = 100

_WHOLE = re.compile(r"-?[0-9]{1,19}")
_LARGEST = 1 << 63
_TRUTHS = {"true": True, "false": False}


@dataclass(frozen=True)
class Listing:
    """Which jobs to list, in which order, and which page of them.

    :param tests: each must hold for a job to be listed
    :param descending: newest first
    :param limit: most jobs on the page
    :param offset: jobs to pass over
    :param show_detail: whether jobs are shown with all they have
    """

    tests: tuple[Callable[[FlinkJob], bool], ...]
    descending: bool
    limit: int
    offset: int
    show_detail: bool

    def pick(self, jobs: Iterable[FlinkJob]) -> list[FlinkJob]:
        """Return the jobs that fit, of all pages, in order."""
        fitting = [job for job in jobs if all(test(job) for test in self.tests)]
        return sorted(fitting, key=lambda job: (job.create_time, job.job_id), reverse=self.descending)

    def page(self, jobs: list[FlinkJob]) -> list[FlinkJob]:
        """Return those of the picked jobs that are on the page."""
        return jobs[self.offset : self.offset + self.limit]


def read_listing(query: Mapping[str, str]) -> Listing:
    """Read the query of a list call.

    INVENTED, since the manual is silent: ``name`` fits any part of a name; a ``limit`` beyond 0 to 100, an
    unknown ``status``, ``job_type`` or ``order``, and a name over 57 characters are ``DLI.0001``.

    :param query: its parameters; those the manual does not name are passed over
    :raises Refusal: ``DLI.23001`` for a negative ``offset``, ``DLI.0001`` for any other bad value
    """
    limit = _number(query, "limit", DEFAULT_LIMIT)
    offset = _number(query, "offset", 0)
    if not 0 <= limit <= MAX_LIMIT:
        raise Refusal(400, "DLI.0001", f"The limit must be from 0 to {MAX_LIMIT}.")
    if offset < 0:
        raise Refusal(400, "DLI.23001", "The offset must not be negative.")
    descending = _choice(query, "order", ("asc", "desc")) != "asc"
    detail = _TRUTHS[_choice(query, "show_detail", tuple(_TRUTHS)) or "false"]
    return Listing(tuple(_tests(query)), descending, limit, offset, detail)


def _tests(query: Mapping[str, str]) -> Iterable[Callable[[FlinkJob], bool]]:
    root = _number(query, "root_job_id", NO_ROOT)
    yield lambda job: job.root_id == root
    if wanted := _choice(query, "job_type", JOB_TYPES):
        yield lambda job: job.job_type == wanted
    if state := _choice(query, "status", STATUSES):
        yield lambda job: job.status == state
    if queue := query.get("queue_name"):
        yield lambda job: job.queue_name == queue
    if user := query.get("user_name"):
        yield lambda job: job.user_name == user
    if project := query.get("sys_enterprise_project_name"):
        yield lambda job: job.enterprise_project == project
    if name := _name(query):
        yield lambda job: name in job.name
    if tags := _tags(query):
        yield lambda job: tags <= job.tags.items()


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not _WHOLE.fullmatch(text) or not -_LARGEST <= int(text) < _LARGEST:
        raise Refusal(400, "DLI.0001", f"The {name} {text!r} is not a whole number of 64 bits.")
    return int(text)


def _choice(query: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str | None:
    text = query.get(name) or None
    if text is not None and text not in choices:
        raise Refusal(400, "DLI.0001", f"The {name} {text!r} is none of {', '.join(choices)}.")
    return text


def _name(query: Mapping[str, str]) -> str | None:
    name = query.get("name")
    if name and len(name) > NAME_LENGTH:
        raise Refusal(400, "DLI.0001", f"The name is longer than {NAME_LENGTH} characters.")
    return name


def _tags(query: Mapping[str, str]) -> set[tuple[str, str]]:
    pairs = [pair.partition("=") for pair in query.get("tags", "").split(",") if pair]
    if any(not separator for _, separator, _ in pairs):
        raise Refusal(400, "DLI.0001", "The tags are not of the form key=value,key=value.")
    return {(key, value) for key, _, value in pairs}


_RUN = ("job_submitting", "job_running")
_STOP = ("job_canceling", "job_cancel_success")
_SAVEPOINT = ("job_savepointing", "job_running")
_MAY_STOP = ("job_submitting", "job_running", "job_idle", "job_savepointing", "job_cancel_fail")


async def run_jobs(call: Call) -> Reply:
    """Submit jobs to run (dli_02_0233). For a while they still read as before.

    INVENTED: one id that is refused refuses all; a job that runs already is submitted once more, and its ``runs``
    counts it.
    """
    body = call.json_object()
    resume = field(body, "resume_savepoint", bool)
    jobs = jobs_of(call, job_ids(body), "DLI.13007")
    idle = [job for job in jobs if not job.queue_name]  # those of a shared cluster too, as was seen
    if idle:
        words = "No job-running queue selected. Please select a queue for your job."
        raise BatchRefusal([("DLI.13024", words) for _ in idle])
    for job in jobs:
        job.runs += 1
        job.resumed = bool(resume and job.has_savepoint)
        job.deletes_savepoint = job.resumed and call.state.settings.deletes_savepoints
        # The status of before stays for a step: clients must not take it for a failure.
        _begin(call, job, (job.status, *_RUN))
    return batch_done(call, job_ids(body), "The request for submitting DLI jobs is successfully delivered.")


async def stop_jobs(call: Call) -> Reply:
    """Stop jobs that are submitting or running (dli_02_0241)."""
    body = call.json_object()
    savepoint = field(body, "trigger_savepoint", bool)
    jobs = jobs_of(call, job_ids(body), "DLI.15002")
    resting = [job for job in jobs if job.status not in _MAY_STOP]
    if resting:
        words = [f"The job {job.job_id} is in status {job.status} and cannot be stopped." for job in resting]
        raise BatchRefusal([("DLI.15002", word) for word in words])
    for job in jobs:
        job.stops += 1
        if savepoint:
            _keep_savepoint(call, job, None)
        _begin(call, job, _STOP)
    return batch_done(call, job_ids(body), "The request for stopping DLI jobs is successfully delivered.")


async def delete_job(call: Call) -> Reply:
    """Delete a job, in whatever state (dli_02_0242)."""
    job = job_of_path(call, "DLI.17001")
    del call.project.jobs[job.job_id]
    return done(call, "The job is successfully deleted.")


async def delete_jobs(call: Call) -> Reply:
    """Delete jobs, in whatever state (dli_02_0243). INVENTED: one id that is refused refuses all."""
    ids = job_ids(call.json_object())
    for job in jobs_of(call, ids, "DLI.17001"):
        del call.project.jobs[job.job_id]
    return batch_done(call, ids, "The job is successfully deleted.")


async def trigger_savepoint(call: Call) -> Reply:
    """Trigger a savepoint of a running job (dli_02_0392). The message of the response is JSON itself."""
    job = job_of_path(call, "DLI.16001")
    body = call.json_object()
    if field(body, "action", str, required=True) != "TRIGGER":
        raise Refusal(400, "DLI.0001", "The parameter action must be TRIGGER.")
    path = field(body, "savepoint_path", str)
    if path is not None and "://" in path:
        raise Refusal(400, "DLI.0001", "The parameter savepoint_path must be bucket/directory/.")
    if job.status != "job_running":
        raise Refusal(400, "DLI.15002", f"The job {job.job_id} is in status {job.status}, not running.")
    _keep_savepoint(call, job, path)
    _begin(call, job, _SAVEPOINT)
    inner = {"is_success": "true", "message": "api.msg.deal_savepoint_success"}
    return Reply(200, envelope(call.state.settings, success=True, message=json.dumps(inner)))


async def import_savepoint(call: Call) -> Reply:
    """Set the savepoint that a job starts from (dli_02_0393)."""
    job = job_of_path(call, "DLI.16001")
    body = call.json_object()
    path = field(body, "savepoint_path", str, required=True)
    number = field(body, "job_id", int)
    if number is not None and not 0 < number < 1 << 63:
        raise Refusal(400, "DLI.0001", "The parameter job_id is not a valid id.")
    if not path.startswith("obs://"):
        raise Refusal(400, "DLI.0001", "The parameter savepoint_path must be obs://bucket/directory.")
    job.has_savepoint, job.savepoint_path = True, path
    return done(call, "The job is updated successfully.")


def _begin(call: Call, job: FlinkJob, path: tuple[str, ...]) -> None:
    fault = call.fault
    scripted = tuple(fault["path"]) if fault and fault.kind == "statuses" else path
    job.begin(scripted, call.state.clock(), call.state.settings.step_seconds)


def _keep_savepoint(call: Call, job: FlinkJob, path: str | None) -> None:
    moment = datetime.fromtimestamp(call.state.clock(), UTC)
    job.has_savepoint = True
    job.savepoint_path = path or f"jobs/savepoint/{job.job_id}/{moment:%Y-%m-%d_%H-%M-%S}/"
