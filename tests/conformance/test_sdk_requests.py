"""What our client sends is what Huawei Cloud's own client sends for the same inputs, for every operation."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import pytest
from huaweicloudsdkcore.exceptions.exceptions import (  # type: ignore[import-untyped]  # it has no types
    ClientRequestException,
)

from airflow_provider_dli.client.credentials import AccessKey
from airflow_provider_dli.client.errors import ServiceError
from airflow_provider_dli.client.exchange import Account, Project, request_flow
from airflow_provider_dli.client.transport.sync import SyncTransport
from dli_emulator import Emulator
from official_sdk import sdk_client
from tests.conformance.conftest import SEED, THOROUGH, Count
from tests.conformance.inputs import DEFAULTS, Inputs, draw, our_call, sdk_method, sdk_request
from tests.operations import ENDPOINTS, OPERATIONS

# "to_dict() is deprecated", of the SDK itself
pytestmark = pytest.mark.filterwarnings("ignore:.* is deprecated:DeprecationWarning")
EACH = 100 if THOROUGH else 5
Sent = tuple[str, str, list[tuple[str, str]], Any]


@pytest.fixture
def senders(dli_emulator: Emulator) -> Iterator[dict[str, Callable[[Inputs], Sent]]]:
    """Return for each client a function that sends inputs and returns what arrived."""
    key = AccessKey(dli_emulator.access_key, dli_emulator.secret_key)
    project = Project(dli_emulator.project_id, dli_emulator.region, dli_emulator.iam, key)
    account = Account(
        dli_emulator.region, project, key, dli_emulator.dli, dli_emulator.obs, iam_endpoint=dli_emulator.iam
    )
    theirs = sdk_client(dli_emulator)
    with closing(SyncTransport()) as transport:

        def ours_sends(given: Inputs) -> Sent:
            with suppress(ServiceError):
                transport.run(request_flow(our_call(given), account))
            return arrived(dli_emulator)

        def theirs_sends(given: Inputs) -> Sent:
            with suppress(ClientRequestException):
                getattr(theirs, sdk_method(given.operation))(sdk_request(given))
            return arrived(dli_emulator)

        yield {"ours": ours_sends, "theirs": theirs_sends}


def arrived(emulator: Emulator) -> Sent:
    """Return method, path, query and body of the only request that arrived, with a valid signature."""
    (entry,) = emulator.requests
    emulator.state.log.clear()
    assert entry.status in (200, 400), entry
    return entry.method, entry.path, sorted(entry.query), json.loads(entry.body) if entry.body else None


def with_defaults(given: Inputs, sent: Sent) -> Sent:
    """Add to what the official client sent what ours is known to send of itself."""
    method, path, query, body = sent
    more = DEFAULTS.get(given.operation, {})
    if body is None:
        there = dict(query)
        return method, path, sorted({**more, **there}.items()), body
    if "job_id" in more:
        more = {"job_id": given.path["job_id"]}
    return method, path, query, {**more, **body}


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS)
def test_both_clients_send_the_same(
    operation: str, senders: dict[str, Callable[[Inputs], Sent]], count_differences: Count
) -> None:
    """Method, path, query and body as JSON, over a socket; but for defaults that ours names."""
    chance = random.Random(f"{SEED} {operation}")
    drawn = [draw(operation, chance) for _ in range(EACH)]
    different = []
    for given in drawn:
        ours, theirs = senders["ours"](given), senders["theirs"](given)
        if ours != with_defaults(given, theirs):
            different.append((ours, theirs))
    count_differences("requests differ, ours from the Python SDK's", len(drawn), len(different))
    assert different == []
    if THOROUGH:
        (endpoint,) = (each for each in ENDPOINTS if each["operation"] == operation)
        fields = {each["name"] for each in [*endpoint["query"], *(endpoint["body"] or [])]}
        assert {name for given in drawn for name in {**given.query, **(given.body or {})}} == fields
