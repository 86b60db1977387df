"""The service's clock, measured from its responses on both paths and applied where this client decides by time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from typing import Any

import pytest

from airflow_provider_dli.client import flink, iam
from airflow_provider_dli.client.call import Reply, Request
from airflow_provider_dli.client.errors import DliClientError
from airflow_provider_dli.client.exchange import request_flow, utc_now
from airflow_provider_dli.client.iam import password_token
from airflow_provider_dli.client.obs.client import make_client
from airflow_provider_dli.client.obs.objects import find_object, find_object_flow
from airflow_provider_dli.client.replies import ServiceClock, local, offset_in
from tests.client.skewed_server import PLACE, SLACK, SkewedServer


@pytest.fixture
def skewed() -> Iterator[SkewedServer]:
    with SkewedServer() as server:
        yield server


@pytest.mark.parametrize("ahead", [-600.0, -5.0, 600.0])
def test_a_clock_that_differs_is_measured(drive: Any, account_at: Any, skewed: SkewedServer, ahead: float) -> None:
    """For DLI and OBS alike, by both drivers and by boto3."""
    skewed.ahead = ahead
    account = account_at(skewed.url)
    assert account.dli_clock.offset is None
    drive(request_flow(flink.list_jobs({}), account))
    assert account.dli_clock.offset == pytest.approx(ahead, abs=SLACK if abs(ahead) > SLACK else 3)
    assert account.obs_clock.offset is None
    assert drive(find_object_flow(PLACE, account, utc_now))
    assert account.obs_clock.offset == pytest.approx(ahead, abs=SLACK if abs(ahead) > SLACK else 3)
    assert account.obs_clock.time() == pytest.approx(time.time() + ahead, abs=2 * SLACK)


def test_boto3_measures_too(account_at: Any, skewed: SkewedServer) -> None:
    """On the path of tasks."""
    skewed.ahead = 600.0
    account = account_at(skewed.url)
    assert find_object(make_client(account, lambda: account.credentials), PLACE)
    assert account.obs_clock.offset == pytest.approx(600, abs=SLACK)


def test_equal_clocks_have_no_offset(drive: Any, account_at: Any, skewed: SkewedServer) -> None:
    """Whole seconds and a response in progress make no difference."""
    account = account_at(skewed.url)
    for _ in range(3):
        drive(request_flow(flink.list_jobs({}), account))
    assert account.dli_clock.offset == 0.0


@pytest.mark.parametrize(
    "headers",
    [
        {"Date": "yesterday"},
        {"Age": "300"},
        {"Date": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"Content-Type": "text/html; charset=utf-8"},
    ],
    ids=str,
)
def test_without_a_valid_date_of_the_service_nothing_is_measured(
    drive: Any, account_at: Any, skewed: SkewedServer, headers: dict[str, str]
) -> None:
    """A date that cannot be read, from a cache, absurd, or of an HTML page."""
    skewed.ahead, skewed.headers = 600.0, headers
    if "Date" in headers:
        # http.server sends its own date first: of two that differ, neither is known to be right.
        skewed.ahead = 10 * 86400.0
    account = account_at(skewed.url)
    drive(request_flow(flink.list_jobs({}), account))
    assert account.dli_clock.offset is None


def response(date: float, sent: float, received: float, status: int = 200, **headers: str) -> Reply:
    return Reply(status, {"date": formatdate(date, usegmt=True), **headers}, b"", sent, received)


def test_a_slow_response_does_not_hide_what_a_quick_one_showed() -> None:
    """A date may be written at any moment between the request and the response."""
    clock = ServiceClock()
    clock.observe(response(1_000_010, 1_000_000.0, 1_000_000.1))
    assert clock.offset == pytest.approx(10.45, abs=0.1)
    clock.observe(response(1_000_070, 1_000_000.0, 1_000_060.0))
    assert clock.offset == pytest.approx(10.45, abs=0.1)
    clock.observe(response(1_000_100, 1_000_100.0, 1_000_100.1))
    assert clock.offset == 0.0


@pytest.mark.parametrize("status", [302, 407, 502, 503, 504])
def test_a_gateway_has_another_clock(status: int) -> None:
    """It, and not the service, has written the response."""
    assert offset_in(response(1_000_600, 1_000_000.0, 1_000_000.1, status)) is None


def test_a_clock_that_is_set_during_a_request_measures_nothing() -> None:
    """The response would have come long before the request."""
    assert offset_in(response(1_000_600, 1_000_000.0, 999_000.0)) is None
    assert offset_in(Reply(200, {"date": formatdate(1_000_600)}, b"")) is None


def test_the_end_of_a_token_is_by_the_clock_of_iam(skewed: SkewedServer, drive: Any) -> None:
    """A worker that is behind does not keep it for too long, nor does one that is ahead renew it each time."""
    moments = [datetime.now(UTC)]
    for ahead in (3000.0, -3000.0, 4000.0):
        skewed.ahead, skewed.tokens = ahead, 0
        user = iam.User("somebody", "secret", "account")
        credentials = password_token(skewed.url, user, iam.Scope("p", "cn-north-4"))
        request = Request("GET", skewed.url, ())
        for later, tokens in ((0, 1), (40, 1), (58, 2)):
            moments[0] = datetime.now(UTC) + timedelta(minutes=later)
            drive(credentials.authenticate(request, lambda: moments[0]))
            assert skewed.tokens == tokens, (ahead, later)


def test_a_time_is_local_where_nothing_was_measured() -> None:
    """It is taken as it is."""
    there = datetime(2026, 1, 15, tzinfo=UTC)
    assert local(there, Reply(200, {}, b"")) == there
    assert ServiceClock().time() == pytest.approx(time.time(), abs=SLACK)


def test_a_refusal_shows_the_clock_too(account_at: Any) -> None:
    """A date in an error of the service is the service's."""
    account = account_at("http://127.0.0.1:1")
    flow = request_flow(flink.list_jobs({}), account)
    next(flow)
    body = b'{"error_code": "APIGW.0303", "error_msg": "signature expired"}'
    with pytest.raises(DliClientError, match="clock"):
        flow.send(Reply(401, {"date": formatdate(1_001_000, usegmt=True)}, body, 1_000_000.0, 1_000_000.1))
    assert account.dli_clock.offset == pytest.approx(1000.45)
