"""Temporary keys: from IAM for a token or an agency, from the metadata service; and the S3 proxy to the store."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from api_client import ApiClient, Clock, Response
from dli_emulator import Emulator
from dli_emulator.keys import AccessKey, Agency
from dli_emulator.state import DEFAULT_AGENCY

PATH = "/v3.0/OS-CREDENTIAL/securitytokens"


def body(method: str, **given: Any) -> dict[str, Any]:
    """Return the body of a request for a key."""
    return {"auth": {"identity": {"methods": [method], method: given}}}


def post(api: ApiClient, content: Any, **headers: str) -> Response:
    """Send a request without a signature."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.send("POST", PATH, {"Content-Type": "application/json", **named}, json.dumps(content).encode())


def a_token(api: ApiClient) -> str:
    """Return a token of the emulator's user."""
    (user,) = api.emulator.state.keys.users.values()
    return api.emulator.state.keys.issue_token(user).value


def opens_dli(api: ApiClient, credential: dict[str, str]) -> Response:
    """List jobs with a temporary key."""
    key = (credential["access"], credential["secret"])
    target = f"/v1.0/{api.emulator.project_id}/streaming/jobs"
    return api.request_with_token(target, key, credential["securitytoken"])


def test_a_token_gives_a_temporary_key_that_opens_dli(api: ApiClient) -> None:
    """Named in the body, or in the header; with the security token it is as good as any."""
    token = a_token(api)
    for reply in (post(api, body("token", id=token)), post(api, body("token"), X_Auth_Token=token)):
        assert reply.status == 201
        credential = reply.body["credential"]
        assert set(credential) == {"access", "secret", "securitytoken", "expires_at"}
        assert opens_dli(api, credential).status == 200
        credential["securitytoken"] = "another"
        assert opens_dli(api, credential).error == (401, "APIGW.0301")


def test_an_agency_gives_a_temporary_key_to_whom_it_trusts(api: ApiClient) -> None:
    """The sender must authenticate; an unknown agency is 404."""
    role = {"agency_name": DEFAULT_AGENCY.name, "domain_name": DEFAULT_AGENCY.domain, "duration_seconds": 900}
    reply = api.request("POST", PATH, body("assume_role", **role))
    assert reply.status == 201
    assert opens_dli(api, reply.body["credential"]).status == 200
    assert post(api, body("assume_role", **role)).error == (401, "APIGW.0301")
    assert api.request("POST", PATH, body("assume_role", **role | {"agency_name": "x"})).status == 404
    api.emulator.state.keys.agencies.add(Agency("x", DEFAULT_AGENCY.domain))
    assert api.request("POST", PATH, body("assume_role", **role | {"agency_name": "x"})).status == 201


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ({}, 400),
        ([], 400),
        ({"auth": {"identity": {"methods": []}}}, 400),
        (body("hw_assume"), 400),
        (body("token", id="x", duration_seconds=899), 400),
        (body("token", id="x", duration_seconds="900"), 400),
        (body("token", id="x", duration_seconds=86400), 401),
        (body("token"), 401),
    ],
    ids=str,
)
def test_what_gives_no_key(api: ApiClient, content: Any, status: int) -> None:
    """In IAM's own shape."""
    reply = post(api, content)
    assert (reply.status, reply.body["error"]["code"]) == (status, status)


def test_a_temporary_key_ends(made: Any, clock: Clock) -> None:
    """After the requested time, or the time that the test has set."""
    ours = made(clock=clock)
    token = a_token(ours)
    issued = post(ours, body("token", id=token, duration_seconds=1000)).body["credential"]
    assert issued["expires_at"] == "2026-01-15T08:47:25.000000Z"
    ours.emulator.state.keys.key_seconds = 5
    short = post(ours, body("token", id=token, duration_seconds=1000)).body["credential"]
    clock.now += 5
    assert opens_dli(ours, short).error == (401, "APIGW.0301")
    assert opens_dli(ours, issued).status == 200


def metadata_key(api: ApiClient, **headers: str) -> Response:
    """Request a key from the metadata service."""
    return api.send("GET", "/openstack/latest/securitykey", {n.replace("_", "-"): v for n, v in headers.items()})


@pytest.mark.slow
def test_the_metadata_service_wants_a_session_token_first(made: Any, clock: Clock) -> None:
    """Version 2; the session ends too."""
    ours = made(clock=clock)
    assert metadata_key(ours).status == 401
    opened = ours.send("PUT", "/meta-data/latest/api/token", {"X-Metadata-Token-Ttl-Seconds": "60"})
    session = opened.content.decode()
    reply = metadata_key(ours, X_Metadata_Token=session)
    assert opens_dli(ours, reply.body["credential"]).status == 200
    clock.now += 60
    assert metadata_key(ours, X_Metadata_Token=session).status == 401


@pytest.mark.parametrize("seconds", ["", "0", "21601", "soon"])
def test_a_session_has_a_length(api: ApiClient, seconds: str) -> None:
    """Of one second to six hours."""
    headers = {"X-Metadata-Token-Ttl-Seconds": seconds} if seconds else {}
    assert api.send("PUT", "/meta-data/latest/api/token", headers).status == 400


def test_an_older_metadata_service_knows_no_sessions(api: ApiClient) -> None:
    """Version 1 returns its key without a token."""
    api.emulator.state.settings.metadata_version = 1
    assert api.send("PUT", "/meta-data/latest/api/token").status == 404
    assert opens_dli(api, metadata_key(api).body["credential"]).status == 200


def test_no_secret_of_a_key_is_in_the_log(api: ApiClient) -> None:
    """Neither what was given for it nor what came of it."""
    token = a_token(api)
    credential = post(api, body("token", id=token)).body["credential"]
    opens_dli(api, credential)
    session = api.send(
        "PUT", "/meta-data/latest/api/token", {"X-Metadata-Token-Ttl-Seconds": "60"}
    ).content.decode()
    metadata_key(api, X_Metadata_Token=session)
    shown = repr(api.emulator.requests)
    assert not [
        secret for secret in (token, credential["secret"], credential["securitytoken"], session) if secret in shown
    ]


def s3(emulator: Emulator, key: AccessKey | None = None, **changes: Any) -> Any:
    """Make a client that goes through the S3 proxy."""
    key = key or emulator.state.keys.issue_key()
    settings: Any = {
        "aws_access_key_id": key.access_key,
        "aws_secret_access_key": key.secret_key,
        "aws_session_token": key.security_token,
        **changes,
    }
    config = Config(
        s3={"addressing_style": "path"},
        retries={"total_max_attempts": 1},
        request_checksum_calculation="when_required",
    )
    return boto3.Session(region_name="cn-north-4").client(
        "s3", endpoint_url=emulator.dli, config=config, **settings
    )


@pytest.mark.slow
@pytest.mark.parametrize("key", ["a.zip", "dir/夜 ü+%&=?#.zip"])
def test_a_temporary_key_opens_the_store(each_store: ApiClient, key: str) -> None:
    """Writing, listing, ranges, conditions and what is not there are the store's own."""
    emulator = each_store.emulator
    client = s3(emulator)
    place = {"Bucket": emulator.bucket, "Key": key}
    written = client.put_object(**place, Body=b"0123456789")
    assert client.get_object(**place)["Body"].read() == b"0123456789"
    part = client.get_object(**place, Range="bytes=2-4", IfMatch=written["ETag"])
    assert (part["Body"].read(), part["ContentRange"]) == (b"234", "bytes 2-4/10")
    assert client.head_object(**place)["ContentLength"] == 10
    assert [found["Key"] for found in client.list_objects_v2(Bucket=emulator.bucket)["Contents"]] == [key]
    with pytest.raises(ClientError, match="NoSuchKey"):
        client.get_object(Bucket=emulator.bucket, Key="none")
    with pytest.raises(ClientError, match=r"412|PreconditionFailed"):
        client.get_object(**place, IfMatch='"other"')
    assert not each_store.emulator.requests


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aws_secret_access_key": "wrong"}, "SignatureDoesNotMatch"),
        ({"aws_session_token": "wrong"}, "InvalidAccessKeyId"),
        ({"aws_access_key_id": "NOBODY"}, "InvalidAccessKeyId"),
    ],
    ids=str,
)
def test_the_s3_proxy_refuses_wrong_credentials(
    dli_emulator: Emulator, changes: dict[str, Any], code: str
) -> None:
    """For a wrong secret, another's token, and a key that nobody gave out."""
    with pytest.raises(ClientError, match=code):
        s3(dli_emulator, **changes).list_objects_v2(Bucket=dli_emulator.bucket)


@pytest.mark.slow
def test_the_s3_proxy_refuses_an_expired_key(made: Any, clock: Clock) -> None:
    """The error is that of the service."""
    ours = made(clock=clock).emulator
    client = s3(ours, ours.state.keys.issue_key(900))
    assert client.list_objects_v2(Bucket=ours.bucket)["KeyCount"] == 0
    clock.now += 900
    with pytest.raises(ClientError, match="ExpiredToken"):
        client.list_objects_v2(Bucket=ours.bucket)


def test_a_proof_that_cannot_be_read_is_refused(dli_emulator: Emulator) -> None:
    """As a key that is not known."""
    reply = ApiClient(dli_emulator).send("GET", "/", {"Authorization": "AWS4-HMAC-SHA256 x"})
    assert reply.status == 403
    assert b"<Code>InvalidAccessKeyId</Code>" in reply.content


def test_a_fault_that_the_s3_proxy_does_not_know_waits_for_dli(api: ApiClient) -> None:
    """It is not used up in silence; one set after it that the S3 proxy knows is met."""
    emulator = api.emulator
    client = s3(emulator)
    emulator.fault("*", "throttled", retry_after=0)
    emulator.fault("HeadBucket", "error", status=503)
    with pytest.raises(ClientError, match="503"):
        client.head_bucket(Bucket=emulator.bucket)
    client.head_bucket(Bucket=emulator.bucket)
    assert [fault.kind for fault in emulator.faults] == ["throttled"]
    assert api.jobs().error == (429, "APIGW.0308")
    assert api.jobs().status == 200


def test_a_fault_for_every_operation_is_met_at_the_s3_proxy_too(api: ApiClient) -> None:
    """If it is one that the S3 proxy knows."""
    api.emulator.fault("*", "error", status=503)
    with pytest.raises(ClientError, match="503"):
        s3(api.emulator).head_bucket(Bucket=api.emulator.bucket)
    assert not list(api.emulator.faults)
