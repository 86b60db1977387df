"""The simulation of nights: it sends what tasks send to the emulator, and its clock and quota do as they claim."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Any

import airflow_limits as limits
import pytest
from in_process import CONNECTION, Phase, Recorded, Sent, backup_task, export_tasks, list_requests, operations
from night import Assumed, Night

from airflow_provider_dli.backups import backup
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.operators.dli import DliBackupFlinkJobsOperator, DliExportFlinkJobsOperator
from airflow_provider_dli.parameters.models import ExportParameters
from airflow_provider_dli.services import export
from dli_emulator import Emulator

LOG = logging.getLogger("simulation")
#: a task starts at once, and nothing takes time but what a test names
FREE = Assumed({}, 0.0, 0.0, 0.0, inf, 0.0, inf, 1000, None)


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return the emulator with forty jobs, and set the connection ``dli_default`` to it."""
    monkeypatch.setenv(CONNECTION, dli_emulator.connection())
    dli_emulator.state.jobs.clear()
    for number in range(40):
        dli_emulator.state.add_job(name=f"orders_{number}")
    return dli_emulator


def measured(emulator: Emulator, obs: ObsHook, task: Callable[[], object]) -> dict[str, int]:
    """Return the requests that a task sends through sockets, by operation."""
    sent: list[str] = []
    obs.get_conn().meta.events.register("before-send.s3.*", lambda event_name, **_: sent.append(event_name))
    task()
    found = Counter(name.rpartition(".")[2] for name in sent)
    found.update(request.operation for request in emulator.requests if request.operation)
    return dict(sorted(found.items()))


def test_a_backup_is_simulated_with_the_requests_that_the_emulator_gets(emulator: Emulator) -> None:
    """Both recorded with as many jobs, and scaled from a recording with others."""
    operator = DliBackupFlinkJobsOperator(task_id="task", backup_dir=f"{emulator.bucket}/backups", batch_size=20)
    options, dli, obs = backup.prepare(operator)
    found = measured(emulator, obs, lambda: backup.back_up(options, dli, obs, {}, LOG))
    assert found["ExportFlinkJobs"] == 2
    recorded = backup_task(40, 20)
    assert found == operations(recorded.sent()) == operations(backup_task(60, 20).scaled(40, 20).sent())
    assert Night([[recorded]], 1, 4, FREE).run().sent == found


def test_an_export_is_simulated_with_the_requests_that_the_emulator_gets(emulator: Emulator) -> None:
    """The XComs are those of the outcome."""
    operator = DliExportFlinkJobsOperator(
        task_id="task", obs_dir=f"{emulator.bucket}/flink", selection={}, batch_size=20
    )
    options, dli, obs = export.prepare(operator, ExportParameters)
    recorded, verified = export_tasks(40, 20)
    found = measured(emulator, obs, lambda: export.export_jobs(options, dli, obs, {}, LOG))
    assert found == operations(recorded.sent())
    assert [len(batch["job_ids"]) for batch in recorded.xcoms["batches"]] == [20, 20]
    assert [report["verified"] for report in verified.xcoms["return_value"]] == [True, True]


@pytest.mark.parametrize(
    ("jobs", "requests"), [(1, 1), (99, 1), (100, 2), (198, 2), (199, 3), (230, 3), (5000, 51)]
)
def test_a_list_takes_as_many_requests_as_the_client_sends(jobs: int, requests: int) -> None:
    """Each page begins with the last job of the one before it."""
    assert list_requests(jobs) == requests


def exports(batches: int) -> Recorded:
    """Return a task that exports so many batches."""
    sent = Sent("ExportFlinkJobs", 1, 0)
    return Recorded((Phase(((sent,),) * batches),), {})


@pytest.mark.parametrize(("at_a_time", "seconds"), [(1, 4.0), (3, 1.5), (4, 1.0), (8, 0.5), (32, 0.5)])
def test_batches_of_a_task_run_at_a_time(at_a_time: int, seconds: float) -> None:
    """Eight exports of half a second."""
    assumed = replace(FREE, seconds={"ExportFlinkJobs": 0.5})
    assert Night([[exports(8)]], 1, at_a_time, assumed).run().seconds == pytest.approx(seconds)


def test_the_process_of_a_task_works_for_one_request_at_a_time() -> None:
    """Many batches at a time do not make its own work shorter."""
    assumed = replace(FREE, seconds={"ExportFlinkJobs": 0.5}, client_seconds=0.1)
    assert Night([[exports(8)]], 1, 8, assumed).run().seconds == pytest.approx(0.8 + 0.5)


def test_tasks_wait_for_slots_cores_and_the_scheduler() -> None:
    """Six tasks of two seconds, one of them at the start."""
    assumed = replace(FREE, seconds={"ExportFlinkJobs": 1.0}, start_seconds=1.0)
    tasks = [[exports(1)]] * 6

    def seconds(slots: int, **others: Any) -> float:
        return Night(tasks, slots, 1, replace(assumed, **others)).run().seconds

    assert seconds(6) == pytest.approx(2)
    assert seconds(2) == pytest.approx(6)
    assert seconds(6, cores=2) == pytest.approx(4)
    assert seconds(6, starts_per_second=2.0) == pytest.approx(2.5 + 2)


def test_what_dli_throttles_is_sent_again_as_the_client_does() -> None:
    """The client pauses by its own rules; nothing is lost, and no second has more than the quota."""
    assumed = replace(FREE, quota=5, refused_seconds=0.01)
    found = Night([[exports(40)]], 1, 40, assumed).run()
    assert found.failed == 0
    assert found.throttled >= 35
    assert found.sent["ExportFlinkJobs"] == 40 + found.throttled
    assert found.seconds >= 7


def test_a_call_is_given_up_at_the_end_of_its_budget() -> None:
    """A list that is never admitted ends its task; the night goes on."""
    task = Recorded((Phase(((Sent("ListFlinkJobs", None, 0),),)), *exports(2).phases), {})
    found = Night([[task], [task]], 1, 1, replace(FREE, quota=0)).run()
    assert (found.failed, found.sent["ExportFlinkJobs"]) == (2, 0)
    assert 60 < found.seconds < 2 * 300


def test_what_airflow_stores_is_measured() -> None:
    """Rows of triggers grow with what they wait for, and the largest that fits is found."""
    largest = limits.most(lambda number: limits.row_size(limits.waiting_for_archives(number)), 10_000)
    sizes = [limits.row_size(limits.waiting_for_archives(each)) for each in (largest, largest + 1)]
    assert sizes[0] <= 10_000 < sizes[1]
    assert limits.of_backup(40, 20)["visible_job_ids"] == limits.jobs(40)
    polls = limits.polls(10, 2, 60)
    assert polls.mean == pytest.approx(2, rel=0.3)
    assert polls.peak >= polls.mean
