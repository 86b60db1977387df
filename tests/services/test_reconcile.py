"""A request that has no idempotency token is sent again only if there is no sign of its result."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from airflow_provider_dli.client.errors import DliClientError, ResponseLostError, ThrottledError
from airflow_provider_dli.exceptions import DliException, translated
from airflow_provider_dli.services.reconcile import MAX_REQUESTS, call_with_reconciliation

LOG = logging.getLogger(__name__)


def failing(errors: list[DliClientError]) -> Callable[[], str]:
    """Return a function that raises each of the errors in turn, and then returns a response."""

    def send() -> str:
        with translated():
            if errors:
                raise errors.pop(0)
        return "response"

    return send


def lost() -> DliClientError:
    return ResponseLostError("ExportFlinkJobs", "dli.example.com", "the connection ended")


def find_nothing(_: DliException) -> None:
    """Find no result of the request."""


def test_a_response_is_returned_without_a_check() -> None:
    assert call_with_reconciliation(failing([]), lambda _: pytest.fail("checked"), LOG) == "response"


def test_a_result_that_is_found_is_not_requested_again() -> None:
    """Even if the result is falsy."""
    errors = [lost(), lost()]
    assert call_with_reconciliation(failing(errors), lambda _: "", LOG) == ""
    assert len(errors) == 1


def test_without_a_result_the_request_is_sent_three_times(caplog: pytest.LogCaptureFixture) -> None:
    """The error of the last request is raised."""
    caplog.set_level(logging.INFO)
    assert call_with_reconciliation(failing([lost(), lost()]), find_nothing, LOG) == "response"
    assert caplog.messages == ["Sending the request again."] * 2
    checks: list[DliException] = []
    with pytest.raises(DliException) as caught:
        call_with_reconciliation(failing([lost() for _ in range(MAX_REQUESTS)]), checks.append, LOG)
    assert (len(checks), caught.value) == (MAX_REQUESTS, checks[-1])


def test_a_refusal_is_raised_without_a_check() -> None:
    """DLI did nothing: there is no result to find."""
    refused = failing([ThrottledError("ExportFlinkJobs", 429, "APIGW.0308", "too many", None)])
    with pytest.raises(DliException, match="too many"):
        call_with_reconciliation(refused, lambda _: pytest.fail("checked"), LOG)


def test_a_refusal_after_a_lost_response_mentions_it() -> None:
    """The refusal of the second request proves nothing about the first."""
    refused = failing([lost(), ThrottledError("ExportFlinkJobs", 429, "APIGW.0308", "too many", None)])
    with pytest.raises(DliException, match=r"too many.*An earlier request lost its response"):
        call_with_reconciliation(refused, find_nothing, LOG)


def test_the_caller_may_decide_whether_to_retry() -> None:
    with pytest.raises(DliException, match="the connection ended"):
        call_with_reconciliation(failing([lost()]), find_nothing, LOG, should_retry=lambda _: False)
