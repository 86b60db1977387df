"""What happens to a job while it runs: queues, savepoints, scaling."""

from __future__ import annotations

import pytest

from api_client import ApiClient


@pytest.mark.parametrize("run_mode", ["shared_cluster", "exclusive_cluster", None])
@pytest.mark.parametrize("queue_name", [None, ""])
def test_a_job_without_a_queue_does_not_run(api: ApiClient, run_mode: str | None, queue_name: str | None) -> None:
    """DLI.13024 in an array, whatever cluster it is for, and nothing is submitted."""
    job = api.emulator.state.add_job(name="adrift", run_mode=run_mode, queue_name=queue_name)
    answer = api.flink("POST", "jobs/run", {"job_ids": [job.job_id]})
    assert answer.status == 400
    assert [each["error_code"] for each in answer.body] == ["DLI.13024"]
    assert (job.runs, job.status) == (0, "job_init")
