"""What happens to a job while it runs: queues, savepoints, scaling."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from api_client import ApiClient, Clock
from dli_emulator.settings import Settings


@pytest.mark.parametrize("run_mode", ["shared_cluster", "exclusive_cluster", None])
@pytest.mark.parametrize("queue_name", [None, ""])
def test_a_job_without_a_queue_does_not_run(api: ApiClient, run_mode: str | None, queue_name: str | None) -> None:
    """DLI.13024 in an array, whatever cluster it is for, and nothing is submitted."""
    job = api.emulator.state.add_job(name="adrift", run_mode=run_mode, queue_name=queue_name)
    reply = api.flink("POST", "jobs/run", {"job_ids": [job.job_id]})
    assert reply.status == 400
    assert [each["error_code"] for each in reply.body] == ["DLI.13024"]
    assert (job.runs, job.status) == (0, "job_init")


def run_with_savepoint(made: Callable[..., ApiClient], clock: Clock, **settings: Any) -> dict[str, Any]:
    """Run a job from its savepoint; return it as it is shown while it runs."""
    ours = made(clock=clock, settings=Settings(step_seconds=1, **settings))
    job = ours.emulator.state.add_job(name="j", queue_name="q", has_savepoint=True, savepoint_path="a/b/")
    ours.flink("POST", "jobs/run", {"job_ids": [job.job_id], "resume_savepoint": True})
    clock.now += 1
    assert ours.show(job.job_id).body["job_detail"]["savepoint_path"] == "a/b/"
    clock.now += 1
    shown: dict[str, Any] = ours.show(job.job_id).body["job_detail"]
    assert shown["status"] == "job_running"
    return shown


def test_a_savepoint_is_deleted_after_the_restart(made: Callable[..., ApiClient], clock: Clock) -> None:
    """As the user guide has it; a setting, and off."""
    kept = run_with_savepoint(made, clock)
    assert (kept["has_savepoint"], kept["savepoint_path"]) == (True, "a/b/")
    deleted = run_with_savepoint(made, clock, deletes_savepoints=True)
    assert (deleted["has_savepoint"], deleted["savepoint_path"]) == (False, None)


def test_dynamic_scaling_restarts_a_running_job(made: Callable[..., ApiClient], clock: Clock) -> None:
    """Through the statuses of a stop, which nobody requested; a job that does not run is not scaled."""
    ours = made(clock=clock, settings=Settings(step_seconds=1))
    job = ours.emulator.state.add_job(name="j", status="job_running")
    headers = {"Content-Type": "application/json"}
    reply = ours.send("POST", "/_emulator/scale", headers, json.dumps({"job_id": job.job_id}).encode())
    assert reply.status == 202
    statuses = []
    for _ in range(4):
        statuses.append(ours.show(job.job_id).body["job_detail"]["status"])
        clock.now += 1
    assert statuses == ["job_savepointing", "job_canceling", "job_submitting", "job_running"]
    assert (job.runs, job.stops) == (0, 0)
    for wrong in ({"job_id": 1}, {"job_id": "100"}, {}):
        assert ours.send("POST", "/_emulator/scale", headers, json.dumps(wrong).encode()).status == 400
