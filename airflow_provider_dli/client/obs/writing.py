"""Write objects: small ones at once, large ones in pieces, and copies within the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from boto3.s3.transfer import TransferConfig

from airflow_provider_dli.client.obs.asking import asked
from airflow_provider_dli.client.obs.objects import no_bucket

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.client.obs.objects import ObjectFacts

_ZIP = "application/zip"


def put_object(client: S3Client, place: ObsLocation, data: bytes, content_type: str) -> None:
    """Write an object.

    :param client: see :func:`~airflow_provider_dli.client.obs.settings.make_client`
    :param place: bucket and key
    :param data: its bytes
    :param content_type: of the data
    :raises DliClientError: if the bucket is missing or may not be written to, or OBS does not answer
    """

    def write() -> object:
        return client.put_object(Bucket=place.bucket, Key=place.key, Body=data, ContentType=content_type)

    if asked("PutObject", place, write) is None:
        raise no_bucket(place.bucket)


def copy_object(client: S3Client, source: ObsLocation, facts: ObjectFacts, target: ObsLocation) -> None:
    """Copy an object within the service, if it is still the version that was seen.

    :param client: may read the source and write the target
    :param source: bucket and key
    :param facts: of the version to copy
    :param target: bucket and key
    :raises DliClientError: if either is missing or may not be used, the source has changed, or OBS does not answer
    """

    def copy() -> object:
        return client.copy_object(
            Bucket=target.bucket,
            Key=target.key,
            CopySource={"Bucket": source.bucket, "Key": source.key},
            CopySourceIfMatch=facts.etag,
        )

    if asked("CopyObject", target, copy) is None:
        raise no_bucket(target.bucket)


def upload(client: S3Client, reader: BinaryIO, target: ObsLocation) -> None:
    """Write an object out of a binary file, in pieces, in bounded memory.

    :param client: may write the target
    :param reader: read from its beginning to its end
    :param target: bucket and key
    :raises DliClientError: if the bucket is missing or may not be written to, or OBS does not answer
    """
    # One thread: the reader is one connection, read from front to back.
    one_thread = TransferConfig(use_threads=False)

    def write() -> object:
        client.upload_fileobj(
            reader, target.bucket, target.key, ExtraArgs={"ContentType": _ZIP}, Config=one_thread
        )
        return target

    if asked("PutObject", target, write) is None:
        raise no_bucket(target.bucket)
