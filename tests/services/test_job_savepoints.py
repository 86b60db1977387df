"""Savepoints: success means that the job shows one, by its own operator and by a stop."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.operators.dli import (
    DliRunFlinkJobsOperator,
    DliSavepointFlinkJobsOperator,
    DliStopFlinkJobsOperator,
)
from dli_emulator import Emulator
from tests.airflow.execution_modes import both_modes, jobs_of, run_to_completion
from tests.airflow.stores import TaskInstance

QUICK: dict[str, Any] = {"poll_interval": 0.05, "timeout": 120, "status_grace_period": 1.0}
TAKEN = json.dumps({"is_success": "true", "message": '{"is_success": "true", "message": "api.msg.deal"}'})


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return the emulator, connected; a savepoint takes half a second."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    dli_emulator.state.settings.step_seconds = 0.5
    return dli_emulator


def save(*job_ids: int, **parameters: Any) -> DliSavepointFlinkJobsOperator:
    given = {**QUICK, "savepoint_path": "obs-test/ours", **parameters}
    return DliSavepointFlinkJobsOperator(task_id="save", job_ids=list(job_ids), **given)


def stop(*job_ids: int, **parameters: Any) -> DliStopFlinkJobsOperator:
    given = {**QUICK, "trigger_savepoint": True, **parameters}
    return DliStopFlinkJobsOperator(task_id="stop", job_ids=list(job_ids), **given)


def requests(emulator: Emulator) -> int:
    return sum(request.operation == "ExecuteFlinkJobSavepoint" for request in emulator.requests)


def plan(emulator: Emulator, job_id: int, after: float, *path: str) -> None:
    """Have a job go through statuses by itself, from some seconds on."""
    steps = [(time.time() + after + 0.2 * number, status) for number, status in enumerate(path)]
    emulator.state.jobs[job_id].plan = steps


@both_modes
def test_a_job_that_ends_instead_fails(emulator: Emulator, deferrable: bool) -> None:
    """The service took the request, and nothing came of it."""
    emulator.fault("ExecuteFlinkJobSavepoint", "reply", status=200, body=TAKEN)
    plan(emulator, 103, 0.4, "job_finish")
    with pytest.raises(DliFailException, match="job 103 is job_finish, and shows no new savepoint"):
        run_to_completion(save(103, deferrable=deferrable))
    assert emulator.state.jobs[103].savepoint_path is None


@pytest.mark.slow
@both_modes
def test_a_job_that_shows_nothing_fails(emulator: Emulator, deferrable: bool) -> None:
    """Once the grace period is over."""
    emulator.fault("ExecuteFlinkJobSavepoint", "reply", status=200, body=TAKEN)
    with pytest.raises(DliFailException, match="103 is still job_running after 1 s, and shows no new savepoint"):
        run_to_completion(save(103, deferrable=deferrable))


@pytest.mark.slow
@both_modes
@pytest.mark.parametrize("before", [None, "obs-test/ours/"])
def test_a_savepoint_in_the_same_directory_as_before(
    emulator: Emulator, deferrable: bool, before: str | None
) -> None:
    """What the path becomes is not established: a job that was saved and runs on is saved."""
    emulator.state.jobs[103].savepoint_path = before
    (result,) = jobs_of(save(103, deferrable=deferrable, poll_interval=2))
    assert (result["status"], result["savepoint_path"], requests(emulator)) == ("job_running", "obs-test/ours/", 1)


@pytest.mark.slow
@both_modes
def test_somebody_elses_savepoint_is_waited_for(emulator: Emulator, deferrable: bool) -> None:
    """The request is sent after it; where it was saved before is not where it is to be."""
    emulator.state.jobs[110].savepoint_path = "obs-test/theirs/"
    plan(emulator, 110, 0.6, "job_running")
    result = jobs_of(save(110, 103, deferrable=deferrable))
    assert [each["savepoint_path"] for each in result] == ["obs-test/ours/", "obs-test/ours/"]
    assert requests(emulator) == 2


@both_modes
def test_somebody_elses_savepoint_that_does_not_end(emulator: Emulator, deferrable: bool) -> None:
    """Time is up; a retry may help."""
    with pytest.raises(DliException, match=r"not saved within 0.5 s: 110\.") as failure:
        run_to_completion(save(110, timeout=0.5, deferrable=deferrable))
    assert (isinstance(failure.value, DliFailException), requests(emulator)) == (False, 0)


def test_not_to_wait_for_somebody_elses(emulator: Emulator) -> None:
    """With ``wait_for_completion=False`` nobody would request it later."""
    with pytest.raises(
        DliException,
        match=r"Job 110 .*is on its way, or being saved already: job_savepointing.*No request was sent; try again",
    ) as failure:
        save(110, wait_for_completion=False).execute({})
    assert (isinstance(failure.value, DliFailException), requests(emulator)) == (False, 0)


def test_a_retry_does_not_save_again(emulator: Emulator) -> None:
    """What the previous attempt has seen is kept, though the job shows it no more."""
    emulator.state.jobs[103].savepoint_path = "obs-test/ours/"
    instance = TaskInstance()
    with pytest.raises(DliException, match="not saved within"):
        save(103, timeout=0.1).execute(instance.context)
    time.sleep(0.6)
    assert jobs_of(save(103), instance)[0]["status"] == "job_running"
    assert requests(emulator) == 1


def test_a_poll_that_fails_after_the_request_does_not_fail_the_task(emulator: Emulator) -> None:
    """It was requested; the next poll shows it."""
    emulator.fault("ShowFlinkJob", "slow")
    emulator.fault("ShowFlinkJob", "html", times=2, status=503)
    assert jobs_of(save(103))[0]["savepoint_path"] == "obs-test/ours/"
    assert requests(emulator) == 1


@both_modes
def test_a_stop_that_was_in_progress_fails(emulator: Emulator, deferrable: bool) -> None:
    """Nobody knows whether it makes a savepoint, and none shows."""
    plan(emulator, 107, 0.4, "job_cancel_success")
    with pytest.raises(DliFailException, match=r"job 107 is stopped, but was being stopped .*no new savepoint"):
        run_to_completion(stop(107, 100, deferrable=deferrable))


def test_a_stop_that_was_in_progress_and_shows_a_savepoint(emulator: Emulator) -> None:
    """That is what was wanted, whoever requested it."""
    plan(emulator, 107, 0.5, "job_cancel_success")
    threading.Timer(0.2, setattr, [emulator.state.jobs[107], "savepoint_path", "obs-test/theirs/"]).start()
    assert jobs_of(stop(107))[0]["savepoint_path"] == "obs-test/theirs/"


def test_a_stop_that_shows_no_savepoint_is_warned_of(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was requested, and how it shows is not documented."""
    body = json.dumps({"is_success": "true", "message": "delivered"})
    emulator.fault("BatchStopFlinkJobs", "reply", status=200, body=body)
    plan(emulator, 103, 0.2, "job_canceling", "job_cancel_success")
    assert jobs_of(stop(103))[0]["status"] == "job_cancel_success"
    assert "Job 103 was requested to stop with a savepoint, and shows none" in capsys.readouterr().out


def test_a_stop_that_shows_one_is_not_warned_of(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor is a job that did not run, which has nothing to save."""
    emulator.state.settings.step_seconds = 0.05
    assert [each["status"] for each in jobs_of(stop(103, 100))] == ["job_cancel_success", "job_init"]
    assert "shows none" not in capsys.readouterr().out


WARNED = "Job 103 订单实时汇总_03 ran before and shows no savepoint"


def test_each_restart_takes_a_new_savepoint(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Also a task that is cleared: the one that the job was restarted from is deleted."""
    emulator.state.settings.step_seconds = 0.05
    emulator.state.settings.deletes_savepoints = True
    stopping, running = TaskInstance(), TaskInstance()
    for times in (1, 2):
        (stopped,) = jobs_of(stop(103), stopping)
        assert stopped["savepoint_path"]
        run = DliRunFlinkJobsOperator(task_id="run", job_ids=[103], resume_savepoint=True, **QUICK)
        (result,) = jobs_of(run, running)
        assert (result["savepoint_path"], result["status"]) == (None, "job_running")
        job = emulator.state.jobs[103]
        assert (job.stops, job.runs, job.resumed) == (times, times, True)
    assert WARNED not in "".join(capsys.readouterr())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("resume", "shown", "is_warned_of"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"has_savepoint": True}, False),
        (True, {"savepoint_path": "obs-test/a"}, False),
        (True, {"start_time": None}, False),
    ],
)
def test_a_run_without_a_savepoint_is_warned_of(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], resume: bool, shown: dict[str, Any], is_warned_of: bool
) -> None:
    """If the job ran before, and is to be resumed; it is run all the same."""
    job = emulator.state.jobs[103]
    job.status = "job_cancel_success"
    for name, value in shown.items():
        setattr(job, name, value)
    run = DliRunFlinkJobsOperator(task_id="run", job_ids=[103], resume_savepoint=resume, **QUICK)
    assert jobs_of(run)[0]["status"] == "job_running"
    assert (WARNED in "".join(capsys.readouterr())) is is_warned_of
