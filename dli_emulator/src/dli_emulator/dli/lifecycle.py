"""Run, stop, delete jobs, and make savepoints of them. What takes time is begun here, and goes on by itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from dli_emulator.call import Call
from dli_emulator.dli.answers import (
    BatchRefusal,
    batch_done,
    done,
    envelope,
    field,
    job_ids,
    job_of_path,
    jobs_of,
)
from dli_emulator.jobs import FlinkJob
from dli_emulator.wire import Refusal, Reply

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
    idle = [job for job in jobs if job.queue_name is None and job.run_mode != "shared_cluster"]
    if idle:
        words = "No job-running queue selected. Please select a queue for your job."
        raise BatchRefusal([("DLI.13024", words) for _ in idle])
    for job in jobs:
        job.runs += 1
        job.resumed = bool(resume and job.has_savepoint)
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
    """Make a savepoint of a running job (dli_02_0392). The answer's message is JSON itself."""
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
    """Tell a job which savepoint to start from (dli_02_0393)."""
    job = job_of_path(call, "DLI.16001")
    body = call.json_object()
    path = field(body, "savepoint_path", str, required=True)
    number = field(body, "job_id", int)
    if number is not None and not 0 < number < 1 << 63:
        raise Refusal(400, "DLI.0001", "The parameter job_id is no id.")
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
