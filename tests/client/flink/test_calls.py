"""Calls beside their wire form: which are repeatable, their paths, and how their replies are read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.call import Call, Reply, Request, send
from airflow_provider_dli.client.errors import RefusedError, UnexpectedReplyError
from airflow_provider_dli.client.exchange import build_request, parse_reply
from tests.client.scripted_replies import answer, run_flow
from tests.operations import OPERATIONS, golden, make_call

#: a second request does no more than the first
REPEATABLE = {
    "CreateFlinkSqlJobGraph",
    "ImportFlinkJobSavepoint",
    "ListFlinkJobs",
    "ListFlinkSqlJobTemplates",
    "ShowFlinkJob",
    "ShowFlinkJobExecutionGraph",
    "UpdateFlinkJarJob",
    "UpdateFlinkSqlJob",
    "UpdateFlinkSqlJobTemplate",
}


def test_which_calls_are_repeatable() -> None:
    """Those that read or overwrite; never those that create, move or delete."""
    golden_import = {"ImportFlinkJobs"}  # with is_cover
    assert {name for name in OPERATIONS if make_call(golden(name)).repeatable} == REPEATABLE | golden_import
    assert flink.import_jobs("bucket/a", is_cover=True).repeatable
    assert not flink.import_jobs("bucket/a").repeatable


def result(call: Call[Any], **body: Any) -> Any:
    """Parse a success."""
    return parse_reply(call, answer(200, {"is_success": "true", **body}))


def test_a_bare_job_is_read() -> None:
    """Fields that the list omits are None."""
    bare = {"job_id": 1, "name": "n", "job_type": "t", "status": "job_init"}
    found = result(flink.show_job(1), job_detail=bare)
    full = bare | {
        "status_desc": "d", "queue_name": "q", "user_name": "u", "create_time": 5, "start_time": 6,
        "savepoint_path": "b/s", "desc": "words",
    }  # fmt: skip
    whole = result(flink.show_job(1), job_detail=full)
    shown = ("status_desc", "queue_name", "user_name", "start_time", "savepoint_path")
    assert [getattr(found, name) for name in shown] == [None] * 5
    assert [getattr(whole, name) for name in shown] == ["d", "q", "u", 6, "b/s"]


@pytest.mark.parametrize(("end", "read"), [(-1, None), (0, 0), (9, 9)])
@pytest.mark.parametrize(("stoppable", "expected"), [({"isStoppable": True}, True), ({}, False)])
def test_execution_graphs_are_read(end: int, read: int | None, stoppable: Any, expected: bool) -> None:
    """One that runs still has no end."""
    raw = {
        "jid": "j",
        "name": "n",
        "state": "RUNNING",
        "start-time": 4,
        "end-time": end,
        "duration": 5,
        **stoppable,
    }
    graph = result(flink.show_execution_graph(1), execute_graph=raw)
    assert (graph.jid, graph.name, graph.state, graph.is_stoppable) == ("j", "n", "RUNNING", expected)
    assert (graph.start_time, graph.end_time, graph.duration, graph.raw) == (4, read, 5, raw)


@pytest.mark.parametrize("graph", ['{"nodes": []}', {"nodes": []}])
def test_stream_graphs_are_read(graph: object) -> None:
    """As a string, and as an object."""
    found = result(flink.create_sql_job_graph(1, "a"), stream_graph=graph, message="ok")
    assert (found.stream_graph, found.message) == ({"nodes": []}, "ok")


@pytest.mark.parametrize("graph", [None, "[]", 7])
def test_a_stream_graph_that_is_none(graph: object) -> None:
    """The error names it."""
    with pytest.raises(UnexpectedReplyError, match="stream_graph should be a JSON object and is "):
        result(flink.create_sql_job_graph(1, "a"), stream_graph=graph)


@pytest.mark.parametrize("name", ["zip_file", "zip_files"])
@pytest.mark.parametrize("archives", ["bucket/a.zip", ["bucket/a.zip"]])
def test_archives_are_read(name: str, archives: object) -> None:
    """In both editions' names, as a list and as one string."""
    found = result(flink.export_jobs("bucket"), **{name: archives}, message="done")
    assert (found.zip_file, found.message) == (("bucket/a.zip",), "done")


@pytest.mark.parametrize("archives", [None, [], "", [""], [7]])
def test_a_success_without_an_archive_is_an_error(archives: object) -> None:
    """The error has the value."""
    with pytest.raises(UnexpectedReplyError) as raised:
        result(flink.export_jobs("bucket"), zip_file=archives)
    assert raised.value.message == (
        f"the reply cannot be read: zip_file should list at least one archive and is {archives!r}"
    )


@pytest.mark.parametrize(
    ("obs_dir", "archive"),
    [
        ("obs-test", "obs-test/aggregate_1582677879475.zip"),
        ("obs-test/night2", "obs-test/night2/a.zip"),
        ("obs-test/night2", "obs://obs-test/night2/a.zip"),
        ("obs://obs-test/night2/", "/obs-test/night2/a.zip"),
        ("obs-test/night2", "obs-test/night2/deeper/a.zip"),
    ],
)
def test_an_archive_in_the_directory_is_read(obs_dir: str, archive: str) -> None:
    """In every form that means it; given as bucket/key."""
    (found,) = result(flink.export_jobs(obs_dir), zip_file=[archive]).zip_file
    assert found == archive.removeprefix("obs://").lstrip("/")


@pytest.mark.parametrize(
    "entry",
    [
        "obs-test/night1/a.zip",
        "obs-test/a.zip",
        "obs-test/night2",
        "obs-test/night2/",
        "obs-test/night22/a.zip",
        "obs-test/NIGHT2/a.zip",
        "obs-test/night2/../night1/a.zip",
        "obs-test/./night2/a.zip",
        "obs-test/night2//a.zip",
        "obs-test//night2/a.zip",
        "obs-test/night2/ ",
        "other-bucket/night2/a.zip",
        "obs-test",
        "night2/a.zip",
        "https://obs-test.obs.example.com/night2/a.zip",
        "s3://obs-test/night2/a.zip",
        "<html><a href='obs-test/night2/a.zip'>",
        '{"error": "obs-test/night2/a.zip"}',
        "obs-test/night2/a\n.zip",
        " ",
        {"error": "no"},
        ["obs-test/night2/a.zip"],
        None,
        True,
        7,
    ],
)
@pytest.mark.parametrize("field", ["zip_file", "zip_files"])
@pytest.mark.parametrize("beside", [[], ["obs-test/night2/good.zip"]])
def test_an_archive_outside_of_the_directory_is_an_error(entry: object, field: str, beside: list[str]) -> None:
    """A response about something else is not about the request: the outcome is unknown."""
    with pytest.raises(UnexpectedReplyError, match="the reply cannot be read: zip_file"):
        result(flink.export_jobs("obs-test/night2", [100]), **{field: [*beside, entry]})


@pytest.mark.parametrize(
    "archives",
    [
        {"error": "no"},
        {},
        True,
        7,
        "<html>",
        ["obs-test/a.zip", "obs-test/a.zip"],
        ["obs-test/a.zip", "obs://obs-test/a.zip"],
    ],
)
def test_archives_of_another_shape(archives: object) -> None:
    """No list of archives, or one archive twice."""
    with pytest.raises(UnexpectedReplyError):
        result(flink.export_jobs("obs-test"), zip_file=archives)


@pytest.mark.parametrize(
    "mapping",
    [
        [{"old_job_id": 100, "new_job_id": True}],
        [{"old_job_id": 100, "new_job_id": 7.5}],
        [{"old_job_id": 100, "new_job_id": -2}],
        [{"old_job_id": 100, "new_job_id": 0}],
        [{"old_job_id": 100, "new_job_id": None}],
        [{"old_job_id": 100}],
        [{"old_job_id": -1, "new_job_id": 7}],
        [{"old_job_id": "orders", "new_job_id": 7}],
        [{"old_job_id": 100, "new_job_id": "7 "}],
        [{"old_job_id": 100, "new_job_id": 1 << 63}],
        [{"old_job_id": 100, "new_job_id": 7}, {"old_job_id": 100, "new_job_id": 8}],
        [{"old_job_id": 100, "new_job_id": 7}, {"old_job_id": 101, "new_job_id": "7"}],
        [[100, 7]],
        {"100": 7},
        "100:7",
        [None],
    ],
)
def test_a_mapping_that_is_none(mapping: object) -> None:
    """Ids that are none, or twice."""
    with pytest.raises(UnexpectedReplyError):
        result(flink.import_jobs("bucket/a.zip"), job_mapping=mapping)


def test_a_mapping_of_several_archives() -> None:
    """One job may lie in several archives of a directory; with is_cover it has one new id then."""
    mapping = [{"old_job_id": 100, "new_job_id": 7}, {"old_job_id": 100, "new_job_id": 7}]
    assert len(result(flink.import_jobs("bucket/a", is_cover=True), job_mapping=mapping).job_mapping) == 2
    with pytest.raises(UnexpectedReplyError, match="new_job_id 7 twice"):
        result(flink.import_jobs("bucket/a"), job_mapping=mapping)


@pytest.mark.parametrize("name", ["job_mapping", "jobs_mapping"])
def test_mappings_are_read(name: str) -> None:
    """In both editions' names; ids quoted or not; -1 is none; a remark that is missing is empty."""
    mapping = [{"old_job_id": "100", "new_job_id": "7", "remark": "ok"}, {"old_job_id": 101, "new_job_id": -1}]
    found = result(flink.import_jobs("bucket/a"), **{name: mapping})
    assert [(each.old_job_id, each.new_job_id, each.remark) for each in found.job_mapping] == [
        (100, 7, "ok"),
        (101, None, ""),
    ]


def test_a_success_without_a_mapping_is_an_error() -> None:
    """The error has the value."""
    with pytest.raises(UnexpectedReplyError) as raised:
        result(flink.import_jobs("bucket/a"), job_mapping=[])
    assert raised.value.message == ("the reply cannot be read: job_mapping should name at least one job and is []")


def test_templates_are_written_and_read() -> None:
    """Parameters that are None are not sent; fields that the service omits are None."""
    full = flink.create_template("n", desc="d", sql_body="s", job_type="t", tags={"k": "v"})
    assert full.body == {
        "name": "n", "desc": "d", "sql_body": "s", "job_type": "t", "tags": [{"key": "k", "value": "v"}],
    }  # fmt: skip
    assert flink.create_template("n", tags={}).body == {"name": "n"}
    assert flink.update_template(5, name="n").body == {"name": "n"}
    assert flink.update_template(5, desc="").body == {"desc": ""}
    assert flink.update_template(5).path_params == flink.delete_template(5).path_params == {"template_id": 5}
    found = result(
        full, template={"template_id": "5", "name": "n", "desc": "d", "job_type": "t", "create_time": 9}
    )
    assert (found.template_id, found.name, found.desc, found.job_type) == (5, "n", "d", "t")
    assert (found.sql_body, found.create_time, found.update_time) == (None, 9, None)
    assert result(flink.delete_template(5), template={"template_id": "5"}) == 5
    page = result(
        flink.list_templates({"name": "x"}),
        template_list={"total_count": "1", "templates": [{"template_id": 5, "name": "n", "update_time": 3}]},
    )
    assert (page.total_count, page.items[0].update_time) == (1, 3)


def test_paths_are_filled_and_encoded() -> None:
    """The project from the account, the rest from the call; the query sorted and encoded; truths in lower case."""
    call: Call[Any] = Call(
        "X", "GET", "/v1/{project_id}/{a}", dict, path_params={"a": "x y/z"},
        query={"b": ["1", "2"], "a": True, "n": 3, "s": "ä&"},
    )  # fmt: skip
    request = build_request(call, "https://h", "p/1")
    assert request.url == "https://h/v1/p%2F1/x%20y%2Fz?a=true&b=1&b=2&n=3&s=%C3%A4%26"
    assert request.headers[:3] == (("Host", "h"), ("Content-Type", "application/json"), ("X-Project-Id", "p/1"))
    assert (request.operation, request.method, request.body) == ("X", "GET", b"")
    assert (
        build_request(Call("X", "POST", "/v1", dict, body={"ä": [1, "b"]}), "https://h", "p").body
        == '{"ä":[1,"b"]}'.encode()
    )


SECRET = Request("GET", "https://h", (), secrets=('s3c"ret', "tok"))


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'a s3c"ret here', b"a *** here"),
        (json.dumps({"m": 's3c"ret'}).encode(), b'{"m": "***"}'),
        (b"tok tok", b"*** ***"),
        (b"nothing", b"nothing"),
    ],
)
def test_bodies_are_redacted(body: bytes, shown: bytes) -> None:
    """As they are and as JSON writes them, wherever they stand."""
    assert run_flow(send(SECRET), Reply(400, {"a": "b"}, body)).result == Reply(400, {"a": "b"}, shown)


def test_headers_are_redacted() -> None:
    """In every header, each of them; the others stay."""
    headers = {"location": 'https://x?t=tok&s=s3c"ret', "b": "tok", "c": "d"}
    cleaned = run_flow(send(SECRET), Reply(302, headers, b"tok")).result
    assert cleaned == Reply(302, {"location": "https://x?t=***&s=***", "b": "***", "c": "d"}, b"***")
    untouched = Reply(200, {"c": "d"}, b"x")
    assert untouched.redact(["tok"]) is untouched


def test_a_driver_that_gives_nothing() -> None:
    """It is an error at once."""
    flow = send(SECRET)
    next(flow)
    with pytest.raises(TypeError, match=r"^a driver must send the reply to a request$"):
        flow.send(None)


def test_the_time_of_where_no_clock_is_given() -> None:
    """Is aware, and now."""
    from airflow_provider_dli.client.exchange import utc_now  # noqa: PLC0415 -- only here

    assert abs((utc_now() - datetime.now(UTC)).total_seconds()) < 60


@pytest.mark.parametrize(
    ("pages", "filters", "item"),
    [
        (flink.job_pages, {"order": "asc", "name": "a"}, "job_id"),
        (flink.template_pages, {"name": "a"}, "template_id"),
    ],
)
def test_walks_request_pages_of_a_hundred(pages: Any, filters: dict[str, Any], item: str) -> None:
    """With the filters that were given, jobs oldest first."""
    walk = pages({"name": "a"})
    call = walk.next_call()
    assert call.query == {**filters, "limit": 100, "offset": 0}
    listed = [{item: number, "name": "n", "job_type": "t", "status": "job_init"} for number in (1, 2, 3)]
    lists = {
        "job_list": {"total_count": 3, "jobs": listed},
        "template_list": {"total_count": 3, "templates": listed},
    }
    found = list(walk.accept(result(call, **lists)))
    assert [getattr(each, item) for each in found] == [1, 2, 3]
    assert found[0].raw == listed[0]
    assert walk.next_call() is None


def test_the_order_of_jobs_can_be_given() -> None:
    """Newest first on request."""
    call = flink.job_pages({"order": "desc"}).next_call()
    assert call
    assert call.query["order"] == "desc"


def test_a_missing_job_is_known_by_its_code() -> None:
    """And by nothing else."""
    refused = RefusedError("ShowFlinkJob", 400, "DLI.16001", "no such job", None)
    assert flink.is_missing(refused)
    assert not flink.is_missing(RefusedError("ShowFlinkJob", 400, "DLI.0001", "wrong", None))
    assert not flink.is_missing(None)
    assert not flink.is_missing(ValueError("DLI.16001"))


def test_a_string_in_a_query_keeps_its_case() -> None:
    """Only true and false are in lower case."""
    request = build_request(flink.list_jobs({"name": "ABC", "show_detail": True}), "https://h", "p")
    assert request.url.endswith("?limit=100&name=ABC&offset=0&show_detail=true")


def test_a_change_of_a_template_has_only_the_given_fields() -> None:
    """The others keep their values."""
    assert flink.update_template(1, desc="d", sql_body="select 1").body == {"desc": "d", "sql_body": "select 1"}
    assert flink.update_template(1, desc="d").body == {"desc": "d"}
