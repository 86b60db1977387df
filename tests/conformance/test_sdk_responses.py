"""What the official client's models read from a response, our client reads too, value for value."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest
from huaweicloudsdkcore.exceptions.exceptions import (  # type: ignore[import-untyped]  # it has no types
    ServiceResponseException,
)

from airflow_provider_dli.client.call import Reply
from airflow_provider_dli.client.errors import ServiceError
from airflow_provider_dli.client.exchange import parse_reply
from api_client import ApiClient
from dli_emulator import Emulator
from official_sdk import sdk_client
from tests.client.flink.test_operations import plain
from tests.conformance.conftest import SEED, THOROUGH, Count
from tests.conformance.inputs import draw, sdk_method, sdk_request
from tests.conformance.responses import refusal, varied
from tests.conformance.test_sdk_operations import REQUESTS, payload
from tests.operations import OPERATIONS, call_about, golden, make_call

# "to_dict() is deprecated", of the SDK itself
pytestmark = pytest.mark.filterwarnings("ignore:.* is deprecated:DeprecationWarning")
EACH = 60 if THOROUGH else 4


def same(ours: Any, theirs: Any) -> bool:
    """Return whether the official client's response has what ours has, by the same names.

    Known deviations: where the official client has None, ours has the empty value of a field that is never None;
    where it has -1 for "none" (the id of what was not imported, the end of what runs still) ours has None.
    """
    if isinstance(ours, dict):
        return isinstance(theirs, dict) and all(same(value, theirs.get(name)) for name, value in ours.items())
    if isinstance(ours, list):
        theirs = theirs or []
        return len(ours) == len(theirs) and all(same(mine, each) for mine, each in zip(ours, theirs, strict=True))
    if theirs is None:
        return not ours
    return bool(ours == theirs) or (ours is None and theirs == -1)


def comparable(operation: str, theirs: Any) -> Any:
    """Bring the official client's response into the shape of ours, where ours reads more out of it."""
    response = payload(operation, theirs)
    match operation:
        case "ExecuteFlinkJobSavepoint":  # ours reads the envelope within the message
            return {"message": json.loads(response["message"])["message"]}
        case "CreateFlinkSqlJobGraph":  # ours reads the JSON text
            return {**response, "stream_graph": json.loads(response["stream_graph"])}
    return response


def recorded(operation: str, api: ApiClient) -> list[Any]:
    """Return the responses that are varied: the manual's example, and the emulator's."""
    response = json.loads(REQUESTS[operation](api).raw_content)
    api.emulator.reset()
    return [golden(operation)["ok"]["body"], response]


def in_official_form(operation: str, body: Any) -> Any:
    """Write a batch as an array: the one object of before 2023 is nothing that the official client reads."""
    is_batch = operation in ("BatchRunFlinkJobs", "BatchStopFlinkJobs", "BatchDeleteFlinkJobs")
    return [body] if is_batch and isinstance(body, dict) else body


def sdk_response(emulator: Emulator, operation: str, status: int, body: Any) -> Any:
    """Return what the official client reads from a response, over a socket."""
    emulator.fault(operation, "reply", status=status, body=body)
    request = sdk_request(draw(operation, random.Random(SEED)))
    return getattr(sdk_client(emulator), sdk_method(operation))(request)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [({"a": 1}, {"a": 2}), ({"a": 1}, {}), ([1], [1, 2]), ({"a": [None]}, {"a": [5]}), (["x"], None), ("", "x")],
)
def test_differences_are_detected(ours: Any, theirs: Any) -> None:
    """Otherwise the tests below would be worthless."""
    assert not same(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS)
def test_both_clients_read_the_same(operation: str, api: ApiClient, count_differences: Count) -> None:
    """Out of the same bytes: nulls, missing and new fields, large numbers, any string, each form of success."""
    chance = random.Random(f"{SEED} {operation}")
    bases = recorded(operation, api)
    different = []
    for _ in range(EACH):
        body = in_official_form(operation, varied(copy.deepcopy(chance.choice(bases)), chance))
        theirs = sdk_response(api.emulator, operation, 200, body)
        ours = plain(parse_reply(call_about(operation, body), Reply(200, {}, theirs.raw_content)))
        if not same(ours, comparable(operation, theirs.to_dict())):
            different.append((body, ours))
    count_differences("responses are read otherwise than by the Python SDK", EACH, len(different))
    assert different == []


@pytest.mark.parametrize("operation", OPERATIONS)
def test_both_clients_read_the_same_refusal(operation: str, api: ApiClient, count_differences: Count) -> None:
    """Status, code, words and request id."""
    chance = random.Random(f"{SEED} no {operation}")
    different = []
    for _ in range(EACH // 4):
        status, body = refusal(chance)
        with pytest.raises(ServiceResponseException) as caught:
            sdk_response(api.emulator, operation, status, body)
        theirs = caught.value
        reply = Reply(status, {"x-request-id": theirs.request_id}, json.dumps(body).encode())
        with pytest.raises(ServiceError) as mine:
            parse_reply(make_call(golden(operation)), reply)
        ours = mine.value
        known = (theirs.status_code, theirs.error_code, theirs.error_msg, theirs.request_id)
        if known != (ours.status, ours.code, ours.message, ours.request_id):
            different.append((known, ours))
    count_differences("refusals are read otherwise than by the Python SDK", EACH // 4, len(different))
    assert different == []
