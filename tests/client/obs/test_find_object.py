"""Finding an object by a flow: its requests, and the outcome of each response."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.stub import Stubber

from airflow_provider_dli.client.call import USER_AGENT, Request
from airflow_provider_dli.client.credentials import AccessKey
from airflow_provider_dli.client.errors import (
    AuthenticationError,
    PermissionDeniedError,
    RefusedError,
    ServiceError,
    ThrottledError,
    UnavailableError,
    UnexpectedReplyError,
)
from airflow_provider_dli.client.exchange import Account, Project
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.client.obs.client import (
    ReplacedError,
    no_such_bucket,
    object_replaced,
    redact,
    service_error,
)
from airflow_provider_dli.client.obs.objects import ObjectFacts, find_object, find_object_flow
from tests.client.scripted_replies import FlowResult, answer, noon, run_flow

PLACE = ObsLocation("obs-test", "dir one/ä~.zip")
FOUND = {
    "content_length": "7",
    "etag": '"0123456789abcdef0123456789abcdef"',
    "last_modified": "Thu, 15 Jan 2026 13:00:00 +0100",
}
FACTS = ObjectFacts(7, "0123456789abcdef0123456789abcdef", "2026-01-15T12:00:00+00:00")
ERROR = b"<Error><Code> %s </Code><Message> %s </Message></Error>"


def account(endpoint: str = "http://127.0.0.1:9000", token: str | None = None) -> Account:
    """Make an account whose OBS is at an endpoint."""
    key = AccessKey("AK", "SK", token)
    return Account("cn-north-4", Project("p", "cn-north-4", endpoint, key), key, endpoint, endpoint, endpoint)


def find(*answers: Any, bucket_known: bool = False, **about: Any) -> FlowResult:
    """Run the flow."""
    return run_flow(find_object_flow(PLACE, account(**about), noon, bucket_known=bucket_known), *answers)


def test_one_head_request_is_sent() -> None:
    """HEAD of the encoded key, signed as S3 v4 for the region, and nothing else that is not needed."""
    flow = find(answer(200, b"", **FOUND))
    (request,) = flow.requests
    assert (request.operation, request.method) == ("HeadObject", "HEAD")
    assert request.url == "http://127.0.0.1:9000/obs-test/dir%20one/%C3%A4~.zip"
    headers = dict(request.headers)
    assert (headers["Host"], headers["User-Agent"]) == ("127.0.0.1:9000", USER_AGENT)
    assert "/cn-north-4/s3/aws4_request" in headers["Authorization"]
    assert headers["X-Amz-Content-SHA256"] == "UNSIGNED-PAYLOAD"
    assert request.secrets == (headers["Authorization"].rpartition("=")[2],)
    assert len(request.secrets[0]) == 64
    assert flow.result == FACTS


def signature_of(request: Request, secret: str) -> str:
    """Sign a request as botocore's own client would have, at the moment that it names."""
    headers = {name: value for name, value in request.headers if name != "Authorization"}
    twin = AWSRequest(method=request.method, url=request.url, headers=headers)
    twin.context |= {
        "timestamp": headers["X-Amz-Date"],
        "client_config": Config(s3={"payload_signing_enabled": False}),
    }
    signer = S3SigV4Auth(Credentials("AK", secret), "s3", "cn-north-4")
    proof = signer.signature(signer.string_to_sign(twin, signer.canonical_request(twin)), twin)
    return str(proof)


def test_it_is_signed_with_the_secret_key() -> None:
    """As botocore signs; another secret key results in another signature."""
    (request,) = find(answer(200, b"", **FOUND)).requests
    assert request.secrets == (signature_of(request, "SK"),)
    assert request.secrets != (signature_of(request, "another"),)


def test_a_security_token_is_sent_and_secret() -> None:
    """Of temporary keys."""
    (request,) = find(answer(200, b"", **FOUND), token="the-token").requests
    assert dict(request.headers)["X-Amz-Security-Token"] == "the-token"
    assert request.secrets[1:] == ("the-token",)


def test_the_bucket_is_part_of_the_host_in_the_cloud() -> None:
    """OBS takes virtual-hosted addresses only."""
    flow = find(answer(404), answer(404), endpoint="https://obs.cn-north-4.myhuaweicloud.com")
    assert [request.url for request in flow.requests] == [
        "https://obs-test.obs.cn-north-4.myhuaweicloud.com/dir%20one/%C3%A4~.zip",
        "https://obs-test.obs.cn-north-4.myhuaweicloud.com/",
    ]
    assert dict(flow.requests[0].headers)["Host"] == "obs-test.obs.cn-north-4.myhuaweicloud.com"


@pytest.mark.parametrize(
    ("headers", "changes"),
    [
        ({"x_amz_version_id": "v1"}, {"version_id": "v1"}),
        ({"x_amz_version_id": "null"}, {}),
        ({"x_amz_storage_class": "COLD"}, {"storage_class": "COLD"}),
        ({"x_amz_server_side_encryption": "aws:kms"}, {"encrypted": True}),
        ({"x_amz_server_side_encryption_customer_algorithm": "AES256"}, {"encrypted": True}),
        ({"x_obs_server_side_encryption": "AES256"}, {"encrypted": True}),
        ({"x_amz_restore": 'ongoing-request="false"'}, {"restored": True}),
        ({"x_amz_restore": 'ongoing-request="true"'}, {}),
    ],
)
def test_facts_are_read_from_the_headers(headers: dict[str, str], changes: dict[str, Any]) -> None:
    """Version, tier, encryption, whether it was taken out of an archive tier."""
    assert find(answer(200, b"", **FOUND, **headers)).result == replace(FACTS, **changes)


@pytest.mark.parametrize(
    "wrong",
    [
        *[{name: value} for name in FOUND for value in (None, "")],
        *[{"content_length": value} for value in ("many", "-1", "NaN", "1e3", "0x10", "7, 7", "9" * 19, "\u0667")],
        {"etag": '""'},
        *[{"last_modified": value} for value in ("yesterday", "1768478400", "2026-01-15T12:00:00Z")],
    ],
    ids=str,
)
def test_headers_that_describe_no_object(wrong: dict[str, Any]) -> None:
    """Are an unexpected response to HeadObject, in boto3's path too."""
    headers = {name: value for name, value in (FOUND | wrong).items() if value is not None}
    error = find(answer(200, b"", **headers)).error
    assert isinstance(error, UnexpectedReplyError)
    assert (error.operation, error.status) == ("HeadObject", 200)
    assert next(iter(wrong)).replace("_", "-") in error.message


@pytest.mark.usefixtures("abroad")
@pytest.mark.parametrize(
    "written", ["Thu, 15 Jan 2026 12:00:00 GMT", "Thu, 15 Jan 2026 13:00:00 +0100", "Thu, 15 Jan 2026 12:00:00"]
)
def test_the_time_of_the_last_write_is_utc(written: str) -> None:
    """Wherever this machine is; a time without a zone is UTC too, as HTTP has no other."""
    flow = find(answer(200, b"", **(FOUND | {"last_modified": written})))
    assert flow.result == FACTS


@pytest.mark.parametrize(
    ("key", "path"), [("a/b~c/d.zip", "a/b~c/d.zip"), ("a b+c%d?e#f", "a%20b%2Bc%25d%3Fe%23f"), ("a//b", "a//b")]
)
def test_keys_are_encoded_as_s3_does(key: str, path: str) -> None:
    """All but letters, digits, hyphens, dots, underscores, tildes, and the slashes between directories."""
    place = ObsLocation("obs-test", key)
    flow = run_flow(find_object_flow(place, account(), noon), answer(200, b"", **FOUND))
    assert flow.requests[0].url == f"http://127.0.0.1:9000/obs-test/{path}"


def test_a_missing_object_is_none() -> None:
    """The bucket is requested too: a missing bucket is an error, a missing object is None."""
    flow = find(answer(404), answer(200))
    assert (flow.result, flow.error) == (None, None)
    assert [(request.operation, request.method, request.url) for request in flow.requests][1:] == [
        ("HeadBucket", "HEAD", "http://127.0.0.1:9000/obs-test")
    ]


def test_a_known_bucket_is_not_requested() -> None:
    """One request less for each of a thousand waits."""
    assert find(answer(404), bucket_known=True).result is None


def test_a_bucket_that_is_not_there() -> None:
    """Waiting will not help."""
    error = find(answer(404), answer(404)).error
    assert isinstance(error, RefusedError)
    assert str(error) == (
        "HeadBucket: HTTP 404 NoSuchBucket: there is no bucket 'obs-test'. "
        "Check the bucket's name and the region and obs_endpoint of the connection."
    )
    assert (error.operation, error.status, error.code, error.request_id) == (
        "HeadBucket",
        404,
        "NoSuchBucket",
        None,
    )
    assert str(no_such_bucket("obs-test")) == str(error)


def test_the_bucket_is_requested_unless_it_is_known() -> None:
    """By default it is not."""
    flow = run_flow(find_object_flow(PLACE, account(), noon), answer(404), answer(200))
    assert [request.operation for request in flow.requests] == ["HeadObject", "HeadBucket"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (403, PermissionDeniedError),
        (429, ThrottledError),
        (500, UnavailableError),
        (503, UnavailableError),
    ],
)
def test_a_bucket_that_is_refused_is_not_known(status: int, kind: type[ServiceError]) -> None:
    """Waiting for an object in it does not help; the error is that of boto3's path."""
    error = find(answer(404), answer(status, b"", x_amz_request_id="r1")).error
    assert type(error) is kind
    assert (error.operation, error.status, error.request_id) == ("HeadBucket", status, "r1")
    assert error.message.startswith("obs://obs-test: ")
    client = boto3.client("s3", region_name="r-1", aws_access_key_id="AK", aws_secret_access_key="SK")
    with Stubber(client) as store:
        store.add_client_error("head_object", "404", "", 404)
        store.add_client_error("head_bucket", str(status), "", status)
        with pytest.raises(kind) as raised:
            find_object(client, PLACE)
    assert (type(raised.value), raised.value.operation) == (kind, "HeadBucket")


def test_a_refusal_is_explained_by_a_get() -> None:
    """HEAD has no body with a reason: the refusal of a GET of one byte is raised."""
    why = answer(403, ERROR % (b"AccessDenied", b"no expected"), x_amz_request_id="r1")
    flow = find(answer(403), why)
    assert [(request.operation, request.method) for request in flow.requests][1:] == [("GetObject", "GET")]
    assert dict(flow.requests[1].headers)["Range"] == "bytes=0-0"
    error = flow.error
    assert isinstance(error, PermissionDeniedError)
    assert (error.operation, error.status, error.code, error.request_id) == (
        "HeadObject",
        403,
        "AccessDenied",
        "r1",
    )
    assert error.message == "obs://obs-test/dir one/ä~.zip: no expected"
    assert error.advice == "The access key needs the permission to read this bucket and its objects."


@pytest.mark.parametrize("status", [200, 206])
def test_a_refusal_that_is_none_the_second_time(status: int) -> None:
    """The first is raised: the second does not explain it."""
    error = find(answer(403), answer(status, b"P")).error
    assert (error.status, error.code) == (403, "403")
    assert error.message.endswith(": no message")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, b"InvalidAccessKeyId", AuthenticationError),
        (403, b"SignatureDoesNotMatch", AuthenticationError),
        (403, b"RequestTimeTooSkewed", AuthenticationError),
        (400, b"InvalidToken", AuthenticationError),
        (400, b"ExpiredToken", AuthenticationError),
        (401, b"Whatever", PermissionDeniedError),
        (403, b"AccessDenied", PermissionDeniedError),
        (429, b"Whatever", ThrottledError),
        (503, b"SlowDown", ThrottledError),
        (503, b"TooManyRequests", ThrottledError),
        (500, b"InternalError", UnavailableError),
        (503, b"ServiceUnavailable", UnavailableError),
        (499, b"Whatever", RefusedError),
        (400, b"BadDigest", RefusedError),
    ],
)
def test_refusals_have_their_kinds(status: int, code: bytes, kind: type[ServiceError]) -> None:
    """By the service's code first, by the status else."""
    error = find(answer(status), answer(status, ERROR % (code, b"words"))).error
    assert type(error) is kind
    assert (error.status, error.code) == (status, code.decode())


def test_only_a_missing_permission_has_advice_of_its_own() -> None:
    """Any other has that of its class."""
    advice = {
        status: service_error("HeadObject", PLACE, status, "X", "m", None).advice
        for status in (401, 403, 429, 500, 400)
    }
    expected = "The access key needs the permission to read this bucket and its objects."
    assert advice == {
        401: expected,
        403: expected,
        429: ThrottledError.advice,
        500: UnavailableError.advice,
        400: RefusedError.advice,
    }


def test_an_object_that_was_replaced() -> None:
    """The error names it, and what to do."""
    error = object_replaced(PLACE, 412, "PreconditionFailed", "r1")
    assert isinstance(error, ReplacedError)
    assert str(error) == (
        "GetObject: HTTP 412 PreconditionFailed: obs://obs-test/dir one/ä~.zip was replaced or deleted while it "
        "was read (request id r1). Verify again, and find out who writes to this directory."
    )


@pytest.mark.parametrize(
    ("logged", "arguments", "shown"),
    [
        ("Signature:\nabc", (), "Signature:\n***"),
        ("x-amz-security-token:%s", ("abc",), "x-amz-security-token:***"),
        ("{'X-Amz-Security-Token': b'abc', 'a': 1}", (), "{'X-Amz-Security-Token': ***, 'a': 1}"),
        ("nothing %s", ("secret",), "nothing secret"),
    ],
)
def test_botocores_logs_are_redacted(logged: str, arguments: tuple[str, ...], shown: str) -> None:
    """And every record passes, the harmless ones untouched."""
    record = logging.LogRecord("botocore.auth", logging.DEBUG, "f", 1, logged, arguments, None)
    assert redact(record) is True
    assert record.getMessage() == shown
    assert record.args == (() if "***" in shown else arguments)
