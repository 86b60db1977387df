"""What paths of fsspec mean in OBS, and what its users are told of those that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.errors import ServiceError
from airflow_provider_dli.client.locations import ObsLocation, parse_directory
from airflow_provider_dli.escaping import escaped
from airflow_provider_dli.exceptions import DliFailException, translated

if TYPE_CHECKING:
    from airflow_provider_dli.client.obs.objects import Directory, ObjectFacts


class NoSuchBucketError(DliFailException, FileNotFoundError):
    """There is no such bucket: no retry helps a task, and for fsspec nothing is found."""


def place_of(path: str) -> ObsLocation:
    """Read a path.

    :param path: without its scheme
    :raises DliFailException: if it names no bucket
    """
    bucket, _, key = path.strip("/").partition("/")
    with translated():
        return ObsLocation(parse_directory("path", bucket).bucket, key)


def object_of(path: str) -> ObsLocation:
    """Read the path of an object that is to be written or removed.

    :param path: without its scheme
    :raises DliFailException: if it names no bucket
    :raises IsADirectoryError: if it names a bucket alone
    """
    place = place_of(path)
    if not place.key:
        raise is_directory(place)
    return place


def is_directory(place: ObsLocation) -> IsADirectoryError:
    """Make the error for a directory where an object is needed.

    :param place: bucket, or bucket and directory
    """
    return IsADirectoryError(f"{escaped(str(place))} is a directory: only objects have content, time and version")


@contextmanager
def looking() -> Iterator[None]:
    """Look for something: a bucket that is missing is told so that fsspec takes it for not found.

    :raises NoSuchBucketError: instead of any :class:`~airflow_provider_dli.exceptions.DliFailException` for that
    """
    try:
        yield
    except DliFailException as error:
        cause = error.error
        if isinstance(cause, ServiceError) and cause.code == "NoSuchBucket":
            raise NoSuchBucketError(str(error)) from cause
        raise


def info_of(place: ObsLocation, facts: ObjectFacts) -> dict[str, Any]:
    """Tell of an object in the words of fsspec.

    :param place: bucket and key
    :param facts: what OBS says of it
    """
    return _object_info(str(place), facts.size, facts.etag, datetime.fromisoformat(facts.last_modified))


def directory_info(place: ObsLocation) -> dict[str, Any]:
    """Tell of a directory in the words of fsspec.

    :param place: bucket, or bucket and directory
    """
    return {"name": str(place), "size": 0, "type": "directory"}


def infos(bucket: str, listed: Directory) -> list[dict[str, Any]]:
    """Tell of all that lies in a directory.

    :param bucket: its bucket
    :param listed: what lies in it
    """
    directories = [directory_info(ObsLocation(bucket, key)) for key in listed.directories]
    objects = [_object_info(f"{bucket}/{each.key}", each.size, each.etag, each.written) for each in listed.objects]
    return directories + objects


def _object_info(name: str, size: int, etag: str, written: datetime) -> dict[str, Any]:
    return {"name": name, "size": size, "type": "file", "ETag": etag, "LastModified": written}
