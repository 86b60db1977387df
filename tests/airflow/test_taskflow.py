"""Operators and hook the TaskFlow way, in a whole Airflow."""

from __future__ import annotations

from typing import Any

from tests.airflow.airflow_process import AirflowProcess


def test_a_hook_in_a_task_and_mapped_operators(airflow_process: AirflowProcess, dli_emulator: Any) -> None:
    """As many exports as a task found kinds of jobs, a verification for each, a task that takes all reports."""
    run = airflow_process.trigger("taskflow", {"obs_dir": f"{dli_emulator.bucket}/taskflow"})
    ended = airflow_process.finish("taskflow", run)
    assert {task["state"] for task in ended.values()} == {"success"}
    assert airflow_process.xcom("taskflow", run, "total") == 26
    by_type: dict[str, list[int]] = {}
    for job in dli_emulator.state.jobs.values():
        by_type.setdefault(job.job_type, []).append(job.job_id)
    instances = airflow_process.instances("taskflow", run, "export")
    assert sorted(each["rendered_map_index"] for each in instances) == sorted(
        f"{len(ids)} jobs" for ids in by_type.values()
    )
    exports = [request for request in dli_emulator.requests if request.operation == "ExportFlinkJobs"]
    assert len(exports) == len(instances) == len(by_type) > 1
