"""A task that is killed: what it stops, and what it logs of the rest."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from airflow.triggers.base import BaseTrigger

from airflow_provider_dli.compat import TaskDeferred
from airflow_provider_dli.exceptions import DliException, ExecutionTimeoutError
from airflow_provider_dli.operators.dli import (
    DliBackupFlinkJobsOperator,
    DliDeleteFlinkJobsOperator,
    DliExportFlinkJobsOperator,
    DliImportFlinkJobsOperator,
    DliPromoteFlinkJobsOperator,
    DliRunFlinkJobsOperator,
    DliStopFlinkJobsOperator,
)
from airflow_provider_dli.triggers.flink import FlinkJobsTrigger
from dli_emulator import Emulator
from tests.airflow.airflow_process import AirflowProcess, until
from tests.airflow.execution_modes import both_modes
from tests.airflow.stores import TaskInstance


class Killed(BaseException):
    """What ends a task in the middle of its wait."""


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return the emulator with a job that stays on its way once it is started."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    dli_emulator.fault("BatchRunFlinkJobs", "statuses", path=["job_submitting"])
    return dli_emulator


def run(**parameters: Any) -> DliRunFlinkJobsOperator:
    given = {"job_ids": [100, 103], "timeout": 0.3, "poll_interval": 0.1, **parameters}
    return DliRunFlinkJobsOperator(task_id="run", **given)


def requests(emulator: Emulator, operation: str) -> int:
    return sum(request.operation == operation for request in emulator.requests)


@both_modes
@pytest.mark.parametrize("stops", [True, "true", False])
def test_jobs_are_stopped_only_with_stop_on_kill(
    emulator: Emulator, capfd: pytest.CaptureFixture[str], stops: bool | str, deferrable: bool
) -> None:
    """Those that this task has started, and no other; either way the log names them."""
    operator = run(stop_on_kill=stops, deferrable=deferrable)
    with pytest.raises(TaskDeferred if deferrable else DliException) as ended:
        operator.execute(TaskInstance().context)
    if isinstance(ended.value, TaskDeferred):
        trigger = FlinkJobsTrigger(**ended.value.trigger.serialize()[1])
        asyncio.run(trigger.on_kill())
    else:
        operator.on_kill()
    logged = "".join(capfd.readouterr())
    assert requests(emulator, "BatchStopFlinkJobs") == bool(stops)
    expected = "Job 100 was requested to stop" if stops else "requests for job 100 go on in DLI"
    assert expected in logged
    assert emulator.state.jobs[103].status == "job_running"


@both_modes
def test_a_kill_raises_nothing_and_ends_soon(
    emulator: Emulator, capfd: pytest.CaptureFixture[str], deferrable: bool
) -> None:
    """Whatever the service responds."""
    operator = run(stop_on_kill=True, deferrable=deferrable)
    with pytest.raises(TaskDeferred if deferrable else DliException) as ended:
        operator.execute(TaskInstance().context)
    emulator.fault("BatchStopFlinkJobs", "error", code="DLI.15002", message="not now")
    if isinstance(ended.value, TaskDeferred):
        asyncio.run(FlinkJobsTrigger(**ended.value.trigger.serialize()[1]).on_kill())
    else:
        operator.on_kill()
    assert "Job 100 could not be stopped" in "".join(capfd.readouterr())


def test_an_execution_timeout_on_the_triggerer_is_a_kill(
    emulator: Emulator, capfd: pytest.CaptureFixture[str]
) -> None:
    """As on a worker; the new process has the jobs from the event."""
    limited: dict[str, Any] = {"deferrable": True, "execution_timeout": timedelta(seconds=5)}
    tracker = {"job_ids": [100], "target_state": "running", "requested_at": 0.0, "grace_period": 60.0}
    event = {"status": "timeout", "pending": "100", "execution_left": -1.0}
    event["tracker"] = {**tracker, "baseline": {"100": ["job_init", None, None]}}
    with pytest.raises(DliException, match="execution_timeout of 0:00:05 is over"):
        run(stop_on_kill=True, **limited).resume_execution("execute_complete", {"event": event}, {})
    assert requests(emulator, "BatchStopFlinkJobs") == 1
    stop = DliStopFlinkJobsOperator(task_id="stop", job_ids=[100], **limited)
    with pytest.raises(DliException, match="execution_timeout of 0:00:05 is over"):
        stop.resume_execution("execute_complete", {"event": event}, {})
    assert "requests for job 100 go on in DLI" in "".join(capfd.readouterr())


def test_an_execution_timeout_without_a_triggerer_is_a_kill(emulator: Emulator) -> None:
    """No event reports the jobs: they are in the task state, or it is not known which they are."""
    operator, instance = (
        run(stop_on_kill=True, deferrable=True, execution_timeout=timedelta(hours=1)),
        TaskInstance(),
    )
    with pytest.raises(TaskDeferred):
        operator.execute(instance.context)
    attempts: list[tuple[Any, int]] = [({}, 0), (instance.context, 1)]
    for context, stops in attempts:
        with pytest.raises(ExecutionTimeoutError, match="The trigger reported nothing within the timeout"):
            operator.resume_execution("__fail__", {"error": "Trigger timeout"}, context)
        assert requests(emulator, "BatchStopFlinkJobs") == stops
    assert emulator.state.jobs[103].status == "job_running"


@pytest.mark.skipif(not hasattr(BaseTrigger, "on_kill"), reason="Airflow 3.3 and later")
def test_a_deferred_task_that_is_marked_as_failed(airflow_process: AirflowProcess, dli_emulator: Emulator) -> None:
    """A real triggerer stops the jobs, with ``stop_on_kill``."""
    dli_emulator.state.settings.step_seconds = 0.2
    run = airflow_process.trigger("deferred_run")
    until(lambda: airflow_process.tasks("deferred_run", run)["run"]["state"] == "deferred", 120)
    until(lambda: dli_emulator.state.jobs[100].status == "job_running", 60)
    airflow_process.mark_failed("deferred_run", run, "run")
    until(lambda: requests(dli_emulator, "BatchStopFlinkJobs") == 1, 60)
    assert dli_emulator.state.jobs[100].status in {"job_canceling", "job_cancel_success"}
    assert airflow_process.finish("deferred_run", run)["run"]["state"] == "failed"


def test_a_task_that_has_requested_nothing_logs_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """There is nothing left behind."""
    run(stop_on_kill=True).on_kill()
    assert "kill" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        (
            DliBackupFlinkJobsOperator(task_id="backup", backup_dir="b-1"),
            "not a backup before there is a manifest",
        ),
        (DliExportFlinkJobsOperator(task_id="export", obs_dir="b-1"), "may leave an archive"),
        (DliImportFlinkJobsOperator(task_id="import", zip_file="b-1/a.zip"), "may create jobs"),
        (DliDeleteFlinkJobsOperator(task_id="delete", job_ids=1), "is deleted"),
        (DliPromoteFlinkJobsOperator(task_id="promote", job_ids=1, source_conn_id="b"), "stay"),
    ],
    ids=lambda value: getattr(value, "task_id", ""),
)
def test_what_goes_on_is_logged(operator: Any, expected: str, capfd: pytest.CaptureFixture[str]) -> None:
    """There is no call that takes a request back."""
    operator.on_kill()
    assert expected in "".join(capfd.readouterr())
