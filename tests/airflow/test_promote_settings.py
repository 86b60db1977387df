"""Which settings a promotion carries over: both ways, in one pass, and never another job's directory."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_dli.client.flink.diff import is_own_directory
from airflow_provider_dli.exceptions import DliException, DliFailException
from dli_emulator import Emulator
from tests.airflow.test_promote import production, promote, world  # noqa: F401 -- a fixture

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


@pytest.mark.parametrize("how", ["missing", "null", "empty"])
def test_a_setting_that_was_removed_is_removed_in_the_target(world: Emulator, how: str) -> None:  # noqa: F811
    """In whichever way the service shows what is not set; afterwards nothing is to be done."""
    source = world.world.jobs[100]
    source.job_config |= SET
    source.desc = "old"
    promote([100])
    (there,) = production(world).values()
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
    assert [each["action"] for each in promote([100])] == ["same"]


def test_what_cannot_be_taken_back_is_named(world: Emulator) -> None:  # noqa: F811
    """There is no default of the manual's to send."""
    promote([100])
    (there,) = production(world).values()
    there.job_config["tm_slot_num"] = 3
    (done,) = promote([100])
    assert (done["action"], done["changed"], done["not_carried"]) == ("update", ["tm_slot_num"], ["tm_slot_num"])


def test_what_the_service_does_not_take_is_named(world: Emulator) -> None:  # noqa: F811
    """An update that succeeds and changes nothing is no proof."""
    promote([100])
    world.world.jobs[100].sql_body = "insert into b select 1"
    body = {"is_success": "true", "message": "", "job": {"update_time": 1}}
    world.fault("UpdateFlinkSqlJob", "reply", status=200, body=json.dumps(body))
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
    world: Emulator,  # noqa: F811
    replacements: dict[str, str],
    text: str,
    expected: str,
) -> None:
    """What one has put in no other replaces, in whatever order they are given; of several the longest."""
    world.world.jobs[100].sql_body = text
    promote([100], replacements=replacements)
    (there,) = production(world).values()
    assert there.sql_body == expected


def test_a_replacement_that_is_part_of_another_is_found(world: Emulator) -> None:  # noqa: F811
    """It stands in the text, though the longer one is replaced."""
    world.world.jobs[100].sql_body = "kafka-test"
    promote([100], replacements={"kafka": "k2", "kafka-test": "k1"})
    with pytest.raises(DliFailException, match=r"replacements 'no-s…' \(14 characters\)") as caught:
        promote([100], replacements={"no-such-secret": "x"})
    assert "no-such-secret" not in str(caught.value)


CONFIGS = {"operator_config": '{"a": 1}', "static_estimator_config": '{"b": 2}'}


def test_what_only_an_update_takes_follows_the_creation(world: Emulator) -> None:  # noqa: F811
    """Then nothing is left to do; a change of one is an update."""
    world.world.jobs[100].job_config |= CONFIGS
    (done,) = promote([100], replacements={": 1}": ": 7}"})
    (there,) = production(world).values()
    assert (done["action"], done["not_carried"]) == ("create", [])
    assert (there.job_config["operator_config"], there.job_config["static_estimator_config"]) == (
        '{"a": 7}',
        '{"b": 2}',
    )
    creations = [each for each in world.requests if each.operation == "CreateFlinkSqlJob"]
    assert not CONFIGS.keys() & json.loads(creations[0].body).keys()
    world.world.jobs[100].job_config["operator_config"] = '{"a": 2}'
    (done,) = promote([100])
    assert (done["action"], done["changed"]) == ("update", ["operator_config"])
    assert [each["action"] for each in promote([100])] == ["same"]
    del world.world.jobs[100].job_config["static_estimator_config"]
    (done,) = promote([100])
    assert (done["changed"], done["not_carried"]) == (["static_estimator_config"], [])
    assert not there.job_config["static_estimator_config"]


def test_what_the_service_refuses_after_the_creation_is_named(world: Emulator) -> None:  # noqa: F811
    """The job is there; of trouble that passes the task fails, and is retried."""
    world.world.jobs[100].job_config |= CONFIGS
    world.fault("UpdateFlinkSqlJob", "error", status=400, code="DLI.0001", message="unknown parameter")
    (done,) = promote([100])
    assert (done["action"], sorted(done["not_carried"])) == ("create", sorted(CONFIGS))
    world.fault("UpdateFlinkSqlJob", "error", status=503, code="DLI.0999", message="later")
    with pytest.raises(DliException) as caught:
        promote([100])
    assert not isinstance(caught.value, DliFailException)
    assert [each["action"] for each in promote([100])] == ["update"]


def test_the_directory_that_dli_filled_in_stays_with_its_job(world: Emulator) -> None:  # noqa: F811
    """SQL and JAR: production gets one of its own, and the second promotion finds nothing to do."""
    on = {"checkpoint_enabled": True, "obs_bucket": "ckpt"}
    for number in (100, 101):
        job = world.world.jobs[number]
        job.job_config |= on | {"checkpoint_path": f"ckpt/jobs/checkpoint/{number}_{job.name}"}
    first = promote([100, 101])
    assert [(each["action"], each["not_carried"]) for each in first] == [("create", []), ("create", [])]
    for job in production(world).values():
        assert job.job_config["checkpoint_path"] == f"ckpt/jobs/checkpoint/{job.job_id}"
    assert [each["action"] for each in promote([100, 101])] == ["same", "same"]
    # As an earlier edition left it: production on the directory of the test job.
    (jar,) = (job for job in production(world).values() if job.job_type == "flink_jar_job")
    jar.job_config["checkpoint_path"] = "ckpt/jobs/checkpoint/101"
    (done,) = promote([101])
    assert (done["changed"], done["not_carried"]) == (["checkpoint_path"], [])
    assert jar.job_config["checkpoint_path"] == f"ckpt/jobs/checkpoint/{jar.job_id}"


def test_a_directory_of_the_users_own_is_carried(world: Emulator) -> None:  # noqa: F811
    """With what is to be replaced in it; not one that bears the job's id."""
    world.world.jobs[101].job_config["checkpoint_path"] = "obs://test-state/orders/"
    promote([101], replacements={"test": "prod"})
    (jar,) = production(world).values()
    assert jar.job_config["checkpoint_path"] == "obs://prod-state/orders/"
    world.world.jobs[101].job_config["checkpoint_path"] = "obs://state/job_101/"
    promote([101])
    assert "101" not in str(jar.job_config["checkpoint_path"])


@pytest.mark.parametrize(
    ("path", "is_own"),
    [
        ("b/jobs/checkpoint/104", True),
        ("obs://b/jobs/checkpoint/104/", True),
        ("b/jobs/checkpoint/104_orders/x", True),
        ("b/job-104", True),
        ("b/jobs/checkpoint/1040", False),
        ("b/jobs/checkpoint/9104", False),
        ("b/v104", False),
        ("", False),
        (None, False),
    ],
)
def test_whose_directory_it_is(path: str | None, is_own: bool) -> None:
    """By the id, as a whole."""
    assert is_own_directory(path, 104) is is_own


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
    ],
)
def test_what_cannot_be_carried_is_named(
    world: Emulator,  # noqa: F811
    number: int,
    name: str,
    value: object,
) -> None:
    """Whatever a comparison calls a difference afterwards; also where nothing else is to be done."""
    world.world.jobs[number].job_config["checkpoint_path"] = None
    promote([number])
    world.world.jobs[number].job_config[name] = value
    (done,) = promote([number])
    assert done["not_carried"] == [name]
    (there,) = production(world).values()
    assert there.job_config.get(name) != value


def test_two_jobs_of_one_name_are_refused(world: Emulator) -> None:  # noqa: F811
    """Before anything is changed; both are named."""
    world.world.jobs[101].name = world.world.jobs[100].name
    with pytest.raises(DliFailException, match=r"100 and 101 are both called .*Nothing was changed"):
        promote([100, 101])
    assert not production(world)
