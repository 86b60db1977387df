"""The whole flow: clocks that differ, credentials that are renewed, log lines."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

import pytest

from airflow_provider_dli.client import flink, iam
from airflow_provider_dli.client.call import Clock, Request
from airflow_provider_dli.client.credentials import AccessKey
from airflow_provider_dli.client.errors import (
    ADVICE,
    AuthenticationError,
    ConfigurationError,
    NotSentError,
    RefusedError,
)
from airflow_provider_dli.client.exchange import Account, Project, RetryPolicy, request_flow
from airflow_provider_dli.client.iam import password_token
from tests.client.scripted_replies import FlowResult, answer, noon, run_flow

DONE = answer(200, {"is_success": "true", "message": "done"})
CLOCK = {"error_code": "APIGW.0303", "error_msg": "Incorrect app authentication information"}
OURS = " This machine's clock shows 2026-01-15 12:00:00 UTC"
REFUSED = {"error_code": "APIGW.0301", "error_msg": "Incorrect IAM authentication information"}


class CountingCredentials:
    """Credentials that authenticate with a number, which grows with every renewal."""

    identity = "somebody"

    def __init__(self, *, renewable: bool) -> None:
        self.number = 1
        self.renewable = renewable
        self.invalidated: list[Request] = []

    def authenticate(self, request: Request, clock: Any) -> Any:
        """Add the number."""
        del clock
        yield from ()
        return replace(request, headers=(*request.headers, ("X-Number", str(self.number))))

    def keys(self, clock: Any) -> Any:
        """Raise: no test here needs keys."""
        raise AssertionError(f"keys requested at {clock}")

    def invalidate(self, refused: Request) -> bool:
        """Count on; return whether they can be renewed."""
        self.invalidated.append(refused)
        self.number += 1
        return self.renewable


def account_of(credentials: Any, project_id: str | None = "p") -> Account:
    """Make an account."""
    project = Project(project_id, "r-1", "https://iam", credentials)
    return Account("r-1", project, credentials, "https://dli", "https://obs", "https://iam")


def send(
    call: Any, *answers: Any, credentials: Any = None, policy: RetryPolicy | None = None, clock: Clock = noon
) -> FlowResult:
    """Run the flow, by default at noon."""
    account = account_of(credentials or AccessKey("AK", "SK"))
    return run_flow(request_flow(call, replace(account, retry=policy or account.retry), clock), *answers)


@pytest.mark.parametrize(
    ("date", "shown"),
    [
        (
            "Thu, 15 Jan 2026 11:40:00 GMT",
            f"{OURS}, the service's 2026-01-15 11:40:00 UTC: 1200 s ahead.",
        ),
        (
            "Thu, 15 Jan 2026 12:20:00 GMT",
            f"{OURS}, the service's 2026-01-15 12:20:00 UTC: 1200 s behind.",
        ),
        (
            "Thu, 15 Jan 2026 11:40:00 -0000",
            f"{OURS}, the service's 2026-01-15 11:40:00 UTC: 1200 s ahead.",
        ),
        (
            "Thu, 15 Jan 2026 20:20:00 +0800",
            f"{OURS}, the service's 2026-01-15 12:20:00 UTC: 1200 s behind.",
        ),
        ("yesterday", ""),
        ("Thu, 15 Jan 2026 11:40:00 +99999999999999999999", ""),
        ("Fri, 31 Dec 9999 23:59:59 -0500", ""),
        (None, ""),
    ],
)
def test_two_clocks_are_shown(date: str | None, shown: str) -> None:
    """Where a signature is refused for its time, if the response has a date."""
    headers = {"date": date} if date else {}
    error = send(flink.delete_job(1), answer(401, CLOCK, **headers)).error
    assert isinstance(error, AuthenticationError)
    assert error.advice == ADVICE["APIGW.0303"] + shown


def test_our_clock_is_shown_in_utc_too() -> None:
    """Whatever time zone it is in."""
    shanghai = noon().astimezone(timezone(timedelta(hours=8)))
    refused = answer(401, CLOCK, date="Thu, 15 Jan 2026 11:40:00 GMT")
    error = send(flink.delete_job(1), refused, clock=lambda: shanghai).error
    assert f"{OURS}, the service's 2026-01-15 11:40:00 UTC: 1200 s ahead." in error.advice


@pytest.mark.parametrize(("status", "body"), [(401, REFUSED), (400, CLOCK)])
def test_clocks_are_shown_for_nothing_else(status: int, body: dict[str, str]) -> None:
    """Another refusal has nothing to do with the time."""
    error = send(flink.delete_job(1), answer(status, body, date="Thu, 15 Jan 2026 11:40:00 GMT")).error
    assert isinstance(error, AuthenticationError | RefusedError)
    assert "clock shows" not in error.advice


def test_a_call_is_reauthenticated_once(caplog: pytest.LogCaptureFixture) -> None:
    """The refused credentials are invalidated, the call is sent again with new ones at once and logged."""
    renewed = CountingCredentials(renewable=True)
    with caplog.at_level(logging.INFO):
        flow = send(flink.delete_job(1), answer(401, REFUSED), DONE, credentials=renewed)
    assert flow.result.message == "done"
    assert flow.pauses == []
    assert [dict(request.headers)["X-Number"] for request in flow.requests] == ["1", "2"]
    assert renewed.invalidated == [flow.requests[0]]
    record, _ = caplog.records
    assert record.getMessage().startswith("DeleteFlinkJob: HTTP 401 APIGW.0301: Incorrect IAM")
    assert record.getMessage().endswith(" Authenticating again once.")


def test_a_call_is_not_reauthenticated_twice() -> None:
    """Five refusals lock a key."""
    renewed = CountingCredentials(renewable=True)
    flow = send(flink.delete_job(1), answer(401, REFUSED), answer(401, REFUSED), credentials=renewed)
    assert isinstance(flow.error, AuthenticationError)
    assert len(renewed.invalidated) == 1


def test_credentials_that_cannot_be_renewed() -> None:
    """They are invalidated, and the call is not sent again."""
    renewed = CountingCredentials(renewable=False)
    flow = send(flink.delete_job(1), answer(401, REFUSED), credentials=renewed)
    assert isinstance(flow.error, AuthenticationError)
    assert len(renewed.invalidated) == 1


def test_other_refusals_invalidate_no_credentials() -> None:
    """A 403 means that the credentials are valid but lack permissions."""
    renewed = CountingCredentials(renewable=True)
    assert send(flink.delete_job(1), answer(403, REFUSED), credentials=renewed).error.status == 403
    assert renewed.invalidated == []


def test_waits_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """With the error, the pause and the number of the attempt to come."""
    policy = RetryPolicy(chance=lambda: 1.0)
    down = NotSentError("DeleteFlinkJob", "dli", "refused")
    with caplog.at_level(logging.WARNING):
        flow = send(flink.delete_job(1), down, answer(429, {}, retry_after="7"), DONE, policy=policy)
    assert flow.pauses == [1.0, 7.0]
    first, second = (record.getMessage() for record in caplog.records)
    assert first == f"{down} Retrying in 1.0 s (attempt 2)."
    assert second.endswith(" Retrying in 7.0 s (attempt 3).")


def test_the_retry_policy_is_that_of_the_account() -> None:
    """The default, and one without any retry."""
    assert send(flink.delete_job(1), answer(429), policy=RetryPolicy(budget=0)).error.status == 429
    assert send(flink.delete_job(1), answer(429, {}, retry_after="0"), DONE).result.message == "done"


TOKEN = {"token": {"expires_at": "2026-01-16T12:00:00Z"}}
PROJECTS = {"projects": [{"id": "p", "name": "r-1"}]}


def test_a_token_refused_at_the_project_lookup_is_invalidated() -> None:
    """The next call gets a new one, and goes on to its end."""
    credentials = password_token("https://iam", iam.User("ann", "pass-word", "acme"), iam.Scope(None, "r-1"))
    account = account_of(credentials, project_id=None)
    first = run_flow(
        request_flow(flink.delete_job(1), account, noon),
        answer(201, TOKEN, x_subject_token="t1"),
        answer(401, REFUSED),
    )
    assert isinstance(first.error, AuthenticationError)
    second = run_flow(
        request_flow(flink.delete_job(1), account, noon),
        answer(201, TOKEN, x_subject_token="t2"),
        answer(200, PROJECTS),
        DONE,
    )
    assert second.result.message == "done"
    assert [dict(request.headers).get("X-Auth-Token") for request in second.requests] == [None, "t2", "t2"]


def test_the_project_is_looked_up_at_the_time_of_the_given_clock() -> None:
    """Like everything else that is signed in the flow."""
    flow = run_flow(
        request_flow(flink.delete_job(1), account_of(AccessKey("AK", "SK"), None), noon),
        answer(200, PROJECTS),
        DONE,
    )
    assert [dict(request.headers)["X-Sdk-Date"] for request in flow.requests] == ["20260115T120000Z"] * 2


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (flink.list_jobs({"name": "a\ud800"}), "name"),
        (flink.list_jobs({"tags": "\udc00=b"}), "tags"),
        (replace(flink.show_job(1), path_params={"job_id": "\ud800"}), "job_id"),
        (flink.create_sql_job("a\ud800"), "name"),
        (flink.create_sql_job("a", sql_body="select '\ud83d'"), "sql_body"),
        (replace(flink.delete_jobs([1]), body={"a": [1, {"b": ["\ud800"]}]}), "b"),
        (replace(flink.delete_jobs([1]), body={"a": {"\ud800": 1}}), "a name in a"),
        (replace(flink.delete_jobs([1]), body={"\ud800": 1}), "a name in the body"),
    ],
    ids=lambda each: getattr(each, "operation", None),
)
def test_half_a_character_is_refused_before_anything_is_sent(call: Any, field: str) -> None:
    """No UTF-8 can write it, so it can be neither signed nor sent; the field is named."""
    flow = send(call)
    assert isinstance(flow.error, ConfigurationError)
    assert str(flow.error) == f"{field}: is not valid Unicode; give a string that is"
    assert flow.requests == []
