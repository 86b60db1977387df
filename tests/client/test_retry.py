"""When a call is retried, after how long, and what is logged: the flow alone, step by step."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.call import Pause, Reply, Request
from airflow_provider_dli.client.credentials import AccessKey
from airflow_provider_dli.client.errors import (
    AuthenticationError,
    DliClientError,
    NoResponseError,
    NotSentError,
    ResponseLostError,
    ThrottledError,
    UnavailableError,
)
from airflow_provider_dli.client.exchange import Account, Project, RetryPolicy, request_flow
from tests.client.scripted_replies import scripted_account

EXPORT = flink.export_jobs("obs-test")
IMPORT = flink.import_jobs("obs-test/a.zip", is_cover=True)
LIST = flink.list_jobs({}, limit=1)
EXPORTED = Reply(200, {}, b'{"is_success": "true", "zip_file": ["obs-test/a.zip"]}')
LISTED = Reply(200, {}, b'{"is_success": "true", "job_list": {"total_count": 0, "jobs": []}}')
SUCCESS = {EXPORT.operation: EXPORTED, LIST.operation: LISTED}

Step = Reply | NoResponseError


def refusal(status: int, code: str, **headers: str) -> Reply:
    """Make a reply of the gateway."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, named, json.dumps({"error_code": code, "error_msg": "No."}).encode())


def lost() -> ResponseLostError:
    """Make the error for a response that did not come."""
    return ResponseLostError("x", "h", "timeout")


def unsent() -> NotSentError:
    """Make the error for a host that cannot be reached."""
    return NotSentError("x", "h", "refused")


@dataclass
class Stage:
    """A service that plays its replies in turn, on a clock that only waits move."""

    steps: list[Step]
    seconds_each: float = 0.0
    now: datetime = datetime(2026, 1, 15, 8, 30, 45, tzinfo=UTC)
    pauses: list[float] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def clock(self) -> datetime:
        return self.now

    def play(
        self,
        call: Any,
        budget: float = 120.0,
        chance: Callable[[], float] = lambda: 1.0,
        credentials: Any = None,
    ) -> Any:
        """Run the flow; return its result or raise what it raises."""
        account = scripted_account(RetryPolicy(budget=budget, chance=chance), credentials)
        flow = request_flow(call, account, self.clock)
        try:
            step = next(flow)
            while True:
                step = self._pass(flow, step)
        except StopIteration as stop:
            return stop.value

    def _pass(self, flow: Any, step: Request | Pause) -> Any:
        if isinstance(step, Pause):
            self.pauses.append(step.seconds)
            self.now += timedelta(seconds=step.seconds)
            return flow.send(None)
        self.requests.append(step)
        self.now += timedelta(seconds=self.seconds_each)
        answer = self.steps.pop(0)
        if isinstance(answer, Exception):
            return flow.throw(answer)
        return flow.send(answer)


@pytest.mark.parametrize("call", [EXPORT, LIST], ids=lambda call: call.operation)
@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "0"}, 1.0),
        ({"retry_after": "3600"}, 60.0),
        ({"retry_after": "Thu, 15 Jan 2026 08:31:00 GMT", "date": "Thu, 15 Jan 2026 08:30:48 GMT"}, 12.0),
        ({"retry_after": "Thu, 15 Jan 2026 08:00:00 GMT", "date": "Thu, 15 Jan 2026 08:30:48 GMT"}, 1.0),
        ({"retry_after": "Thu, 15 Jan 2026 08:31:00 GMT"}, 1.0),
        ({"retry_after": "soon"}, 1.0),
        ({"retry_after": "-5"}, 1.0),
        ({}, 1.0),
    ],
    ids=str,
)
def test_throttled_calls_wait_for_retry_after(call: Any, headers: dict[str, str], pause: float) -> None:
    """Seconds or a date, at most a minute, and no less than without it; an invalid value is ignored."""
    stage = Stage([refusal(429, "APIGW.0308", **headers), SUCCESS[call.operation]])
    stage.play(call)
    assert stage.pauses == [pause]


def test_pauses_double_up_to_half_a_minute_and_are_drawn_from_the_whole_range() -> None:
    """Full jitter: a part of what each may last."""
    longest = Stage([*(unsent() for _ in range(7)), EXPORTED])
    longest.play(EXPORT, budget=1000)
    assert longest.pauses == [1, 2, 4, 8, 16, 30, 30]
    drawn = iter([0.5, 0.0, 0.25])
    jittered = Stage([*(unsent() for _ in range(3)), EXPORTED])
    jittered.play(EXPORT, chance=lambda: next(drawn))
    assert jittered.pauses == [0.5, 0.0, 1.0]


@pytest.mark.parametrize("trouble", [unsent(), refusal(429, "APIGW.0308")], ids=["unsent", "throttled"])
def test_requests_that_never_took_effect_are_always_retried(trouble: Step) -> None:
    """An export too."""
    stage = Stage([trouble, trouble, EXPORTED])
    assert stage.play(EXPORT).zip_file == ("obs-test/a.zip",)
    assert len(stage.requests) == 3


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [(lost(), ResponseLostError), (refusal(503, "APIGW.0613"), UnavailableError)],
    ids=["lost", "unavailable"],
)
def test_requests_that_may_have_taken_effect_are_retried_only_if_repeatable(
    trouble: Step, kind: type[DliClientError]
) -> None:
    """A list twice, an export never."""
    reading = Stage([trouble, LISTED])
    reading.play(LIST)
    assert len(reading.requests) == 2
    exporting = Stage([trouble])
    with pytest.raises(kind):
        exporting.play(EXPORT)
    assert len(exporting.requests) == 1


class FailingToken:
    """Credentials whose token cannot be fetched when it is due."""

    def __init__(self, due: list[bool]) -> None:
        self.due = due

    def authenticate(self, request: Request, clock: Any) -> Any:
        del clock
        yield from ()
        if self.due.pop(0):
            raise lost()
        return request


@pytest.mark.parametrize(
    ("call", "due", "steps", "acted"),
    [
        (EXPORT, [True, True], [], False),
        (EXPORT, [False], [lost()], True),
        (EXPORT, [False, False], [unsent(), unsent()], False),
        (IMPORT, [False, True], [lost()], True),
        (IMPORT, [False, True], [refusal(429, "APIGW.0308")], False),
        (IMPORT, [False, False], [lost(), refusal(400, "DLI.0001")], True),
    ],
)
def test_whether_a_request_may_have_acted_depends_on_the_attempts_that_were_sent(
    call: Any, due: list[bool], steps: list[Step], acted: bool
) -> None:
    """Not on what comes before one, such as a token that cannot be fetched."""
    stage = Stage(steps)
    with pytest.raises(DliClientError) as caught:
        stage.play(call, credentials=FailingToken(due), budget=2.0)
    assert caught.value.may_have_acted is acted


@pytest.mark.parametrize("call", [EXPORT, LIST], ids=lambda call: call.operation)
@pytest.mark.parametrize("code", ["APIGW.0301", "APIGW.0303", "APIGW.0307"])
def test_a_401_with_access_keys_is_never_repeated(call: Any, code: str) -> None:
    """More than five failures lock the key."""
    stage = Stage([refusal(401, code)])
    with pytest.raises(AuthenticationError, match=code):
        stage.play(call)
    assert len(stage.requests) == 1


def test_every_attempt_has_its_own_signature() -> None:
    """With the time of its own sending."""
    stage = Stage([unsent(), LISTED])
    stage.play(LIST)
    first, second = (dict(request.headers) for request in stage.requests)
    assert first["X-Sdk-Date"] == "20260115T083045Z"
    assert second["X-Sdk-Date"] == "20260115T083046Z"
    assert first["Authorization"] != second["Authorization"]


def test_one_budget_holds_for_all_waits_and_attempts_of_a_call() -> None:
    """A wait that would end after it is not begun; time spent in requests counts."""
    stage = Stage([lost() for _ in range(9)], seconds_each=3.0)
    with pytest.raises(ResponseLostError):
        stage.play(LIST, budget=20)
    assert stage.pauses == [1, 2, 4]
    assert len(stage.requests) == 4


def test_nothing_is_retried_without_a_budget() -> None:
    """Not even what surely did not happen."""
    stage = Stage([refusal(429, "APIGW.0308", retry_after="0")])
    with pytest.raises(ThrottledError):
        stage.play(LIST, budget=0)
    assert stage.pauses == []


def test_each_wait_is_logged_once_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    """And the attempt that comes next."""
    stage = Stage([refusal(429, "APIGW.0308", retry_after="2"), unsent(), EXPORTED])
    with caplog.at_level(logging.INFO):
        stage.play(EXPORT)
    *messages, success = [record.getMessage() for record in caplog.records]
    assert success.startswith("ExportFlinkJobs: HTTP 200 (request id ")
    assert len(messages) == 2
    assert "APIGW.0308" in messages[0]
    assert messages[0].endswith("Retrying in 2.0 s (attempt 2).")
    assert "could not reach h: refused" in messages[1]
    assert messages[1].endswith("Retrying in 2.0 s (attempt 3).")


@pytest.mark.parametrize("requested", ["0", "-5", "Thu, 15 Jan 1970 12:00:00 GMT", "now", "", "0.0001", "00"])
@pytest.mark.parametrize("call", [LIST, EXPORT], ids=["list", "export"])
def test_a_service_that_wants_no_pause_is_not_flooded(requested: str, call: Any) -> None:
    """Whatever pause it requests, each time: pauses grow as without it."""
    date = "Thu, 15 Jan 2026 12:00:00 GMT"
    times = [datetime(2026, 1, 15, tzinfo=UTC)]
    key = AccessKey("AK", "SK")
    account = Account("r-1", Project("p", "r-1", "http://h", key), key, "http://h", "http://h", "http://h")
    policy = RetryPolicy(budget=120.0, chance=lambda: 0.5)
    flow = request_flow(call, replace(account, retry=policy), lambda: times[0])
    throttled = refusal(429, "APIGW.0308", retry_after=requested, date=date)

    def passes(pause: Pause) -> None:
        times[0] += timedelta(seconds=pause.seconds)

    assert requests_of(flow, throttled, passes) < 15


def requests_of(flow: Any, reply: Reply, passes: Callable[[Pause], None]) -> int:
    """Count the requests of a flow in which each gets the same response, up to a thousand."""
    requests, step = 0, next(flow)
    with suppress(DliClientError):
        while requests < 1000:
            requests += isinstance(step, Request)
            if isinstance(step, Pause):
                passes(step)
            step = flow.send(None if isinstance(step, Pause) else reply)
    return requests


def test_a_clock_that_stands_ends_nothing_late() -> None:
    """The number of attempts is bounded, too."""
    now = datetime(2026, 1, 15, tzinfo=UTC)
    key = AccessKey("AK", "SK")
    account = Account("r-1", Project("p", "r-1", "http://h", key), key, "http://h", "http://h", "http://h")
    flow = request_flow(LIST, account, lambda: now)
    assert requests_of(flow, refusal(503, "x"), lambda _: None) == 130
