"""Look at jobs: the list, one with all its settings, its graph, its metrics."""

from __future__ import annotations

import json

from dli_emulator.call import Call
from dli_emulator.dli.answers import done, field, job_of_path, plainly_done
from dli_emulator.dli.settings import checked_graph_settings
from dli_emulator.listing import read_listing
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
    """List the project's Flink jobs (dli_02_0234)."""
    listing = read_listing(call.query())
    fitting = listing.pick(call.project.settled_jobs())
    shown = [job.detail() if listing.show_detail else job.brief() for job in listing.page(fitting)]
    return done(call, job_list={"total_count": len(fitting), "jobs": shown})


async def show_flink_job(call: Call) -> Reply:
    """Show one Flink job with all its settings (dli_02_0235)."""
    return done(call, job_detail=job_of_path(call, "DLI.16001").detail())


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

    INVENTED: a text without ``insert into`` is wrong, which is told with HTTP 200; the form of the graph.
    """
    job_of_path(call, "DLI.16001")
    body = call.json_object()
    sql = field(body, "sql_body", str, required=True)
    checked_graph_settings(body)
    if "insert into" not in sql.lower():
        failure = {"is_success": False, "message": "There is no INSERT INTO.", "error_code": "DLI.0004"}
        return Reply(200, {**failure, "stream_graph": None})
    nodes = [{"id": 1, "type": "Source"}, {"id": 2, "type": "Sink", "predecessors": [{"id": 1}]}]
    return plainly_done(error_code="", stream_graph=json.dumps({"nodes": nodes}))
