"""Bring jobs into another project: what must be otherwise there is, and twice does no more than once."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_dli.client.errors import ThrottledError
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.operators.dli import DliPromoteFlinkJobsOperator
from dli_emulator import Emulator
from tests.airflow.stores import TaskInstance


@pytest.fixture
def world(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return the emulator: its sample jobs are the test project, a second project is production."""
    production = dli_emulator.world.add_project("cn-north-4_prod", "prod")
    given: dict[str, Any] = {"retry_budget": 0, "read_timeout": 60}
    monkeypatch.setenv("AIRFLOW_CONN_DLI_TEST", dli_emulator.connection(**given))
    connection = dli_emulator.connection(project_id=production.project_id, **given)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", connection)
    return dli_emulator


def promote(job_ids: Any, instance: TaskInstance | None = None, **parameters: Any) -> list[dict[str, Any]]:
    operator = DliPromoteFlinkJobsOperator(
        task_id="promote", job_ids=job_ids, **{"source_conn_id": "dli_test", **parameters}
    )
    return operator.execute((instance or TaskInstance()).context)


def production(world: Emulator) -> dict[int, Any]:
    return world.world.projects["prod"].jobs


def test_jobs_are_created_then_left_alone_then_updated(world: Emulator) -> None:
    """SQL and JAR; only what differs is sent."""
    given: dict[str, Any] = {
        "queues": {"flink_prod": "production"},
        "replacements": '{"flink-jars": "production-jars"}',
    }
    instance = TaskInstance()
    first = promote("100, 101", instance, **given)
    assert [each["action"] for each in first] == ["create", "create"]
    sql, jar = production(world).values()
    assert (sql.sql_body, sql.queue_name) == (world.world.jobs[100].sql_body, "production")
    assert jar.job_config["entrypoint"] == "obs://production-jars/job_1.jar"
    assert jar.job_config["checkpoint_path"] == world.world.jobs[101].job_config["checkpoint_path"]
    assert instance.pushed["job_ids"] == [sql.job_id, jar.job_id]
    assert [each["action"] for each in promote("100, 101", **given)] == ["same", "same"]
    world.world.jobs[100].sql_body = "insert into other select 1"
    (changed, same) = promote("100, 101", **given)
    assert (changed["action"], changed["changed"], same["action"]) == ("update", ["sql_body"], "same")
    assert sql.sql_body == "insert into other select 1"


def test_one_project_is_not_promoted_into_itself(world: Emulator) -> None:
    """Also under two names of a connection."""
    before = len(world.world.jobs)
    same: tuple[dict[str, Any], ...] = ({"dli_conn_id": "dli_test"}, {"source_conn_id": "dli_default"})
    for given in same:
        with pytest.raises(DliFailException, match=r"are of one project, \w+; name .* Nothing was changed"):
            promote([100], queues={"flink_prod": "production"}, **given)
    assert len(world.world.jobs) == before
    assert not production(world)


def test_a_job_that_runs_is_not_changed(world: Emulator) -> None:
    """Nothing is, and the task says which to stop."""
    promote("100, 101")
    sql, jar = production(world).values()
    jar.status = "job_running"
    world.world.jobs[100].desc = world.world.jobs[101].desc = "changed"
    instance = TaskInstance()
    plan = promote("100, 101", instance, dry_run=True)
    assert [each["action"] for each in plan] == ["update", "update"]
    assert instance.pushed["to_stop"] == [jar.job_id]
    instance = TaskInstance()
    with pytest.raises(DliFailException, match=rf"{jar.job_id} \S+ \(job_running\); stop it first\. Nothing was"):
        promote("100, 101", instance)
    assert instance.pushed["to_stop"] == [jar.job_id]
    assert sql.desc != "changed"


@pytest.mark.parametrize(
    ("status", "restarts", "busy"),
    [
        ("job_running_exception", True, True),
        ("job_running_exception", False, False),
        ("job_cancel_fail", False, True),
        ("job_canceling", False, True),
        ("job_finish", True, False),
    ],
)
def test_a_job_that_may_run_on_by_itself_is_not_changed(
    world: Emulator, status: str, restarts: bool, busy: bool
) -> None:
    """One that starts again after an exception, or failed to stop."""
    promote([101])
    (there,) = production(world).values()
    there.status = status
    there.job_config["restart_when_exception"] = restarts
    world.world.jobs[101].desc = "changed"
    instance = TaskInstance()
    promote([101], instance, dry_run=True)
    assert instance.pushed["to_stop"] == [there.job_id] * busy


def test_a_dry_run_changes_nothing(world: Emulator) -> None:
    """It tells what would be done."""
    assert [(each["action"], each["job_id"]) for each in promote([100], dry_run=True)] == [("create", None)]
    assert production(world) == {}


@pytest.mark.parametrize(("given", "made"), [("False", 1), (" false ", 1), ("True", 0), (True, 0)])
def test_a_dry_run_may_come_from_a_template(world: Emulator, given: Any, made: int) -> None:
    """As Jinja writes a boolean of the form."""
    promote([100], dry_run=given)
    assert len(production(world)) == made


@pytest.mark.parametrize("given", ["no", "", "None", None, 0])
def test_what_is_no_flag_is_refused(world: Emulator, given: Any) -> None:
    """Never taken for one of the two; nothing is sent."""
    with pytest.raises(DliFailException, match=r"^dry_run: .*; give True or False"):
        promote([100], dry_run=given)
    assert not world.requests


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"queues": {"no_such": "x"}}, r"found in none of the jobs: queues no_such"),
        ({"replacements": {"no such": "x"}}, r"found in none of the jobs: replacements 'no s…' \(7 characters\)"),
        ({"replacements": {"": "x"}}, r"^replacements: "),
        ({"queues": ["x"]}, r"^queues: "),
        ({"queues": "x"}, r"^queues: "),
        ({"job_ids": [9]}, r"^job_ids: project \S+ has no job 9"),
        ({"job_ids": ""}, r"^job_ids: "),
    ],
)
def test_a_slip_of_the_pen_is_told_before_anything_is_changed(
    world: Emulator, parameters: dict[str, Any], reason: str
) -> None:
    """By its name."""
    with pytest.raises(DliFailException, match=reason):
        promote(**{"job_ids": [100], **parameters})
    assert production(world) == {}


def test_a_job_of_another_type_is_not_overwritten(world: Emulator) -> None:
    """The names are the same, the jobs are not."""
    world.world.add_job(in_project="prod", name=world.world.jobs[100].name, job_type="flink_jar_job")
    with pytest.raises(DliFailException, match="that is a flink_jar_job"):
        promote([100])


@pytest.mark.parametrize("kind", ["cut_after", "cut_before"])
def test_a_lost_answer_of_a_creation(world: Emulator, kind: str) -> None:
    """The job's name tells whether it is there; it is made once."""
    world.fault("CreateFlinkSqlJob", kind)
    promote([100])
    assert len(production(world)) == 1


def test_what_was_done_before_it_failed_is_told(world: Emulator) -> None:
    """Nobody has to guess."""
    world.fault("CreateFlinkJarJob", "error", code="DLI.12002", message="The resource is invalid.")
    with pytest.raises(
        DliFailException, match=r"create \S+_01: .*DLI\.12002.*Done before it: create orders_to_dws_00"
    ):
        promote([100, 101])


def test_why_it_failed_is_known_to_those_who_retry_it(world: Emulator) -> None:
    """The service's own error is the cause: how soon to try again depends on it. What to do is told at the end."""
    world.fault("CreateFlinkJarJob", "throttled", retry_after=300)
    with pytest.raises(DliException, match=r"HTTP 429.*Done before it: create \S+_00\. Too many req") as caught:
        promote([100, 101])
    assert not isinstance(caught.value, DliFailException)
    assert isinstance(caught.value.error, ThrottledError)
    assert caught.value.error.retry_after == 300
