"""The requests for jobs: their records in the task state, and their log lines."""

from __future__ import annotations

import time
from typing import Any

import pytest

from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.operators.dli import (
    DliDeleteFlinkJobsOperator,
    DliRunFlinkJobsOperator,
    DliSavepointFlinkJobsOperator,
    DliStopFlinkJobsOperator,
)
from dli_emulator import Emulator
from tests.airflow.stores import StateStore, TaskInstance

QUICK: dict[str, Any] = {"poll_interval": 0.05, "status_grace_period": 0.3}
ACTIONS: dict[str, tuple[Any, str, int]] = {
    "run": (DliRunFlinkJobsOperator, "BatchRunFlinkJobs", 100),
    "stop": (DliStopFlinkJobsOperator, "BatchStopFlinkJobs", 103),
    "savepoint": (DliSavepointFlinkJobsOperator, "ExecuteFlinkJobSavepoint", 103),
    "delete": (DliDeleteFlinkJobsOperator, "DeleteFlinkJob", 103),
}


class CountingStore(StateStore):
    """Counts the bytes that are written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = 0

    def set(self, key: str, value: Any) -> None:
        super().set(key, value)
        self.written += len(self.kept[key])


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0, read_timeout=2))
    dli_emulator.state.settings.step_seconds = 0.05
    return dli_emulator


def acted(emulator: Emulator, operation: str) -> int:
    return sum(request.operation == operation and request.acted for request in emulator.requests)


def do(action: str, instance: TaskInstance, **parameters: Any) -> Any:
    operator, _, job_id = ACTIONS[action]
    settings = {} if action == "delete" else QUICK
    return operator(task_id="task", **{"job_ids": [job_id], **settings, **parameters}).execute(instance.context)


def written(emulator: Emulator, count: int) -> int:
    """Delete so many jobs; how many bytes of records that writes."""
    emulator.reset()
    emulator.state.jobs.clear()
    path = f"obs-test/{'savepoint' * 20}"
    ids = [emulator.state.add_job(name=f"job_{each}", savepoint_path=path).job_id for each in range(count)]
    instance, store = TaskInstance(), CountingStore()
    instance.context["task_state_store"] = store
    do("delete", instance, job_ids=ids)
    assert store.kept == {}
    return store.written


@pytest.mark.slow
def test_records_grow_with_the_number_of_jobs(emulator: Emulator) -> None:
    """And not with its square: four times the jobs, four times the bytes, and some for the head."""
    few, many = written(emulator, 60), written(emulator, 240)
    assert few < many < 4.4 * few
    # At most a megabyte of 5,000 jobs.
    assert many < 240 * 200


@pytest.mark.slow
@pytest.mark.parametrize("action", ACTIONS)
def test_a_throttled_request_does_not_hide_one_that_acted(emulator: Emulator, action: str) -> None:
    """The first response is lost before it shows, the second request is throttled; the next attempt sees it."""
    _, operation, job_id = ACTIONS[action]
    instance = TaskInstance()
    emulator.fault(operation, "slow", before=3.0)
    emulator.fault(operation, "throttled", retry_after=0)
    with pytest.raises(DliException, match="An earlier request lost its response"):
        do(action, instance)
    while not acted(emulator, operation):
        time.sleep(0.05)
    job = emulator.state.jobs.get(job_id)
    if action == "run" and job:
        job.plan, job.status, job.start_time = [], "job_finish", 1  # it has run to its end meanwhile
    do(action, instance, **({"target_state": "finished"} if action == "run" else {}))
    assert acted(emulator, operation) == 1
    assert instance.store.kept == {}


@pytest.mark.parametrize("action", ACTIONS)
def test_a_request_is_logged_with_its_subject_and_its_outcome(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    """Of which job, in which project and region, before; the outcome after."""
    _, operation, job_id = ACTIONS[action]
    do(action, TaskInstance())
    log = capsys.readouterr().out
    assert f"Requesting {action} of job {job_id} " in log
    assert f"in project {emulator.project_id}, cn-north-4" in log
    assert f"Job {job_id}: {action} was accepted." in log
    emulator.reset()
    emulator.fault(operation, "error", code="DLI.0001", message="no")
    with pytest.raises(DliFailException):
        do(action, TaskInstance())
    assert f"Job {job_id}: {action} was refused: {operation}: HTTP 400 DLI.0001: no" in capsys.readouterr().out
