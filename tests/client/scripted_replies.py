"""Run a flow with replies from a script: no server, no driver, no clock but the given one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_provider_dli.client.call import Pause, Reply, Request
from airflow_provider_dli.client.credentials import AccessKey
from airflow_provider_dli.client.errors import DliClientError
from airflow_provider_dli.client.exchange import Account, Project, RetryPolicy

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


def scripted_account(retry: RetryPolicy, credentials: Any = None, **others: Any) -> Account:
    """Return an account whose hosts nothing is sent to.

    :param credentials: an access key, if there are none
    :param others: further fields
    """
    key = credentials or AccessKey("AK", "SK")
    return Account(
        region="r-1",
        project=Project("p", "r-1", "http://iam", key),
        credentials=key,
        endpoint="http://dli",
        obs_endpoint="http://obs",
        iam_endpoint="http://iam",
        retry=retry,
        **others,
    )


def noon() -> datetime:
    """Return the time: it is always noon."""
    return NOON


@dataclass
class FlowResult:
    """The outcome of a flow.

    :param result: what it returned; None if it raised
    :param error: what it raised, if it did
    :param requests: the requests that it sent
    :param pauses: how long it waited, in seconds
    """

    result: Any = None
    error: Any = None
    requests: list[Request] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)


def answer(status: int = 200, body: object = None, **headers: str) -> Reply:
    """Make a reply; underscores of header names stand for hyphens.

    :param status: HTTP status
    :param body: bytes as they are, anything else as JSON
    """
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


def run_flow(flow: Any, *answers: Reply | DliClientError) -> FlowResult:
    """Drive a flow; every reply must be requested, and none beyond them.

    :param flow: the generator
    :param answers: in order; an error is thrown into it, as a driver does that had no response
    """
    flow_result = FlowResult()
    left: Sequence[Reply | DliClientError] = answers
    given: Reply | DliClientError | None = None
    try:
        while True:
            step = flow.throw(given) if isinstance(given, DliClientError) else flow.send(given)
            if isinstance(step, Pause):
                flow_result.pauses.append(step.seconds)
                given = None
                continue
            flow_result.requests.append(step)
            assert left, f"one request too many: {step!r}"
            given, left = left[0], left[1:]
    except StopIteration as stop:
        flow_result.result = stop.value
    except DliClientError as error:
        flow_result.error = error
    assert not left, f"not requested: {left!r}"
    return flow_result
