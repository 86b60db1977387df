"""Stop jobs with ``restart_when_exception``: an exception does not end them."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from airflow_provider_dli.compat import AirflowSensorTimeout
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.operators.dli import DliStopFlinkJobsOperator
from airflow_provider_dli.sensors.dli import DliFlinkJobSensor
from dli_emulator import Emulator
from tests.airflow.execution_modes import both_modes, jobs_of, run_to_completion

DONE = json.dumps(
    {"is_success": "true", "message": "The request for stopping DLI jobs is successfully delivered."}
)


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return the emulator, connected, with a job 104 that may come back from an exception."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    dli_emulator.state.settings.step_seconds = 0.1
    for job_id in (103, 104):
        dli_emulator.state.jobs[job_id].job_config["restart_when_exception"] = True
    return dli_emulator


def stop(*job_ids: int, **parameters: Any) -> DliStopFlinkJobsOperator:
    given = {"poll_interval": 0.05, "timeout": 120, "status_grace_period": 0.3, **parameters}
    return DliStopFlinkJobsOperator(task_id="stop", job_ids=list(job_ids), **given)


def plan(emulator: Emulator, job_id: int, after: float, *path: str) -> None:
    """Have a job go through statuses by itself, from some seconds on."""
    steps = [(time.time() + after + 0.1 * number, status) for number, status in enumerate(path)]
    emulator.state.jobs[job_id].plan = steps


def refusals(emulator: Emulator) -> list[str | None]:
    """Return the code of each response to a stop; None of one that was accepted."""
    return [request.error_code for request in emulator.requests if request.operation == "BatchStopFlinkJobs"]


@pytest.mark.slow
@both_modes
def test_one_that_comes_back_is_stopped_then(emulator: Emulator, deferrable: bool) -> None:
    """The request is refused at once, and sent again when it runs; the others are stopped meanwhile."""
    # Late enough for the first request to come before, also on a machine under load.
    plan(emulator, 104, 2, "job_running")
    result = jobs_of(stop(104, 117, deferrable=deferrable))
    assert [(each["job_id"], each["status"]) for each in result] == [
        (104, "job_cancel_success"),
        (117, "job_cancel_success"),
    ]
    assert (emulator.state.jobs[104].stops, emulator.state.jobs[117].stops) == (1, 1)
    assert refusals(emulator) == ["DLI.15002", None, None]


@both_modes
def test_one_that_does_not_come_back_is_a_failure(emulator: Emulator, deferrable: bool) -> None:
    """It may run tomorrow; the message has advice."""
    with pytest.raises(DliException, match=r"104\. Job 104 is job_running_exception and may start again.*switch"):
        run_to_completion(stop(104, timeout=0.4, deferrable=deferrable))
    assert refusals(emulator) == ["DLI.15002"]


@both_modes
def test_one_that_lets_itself_be_stopped_at_once(emulator: Emulator, deferrable: bool) -> None:
    """Where the service takes the request, it is enough."""
    emulator.fault("BatchStopFlinkJobs", "reply", status=200, body=DONE)
    plan(emulator, 104, 0.4, "job_canceling", "job_cancel_success")
    (result,) = jobs_of(stop(104, deferrable=deferrable))
    assert result["status"] == "job_cancel_success"
    assert refusals(emulator) == [None]


@pytest.mark.slow
@both_modes
def test_one_that_comes_back_after_its_request(emulator: Emulator, deferrable: bool) -> None:
    """The exception has ended the run that was to be stopped; the next one is stopped too."""
    path = ["job_canceling", *["job_running_exception"] * 6, "job_running"]
    emulator.fault("BatchStopFlinkJobs", "statuses", path=path)
    (result,) = jobs_of(stop(103, deferrable=deferrable))
    assert (result["status"], emulator.state.jobs[103].stops) == ("job_cancel_success", 2)


def test_no_request_is_sent_after_the_end_of_the_wait(emulator: Emulator) -> None:
    """One that comes back when time is up on the triggerer is left to the next attempt."""
    plan(emulator, 104, -1, "job_running")
    waited = {"target_state": "stopped", "baseline": {}, "requested_at": 0.0, "grace_period": 1.0}
    event = {"status": "timeout", "pending": "104", "left": 0.0, "tracker": {"job_ids": [104], **waited}}
    with pytest.raises(DliException, match=r"not stopped within .*: 104\."):
        stop(104).execute_complete({}, event)
    assert refusals(emulator) == []


def test_not_to_wait_for_it_is_a_failure(emulator: Emulator) -> None:
    """With ``wait_for_completion=False`` nobody would request it again; a later attempt may."""
    with pytest.raises(
        DliException, match=r"Job 104 .*is job_running_exception\. .*No request was sent; try again"
    ) as failure:
        stop(104, wait_for_completion=False).execute({})
    assert not isinstance(failure.value, DliFailException)
    assert emulator.state.jobs[104].stops == 0


def test_any_other_job_is_done_with_an_exception(emulator: Emulator) -> None:
    """It does not run, and is not requested to stop."""
    assert jobs_of(stop(118))[0]["status"] == "job_running_exception"
    assert refusals(emulator) == []


def test_one_that_ends_while_it_is_requested(emulator: Emulator) -> None:
    """The refusal shows that it needs no stop any more."""
    emulator.fault("BatchStopFlinkJobs", "slow", before=0.6)
    plan(emulator, 117, 0.3, "job_finish")
    assert jobs_of(stop(117))[0]["status"] == "job_finish"
    assert refusals(emulator) == ["DLI.15002"]


def test_one_that_runs_and_is_refused_fails(emulator: Emulator) -> None:
    """No time fixes that."""
    emulator.fault("BatchStopFlinkJobs", "error", code="DLI.15002", message="Not this one.")
    with pytest.raises(DliFailException, match="Not this one"):
        stop(117).execute({})


@pytest.mark.slow
@both_modes
def test_the_sensor_waits_too(emulator: Emulator, deferrable: bool) -> None:
    """``target_state="stopped"`` is not reached by an exception that does not end it."""

    def sensor(timeout: float) -> DliFlinkJobSensor:
        given: dict[str, Any] = {"poke_interval": 0.05, "timeout": timeout, "status_grace_period": 0.1}
        return DliFlinkJobSensor(
            task_id="w", job_ids=[104], target_state="stopped", deferrable=deferrable, **given
        )

    with pytest.raises(AirflowSensorTimeout):
        run_to_completion(sensor(0.4))
    threading.Timer(0.5, plan, [emulator, 104, 0, "job_canceling", "job_cancel_success"]).start()
    assert jobs_of(sensor(120))[0]["status"] == "job_cancel_success"
    assert refusals(emulator) == []
