"""Run, stop, save and delete jobs: success, failures with a reason, and one request for each job."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from airflow_provider_dli.compat import AirflowFailException, AirflowSkipException, TaskDeferred
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.operators.dli import (
    DliDeleteFlinkJobsOperator,
    DliRunFlinkJobsOperator,
    DliSavepointFlinkJobsOperator,
    DliStopFlinkJobsOperator,
)
from airflow_provider_dli.services.job_requests import JobRequests
from airflow_provider_dli.task_state import RequestLog
from airflow_provider_dli.triggers.flink import FlinkJobsTrigger
from dli_emulator import Emulator
from tests.airflow.execution_modes import first_event, jobs_of
from tests.airflow.stores import TaskInstance

QUICK: dict[str, Any] = {"poll_interval": 0.02, "timeout": 120, "status_grace_period": 2}


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0, read_timeout=60))
    dli_emulator.state.settings.step_seconds = 0.05
    return dli_emulator


def run(job_ids: Any, instance: TaskInstance | None = None, **parameters: Any) -> list[dict[str, Any]]:
    operator = DliRunFlinkJobsOperator(task_id="run", job_ids=job_ids, **{**QUICK, **parameters})
    return jobs_of(operator, instance)


def stop(job_ids: Any, instance: TaskInstance | None = None, **parameters: Any) -> list[dict[str, Any]]:
    operator = DliStopFlinkJobsOperator(task_id="stop", job_ids=job_ids, **{**QUICK, **parameters})
    return jobs_of(operator, instance)


def job(emulator: Emulator, job_id: int) -> Any:
    found = emulator.state.job(job_id)
    assert found is not None
    return found


def requests(emulator: Emulator, operation: str) -> int:
    return sum(request.operation == operation for request in emulator.requests)


def test_jobs_are_run_and_waited_for(emulator: Emulator) -> None:
    """Through the moment in which they still read as before; each by a call of its own."""
    instance = TaskInstance()
    result = run("100, 114", instance)
    assert [(each["job_id"], each["status"]) for each in result] == [(100, "job_running"), (114, "job_running")]
    assert all(each["start_time"] for each in result)
    assert [json.loads(r.body)["job_ids"] for r in emulator.requests if r.operation == "BatchRunFlinkJobs"] == [
        [100],
        [114],
    ]
    assert instance.store.kept == {}


def test_a_job_that_runs_is_not_run_twice(emulator: Emulator) -> None:
    """Running, and on its way."""
    emulator.state.jobs[101].status = "job_submitting"
    emulator.state.jobs[101].plan = [(time.time() + 0.2, "job_running")]
    run([103, 101])
    assert (job(emulator, 103).runs, job(emulator, 101).runs) == (0, 0)
    assert requests(emulator, "BatchRunFlinkJobs") == 0


def test_a_job_that_ran_before_is_run_again(emulator: Emulator) -> None:
    """Its last end is still shown for a while, and not a failure."""
    emulator.state.jobs[100].status = "job_cancel_success"
    emulator.state.jobs[100].start_time = 1
    assert run([100], resume_savepoint=True)[0]["status"] == "job_running"
    assert job(emulator, 100).resumed


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (
            ["job_submitting", "job_submit_fail"],
            r"1 of 1 job cannot be running any more: job 100 is job_submit_fail",
        ),
        (["job_submitting", "job_running_exception"], r"job 100 is job_running_exception"),
        (["job_submitting", "job_canceling", "job_cancel_success"], r"job 100 is job_cancel_success"),
        (["job_init"], r"job 100 is still job_init after 0 s"),
    ],
)
def test_a_job_that_does_not_start_fails(emulator: Emulator, path: list[str], reason: str) -> None:
    """With its status; no retry is spent, and whoever clears the task gets a new request."""
    emulator.fault("BatchRunFlinkJobs", "statuses", path=path)
    instance = TaskInstance()
    with pytest.raises(DliFailException, match=reason) as caught:
        run([100], instance, status_grace_period=0.3)
    assert isinstance(caught.value, AirflowFailException)
    assert instance.store.kept == {}
    assert run([100], instance)[0]["status"] == "job_running"


def test_a_job_that_may_come_back_from_an_exception_is_waited_for(emulator: Emulator) -> None:
    """One with ``restart_when_exception``."""
    emulator.state.jobs[100].job_config["restart_when_exception"] = True
    path = ["job_submitting", "job_running_exception", "job_running_exception", "job_running"]
    emulator.fault("BatchRunFlinkJobs", "statuses", path=path)
    assert run([100])[0]["status"] == "job_running"


def test_a_job_with_an_end_is_waited_for_to_it(emulator: Emulator) -> None:
    """``target_state='finished'``."""
    emulator.fault("BatchRunFlinkJobs", "statuses", path=["job_submitting", "job_running", "job_finish"])
    assert run([100], target_state="finished")[0]["status"] == "job_finish"


def test_nothing_is_waited_for_where_none_is_wanted(emulator: Emulator) -> None:
    """``wait_for_completion=False``: requested, and returned as they are."""
    emulator.state.settings.step_seconds = 60
    assert run([100], wait_for_completion=False)[0]["status"] == "job_init"
    assert stop([103], wait_for_completion=False)[0]["status"] == "job_canceling"


@pytest.mark.slow
def test_time_is_up(emulator: Emulator) -> None:
    """A retry may help, and goes on waiting without another request."""
    emulator.fault("BatchRunFlinkJobs", "statuses", path=["job_submitting"] * 40 + ["job_running"])
    instance = TaskInstance()
    with pytest.raises(
        DliException, match=r"1 of 1 job not running within 0.2 s: 100\. .*longer timeout"
    ) as caught:
        run([100], instance, timeout=0.2)
    assert not isinstance(caught.value, AirflowFailException)
    assert run([100], instance)[0]["status"] == "job_running"
    assert job(emulator, 100).runs == 1


def test_jobs_are_stopped(emulator: Emulator) -> None:
    """With a savepoint, and those that do not run are left alone."""
    result = stop([103, 100], trigger_savepoint=True)
    assert [(each["job_id"], each["status"]) for each in result] == [
        (103, "job_cancel_success"),
        (100, "job_init"),
    ]
    assert job(emulator, 103).has_savepoint
    assert requests(emulator, "BatchStopFlinkJobs") == 1


def test_a_stop_that_fails_fails(emulator: Emulator) -> None:
    """``job_cancel_fail`` is the failure of a stop."""
    emulator.fault("BatchStopFlinkJobs", "statuses", path=["job_canceling", "job_cancel_fail"])
    with pytest.raises(
        DliFailException, match=r"1 of 1 job cannot be stopped any more: job 103 is job_cancel_fail"
    ):
        stop([103])


def test_savepoints_are_made(emulator: Emulator) -> None:
    """Of running jobs; the job runs on."""
    operator = DliSavepointFlinkJobsOperator(task_id="save", job_ids=103, savepoint_path="obs-test/s", **QUICK)
    (result,) = jobs_of(operator)
    assert (result["status"], result["savepoint_path"]) == ("job_running", "obs-test/s/")
    with pytest.raises(DliFailException, match=r"DLI\.15002"):
        DliSavepointFlinkJobsOperator(task_id="save", job_ids=100, **QUICK).execute(TaskInstance().context)
    assert requests(emulator, "ExecuteFlinkJobSavepoint") == 2


@pytest.mark.parametrize("operator", [DliRunFlinkJobsOperator, DliStopFlinkJobsOperator])
@pytest.mark.parametrize("job_ids", [[], "", None, "abc", [0], "[1, 'x']"])
def test_no_jobs_are_never_all_jobs(emulator: Emulator, operator: Any, job_ids: Any) -> None:
    """Named by the field, before anything is sent."""
    with pytest.raises(DliFailException, match=r"^job_ids: "):
        operator(task_id="task", job_ids=job_ids).execute(TaskInstance().context)
    assert len(emulator.requests) == 0


def test_a_job_that_does_not_exist_stops_all_before_any_request(emulator: Emulator) -> None:
    """Nothing is half done."""
    with pytest.raises(
        DliFailException, match=r"job_ids: this key sees no job 7, 8 in project .*No request was sent"
    ):
        run([100, 7, 8])
    assert job(emulator, 100).runs == 0


def test_one_that_fails_does_not_stop_the_others(emulator: Emulator) -> None:
    """It is named, and what happened to the others is reported."""
    with pytest.raises(DliFailException, match=r"run: 1 of 3 jobs failed: job 116: .*DLI\.13024.*2: 100, 114\.$"):
        run([100, 116, 114])
    assert (job(emulator, 100).runs, job(emulator, 114).runs, job(emulator, 116).runs) == (1, 1, 0)


def test_a_job_without_a_queue_is_refused(emulator: Emulator) -> None:
    """Also one for a shared cluster, which by the manual has none; the message has advice."""
    job(emulator, 114).queue_name, job(emulator, 114).run_mode = None, "shared_cluster"
    with pytest.raises(
        DliFailException, match=r"DLI\.13024: .*Give the job a queue .*also one with run_mode shared_cl"
    ):
        run([114])
    assert job(emulator, 114).runs == 0


def test_a_wrong_secret_is_not_tried_job_by_job(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would lock the key."""
    connection = json.loads(emulator.airflow_conn) | {"password": "wrong"}
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", json.dumps(connection))
    with pytest.raises(DliFailException, match=r"APIGW\.0301"):
        run([100, 101, 102])
    assert len(emulator.requests) == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cut_after", "reset_after", "cut_during"])
def test_a_lost_response_of_a_run_that_happened(emulator: Emulator, kind: str) -> None:
    """The job shows it; it is not requested again."""
    emulator.fault("BatchRunFlinkJobs", kind)
    assert run([100])[0]["status"] == "job_running"
    assert job(emulator, 100).runs == 1


@pytest.mark.parametrize("kind", ["cut_before", "html"])
def test_a_lost_response_of_a_run_that_did_not(emulator: Emulator, kind: str) -> None:
    """The job shows no effect within the grace period; it is requested again."""
    emulator.fault("BatchRunFlinkJobs", kind)
    assert run([100], status_grace_period=0.3)[0]["status"] == "job_running"
    assert job(emulator, 100).runs == 1
    assert requests(emulator, "BatchRunFlinkJobs") == 2


@pytest.mark.slow
@pytest.mark.parametrize("acted", [True, False])
def test_an_attempt_that_was_killed_during_its_request(emulator: Emulator, acted: bool) -> None:
    """The next one sees by the job whether the service acted."""
    instance = TaskInstance()
    emulator.fault("BatchRunFlinkJobs", "cut_after" if acted else "cut_before")
    operator = DliRunFlinkJobsOperator(task_id="run", job_ids=[100], **{**QUICK, "status_grace_period": 0.0})
    operator.log.info("the attempt that is killed")
    JobRequests(RequestLog(instance.context, "dli_run")).begin(100, ["job_init", None, None])
    if acted:
        emulator.faults.clear()
        emulator.state.jobs[100].runs = 1
        emulator.state.jobs[100].begin(("job_init", "job_submitting", "job_running"), time.time(), 0.1)
    assert run([100], instance, status_grace_period=1)[0]["status"] == "job_running"
    assert job(emulator, 100).runs == 1


def test_jobs_are_deleted(emulator: Emulator) -> None:
    """One that is gone is logged, and not a failure: a later attempt may find it so."""
    operator = DliDeleteFlinkJobsOperator(task_id="delete", job_ids="103, 9")
    assert operator.execute(TaskInstance().context) == [103]
    assert 103 not in emulator.state.jobs


@pytest.mark.parametrize("job_ids", [[], "", None, "[]"])
def test_deleting_nothing(emulator: Emulator, job_ids: Any) -> None:
    """An error, unless if_empty allows it; never all."""
    with pytest.raises(DliFailException, match=r"^job_ids: "):
        DliDeleteFlinkJobsOperator(task_id="delete", job_ids=job_ids).execute(TaskInstance().context)
    with pytest.raises(AirflowSkipException):
        DliDeleteFlinkJobsOperator(task_id="d", job_ids=job_ids, if_empty="skip").execute(TaskInstance().context)
    quiet = DliDeleteFlinkJobsOperator(task_id="d", job_ids=job_ids, if_empty="succeed")
    assert quiet.execute(TaskInstance().context) == []
    assert len(emulator.state.jobs) == 26


@pytest.mark.slow
def test_a_deletion_without_effect(emulator: Emulator) -> None:
    """A response of success is not enough: the job is there still, and the task names it."""
    emulator.fault("DeleteFlinkJob", "slow")
    emulator.fault("DeleteFlinkJob", "reply", body={"is_success": "true", "message": ""})
    instance = TaskInstance()
    operator = DliDeleteFlinkJobsOperator(task_id="delete", job_ids=[100, 103])
    with pytest.raises(DliException, match=r"103 .* was accepted, but the job is still there") as caught:
        operator.execute(instance.context)
    assert not isinstance(caught.value, DliFailException)
    assert 103 in emulator.state.jobs
    # The next attempt requests it again.
    assert operator.execute(instance.context) == [100, 103]
    assert 103 not in emulator.state.jobs


def test_a_lost_response_of_a_deletion(emulator: Emulator) -> None:
    """The job is gone; that is all that was wanted."""
    emulator.fault("DeleteFlinkJob", "cut_after")
    operator = DliDeleteFlinkJobsOperator(task_id="delete", job_ids=[103])
    assert operator.execute(TaskInstance().context) == [103]
    assert requests(emulator, "DeleteFlinkJob") == 1


def deferred(operator: Any, instance: TaskInstance) -> Any:
    """Run a task to its wait and let its trigger fire, as a triggerer would; the jobs that it pushes."""
    with pytest.raises(TaskDeferred) as caught:
        operator.execute(instance.context)
    waiting = caught.value
    assert isinstance(waiting.trigger, FlinkJobsTrigger)
    fresh = type(operator)(task_id="again", job_ids=operator.job_ids, **QUICK)
    fresh.execute_complete(instance.context, event=first_event(waiting))
    return instance.pushed["jobs"]


def test_waiting_on_the_triggerer(emulator: Emulator) -> None:
    """The trigger is made again from its row, and the task decides by the same table."""
    instance = TaskInstance()
    operator = DliRunFlinkJobsOperator(task_id="run", job_ids=[100, 114], deferrable=True, **QUICK)
    assert [each["status"] for each in deferred(operator, instance)] == ["job_running", "job_running"]
    assert instance.store.kept == {}
    assert job(emulator, 100).runs == 1


def test_a_failure_on_the_triggerer(emulator: Emulator) -> None:
    """It fires as soon as one has failed, and the task fails."""
    emulator.fault("BatchRunFlinkJobs", "statuses", path=["job_submitting", "job_submit_fail"])
    operator = DliRunFlinkJobsOperator(task_id="run", job_ids=[100], deferrable=True, **QUICK)
    with pytest.raises(DliFailException, match="job 100 is job_submit_fail"):
        deferred(operator, TaskInstance())


@pytest.mark.parametrize(
    "event",
    [
        *(None, {}, {"status": "success"}, "done", {"status": "done"}),
        {"status": "done", "tracker": ""},
        {"status": "done", "tracker": {"baseline": []}},
        {"status": "done", "tracker": {"job_ids": [1]}},
    ],
    ids=repr,
)
def test_an_unknown_event_fails(event: Any) -> None:
    """Never success."""
    operator = DliRunFlinkJobsOperator(task_id="run", job_ids=[100])
    with pytest.raises(DliFailException, match="not an event of this provider"):
        operator.execute_complete({}, event=event)


def test_a_wrong_target_state_is_refused(emulator: Emulator) -> None:
    """By its field, before anything is sent."""
    with pytest.raises(DliFailException, match=r"^target_state: 'done' is not possible"):
        run([100], target_state="done")
    assert len(emulator.requests) == 0
