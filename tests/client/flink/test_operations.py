"""Every operation of the manual: its request, how its success is parsed, and how its refusal."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, get_type_hints

import pytest

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.call import Reply
from airflow_provider_dli.client.errors import ConfigurationError, ServiceError
from airflow_provider_dli.client.exchange import build_request, parse_reply
from airflow_provider_dli.client.flink import settings
from tests.operations import ENDPOINTS, OPERATIONS, golden, make_call

PROJECT = "48cc2c48765f481480c7db940d6409d1"
ENDPOINT = "https://dli.example.com"


def plain(value: Any) -> Any:
    """Write a result as JSON has it, without what came raw."""
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value) if field.name != "raw"]
        return {name: plain(getattr(value, name)) for name in names}
    return [plain(item) for item in value] if isinstance(value, (tuple, list)) else value


def test_all_operations_of_the_manual_are_listed() -> None:
    """The pages of Flink jobs; operations that only the official SDK has may be added."""
    assert len(OPERATIONS) == len(set(OPERATIONS))
    assert len([endpoint for endpoint in ENDPOINTS if endpoint["doc_id"] != "(SDK)"]) == 20


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_request_is_the_manuals(operation: str) -> None:
    """Method, path, query and body, byte for byte where it is signed."""
    case = golden(operation)
    call = make_call(case)
    request = build_request(call, ENDPOINT, PROJECT)
    assert call.operation == operation
    assert (request.method, request.url) == (case["request"]["method"], ENDPOINT + case["request"]["target"])
    assert json.loads(request.body or b"null") == case["request"]["body"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_success_is_parsed(operation: str) -> None:
    """The example of the manual's page."""
    case = golden(operation)
    reply = Reply(case["ok"]["status"], {}, json.dumps(case["ok"]["body"]).encode())
    assert plain(parse_reply(make_call(case), reply)) == case["ok"]["result"]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("truth", [True, "true", "True"])
def test_success_is_read_in_every_edition(operation: str, truth: Any) -> None:
    """``is_success`` as boolean and as string, the array of a batch of any length, and one object for it."""
    case = golden(operation)
    body = case["ok"]["body"]
    forms = [body] if isinstance(body, dict) else [body, body[:1], body * 2, body[0]]
    for form in forms:
        body_sent = (
            {**form, "is_success": truth} if isinstance(form, dict) else [{**e, "is_success": truth} for e in form]
        )
        reply = Reply(200, {}, json.dumps(body_sent).encode())
        assert plain(parse_reply(make_call(case), reply)) == case["ok"]["result"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_refusal_is_read(operation: str) -> None:
    """With class, code and words."""
    case = golden(operation)
    reply = Reply(case["refused"]["status"], {}, json.dumps(case["refused"]["body"]).encode())
    with pytest.raises(ServiceError) as caught:
        parse_reply(make_call(case), reply)
    found = {"class": type(caught.value).__name__, "code": caught.value.code, "message": caught.value.message}
    assert found == case["refused"]["error"]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("no", [False, "false", "False", None, "", 0])
def test_without_is_success_true_a_reply_is_an_error(operation: str, no: Any) -> None:
    """With HTTP 200 and the rest valid; in a batch, one such entry is enough."""
    case = golden(operation)
    body = case["ok"]["body"]
    body_sent = {**body, "is_success": no} if isinstance(body, dict) else [*body, {**body[0], "is_success": no}]
    with pytest.raises(ServiceError):
        parse_reply(make_call(case), Reply(200, {}, json.dumps(body_sent).encode()))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_only_the_manuals_fields_are_sent(operation: str) -> None:
    """And those that it wants are always there."""
    (endpoint,) = (each for each in ENDPOINTS if each["operation"] == operation)
    known = {field["name"]: field for field in endpoint["body"] or []}
    sent = set(make_call(golden(operation)).body or {})
    assert sent <= set(known)
    assert {name for name, field in known.items() if field["required"]} <= sent


@pytest.mark.parametrize(
    ("kind", "operation", "own"),
    [
        (settings.NewSqlJob, "CreateFlinkSqlJob", {"name"}),
        (settings.SqlJobChanges, "UpdateFlinkSqlJob", set()),
        (settings.NewJarJob, "CreateFlinkJarJob", {"name"}),
        (settings.JarJobChanges, "UpdateFlinkJarJob", set()),
    ],
)
def test_every_setting_of_the_manual_can_be_given(kind: type[Any], operation: str, own: set[str]) -> None:
    """The typed dictionary has the fields of the page, none more, none less."""
    (endpoint,) = (each for each in ENDPOINTS if each["operation"] == operation)
    assert set(get_type_hints(kind)) | own == {field["name"] for field in endpoint["body"]}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"cu_numbr": 2}, "cu_numbr"),
        ({"cu_number": "2"}, "cu_number"),
        ({"cu_number": True}, "cu_number"),
        ({"log_enabled": 1}, "log_enabled"),
        ({"checkpoint_mode": 3}, "checkpoint_mode"),
        ({"checkpoint_mode": True}, "checkpoint_mode"),
        ({"checkpoint_mode": "twice"}, "checkpoint_mode"),
        ({"tags": ["a"]}, "tags"),
        ({"edge_group_ids": "a"}, "edge_group_ids"),
        ({"sql_body": "x" * (1024 * 1024 + 1)}, "sql_body"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(given: dict[str, Any], field: str) -> None:
    """Before anything is sent, with what would be right."""
    with pytest.raises(ConfigurationError) as caught:
        flink.create_sql_job("job", **given)
    assert caught.value.field == field


@pytest.mark.parametrize("name", ["", "  ", "x" * 58, None, 3])
def test_a_wrong_name_is_refused(name: Any) -> None:
    """The manual allows 57 characters."""
    with pytest.raises(ConfigurationError, match=r"^name: "):
        flink.create_jar_job(name)
    with pytest.raises(ConfigurationError, match=r"^name: "):
        flink.update_sql_job(1, name=name if name is not None else "")


def test_a_setting_that_is_none_is_omitted() -> None:
    """As if it had not been given."""
    given: Any = {"desc": None, "queue_name": "q"}
    assert flink.create_sql_job("job", **given).body == {"name": "job", "queue_name": "q"}


@pytest.mark.parametrize("path", ["obs-test/a/b", "obs-test/a/b/", "obs://obs-test/a/b", "obs://obs-test/a/b/"])
def test_savepoints_are_written_in_opposite_ways(path: str) -> None:
    """Without a scheme for the one call, with it for the other, whichever is given."""
    assert flink.trigger_savepoint(1, path).body == {"action": "TRIGGER", "savepoint_path": "obs-test/a/b/"}
    assert flink.import_savepoint(1, path).body == {"job_id": 1, "savepoint_path": "obs://obs-test/a/b"}


def test_a_savepoint_without_a_place_leaves_it_to_the_service() -> None:
    """The field is mandatory by the manual, and clients in use omit it."""
    assert flink.trigger_savepoint(1).body == {"action": "TRIGGER"}


def test_a_whole_bucket_is_refused_as_an_archive() -> None:
    """A directory is."""
    assert flink.import_jobs("obs://bucket/dir/").body == {"zip_file": "bucket/dir", "is_cover": False}
    with pytest.raises(ConfigurationError, match=r"^zip_file: .*whole bucket"):
        flink.import_jobs("bucket")


def test_an_import_with_is_cover_may_be_repeated() -> None:
    """It puts the same settings into the same jobs; without it a second request would conflict with the first."""
    assert flink.import_jobs("bucket/a.zip", is_cover=True).repeatable
    assert not flink.import_jobs("bucket/a.zip").repeatable


def test_an_import_of_nothing_is_an_error() -> None:
    """And the name of 2020 is read too."""
    call = flink.import_jobs("bucket/a.zip")
    with pytest.raises(ServiceError, match="job_mapping should name at least one job"):
        parse_reply(call, Reply(200, {}, b'{"is_success": "true", "job_mapping": []}'))
    old = b'{"is_success": true, "jobs_mapping": [{"old_job_id": 1, "new_job_id": "-1", "remark": null}]}'
    assert parse_reply(call, Reply(200, {}, old)).job_mapping == (flink.JobMapping(1, None, ""),)


def test_a_job_gives_the_settings_for_another_like_it() -> None:
    """Without the fields of one job only, and with the checkpoint mode as DLI expects it."""
    shown = golden("ShowFlinkJob")
    job = parse_reply(make_call(shown), Reply(200, {}, json.dumps(shown["ok"]["body"]).encode()))
    assert flink.settings_of(job) == {
        "checkpoint_enabled": False,
        "checkpoint_mode": 1,
        "checkpoint_interval": 10,
        "cu_number": 2,
        "parallel_number": 1,
        "restart_when_exception": False,
        "main_class": "org.apache.spark.examples.streaming.JavaQueueStream",
    }
