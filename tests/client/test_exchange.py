"""The whole conversation: clocks that differ, proof that is renewed, what is logged."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.account import Account, Project
from airflow_provider_dli.client.advice import ADVICE
from airflow_provider_dli.client.call import Request
from airflow_provider_dli.client.credentials import AccessKey
from airflow_provider_dli.client.errors import AuthenticationError, NotSentError, RefusedError
from airflow_provider_dli.client.exchange import converse
from airflow_provider_dli.client.retry import RetryPolicy
from tests.client.talking import Talk, answer, noon, talk

DONE = answer(200, {"is_success": "true", "message": "done"})
CLOCK = {"error_code": "APIGW.0303", "error_msg": "Incorrect app authentication information"}
OURS = " This machine's clock says 2026-01-15 12:00:00 UTC"
REFUSED = {"error_code": "APIGW.0301", "error_msg": "Incorrect IAM authentication information"}


class Proof:
    """Proves with a number that grows with every renewal."""

    who = "somebody"

    def __init__(self, *, renewable: bool) -> None:
        self.number = 1
        self.renewable = renewable
        self.forgotten: list[Request] = []

    def prove(self, request: Request, clock: Any) -> Any:
        """Add the number."""
        del clock
        yield from ()
        return replace(request, headers=(*request.headers, ("X-Proof", str(self.number))))

    def keys(self, clock: Any) -> Any:
        """Give no keys; nobody asks here."""
        raise NotImplementedError

    def forget(self, refused: Request) -> bool:
        """Count on, if that is possible."""
        self.forgotten.append(refused)
        self.number += 1
        return self.renewable


def hold(call: Any, *answers: Any, credentials: Any = None, policy: RetryPolicy | None = None) -> Talk:
    """Hold the conversation at noon."""
    key = credentials or AccessKey("AK", "SK")
    account = Account(
        "r-1", Project("p", "r-1", "https://iam", key), key, "https://dli", "https://obs", "https://iam"
    )
    return talk(converse(call, account, noon, policy), *answers)


@pytest.mark.parametrize(
    ("date", "said"),
    [
        (
            "Thu, 15 Jan 2026 11:40:00 GMT",
            f"{OURS}, the service's 2026-01-15 11:40:00 UTC: 1200 s ahead.",
        ),
        (
            "Thu, 15 Jan 2026 12:20:00 GMT",
            f"{OURS}, the service's 2026-01-15 12:20:00 UTC: 1200 s behind.",
        ),
        ("yesterday", ""),
        (None, ""),
    ],
)
def test_two_clocks_are_shown(date: str | None, said: str) -> None:
    """Where a signature is refused for its time; only if the service tells its own."""
    headers = {"date": date} if date else {}
    error = hold(flink.delete_job(1), answer(401, CLOCK, **headers)).error
    assert isinstance(error, AuthenticationError)
    assert error.advice == ADVICE["APIGW.0303"] + said


@pytest.mark.parametrize(("status", "body"), [(401, REFUSED), (400, CLOCK)])
def test_clocks_are_shown_for_nothing_else(status: int, body: dict[str, str]) -> None:
    """Another refusal has nothing to do with the time."""
    error = hold(flink.delete_job(1), answer(status, body, date="Thu, 15 Jan 2026 11:40:00 GMT")).error
    assert isinstance(error, AuthenticationError | RefusedError)
    assert "clock says" not in error.advice


def test_proof_is_renewed_once(caplog: pytest.LogCaptureFixture) -> None:
    """What was refused is forgotten, the same asked with fresh proof, without a pause; and it is logged."""
    proof = Proof(renewable=True)
    with caplog.at_level(logging.INFO):
        told = hold(flink.delete_job(1), answer(401, REFUSED), DONE, credentials=proof)
    assert told.result.message == "done"
    assert told.pauses == []
    assert [dict(request.headers)["X-Proof"] for request in told.requests] == ["1", "2"]
    assert proof.forgotten == [told.requests[0]]
    (record,) = caplog.records
    assert record.getMessage().startswith("DeleteFlinkJob: HTTP 401 APIGW.0301: Incorrect IAM")
    assert record.getMessage().endswith(" The proof of identity is renewed once.")


def test_proof_is_not_renewed_twice() -> None:
    """Five refusals lock a key."""
    proof = Proof(renewable=True)
    told = hold(flink.delete_job(1), answer(401, REFUSED), answer(401, REFUSED), credentials=proof)
    assert isinstance(told.error, AuthenticationError)
    assert len(proof.forgotten) == 1


def test_proof_that_cannot_be_renewed() -> None:
    """Is forgotten, and that is all."""
    proof = Proof(renewable=False)
    told = hold(flink.delete_job(1), answer(401, REFUSED), credentials=proof)
    assert isinstance(told.error, AuthenticationError)
    assert len(proof.forgotten) == 1


def test_another_refusal_forgets_no_proof() -> None:
    """A 403 is believed: we are known, and may not."""
    proof = Proof(renewable=True)
    assert hold(flink.delete_job(1), answer(403, REFUSED), credentials=proof).error.status == 403
    assert proof.forgotten == []


def test_waits_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """With the error, the pause and the number of the attempt to come."""
    policy = RetryPolicy(chance=lambda: 1.0)
    down = NotSentError("DeleteFlinkJob", "dli", "refused")
    with caplog.at_level(logging.WARNING):
        told = hold(flink.delete_job(1), down, answer(429, {}, retry_after="7"), DONE, policy=policy)
    assert told.pauses == [1.0, 7.0]
    first, second = (record.getMessage() for record in caplog.records)
    assert first == f"{down} Asking again in 1.0 s (attempt 2)."
    assert second.endswith(" Asking again in 7.0 s (attempt 3).")


def test_the_accounts_patience_holds_where_none_is_given() -> None:
    """And the caller's where it is."""
    assert hold(flink.delete_job(1), answer(429), policy=RetryPolicy(budget=0)).error.status == 429
    assert hold(flink.delete_job(1), answer(429, {}, retry_after="0"), DONE).result.message == "done"
