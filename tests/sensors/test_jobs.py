"""Waiting for jobs, whoever has requested the change."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from airflow_provider_dli.compat import AirflowSensorTimeout, AirflowSkipException, TaskDeferred
from airflow_provider_dli.exceptions import DliFailException
from airflow_provider_dli.sensors.dli import DliFlinkJobSensor
from airflow_provider_dli.triggers.flink import FlinkJobsTrigger
from dli_emulator import Emulator
from tests.airflow.execution_modes import both_modes, first_event, jobs_of


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    return dli_emulator


def sensor(job_ids: Any, **parameters: Any) -> DliFlinkJobSensor:
    given = {"poke_interval": 0.05, "timeout": 120, "status_grace_period": 0.2, **parameters}
    return DliFlinkJobSensor(task_id="wait", job_ids=job_ids, **given)


def begin(emulator: Emulator, job_id: int, *path: str, step: float = 0.1) -> None:
    emulator.state.jobs[job_id].begin(path, time.time(), step)


def test_jobs_are_waited_for(emulator: Emulator) -> None:
    """Past the end of the run before, which is still shown in the beginning."""
    begin(emulator, 108, "job_cancel_success", "job_submitting", "job_running")
    result = jobs_of(sensor("108, 103"))
    assert [(each["job_id"], each["status"]) for each in result] == [(108, "job_running"), (103, "job_running")]


@pytest.mark.parametrize(
    ("target_state", "path", "status"),
    [
        ("stopped", ("job_canceling", "job_cancel_success"), "job_cancel_success"),
        ("finished", ("job_running", "job_finish"), "job_finish"),
    ],
)
def test_every_target_state(emulator: Emulator, target_state: Any, path: tuple[str, ...], status: str) -> None:
    """By the one table of statuses."""
    begin(emulator, 103, *path)
    assert jobs_of(sensor(103, target_state=target_state))[0]["status"] == status


@pytest.mark.slow
def test_a_job_that_ends_badly_fails(emulator: Emulator) -> None:
    """Once the grace period is over; one that changes to a bad end is so at once."""
    with pytest.raises(DliFailException, match="job 102 is job_submit_fail"):
        sensor(102).execute({})
    begin(emulator, 100, "job_submitting", "job_submit_fail", step=1)
    with pytest.raises(DliFailException, match="job 100 is job_submit_fail"):
        sensor(100, status_grace_period=3600).execute({})


def test_a_job_that_does_not_exist_fails(emulator: Emulator) -> None:
    """It will not come."""
    with pytest.raises(DliFailException, match="job 9 is not a job that this key sees"):
        sensor([9]).execute({})
    del emulator


@pytest.mark.slow
def test_time_is_up(emulator: Emulator) -> None:
    """As for every sensor."""
    with pytest.raises(AirflowSensorTimeout):
        sensor(101, timeout=0.3).execute({})
    del emulator


@pytest.mark.parametrize(
    ("parameters", "field"), [({"target_state": "done"}, "target_state"), ({"job_ids": ""}, "job_ids")]
)
def test_a_wrong_parameter_is_refused(emulator: Emulator, parameters: dict[str, Any], field: str) -> None:
    """By its name, before anything is sent."""
    with pytest.raises(DliFailException, match=rf"^{field}: "):
        sensor(**{"job_ids": 100, **parameters}).execute({})
    assert len(emulator.requests) == 0


def fire(waiting: TaskDeferred) -> Any:
    """Let the trigger of a job sensor fire."""
    assert isinstance(waiting.trigger, FlinkJobsTrigger)
    return first_event(waiting)


def test_on_the_triggerer(emulator: Emulator) -> None:
    """It waits there, and decides here."""
    begin(emulator, 108, "job_cancel_success", "job_submitting", "job_running")
    with pytest.raises(TaskDeferred) as caught:
        sensor([108], deferrable=True).execute({})
    assert sensor([108]).execute_complete({}, fire(caught.value)) == [108]


def test_time_is_up_on_the_triggerer(emulator: Emulator) -> None:
    """A timeout, or a skip with ``soft_fail``."""
    emulator.state.jobs[101].plan = []
    with pytest.raises(TaskDeferred) as caught:
        sensor([101], deferrable=True, timeout=0.2).execute({})
    event = fire(caught.value)
    assert event["status"] == "timeout"
    with pytest.raises(AirflowSensorTimeout, match=r"Not all running within 120 s: 1 job job_submitting"):
        sensor([101]).execute_complete({}, event)
    with pytest.raises(AirflowSkipException):
        sensor([101], soft_fail=True).resume_execution("execute_complete", {"event": event}, {})


IDS = tuple(range(100, 108))
#: what the list shows: how many requests for single jobs are left, and the body or error of its first page
LISTS: dict[str, int] = {
    "all": 0,
    "one more": 1,
    "no settings": 8,
    "denied": 8,
    "unknown status": 8,
    "contradictory": 8,
}


@both_modes
@pytest.mark.parametrize("case", LISTS)
def test_more_than_a_few_jobs_are_read_from_the_list(emulator: Emulator, deferrable: bool, case: str) -> None:
    """On a worker as on the triggerer; what the list does not show is requested job by job."""
    for job_id in IDS:
        emulator.state.jobs[job_id].status = "job_running"
    jobs = [job.brief() if case == "no settings" else job.detail() for job in emulator.state.jobs.values()]
    if case == "unknown status":
        jobs[20]["status"] = "job_of_tomorrow"
    listed: dict[str, Any] = {"total_count": len(jobs), "jobs": jobs}
    if case == "one more":
        listed = {"total_count": len(jobs) - 1, "jobs": jobs[1:]}
    if case == "contradictory":
        listed = {"total_count": 1000, "jobs": []}
    if case == "denied":
        emulator.fault("ListFlinkJobs", "error", status=403, code="APIGW.0302", message="denied")
    elif case != "all":
        body = json.dumps({"is_success": "true", "job_list": listed})
        emulator.fault("ListFlinkJobs", "reply", body=body, times=2)
    trigger = FlinkJobsTrigger(IDS, "running", dli_conn_id="dli_default", poll_interval=0, timeout=60)
    if deferrable:
        assert first_event(TaskDeferred(trigger=trigger, method_name="execute_complete"))["status"] == "done"
    else:
        polled = sensor(list(IDS)).poke({})
        assert polled.xcom_value == list(IDS)
    single = [request for request in emulator.requests if request.operation == "ShowFlinkJob"]
    assert len(single) == LISTS[case]


def test_a_list_that_fails_for_a_while_is_a_poll_that_failed(emulator: Emulator) -> None:
    """It is repeated; a service in trouble does not get a request for each job."""
    emulator.fault("ListFlinkJobs", "html", status=503, times=2)
    assert not sensor(list(IDS)).poke({}).is_done
    assert not [request for request in emulator.requests if request.operation == "ShowFlinkJob"]
