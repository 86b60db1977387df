"""Of many jobs some fail: the others go on, and the message describes all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_dli.client.errors import ServiceError, ThrottledError
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.operators.dli import DliDeleteFlinkJobsOperator, DliStopFlinkJobsOperator
from airflow_provider_dli.services.job_requests import JobRequests
from airflow_provider_dli.task_state import RequestLog
from dli_emulator import Emulator
from tests.airflow.execution_modes import both_modes, jobs_of, run_to_completion
from tests.airflow.stores import TaskInstance

FOUR = [103, 117, 106, 101]


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    dli_emulator.state.settings.step_seconds = 0.05
    return dli_emulator


def stop(*job_ids: int, instance: TaskInstance | None = None, **parameters: Any) -> list[int]:
    given = {"poll_interval": 0.05, "timeout": 120, "status_grace_period": 0.2, **parameters}
    operator = DliStopFlinkJobsOperator(task_id="stop", job_ids=list(job_ids), **given)
    return operator.execute((instance or TaskInstance()).context)


def delete(*job_ids: int, instance: TaskInstance) -> list[int]:
    return DliDeleteFlinkJobsOperator(task_id="delete", job_ids=list(job_ids)).execute(instance.context)


def stops(emulator: Emulator) -> list[int]:
    return [emulator.state.jobs[job_id].stops for job_id in FOUR]


def requests(emulator: Emulator, operation: str) -> int:
    return sum(request.operation == operation for request in emulator.requests)


def test_a_permission_that_one_job_lacks_does_not_stop_the_others(emulator: Emulator) -> None:
    """DLI.0003 is of the job; who reads it learns which others were stopped."""
    emulator.fault("BatchStopFlinkJobs", "slow")
    emulator.fault("BatchStopFlinkJobs", "error", code="DLI.0003", message="no permission for jobs.flink.117")
    expected = r"stop: 1 of 4 jobs failed: job 117: .*DLI\.0003.*the other 3: 103, 106, 101\.$"
    with pytest.raises(DliFailException, match=expected):
        stop(*FOUR)
    assert stops(emulator) == [1, 0, 1, 1]


@pytest.mark.parametrize(
    ("kind", "given"),
    [("locked", {}), ("error", {"status": 403, "code": "APIGW.0302", "message": "You may not."})],
)
def test_no_request_follows_a_refused_identity(emulator: Emulator, kind: str, given: dict[str, Any]) -> None:
    """It would lock the key; the message has all that was done, and no retry is spent."""
    emulator.fault("BatchStopFlinkJobs", "throttled", retry_after=0)
    emulator.fault("BatchStopFlinkJobs", kind, **given)
    with pytest.raises(DliFailException) as failure:
        stop(*FOUR)
    message = str(failure.value)
    assert message.startswith("stop: 4 of 4 jobs failed: job 103: ")
    assert "jobs 106, 101: not requested, since it would be refused as job 117 was" in message
    assert message.endswith("It was requested of no other.")
    assert (stops(emulator), requests(emulator, "BatchStopFlinkJobs")) == ([0, 0, 0, 0], 2)


def test_a_retry_is_timed_by_the_worst(emulator: Emulator) -> None:
    """Too many requests before trouble; the message names both."""
    emulator.fault("BatchStopFlinkJobs", "html", times=3, status=503)
    emulator.fault("BatchStopFlinkJobs", "throttled", retry_after=1800)
    with pytest.raises(DliException, match=r"2 of 4 jobs failed.* 503.* 429") as failure:
        stop(*FOUR)
    assert not isinstance(failure.value, DliFailException)
    assert isinstance(failure.value.error, ThrottledError)
    assert failure.value.error.retry_after == 1800


def test_what_cannot_be_helped_has_its_cause_too(emulator: Emulator) -> None:
    """Status, code and request id are at hand."""
    emulator.fault("BatchStopFlinkJobs", "error", times=2, code="DLI.0003", message="no right")
    with pytest.raises(DliFailException) as failure:
        stop(*FOUR)
    assert isinstance(failure.value.error, ServiceError)
    assert failure.value.error.code == "DLI.0003"


@pytest.mark.slow
@both_modes
@pytest.mark.parametrize("timeout", [60, 0.4])
def test_polls_may_fail_as_long_as_there_is_time(emulator: Emulator, deferrable: bool, timeout: float) -> None:
    """On a worker as on the triggerer; the failure of the last one in time is reported."""
    operator = DliStopFlinkJobsOperator(
        task_id="stop",
        job_ids=[103],
        poll_interval=0.05,
        status_grace_period=0.2,
        timeout=timeout,
        deferrable=deferrable,
    )
    emulator.fault("ShowFlinkJob", "slow")
    emulator.fault("ShowFlinkJob", "html", times=12 if timeout == 60 else None, status=503)
    if timeout == 60:
        assert jobs_of(operator)[0]["status"] == "job_cancel_success"
    else:
        with pytest.raises(DliException, match="503") as failed:
            run_to_completion(operator)
        assert not isinstance(failed.value, DliFailException)


def test_the_last_poll_may_fail_as_well(emulator: Emulator) -> None:
    """After a wait on the triggerer: it is repeated for what is left, and not taken for time that is up."""
    operator = DliStopFlinkJobsOperator(task_id="stop", job_ids=[100], poll_interval=0.05)
    emulator.fault("ShowFlinkJob", "html", times=40, status=503)
    waited = {"target_state": "stopped", "baseline": {}, "requested_at": 0.0, "grace_period": 1.0}
    tracker = {"job_ids": [100], **waited}
    event = {"status": "done", "pending": "", "left": 60.0, "tracker": tracker}
    assert operator.execute_complete(TaskInstance().context, event) == [100]
    emulator.fault("ShowFlinkJob", "html", times=4, status=503)
    event = {"status": "timeout", "pending": "100", "left": 0.0, "tracker": tracker}
    assert operator.execute_complete(TaskInstance().context, event) == [100]


def noted(*job_ids: int) -> TaskInstance:
    """Return a task instance whose previous attempt was killed after it had requested the deletion of these."""
    instance = TaskInstance()
    requests = JobRequests(RequestLog(instance.context, "dli_delete"))
    for job_id in job_ids:
        requests.begin(job_id, ["job_running", None, None])
    return instance


def test_what_a_killed_attempt_deleted_is_returned(emulator: Emulator) -> None:
    """By the next one, which forgets it then."""
    instance = noted(102)
    del emulator.state.jobs[102]
    assert delete(102, 104, 9, instance=instance) == [102, 104]
    assert instance.store.kept == {}


def test_a_killed_try_whose_request_did_not_arrive(emulator: Emulator) -> None:
    """The job is there still, and deleted now."""
    instance = noted(102)
    assert delete(102, instance=instance) == [102]
    assert 102 not in emulator.state.jobs
    assert instance.store.kept == {}


def test_a_job_that_others_delete_meanwhile(emulator: Emulator) -> None:
    """It is gone, which is all that was wanted."""
    body = json.dumps({"error_code": "DLI.17001", "error_msg": "There is no job 102."})
    emulator.fault("DeleteFlinkJob", "reply", status=400, body=body, acts=True)
    assert delete(102, 104, instance=TaskInstance()) == [102, 104]
    assert requests(emulator, "DeleteFlinkJob") == 2


def test_a_job_that_is_reported_gone_and_is_there(emulator: Emulator) -> None:
    """It was not deleted."""
    emulator.fault("DeleteFlinkJob", "error", code="DLI.17001", message="There is no job 102.")
    with pytest.raises(DliFailException, match=r"DLI\.17001"):
        delete(102, instance=TaskInstance())
