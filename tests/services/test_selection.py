"""Which jobs are selected: every filter, and no job at all."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_dli.compat import AirflowSkipException
from airflow_provider_dli.exceptions import DliFailException
from airflow_provider_dli.operators.dli import DliListFlinkJobsOperator
from dli_emulator import Emulator
from tests.airflow.execution_modes import jobs_of
from tests.airflow.stores import TaskInstance


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0, read_timeout=60))
    return dli_emulator


def listed(**filters: Any) -> list[int]:
    operator = DliListFlinkJobsOperator(task_id="list", **filters)
    return operator.execute(TaskInstance().context)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, list(range(100, 126))),
        ({"name_pattern": "orders_*"}, [100, 109, 118]),
        ({"name_pattern": ["orders_*", "fraud*"]}, [100, 102, 109, 111, 118, 120]),
        ({"name_pattern": "orders_*, fraud*"}, [100, 102, 109, 111, 118, 120]),
        ({"name_pattern": "ORDERS_*", "if_empty": "succeed"}, []),
        ({"job_type": "flink_jar_job", "queue_name": "flink_prod"}, [101, 110, 119]),
        ({"status": "job_running"}, [103, 117]),
        ({"status": ["job_running", "job_init"]}, [100, 103, 114, 117]),
        ({"user_name": "li.na", "exclude": "100, *_dedup*"}, [103, 106, 109, 112, 115, 118, 121, 124]),
        ({"tags": {"team": "risk", "tier": "gold"}}, [108, 120]),
        ({"tags": "team=risk,tier=gold"}, [108, 120]),
        ({"exclude": list(range(101, 126))}, [100]),
        ({"exclude": "*_0?,*_1?"}, [120, 121, 122, 123, 124, 125]),
        ({"changed_since": datetime(2026, 1, 16, 8, 0, 30, tzinfo=UTC)}, [124, 125]),
        ({"changed_since": "2026-01-16T08:00:30Z"}, [124, 125]),
        ({"changed_since": "2026-01-16T09:00"}, [125]),
    ],
)
def test_jobs_are_listed_by_every_filter(emulator: Emulator, filters: dict[str, Any], expected: list[int]) -> None:
    """Those of the service and our own, oldest first."""
    assert listed(**filters) == expected
    del emulator


def test_a_name_with_brackets_is_that_of_its_job(emulator: Emulator) -> None:
    """Though brackets are a wildcard too: nobody else's job is taken for it, and it need not be escaped."""
    other = emulator.state.add_job(name="orderse").job_id
    assert listed(name_pattern="orders[eu]") == [other]
    job = emulator.state.add_job(name="orders[eu]").job_id
    assert listed(name_pattern="orders[eu]") == [job]
    assert listed(name_pattern="orders[eu], orders?") == [other, job]
    left = listed(exclude="orders[eu]")
    assert other in left
    assert job not in left
    emulator.state.add_job(name="orders*")
    assert {job, other} < {*listed(name_pattern="orders*")}


def test_jobs_and_their_ids_are_pushed(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Of very many the ids alone: the rest is too large for Airflow's database, and the log names where it is."""
    (job,) = jobs_of(DliListFlinkJobsOperator(task_id="list", name_pattern="orders_*_00"))
    assert set(job) == {
        "job_id", "name", "job_type", "status", "queue_name", "create_time", "update_time",
    }  # fmt: skip
    assert job["job_id"] == 100
    caplog.set_level(logging.INFO)
    many = [emulator.state.add_job(name=f"many_{number}").job_id for number in range(400)]
    instance = TaskInstance()
    operator = DliListFlinkJobsOperator(task_id="list", name_pattern="many_*")
    assert operator.execute(instance.context) == many
    assert "jobs" not in instance.pushed
    assert re.search(
        r"There is no XCom jobs: 400 jobs take [67]\d,\d+ bytes, .*list_flink_jobs",
        caplog.text + capsys.readouterr().out,
    )


def test_a_job_whose_time_of_change_is_unknown_is_selected(emulator: Emulator) -> None:
    """Rather one too many than one too few."""
    emulator.state.jobs[100].update_time = None
    emulator.state.jobs[101].update_time = emulator.state.jobs[101].create_time = 0
    assert listed(changed_since="2030-01-01") == [101, 100]


def test_a_job_that_never_changed_is_selected_by_its_creation(emulator: Emulator) -> None:
    """Its time of change is 0; and numbers may come quoted."""
    made: Any = str(int(datetime(2026, 2, 1, tzinfo=UTC).timestamp() * 1000))
    emulator.state.jobs[100].create_time, emulator.state.jobs[100].update_time = int(made), 0
    emulator.state.jobs[101].update_time = made
    assert listed(changed_since="2026-01-31") == [101, 100]
    assert listed(changed_since="2026-02-02", if_empty="succeed") == []


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({"job_type": "sql"}, "job_type"),
        ({"status": "running"}, "status"),
        ({"tags": "team"}, "tags"),
        ({"tags": {"a": "b,c"}}, "tags"),
        ({"tags": ["a"]}, "tags"),
        ({"changed_since": "yesterday"}, "changed_since"),
        ({"changed_since": 5}, "changed_since"),
        ({"name_pattern": 5.5}, "name_pattern"),
        ({"queue_name": [5]}, "queue_name"),
        ({"exclude": {"a": 1}}, "exclude"),
        ({"if_empty": "ignore"}, "if_empty"),
    ],
)
def test_a_wrong_filter_is_refused(emulator: Emulator, filters: dict[str, Any], field: str) -> None:
    """By its name, before anything is sent."""
    with pytest.raises(DliFailException, match=rf"^{field}: "):
        listed(**filters)
    assert len(emulator.requests) == 0


@pytest.mark.usefixtures("emulator")
def test_if_no_job_is_selected_if_empty_applies() -> None:
    """Fail, skip or succeed."""
    with pytest.raises(DliFailException, match=r"No Flink job is selected by: name_pattern=no\*such"):
        listed(name_pattern="no*such", if_empty="fail")
    with pytest.raises(AirflowSkipException, match="No Flink job is selected"):
        listed(name_pattern="no*such", if_empty="skip")
    assert listed(name_pattern="no*such", if_empty="succeed") == []
