"""Who gets in: signatures, clocks, lock-outs, tokens, projects."""

from __future__ import annotations

from dataclasses import replace

import pytest

from api_client import Clock, signed
from dli_emulator.gateway import identify
from dli_emulator.state import Identity, State
from dli_emulator.wire import Refusal, Request

OURS = Identity("AK", "SK")


@pytest.fixture
def state(clock: Clock) -> State:
    return State(OURS, clock=clock)


def request_at(
    clock: Clock,
    key: tuple[str, str] = ("AK", "SK"),
    scope: tuple[str, ...] | None = None,
    **headers: str,
) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {"Host": "dli.example", "X-Sdk-Date": clock.date(), **named}
    return Request("GET", "/v1", tuple(signed("GET", "/v1", sent, b"", key, scope).items()))


def refusal(state: State, request: Request, project: str | None = None, skew: float = 0.0) -> Refusal:
    with pytest.raises(Refusal) as caught:
        identify(state, request, project, skew)
    return caught.value


def test_both_forms_get_in(state: State, clock: Clock) -> None:
    """The key in its Access form, and in its Credential form with and without region and service."""
    identify(state, request_at(clock), OURS.project_id)
    identify(state, request_at(clock, scope=("20260115", "cn-north-4", "dli", "sdk_request")), OURS.project_id)
    identify(state, request_at(clock, scope=("20260115", "", "", "sdk_request")), OURS.project_id)


def test_wrong_secret_and_unknown_key_are_distinguished(state: State, clock: Clock) -> None:
    """The gateway's own words for each."""
    wrong = refusal(state, request_at(clock, ("AK", "no")))
    assert (wrong.status, wrong.code) == (401, "APIGW.0301")
    assert "verify aksk signature fail" in wrong.message
    unknown = refusal(state, request_at(clock, ("WHO", "SK")))
    assert (unknown.status, unknown.code) == (401, "APIGW.0301")
    assert "ak WHO not exist" in unknown.message


def test_an_unreadable_proof_is_refused(state: State) -> None:
    """The message names what cannot be read."""
    request = Request("GET", "/v1", (("Authorization", "Basic dTpw"),))
    assert "no known form" in refusal(state, request).message


@pytest.mark.parametrize("away", [-900, 900])
def test_a_quarter_of_an_hour_of_skew_passes(state: State, clock: Clock, away: int) -> None:
    """Exactly 15 minutes, either way."""
    request = request_at(clock)
    clock.now += away
    identify(state, request, None)


@pytest.mark.parametrize("away", [-901, 901])
def test_more_skew_is_refused_with_both_times(state: State, clock: Clock, away: int) -> None:
    """A second more, either way; the text carries the client's time and the service's."""
    request, client = request_at(clock), clock.date()
    clock.now += away
    error = refusal(state, request)
    assert (error.status, error.code) == (401, "APIGW.0303")
    assert client in error.message
    assert clock.date() in error.message
    assert refusal(state, request_at(clock), skew=901.0).code == "APIGW.0303"


def test_more_than_five_failures_lock_the_key_for_five_minutes(state: State, clock: Clock) -> None:
    """The sixth wrong signature in a row locks; a correct one is refused then too, until the time is over."""
    wrong, right = request_at(clock, ("AK", "no")), request_at(clock)
    assert ["limit" in refusal(state, wrong).message for _ in range(6)] == [False] * 5 + [True]
    assert "AK access failed to reach the limit,forbidden" in refusal(state, right).message
    clock.now += 299
    assert "limit" in refusal(state, right).message
    clock.now += 1
    identify(state, right, None)
    assert "verify" in refusal(state, wrong).message


def test_a_success_ends_the_row_of_failures(state: State, clock: Clock) -> None:
    """Five failures, a success, five failures: not locked."""
    wrong, right = request_at(clock, ("AK", "no")), request_at(clock)
    for _ in range(2):
        for _ in range(5):
            refusal(state, wrong)
        identify(state, right, None)


def test_a_temporary_key_needs_its_token(state: State, clock: Clock) -> None:
    """With its token it gets in; without, or with another, it does not; nor does a permanent key with one."""
    state.keys.add_key("TMP", "S", "token")
    identify(state, request_at(clock, ("TMP", "S"), X_Security_Token="token"), None)
    assert "security token" in refusal(state, request_at(clock, ("TMP", "S"))).message
    assert "security token" in refusal(state, request_at(clock, ("TMP", "S"), X_Security_Token="x")).message
    assert "security token" in refusal(state, request_at(clock, X_Security_Token="token")).message


def test_tokens_get_in_until_they_end(state: State, clock: Clock) -> None:
    """A token of ours gets in; none, an unknown and an expired one do not, each with its code."""
    token = state.keys.issue_token(state.keys.users[OURS.user])
    request = Request("GET", "/v1", (("X-Auth-Token", token.value),))
    identify(state, request, OURS.project_id)
    assert "x-auth-token not found" in refusal(state, Request("GET", "/v1")).message
    assert "decrypt token fail" in refusal(state, Request("GET", "/v1", (("X-Auth-Token", "x"),))).message
    clock.now += 24 * 3600
    ended = refusal(state, request)
    assert (ended.status, ended.code) == (401, "APIGW.0307")


def test_a_foreign_project_is_forbidden(state: State, clock: Clock) -> None:
    """The key is right, the project is not."""
    error = refusal(state, request_at(clock), project="somebody-elses")
    assert (error.status, error.code) == (403, "APIGW.0302")
    assert "somebody-elses" in error.message


@pytest.mark.slow
def test_the_body_is_covered(state: State, clock: Clock) -> None:
    """A body that was put in later is noticed."""
    assert "verify" in refusal(state, replace(request_at(clock), body=b"x")).message
