"""Dynamic scaling stops and restarts a running job, which nobody requested: no failure, and no request twice."""

from __future__ import annotations

import time
from typing import Any

import pytest

from airflow_provider_dli.operators.dli import (
    DliRunFlinkJobsOperator,
    DliSavepointFlinkJobsOperator,
    DliStopFlinkJobsOperator,
)
from airflow_provider_dli.sensors.dli import DliFlinkJobSensor
from dli_emulator import Emulator
from dli_emulator.flink_job import SCALING
from tests.airflow.execution_modes import both_modes, jobs_of

pytestmark = pytest.mark.slow

STEP = 0.3
QUICK: dict[str, Any] = {"poll_interval": 0.05, "timeout": 20, "status_grace_period": 1.0, "job_ids": [103]}
#: each status on the way may be the first that a task meets
from_each_status = pytest.mark.parametrize("begin", range(len(SCALING) - 1), ids=SCALING[:-1])


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return the emulator, connected; job 103 runs."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    dli_emulator.state.settings.step_seconds = STEP
    return dli_emulator


def scale(emulator: Emulator, begin: int = 0, after: float = 0.0, *end: str) -> None:
    """Scale the job dynamically, from some status and second on; then it may come to an end."""
    job = emulator.state.jobs[103]
    way = [*SCALING[begin:], *end]
    job.plan = [(time.time() + after + STEP * number, status) for number, status in enumerate(way)]


def requests(emulator: Emulator) -> list[str | None]:
    """Return the operations that were requested of the job."""
    return [each.operation for each in emulator.requests if each.method != "GET"]


def outcomes(emulator: Emulator) -> list[str | None]:
    """Return the code of each response to a request; None of one that was accepted."""
    return [each.error_code for each in emulator.requests if each.method != "GET"]


def save(deferrable: bool) -> DliSavepointFlinkJobsOperator:
    return DliSavepointFlinkJobsOperator(
        task_id="save", savepoint_path="obs-test/ours", deferrable=deferrable, **QUICK
    )


@both_modes
@from_each_status
def test_the_sensor_waits_until_the_job_runs_again(emulator: Emulator, deferrable: bool, begin: int) -> None:
    """Whichever status it meets first."""
    scale(emulator, begin)
    sensor = DliFlinkJobSensor(
        task_id="running", job_ids=[103], poke_interval=0.05, timeout=120, deferrable=deferrable
    )
    (result,) = jobs_of(sensor)
    assert result["status"] == "job_running"


@both_modes
@from_each_status
@pytest.mark.parametrize("target_state", ["running", "finished"])
def test_a_job_on_its_way_is_not_run_again(
    emulator: Emulator, deferrable: bool, begin: int, target_state: str
) -> None:
    """It comes to run, and to its end, by itself."""
    scale(emulator, begin, 0.0, "job_finish")
    run = DliRunFlinkJobsOperator(task_id="run", target_state=target_state, deferrable=deferrable, **QUICK)
    (result,) = jobs_of(run)
    assert result["status"] == {"running": "job_running", "finished": "job_finish"}[target_state]
    assert requests(emulator) == []


@both_modes
def test_a_job_that_is_scaled_after_its_run_was_requested(emulator: Emulator, deferrable: bool) -> None:
    """It was requested once, and is waited for to its end."""
    emulator.fault("BatchRunFlinkJobs", "statuses", path=["job_submitting", "job_running", *SCALING, "job_finish"])
    run = DliRunFlinkJobsOperator(
        task_id="run", target_state="finished", deferrable=deferrable, **{**QUICK, "job_ids": [100]}
    )
    (result,) = jobs_of(run)
    assert result["status"] == "job_finish"
    assert requests(emulator) == ["BatchRunFlinkJobs"]


@both_modes
@from_each_status
def test_a_savepoint_is_requested_when_the_job_runs_again(
    emulator: Emulator, deferrable: bool, begin: int
) -> None:
    """Once."""
    scale(emulator, begin)
    (result,) = jobs_of(save(deferrable))
    assert (result["status"], result["savepoint_path"]) == ("job_running", "obs-test/ours/")
    assert requests(emulator) == ["ExecuteFlinkJobSavepoint"]


@both_modes
def test_a_savepoint_that_meets_the_scaling_is_requested_again(emulator: Emulator, deferrable: bool) -> None:
    """It was refused, since the job was being stopped; once the job comes back it is accepted."""
    emulator.fault("ExecuteFlinkJobSavepoint", "slow", before=2 * STEP)
    scale(emulator, SCALING.index("job_canceling"), STEP)
    (result,) = jobs_of(save(deferrable))
    assert (result["status"], result["savepoint_path"]) == ("job_running", "obs-test/ours/")
    assert outcomes(emulator) in ([None], ["DLI.15002", None])  # on a slow machine it comes late, and is accepted


@both_modes
def test_a_job_that_is_scaled_after_its_savepoint_was_requested(emulator: Emulator, deferrable: bool) -> None:
    """It was requested once; the savepoint is made before the job is scaled."""
    emulator.fault("ExecuteFlinkJobSavepoint", "statuses", path=["job_savepointing", "job_running", *SCALING])
    (result,) = jobs_of(save(deferrable))
    assert result["savepoint_path"] == "obs-test/ours/"
    assert requests(emulator) == ["ExecuteFlinkJobSavepoint"]


@both_modes
@from_each_status
@pytest.mark.parametrize("trigger_savepoint", [True, False])
def test_a_job_on_its_way_is_stopped(
    emulator: Emulator, deferrable: bool, begin: int, trigger_savepoint: bool
) -> None:
    """By one request: a job that is being stopped by dynamic scaling comes to run again, and gets it then."""
    scale(emulator, begin)
    stop = DliStopFlinkJobsOperator(
        task_id="stop", trigger_savepoint=trigger_savepoint, deferrable=deferrable, **QUICK
    )
    (result,) = jobs_of(stop)
    assert (result["status"], bool(result["savepoint_path"])) == ("job_cancel_success", trigger_savepoint)
    assert requests(emulator) == ["BatchStopFlinkJobs"]


@both_modes
def test_a_stop_that_meets_the_scaling_is_requested_again(emulator: Emulator, deferrable: bool) -> None:
    """It was refused, since the job was being stopped; once the job comes back it is accepted."""
    emulator.fault("BatchStopFlinkJobs", "slow", before=1.2 * STEP)
    scale(emulator, SCALING.index("job_canceling"), STEP)
    (result,) = jobs_of(DliStopFlinkJobsOperator(task_id="stop", deferrable=deferrable, **QUICK))
    assert result["status"] == "job_cancel_success"
    assert outcomes(emulator) in ([None], ["DLI.15002", None])  # on a slow machine it comes late, and is accepted
