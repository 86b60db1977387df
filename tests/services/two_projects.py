"""Two projects, and the tasks that restore and compare, for tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Thread
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.operators.dli import (
    DliCompareFlinkJobsOperator,
    DliExportFlinkJobsOperator,
    DliImportFlinkJobsOperator,
)
from dli_emulator import Emulator
from tests.airflow.stores import TaskInstance

if TYPE_CHECKING:
    import pytest


def two_projects(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return the emulator with two projects, each with a connection."""
    scratch = emulator.state.add_project("cn-north-4_scratch")
    given: dict[str, Any] = {"retry_budget": 0, "read_timeout": 60}
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", emulator.connection(**given))
    monkeypatch.setenv("AIRFLOW_CONN_DLI_SCRATCH", emulator.connection(project_id=scratch.project_id, **given))
    return emulator


def scratch_of(emulator: Emulator) -> Any:
    return next(each for each in emulator.state.projects.values() if "scratch" in each.name)


def scratch_jobs(emulator: Emulator) -> dict[int, Any]:
    jobs: dict[int, Any] = scratch_of(emulator).jobs
    return jobs


def create_as_somebody_else(emulator: Emulator, name: str = "made by somebody else") -> int:
    """Let somebody else create a job in the scratch project; return its id."""
    return emulator.state.add_job(in_project=scratch_of(emulator).project_id, name=name).job_id


def exported(emulator: Emulator, job_ids: Any = None, directory: str = "night") -> str:
    named = {} if job_ids is None else {"job_selected": job_ids}
    operator = DliExportFlinkJobsOperator(task_id="export", obs_dir=f"{emulator.bucket}/{directory}", **named)
    return operator.execute({})[0]


def restore(zip_file: Any, instance: TaskInstance | None = None, **parameters: Any) -> list[dict[str, Any]]:
    given = {"dli_conn_id": "dli_scratch", "reconcile_timeout": 1.5, **parameters}
    operator = DliImportFlinkJobsOperator(task_id="import", zip_file=zip_file, **given)
    return operator.execute((instance or TaskInstance()).context) or []


def compare(mapping: Any, instance: TaskInstance | None = None, **parameters: Any) -> list[dict[str, Any]]:
    given = {"source_conn_id": "dli_default", "dli_conn_id": "dli_scratch", **parameters}
    operator = DliCompareFlinkJobsOperator(task_id="compare", job_mapping=mapping, **given)
    return operator.execute((instance or TaskInstance()).context) or []


def count_requests(emulator: Emulator, operation: str) -> int:
    return sum(request.operation == operation for request in emulator.requests)


def meanwhile(emulator: Emulator, operation: str, act: Callable[[], object]) -> Thread:
    """Let something happen during the next request of an operation."""
    before = count_requests(emulator, operation)
    emulator.fault(operation, "slow", after=0.7)

    def wait() -> None:
        while count_requests(emulator, operation) == before:
            time.sleep(0.01)
        act()

    waiting = Thread(target=wait, daemon=True)
    waiting.start()
    return waiting
