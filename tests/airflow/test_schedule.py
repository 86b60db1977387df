"""Nights as a real scheduler runs them: caught up or not, one after the other, with a downstream DAG."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tests.airflow.airflow_process import END_STATES, AirflowProcess, until

NIGHTS = ["20260101", "20260102", "20260103"]


def ended(airflow: AirflowProcess, dag_id: str, number: int) -> list[dict[str, Any]]:
    """Wait until a DAG has so many runs, all at their end; give them, oldest first."""

    def all_ended() -> list[dict[str, Any]]:
        runs = airflow.described_runs(dag_id)
        return runs if len(runs) >= number and all(run["state"] in END_STATES for run in runs) else []

    return sorted(until(all_ended, 240), key=lambda run: str(run["run_after"]))


def test_three_nights_are_caught_up(airflow_process: AirflowProcess, dli_emulator: Any) -> None:
    """One after the other, each into its own directory, each proven; the downstream DAG learns of all."""
    dli_emulator.fault("ExportFlinkJobs", "archive_late", times=None, seconds=12)
    with airflow_process.unpaused("after_the_nights"), airflow_process.unpaused("nightly_caught_up"):
        runs = ended(airflow_process, "nightly_caught_up", 3)
        archives = [airflow_process.xcom("nightly_caught_up", run["dag_run_id"], "export")[0] for run in runs]

        def archives_read() -> set[str]:
            done = [run for run in airflow_process.described_runs("after_the_nights") if run["state"] == "success"]
            return {
                name
                for run in done
                for name in airflow_process.xcom("after_the_nights", run["dag_run_id"], "read")
            }

        until(lambda: archives_read() == set(archives), 240)
    assert [(run["state"], run["run_type"]) for run in runs] == [("success", "scheduled")] * 3
    assert [archive.split("/")[2] for archive in archives] == NIGHTS
    # max_active_runs=1: no night begins before the one before it has ended.
    assert all(first["end_date"] <= second["start_date"] for first, second in pairwise(runs))
    for run in runs:
        tasks = airflow_process.tasks("nightly_caught_up", run["dag_run_id"])
        assert {name: task["state"] for name, task in tasks.items()} == {"export": "success", "verify": "success"}
        logs = [
            airflow_process.log("nightly_caught_up", run["dag_run_id"], "verify", attempt + 1)
            for attempt in range(tasks["verify"]["try_number"])
        ]
        assert any("Waiting on the triggerer for" in log for log in logs)
    exports = [request for request in dli_emulator.requests if request.operation == "ExportFlinkJobs"]
    assert len(exports) == 3


def test_without_catch_up_only_the_last_night_runs(airflow_process: AirflowProcess, dli_emulator: Any) -> None:
    """However long ago the first was."""
    with airflow_process.unpaused("nightly_latest"):
        (run,) = ended(airflow_process, "nightly_latest", 1)
        (archive,) = airflow_process.xcom("nightly_latest", run["dag_run_id"], "export")
    assert run["state"] == "success"
    assert archive.startswith(f"{dli_emulator.bucket}/nightly_latest/{run['logical_date'][:10].replace('-', '')}/")
    assert run["logical_date"] > "2026-01-03"


def test_runs_without_a_logical_date_are_compared(airflow_process: AirflowProcess, dli_emulator: Any) -> None:
    """With the run before that exported all jobs, by its time ``run_after``; not with one by filters."""
    runs = []
    for selection in ({}, {"name_pattern": "*", "exclude": [100]}, {}):
        if selection:
            del dli_emulator.state.jobs[103]
        run = airflow_process.trigger("undated", {"selection": selection})
        assert airflow_process.finish("undated", run)["export"]["state"] == "success"
        runs.append(run)
    assert {run["logical_date"] for run in airflow_process.described_runs("undated")} == {None}
    selected = airflow_process.xcom("undated", runs[1], "export", "selected_job_ids")
    visible = [airflow_process.xcom("undated", run, "export", "visible_job_ids") for run in (runs[0], runs[2])]
    assert (len(visible[0]), len(selected), len(visible[1])) == (26, 24, 25)
    assert airflow_process.xcom("undated", runs[2], "export", "missing_since_last") == [103]
    with pytest.raises(AssertionError, match="not found"):
        airflow_process.xcom("undated", runs[1], "export", "missing_since_last")


def test_increments_need_no_logical_date(airflow_process: AirflowProcess, dli_emulator: Any) -> None:
    """By hand, and on an event of an asset: a mapped task backs up what has changed since its last backup."""

    def backed_up(run: str) -> list[int | str]:
        """Return how many jobs each instance of a run has backed up, or its state."""
        airflow_process.finish("increments", run)
        instances = airflow_process.instances("increments", run, "backup")
        return [
            airflow_process.xcom("increments", run, "backup", map_index=each["map_index"])["jobs"]
            if each["state"] == "success"
            else each["state"]
            for each in sorted(instances, key=lambda each: int(each["map_index"]))
        ]

    jobs = dli_emulator.state.jobs
    orders = [job_id for job_id, job in jobs.items() if job.name.startswith("orders_")]
    assert backed_up(airflow_process.trigger("increments")) == [len(jobs) - len(orders), len(orders)]
    assert backed_up(airflow_process.trigger("increments")) == ["skipped", "skipped"]
    jobs[orders[0]].desc = "changed"
    before = set(airflow_process.runs("increments"))
    airflow_process.finish("deployment", airflow_process.trigger("deployment"))
    (run,) = until(lambda: set(airflow_process.runs("increments")) - before, 120)
    assert backed_up(run) == ["skipped", 1]
    described = {each["dag_run_id"]: each for each in airflow_process.described_runs("increments")}
    assert described[run]["run_type"] == "asset_triggered"
    assert {each["logical_date"] for each in described.values()} == {None}
