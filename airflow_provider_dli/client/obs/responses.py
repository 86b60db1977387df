"""Whether a response is one of OBS to the request, and which of our errors stands for any other outcome."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, ParamValidationError
from botocore.parsers import ResponseParserError

from airflow_provider_dli.client.errors import (
    AuthenticationError,
    ConfigurationError,
    NoResponseError,
    PermissionDeniedError,
    RefusedError,
    ResponseLostError,
    ServiceError,
    ThrottledError,
    UnavailableError,
    UnexpectedReplyError,
)
from airflow_provider_dli.client.replies import UNREADABLE, excerpt, moment, one_line, unexpected

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_dli.client.call import Reply
    from airflow_provider_dli.client.locations import ObsLocation

_SUCCESS = range(200, 300)
_REDIRECTS = range(300, 400)
_OK, _NO_CONTENT = 200, 204
_NOT_FOUND, _PRECONDITION_FAILED, _TOO_MANY_REQUESTS, _SERVER_ERROR = 404, 412, 429, 500
_NO_BUCKET = "NoSuchBucket"
# HEAD has no body, and so no code: boto3 uses the status instead.
_MISSING_CODES = {"404", "NoSuchKey", "NotFound"}
_AUTHENTICATION_CODES = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "RequestTimeTooSkewed",
    "InvalidToken",
    "ExpiredToken",
}
_READ_PERMISSION = "to read this bucket and its objects"
_OTHER_PERMISSIONS = {
    "ListObjects": "to list the objects of this bucket",
    "PutObject": "to write to this bucket",
    "DeleteObject": "to delete objects of this bucket",
    "CopyObject": "to read the source, and to write to the bucket of the copy",
}
#: operation -> the root element of a success (OBS's and S3's API references)
_ROOTS: Mapping[str, str] = {
    "ListObjects": "ListBucketResult",
    "CopyObject": "CopyObjectResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
}
#: operation -> the headers that every success has
_HEADERS: Mapping[str, tuple[str, ...]] = {
    "HeadObject": ("etag", "last-modified", "content-length"),
    "GetObject": ("etag",),
    "PutObject": ("etag",),
    "UploadPart": ("etag",),
}
#: operations whose success is 204
_WITHOUT_CONTENT = ("DeleteObject", "AbortMultipartUpload")
_TRUNCATED = re.compile(rb"IsTruncated>(?:true|false)</")
# Preceded by white space, with which OBS keeps a connection open while it copies, the declaration, comments.
_ROOT = re.compile(rb"(?s)(?:\xef\xbb\xbf)?\s*(?:<\?xml.*?\?>\s*)?(?:<!--.*?-->\s*)*<(?:[\w.-]+:)?([\w.-]+)")


class MissingError(RefusedError):
    """There is no such object."""


class ReplacedError(UnavailableError):
    """The object is no longer the version that was found before."""


@contextmanager
def client_errors(operation: str, place: ObsLocation) -> Iterator[None]:
    """Raise our errors for those of boto3.

    :param operation: for messages
    :param place: what the request is about
    :raises MissingError: if there is no such object
    :raises ReplacedError: if it is another version than the requested one
    :raises ServiceError: the class that fits, for every other refusal; it names the bucket if that is missing
    :raises NotSentError: if OBS cannot be reached
    :raises ResponseLostError: if no response came
    :raises UnexpectedReplyError: if the response is not one of OBS
    """
    try:
        yield
    except ClientError as error:
        raise _error_of(operation, place, error) from error
    except ParamValidationError as error:
        raise ConfigurationError("place", f"{place.url[:200]!r} cannot be used: {error}", "correct it") from error
    except HTTPClientError as error:
        ours = error.kwargs.get("error")
        if isinstance(ours, NoResponseError):
            raise type(ours)(operation, place.url, ours.reason) from error
        raise ResponseLostError(operation, place.url, str(error)) from error
    except (BotoCoreError, Boto3Error) as error:
        raise ResponseLostError(operation, place.url, str(error)) from error
    except (ResponseParserError, *UNREADABLE) as error:
        # botocore's errors on a response that it was not made for.
        problem = f"the response about {place.url} cannot be read: {type(error).__name__}: {error}"
        raise UnexpectedReplyError(operation, _OK, None, one_line(problem), None) from error


def _error_of(operation: str, place: ObsLocation, error: ClientError) -> ServiceError:
    metadata = error.response["ResponseMetadata"]
    status, code = metadata["HTTPStatusCode"], error.response["Error"].get("Code", "")
    if status == _PRECONDITION_FAILED:
        return object_replaced(place, status, code, metadata.get("RequestId"))
    message = error.response["Error"].get("Message", "no message")
    return service_error(operation, place, status, code, message, metadata.get("RequestId"))


def service_error(
    operation: str, place: ObsLocation, status: int, code: str, message: str, request_id: str | None
) -> ServiceError:
    """Return the error for a response that is not a success.

    :param operation: for messages
    :param place: what the request was about
    :param status: HTTP status
    :param code: the service's own code
    :param message: of the service
    :param request_id: for the support of the service
    """
    if code == _NO_BUCKET:
        return no_such_bucket(place.bucket, operation, request_id)
    error_class = _error_class(status, code)
    advice = None
    if error_class is PermissionDeniedError:
        advice = f"The access key needs the permission {_OTHER_PERMISSIONS.get(operation, _READ_PERMISSION)}."
    return error_class(operation, status, code, f"{place.url}: {message}", request_id, advice)


def _error_class(status: int, code: str) -> type[ServiceError]:
    if code in _AUTHENTICATION_CODES:
        return AuthenticationError
    if status in (401, 403):
        return PermissionDeniedError
    if status == _NOT_FOUND and code in _MISSING_CODES:
        return MissingError
    if status == _TOO_MANY_REQUESTS or code in ("SlowDown", "TooManyRequests"):
        return ThrottledError
    return UnavailableError if status >= _SERVER_ERROR else RefusedError


def no_such_bucket(bucket: str, operation: str = "HeadBucket", request_id: str | None = None) -> RefusedError:
    """Return the error for a bucket that does not exist: waiting does not help.

    :param bucket: its name
    :param operation: for messages
    :param request_id: for the support of the service
    """
    return RefusedError(
        operation,
        _NOT_FOUND,
        _NO_BUCKET,
        f"there is no bucket {bucket!r}",
        request_id,
        "Check the bucket's name and the region and obs_endpoint of the connection.",
    )


def object_replaced(
    place: ObsLocation, status: int, code: str, request_id: str | None = None, *, copying: bool = False
) -> ReplacedError:
    """Return the error for an object that is no longer the version that was found before.

    :param place: the object
    :param status: HTTP status
    :param code: the service's own code
    :param request_id: for the support of the service
    :param copying: whether it was to be copied; otherwise it was being read
    """
    operation, when = ("CopyObject", "before it was copied") if copying else ("GetObject", "while it was read")
    return ReplacedError(
        operation,
        status,
        code,
        f"{place.url} was replaced or deleted {when}",
        request_id,
        "Verify again, and find out who writes to this directory.",
    )


def check_reply(operation: str, reply: Reply) -> None:
    """Check that a response is one of OBS to this operation: a login page answers everything with 200.

    :param operation: that was requested
    :param reply: the response
    :raises UnexpectedReplyError: if it is not
    """
    if reply.status in _REDIRECTS:
        target = reply.headers.get("location", "nowhere")
        raise unexpected(operation, reply, f"redirected to {target!r}, which is not followed")
    # An object that exists has headers of OBS; that one does not exist, or a bucket does, the status alone shows.
    # Some stores call the empty body of HEAD a page, too; headers of their own show that they are stores.
    is_store = any(name.startswith(("x-amz", "x-obs")) for name in reply.headers)
    is_page = "html" in reply.headers.get("content-type", "").lower() and not is_store
    if is_page and (reply.status == _NOT_FOUND or operation == "HeadBucket"):
        problem = f"a page of HTML, which is not a response of OBS: {excerpt(reply.body)}"
        raise unexpected(operation, reply, problem)
    if reply.status not in _SUCCESS:
        return
    if operation in _WITHOUT_CONTENT and reply.status != _NO_CONTENT:
        raise unexpected(operation, reply, f"204 was expected, not: {excerpt(reply.body) or 'an empty body'}")
    if missing := [name for name in _HEADERS.get(operation, ()) if not reply.headers.get(name)]:
        raise unexpected(operation, reply, f"the response of OBS lacks the header {', '.join(missing)}")
    if operation == "GetObject":
        _check_headers_of_object(operation, reply)
    if operation in _ROOTS:
        _check_root(operation, reply)


def _check_headers_of_object(operation: str, reply: Reply) -> None:
    """Refuse headers that botocore fails on, with a body behind them that nobody would close."""
    for name, is_valid in (("content-length", str.isdecimal), ("last-modified", moment)):
        value = reply.headers.get(name)
        if value is not None and not is_valid(value):
            raise unexpected(operation, reply, f"the header {name} of the response cannot be read: {value!r}")


def _check_root(operation: str, reply: Reply) -> None:
    found = _ROOT.match(reply.body)
    root = found[1].decode("ascii", "replace") if found else None
    # A copy may fail after its 200 (obs_04_0082); botocore reads the error.
    if root not in (_ROOTS[operation], "Error"):
        problem = f"XML <{_ROOTS[operation]}> was expected, not: {excerpt(reply.body) or 'an empty body'}"
        raise unexpected(operation, reply, problem)
    # botocore reads anything but "true" as false, and so as the end of the listing.
    if root == "ListBucketResult" and len(_TRUNCATED.findall(reply.body)) != 1:
        raise unexpected(operation, reply, "the listing does not show in IsTruncated whether it is complete")
