"""Calls that run at the same time while DLI throttles: in virtual time, with the flow that is sent in earnest."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.call import Pause, Reply
from airflow_provider_dli.client.errors import ThrottledError
from airflow_provider_dli.client.exchange import Account, RateLimiter, RetryPolicy, request_flow
from tests.client.scripted_replies import scripted_account

SECONDS = 0.5
EXPORT = flink.export_jobs("bucket/night", (1,))
SUCCESS = Reply(200, {}, b'{"is_success": true, "message": "", "zip_file": ["bucket/night/a.zip"]}')


def bucket(rate: float, burst: float) -> Callable[[float], Reply]:
    """Return a service that permits so many requests a second."""
    tokens, last = burst, 0.0

    def reply(now: float) -> Reply:
        nonlocal tokens, last
        tokens, last = min(burst, tokens + (now - last) * rate), now
        if tokens < 1:
            return throttled()
        tokens -= 1
        return SUCCESS

    return reply


def window(requests: int, seconds: float, *, retry_after: bool = False) -> Callable[[float], Reply]:
    """Return a service that permits so many requests in each period."""
    used: dict[int, int] = {}

    def reply(now: float) -> Reply:
        period = int(now // seconds)
        if used.get(period, 0) == requests:
            return throttled((period + 1) * seconds - now + 0.01 if retry_after else None)
        used[period] = used.get(period, 0) + 1
        return SUCCESS

    return reply


def outage(begins: float, ends: float) -> Callable[[float], Reply]:
    """Return a service that permits nothing for a while."""
    return lambda now: throttled() if begins <= now < ends else SUCCESS


def throttled(retry_after: float | None = None) -> Reply:
    headers = {} if retry_after is None else {"retry-after": str(int(retry_after) + 1)}
    return Reply(429, headers, b'{"error_code": "APIGW.0308", "error_msg": "The throttling threshold is reached"}')


@dataclass
class Service:
    """Replies to calls that run at the same time, in virtual time.

    :param permits: returns the reply to a request at a moment
    :param seed: of the jitter
    """

    permits: Callable[[float], Reply]
    seed: int = 0
    budget: float = 600.0
    now: float = 0.0
    requests: int = 0
    errors: list[ThrottledError] = field(default_factory=list)

    def run(self, calls: int, at_a_time: int, limiter: RateLimiter | None = None) -> Service:
        """Make calls, so many at a time; until all have ended."""
        policy = RetryPolicy(budget=self.budget, chance=random.Random(self.seed).random)
        account = scripted_account(policy, limiter=limiter or RateLimiter())
        left, order = iter(range(calls)), count()
        due: list[tuple[float, int, Any, Reply | None]] = []
        for _ in range(at_a_time):
            self._begin(due, order, account, left)
        while due:
            self.now, _, flow, value = heapq.heappop(due)
            try:
                step = flow.send(value)
            except StopIteration:
                self._begin(due, order, account, left)
                continue
            except ThrottledError as error:
                self.errors.append(error)
                self._begin(due, order, account, left)
                continue
            if isinstance(step, Pause):
                heapq.heappush(due, (self.now + step.seconds, next(order), flow, None))
                continue
            self.requests += 1
            reply = self.permits(self.now)
            seconds = SECONDS if reply is SUCCESS else 0.02
            heapq.heappush(due, (self.now + seconds, next(order), flow, reply))
        return self

    def _begin(self, due: list[Any], order: Iterator[int], account: Account, left: Iterator[int]) -> None:
        if next(left, None) is not None:
            flow = request_flow(EXPORT, account, lambda: datetime.fromtimestamp(self.now, UTC))
            heapq.heappush(due, (self.now, next(order), flow, None))


SERVICES: dict[str, Callable[[], Callable[[float], Reply]]] = {
    "1 a second": lambda: bucket(1, 1),
    "2 a second": lambda: bucket(2, 2),
    "5 a second": lambda: bucket(5, 5),
    "10 a second": lambda: bucket(10, 10),
    "1 in 5 seconds": lambda: bucket(0.2, 1),
    "10 in 10 seconds": lambda: window(10, 10),
    "10 in 10 seconds, with Retry-After": lambda: window(10, 10, retry_after=True),
    "20 a minute": lambda: window(20, 60),
    "nothing for 20 seconds": lambda: outage(1, 20),
}


@pytest.mark.parametrize("name", SERVICES)
def test_calls_at_a_time_send_few_requests_more(name: str) -> None:
    """Eight at a time send at most 20 % more requests than one after the other, and take no longer."""
    runs = [
        (Service(SERVICES[name](), seed).run(50, 1), Service(SERVICES[name](), seed).run(50, 8))
        for seed in range(20)
    ]
    assert not any(service.errors for pair in runs for service in pair)
    one, several = (sum(pair[side].requests for pair in runs) for side in (0, 1))
    assert several <= 1.2 * one
    assert sum(pair[1].now for pair in runs) <= 1.2 * sum(pair[0].now for pair in runs)


def test_without_a_429_nothing_waits() -> None:
    """Eight calls at a time take an eighth of the time."""
    service = Service(outage(0, 0)).run(48, 8)
    assert (service.requests, service.now) == (48, 6 * SECONDS)


def test_the_others_wait_for_the_one_that_was_throttled() -> None:
    """While DLI permits nothing, one call in turn finds it out, and not each of them."""
    service = Service(outage(0, 60)).run(20, 20)
    assert service.requests <= 20 + 20 + 12
    assert not service.errors


def test_a_call_waits_no_longer_than_its_budget_for_others() -> None:
    """Where DLI permits nothing for good, each call fails with its own error, in bounded time."""
    service = Service(outage(0, 1e9), budget=120).run(8, 8)
    assert len(service.errors) == 8
    assert service.now < 3 * 120 + 60


def test_a_clock_that_is_set_back_stops_nothing() -> None:
    """A wait is a minute at most, whatever the clock shows."""
    limiter, now = RateLimiter(), datetime(2026, 1, 15, tzinfo=UTC)
    policy = RetryPolicy(chance=lambda: 1.0)
    error = ThrottledError("ExportFlinkJobs", 429, None, "", None)
    assert limiter.observe(error, 0, policy, now.timestamp()) == (1.0, 0.0)
    steps = list(limiter.wait(120, lambda: now - timedelta(hours=3)))
    assert steps == [Pause(60.0)]


def test_nothing_waits_without_a_budget() -> None:
    """A connection with retry_budget=0 sends at once, and fails at once."""
    limiter = RateLimiter()
    service = Service(outage(0, 60), budget=0).run(3, 1, limiter)
    assert (service.requests, len(service.errors)) == (3, 3)
    assert service.now < 1


@pytest.mark.parametrize("at_a_time", [8, 16, 32])
def test_nothing_fails_for_the_others(at_a_time: int) -> None:
    """Where one after the other ends within its budget, so do many at a time: waits for others do not count."""
    for seed in range(10):
        one = Service(window(5, 5, retry_after=True), seed, budget=30).run(32, 1)
        several = Service(window(5, 5, retry_after=True), seed, budget=30).run(32, at_a_time)
        assert not one.errors
        assert not several.errors
