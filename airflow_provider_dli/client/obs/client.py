"""A boto3 client set up for OBS, that sends through our own transport, and our errors for its own.

Set up by the OBS FAQ on boto3 (obs_faq_0274): virtual-host addressing, unsigned payload, checksums only when
required, and then ``Content-MD5``. Credentials are passed explicitly, so that boto's default chain is never used;
variables and files that configure AWS clients are ignored, for they are meant for another cloud.

boto3 has an HTTP client of its own. It would follow redirects with signatures, read bodies without limit in size
or time, have its own proxies and certificate authorities, and not show whether a request has left. So all requests
go through the transport that DLI's calls go through, with the same limits and the same errors.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import logging
import os
import re
from contextlib import contextmanager
from datetime import datetime
from functools import cache, partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import boto3
import botocore.session
from boto3.exceptions import Boto3Error
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.configprovider import ConfigValueStore, ConstantProvider
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, ParamValidationError
from botocore.loaders import create_loader
from botocore.parsers import ResponseParserError
from botocore.utils import parse_timestamp

from airflow_provider_dli.client.call import Request
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
from airflow_provider_dli.client.replies import UNREADABLE, body_excerpt, moment, one_line, unexpected
from airflow_provider_dli.client.transport.sync import Streamed, SyncTransport
from airflow_provider_dli.formatting import excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mypy_boto3_s3 import S3Client

    from airflow_provider_dli.client.call import Reply
    from airflow_provider_dli.client.credentials import AccessKey
    from airflow_provider_dli.client.exchange import Account
    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.client.replies import ServiceClock

_LOGIN = re.compile(r"Credential=(.+?)/\d{8}/")
_SECRET_HEADERS = ("authorization", "x-amz-security-token")
# The access key id is not a secret, but the secret key is, if the two are swapped.
_LOGGED_SECRETS = re.compile(r"(?i)(x-amz-security-token'?:\s*|signature[=:]\s*|credential=)[^\s,}]+")
# The loggers of botocore that log a signed request, at DEBUG.
_LOGGERS = ("botocore.auth", "botocore.endpoint")
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
_LISTED_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3})?Z")
_TRUNCATED = re.compile(rb"IsTruncated>(?:true|false)</")
# Preceded by white space, with which OBS keeps a connection open while it copies, the declaration, comments.
_ROOT = re.compile(rb"(?s)(?:\xef\xbb\xbf)?\s*(?:<\?xml.*?\?>\s*)?(?:<!--.*?-->\s*)*<(?:[\w.-]+:)?([\w.-]+)")


def make_client(
    account: Account, get_key: Callable[[], AccessKey], transport: SyncTransport | None = None
) -> S3Client:
    """Return a boto3 client set up for OBS.

    :param account: which OBS endpoint, and how it is reached
    :param get_key: returns the current access key; called for every request
    :param transport: sends the requests; by default one of its own, closed with the client
    :raises ConfigurationError: if boto3 does not accept the region or the endpoint
    """
    redact_logs()
    transport = transport or SyncTransport(account.network)
    session = boto3.session.Session(botocore_session=_session(CurrentCredentials(get_key)))
    try:
        client = session.client(
            "s3",
            region_name=account.region,
            endpoint_url=account.obs_endpoint,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": addressing_style(account.obs_endpoint), "payload_signing_enabled": False},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                retries={"mode": "standard"},
            ),
        )
    except (BotoCoreError, ValueError) as error:
        problem = f"boto3 makes no client of {excerpt(account.obs_endpoint, secret=True)} ({type(error).__name__})"
        raise ConfigurationError("obs_endpoint", problem, "check region and obs_endpoint") from None
    events = client.meta.events
    events.register("before-send.s3", partial(_send, transport, account.obs_clock))  # type: ignore[arg-type]  # its result counts
    events.register("before-parameter-build.s3", _disable_redirects)
    events.register_last("before-call.s3", _add_md5)  # after what still changes the body
    # boto3 never sends through it, but closes it with the client.
    client._endpoint.http_session = transport  # type: ignore[attr-defined]  # noqa: SLF001 -- botocore's
    return client


def redact_logs() -> None:
    """Keep signatures, security tokens and logins out of botocore's logs from now on, in the whole process."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(redact)


def redact(record: logging.LogRecord) -> bool:
    """Remove secrets from a log record, as a filter that lets every record pass."""
    message = record.getMessage()
    redacted = _LOGGED_SECRETS.sub(r"\1***", message)
    if redacted != message:
        record.msg, record.args = redacted, ()
    return True


class CurrentCredentials(Credentials):
    """Credentials that botocore reads at every request, so that renewed keys are used."""

    def __init__(self, get_key: Callable[[], AccessKey]) -> None:
        key = get_key()
        super().__init__(key.access_key, key.secret_key, key.security_token, method="explicit")
        self._get_key = get_key

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return the current key, for the signer."""
        key = self._get_key()
        return ReadOnlyCredentials(key.access_key, key.secret_key, key.security_token)


def _session(credentials: Credentials) -> Any:  # noqa: ANN401 -- its private parts are used
    # A session of our own: the default one is shared by the whole process and not thread-safe.
    session: Any = botocore.session.Session()
    session._credentials = credentials  # noqa: SLF001 -- botocore's only way to pass one's own
    # Every setting has botocore's own default, whatever the environment and ~/.aws have.
    settings = {name: default for name, (_, _, default, _) in session.SESSION_VARIABLES.items()}
    settings |= {"config_file": os.devnull, "credentials_file": os.devnull}
    store = ConfigValueStore({name: ConstantProvider(default) for name, default in settings.items()})
    session.register_component("config_store", store)
    session.register_component("data_loader", _models())
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=parse_time)
    return session


def parse_time(value: Any) -> datetime:  # noqa: ANN401 -- as botocore calls it
    """Return a time of a response.

    In a listing each object has one, of one form. To guess the form of each, as botocore does, is slow.

    :raises ValueError: if it is none
    """
    if isinstance(value, str) and _LISTED_TIME.fullmatch(value):
        return datetime.fromisoformat(f"{value[:-1]}+00:00")
    return parse_timestamp(value)


@cache
def _models() -> Any:  # noqa: ANN401 -- untyped there
    """Return the loader of botocore's service models: it caches what it has read, which takes longest of all."""
    return create_loader()


def addressing_style(endpoint: str) -> Literal["path", "virtual"]:
    """Return how buckets are addressed: OBS refuses path style, an IP address or localhost has no sub-domains."""
    host = urlsplit(endpoint).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "path" if host == "localhost" else "virtual"
    return "path"


def _disable_redirects(context: Any, **_: Any) -> None:  # noqa: ANN401 -- botocore's
    """Keep botocore from signing for any region or host that a response names, and sending there."""
    context.setdefault("s3_redirect", {})["redirected"] = True


def _add_md5(model: Any, params: dict[str, Any], **_: Any) -> None:  # noqa: ANN401 -- botocore's
    """Send ``Content-MD5`` with each operation for which S3 requires a checksum: botocore would send a CRC.

    OBS requires it for several of them (obs_04_0086, obs_04_0034), and has it as an option for the others.
    """
    if not (model.http_checksum_required or model.http_checksum.get("requestChecksumRequired")):
        return
    params["context"].pop("checksum", None)
    headers = params["headers"]
    headers.pop("x-amz-sdk-checksum-algorithm", None)
    if "Content-MD5" not in headers:
        digest = hashlib.md5(params["body"], usedforsecurity=False).digest()
        headers["Content-MD5"] = base64.b64encode(digest).decode()


def _send(transport: SyncTransport, clock: ServiceClock, request: Any, event_name: str, **_: Any) -> AWSResponse:  # noqa: ANN401 -- botocore's
    """Send a signed request of boto3, as the handler of its event ``before-send``.

    :raises HTTPClientError: with an error of ours in it, for botocore to retry the request
    :raises UnexpectedReplyError: if the response is not one of OBS
    """
    operation = event_name.rpartition(".")[2]
    ours = _request(operation, request)
    try:
        if operation == "GetObject":
            received = transport.stream(ours)
        else:
            received = transport.fetch(ours, request.body or None)
    except NoResponseError as error:
        raise HTTPClientError(error=error) from error
    reply = received.head if isinstance(received, Streamed) else received
    clock.observe(reply)
    if reply.status not in _SUCCESS:
        # Messages repeat its words, and those may repeat the request.
        reply = ours.redacted(reply)
    try:
        check_reply(operation, reply)
    except BaseException:
        if isinstance(received, Streamed):
            received.close()
        raise
    body = _Body(received) if isinstance(received, Streamed) else SimpleNamespace(stream=lambda: [reply.body])
    return AWSResponse(ours.url, reply.status, dict(reply.headers), body)  # type: ignore[arg-type]  # any mapping


def _request(operation: str, request: Any) -> Request:  # noqa: ANN401 -- botocore's
    headers = {
        str(name): value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        for name, value in request.headers.items()
    }
    # Makes the server wait for a body that is sent at once.
    headers.pop("Expect", None)
    proofs = [value for name, value in headers.items() if name.lower() in _SECRET_HEADERS]
    return Request(
        request.method,
        request.url,
        tuple(headers.items()),
        operation=operation,
        secrets=tuple(proof.rpartition("Signature=")[2] for proof in proofs),
        logins=tuple(found[1] for proof in proofs if (found := _LOGIN.search(proof))),
    )


class _Body:
    """A streamed body as botocore reads one; a failure is botocore's, as its callers expect."""

    def __init__(self, streamed: Streamed) -> None:
        self._streamed = streamed

    def read(self, size: int | None = None) -> bytes:
        try:
            return self._streamed.read(size)
        except NoResponseError as error:
            if self._streamed.is_too_slow:
                raise
            raise HTTPClientError(error=error) from error

    def close(self) -> None:
        self._streamed.close()


def check_reply(operation: str, reply: Reply) -> None:
    """Check that a response is one of OBS to this operation: a login page answers everything with 200.

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
        problem = f"a page of HTML, which is not a response of OBS: {body_excerpt(reply.body)}"
        raise unexpected(operation, reply, problem)
    if reply.status not in _SUCCESS:
        return
    if operation in _WITHOUT_CONTENT and reply.status != _NO_CONTENT:
        raise unexpected(operation, reply, f"204 was expected, not: {body_excerpt(reply.body) or 'an empty body'}")
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
        problem = f"XML <{_ROOTS[operation]}> was expected, not: {body_excerpt(reply.body) or 'an empty body'}"
        raise unexpected(operation, reply, problem)
    # botocore reads anything but "true" as false, and so as the end of the listing.
    if root == "ListBucketResult" and len(_TRUNCATED.findall(reply.body)) != 1:
        raise unexpected(operation, reply, "the listing does not show in IsTruncated whether it is complete")


class MissingError(RefusedError):
    """There is no such object."""


class ReplacedError(UnavailableError):
    """The object is no longer the version that was found before."""


@contextmanager
def client_errors(operation: str, place: ObsLocation) -> Iterator[None]:
    """Raise our errors for those of boto3 about a place.

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
        raise ConfigurationError(
            "place", f"{place.url[:200]!r} cannot be used: {error}", "give bucket/key of an object"
        ) from error
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
    """Return the error for a response that is not a success."""
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
    """Return the error for a bucket that does not exist: waiting does not help."""
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
    """Return the error for an object that is no longer the version that was found before."""
    operation, when = ("CopyObject", "before it was copied") if copying else ("GetObject", "while it was read")
    return ReplacedError(
        operation,
        status,
        code,
        f"{place.url} was replaced or deleted {when}",
        request_id,
        "Verify again, and find out who writes to this directory.",
    )
