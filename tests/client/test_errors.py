"""Every error has the request, the response and advice, and passes intact from process to process."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from airflow_provider_dli.client import errors
from airflow_provider_dli.client.errors import (
    ADVICE,
    AuthenticationError,
    ConfigurationError,
    NoResponseError,
    NotSentError,
    PermissionDeniedError,
    RefusedError,
    ResponseLostError,
    ServiceError,
    ThrottledError,
    UnavailableError,
    UnexpectedReplyError,
)
from tests.operations import OPERATIONS

SERVICE = sorted(
    (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ServiceError)),
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((400, "DLI.0001", "wrong.", None), f"Op: HTTP 400 DLI.0001: wrong. {ADVICE['DLI.0001']}"),
        ((400, "X.1", "wrong", None), f"Op: HTTP 400 X.1: wrong. {RefusedError.advice}"),
        ((400, None, "wrong!", None), f"Op: HTTP 400: wrong! {RefusedError.advice}"),
        ((400, None, "wrong?", None), f"Op: HTTP 400: wrong? {RefusedError.advice}"),
        ((400, None, "wrong.", "r-1"), f"Op: HTTP 400: wrong. (request id r-1). {RefusedError.advice}"),
        ((400, "", "wrong", "r-1"), f"Op: HTTP 400: wrong (request id r-1). {RefusedError.advice}"),
        ((400, "DLI.0001", "wrong", None, "Do this."), "Op: HTTP 400 DLI.0001: wrong. Do this."),
    ],
)
def test_a_service_error_is_one_line(given: tuple[Any, ...], message: str) -> None:
    """Operation, status, code, words, request id, advice: the code's before the kind's, one's own before both."""
    assert str(RefusedError("Op", *given)) == message


@pytest.mark.parametrize("kind", SERVICE)
def test_service_errors_keep_the_details(kind: type[ServiceError]) -> None:
    """By name, also after a journey through pickle, as a task's error takes it."""
    error = kind("Op", 418, "C.1", "words", "r-1")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 -- our own
    for each in (error, again):
        found = (each.operation, each.status, each.code, each.message, each.request_id, each.advice)
        assert found == ("Op", 418, "C.1", "words", "r-1", kind.advice)
    assert str(again) == str(error)
    assert again.args == error.args == ("Op", 418, "C.1", "words", "r-1")
    assert type(again) is kind


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (NoResponseError, "Op: no response from h:1: cut. Check that this machine reaches the host."),
        (
            NotSentError,
            f"Op: could not reach h:1: cut. {NotSentError.advice}",
        ),
        (ResponseLostError, "Op: lost the response of h:1: cut. Whether the request took effect is unknown."),
    ],
)
def test_a_missing_response_is_one_line(kind: type[NoResponseError], message: str) -> None:
    """Operation, host, reason, and what that means."""
    error = kind("Op", "h:1", "cut")
    assert (error.operation, error.host, error.reason, str(error)) == ("Op", "h:1", "cut", message)
    assert error.transient


@pytest.mark.parametrize(
    ("operation", "field", "service"),
    [
        ("ExportFlinkJobs", "the endpoint", "DLI"),
        ("ListObjects", "obs_endpoint", "OBS"),
        ("KeystoneListProjects", "iam_endpoint", "IAM"),
        ("AssumeAgency", "sts_endpoint", "STS"),
        ("GetMetadataToken", "metadata_endpoint", "the metadata service"),
    ],
)
def test_advice_is_that_of_the_service(operation: str, field: str, service: str) -> None:
    """Its address, its name, and no field that it does not know."""
    assert f"Check {field} of the connection, DNS" in NotSentError(operation, "h", "refused").advice
    unexpected = UnexpectedReplyError(operation, 200, None, "a page", None)
    assert unexpected.advice.startswith(f"Check that {field} of the connection is {service}'s, with no login page")
    denied = PermissionDeniedError(operation, 403, None, "no", None).advice
    assert ("project_id" in denied) == (service == "DLI")
    assert f"the {service} API reference" in ServiceError(operation, 418, None, "no", None).advice


def test_dlis_agency_is_named_where_dli_uses_a_bucket() -> None:
    """Its codes for trouble on its side come from every operation."""
    export, listing = (
        UnavailableError(operation, 400, "DLI.10001", "None.get", None).advice
        for operation in ("ExportFlinkJobs", "ListFlinkJobs")
    )
    assert "no agency that may read and write in the bucket" in export
    assert listing == UnavailableError.advice


def test_every_operation_has_its_service() -> None:
    """Those of DLI have Flink in their names, and are no others'."""
    for operation in OPERATIONS:
        assert "DLI" in UnexpectedReplyError(operation, 200, None, "a page", None).advice


def test_a_field_in_one_line() -> None:
    """Its name, what is wrong, what would be right."""
    error = ConfigurationError("region", "is missing", "give one")
    assert (error.field, error.problem, error.remedy) == ("region", "is missing", "give one")
    assert str(error) == "region: is missing; give one"
    assert not error.transient


def test_what_may_pass_by_itself() -> None:
    """Throttling and trouble on the other side; nothing else."""
    assert {kind.__name__ for kind in SERVICE if kind.transient} == {"ThrottledError", "UnavailableError"}
    assert ThrottledError("Op", 429, None, "m", None).retry_after is None


def test_an_error_passes_between_processes() -> None:
    """With all its details: Airflow hands exceptions over pickled."""
    error = AuthenticationError("ExportFlinkJobs", 401, "APIG.0301", "no such key", "r-1")
    passed = pickle.loads(pickle.dumps(error))  # noqa: S301 -- our own
    assert (type(passed), str(passed), vars(passed)) == (AuthenticationError, str(error), vars(error))


@pytest.mark.parametrize(
    ("host", "reason", "advice"),
    [
        (
            "dli.cn-nroth-4.myhuaweicloud.com",
            "cut",
            "Check region of the connection: cn-nroth-4 is not a known region, did you mean cn-north-4?",
        ),
        (
            "dli.xx-yyyy-77.myhuaweicloud.com",
            "cut",
            "xx-yyyy-77 is not a known region. Then check the endpoint of",
        ),
        ("dli.cn-north-4.myhuaweicloud.com", "cut", "Check region and the endpoint of the connection, DNS"),
        (
            "obs://b/k",
            "host='b.obs.eu-dee.otc.t-systems.com', port=443",
            "eu-dee is not a known region, did you mean",
        ),
        (
            "dli.cn-nroth-4.myhuaweicloud.com:9",
            "cut",
            "Nothing was sent. Check the endpoint of the connection, DNS",
        ),
    ],
)
def test_of_a_host_that_follows_from_the_region_the_region_comes_first(
    host: str, reason: str, advice: str
) -> None:
    """With the known one that it is most like; not of an endpoint that is given."""
    assert advice in str(NotSentError("ListFlinkJobs", host, reason))
