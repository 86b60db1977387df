"""List what is in a bucket, page by page: objects, and directories, which are what keys have in common."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.obs.asking import asked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_s3 import S3Client

    from airflow_provider_dli.client.locations import ObsLocation


@dataclass(frozen=True, slots=True)
class Entry:
    """An object, as far as a listing tells of it.

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
    """What lies in a directory, and not deeper.

    :param directories: what keys have in common, each without the slash at its end
    :param objects: without the one that stands for the directory itself, whose key ends in a slash
    """

    directories: tuple[str, ...]
    objects: tuple[Entry, ...]


def list_entries(client: S3Client, directory: ObsLocation) -> Directory | None:
    """List a directory.

    :param client: see :func:`~airflow_provider_dli.client.obs.settings.make_client`
    :param directory: bucket, or bucket and directory
    :returns: what lies in it; None if no key begins with its name, so that it is not there
    :raises DliClientError: if the bucket is missing, may not be listed, or OBS does not answer
    """
    directories: list[str] = []
    objects: list[Entry] = []
    for page in pages(client, directory, Delimiter="/"):
        directories += [each["Prefix"].rstrip("/") for each in page.get("CommonPrefixes", [])]
        objects += [_entry(each) for each in page.get("Contents", [])]
    if directory.key and not directories and not objects:
        return None
    return Directory(tuple(directories), tuple(each for each in objects if each.key != _prefix(directory)))


def list_keys(client: S3Client, directory: ObsLocation) -> list[str]:
    """List the keys of all objects below a directory, at any depth; that of the object that stands for it too.

    :param client: see :func:`~airflow_provider_dli.client.obs.settings.make_client`
    :param directory: bucket, or bucket and directory
    :raises DliClientError: if the bucket is missing, may not be listed, or OBS does not answer
    """
    return [each["Key"] for page in pages(client, directory) for each in page.get("Contents", [])]


def has_objects(client: S3Client, directory: ObsLocation) -> bool:
    """Tell whether there is an object below a directory, or one that stands for it; asks for no more than one.

    :param client: see :func:`~airflow_provider_dli.client.obs.settings.make_client`
    :param directory: bucket, or bucket and directory
    :raises DliClientError: if the bucket is missing, may not be listed, or OBS does not answer
    """
    return any(page.get("Contents") for page in pages(client, directory, PaginationConfig={"PageSize": 1}))


def pages(client: S3Client, directory: ObsLocation, **settings: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401
    """Give the pages of a listing, as boto3 gives them.

    :param client: see :func:`~airflow_provider_dli.client.obs.settings.make_client`
    :param directory: bucket, or bucket and directory
    :param settings: further parameters of the call
    :raises DliClientError: if the bucket is missing, may not be listed, or OBS does not answer
    """
    # The first edition of the call: every store with an S3 interface has it.
    paginator = client.get_paginator("list_objects")
    answers = iter(paginator.paginate(Bucket=directory.bucket, Prefix=_prefix(directory), **settings))
    while page := asked("ListObjects", directory, lambda: next(answers, None)):
        yield page


def _prefix(directory: ObsLocation) -> str:
    return f"{directory.key}/" if directory.key else ""


def _entry(listed: Mapping[str, Any]) -> Entry:
    return Entry(listed["Key"], listed["Size"], listed["ETag"].strip('"'), listed["LastModified"])
