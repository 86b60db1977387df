"""Write objects: small ones at once, large ones in pieces, and copies within the service; remove them."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from boto3.s3.transfer import TransferConfig

from airflow_provider_dli.client.errors import UnavailableError
from airflow_provider_dli.client.obs.asking import MissingError, ReplacedError, asked, changed, looked_up

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

    asked("PutObject", place, write)


def copy_object(client: S3Client, source: ObsLocation, facts: ObjectFacts, target: ObsLocation) -> None:
    """Copy an object within the service, if it is still the version that was seen.

    :param client: may read the source and write the target
    :param source: bucket and key
    :param facts: of the version to copy
    :param target: bucket and key
    :raises DliClientError: if the source is another by now or gone, a bucket is missing or may not be used, or OBS
        does not answer or does not copy
    """
    try:
        tag = asked("CopyObject", target, lambda: _copy(client, source, facts, target))
    except (MissingError, ReplacedError) as error:
        # Nothing but the source can be missing or another: what the target was before is not asked.
        raise changed(source, error.status, error.code or "", error.request_id, copying=True) from error
    if not tag:
        # OBS may say 200 before it copies, and fail then (obs_04_0082).
        message = f"{source.url} was not copied to {target.url}: no ETag came back"
        raise UnavailableError("CopyObject", 200, None, message, None)


def _copy(client: S3Client, source: ObsLocation, facts: ObjectFacts, target: ObsLocation) -> str | None:
    answer = client.copy_object(
        Bucket=target.bucket,
        Key=target.key,
        CopySource={"Bucket": source.bucket, "Key": source.key},
        CopySourceIfMatch=facts.etag,
    )
    return answer.get("CopyObjectResult", {}).get("ETag")


def upload(
    client: S3Client, reader: BinaryIO, target: ObsLocation, content_type: str = _ZIP, *, threads: bool = False
) -> None:
    """Write an object out of a binary file, in pieces, in bounded memory.

    :param client: may write the target
    :param reader: read from its beginning to its end
    :param target: bucket and key
    :param content_type: of what is in the file
    :param threads: whether several may send at once; not for a reader that is one connection, read front to back
    :raises DliClientError: if the bucket is missing or may not be written to, or OBS does not answer
    """
    extra, config = {"ContentType": content_type}, TransferConfig(use_threads=threads)

    def write() -> None:
        client.upload_fileobj(reader, target.bucket, target.key, ExtraArgs=extra, Config=config)

    asked("PutObject", target, write)


def delete_object(client: S3Client, place: ObsLocation) -> None:
    """Remove an object; one that is not there is as good as removed.

    :param client: may delete it
    :param place: bucket and key
    :raises DliClientError: if the bucket is missing or its objects may not be deleted, or OBS does not answer
    """
    looked_up("DeleteObject", place, lambda: client.delete_object(Bucket=place.bucket, Key=place.key))
