"""Agencies that are assumed by their URN, and federated users: each request, and the result of each reply."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_dli.client import iam, sts
from airflow_provider_dli.client.call import plain_request
from airflow_provider_dli.client.credentials import AccessKey, Expiring
from airflow_provider_dli.client.errors import (
    AuthenticationError,
    ConfigurationError,
    ServiceError,
    ThrottledError,
    UnavailableError,
    UnexpectedReplyError,
)
from tests.client.scripted_replies import NOON, FlowResult, answer, noon, run_flow

STS = "https://sts.example.com"
KEY = AccessKey("AK", "SK")
ID_TOKEN = "eyJh.eyJz.c2ln"
GOLDEN: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "golden" / "sts.json").read_text(encoding="utf-8")
)
KEYS = GOLDEN[0]["success"]
REQUEST = plain_request("Anything", "GET", "https://dli.example.com/v1", [])


def exchanged(case: Mapping[str, Any], *replies: Any) -> FlowResult:
    """Run the exchange of a golden case."""
    body = case["request"]["body"]
    more = {"external_id": body.get("external_id"), "policy": None}
    session = sts.Session(body["agency_urn"], body["agency_session_name"], body["duration_seconds"], more)
    if "id_token" in body:
        return run_flow(sts.assume_with_oidc(STS, body["provider_urn"], body["id_token"], session), *replies)
    return run_flow(sts.assume_agency(STS, KEY, session, noon), *replies)


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["operation"])
def test_the_exchange_is_the_golden_one(case: dict[str, Any]) -> None:
    """Request, keys, and the message of a refusal; the token is a secret of the request."""
    flow = exchanged(case, answer(200, case["success"]))
    (request,) = flow.requests
    expected = case["request"]
    assert (request.operation, request.method) == (case["operation"], expected["method"])
    assert request.url == STS + expected["path"]
    assert [name for name, _ in request.headers] == expected["headers"]
    assert json.loads(request.body) == expected["body"]
    assert ID_TOKEN in request.secrets or "id_token" not in expected["body"]
    end = datetime(2026, 1, 15, 14, 0, 0, 84000, UTC)
    key = AccessKey("HSTAEXAMPLE000000000", "example-secret-access-key", "example-security-token")
    assert flow.result == Expiring(key, end)
    refusal = case["refusal"]
    assert str(exchanged(case, answer(refusal["status"], refusal["body"])).error) == refusal["shown"]


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["operation"])
@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (
            answer(401, {"error_code": "APIGW.0301", "error_msg": "no"}),
            AuthenticationError,
            "HTTP 401 APIGW.0301: no",
        ),
        (answer(429, {"error_code": "APIGW.0308", "error_msg": "slow"}), ThrottledError, "APIGW.0308"),
        (answer(503, b"<html>"), UnavailableError, "HTTP 503"),
        (answer(200, b"{broken"), UnexpectedReplyError, "a JSON object was expected"),
        (answer(200, {}), UnexpectedReplyError, "the keys cannot be read: no 'access'"),
        *(
            (
                answer(200, {"credentials": {n: v for n, v in KEYS["credentials"].items() if n != name}}),
                kind,
                words,
            )
            for name, kind, words in (
                ("access_key_id", UnexpectedReplyError, "no 'access'"),
                ("secret_access_key", UnexpectedReplyError, "no 'secret'"),
                ("security_token", UnexpectedReplyError, "no 'securitytoken'"),
                ("expiration", UnexpectedReplyError, "expires_at is not a time: None"),
            )
        ),
    ],
)
def test_replies_without_keys(case: dict[str, Any], reply: Any, kind: type[ServiceError], words: str) -> None:
    """Name the operation, and show no secret of the request."""
    error = exchanged(case, reply).error
    assert type(error) is kind
    assert error.operation == case["operation"]
    assert words in str(error)
    assert ID_TOKEN not in str(error)


def test_a_key_that_sts_refuses_is_dropped() -> None:
    """So that the next attempt fetches another; this one is not repeated."""
    issued = iter([KEYS, {"credentials": {**KEYS["credentials"], "access_key_id": "ANOTHER"}}])

    def fetch(_clock: Any) -> Any:
        yield from ()
        return iam.read_keys("any", answer(200, next(issued)))

    trusted = iam.TemporaryKeys("a key", fetch)
    session = sts.Session("iam::1:agency:a", "s")
    flow = run_flow(sts.assume_agency(STS, trusted, session, noon), answer(401, {}))
    assert isinstance(flow.error, AuthenticationError)
    assert dict(flow.requests[0].headers)["X-Security-Token"] == "example-security-token"
    assert run_flow(trusted.keys(noon)).result.access_key == "ANOTHER"


def test_a_token_is_exchanged_for_keys_that_assume_the_agency() -> None:
    """STS takes no token; keys that STS refuses are dropped too."""
    trusted = iam.ready_token("https://iam.example.com", "the-token")
    credential = {
        "access": "TAK",
        "secret": "TSK",
        "securitytoken": "temporary",
        "expires_at": "2026-01-15T13:00:00Z",
    }
    issued = answer(201, {"credential": credential})
    keys = sts.agency_keys(STS, trusted, sts.Session("iam::1:agency:a", "s"))
    assert keys.identity == "agency iam::1:agency:a, assumed by the bearer of a token"
    flow = run_flow(keys.keys(noon), issued, answer(200, KEYS))
    assert [each.operation for each in flow.requests] == ["CreateTemporaryAccessKeyByToken", "AssumeAgency"]
    assert flow.result.access_key == "HSTAEXAMPLE000000000"
    other = sts.agency_keys(STS, trusted, sts.Session("iam::1:agency:b", "s"))
    assert isinstance(run_flow(other.keys(noon), answer(401, {})).error, AuthenticationError)
    assert run_flow(other.keys(noon), issued, answer(200, KEYS)).error is None


def test_the_token_file_is_read_for_each_request(tmp_path: Path) -> None:
    """Whoever replaces it is followed; the keys are fetched before they expire."""
    file = tmp_path / "token"
    file.write_text(f"{ID_TOKEN}\n")
    token = iam.TokenFile("id_token_file", str(file), iam.ID_TOKEN)
    keys = sts.oidc_keys(STS, "iam::1:oidcProvider:p", token, sts.Session("iam::1:agency:a", "s"))
    assert keys.identity == "agency iam::1:agency:a, assumed by a token of iam::1:oidcProvider:p"
    first = run_flow(keys.keys(noon), answer(200, KEYS))
    assert json.loads(first.requests[0].body)["id_token"] == ID_TOKEN
    file.write_text("eyJh.eyJy.bmV3")
    assert run_flow(keys.keys(noon)).requests == [], "as long as the keys are fresh"
    later = run_flow(keys.keys(lambda: NOON + timedelta(hours=2)), answer(200, KEYS))
    assert json.loads(later.requests[0].body)["id_token"] == "eyJh.eyJy.bmV3"


@pytest.mark.parametrize(
    "text", ["", "a-word", "a.b", "a.b.c d", "a.b.c\nd.e.f", "apiVersion: v1\n", "a.b.c.d", "é.b.c"]
)
def test_a_file_of_something_else_is_not_sent(text: str, tmp_path: Path) -> None:
    """A kubeconfig, for example: nothing of it leaves the machine."""
    file = tmp_path / "token"
    file.write_text(text)
    token = iam.TokenFile("id_token_file", str(file), iam.ID_TOKEN)
    keys = sts.oidc_keys(STS, "iam::1:oidcProvider:p", token, sts.Session("iam::1:agency:a", "s"))
    flow = run_flow(keys.keys(noon))
    assert isinstance(flow.error, ConfigurationError)
    assert flow.error.field == "id_token_file"
    assert flow.error.__context__ is None


def test_a_federated_user_has_keys() -> None:
    """A token without a project first, with the identity provider in a header; then keys for it."""
    keys = iam.federated_keys("https://iam.example.com", "cluster", lambda: ID_TOKEN)
    assert keys.identity == "a federated user of identity provider cluster"
    token = answer(201, {"token": {"expires_at": "2026-01-15T13:00:00.000000Z"}}, x_subject_token="the-token")
    flow = run_flow(keys.authenticate(REQUEST, noon), token, answer(201, KEYS))
    first, second = flow.requests
    assert (first.operation, first.method) == ("CreateTokenWithIdToken", "POST")
    assert first.url == "https://iam.example.com/v3.0/OS-AUTH/id-token/tokens"
    assert dict(first.headers)["X-Idp-Id"] == "cluster"
    assert json.loads(first.body) == {"auth": {"id_token": {"id": ID_TOKEN}}}
    assert first.secrets == (ID_TOKEN,)
    assert json.loads(second.body)["auth"]["identity"]["token"]["id"] == "the-token"
    assert dict(flow.result.headers)["X-Security-Token"] == "example-security-token"
    missing = run_flow(keys.keys(lambda: NOON + timedelta(days=1)), answer(201, {"token": {}})).error
    assert missing.message == "the reply has no X-Subject-Token"
