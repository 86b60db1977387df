"""A response is about its subject, or it is none: another job, a status that no table has, rows without ids."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.call import Reply
from airflow_provider_dli.client.errors import UnexpectedReplyError
from airflow_provider_dli.client.exchange import parse_reply
from airflow_provider_dli.client.flink.status import PHASES
from airflow_provider_dli.exceptions import DliException, DliFailException, translated

JOB = {"job_id": 5, "name": "n", "job_type": "flink_sql_job", "status": "job_running"}
TEMPLATE = {"template_id": 5, "name": "n"}


def parsed(call: Any, **body: Any) -> Any:
    return parse_reply(call, Reply(200, {}, json.dumps({"is_success": "true", **body}).encode()))


STRANGE_STATUSES: list[Any] = [
    None,
    0,
    7,
    True,
    "",
    " ",
    "running",
    "JOB_RUNNING",
    "job_running ",
    "job_brand_new",
    [],
    {},
]


@pytest.mark.parametrize("status", STRANGE_STATUSES, ids=repr)
def test_a_status_outside_the_table_is_an_error(status: object) -> None:
    """Of a detail and of a list; the message names the job and what came."""
    job = JOB | {"status": status}
    with pytest.raises(UnexpectedReplyError, match=r"status .* of job 5 is not one of job_init, ") as detail:
        parsed(flink.show_job(5), job_detail=job)
    assert str(status)[:80] in detail.value.message
    with pytest.raises(UnexpectedReplyError, match="of job 5"):
        parsed(flink.list_jobs({}), job_list={"total_count": 1, "jobs": [job]})
    with pytest.raises(UnexpectedReplyError, match="of job 5"):
        parsed(flink.show_job(5), job_detail={name: JOB[name] for name in JOB if name != "status"})


@pytest.mark.parametrize("status", PHASES)
def test_every_status_of_the_table_is_read(status: str) -> None:
    """As it is."""
    assert parsed(flink.show_job(5), job_detail=JOB | {"status": status}).status == status


@pytest.mark.parametrize("job_id", [6, "6", None, 0, -5, True, 5.0, "5.0", "", "x", [], "٥", "5" * 30], ids=repr)
def test_a_detail_of_another_job_is_unexpected(job_id: object) -> None:
    """So is one without a valid id."""
    with pytest.raises(UnexpectedReplyError, match="job_id"):
        parsed(flink.show_job(5), job_detail=JOB | {"job_id": job_id})


def test_an_id_may_be_quoted() -> None:
    """As in the manual's own examples."""
    assert parsed(flink.show_job(5), job_detail=JOB | {"job_id": "5"}).job_id == 5


LISTS: list[tuple[Any, str, str, dict[str, Any], str]] = [
    (flink.list_jobs({}), "job_list", "jobs", JOB, "job_id"),
    (flink.list_templates({}), "template_list", "templates", TEMPLATE, "template_id"),
]


@pytest.mark.parametrize(("call", "outer", "inner", "row", "name"), LISTS)
@pytest.mark.parametrize("wrong", [None, -1, "x", "", 1.5, True, "absent"], ids=repr)
def test_a_row_without_an_id_is_an_error(
    call: Any, outer: str, inner: str, row: dict[str, Any], name: str, wrong: object
) -> None:
    """It would be skipped, or be of another job."""
    rows = [
        {key: value for key, value in row.items() if key != name} if wrong == "absent" else row | {name: wrong}
    ]
    with pytest.raises(UnexpectedReplyError, match=name):
        parsed(call, **{outer: {"total_count": 1, inner: rows}})


@pytest.mark.parametrize(("call", "outer", "inner", "row", "name"), LISTS)
@pytest.mark.parametrize("count", [None, -1, "x", "", 1.5, True, [], "1e3"], ids=repr)
def test_a_count_that_is_none_is_an_error(
    call: Any, outer: str, inner: str, row: dict[str, Any], name: str, count: object
) -> None:
    """Where the list ends would be a guess."""
    del name
    with pytest.raises(UnexpectedReplyError):
        parsed(call, **{outer: {"total_count": count, inner: [row]}})


@pytest.mark.parametrize("field", ["name", "job_type"])
@pytest.mark.parametrize("wrong", [None, "", 7, []], ids=repr)
def test_what_every_job_has_is_there(field: str, wrong: object) -> None:
    """``None`` is not a name."""
    with pytest.raises(UnexpectedReplyError, match=field):
        parsed(flink.show_job(5), job_detail=JOB | {field: wrong})


@pytest.mark.parametrize(
    ("call", "body"),
    [
        (flink.update_sql_job(5, desc="d"), {"job": {"job_id": 6, "update_time": 1}}),
        (flink.update_jar_job(5, desc="d"), {"job": {"job_id": None}}),
        (flink.create_sql_job("n", sql_body="s"), {"job": {"job_id": None}}),
        (flink.create_sql_job("n", sql_body="s"), {"job": {"job_id": -1}}),
        (flink.create_jar_job("n", entrypoint="e"), {"job": {}}),
        (flink.delete_template(5), {"template": {"template_id": 6}}),
        (flink.delete_template(5), {"template": {}}),
        (flink.create_template("n"), {"template": {"template_id": "x", "name": "n"}}),
    ],
    ids=lambda each: each.operation if isinstance(each, flink.Call) else str(each),
)
def test_what_was_made_or_changed_is_what_was_meant(call: Any, body: dict[str, Any]) -> None:
    """By the id that the response repeats."""
    with pytest.raises(UnexpectedReplyError):
        parsed(call, **body)


def test_such_a_response_fails_a_task_at_once() -> None:
    """And leaves the outcome unknown."""
    with pytest.raises(DliFailException) as caught, translated():
        parsed(flink.show_job(5), job_detail=JOB | {"status": None})
    assert caught.value.outcome_unknown


NO_ARCHIVES = [
    "x.zip,obs-test/out/y.zip",
    "x.zip?a=b",
    "x.txt",
    "x",
    ".zip",
    " .zip",
    "sub/.zip",
    "%2e%2e/x.zip",
    "x%00.zip",
    "x.zip\n",
    "x.zip ",
    "a,b/x.zip",
    "x.zip/",
]


@pytest.mark.parametrize("name", NO_ARCHIVES, ids=repr)
@pytest.mark.parametrize("field", ["zip_file", "zip_files"])
def test_an_export_names_archives(name: str, field: str) -> None:
    """What lies in the directory and does not name an archive is not a valid response: its outcome is unknown."""
    with pytest.raises(DliFailException, match="zip_file") as caught, translated():
        parsed(flink.export_jobs("obs-test/out"), **{field: [f"obs-test/out/{name}"]})
    assert caught.value.outcome_unknown


@pytest.mark.parametrize("name", ["x.zip", "X.ZIP", "batch/x.zip", "a b.zip", "x.tar.zip", "\u4f5c\u4e1a.zip"])
def test_names_that_an_archive_may_have(name: str) -> None:
    """Below the directory, too."""
    called = f"obs-test/o,%?ut/{name}"
    assert parsed(flink.export_jobs("obs-test/o,%?ut"), zip_file=[called]).zip_file == (called,)


@pytest.mark.parametrize(
    ("status", "unknown"),
    [(408, True), (499, True), (303, True), (302, False), (307, False), (409, False), (404, False)],
)
def test_a_status_that_leaves_it_open_whether_the_service_acted(status: int, unknown: bool) -> None:
    """A gateway timed out, or "see other" came, which a service may send after it has acted; others refuse."""
    with pytest.raises(DliException) as caught, translated():
        parse_reply(flink.export_jobs("obs-test/out"), Reply(status, {"location": "/x"}, b"{}"))
    assert caught.value.outcome_unknown is unknown
