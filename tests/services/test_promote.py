"""Promote jobs to another project: replacements are applied, and promoting twice does no more than once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_dli.client.errors import ConfigurationError, ThrottledError
from airflow_provider_dli.client.flink import FlinkJob
from airflow_provider_dli.client.flink.settings import own_directory
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.operators.dli import DliPromoteFlinkJobsOperator
from dli_emulator import Emulator
from tests.airflow.stores import TaskInstance


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return the emulator: its sample jobs are the test project, a second project is production."""
    production = dli_emulator.state.add_project("cn-north-4_prod", "prod")
    given: dict[str, Any] = {"retry_budget": 0, "read_timeout": 60}
    monkeypatch.setenv("AIRFLOW_CONN_DLI_TEST", dli_emulator.connection(**given))
    connection = dli_emulator.connection(project_id=production.project_id, **given)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", connection)
    return dli_emulator


def promote(job_ids: Any, instance: TaskInstance | None = None, **parameters: Any) -> list[dict[str, Any]]:
    operator = DliPromoteFlinkJobsOperator(
        task_id="promote", job_ids=job_ids, **{"source_conn_id": "dli_test", **parameters}
    )
    return operator.execute((instance or TaskInstance()).context) or []


def production(emulator: Emulator) -> dict[int, Any]:
    return emulator.state.projects["prod"].jobs


def test_jobs_are_created_then_unchanged_then_updated(emulator: Emulator) -> None:
    """SQL and JAR; only what differs is sent."""
    given: dict[str, Any] = {
        "queues": {"flink_prod": "production"},
        "replacements": '{"flink-jars": "production-jars"}',
    }
    instance = TaskInstance()
    first = promote("100, 101", instance, **given)
    assert [each["action"] for each in first] == ["create", "create"]
    sql, jar = production(emulator).values()
    assert (sql.sql_body, sql.queue_name) == (emulator.state.jobs[100].sql_body, "production")
    assert jar.job_config["entrypoint"] == "obs://production-jars/job_1.jar"
    assert jar.job_config["checkpoint_path"] == emulator.state.jobs[101].job_config["checkpoint_path"]
    assert instance.pushed["job_ids"] == [sql.job_id, jar.job_id]
    assert [each["action"] for each in promote("100, 101", **given)] == ["unchanged", "unchanged"]
    emulator.state.jobs[100].sql_body = "insert into other select 1"
    (changed, unchanged) = promote("100, 101", **given)
    assert (changed["action"], changed["changed"], unchanged["action"]) == ("update", ["sql_body"], "unchanged")
    assert sql.sql_body == "insert into other select 1"


def test_one_project_is_not_promoted_into_itself(emulator: Emulator) -> None:
    """Also under two names of a connection."""
    before = len(emulator.state.jobs)
    same: tuple[dict[str, Any], ...] = ({"dli_conn_id": "dli_test"}, {"source_conn_id": "dli_default"})
    for given in same:
        with pytest.raises(DliFailException, match=r"are of one project, \w+; name .* Nothing was changed"):
            promote([100], queues={"flink_prod": "production"}, **given)
    assert len(emulator.state.jobs) == before
    assert not production(emulator)


def test_a_job_that_runs_is_not_changed(emulator: Emulator) -> None:
    """Nothing is, and the task names those to stop."""
    promote("100, 101")
    sql, jar = production(emulator).values()
    jar.status = "job_running"
    emulator.state.jobs[100].desc = emulator.state.jobs[101].desc = "changed"
    instance = TaskInstance()
    plan = promote("100, 101", instance, plan_only=True)
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
def test_a_job_that_may_resume_by_itself_is_not_changed(
    emulator: Emulator, status: str, restarts: bool, busy: bool
) -> None:
    """One that starts again after an exception, or failed to stop."""
    promote([101])
    (there,) = production(emulator).values()
    there.status = status
    there.job_config["restart_when_exception"] = restarts
    emulator.state.jobs[101].desc = "changed"
    instance = TaskInstance()
    promote([101], instance, plan_only=True)
    assert instance.pushed["to_stop"] == [there.job_id] * busy


def test_a_plan_changes_nothing(emulator: Emulator) -> None:
    """It returns what would be done."""
    assert [(each["action"], each["job_id"]) for each in promote([100], plan_only=True)] == [("create", None)]
    assert production(emulator) == {}


@pytest.mark.parametrize(("given", "made"), [("False", 1), (" false ", 1), ("True", 0), (True, 0)])
def test_plan_only_may_come_from_a_template(emulator: Emulator, given: Any, made: int) -> None:
    """As Jinja writes a boolean of the form."""
    promote([100], plan_only=given)
    assert len(production(emulator)) == made


@pytest.mark.parametrize("given", ["no", "", "None", None, 0])
def test_an_invalid_flag_is_refused(emulator: Emulator, given: Any) -> None:
    """Never taken for one of the two; nothing is sent."""
    with pytest.raises(DliFailException, match=r"^plan_only: .*; give True or False"):
        promote([100], plan_only=given)
    assert not emulator.requests


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"queues": {"no_such": "x"}}, r"found in none of the jobs: queues no_such"),
        ({"replacements": {"no such": "x"}}, r"found in none of the jobs: replacements 'no s…' \(7 characters\)"),
        ({"replacements": {"": "x"}}, r"^replacements: "),
        ({"queues": ["x"]}, r"^queues: "),
        ({"queues": "x"}, r"^queues: "),
        ({"job_ids": [9]}, r"^job_ids: this key sees no job 9"),
        ({"job_ids": ""}, r"^job_ids: "),
    ],
)
def test_typing_errors_are_found_before_anything_is_changed(
    emulator: Emulator, parameters: dict[str, Any], reason: str
) -> None:
    """By the name of the parameter."""
    with pytest.raises(DliFailException, match=reason):
        promote(**{"job_ids": [100], **parameters})
    assert production(emulator) == {}


def test_a_job_of_another_type_is_not_overwritten(emulator: Emulator) -> None:
    """The names are the same, the jobs are not."""
    emulator.state.add_job(in_project="prod", name=emulator.state.jobs[100].name, job_type="flink_jar_job")
    with pytest.raises(DliFailException, match="in the target is a flink_jar_job"):
        promote([100])


@pytest.mark.parametrize("kind", ["cut_after", "cut_before"])
def test_a_lost_response_of_a_creation(emulator: Emulator, kind: str) -> None:
    """The job is found by its name; it is created once."""
    emulator.fault("CreateFlinkSqlJob", kind)
    promote([100])
    assert len(production(emulator)) == 1


def test_a_failure_names_what_was_done_before(emulator: Emulator) -> None:
    """Created and updated jobs stay."""
    emulator.fault("CreateFlinkJarJob", "error", code="DLI.12002", message="The resource is invalid.")
    with pytest.raises(
        DliFailException, match=r"create \S+_01: .*DLI\.12002.*Done before it: create orders_to_dws_00"
    ):
        promote([100, 101])


def test_a_failure_keeps_its_cause(emulator: Emulator) -> None:
    """A retry policy depends on the service's own error. The advice is the end of the message."""
    emulator.fault("CreateFlinkJarJob", "throttled", retry_after=300)
    with pytest.raises(DliException, match=r"HTTP 429.*Done before it: create \S+_00\. Too many req") as caught:
        promote([100, 101])
    assert not isinstance(caught.value, DliFailException)
    assert isinstance(caught.value.error, ThrottledError)
    assert caught.value.error.retry_after == 300


SET: dict[str, Any] = {
    "udf_jar_url": "obs://jars/udf.jar",
    "smn_topic": "urn:smn:cn-north-4:x:alerts",
    "runtime_config": '{"table.exec.state.ttl": "1 h"}',
    "dirty_data_strategy": "1",
    "idle_state_retention": 7200,
    "restart_when_exception": True,
    "resume_max_num": 5,
    "edge_group_ids": ["a"],
}


def config(job: Any) -> dict[str, Any]:
    return {name: value for name, value in job.job_config.items() if value not in (None, "", [], {})}


@pytest.mark.parametrize("mode", [2, "2", "at_least_once", "AT_LEAST_ONCE"])
def test_a_checkpoint_mode_is_promoted_however_it_is_shown(emulator: Emulator, mode: Any) -> None:
    """As a number or a name, as the manual has it, or in another form. A second time, nothing differs."""
    emulator.state.jobs[100].job_config["checkpoint_mode"] = mode
    (done,) = promote([100])
    assert (done["action"], done["not_carried"]) == ("create", [])
    (there,) = production(emulator).values()
    assert there.job_config["checkpoint_mode"] == "at_least_once"
    assert [each["action"] for each in promote([100])] == ["unchanged"]


UNREADABLE: list[dict[str, Any]] = [
    {"checkpoint_mode": "twice"},
    {"checkpoint_interval": "10"},
    {"resume_max_num": [5]},
    {"restart_when_exception": "true"},
    {"udf_jar_url": 7},
    {"smn_topic": {"urn": "x"}},
    {"operator_config": 5},
]


@pytest.mark.parametrize("plan_only", [True, False])
@pytest.mark.parametrize("shown", UNREADABLE, ids=str)
def test_a_setting_that_no_request_takes_is_named_with_its_job(
    emulator: Emulator, shown: dict[str, Any], plan_only: bool
) -> None:
    """In the source, before anything is changed. A retry cannot help."""
    name = next(iter(shown))
    emulator.state.jobs[101].job_config |= {"checkpoint_mode": 1}
    emulator.state.jobs[100].job_config |= shown
    message = rf"^job 100 orders_to_dws_00 of connection 'dli_test' is shown .* takes: {name}: .*give"
    with pytest.raises(DliFailException, match=message) as caught:
        promote([101, 100], plan_only=plan_only)
    assert isinstance(caught.value.error, ConfigurationError)
    assert not production(emulator)


def test_a_setting_of_the_target_that_no_request_takes_is_named(emulator: Emulator) -> None:
    """Before an update, and after a creation: then it is named that the job was created."""
    promote([100])
    (there,) = production(emulator).values()
    there.job_config["checkpoint_mode"] = "twice"
    with pytest.raises(DliFailException, match=rf"^job {there.job_id} \S+ of connection 'dli_default' is shown "):
        promote([100])
    job = {"job_id": 7, "name": "jar", "job_type": "flink_jar_job", "status": "job_init", "job_config": "none"}
    created = {"job_id": 7, "status_name": "job_init"}
    emulator.fault("CreateFlinkJarJob", "reply", body={"is_success": "true", "job": created})
    emulator.fault("ShowFlinkJob", "slow", before=0)
    emulator.fault("ShowFlinkJob", "reply", body={"is_success": "true", "job_detail": job})
    message = r"^create \S+_01: job 7 jar of connection 'dli_default' is shown .*job_config: .*Done before it: no"
    with pytest.raises(DliFailException, match=message):
        promote([101])


@pytest.mark.parametrize("how", ["missing", "null", "empty"])
def test_a_setting_that_was_removed_is_removed_in_the_target(emulator: Emulator, how: str) -> None:
    """However the service shows what is not set; a second promotion changes nothing."""
    source = emulator.state.jobs[100]
    source.job_config |= SET
    source.desc = "old"
    promote([100])
    (there,) = production(emulator).values()
    assert {name: there.job_config[name] for name in SET} == SET
    for name, value in SET.items():
        empty = type(value)() if isinstance(value, str | list) else None
        source.job_config[name] = empty if how == "empty" else None
        if how == "missing":
            del source.job_config[name]
    source.desc = ""
    (done,) = promote([100])
    texts = {"udf_jar_url", "smn_topic", "runtime_config", "edge_group_ids"}
    assert done["action"] == "update"
    assert texts | {"desc"} <= set(done["changed"])
    assert done["not_carried"] == []
    assert not texts & config(there).keys()
    assert there.desc == ""
    assert [each["action"] for each in promote([100])] == ["unchanged"]


def test_a_setting_that_cannot_be_reset_is_named(emulator: Emulator) -> None:
    """The manual has no default for it."""
    promote([100])
    (there,) = production(emulator).values()
    there.job_config["tm_slot_num"] = 3
    (planned,) = promote([100], plan_only=True)
    assert planned["not_carried"] == ["tm_slot_num"]
    (done,) = promote([100])
    assert (done["action"], done["changed"], done["not_carried"]) == ("update", ["tm_slot_num"], ["tm_slot_num"])


def test_an_update_without_effect_is_named(emulator: Emulator) -> None:
    """Its success does not count."""
    promote([100])
    emulator.state.jobs[100].sql_body = "insert into b select 1"
    body = {"is_success": "true", "message": "", "job": {"update_time": 1}}
    emulator.fault("UpdateFlinkSqlJob", "reply", status=200, body=json.dumps(body))
    (done,) = promote([100])
    assert (done["action"], done["not_carried"]) == ("update", ["sql_body"])


@pytest.mark.parametrize(
    ("replacements", "text", "expected"),
    [
        ({"test": "prod", "prod": "dr"}, "from test and prod", "from prod and dr"),
        ({"A": "B", "B": "C", "C": "A"}, "A B C", "B C A"),
        ({"kafka": "k2", "kafka-test": "k1"}, "kafka-test kafka", "k1 k2"),
        ({"kafka-test": "k1", "kafka": "k2"}, "kafka-test kafka", "k1 k2"),
        ({"aa": "b"}, "aaa", "ba"),
        ({"a.b": "x", "(": "[", "\\": "/"}, r"a.b ( \ axb", "x [ / axb"),
        ({"X": r"\1\g<0>"}, "X", r"\1\g<0>"),
        ({"test": "test-2"}, "test", "test-2"),
        ({"süd": "nord", "日": "月"}, "süd 日", "nord 月"),
    ],
)
def test_replacements_are_made_in_one_pass(
    emulator: Emulator,
    replacements: dict[str, str],
    text: str,
    expected: str,
) -> None:
    """None replaces what another has inserted, in any order; of several that match, the longest is used."""
    emulator.state.jobs[100].sql_body = text
    promote([100], replacements=replacements)
    (there,) = production(emulator).values()
    assert there.sql_body == expected


def test_a_replacement_that_is_part_of_another_is_found(emulator: Emulator) -> None:
    """It is in the string, though the longer one is replaced."""
    emulator.state.jobs[100].sql_body = "kafka-test"
    promote([100], replacements={"kafka": "k2", "kafka-test": "k1"})
    with pytest.raises(DliFailException, match=r"replacements 'no-s…' \(14 characters\)") as caught:
        promote([100], replacements={"no-such-secret": "x"})
    assert "no-such-secret" not in str(caught.value)


def updates(emulator: Emulator) -> int:
    """Return how many updates of jobs were requested."""
    return sum(request.method == "PUT" for request in emulator.requests)


#: what users may set of a job, and what the service makes of it where it fills in settings
GIVEN: dict[int, dict[str, Any]] = {
    100: {"checkpoint_interval": 10, "tm_slot_num": 1, "obs_bucket": "ckpt"},
    101: {"checkpoint_path": "ckpt/"},
    102: {"operator_config": '{"a": 1}', "resource_config_version": "v2", "resource_config": {"max_slot": 1}},
    103: {"static_estimator_config": '{"b": 2}', "resource_config": {"parallel_number": 3}},
    104: {"checkpoint_path": None, "checkpoint_enabled": True, "obs_bucket": "ckpt"},
    105: {"checkpoint_interval": 30, "checkpoint_mode": "at_least_once", "tm_cus": 2},
}


@pytest.mark.slow
@pytest.mark.parametrize("fills_in", [False, True])
def test_promoting_twice_changes_nothing(emulator: Emulator, fills_in: bool) -> None:
    """Also where DLI fills in settings that nobody gave: no update is sent, and the plan is empty."""
    emulator.state.settings.fills_in_settings = fills_in
    for job_id, given in GIVEN.items():
        emulator.state.jobs[job_id].job_config |= given
        emulator.state.jobs[job_id].fill_in()
    job_ids = list(emulator.state.jobs)
    first = promote(job_ids)
    assert {each["action"] for each in first} == {"create"}
    assert [each["source_job_id"] for each in first if each["not_carried"]] == []
    sent = updates(emulator)
    for plan_only in (True, False):
        again = promote(job_ids, plan_only=plan_only)
        assert {each["action"] for each in again} == {"unchanged"}
        assert [each["not_carried"] for each in again if each["not_carried"]] == []
    assert updates(emulator) == sent == 2  # the settings of 102 and 103 that only an update takes


@pytest.mark.parametrize("fills_in", [False, True])
def test_a_setting_that_a_user_changed_is_promoted(emulator: Emulator, fills_in: bool) -> None:
    """From a default and back to it; once each."""
    emulator.state.settings.fills_in_settings = fills_in
    promote([101])
    (there,) = production(emulator).values()
    source, default = emulator.state.jobs[101].job_config, {"tm_cus": 1, "checkpoint_interval": 10}
    for given in ({"tm_cus": 2, "checkpoint_interval": 60}, default):
        source |= given
        assert [each["changed"] for each in promote([101])] == [sorted(given, reverse=True)]
        assert {name: there.job_config[name] for name in given} == given
        assert [each["action"] for each in promote([101])] == ["unchanged"]


CONFIGS = {"operator_config": '{"a": 1}', "static_estimator_config": '{"b": 2}'}


def test_what_only_an_update_takes_follows_the_creation(emulator: Emulator) -> None:
    """A second promotion changes nothing; a change of one is an update."""
    emulator.state.jobs[100].job_config |= CONFIGS
    (done,) = promote([100], replacements={": 1}": ": 7}"})
    (there,) = production(emulator).values()
    assert (done["action"], done["not_carried"]) == ("create", [])
    assert (there.job_config["operator_config"], there.job_config["static_estimator_config"]) == (
        '{"a": 7}',
        '{"b": 2}',
    )
    creations = [each for each in emulator.requests if each.operation == "CreateFlinkSqlJob"]
    assert not CONFIGS.keys() & json.loads(creations[0].body).keys()
    emulator.state.jobs[100].job_config["operator_config"] = '{"a": 2}'
    (done,) = promote([100])
    assert (done["action"], done["changed"]) == ("update", ["operator_config"])
    assert [each["action"] for each in promote([100])] == ["unchanged"]
    del emulator.state.jobs[100].job_config["static_estimator_config"]
    (done,) = promote([100])
    assert (done["changed"], done["not_carried"]) == (["static_estimator_config"], [])
    assert not there.job_config["static_estimator_config"]


def test_what_the_service_refuses_after_the_creation_is_named(emulator: Emulator) -> None:
    """The job exists; after a temporary error the task fails, and is retried."""
    emulator.state.jobs[100].job_config |= CONFIGS
    emulator.fault("UpdateFlinkSqlJob", "error", status=400, code="DLI.0001", message="unknown parameter")
    (done,) = promote([100])
    assert (done["action"], sorted(done["not_carried"])) == ("create", sorted(CONFIGS))
    emulator.fault("UpdateFlinkSqlJob", "error", status=503, code="DLI.0999", message="later")
    with pytest.raises(DliException) as caught:
        promote([100])
    assert not isinstance(caught.value, DliFailException)
    assert [each["action"] for each in promote([100])] == ["update"]


def test_the_checkpoint_directory_of_a_job_is_not_carried(emulator: Emulator) -> None:
    """SQL and JAR: production gets one of its own, and a second promotion changes nothing."""
    on = {"checkpoint_enabled": True, "obs_bucket": "ckpt"}
    for number in (100, 101):
        job = emulator.state.jobs[number]
        job.job_config |= on | {"checkpoint_path": f"ckpt/jobs/checkpoint/{number}_{job.name}"}
    first = promote([100, 101])
    assert [(each["action"], each["not_carried"]) for each in first] == [("create", []), ("create", [])]
    for job in production(emulator).values():
        assert job.job_config["checkpoint_path"] == f"ckpt/jobs/checkpoint/{job.job_id}"
    assert [each["action"] for each in promote([100, 101])] == ["unchanged", "unchanged"]
    # As an earlier edition left it: production on the directory of the test job.
    (jar,) = (job for job in production(emulator).values() if job.job_type == "flink_jar_job")
    jar.job_config["checkpoint_path"] = "ckpt/jobs/checkpoint/101"
    (done,) = promote([101])
    assert (done["changed"], done["not_carried"]) == (["checkpoint_path"], [])
    assert jar.job_config["checkpoint_path"] == f"ckpt/jobs/checkpoint/{jar.job_id}"


def test_a_directory_of_the_users_own_is_carried(emulator: Emulator) -> None:
    """With replacements in it; not one that contains the job's id."""
    emulator.state.jobs[101].job_config["checkpoint_path"] = "obs://test-state/orders/"
    promote([101], replacements={"test": "prod"})
    (jar,) = production(emulator).values()
    assert jar.job_config["checkpoint_path"] == "obs://prod-state/orders/"
    emulator.state.jobs[101].job_config["checkpoint_path"] = "obs://state/job_101/"
    promote([101])
    assert "101" not in str(jar.job_config["checkpoint_path"])
    emulator.state.jobs[101].job_config["checkpoint_path"] = "ckpt/"
    promote([101])
    assert jar.job_config["checkpoint_path"] == "ckpt/"
    jar.job_config["checkpoint_path"] = f"ckpt/jobs/checkpoint/{jar.job_id}"  # as the service may extend it
    assert [(each["action"], each["not_carried"]) for each in promote([101])] == [("unchanged", [])]


@pytest.mark.parametrize(
    ("path", "is_own"),
    [
        ("b/jobs/checkpoint/104", True),
        ("obs://b/jobs/checkpoint/104/", True),
        ("b/jobs/checkpoint/104_orders/x", True),
        ("b/job-104", True),
        ("b/jobs/checkpoint/1040", True),
        ("obs://b/jobs/checkpoint/9104_x", True),
        ("b/jobs/checkpoints/1040", False),
        ("b/a/jobs/checkpoint/1040", False),
        ("b/v104", False),
        ("b/1040", False),
        ("b/", False),
        ("", False),
        (None, False),
        ([104], False),
    ],
)
def test_a_directory_that_no_other_job_may_have(path: Any, is_own: bool) -> None:
    """It contains the id of this job as a whole number, or the service chose it, for this job or another."""
    shown = {"checkpoint_path": path}
    for raw in ({"job_config": shown}, {"job_config": {"checkpoint_path": None}, **shown}):
        job = FlinkJob(104, "a", "flink_jar_job", "job_init", raw=raw)
        assert own_directory(job) == (path if is_own else None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "name", "value"),
    [
        (100, "future_setting", "x"),
        (100, "rt_param", {"a": 1}),
        (101, "future_setting", 7),
        (101, "operator_config", '{"a": 1}'),
        (100, "checkpoint_path", "obs-test/state/mine"),
        (100, "checkpoint_path", "obs-test/jobs/checkpoint/999_other"),
        (101, "checkpoint_path", "obs://state/job_101/"),
        (101, "checkpoint_path", "obs-test/jobs/checkpoint/999_other"),
    ],
)
def test_what_cannot_be_carried_is_named(
    emulator: Emulator,
    number: int,
    name: str,
    value: object,
) -> None:
    """Whatever a comparison calls a difference afterwards; also if nothing else changes."""
    emulator.state.jobs[number].job_config["checkpoint_path"] = None
    promote([number])
    emulator.state.jobs[number].job_config[name] = value
    (planned,) = promote([number], plan_only=True)
    (done,) = promote([number])
    assert planned["not_carried"] == done["not_carried"] == [name]
    (there,) = production(emulator).values()
    assert there.job_config.get(name) != value


def test_a_plan_names_what_a_creation_would_not_carry(emulator: Emulator) -> None:
    """As the promotion names it afterwards, for every job."""
    emulator.state.jobs[100].job_config["future_setting"] = "x"
    emulator.state.jobs[101].job_config |= {
        "operator_config": '{"a": 1}',
        "checkpoint_path": "obs://state/job_101/",
    }
    job_ids = list(emulator.state.jobs)
    planned = promote(job_ids, plan_only=True)
    done = promote(job_ids)
    assert [each["not_carried"] for each in planned] == [each["not_carried"] for each in done]
    assert planned[0]["not_carried"] == ["future_setting"]
    assert sorted(planned[1]["not_carried"]) == ["checkpoint_path", "operator_config"]
    assert not any(each["not_carried"] for each in planned[2:])


def test_two_jobs_of_one_name_are_refused(emulator: Emulator) -> None:
    """Before anything is changed; both are named."""
    emulator.state.jobs[101].name = emulator.state.jobs[100].name
    with pytest.raises(DliFailException, match=r"100 and 101 are both called .*Nothing was changed"):
        promote([100, 101])
    assert not production(emulator)
