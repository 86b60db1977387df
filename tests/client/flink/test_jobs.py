"""Operations: what they send, and how their responses are read."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.call import Call, Reply
from airflow_provider_dli.client.errors import (
    ConfigurationError,
    UnexpectedReplyError,
)
from airflow_provider_dli.client.exchange import parse_reply
from airflow_provider_dli.client.flink.definitions import _updated

JOB = {"job_id": 146, "name": "n", "job_type": "flink_sql_job", "status": "job_init"}


def test_paths_and_methods_are_the_manuals() -> None:
    """One grep leads from the manual to the code."""
    calls: list[Call[Any]] = [flink.export_jobs("obs-test"), flink.list_jobs({}), flink.show_job(1)]
    assert [(call.operation, call.method, call.path, call.repeatable) for call in calls] == [
        ("ExportFlinkJobs", "POST", "/v1.0/{project_id}/streaming/jobs/export", False),
        ("ListFlinkJobs", "GET", "/v1.0/{project_id}/streaming/jobs", True),
        ("ShowFlinkJob", "GET", "/v1.0/{project_id}/streaming/jobs/{job_id}", True),
    ]


@pytest.mark.parametrize("ids", [[], ["1"], [True], [0], [-1], [1 << 63], [1.0], [None], [[1]], "12"])
def test_an_invalid_id_is_refused_before_anything_is_sent(ids: Any) -> None:
    """The message names the parameter."""
    with pytest.raises(ConfigurationError, match=r"^job_ids: "):
        flink.export_jobs("obs-test", ids)


@pytest.mark.parametrize("ids", [100, None, b"12", {1: 2}])
def test_a_value_that_is_not_a_list_of_ids_is_refused(ids: Any) -> None:
    """The message has the parameter and what would be right."""
    with pytest.raises(ConfigurationError, match=r"^job_ids: .* is not a list of job ids; give a list"):
        flink.run_jobs(ids)


def test_ids_are_sent_once_each_in_their_order() -> None:
    """A duplicate in a form is sent once."""
    body = flink.export_jobs("obs-test", iter([3, 1, 3, (1 << 63) - 1])).body
    assert body == {"obs_dir": "obs-test", "is_selected": True, "job_selected": [3, 1, (1 << 63) - 1]}


@pytest.mark.parametrize("job_id", [146, "146"])
@pytest.mark.parametrize("user", [{"user_name": "ann"}, {"username": "ann"}])
def test_jobs_are_read_in_both_forms(job_id: object, user: dict[str, str]) -> None:
    """Ids quoted or not, the user's name of today and of 2021, null for unset fields."""
    body = {"is_success": "true", "job_detail": {**JOB, **user, "job_id": job_id, "start_time": None}}
    job = parse_reply(flink.show_job(146), reply_of(body))
    assert (job.job_id, job.user_name, job.start_time) == (146, "ann", None)
    assert job.raw == body["job_detail"]


def test_numbers_are_read_in_both_forms() -> None:
    """Quoted or not; an optional number that cannot be read is None."""
    times = {"create_time": "1578466221525", "update_time": 1578467395713, "start_time": "0", "duration": "7"}
    job = parse_reply(flink.show_job(146), reply_of({"is_success": "true", "job_detail": {**JOB, **times}}))
    assert (job.create_time, job.update_time) == (1578466221525, 1578467395713)
    assert (job.start_time, job.duration) == (0, 7)
    odd = {"create_time": "", "update_time": "2020-01-08", "start_time": [], "duration": math.inf}
    job = parse_reply(flink.show_job(146), reply_of({"is_success": "true", "job_detail": {**JOB, **odd}}))
    assert (job.create_time, job.update_time, job.start_time, job.duration) == (None, None, None, None)


@pytest.mark.parametrize("bad", [{}, {"job_detail": None}, {"job_detail": {"name": "n"}}, {"job_detail": [JOB]}])
def test_an_invalid_job_detail_is_unexpected(bad: dict[str, Any]) -> None:
    """An error with the operation's name, not a KeyError."""
    with pytest.raises(UnexpectedReplyError, match="ShowFlinkJob: HTTP 200: the reply cannot be read"):
        parse_reply(flink.show_job(146), reply_of({"is_success": "true", **bad}))


def test_a_page_is_read() -> None:
    """total_count and jobs."""
    body = {"is_success": "true", "job_list": {"total_count": 26, "jobs": [JOB]}}
    assert parse_reply(flink.list_jobs({}), reply_of(body)) == flink.Page(26, (flink.FlinkJob(146, **NAMED),))


@pytest.mark.parametrize("jobs", [[], None])
def test_a_page_without_jobs_is_read_in_both_forms(jobs: Any) -> None:
    """An empty list, or null: which of them is written is not documented."""
    empty = {"is_success": "true", "job_list": {"total_count": 0, "jobs": jobs}}
    assert parse_reply(flink.list_jobs({}), reply_of(empty)) == flink.Page(0, ())


@pytest.mark.parametrize("given", [{}, {"jobs": {}}, {"jobs": ""}, {"jobs": 0}, {"jobs": False}])
def test_a_page_that_lacks_its_list_is_unexpected(given: dict[str, Any]) -> None:
    """A count of 0 alone is not "no job": a backup of nothing would succeed."""
    calls: dict[str, Any] = {"job_list": flink.list_jobs({}), "template_list": flink.list_templates({})}
    for name, call in calls.items():
        items = {name.replace("_list", "s"): each for each in given.values()}
        with pytest.raises(UnexpectedReplyError, match=r"(jobs|templates) should be a list of objects and is "):
            parse_reply(call, reply_of({"is_success": "true", name: {"total_count": 0, **items}}))


NAMED: dict[str, Any] = {"name": "n", "job_type": "flink_sql_job", "status": "job_init"}


def reply_of(body: dict[str, Any]) -> Reply:
    return Reply(200, {}, json.dumps(body).encode())


def test_a_change_may_come_without_its_time() -> None:
    """It was made all the same."""
    assert _updated(1, {"job": {}}).update_time is None
    assert _updated(1, {"job": {"update_time": "1606266000000"}}).update_time == 1606266000000
