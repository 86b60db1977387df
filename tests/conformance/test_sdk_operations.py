"""The official client drives every operation of the emulator, and reads what ours reads, value for value."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import huaweicloudsdkdli.v1 as sdk  # type: ignore[import-untyped]  # it has no types
import pytest
from huaweicloudsdkcore.exceptions.exceptions import (  # type: ignore[import-untyped]  # likewise
    ClientRequestException,
)

from airflow_provider_dli.client.call import Reply
from airflow_provider_dli.client.errors import RefusedError
from airflow_provider_dli.client.exchange import parse_reply
from api_client import ApiClient
from official_sdk import sdk_client
from tests.client.flink.test_operations import plain
from tests.operations import OPERATIONS, call_about, golden, make_call

# "to_dict() is deprecated", of the SDK itself
pytestmark = pytest.mark.filterwarnings("ignore:.* is deprecated:DeprecationWarning")


def sdk_send(api: ApiClient, operation: str, body: dict[str, Any] | None = None, **parameters: Any) -> Any:
    """Send a request with the official client; return its response."""
    request_class = getattr(sdk, f"{operation}Request")
    if body is not None:
        parameters["body"] = getattr(sdk, request_class.openapi_types["body"])(**body)
    method = re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()
    return getattr(sdk_client(api.emulator), method)(request_class(**parameters))


def archive(api: ApiClient) -> str:
    body = {"obs_dir": api.emulator.bucket, "is_selected": True, "job_selected": [100, 101]}
    entry: str = sdk_send(api, "ExportFlinkJobs", body).zip_file[0]
    return entry


def template(api: ApiClient) -> int:
    made = sdk_send(api, "CreateFlinkSqlJobTemplate", {"name": "one", "desc": "first", "sql_body": "select 1"})
    number: int = made.template.template_id
    return number


#: the request of each operation
REQUESTS: dict[str, Callable[[ApiClient], Any]] = {
    "ExportFlinkJobs": lambda a: sdk_send(
        a, "ExportFlinkJobs", {"obs_dir": a.emulator.bucket, "is_selected": False}
    ),
    "ImportFlinkJobs": lambda a: sdk_send(a, "ImportFlinkJobs", {"zip_file": archive(a), "is_cover": True}),
    "ListFlinkJobs": lambda a: sdk_send(a, "ListFlinkJobs", limit=26, show_detail=True),
    "ShowFlinkJob": lambda a: sdk_send(a, "ShowFlinkJob", job_id=104),
    "BatchRunFlinkJobs": lambda a: sdk_send(
        a, "BatchRunFlinkJobs", {"job_ids": [100, 101], "resume_savepoint": True}
    ),
    "BatchStopFlinkJobs": lambda a: sdk_send(
        a, "BatchStopFlinkJobs", {"job_ids": [103], "trigger_savepoint": True}
    ),
    "DeleteFlinkJob": lambda a: sdk_send(a, "DeleteFlinkJob", job_id=104),
    "BatchDeleteFlinkJobs": lambda a: sdk_send(a, "BatchDeleteFlinkJobs", {"job_ids": [100, 101]}),
    "CreateFlinkSqlJob": lambda a: sdk_send(
        a, "CreateFlinkSqlJob", {"name": "n", "sql_body": "insert into a select 1", "checkpoint_mode": 2}
    ),
    "UpdateFlinkSqlJob": lambda a: sdk_send(a, "UpdateFlinkSqlJob", {"name": "n2"}, job_id=100),
    "CreateFlinkJarJob": lambda a: sdk_send(a, "CreateFlinkJarJob", {"name": "n", "main_class": "a.B"}),
    "UpdateFlinkJarJob": lambda a: sdk_send(a, "UpdateFlinkJarJob", {"name": "n2"}, job_id=104),
    "ShowFlinkJobExecutionGraph": lambda a: sdk_send(a, "ShowFlinkJobExecutionGraph", job_id=103),
    "CreateFlinkSqlJobGraph": lambda a: sdk_send(
        a, "CreateFlinkSqlJobGraph", {"sql_body": "insert into a select 1"}, job_id="100"
    ),
    "ExecuteFlinkJobSavepoint": lambda a: sdk_send(
        a, "ExecuteFlinkJobSavepoint", {"action": "TRIGGER", "savepoint_path": "obs-test/s/"}, job_id="103"
    ),
    "ImportFlinkJobSavepoint": lambda a: sdk_send(
        a, "ImportFlinkJobSavepoint", {"job_id": 100, "savepoint_path": "obs://obs-test/s"}, job_id="100"
    ),
    "CreateFlinkSqlJobTemplate": lambda a: sdk_send(a, "CreateFlinkSqlJobTemplate", {"name": "one"}),
    "UpdateFlinkSqlJobTemplate": lambda a: sdk_send(
        a, "UpdateFlinkSqlJobTemplate", {"name": "two"}, template_id=template(a)
    ),
    "DeleteFlinkSqlJobTemplate": lambda a: sdk_send(a, "DeleteFlinkSqlJobTemplate", template_id=template(a)),
    "ListFlinkSqlJobTemplates": lambda a: (template(a), sdk_send(a, "ListFlinkSqlJobTemplates"))[1],
}


def taken(theirs: Any, ours: Any) -> Any:
    """Take from the official client's response what ours has, by the same names."""
    if isinstance(ours, dict):
        return {name: taken(theirs.get(name), value) for name, value in ours.items()}
    if isinstance(ours, list):
        assert len(theirs) == len(ours)
        return [taken(each, mine) for each, mine in zip(theirs, ours, strict=True)]
    return theirs


def payload(operation: str, response: dict[str, Any]) -> Any:
    """Bring the official client's response into the shape of ours."""
    match operation:
        case "ListFlinkJobs":
            return {**response["job_list"], "items": response["job_list"]["jobs"]}
        case "ListFlinkSqlJobTemplates":
            return {**response["template_list"], "items": response["template_list"]["templates"]}
        case "DeleteFlinkSqlJobTemplate":
            return response["template"]["template_id"]
        case "BatchRunFlinkJobs" | "BatchStopFlinkJobs" | "BatchDeleteFlinkJobs":
            return response["body"][0]
    inner = ("job_detail", "job", "execute_graph", "template")
    return next((response[name] for name in inner if isinstance(response.get(name), dict)), response)


def test_it_has_them_all() -> None:
    """None is missing."""
    assert list(REQUESTS) == OPERATIONS


@pytest.mark.parametrize("operation", OPERATIONS)
def test_it_drives_the_operation_and_reads_what_we_read(operation: str, api: ApiClient) -> None:
    """Every value of our result is in its model too, out of the same bytes."""
    response = REQUESTS[operation](api)
    call = call_about(operation, json.loads(response.raw_content))
    ours = plain(parse_reply(call, Reply(200, {}, response.raw_content)))
    theirs = payload(operation, response.to_dict())
    match operation:
        case "ExecuteFlinkJobSavepoint":  # ours reads the envelope within the message
            assert ours == {"message": "api.msg.deal_savepoint_success"}
            assert "api.msg.deal_savepoint_success" in theirs["message"]
        case "CreateFlinkSqlJobGraph":  # ours reads the JSON text
            assert theirs["stream_graph"].startswith("{")
            assert ours["stream_graph"]["nodes"]
        case "ImportFlinkJobs":
            assert taken(theirs["job_mapping"], ours["job_mapping"]) == ours["job_mapping"]
        case "ShowFlinkJobExecutionGraph":  # ours has None for the end of what runs, and its own spelling
            renamed = {**theirs, "is_stoppable": theirs["is_stoppable"], "end_time": None}
            assert theirs["end_time"] == -1
            assert taken(renamed, ours) == ours
        case _:
            assert taken(theirs, ours) == ours


def test_its_false_is_true(api: ApiClient) -> None:
    """A trap: its model turns JSON false into the string ``'False'``, true in Python. Ours is an error."""
    api.emulator.state.settings.boolean_is_success = True
    api.emulator.fault("ListFlinkJobs", "is_success_false")
    response = sdk_send(api, "ListFlinkJobs")
    assert response.is_success == "False"
    assert bool(response.is_success)
    with pytest.raises(RefusedError):
        parse_reply(make_call(golden("ListFlinkJobs")), Reply(200, {}, response.raw_content))


def test_it_loses_the_code_of_a_failed_batch(api: ApiClient) -> None:
    """A trap: of the array of errors it makes code 400 and the raw text. Ours has code and words."""
    with pytest.raises(ClientRequestException) as caught:
        sdk_send(api, "BatchRunFlinkJobs", {"job_ids": [9]})
    assert caught.value.error_code == "400"
    raw = caught.value.error_msg.encode()
    with pytest.raises(RefusedError) as ours:
        parse_reply(make_call(golden("BatchRunFlinkJobs")), Reply(400, {}, raw))
    assert (ours.value.code, ours.value.message) == ("DLI.13007", "The job 9 does not exist.")


def test_it_takes_an_error_within_a_success_for_one(api: ApiClient) -> None:
    """A trap: the graph of wrong SQL is HTTP 200; only fields of the response show the error."""
    response = sdk_send(api, "CreateFlinkSqlJobGraph", {"sql_body": "select 1"}, job_id="100")
    assert (response.is_success, response.error_code) == (False, "DLI.0004")
    with pytest.raises(RefusedError, match=r"DLI\.0004"):
        parse_reply(make_call(golden("CreateFlinkSqlJobGraph")), Reply(200, {}, response.raw_content))
