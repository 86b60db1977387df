"""The job list and the job's details: every filter and limit of the manual's pages."""

from __future__ import annotations

from typing import Any

import pytest

from api_client import ApiClient
from dli_emulator.flink_job import FlinkJob, sample_jobs

BRIEF = {
    "job_id", "name", "desc", "job_type", "status", "status_desc", "create_time", "start_time", "queue_name",
    "graph_editor_enabled", "has_savepoint", "edge_group_ids", "restart_times", "savepoint_path",
    "user_name", "duration", "root_id",
}  # fmt: skip
DETAIL = (BRIEF - {"user_name", "duration", "root_id"}) | {
    "user_id", "project_id", "sql_body", "run_mode", "job_config", "main_class", "entrypoint_args",
    "execution_graph", "update_time",
}  # fmt: skip


def expected(**fields: Any) -> list[int]:
    """Return the sample jobs that have these values, newest first."""
    jobs = [job for job in sample_jobs(26, "p") if all(getattr(job, k) == v for k, v in fields.items())]
    return [job.job_id for job in reversed(jobs)]


def test_the_samples_are_varied_and_always_the_same() -> None:
    """Each type but edge, each status, several queues and users, unicode; equal from call to call."""
    jobs = sample_jobs(26, "p")
    assert jobs == sample_jobs(26, "p")
    assert [job.job_id for job in jobs] == list(range(100, 126))
    assert len({job.name for job in jobs}) == 26
    assert {job.job_type for job in jobs} == {"flink_sql_job", "flink_opensource_sql_job", "flink_jar_job"}
    assert len({job.status for job in jobs}) == 14
    assert len({job.queue_name for job in jobs}) == 3
    assert len({job.user_name for job in jobs}) == 3
    assert any(not job.name.isascii() for job in jobs)
    assert all(len(job.name) <= 57 for job in jobs)


def test_without_filters_ten_of_all_newest_first(api: ApiClient) -> None:
    """The manual's defaults; the total counts all pages; unset fields are null."""
    reply = api.jobs()
    assert reply.status == 200
    assert reply.body["is_success"] == "true"
    assert reply.body["job_list"]["total_count"] == 26
    jobs = reply.body["job_list"]["jobs"]
    assert [job["job_id"] for job in jobs] == list(range(125, 115, -1))
    assert all(set(job) == BRIEF for job in jobs)
    assert jobs[0]["savepoint_path"] is None


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"job_type": "flink_jar_job"}, {"job_type": "flink_jar_job"}),
        ({"status": "job_running"}, {"status": "job_running"}),
        ({"queue_name": "flink_prod"}, {"queue_name": "flink_prod"}),
        ({"user_name": "li.na"}, {"user_name": "li.na"}),
        ({"sys_enterprise_project_name": "migration"}, {"enterprise_project": "migration"}),
        ({"job_type": "flink_sql_job", "user_name": "svc-airflow"}, {"job_type": "flink_sql_job"}),
        ({"status": "job_downloading", "queue_name": "none"}, {"status": "none"}),
    ],
)
def test_each_filter(api: ApiClient, query: dict[str, str], fields: dict[str, str]) -> None:
    """Those that fit, all of them, newest first; the total is theirs. Several filters must all hold."""
    reply = api.jobs(limit=100, **query).body["job_list"]
    assert [job["job_id"] for job in reply["jobs"]] == expected(**fields)
    assert reply["total_count"] == len(expected(**fields))


def test_filter_by_name_takes_any_part_of_it(api: ApiClient) -> None:
    """Unicode included. That it is not the whole name is the emulator's own choice."""
    assert api.ids(name="订单") == [121, 112, 103]
    assert api.ids(name="orders_to_dws_00") == [100]
    assert api.ids(name="(retry)") == [117, 108]


def test_filter_by_tags_wants_all_of_them(api: ApiClient) -> None:
    """One or several pairs of key and value."""
    assert api.ids(tags="team=risk") == [123, 120, 117, 114, 111, 108, 105, 102]
    assert api.ids(tags="team=risk,tier=gold") == [120, 108]
    assert api.ids(tags="team=nobody") == []


def test_children_of_an_edge_job_are_hidden_unless_requested(api: ApiClient) -> None:
    """They show with ``root_job_id`` only."""
    edge = api.emulator.state.add_job(name="edge", job_type="flink_sql_edge_job")
    child = api.emulator.state.add_job(name="child", job_type="flink_sql_edge_job", root_id=edge.job_id)
    assert edge.job_id in api.ids()
    assert child.job_id not in api.ids(limit=100)
    assert api.ids(root_job_id=edge.job_id) == [child.job_id]


def test_order_limit_and_offset_walk_through_all_jobs(api: ApiClient) -> None:
    """Pages of seven, oldest first: each job once, then an empty page. A limit of 0 shows none."""
    pages = [api.ids(order="asc", limit=7, offset=offset) for offset in range(0, 35, 7)]
    assert [len(page) for page in pages] == [7, 7, 7, 5, 0]
    assert [job_id for page in pages for job_id in page] == list(range(100, 126))
    assert api.ids(order="desc", limit=2) == [125, 124]
    assert api.jobs(limit=0).body["job_list"] == {"total_count": 26, "jobs": []}


def test_show_detail_shows_other_fields(api: ApiClient) -> None:
    """As in the table of the manual's page; the details are those of the single job."""
    jobs = api.jobs(show_detail=True).body["job_list"]["jobs"]
    assert all(set(job) == DETAIL for job in jobs)
    assert set(api.jobs(show_detail=False).body["job_list"]["jobs"][0]) == BRIEF
    assert api.show(125).body["job_detail"] == jobs[0]


@pytest.mark.parametrize(
    ("query", "code", "expected"),
    [
        ({"offset": -1}, "DLI.23001", "offset"),
        ({"offset": "x"}, "DLI.0001", "offset"),
        ({"limit": -1}, "DLI.0001", "limit"),
        ({"limit": 101}, "DLI.0001", "limit"),
        ({"limit": "ten"}, "DLI.0001", "limit"),
        ({"order": "up"}, "DLI.0001", "order"),
        ({"job_type": "spark"}, "DLI.0001", "job_type"),
        ({"status": "job_running,job_idle"}, "DLI.0001", "status"),
        ({"show_detail": "True"}, "DLI.0001", "show_detail"),
        ({"name": "x" * 58}, "DLI.0001", "name"),
        ({"tags": "team"}, "DLI.0001", "tags"),
        ({"root_job_id": "x"}, "DLI.0001", "root_job_id"),
    ],
)
def test_values_outside_the_limits_are_refused(
    api: ApiClient, query: dict[str, Any], code: str, expected: str
) -> None:
    """HTTP 400 with the service's code and the parameter's name."""
    reply = api.jobs(**query)
    assert reply.error == (400, code)
    assert expected in reply.body["error_msg"]


def test_the_longest_name_and_highest_limit_pass(api: ApiClient) -> None:
    """57 characters, 100 jobs."""
    assert api.jobs(name="x" * 57).status == 200
    assert len(api.ids(limit=100)) == 26


def test_a_job_shows_its_settings_and_the_defaults(api: ApiClient) -> None:
    """Every setting of the manual's table is there, null where it was not set."""
    job = api.show(101).body["job_detail"]
    assert job["job_type"] == "flink_jar_job"
    assert job["job_config"]["entrypoint"] == "obs://flink-jars/job_1.jar"
    assert job["job_config"]["checkpoint_interval"] == 10
    assert job["job_config"]["smn_topic"] is None
    assert len(job["job_config"]) == 39


@pytest.mark.parametrize("job_id", [1, "x", "-100", "1e2", "²"])
def test_a_job_that_is_not_there_is_a_bad_request(api: ApiClient, job_id: object) -> None:
    """HTTP 400 with DLI.16001, not 404."""
    assert api.show(job_id).error == (400, "DLI.16001")


@pytest.mark.slow
def test_jobs_of_ones_own(made: Any) -> None:
    """An emulator can be given its jobs; they are copied, so that a reset brings them back."""
    mine = FlinkJob(7, "mine", tags={"a": "b"})
    ours = made(jobs=[mine])
    assert ours.ids() == [7]
    ours.emulator.state.jobs[7].tags["a"] = "c"
    ours.emulator.state.jobs[7].status = "job_running"
    assert ours.ids(status="job_running") == [7]
    ours.emulator.reset()
    assert ours.ids(status="job_running") == []
    assert ours.ids(tags="a=b") == [7]
    assert made(jobs=0).emulator.state.add_job(name="first").job_id == 100


def test_more_jobs_than_a_page_holds(made: Any) -> None:
    """As many as are wanted."""
    many = made(jobs=250)
    assert many.jobs().body["job_list"]["total_count"] == 250
    assert len(many.ids(limit=100, offset=200)) == 50
