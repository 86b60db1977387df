"""A project with five thousand jobs."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from airflow_provider_dli.compat import TaskDeferred
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.sensors.dli import DliFlinkJobSensor
from dli_emulator import Emulator
from tests.airflow.execution_modes import first_event

COUNT = 5000


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return the emulator with five thousand jobs, none of the samples."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    dli_emulator.state.jobs.clear()
    for number in range(COUNT):
        dli_emulator.state.add_job(name=f"job_{number:05d}", create_time=number)
    return dli_emulator


@pytest.mark.slow
def test_all_are_listed_in_fifty_one_requests_and_flat_memory(emulator: Emulator) -> None:
    """Nothing is kept of a job that has been handed on but its id."""
    jobs = DliHook().list_flink_jobs()
    ids = [next(jobs).job_id]
    tracemalloc.start()
    try:
        first, peak = tracemalloc.get_traced_memory()[0], 0
        for job in jobs:
            ids.append(job.job_id)
            peak = max(peak, tracemalloc.get_traced_memory()[0] - first)
    finally:
        tracemalloc.stop()
    assert len(ids) == len(set(ids)) == COUNT
    assert len(emulator.requests) == 51
    # The emulator, in this process too, and the ids take some; five thousand jobs with all they have take 20 MB.
    assert peak < 6_000_000


@pytest.mark.slow
def test_a_wait_for_all_of_them_is_fifty_one_requests_a_poll(emulator: Emulator) -> None:
    """In the sensor and in its trigger; a few of many are found in one, by a filter of the service."""
    filters: dict[str, Any] = {"name": "job_0499"}
    assert len(list(DliHook().list_flink_jobs(**filters))) == 10
    assert len(emulator.requests) == 1
    ids = list(emulator.state.jobs)
    for job in emulator.state.jobs.values():
        job.status = "job_running"
    emulator.state.jobs[ids[-1]].status = "job_submitting"
    sensor = DliFlinkJobSensor(task_id="wait", job_ids=ids, timeout=60, poke_interval=0.1, deferrable=True)
    with pytest.raises(TaskDeferred) as waiting:
        sensor.execute({})
    assert len(emulator.requests) == 52
    emulator.state.jobs[ids[-1]].status = "job_running"
    # Its row and its event fit a text column of MySQL, which has 64 kB; Airflow encrypts the row, by a third more.
    assert len(json.dumps(waiting.value.trigger.serialize())) < 48_000
    event = first_event(waiting.value)
    assert event["status"] == "done"
    assert len(json.dumps(event)) < 1000
    assert len(emulator.requests) == 103
