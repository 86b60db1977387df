"""Find, list, write, copy and delete objects."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote, urlsplit

from boto3.s3.transfer import TransferConfig
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from airflow_provider_dli.client.call import USER_AGENT, Reply, Request, send
from airflow_provider_dli.client.errors import (
    AuthenticationError,
    PermissionDeniedError,
    ServiceError,
    UnavailableError,
    UnexpectedReplyError,
)
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.client.obs.client import (
    MissingError,
    ReplacedError,
    addressing_style,
    check_reply,
    client_errors,
    no_such_bucket,
    object_replaced,
    redact_logs,
    service_error,
)
from airflow_provider_dli.client.replies import moment, one_line, unexpected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mypy_boto3_s3 import S3Client

    from airflow_provider_dli.client.call import Clock, Flow
    from airflow_provider_dli.client.credentials import AccessKey
    from airflow_provider_dli.client.exchange import Account

#: bytes of the largest object that one request copies within OBS
MAX_COPY = 5 * 1024**3
#: most requests for one listing; each page has up to a thousand objects
MAX_PAGES = 10_000
_OK, _PARTIAL, _NOT_FOUND = 200, 206, 404
_MAX_PROBLEM = 1000
_ZIP = "application/zip"
_MD5 = re.compile(r"[0-9a-f]{32}")
_CODE = re.compile(rb"<Code>\s*([^<]{1,100}?)\s*</Code>")
_MESSAGE = re.compile(rb"<Message>\s*([^<]{1,500}?)\s*</Message>")
_UNSIGNED = Config(s3={"payload_signing_enabled": False})
_ENCRYPTED = ("x-amz-server-side-encryption", "x-obs-server-side-encryption")
#: storage classes in which an object cannot be read: OBS's own names, and those of the S3 interface
ARCHIVE_TIERS = {"COLD", "DEEP_ARCHIVE", "GLACIER"}


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """The metadata of an object.

    :param size: bytes
    :param etag: entity tag without quotes; the MD5 of the bytes only after a plain, unencrypted PUT
    :param last_modified: time of the last write, ISO 8601
    :param version_id: in a bucket with versions; None in any other
    :param storage_class: such as ``COLD``; None for the standard class
    :param encrypted: whether the service encrypts it
    :param restored: whether it is restored from an archive tier, for some days
    """

    size: int
    etag: str
    last_modified: str
    version_id: str | None = None
    storage_class: str | None = None
    encrypted: bool = False
    restored: bool = False

    @property
    def md5(self) -> str | None:
        """The MD5 of the bytes, if the entity tag is one (obs_04_0013)."""
        return self.etag if _MD5.fullmatch(self.etag) and not self.encrypted else None

    def is_same(self, other: ObjectFacts | None) -> bool:
        """Return whether both are facts of one version, written once.

        :param other: found at another time; None if there was no object
        """
        names = ("size", "etag", "last_modified", "version_id")
        return other is not None and all(getattr(self, name) == getattr(other, name) for name in names)

    @property
    def readable(self) -> bool:
        """Whether its bytes can be read: not while it is in an archive tier (obs_04_0080)."""
        return self.restored or self.storage_class not in ARCHIVE_TIERS


@dataclass(frozen=True, slots=True)
class Listing:
    """The objects of a directory, at one moment.

    :param objects: key and time of the last write of each
    :param moment: the time by the store's own clock, to compare those times with
    """

    objects: tuple[tuple[str, datetime], ...]
    moment: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """An object in a listing.

    :param key: its key
    :param size: bytes
    :param etag: entity tag without quotes
    :param written: time of the last write
    """

    key: str
    size: int
    etag: str
    written: datetime


@dataclass(frozen=True, slots=True)
class Directory:
    """The content of a directory, without that of its sub-directories.

    :param directories: common prefixes of keys, each without the slash at its end
    :param objects: without the one that stands for the directory itself, whose key ends in a slash
    """

    directories: tuple[str, ...]
    objects: tuple[Entry, ...]


def find_object(client: S3Client, place: ObsLocation) -> ObjectFacts | None:
    """Return the facts of an object; None if the bucket has no such object yet.

    :raises DliClientError: if the bucket is missing, cannot be read, or OBS does not respond
    """
    try:
        with client_errors("HeadObject", place):
            found = client.head_object(Bucket=place.bucket, Key=place.key)
    except MissingError:
        _check_bucket(client, ObsLocation(place.bucket))
        return None
    except (PermissionDeniedError, AuthenticationError):
        _explain_refusal(client, place)
        raise
    metadata = found["ResponseMetadata"]
    return facts_of(Reply(metadata["HTTPStatusCode"], metadata["HTTPHeaders"], b""))


def _check_bucket(client: S3Client, bucket: ObsLocation) -> None:
    """Raise if the bucket is missing: HEAD of an object has no body to distinguish it from a missing object."""
    try:
        with client_errors("HeadBucket", bucket):
            client.head_bucket(Bucket=bucket.bucket)
    except MissingError:
        raise no_such_bucket(bucket.bucket) from None


def _explain_refusal(client: S3Client, place: ObsLocation) -> None:
    """Raise the refusal with its reason: that of HEAD has no body, that of GET has."""
    try:
        with client_errors("GetObject", place):
            client.get_object(Bucket=place.bucket, Key=place.key, Range="bytes=0-0")
    except MissingError:
        return


def find_object_flow(
    place: ObsLocation, account: Account, clock: Clock, *, bucket_known: bool = False
) -> Flow[ObjectFacts | None]:
    """Return the facts of an object, as a flow for either transport; None if there is no such object yet.

    boto3 would need a thread for each poll. A thousand triggers on one event loop poll more cheaply through the
    async transport that DLI's calls go through; botocore signs.

    :param account: which OBS, and as whom
    :param clock: for credentials that expire
    :param bucket_known: True if an earlier poll has shown that the bucket exists
    :raises DliClientError: if the bucket is missing, cannot be read, or OBS does not respond
    """
    key = yield from account.credentials.keys(clock)
    reply = yield from send(_signed_request("HeadObject", "HEAD", place, account, key))
    account.obs_clock.observe(reply)
    check_reply("HeadObject", reply)
    if reply.status == _OK:
        return facts_of(reply)
    if reply.status != _NOT_FOUND:
        # The refusal of HEAD has no body with a reason; that of a GET of one byte has.
        first_byte = _signed_request("GetObject", "GET", place, account, key, {"Range": "bytes=0-0"})
        explained = yield from send(first_byte)
        raise _refusal("HeadObject", place, explained if explained.status not in (_OK, _PARTIAL) else reply)
    if not bucket_known:
        yield from _check_bucket_flow(ObsLocation(place.bucket), account, key)
    return None


def _check_bucket_flow(bucket: ObsLocation, account: Account, key: AccessKey) -> Flow[None]:
    reply = yield from send(_signed_request("HeadBucket", "HEAD", bucket, account, key))
    check_reply("HeadBucket", reply)
    if reply.status == _NOT_FOUND:
        raise no_such_bucket(bucket.bucket)
    # Nothing else shows that it exists: one that is refused, or unavailable, may never have the object.
    if reply.status != _OK:
        raise _refusal("HeadBucket", bucket, reply)


def _signed_request(
    operation: str,
    method: str,
    place: ObsLocation,
    account: Account,
    key: AccessKey,
    headers: Mapping[str, str] | None = None,
) -> Request:
    redact_logs()
    url = _url(account.obs_endpoint, place)
    given = {"Host": urlsplit(url).netloc, "User-Agent": USER_AGENT, **(headers or {})}
    request = AWSRequest(method=method, url=url, headers=given)
    request.context["client_config"] = _UNSIGNED
    credentials = Credentials(key.access_key, key.secret_key, key.security_token)
    S3SigV4Auth(credentials, "s3", account.region).add_auth(request)
    signed = tuple((name, str(value)) for name, value in request.headers.items())
    signature = request.headers["Authorization"].rpartition("=")[2]
    secrets = (signature, *([key.security_token] if key.security_token else []))
    return Request(method, url, signed, operation=operation, secrets=secrets, logins=(key.access_key,))


def _url(endpoint: str, place: ObsLocation) -> str:
    path = quote(place.key)
    if addressing_style(endpoint) == "path":
        return f"{endpoint}/{place.bucket}/{path}" if path else f"{endpoint}/{place.bucket}"
    scheme, _, host = endpoint.partition("://")
    return f"{scheme}://{place.bucket}.{host}/{path}"


def _refusal(operation: str, place: ObsLocation, reply: Reply) -> ServiceError:
    code, message = _CODE.search(reply.body), _MESSAGE.search(reply.body)
    return service_error(
        operation,
        place,
        reply.status,
        code[1].decode("utf-8", "replace") if code else str(reply.status),
        message[1].decode("utf-8", "replace") if message else "no message",
        reply.headers.get("x-amz-request-id"),
    )


def facts_of(reply: Reply) -> ObjectFacts:
    """Return the facts in the headers of a response to HEAD.

    :param reply: of status 200
    :raises UnexpectedReplyError: if it lacks a length, an entity tag or the time of the last write
    """
    headers = reply.headers
    length, etag = headers.get("content-length", ""), headers.get("etag", "").strip('"')
    written = moment(headers.get("last-modified", ""))
    if not re.fullmatch(r"[0-9]{1,18}", length) or not etag or written is None:
        names = ("content-length", "etag", "last-modified")
        shown = ", ".join(f"{name}: {headers.get(name, 'none')}" for name in names)
        raise unexpected("HeadObject", reply, f"the response describes no object: {shown}")
    # "null" is the version in a bucket whose versions were switched off again.
    version = headers.get("x-amz-version-id")
    return ObjectFacts(
        int(length),
        etag,
        written.isoformat(),
        version if version != "null" else None,
        headers.get("x-amz-storage-class"),
        any(name.startswith(_ENCRYPTED) for name in headers),
        'ongoing-request="false"' in headers.get("x-amz-restore", ""),
    )


def list_objects(client: S3Client, directory: ObsLocation) -> Listing:
    """List the objects of a directory, without those of its sub-directories.

    :raises DliClientError: if the bucket is missing, cannot be listed, or OBS does not respond
    """
    objects: list[tuple[str, datetime]] = []
    at: datetime | None = None
    for page in _pages(client, directory, Delimiter="/"):
        at = at or moment(page["ResponseMetadata"]["HTTPHeaders"].get("date", ""))
        objects += [(each["Key"], each["LastModified"]) for each in page.get("Contents", [])]
    return Listing(tuple(objects), at or datetime.now(UTC))


def list_entries(client: S3Client, directory: ObsLocation) -> Directory | None:
    """List the objects of a directory, and the directories in it.

    :returns: its content; None if no key begins with its name, so that it does not exist
    :raises DliClientError: if the bucket is missing, cannot be listed, or OBS does not respond
    """
    directories: list[str] = []
    objects: list[Entry] = []
    for page in _pages(client, directory, Delimiter="/"):
        directories += [each["Prefix"].rstrip("/") for each in page.get("CommonPrefixes", [])]
        objects += _entries(directory, page)
    if directory.key and not directories and not objects:
        return None
    return Directory(tuple(directories), tuple(each for each in objects if each.key != _prefix(directory)))


def list_keys(client: S3Client, directory: ObsLocation) -> list[str]:
    """List the keys of all objects below a directory, at any depth; that of the object that stands for it too.

    :raises DliClientError: if the bucket is missing, cannot be listed, or OBS does not respond
    """
    return [each["Key"] for page in _pages(client, directory) for each in page.get("Contents", [])]


def list_tree(client: S3Client, directory: ObsLocation) -> Iterator[Entry]:
    """Yield all objects below a directory, at any depth, in the order of their keys.

    :raises DliClientError: if the bucket is missing, cannot be listed, or OBS does not respond
    """
    for page in _pages(client, directory):
        yield from _entries(directory, page)


def _entries(directory: ObsLocation, page: Mapping[str, Any]) -> list[Entry]:
    try:
        return [
            Entry(each["Key"], each["Size"], each["ETag"].strip('"'), each["LastModified"])
            for each in page.get("Contents", [])
        ]
    except KeyError as error:
        raise _unexpected(page, f"the listing of {directory.url} has an object without {error}") from error


def has_objects(client: S3Client, directory: ObsLocation) -> bool:
    """Return whether there is an object below a directory, or one that stands for it; requests no more than one.

    :raises DliClientError: if the bucket is missing, cannot be listed, or OBS does not respond
    """
    return any(page.get("Contents") for page in _pages(client, directory, MaxKeys=1))


def _pages(client: S3Client, directory: ObsLocation, **settings: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401
    """Yield the pages of a listing, as boto3 returns them, each checked to belong to it.

    An object that is not in a listing counts as missing, so a response must be about this bucket and this prefix,
    show whether it is the last one, and continue where the previous one ended.
    """
    seen: set[str] = set()
    marker: dict[str, str] = {}
    for _ in range(MAX_PAGES):
        # The first version of the call: every store with an S3 interface has it.
        wanted: dict[str, Any] = {"Bucket": directory.bucket, "Prefix": _prefix(directory), **settings, **marker}
        with client_errors("ListObjects", directory):
            page: Mapping[str, Any] = client.list_objects(**wanted)
        names = _names(directory, page)
        yield page
        if not page["IsTruncated"]:
            return
        following = page.get("NextMarker") or max(names, default="")
        if not following or following == marker.get("Marker") or (names and seen.issuperset(names)):
            raise _unexpected(page, f"the listing of {directory.url} does not get on after {following[:200]!r}")
        seen.update(names)
        marker = {"Marker": following}
    raise _unexpected({}, f"the listing of {directory.url} has more than {MAX_PAGES:,} pages")


def _names(directory: ObsLocation, page: Mapping[str, Any]) -> list[str]:
    """Return the keys and prefixes of a page, if it belongs to this directory's listing."""
    prefix = _prefix(directory)
    try:
        names: list[str] = [each["Key"] for each in page.get("Contents", []) if each["LastModified"]]
        names += [each["Prefix"] for each in page.get("CommonPrefixes", [])]
    except KeyError as error:
        raise _unexpected(page, f"the listing of {directory.url} has an entry without {error}") from error
    subject = page.get("Name"), page.get("Prefix", prefix)
    foreign = [name for name in names if not name.startswith(prefix)]
    if subject != (directory.bucket, prefix) or foreign:
        what = repr(foreign[0]) if foreign else f"bucket {subject[0]!r} and prefix {subject[1]!r}"
        raise _unexpected(page, f"the listing of {directory.url} is about {what[:300]}")
    if "IsTruncated" not in page:
        raise _unexpected(page, f"the listing of {directory.url} does not show whether it is complete")
    return names


def _prefix(directory: ObsLocation) -> str:
    return f"{directory.key}/" if directory.key else ""


def _unexpected(page: Mapping[str, Any], problem: str) -> UnexpectedReplyError:
    metadata = page.get("ResponseMetadata", {})
    status, request_id = metadata.get("HTTPStatusCode", _OK), metadata.get("RequestId")
    return UnexpectedReplyError("ListObjects", status, None, one_line(problem, _MAX_PROBLEM), request_id)


def get_object(client: S3Client, place: ObsLocation, limit: int) -> bytes | None:
    """Return the bytes of a small object; None if the bucket has no such object.

    :param limit: most bytes
    :raises DliClientError: if it has more, cannot be read, or OBS does not respond
    """
    try:
        with client_errors("GetObject", place):
            response = client.get_object(Bucket=place.bucket, Key=place.key)
            with response["Body"] as body:
                data = body.read(limit + 1)
                if len(data) <= limit:
                    # At the end botocore compares the length with that of the header: a response may be cut.
                    body.read(1)
    except MissingError:
        return None
    if len(data) > limit:
        problem = f"{place.url} has more than {limit:,} bytes, which is too large for what it should be"
        raise UnexpectedReplyError("GetObject", _OK, None, problem, None)
    return data


def put_object(client: S3Client, place: ObsLocation, data: bytes, content_type: str) -> None:
    """Write an object.

    :param data: its bytes
    :param content_type: of the data
    :raises DliClientError: if the bucket is missing or cannot be written to, or OBS does not respond
    """
    with client_errors("PutObject", place):
        client.put_object(Bucket=place.bucket, Key=place.key, Body=data, ContentType=content_type)


def upload(
    client: S3Client,
    reader: BinaryIO,
    target: ObsLocation,
    content_type: str = _ZIP,
    *,
    threads: bool = False,
    count: Callable[[int], object] | None = None,
) -> None:
    """Write an object from a binary file, in parts, in bounded memory.

    :param reader: read from its beginning to its end
    :param content_type: of the content of the file
    :param threads: whether to send several parts at once; not for a reader that is one connection, read in order
    :param count: called with the bytes of each piece that was sent
    :raises DliClientError: if the bucket is missing or cannot be written to, or OBS does not respond
    """
    extra, config = {"ContentType": content_type}, TransferConfig(use_threads=threads)
    with client_errors("PutObject", target):
        client.upload_fileobj(reader, target.bucket, target.key, ExtraArgs=extra, Callback=count, Config=config)


def copy_object(client: S3Client, source: ObsLocation, facts: ObjectFacts, target: ObsLocation) -> None:
    """Copy an object within the service, if it is still the version that was found.

    :param facts: of the version to copy
    :raises DliClientError: if the source is another version by now or gone, a bucket is missing or cannot be used,
        or OBS does not respond or does not copy
    """
    try:
        with client_errors("CopyObject", target):
            response = client.copy_object(
                Bucket=target.bucket,
                Key=target.key,
                CopySource={"Bucket": source.bucket, "Key": source.key},
                CopySourceIfMatch=facts.etag,
            )
    except (MissingError, ReplacedError) as error:
        # Only the source can be missing or replaced: the request has no condition on the target.
        raise object_replaced(source, error.status, error.code or "", error.request_id, copying=True) from error
    if not response.get("CopyObjectResult", {}).get("ETag"):
        # OBS may return 200 before it copies, and fail then (obs_04_0082).
        message = f"{source.url} was not copied to {target.url}: no ETag came back"
        raise UnavailableError("CopyObject", _OK, None, message, None)


def delete_object(client: S3Client, place: ObsLocation) -> None:
    """Delete an object; one that does not exist counts as deleted.

    :raises DliClientError: if the bucket is missing or its objects cannot be deleted, or OBS does not respond
    """
    try:
        with client_errors("DeleteObject", place):
            client.delete_object(Bucket=place.bucket, Key=place.key)
    except MissingError:
        return
