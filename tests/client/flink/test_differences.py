"""How two jobs differ, setting by setting."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_dli.client.flink.jobs import FlinkJob
from airflow_provider_dli.client.flink.settings import Difference, differences, settings_of


def job(status: str, raw: dict[str, Any]) -> FlinkJob:
    """Make a job as the detail shows it."""
    return FlinkJob(job_id=1, name="n", job_type="flink_sql_job", status=status, raw=raw)


def differ(source: dict[str, Any], restored: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Compare two jobs as the service shows them."""
    found = differences(job("job_init", raw=source), job("job_finish", raw=restored))
    assert all(isinstance(each, Difference) for each in found)
    return [(each.field, each.source, each.restored) for each in found]


def test_differences_are_sorted_by_dotted_names() -> None:
    """At the top, in the settings, in the resources; also what only one of the two jobs has."""
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
def test_fields_of_the_job_itself_are_not_compared(name: str) -> None:
    """Ids, people, times and state, at the top and in the settings."""
    assert differ({name: 1, "job_config": {name: 1}}, {name: 2, "job_config": {name: 2}}) == []


@pytest.mark.parametrize("nothing", [None, "", [], {}])
def test_missing_null_and_empty_are_equal(nothing: object) -> None:
    """In both directions."""
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
def test_equivalent_values_are_equal(one: object, other: object) -> None:
    """Checkpoint modes, and JSON in strings."""
    assert differ({"x": one}, {"x": other}) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [("exactly_once", 2), ('{"a": 1}', '{"a": 2}'), ("{broken", "{broken "), ("1", "1 "), ("a", "A"), (0, None)],
)
def test_similar_values_differ(one: object, other: object) -> None:
    """Other values, strings that are not JSON objects, zero and None."""
    assert differ({"x": one}, {"x": other}) == [("x", one, other)]


def test_a_job_config_of_another_type_is_compared_as_a_whole() -> None:
    """With each setting of one that is."""
    assert differ({"job_config": "a"}, {"job_config": {"b": 1}}) == [
        ("job_config", "a", None),
        ("job_config.b", None, 1),
    ]


def typed(job_type: str, **raw: Any) -> FlinkJob:
    return FlinkJob(1, "a", job_type, "job_init", raw=raw)


def test_the_settings_of_a_jar_job_are_its_own() -> None:
    """And those of a SQL job its own."""
    given = {"entrypoint": "a.jar", "sql_body": "select 1", "parallel_number": 2}
    assert settings_of(typed("flink_jar_job", job_config=given)) == {
        "entrypoint": "a.jar",
        "parallel_number": 2,
    }
    assert settings_of(typed("flink_sql_job", job_config=given)) == {
        "sql_body": "select 1",
        "parallel_number": 2,
    }


def test_what_follows_a_job_s_own_setting_is_compared() -> None:
    """The owner differs by nature and is not compared; the settings before and after it are."""
    one, other = (typed("flink_sql_job", user_name=name, parallel_number=at) for at, name in enumerate("ab"))
    assert [each.field for each in differences(one, other)] == ["parallel_number"]


SPECS = {name: {"cpu": 1.0, "memory": "4G"} for name in ("jobmanager_resource_spec", "taskmanager_resource_spec")}
#: as a JAR job came back that had none of it
FILLED_IN: dict[str, Any] = {
    "checkpoint_enabled": False,
    "checkpoint_interval": 30,
    "checkpoint_mode": "exactly_once",
    "manager_cu_number": 1,
    "parallel_number": 1,
    "tm_cus": 1,
    "tm_slot_num": 1,
    "resume_max_num": -1,
    "resource_config_version": "v1",
    "resource_config": {"max_slot": 1, "parallel_number": 1, **SPECS},
}


@pytest.mark.parametrize(
    "nothing", [{}, dict.fromkeys(FILLED_IN), {"resource_config": {}}, {"resource_config": ""}]
)
def test_what_the_service_fills_in_equals_nothing(nothing: dict[str, Any]) -> None:
    """In both directions, whole and in part."""
    assert differ({"job_config": FILLED_IN}, {"job_config": nothing}) == []
    assert differ({"job_config": nothing}, {"job_config": FILLED_IN}) == []
    part = {**FILLED_IN, "resource_config": {"max_slot": 1}}
    assert differ({"job_config": part}, {"job_config": nothing}) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("checkpoint_enabled", True),
        ("checkpoint_interval", 60),
        ("checkpoint_mode", "at_least_once"),
        ("tm_cus", 2),
        ("resume_max_num", 5),
        ("resource_config_version", "v2"),
        ("resource_config.max_slot", 4),
        ("resource_config.jobmanager_resource_spec.memory", "8G"),
        ("resource_config.taskmanager_resource_spec.cpu", 2),
    ],
)
def test_what_a_user_set_differs_from_nothing_and_from_the_default(name: str, value: object) -> None:
    """In both directions."""
    given: Any = value
    for part in reversed(name.split(".")):
        given = {part: given}
    for other in ({}, FILLED_IN):
        found = differ({"job_config": given}, {"job_config": other})
        assert (f"job_config.{name}", value) in [each[:2] for each in found]
        found = differ({"job_config": other}, {"job_config": given})
        assert (f"job_config.{name}", value) in [(each[0], each[2]) for each in found]


def test_two_defaults_of_one_setting_differ() -> None:
    """A user may have set the one of the manual where the service fills in another."""
    assert differ({"job_config": {"checkpoint_interval": 10}}, {"job_config": {"checkpoint_interval": 30}}) == [
        ("job_config.checkpoint_interval", 10, 30)
    ]


@pytest.mark.parametrize(
    ("source", "restored", "is_same"),
    [
        ("b/jobs/checkpoint/1", "b/jobs/checkpoint/2_x", True),
        ("b/jobs/checkpoint/1", None, True),
        ("obs://b/jobs/checkpoint/1_x/", "", True),
        ("b/jobs/checkpoint/1", "c/jobs/checkpoint/2", True),
        ("b/jobs/checkpoint/1", "b/", True),
        ("b", "b/jobs/checkpoint/2", True),
        ("b/jobs/checkpoint/1", "c/", False),
        (None, "b/", False),
        (None, "b/own", False),
        ("b/own", "b/jobs/checkpoint/2", False),
        ("b/jobs/checkpoint/1", "b/jobs/checkpoint/1", False),
        ("b/jobs/checkpoint/3", None, False),
    ],
)
def test_the_checkpoint_directory_that_the_service_chose_is_not_compared(
    source: str | None, restored: str | None, is_same: bool
) -> None:
    """It chose one where none was given, or the bucket alone; one that a user gave is a difference."""
    jobs = [
        FlinkJob(job_id, "n", "flink_jar_job", "job_init", raw={"job_config": {"checkpoint_path": path}})
        for job_id, path in ((1, source), (2, restored))
    ]
    for one, other in (jobs, jobs[::-1]):
        found = [each.field for each in differences(one, other)]
        assert found == ([] if is_same else ["job_config.checkpoint_path"])


def test_resources_that_the_service_filled_in_are_not_given_to_another_job() -> None:
    """Only jobs of v2 may be given any; what differs from the defaults was given by somebody."""
    assert "resource_config" not in settings_of(typed("flink_jar_job", job_config=FILLED_IN))
    for given in ({"resource_config_version": "v2"}, {"resource_config": {"max_slot": 4}}):
        job = typed("flink_jar_job", job_config={**FILLED_IN, **given})
        assert settings_of(job)["resource_config"] == {**FILLED_IN, **given}["resource_config"]
