"""Look objects up."""

from __future__ import annotations

from dataclasses import dataclass
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
