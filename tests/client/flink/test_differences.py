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
