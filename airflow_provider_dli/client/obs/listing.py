"""List what is in a bucket, page by page: objects, and directories, which are what keys have in common."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.errors import UnexpectedReplyError
from airflow_provider_dli.client.obs.asking import asked
from airflow_provider_dli.client.replies import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_s3 import S3Client

    from airflow_provider_dli.client.locations import ObsLocation


#: requests that one listing takes at most; each page has up to a thousand objects
MOST_PAGES = 10_000
_OK = 200
_PROBLEM = 1000


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
        try:
            objects += [_entry(each) for each in page.get("Contents", [])]
        except KeyError as error:
            raise _unexpected(page, f"the listing of {directory.url} has an object without {error}") from error
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
    return any(page.get("Contents") for page in pages(client, directory, MaxKeys=1))


def pages(client: S3Client, directory: ObsLocation, **settings: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401
    """Return the pages of a listing, as boto3 returns them, each of them checked to be one of this listing.

    What is not in a listing is taken for missing, so a response proves nothing unless it is about this bucket and
    this prefix, says whether it is the last one, and goes on where the one before ended.

    :param client: see :func:`~airflow_provider_dli.client.obs.settings.make_client`
    :param directory: bucket, or bucket and directory
    :param settings: further parameters of the call
    :raises DliClientError: if the bucket is missing, may not be listed, or OBS does not answer
    """
    seen: set[str] = set()
    marker: dict[str, str] = {}
    for _ in range(MOST_PAGES):
        # The first edition of the call: every store with an S3 interface has it.
        wanted: dict[str, Any] = {"Bucket": directory.bucket, "Prefix": _prefix(directory), **settings, **marker}
        page: Mapping[str, Any] = asked("ListObjects", directory, lambda: client.list_objects(**wanted))  # noqa: B023
        names = _names(directory, page)
        yield page
        if not page["IsTruncated"]:
            return
        following = page.get("NextMarker") or max(names, default="")
        if not following or following == marker.get("Marker") or (names and seen.issuperset(names)):
            raise _unexpected(page, f"the listing of {directory.url} does not get on after {following[:200]!r}")
        seen.update(names)
        marker = {"Marker": following}
    raise _unexpected({}, f"the listing of {directory.url} has more than {MOST_PAGES:,} pages")


def _names(directory: ObsLocation, page: Mapping[str, Any]) -> list[str]:
    """Return the keys and prefixes of a page, if it is one of this directory's listing."""
    prefix = _prefix(directory)
    try:
        names: list[str] = [each["Key"] for each in page.get("Contents", []) if each["LastModified"]]
        names += [each["Prefix"] for each in page.get("CommonPrefixes", [])]
    except KeyError as error:
        raise _unexpected(page, f"the listing of {directory.url} has an entry without {error}") from error
    about = page.get("Name"), page.get("Prefix", prefix)
    strange = [name for name in names if not name.startswith(prefix)]
    if about != (directory.bucket, prefix) or strange:
        what = repr(strange[0]) if strange else f"bucket {about[0]!r} and prefix {about[1]!r}"
        raise _unexpected(page, f"the listing of {directory.url} is about {what[:300]}")
    if "IsTruncated" not in page:
        raise _unexpected(page, f"the listing of {directory.url} does not say whether it is complete")
    return names


def _unexpected(page: Mapping[str, Any], problem: str) -> UnexpectedReplyError:
    metadata = page.get("ResponseMetadata", {})
    status, request_id = metadata.get("HTTPStatusCode", _OK), metadata.get("RequestId")
    return UnexpectedReplyError("ListObjects", status, None, one_line(problem, _PROBLEM), request_id)


def _prefix(directory: ObsLocation) -> str:
    return f"{directory.key}/" if directory.key else ""


def _entry(listed: Mapping[str, Any]) -> Entry:
    return Entry(listed["Key"], listed["Size"], listed["ETag"].strip('"'), listed["LastModified"])
