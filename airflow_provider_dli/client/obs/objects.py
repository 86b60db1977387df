"""Look objects up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from airflow_provider_dli.client.errors import RefusedError
from airflow_provider_dli.client.obs.asking import asked

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from airflow_provider_dli.client.locations import ObsLocation

_NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What OBS says of an object without its content.

    :param size: bytes
    :param etag: entity tag without quotes; the MD5 of the bytes only after a plain, unencrypted PUT
    :param last_modified: time of the last write, ISO 8601
    """

    size: int
    etag: str
    last_modified: str


def find_object(client: S3Client, place: ObsLocation) -> ObjectFacts | None:
    """Look an object up; None if the bucket has no such object yet.

    :param client: see :func:`~airflow_provider_dli.client.obs.settings.make_client`
    :param place: bucket and key
    :raises DliClientError: if the bucket is missing, may not be read, or OBS does not answer
    """
    found = asked("HeadObject", place, lambda: client.head_object(Bucket=place.bucket, Key=place.key))
    if found is None:
        # HEAD has no body to tell a missing object from a missing bucket.
        if asked("HeadBucket", place, lambda: client.head_bucket(Bucket=place.bucket)) is None:
            raise RefusedError(
                "HeadBucket",
                _NOT_FOUND,
                "NoSuchBucket",
                f"there is no bucket {place.bucket!r}",
                None,
                "Check the bucket's name and the region and obs_endpoint of the connection.",
            )
        return None
    return ObjectFacts(found["ContentLength"], found["ETag"].strip('"'), found["LastModified"].isoformat())


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
    prefix = f"{directory.key}/" if directory.key else ""
    # The first edition of the call: every store with an S3 interface has it.
    pages = iter(
        client.get_paginator("list_objects").paginate(Bucket=directory.bucket, Prefix=prefix, Delimiter="/")
    )
    objects: list[tuple[str, datetime]] = []
    moment = None
    while page := asked("ListObjects", directory, lambda: next(pages, None)):
        date = page["ResponseMetadata"]["HTTPHeaders"].get("date")
        moment = moment or (parsedate_to_datetime(date) if date else None)
        objects += [(each["Key"], each["LastModified"]) for each in page.get("Contents", [])]
    return Listing(tuple(objects), moment or datetime.now(UTC))
