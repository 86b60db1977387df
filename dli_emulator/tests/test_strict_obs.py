"""The S3 interface as OBS has it: what it refuses and ignores, and ETags that are not the MD5 of the content."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import md5
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from api_client import ApiClient
from dli_emulator import Emulator

LIFECYCLE: Any = {
    "Rules": [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "a"}, "Expiration": {"Days": 3}}]
}


def s3(emulator: Emulator, **config: Any) -> Any:
    """Return a client of the emulator's OBS."""
    settings = {"s3": {"addressing_style": "path"}, "retries": {"total_max_attempts": 1}, **config}
    session = boto3.Session(emulator.access_key, emulator.secret_key, region_name="cn-north-4")
    return session.client("s3", endpoint_url=emulator.obs, config=Config(**settings))


def add_header(client: Any, operation: str, name: str, value: str) -> None:
    client.meta.events.register(
        f"before-sign.s3.{operation}", lambda request, **_: request.headers.add_header(name, value)
    )


def add_md5(client: Any, operation: str) -> None:
    """Have a client send what botocore no longer does."""

    def act(request: Any, **_: Any) -> None:
        request.headers["Content-MD5"] = b64encode(md5(request.body, usedforsecurity=False).digest()).decode()

    client.meta.events.register(f"before-sign.s3.{operation}", act)


@pytest.fixture
def strict(api: ApiClient) -> Emulator:
    """Return the session's emulator, as strict as OBS."""
    api.emulator.state.settings.change({"strict_obs": True})
    assert api.emulator.obs == api.emulator.dli
    return api.emulator


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["DeleteObjects", "PutBucketLifecycleConfiguration"])
def test_a_missing_content_md5_is_refused(strict: Emulator, operation: str) -> None:
    """Though a CRC is sent; with a right one it is taken, and a wrong one is not."""
    calls: dict[str, Any] = {
        "DeleteObjects": lambda client: client.delete_objects(
            Bucket=strict.bucket, Delete={"Objects": [{"Key": "a"}]}
        ),
        "PutBucketLifecycleConfiguration": lambda client: client.put_bucket_lifecycle_configuration(
            Bucket=strict.bucket, LifecycleConfiguration=LIFECYCLE
        ),
    }
    call = calls[operation]
    strict.s3.put_object(Bucket=strict.bucket, Key="a", Body=b"x")
    for checksums in ("when_required", "when_supported"):
        with pytest.raises(ClientError, match=r"InvalidRequest.*Missing required header .*Content-MD5"):
            call(s3(strict, request_checksum_calculation=checksums))
    wrong = s3(strict)
    add_header(wrong, operation, "Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA==")
    with pytest.raises(ClientError, match="BadDigest"):
        call(wrong)
    right = s3(strict)
    add_md5(right, operation)
    call(right)
    strict.state.settings.change({"strict_obs": False})
    call(s3(strict))


def test_a_body_with_a_trailer_is_refused(strict: Emulator) -> None:
    """As boto3 sends it over TLS unless it is set up otherwise; nothing is written."""
    client = s3(strict, request_checksum_calculation="when_required")
    add_header(client, "PutObject", "X-Amz-Trailer", "x-amz-checksum-crc32")
    with pytest.raises(ClientError, match="XAmzContentSHA256Mismatch"):
        client.put_object(Bucket=strict.bucket, Key="a", Body=b"x")
    assert strict.s3.list_objects_v2(Bucket=strict.bucket)["KeyCount"] == 0


def test_checksums_are_ignored(strict: Emulator) -> None:
    """Neither compared nor stored; the response has none."""
    client = s3(
        strict, request_checksum_calculation="when_supported", response_checksum_validation="when_supported"
    )
    place = {"Bucket": strict.bucket, "Key": "a"}
    written = client.put_object(**place, Body=b"x")
    assert not [name for name in written if name.startswith("Checksum")]
    read = client.get_object(**place, ChecksumMode="ENABLED")
    assert read["Body"].read() == b"x"
    assert not [name for name in read if name.startswith("ChecksumCRC")]


@pytest.mark.slow
def test_a_range_without_a_start_is_ignored(strict: Emulator) -> None:
    """The whole object comes, with 200."""
    place = {"Bucket": strict.bucket, "Key": "a"}
    strict.s3.put_object(**place, Body=b"0123456789")  # type: ignore[arg-type]
    whole = s3(strict).get_object(**place, Range="bytes=-3")
    assert (whole["Body"].read(), whole["ResponseMetadata"]["HTTPStatusCode"]) == (b"0123456789", 200)
    assert s3(strict).get_object(**place, Range="bytes=7-9")["Body"].read() == b"789"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["encrypted", "file_system"])
def test_etags_that_are_not_the_md5(each_store: ApiClient, kind: str) -> None:
    """In each response alike; conditions on them hold, and uploads in parts are completed."""
    emulator = each_store.emulator
    emulator.state.settings.change({"object_etags": kind})
    client = s3(emulator)
    place = {"Bucket": emulator.bucket, "Key": "a & ü.zip"}
    written = client.put_object(**place, Body=b"content")
    etag = written["ETag"]
    plain = md5(b"content", usedforsecurity=False).hexdigest()
    assert len(etag.strip('"')) == len(plain)
    assert etag.strip('"') != plain
    assert client.head_object(**place)["ETag"] == etag
    assert client.get_object(**place, IfMatch=etag)["Body"].read() == b"content"
    with pytest.raises(ClientError, match=r"412|PreconditionFailed"):
        client.get_object(**place, IfMatch=f'"{plain}"')
    assert [found["ETag"] for found in client.list_objects_v2(Bucket=emulator.bucket)["Contents"]] == [etag]
    assert (written.get("ServerSideEncryption") == "aws:kms") is (kind == "encrypted")
    headers = client.head_bucket(Bucket=emulator.bucket)["ResponseMetadata"]["HTTPHeaders"]
    assert ("x-obs-fs-file-interface" in headers) is (kind == "file_system")
    upload = client.create_multipart_upload(**place)["UploadId"]
    part = client.upload_part(**place, UploadId=upload, PartNumber=1, Body=b"p")["ETag"]
    parts = {"Parts": [{"ETag": part, "PartNumber": 1}]}
    done = client.complete_multipart_upload(**place, UploadId=upload, MultipartUpload=parts)
    assert client.head_object(**place)["ETag"] == done["ETag"]
    assert emulator.s3.head_object(**place)["ETag"] != done["ETag"]  # type: ignore[arg-type]


def test_a_single_object_is_encrypted(api: ApiClient) -> None:
    """The others have the MD5 of their content still."""
    emulator = api.emulator
    body = json.dumps({"object": f"{emulator.bucket}/a"}).encode()
    headers = {"Content-Type": "application/json"}
    assert api.send("POST", "/_emulator/encrypted", headers, body).status == 201
    assert api.send("POST", "/_emulator/encrypted", headers, b'{"object": "a"}').status == 400
    client = s3(emulator)
    for key in ("a", "b"):
        client.put_object(Bucket=emulator.bucket, Key=key, Body=b"<ETag>x</ETag>", ContentType="application/xml")
    plain = md5(b"<ETag>x</ETag>", usedforsecurity=False).hexdigest()
    listed = client.list_objects_v2(Bucket=emulator.bucket)["Contents"]
    assert [found["ETag"].strip('"') == plain for found in listed] == [False, True]
    read = client.get_object(Bucket=emulator.bucket, Key="a")
    assert read["Body"].read() == b"<ETag>x</ETag>"
    assert read["ServerSideEncryption"] == "aws:kms"
    emulator.reset()
    assert not emulator.state.encrypted
