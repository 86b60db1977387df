"""Listing, writing and copying in OBS: the requests of boto3, and the outcome of its responses and errors."""

from __future__ import annotations

import io
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, HTTPClientError, ParamValidationError
from botocore.parsers import ResponseParserError
from botocore.stub import ANY, Stubber

from airflow_provider_dli.client.errors import (
    ConfigurationError,
    DliClientError,
    NotSentError,
    PermissionDeniedError,
    RefusedError,
    ResponseLostError,
    UnavailableError,
    UnexpectedReplyError,
)
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.client.obs.client import MissingError, ReplacedError, _error_class, client_errors
from airflow_provider_dli.client.obs.objects import (
    Listing,
    ObjectFacts,
    copy_object,
    delete_object,
    find_object,
    list_objects,
    put_object,
    upload,
)

PLACE = ObsLocation("obs-test", "dir/a.zip")
TIME = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
DATE = {"HTTPHeaders": {"date": "Thu, 15 Jan 2026 12:30:00 GMT"}, "HTTPStatusCode": 200}


def test_a_directory_is_listed_page_by_page(s3_client: Any, s3_script: Stubber) -> None:
    """Below its name with a slash, not deeper; the moment is the store's on the first page."""
    parameters = {"Bucket": "obs-test", "Prefix": "dir/", "Delimiter": "/"}
    one = {"Key": "dir/a", "LastModified": TIME, "Size": 1}
    two = {"Key": "dir/b", "LastModified": TIME, "Size": 1}
    later = DATE | {"HTTPHeaders": {"date": "Thu, 15 Jan 2026 12:31:00 GMT"}}
    about = {"Name": "obs-test", "Prefix": "dir/"}
    first = {**about, "Contents": [one], "IsTruncated": True, "NextMarker": "dir/a", "ResponseMetadata": DATE}
    s3_script.add_response("list_objects", first, parameters)
    second = {**about, "Contents": [two], "IsTruncated": False, "ResponseMetadata": later}
    s3_script.add_response("list_objects", second, parameters | {"Marker": "dir/a"})
    listing = list_objects(s3_client, ObsLocation("obs-test", "dir"))
    assert listing == Listing((("dir/a", TIME), ("dir/b", TIME)), TIME + timedelta(minutes=30))


@pytest.mark.slow
def test_a_whole_bucket_is_listed(s3_client: Any, s3_script: Stubber) -> None:
    """Without a prefix; one that is empty has no objects; without a date the moment is now."""
    metadata = {"HTTPHeaders": {}, "HTTPStatusCode": 200}
    s3_script.add_response(
        "list_objects",
        {"Name": "obs-test", "IsTruncated": False, "ResponseMetadata": metadata},
        {"Bucket": "obs-test", "Prefix": "", "Delimiter": "/"},
    )
    listing = list_objects(s3_client, ObsLocation("obs-test"))
    assert listing.objects == ()
    assert abs((listing.moment - datetime.now(UTC)).total_seconds()) < 60


def test_a_bucket_that_may_not_be_listed(s3_client: Any, s3_script: Stubber) -> None:
    """The operation and the place are named."""
    s3_script.add_client_error("list_objects", "AccessDenied", "no", 403)
    with pytest.raises(
        PermissionDeniedError,
        match=r"^ListObjects: HTTP 403 AccessDenied: obs://obs-test/dir: no\. "
        r"The access key needs the permission to list the objects of this bucket\.$",
    ):
        list_objects(s3_client, ObsLocation("obs-test", "dir"))


def test_an_object_is_written(s3_client: Any, s3_script: Stubber) -> None:
    """Its bytes, under its key, with its type."""
    expected = {"Bucket": "obs-test", "Key": "dir/a.zip", "Body": b"PK", "ContentType": "text/plain"}
    s3_script.add_response("put_object", {}, expected)
    put_object(s3_client, PLACE, b"PK", "text/plain")


def test_an_object_is_copied_if_it_is_the_one_that_was_seen(s3_client: Any, s3_script: Stubber) -> None:
    """Held to its ETag, within the service."""
    expected = {
        "Bucket": "obs-other", "Key": "b.zip", "CopySource": {"Bucket": "obs-test", "Key": "dir/a.zip"},
        "CopySourceIfMatch": "e1",
    }  # fmt: skip
    s3_script.add_response("copy_object", {"CopyObjectResult": {"ETag": '"e2"'}}, expected)
    copy_object(s3_client, PLACE, ObjectFacts(1, "e1", "t"), ObsLocation("obs-other", "b.zip"))


@pytest.mark.parametrize(("status", "code"), [(412, "PreconditionFailed"), (404, "NoSuchKey"), (404, "404")])
def test_an_object_that_is_another_or_gone_is_not_copied(
    s3_client: Any, s3_script: Stubber, status: int, code: str
) -> None:
    """The error names the source, and not the target."""
    s3_script.add_client_error("copy_object", code, "x", status, response_meta={"RequestId": "r1"})
    with pytest.raises(ReplacedError) as raised:
        copy_object(s3_client, PLACE, ObjectFacts(1, "e1", "t"), ObsLocation("obs-other", "b.zip"))
    error = raised.value
    assert (error.operation, error.status, error.code, error.request_id) == ("CopyObject", status, code, "r1")
    assert error.message == "obs://obs-test/dir/a.zip was replaced or deleted before it was copied"


@pytest.mark.parametrize("answer", [{}, {"CopyObjectResult": {}}])
def test_a_copy_without_a_tag_is_none(s3_client: Any, s3_script: Stubber, answer: Any) -> None:
    """OBS may return 200 before it has copied, and fail then (obs_04_0082); a retry may help."""
    s3_script.add_response("copy_object", answer)
    with pytest.raises(UnavailableError) as raised:
        copy_object(s3_client, PLACE, ObjectFacts(1, "e1", "t"), ObsLocation("obs-other", "b.zip"))
    error = raised.value
    assert (error.operation, error.status, error.code) == ("CopyObject", 200, None)
    assert error.message == "obs://obs-test/dir/a.zip was not copied to obs://obs-other/b.zip: no ETag came back"


def test_an_object_is_removed(s3_client: Any, s3_script: Stubber) -> None:
    """A missing object is ignored; a missing bucket is an error."""
    s3_script.add_response("delete_object", {}, {"Bucket": "obs-test", "Key": "dir/a.zip"})
    delete_object(s3_client, PLACE)
    s3_script.add_client_error("delete_object", "NoSuchKey", "x", 404)
    delete_object(s3_client, PLACE)
    s3_script.add_client_error("delete_object", "NoSuchBucket", "x", 404)
    with pytest.raises(RefusedError, match=r"^DeleteObject: HTTP 404 NoSuchBucket: there is no bucket 'obs-test'"):
        delete_object(s3_client, PLACE)


def test_a_file_is_uploaded(s3_client: Any, s3_script: Stubber) -> None:
    """As a ZIP; a small one at once."""
    s3_script.add_response(
        "put_object",
        {},
        {"Bucket": "obs-test", "Key": "dir/a.zip", "Body": ANY, "ContentType": "application/zip",
         "ChecksumAlgorithm": ANY},
    )  # fmt: skip
    upload(s3_client, io.BytesIO(b"PK"), PLACE)


def test_a_file_of_any_type_is_uploaded(s3_client: Any, s3_script: Stubber) -> None:
    """With the given content type."""
    expected = {"Bucket": "obs-test", "Key": "dir/a.zip", "Body": ANY, "ContentType": "text/plain",
                "ChecksumAlgorithm": ANY}  # fmt: skip
    s3_script.add_response("put_object", {}, expected)
    upload(s3_client, io.BytesIO(b"PK"), PLACE, "text/plain", threads=True)


WRITES: dict[str, tuple[str, Any]] = {
    "PutObject": ("put_object", lambda s3_client: put_object(s3_client, PLACE, b"", "a/b")),
    "CopyObject": (
        "copy_object",
        lambda s3_client: copy_object(s3_client, PLACE, ObjectFacts(1, "e", "t"), PLACE),
    ),
    "upload": ("put_object", lambda s3_client: upload(s3_client, io.BytesIO(b"PK"), PLACE)),
}


@pytest.mark.parametrize("operation", WRITES)
def test_a_bucket_that_is_not_there(s3_client: Any, s3_script: Stubber, operation: str) -> None:
    """The error names the bucket and the operation, whatever is written."""
    method, write = WRITES[operation]
    s3_script.add_client_error(method, "NoSuchBucket", "x", 404, response_meta={"RequestId": "r1"})
    operation_name = "PutObject" if operation == "upload" else operation
    with pytest.raises(RefusedError) as raised:
        write(s3_client)
    assert str(raised.value) == (
        f"{operation_name}: HTTP 404 NoSuchBucket: there is no bucket 'obs-test' (request id r1). "
        "Check the bucket's name and the region and obs_endpoint of the connection."
    )


def test_the_bucket_that_a_copy_misses_is_that_of_the_target(s3_client: Any, s3_script: Stubber) -> None:
    """That of the source was there a moment ago."""
    s3_script.add_client_error("copy_object", "NoSuchBucket", "x", 404)
    with pytest.raises(RefusedError, match="there is no bucket 'obs-other'"):
        copy_object(s3_client, PLACE, ObjectFacts(1, "e", "t"), ObsLocation("obs-other", "b.zip"))


@pytest.mark.parametrize("operation", ["PutObject", "upload"])
def test_a_404_of_a_write_without_a_code_is_raised_as_it_is(
    s3_client: Any, s3_script: Stubber, operation: str
) -> None:
    """It may be of a proxy: the bucket need not be missing."""
    method, write = WRITES[operation]
    s3_script.add_client_error(method, "404", "Not Found", 404)
    with pytest.raises(RefusedError, match=r"^PutObject: HTTP 404 404: obs://obs-test/dir/a\.zip: Not Found\. "):
        write(s3_client)


@pytest.mark.parametrize("operation", WRITES)
def test_a_refusal_to_write(s3_client: Any, s3_script: Stubber, operation: str) -> None:
    """Operation, place, code, words and the request's id."""
    method, write = WRITES[operation]
    s3_script.add_client_error(method, "InternalError", "oops", 500, response_meta={"RequestId": "r1"})
    with pytest.raises(UnavailableError) as raised:
        write(s3_client)
    error = raised.value
    found = (error.operation, error.status, error.code, error.message, error.request_id)
    operation_name = "PutObject" if operation == "upload" else operation
    assert found == (operation_name, 500, "InternalError", "obs://obs-test/dir/a.zip: oops", "r1")


@pytest.mark.parametrize(
    ("operation", "right"),
    [
        ("PutObject", "to write to this bucket"),
        ("CopyObject", "to read the source, and to write to the bucket of the copy"),
    ],
)
def test_a_missing_permission_is_named(s3_client: Any, s3_script: Stubber, operation: str, right: str) -> None:
    """The one that the operation needs."""
    method, write = WRITES[operation]
    s3_script.add_client_error(method, "AccessDenied", "no", 403)
    with pytest.raises(PermissionDeniedError) as raised:
        write(s3_client)
    assert raised.value.advice == f"The access key needs the permission {right}."


def described(**headers: str) -> dict[str, Any]:
    """Make a response to HEAD with these headers; underscores stand for hyphens."""
    given = {"content_length": "7", "etag": '"e1"', "last_modified": "Thu, 15 Jan 2026 12:00:00 GMT"} | headers
    named = {name.replace("_", "-"): value for name, value in given.items()}
    return {"ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": named}}


def test_an_object_is_found(s3_client: Any, s3_script: Stubber) -> None:
    """With all facts of its headers."""
    operation_name = described(
        x_amz_version_id="v1",
        x_amz_storage_class="COLD",
        x_amz_server_side_encryption="aws:kms",
        x_amz_restore='ongoing-request="false"',
    )
    s3_script.add_response("head_object", operation_name, {"Bucket": "obs-test", "Key": "dir/a.zip"})
    facts = ObjectFacts(7, "e1", TIME.isoformat(), "v1", "COLD", encrypted=True, restored=True)
    assert find_object(s3_client, PLACE) == facts
    assert facts.readable
    assert facts.md5 is None
    s3_script.add_response("head_object", described())
    assert find_object(s3_client, PLACE) == ObjectFacts(7, "e1", TIME.isoformat())
    s3_script.add_response("head_object", described(x_amz_server_side_encryption_customer_algorithm="AES256"))
    assert find_object(s3_client, PLACE) == ObjectFacts(7, "e1", TIME.isoformat(), encrypted=True)


def test_an_object_that_is_not_there_yet(s3_client: Any, s3_script: Stubber) -> None:
    """Its bucket is requested."""
    s3_script.add_client_error("head_object", "404", "", 404)
    s3_script.add_response("head_bucket", {}, {"Bucket": "obs-test"})
    assert find_object(s3_client, PLACE) is None
    s3_script.add_client_error("head_object", "404", "", 404)
    s3_script.add_client_error("head_bucket", "404", "", 404)
    with pytest.raises(RefusedError, match="there is no bucket 'obs-test'"):
        find_object(s3_client, PLACE)
    s3_script.add_client_error("head_object", "404", "", 404)
    s3_script.add_client_error("head_bucket", "403", "Forbidden", 403)
    with pytest.raises(PermissionDeniedError, match=r"^HeadBucket: HTTP 403 403: obs://obs-test: Forbidden\. "):
        find_object(s3_client, PLACE)


@pytest.mark.parametrize("code", ["403", "InvalidAccessKeyId"])
def test_a_refused_head_is_explained_by_a_get(s3_client: Any, s3_script: Stubber, code: str) -> None:
    """Of one byte; if that is refused without a reason, the first refusal is raised."""
    s3_script.add_client_error("head_object", code, "", 403)
    expected = {"Bucket": "obs-test", "Key": "dir/a.zip", "Range": "bytes=0-0"}
    s3_script.add_client_error("get_object", "AccessDenied", "why", 403, expected_params=expected)
    with pytest.raises(PermissionDeniedError, match=r"^GetObject: HTTP 403 AccessDenied: .*: why\. "):
        find_object(s3_client, PLACE)
    s3_script.add_client_error("head_object", "403", "", 403)
    s3_script.add_response("get_object", {})
    with pytest.raises(PermissionDeniedError, match=r"^HeadObject: HTTP 403 403: "):
        find_object(s3_client, PLACE)


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (HTTPClientError(error=NotSentError("PutObject", "h:1", "refused")), NotSentError, "refused"),
        (HTTPClientError(error=ResponseLostError("PutObject", "h:1", "cut")), ResponseLostError, "cut"),
        (HTTPClientError(error=OSError("odd")), ResponseLostError, "odd"),
        (BotoCoreError(), ResponseLostError, "unspecified error"),
        (Boto3Error("odd"), ResponseLostError, "odd"),
        (ResponseParserError("no XML"), UnexpectedReplyError, "no XML"),
        (KeyError("ETag"), UnexpectedReplyError, "KeyError: 'ETag'"),
        (RecursionError("deep"), UnexpectedReplyError, "RecursionError: deep"),
        (ParamValidationError(report="bad bucket"), ConfigurationError, "bad bucket"),
    ],
    ids=repr,
)
def test_every_error_of_boto3_becomes_ours(error: Exception, kind: type[DliClientError], message: str) -> None:
    """A request that was never sent differs from one that may have acted; operation, place and reason are kept."""
    with pytest.raises(kind) as raised, client_errors("PutObject", PLACE):
        raise error
    assert type(raised.value) is kind
    assert message in str(raised.value)
    assert "obs://obs-test/dir/a.zip" in str(raised.value)
    assert kind is ConfigurationError or str(raised.value).startswith("PutObject: ")


@pytest.mark.parametrize(
    ("facts", "readable"),
    [
        (ObjectFacts(1, "e", "t"), True),
        (ObjectFacts(1, "e", "t", storage_class="STANDARD_IA"), True),
        (ObjectFacts(1, "e", "t", storage_class="COLD"), False),
        (ObjectFacts(1, "e", "t", storage_class="GLACIER"), False),
        (ObjectFacts(1, "e", "t", storage_class="DEEP_ARCHIVE"), False),
        (ObjectFacts(1, "e", "t", storage_class="COLD", restored=True), True),
    ],
)
def test_what_can_be_read(facts: ObjectFacts, readable: bool) -> None:
    """Not what lies in an archive tier, unless it was taken out."""
    assert facts.readable is readable


def test_the_md5() -> None:
    """Is the ETag of a plain object, and not of an encrypted one or one of pieces."""
    digest = "0123456789abcdef" * 2
    assert ObjectFacts(1, digest, "t").md5 == digest
    assert ObjectFacts(1, digest, "t", encrypted=True).md5 is None
    assert ObjectFacts(1, f"{digest}-2", "t").md5 is None


def test_an_upload_reads_in_the_thread_of_its_caller(s3_client: Any, s3_script: Stubber) -> None:
    """Its source is one connection, read from front to back."""
    threads = set()

    class Source(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def read(self, size: int | None = -1, /) -> bytes:
            threads.add(threading.get_ident())
            return super().read(size)

    s3_script.add_response("put_object", {})
    upload(s3_client, Source(b"PK"), PLACE)
    assert threads == {threading.get_ident()}


def test_a_missing_permission_differs_from_a_missing_object() -> None:
    """So does a 404 with another code."""
    assert _error_class(404, "NoSuchKey") is MissingError
    assert _error_class(404, "Other") is RefusedError
    assert _error_class(403, "NoSuchKey") is PermissionDeniedError
    assert _error_class(400, "NoSuchKey") is RefusedError
