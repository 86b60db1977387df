"""What becomes of jobs that are watched, what statuses mean, and how two jobs differ."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_dli.client.flink.diff import Difference, differences
from airflow_provider_dli.client.flink.jobs import FlinkJob
from airflow_provider_dli.client.flink.states import GOALS, PHASES, Phase, Verdict, may_run, may_stop, verdict
from airflow_provider_dli.client.flink.watching import Watch, mark_of


def job(status: str, job_id: int = 1, **more: Any) -> FlinkJob:
    """Make a job as the detail shows it."""
    raw = more.pop("raw", {})
    return FlinkJob(job_id=job_id, name="n", job_type="flink_sql_job", status=status, raw=raw, **more)


#: status: what it says; what it means for running, finished, stopped; may it be run, may it be stopped
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


def test_every_status_has_its_meaning() -> None:
    """The whole table, written down a second time."""
    found = {
        status: (phase, " ".join(verdict(status, goal).value for goal in GOALS), may_run(status), may_stop(status))
        for status, phase in PHASES.items()
    }
    assert found == TABLE


@pytest.mark.parametrize("goal", [*GOALS, "saved"])
def test_a_job_that_restarts_itself_may_come_back(goal: Any) -> None:
    """From an exception, whatever one waits for, a stop included; any other bad end stays one."""
    assert verdict("job_running_exception", goal, restarts=True) is Verdict.WAIT
    assert verdict("job_submit_fail", "running", restarts=True) is Verdict.FAILED
    assert verdict("job_submit_fail", "stopped", restarts=True) is Verdict.REACHED
    assert [may_stop(status, restarts=True) for status in ("job_running_exception", "job_finish")] == [True, False]


def test_no_status_says_that_a_job_was_saved() -> None:
    """One that does not run cannot be; any other is waited for."""
    ended = {status for status in PHASES if verdict(status, "saved") is Verdict.FAILED}
    assert ended == {status for status in PHASES if may_run(status)}
    assert {verdict(status, "saved") for status in PHASES} == {Verdict.FAILED, Verdict.WAIT}


def test_the_mark_of_a_job() -> None:
    """Status, start and savepoint; what is zero or empty is none."""
    assert mark_of(job("job_init", start_time=0, savepoint_path="")) == ["job_init", None, None]
    assert mark_of(job("job_init", start_time=5, savepoint_path="b/s")) == ["job_init", 5, "b/s"]


def test_what_was_not_seen_is_waited_for() -> None:
    """A job of which nothing is known yet is no failure."""
    watch = Watch([1], "running")
    assert watch.verdict(1, 0) is Verdict.WAIT
    assert (watch.waiting(0), watch.failures(0)) == ([1], {})


def test_a_job_that_is_gone_has_failed() -> None:
    """And says so."""
    watch = Watch([1, 2], "stopped")
    watch.see(1, None)
    watch.see(2, job("job_canceling", 2))
    assert watch.verdict(1, 0) is Verdict.FAILED
    assert watch.waiting(0) == [], "one failure ends the wait for all"
    assert watch.failures(0) == {1: "the project has no such job"}


def test_those_on_their_way_are_waited_for() -> None:
    """And not those that have come."""
    watch = Watch([1, 2], "running")
    watch.see(1, job("job_running", 1))
    watch.see(2, job("job_submitting", 2))
    assert (watch.waiting(0), watch.failures(0)) == ([2], {})


@pytest.mark.parametrize(
    ("status", "desc", "said"),
    [("job_submit_fail", None, "job_submit_fail"), ("job_submit_fail", "no CUs", "job_submit_fail (no CUs)")],
)
def test_a_failure_says_how(status: str, desc: str | None, said: str) -> None:
    """With the service's words, if there are any."""
    watch = Watch([1], "running")
    watch.see(1, job(status, status_desc=desc))
    assert watch.failures(0) == {1: said}


def test_a_job_that_bears_its_mark_still_is_waited_for_during_grace() -> None:
    """DLI goes on showing the status of before; after the grace that is a failure, to the second."""
    before = job("job_cancel_success")
    watch = Watch([1], "running", {1: mark_of(before)}, asked=100, grace=30)
    watch.see(1, before)
    assert watch.verdict(1, 129.9) is Verdict.WAIT
    assert watch.verdict(1, 130) is Verdict.FAILED
    assert watch.failures(130) == {1: "still job_cancel_success after 30 s"}
    watch.see(1, job("job_running"))
    assert watch.verdict(1, 129) is Verdict.REACHED


def test_a_draft_that_does_not_start() -> None:
    """A draft is no bad status: only where it must move is it a failure, which says what DLI says."""
    before = job("job_init", status_desc="queued")
    must = Watch([1], "running", {1: mark_of(before)}, asked=0, grace=10)
    must.see(1, before)
    assert must.failures(10) == {1: "still job_init (queued) after 10 s"}
    need_not = Watch([1], "running", {1: mark_of(before)}, asked=0, grace=10, must_move=False)
    need_not.see(1, before)
    assert need_not.verdict(1, 10) is Verdict.WAIT


def test_who_did_not_ask_takes_a_job_that_has_come_already() -> None:
    """A job that runs as it ran before is where it should be, unless it was asked to run anew."""
    running = job("job_running")
    marks = {1: mark_of(running)}
    asked, seen_only = Watch([1], "running", marks, 0, 10), Watch([1], "running", marks, 0, 10, must_move=False)
    for watch in (asked, seen_only):
        watch.see(1, running)
    assert asked.verdict(1, 5) is Verdict.WAIT
    assert asked.verdict(1, 10) is Verdict.FAILED
    assert seen_only.verdict(1, 5) is Verdict.REACHED


def test_who_did_not_ask_waits_for_a_bad_status_of_before() -> None:
    """During the grace a failure of an earlier run is not taken for one of this."""
    before = job("job_submit_fail")
    watch = Watch([1], "running", {1: mark_of(before)}, asked=0, grace=10, must_move=False)
    watch.see(1, before)
    assert watch.verdict(1, 9) is Verdict.WAIT
    assert watch.verdict(1, 10) is Verdict.FAILED
    assert watch.failures(10) == {1: "job_submit_fail"}


def test_stopping_knows_no_marks() -> None:
    """A job that is stopped is stopped, whether or not it was so before."""
    before = job("job_finish")
    watch = Watch([1], "stopped", {1: mark_of(before)}, asked=0, grace=10)
    watch.see(1, before)
    assert watch.verdict(1, 0) is Verdict.REACHED
    failed = job("job_cancel_fail")
    watch = Watch([1], "stopped", {1: mark_of(failed)}, asked=0, grace=10)
    watch.see(1, failed)
    assert watch.failures(0) == {1: "job_cancel_fail"}


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
def test_a_job_that_restarts_is_known_by_its_settings(raw: dict[str, Any], expected: Verdict) -> None:
    """``restart_when_exception`` in the detail's ``job_config``."""
    watch = Watch([1], "running")
    watch.see(1, job("job_running_exception", raw=raw))
    assert watch.verdict(1, 0) is expected


def saved(before: FlinkJob, *seen: FlinkJob) -> Watch:
    """Watch a job that was asked for a savepoint at 100, and has ten seconds to show it."""
    watch = Watch([1], "saved", {1: mark_of(before)}, asked=100, grace=10)
    for each in seen:
        watch.see(1, each)
    return watch


def test_another_savepoint_path_shows_a_savepoint() -> None:
    """Also of a job that has ended since; not while it is made still."""
    before = job("job_running", savepoint_path="b/old")
    for status, expected in (
        ("job_running", Verdict.REACHED),
        ("job_finish", Verdict.REACHED),
        ("job_savepointing", Verdict.WAIT),
    ):
        assert saved(before, job(status, savepoint_path="b/new")).verdict(1, 100) is expected


@pytest.mark.parametrize("path", [None, "", "b/old"])
def test_a_job_that_was_saved_and_runs_on_is_saved(path: str | None) -> None:
    """Whatever its path; one that ends after it, or came to an exception, shows nothing."""
    running, saving, ended, thrown = (
        job(status, savepoint_path=path, raw={"job_config": {"restart_when_exception": True}})
        for status in ("job_running", "job_savepointing", "job_finish", "job_running_exception")
    )
    assert saved(running, saving, running).verdict(1, 100) is Verdict.REACHED
    assert saved(running, saving).verdict(1, 200) is Verdict.WAIT
    assert saved(running, saving, ended).failures(100) == {1: "job_finish, and shows no new savepoint"}
    assert saved(running, saving, thrown, running).verdict(1, 100) is Verdict.WAIT
    told = {1: "still job_running after 10 s, and shows no new savepoint"}
    assert saved(running, saving, thrown, running).failures(110) == told


def test_a_job_that_shows_no_savepoint_has_time_for_it() -> None:
    """To the second."""
    running = job("job_running")
    assert saved(running, running).verdict(1, 109.9) is Verdict.WAIT
    assert saved(running, running).failures(110) == {1: "still job_running after 10 s, and shows no new savepoint"}


def test_a_job_is_due_for_its_savepoint_when_it_runs_again() -> None:
    """It was not asked while somebody else's was made."""
    watch = Watch([1, 2], "saved", {2: mark_of(job("job_running", 2))}, asked=100, grace=10)
    watch.see(1, job("job_savepointing"))
    watch.see(2, job("job_running", 2))
    assert (watch.waiting(100), watch.due(100)) == ([1, 2], [])
    watch.see(1, job("job_running"))
    assert watch.due(100) == [1]
    watch.see(2, job("job_finish", 2))
    assert watch.due(100) == [], "one failure ends the wait for all"


RESTARTING: dict[str, Any] = {"raw": {"job_config": {"restart_when_exception": True}}}


def test_a_job_is_due_for_its_stop_when_it_comes_back() -> None:
    """One that could not be asked, and one whose request ended with its run; no other job is."""
    asked = {each: ["job_running", None, None] for each in (2, 3)}
    watch = Watch([1, 2, 3], "stopped", asked, asked=100, grace=10)
    for status, due in (("job_running_exception", []), ("job_submitting", [1, 2]), ("job_canceling", [])):
        watch.see(1, job(status, 1, **RESTARTING))
        watch.see(2, job(status, 2, **RESTARTING))
        watch.see(3, job("job_running", 3))
        assert watch.due(100) == due
    watch.see(1, job("job_running", 1))
    assert watch.due(100) == [], "it does not restart by itself"


def test_nobody_is_due_for_who_did_not_ask() -> None:
    """Nor for who asked for something else."""
    for goal, must_move in (("stopped", False), ("running", True), ("finished", True)):
        watch = Watch([1], goal, must_move=must_move)  # type: ignore[arg-type]  # of the list above
        watch.see(1, job("job_submitting", **RESTARTING))
        assert watch.due(0) == []


def test_who_did_not_ask_takes_the_first_sight_for_the_mark() -> None:
    """Whenever that is; who asked has the marks of before, and changes none for a run."""
    seen_only, asked = Watch([1], "running", must_move=False), Watch([1], "running", {1: ["job_init", None, None]})
    for watch in (seen_only, asked):
        watch.see(1, job("job_running_exception"))
        watch.see(1, job("job_submitting"))
    assert seen_only.before == {1: ["job_running_exception", None, None]}
    assert asked.before == {1: ["job_init", None, None]}


def differ(source: dict[str, Any], restored: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Compare two jobs by what the service shows of them."""
    found = differences(job("job_init", raw=source), job("job_finish", raw=restored))
    assert all(isinstance(each, Difference) for each in found)
    return [(each.field, each.source, each.restored) for each in found]


def test_differences_are_named_with_dots_and_in_order() -> None:
    """At the top, in the settings, in the resources; what only one of the two has as well."""
    source = {"name": "a", "job_config": {"cu_number": 2, "resource_config": {"max_slot": 1}, "only": 1}}
    restored = {"name": "b", "job_config": {"cu_number": 3, "resource_config": {"max_slot": 2}}, "also": "x"}
    assert differ(source, restored) == [
        ("also", None, "x"),
        ("job_config.cu_number", 2, 3),
        ("job_config.only", 1, None),
        ("job_config.resource_config.max_slot", 1, 2),
        ("name", "a", "b"),
    ]


@pytest.mark.parametrize(
    "name", ["job_id", "user_name", "create_time", "status", "execution_graph", "savepoint_path"]
)
def test_what_is_a_jobs_own_is_no_difference(name: str) -> None:
    """Ids, people, times and state, at the top and in the settings."""
    assert differ({name: 1, "job_config": {name: 1}}, {name: 2, "job_config": {name: 2}}) == []


@pytest.mark.parametrize("nothing", [None, "", [], {}])
def test_nothing_is_nothing(nothing: object) -> None:
    """However it is written."""
    assert differ({"desc": nothing}, {}) == []
    assert differ({}, {"desc": nothing}) == []
    assert differ({"desc": nothing}, {"desc": "x"}) == [("desc", nothing, "x")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, "exactly_once"),
        ("at_least_once", 2),
        ('{"a": 1, "b": [2]}', '{"b":[2],"a":1}'),
        (" [1, 2]", "[1,2]"),
    ],
)
def test_two_ways_of_writing_the_same(one: object, other: object) -> None:
    """Checkpoint modes, and JSON in texts."""
    assert differ({"x": one}, {"x": other}) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [("exactly_once", 2), ('{"a": 1}', '{"a": 2}'), ("{broken", "{broken "), ("1", "1 "), ("a", "A"), (0, None)],
)
def test_what_only_looks_alike(one: object, other: object) -> None:
    """Other values, texts that are no JSON objects, zero beside nothing."""
    assert differ({"x": one}, {"x": other}) == [("x", one, other)]


def test_an_odd_job_config_is_held_as_it_is() -> None:
    """Where the settings are no object they are compared whole."""
    assert differ({"job_config": "a"}, {"job_config": {"b": 1}}) == [
        ("job_config", "a", None),
        ("job_config.b", None, 1),
    ]
