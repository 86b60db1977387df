"""Look objects up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_dli.client.call import Reply
from airflow_provider_dli.client.errors import AuthenticationError, PermissionDeniedError
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.client.obs.asking import looked_up, no_bucket
from airflow_provider_dli.client.obs.listing import pages
from airflow_provider_dli.client.replies import moment, unexpected

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MD5 = re.compile(r"[0-9a-f]{32}")
_DESCRIBING = ("content-length", "etag", "last-modified")
# OBS's own names, and those of the S3 interface.
_ARCHIVE_TIERS = {"COLD", "DEEP_ARCHIVE", "GLACIER"}


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What OBS says of an object without its content.

    :param size: bytes
    :param etag: entity tag without quotes; the MD5 of the bytes only after a plain, unencrypted PUT
    :param last_modified: time of the last write, ISO 8601
    :param version_id: of a bucket with versions; None of any other
    :param storage_class: such as ``COLD``; None for the standard one
    :param encrypted: whether the service encrypts it
    :param restored: whether it was taken out of an archive tier, for some days
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
        """The MD5 of the bytes, where the entity tag is one (obs_04_0013)."""
        return self.etag if _MD5.fullmatch(self.etag) and not self.encrypted else None

    def is_same(self, other: ObjectFacts | None) -> bool:
        """Tell whether it is one version, written once, that was looked up twice.

        :param other: from another look; None if there was nothing
        """
        return other is not None and _identity(self) == _identity(other)

    @property
    def readable(self) -> bool:
        """Whether its bytes can be had: not while they are in an archive tier (obs_04_0080)."""
        return self.restored or self.storage_class not in _ARCHIVE_TIERS


def _identity(facts: ObjectFacts) -> tuple[object, ...]:
    return facts.size, facts.etag, facts.last_modified, facts.version_id


def facts_of(reply: Reply) -> ObjectFacts:
    """Read what the headers of a response to HEAD say of an object, whichever client took them.

    :param reply: of status 200
    :raises UnexpectedReplyError: if they describe none: it has a length, a tag and a time of its last write
    """
    headers = reply.headers
    length, etag = headers.get("content-length", ""), headers.get("etag", "").strip('"')
    written = moment(headers.get("last-modified", ""))
    if not re.fullmatch(r"[0-9]{1,18}", length) or not etag or written is None:
        shown = ", ".join(f"{name}: {headers.get(name, 'none')}" for name in _DESCRIBING)
        raise unexpected("HeadObject", reply, f"the response describes no object: {shown}")
    # "null" is what a bucket says whose versions were switched off again.
    version = headers.get("x-amz-version-id")
    return ObjectFacts(
        int(length),
        etag,
        written.isoformat(),
        version if version != "null" else None,
        headers.get("x-amz-storage-class"),
        any(name.startswith("x-amz-server-side-encryption") for name in headers),
        'ongoing-request="false"' in headers.get("x-amz-restore", ""),
    )


def find_object(client: S3Client, place: ObsLocation) -> ObjectFacts | None:
    """Look an object up; None if the bucket has no such object yet.

    :param client: see :func:`~airflow_provider_dli.client.obs.settings.make_client`
    :param place: bucket and key
    :raises DliClientError: if the bucket is missing, may not be read, or OBS does not answer
    """
    try:
        found = looked_up("HeadObject", place, lambda: client.head_object(Bucket=place.bucket, Key=place.key))
    except (PermissionDeniedError, AuthenticationError):
        _explain(client, place)
        raise
    if found is None:
        # HEAD has no body to tell a missing object from a missing bucket.
        bucket = ObsLocation(place.bucket)
        if looked_up("HeadBucket", bucket, lambda: client.head_bucket(Bucket=bucket.bucket)) is None:
            raise no_bucket(place.bucket)
        return None
    metadata = found["ResponseMetadata"]
    return facts_of(Reply(metadata["HTTPStatusCode"], metadata["HTTPHeaders"], b""))


def _explain(client: S3Client, place: ObsLocation) -> None:
    """Let the service say why: a refusal of HEAD has no body, one of GET has."""
    looked_up("GetObject", place, lambda: client.get_object(Bucket=place.bucket, Key=place.key, Range="bytes=0-0"))


@dataclass(frozen=True, slots=True)
class Listing:
    """The objects of a directory, at one moment.

    :param objects: key and time of the last write of each
    :param moment: the time by the store's own clock, with which those times are to be compared
    """

    objects: tuple[tuple[str, datetime], ...]
    moment: datetime


def list_objects(client: S3Client, directory: ObsLocation) -> Listing:
    """List the objects of a directory, those of its sub-directories left out.

    :param client: see :func:`~airflow_provider_dli.client.obs.settings.make_client`
    :param directory: bucket, or bucket and directory
    :raises DliClientError: if the bucket is missing, may not be listed, or OBS does not answer
    """
    objects: list[tuple[str, datetime]] = []
    at: datetime | None = None
    for page in pages(client, directory, Delimiter="/"):
        at = at or moment(page["ResponseMetadata"]["HTTPHeaders"].get("date", ""))
        objects += [(each["Key"], each["LastModified"]) for each in page.get("Contents", [])]
    return Listing(tuple(objects), at or datetime.now(UTC))
