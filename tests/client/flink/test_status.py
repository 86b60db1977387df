"""Statuses of jobs, and the tracking of jobs on their way to a target state."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from airflow_provider_dli.client.flink.jobs import FlinkJob
from airflow_provider_dli.client.flink.status import (
    PHASES,
    JobTracker,
    Phase,
    TargetState,
    TrackedState,
    Verdict,
    may_run,
    may_stop,
    snapshot_of,
    status_verdict,
)


def job(status: str, job_id: int = 1, **more: Any) -> FlinkJob:
    """Make a job as the detail shows it."""
    raw = more.pop("raw", {})
    return FlinkJob(job_id=job_id, name="n", job_type="flink_sql_job", status=status, raw=raw, **more)


#: status: phase; verdicts for running, finished, stopped; whether it may run, may be stopped
TABLE = {
    "job_init": (Phase.REST, "wait wait reached", True, False),
    "job_submitting": (Phase.MOVING, "wait wait wait", False, True),
    "job_submit_fail": (Phase.BROKEN, "failed failed reached", True, False),
    "job_running": (Phase.RUNNING, "reached wait wait", False, True),
    "job_running_exception": (Phase.BROKEN, "failed failed reached", True, False),
    "job_downloading": (Phase.MOVING, "wait wait wait", False, True),
    "job_idle": (Phase.RUNNING, "wait wait wait", False, True),
    "job_canceling": (Phase.MOVING, "wait wait wait", False, False),
    "job_cancel_success": (Phase.ENDED, "failed failed reached", True, False),
    "job_cancel_fail": (Phase.BROKEN, "failed failed failed", True, True),
    "job_savepointing": (Phase.RUNNING, "wait wait wait", False, True),
    "job_arrearage_stopped": (Phase.ENDED, "failed failed reached", True, False),
    "job_arrearage_recovering": (Phase.MOVING, "wait wait wait", False, True),
    "job_finish": (Phase.ENDED, "reached reached reached", True, False),
}


def test_every_status_has_a_phase_and_verdicts() -> None:
    """The whole table, written a second time."""
    found = {
        status: (
            phase,
            " ".join(status_verdict(status, target_state).value for target_state in get_args(TargetState)),
            may_run(status),
            may_stop(status),
        )
        for status, phase in PHASES.items()
    }
    assert found == TABLE


@pytest.mark.parametrize("target_state", get_args(TrackedState))
def test_a_job_that_restarts_may_recover_from_an_exception(target_state: Any) -> None:
    """Whatever is waited for, a stop included; any other failure is final."""
    assert status_verdict("job_running_exception", target_state, restarts=True) is Verdict.WAIT
    assert status_verdict("job_submit_fail", "running", restarts=True) is Verdict.FAILED
    assert status_verdict("job_submit_fail", "stopped", restarts=True) is Verdict.REACHED
    assert [may_stop(status, restarts=True) for status in ("job_running_exception", "job_finish")] == [True, False]


def test_no_status_shows_that_a_job_was_saved() -> None:
    """A job that does not run cannot be saved; any other is waited for."""
    ended = {status for status in PHASES if status_verdict(status, "saved") is Verdict.FAILED}
    assert ended == {status for status in PHASES if may_run(status)}
    assert {status_verdict(status, "saved") for status in PHASES} == {Verdict.FAILED, Verdict.WAIT}


def test_a_snapshot_holds_status_start_and_savepoint() -> None:
    """Zero and empty values are None."""
    assert snapshot_of(job("job_init", start_time=0, savepoint_path="")) == ["job_init", None, None]
    status, start_time, path = snapshot_of(job("job_init", start_time=5, savepoint_path=f"b/{'s' * 200}"))
    assert (status, start_time, len(path)) == ("job_init", 5, 12)


def test_a_job_without_a_record_is_waited_for() -> None:
    """It has not failed."""
    tracker = JobTracker([1], "running")
    assert tracker.verdict(1, 0) is Verdict.WAIT
    assert (tracker.pending(0), tracker.failures(0)) == ([1], {})


def test_a_job_that_does_not_exist_has_failed() -> None:
    """The reason is that."""
    tracker = JobTracker([1, 2], "stopped")
    tracker.record(1, None)
    tracker.record(2, job("job_canceling", 2))
    assert tracker.verdict(1, 0) is Verdict.FAILED
    assert tracker.pending(0) == [], "one failure ends the wait for all"
    assert tracker.failures(0) == {1: "not a job that this key sees"}


def test_only_jobs_on_their_way_are_pending() -> None:
    """Not those that have reached the target state."""
    tracker = JobTracker([1, 2], "running")
    tracker.record(1, job("job_running", 1))
    tracker.record(2, job("job_submitting", 2))
    assert (tracker.pending(0), tracker.failures(0)) == ([2], {})


@pytest.mark.parametrize(
    ("status", "desc", "reason"),
    [("job_submit_fail", None, "job_submit_fail"), ("job_submit_fail", "no CUs", "job_submit_fail (no CUs)")],
)
def test_a_failure_has_its_status_as_reason(status: str, desc: str | None, reason: str) -> None:
    """With the description of the service, if there is one."""
    tracker = JobTracker([1], "running")
    tracker.record(1, job(status, status_desc=desc))
    assert tracker.failures(0) == {1: reason}


def test_a_job_that_equals_its_baseline_is_waited_for_during_the_grace_period() -> None:
    """DLI goes on showing the previous status; after the grace period that is a failure, to the second."""
    before = job("job_cancel_success")
    tracker = JobTracker([1], "running", {1: snapshot_of(before)}, requested_at=100, grace_period=30)
    tracker.record(1, before)
    assert tracker.verdict(1, 129.9) is Verdict.WAIT
    assert tracker.verdict(1, 130) is Verdict.FAILED
    assert tracker.failures(130) == {1: "still job_cancel_success after 30 s"}
    tracker.record(1, job("job_running"))
    assert tracker.verdict(1, 129) is Verdict.REACHED


def test_a_draft_that_does_not_start_fails_only_if_it_was_requested_to() -> None:
    """The reason has the description of DLI."""
    before = job("job_init", status_desc="queued")
    required = JobTracker([1], "running", {1: snapshot_of(before)}, requested_at=0, grace_period=10)
    required.record(1, before)
    assert required.failures(10) == {1: "still job_init (queued) after 10 s"}
    optional = JobTracker(
        [1], "running", {1: snapshot_of(before)}, requested_at=0, grace_period=10, must_move=False
    )
    optional.record(1, before)
    assert optional.verdict(1, 10) is Verdict.WAIT


def test_without_a_request_a_job_may_be_in_the_target_state_already() -> None:
    """A job that runs as before has reached it, unless it was requested to run again."""
    running = job("job_running")
    baseline = {1: snapshot_of(running)}
    requested = JobTracker([1], "running", baseline, 0, 10)
    unrequested = JobTracker([1], "running", baseline, 0, 10, must_move=False)
    for tracker in (requested, unrequested):
        tracker.record(1, running)
    assert requested.verdict(1, 5) is Verdict.WAIT
    assert requested.verdict(1, 10) is Verdict.FAILED
    assert unrequested.verdict(1, 5) is Verdict.REACHED


def test_without_a_request_a_previous_failure_is_waited_out() -> None:
    """During the grace period a failure of the previous run does not count."""
    before = job("job_submit_fail")
    tracker = JobTracker(
        [1], "running", {1: snapshot_of(before)}, requested_at=0, grace_period=10, must_move=False
    )
    tracker.record(1, before)
    assert tracker.verdict(1, 9) is Verdict.WAIT
    assert tracker.verdict(1, 10) is Verdict.FAILED
    assert tracker.failures(10) == {1: "job_submit_fail"}


def test_a_stop_ignores_baselines() -> None:
    """A stopped job is stopped, whether or not it was stopped before."""
    before = job("job_finish")
    tracker = JobTracker([1], "stopped", {1: snapshot_of(before)}, requested_at=0, grace_period=10)
    tracker.record(1, before)
    assert tracker.verdict(1, 0) is Verdict.REACHED
    failed = job("job_cancel_fail")
    tracker = JobTracker([1], "stopped", {1: snapshot_of(failed)}, requested_at=0, grace_period=10)
    tracker.record(1, failed)
    assert tracker.failures(0) == {1: "job_cancel_fail"}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"job_config": {"restart_when_exception": True}}, Verdict.WAIT),
        ({"job_config": {"restart_when_exception": False}}, Verdict.FAILED),
        ({"job_config": {}}, Verdict.FAILED),
        ({"job_config": None}, Verdict.FAILED),
        ({}, Verdict.FAILED),
    ],
)
def test_restart_when_exception_is_read_from_job_config(raw: dict[str, Any], expected: Verdict) -> None:
    """Of the detail."""
    tracker = JobTracker([1], "running")
    tracker.record(1, job("job_running_exception", raw=raw))
    assert tracker.verdict(1, 0) is expected


def saved(before: FlinkJob, *seen: FlinkJob) -> JobTracker:
    """Track a job whose savepoint was requested at 100, with a grace period of ten seconds."""
    tracker = JobTracker([1], "saved", {1: snapshot_of(before)}, requested_at=100, grace_period=10)
    for each in seen:
        tracker.record(1, each)
    return tracker


def test_another_savepoint_path_shows_a_new_savepoint() -> None:
    """Also of a job that has ended since; not while it is still being made."""
    before = job("job_running", savepoint_path="b/old")
    for status, expected in (
        ("job_running", Verdict.REACHED),
        ("job_finish", Verdict.REACHED),
        ("job_savepointing", Verdict.WAIT),
    ):
        assert saved(before, job(status, savepoint_path="b/new")).verdict(1, 100) is expected


@pytest.mark.parametrize("path", [None, "", "b/old"])
def test_a_job_that_was_being_saved_and_runs_on_is_saved(path: str | None) -> None:
    """Whatever its path; a job that then ended or had an exception shows nothing."""
    running, saving, ended, excepted = (
        job(status, savepoint_path=path, raw={"job_config": {"restart_when_exception": True}})
        for status in ("job_running", "job_savepointing", "job_finish", "job_running_exception")
    )
    assert saved(running, saving, running).verdict(1, 100) is Verdict.REACHED
    assert saved(running, saving).verdict(1, 200) is Verdict.WAIT
    assert saved(running, saving, ended).failures(100) == {1: "job_finish, and shows no new savepoint"}
    assert saved(running, saving, excepted, running).verdict(1, 100) is Verdict.WAIT
    expected = {1: "still job_running after 10 s, and shows no new savepoint"}
    assert saved(running, saving, excepted, running).failures(110) == expected


def test_a_missing_savepoint_fails_after_the_grace_period() -> None:
    """To the second."""
    running = job("job_running")
    assert saved(running, running).verdict(1, 109.9) is Verdict.WAIT
    assert saved(running, running).failures(110) == {1: "still job_running after 10 s, and shows no new savepoint"}


def test_a_job_is_ready_for_its_savepoint_when_it_runs_again() -> None:
    """No request was sent while another savepoint was being made."""
    tracker = JobTracker(
        [1, 2], "saved", {2: snapshot_of(job("job_running", 2))}, requested_at=100, grace_period=10
    )
    tracker.record(1, job("job_savepointing"))
    tracker.record(2, job("job_running", 2))
    assert (tracker.pending(100), tracker.ready(100)) == ([1, 2], [])
    tracker.record(1, job("job_running"))
    assert tracker.ready(100) == [1]
    tracker.record(2, job("job_finish", 2))
    assert tracker.ready(100) == [], "one failure ends the wait for all"


RESTARTING: dict[str, Any] = {"raw": {"job_config": {"restart_when_exception": True}}}


def test_a_job_is_ready_for_its_stop_when_it_has_restarted() -> None:
    """A job without a request, and one whose request ended with its run; no other."""
    baseline = {each: ["job_running", None, None] for each in (2, 3)}
    tracker = JobTracker([1, 2, 3], "stopped", baseline, requested_at=100, grace_period=10)
    for status, ready in (("job_running_exception", []), ("job_submitting", [1, 2]), ("job_canceling", [])):
        tracker.record(1, job(status, 1, **RESTARTING))
        tracker.record(2, job(status, 2, **RESTARTING))
        tracker.record(3, job("job_running", 3))
        assert tracker.ready(100) == ready
    tracker.record(1, job("job_running", 1))
    assert tracker.ready(100) == [], "it does not restart by itself"


def test_no_job_is_ready_without_a_request() -> None:
    """Nor for another target state."""
    for target_state, must_move in (("stopped", False), ("running", True), ("finished", True)):
        tracker = JobTracker([1], target_state, must_move=must_move)  # type: ignore[arg-type]  # of the list above
        tracker.record(1, job("job_submitting", **RESTARTING))
        assert tracker.ready(0) == []


def test_without_a_request_the_first_record_is_the_baseline() -> None:
    """A baseline from before the request stays unchanged for a run."""
    unrequested = JobTracker([1], "running", must_move=False)
    requested = JobTracker([1], "running", {1: ["job_init", None, None]})
    for tracker in (requested, unrequested):
        tracker.record(1, job("job_running_exception"))
        tracker.record(1, job("job_submitting"))
    assert unrequested.baseline == {1: ["job_running_exception", None, None]}
    assert requested.baseline == {1: ["job_init", None, None]}
