"""``obs://`` for Airflow's ``ObjectStoragePath``, on a connection of type ``dli``.

``ObjectStoragePath("obs://my-bucket/flink/a.zip")`` uses the connection ``dli_default``,
``ObjectStoragePath("obs://my_conn@my-bucket/flink/a.zip")`` another.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fsspec import AbstractFileSystem  # type: ignore[import-untyped]  # it has no types

from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.escaping import escaped
from airflow_provider_dli.filesystems.file import ObsFile
from airflow_provider_dli.filesystems.places import (
    directory_info,
    info_of,
    infos,
    is_directory,
    looking,
    object_of,
    place_of,
)
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.parameters import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client

    from airflow_provider_dli.client.obs.objects import ObjectFacts

#: what Airflow asks this module about
schemes = ["obs"]


def get_fs(conn_id: str | None, storage_options: Mapping[str, Any] | None = None) -> ObsFileSystem:
    """Give Airflow the filesystem of a connection.

    :param conn_id: connection of type ``dli``; None for ``dli_default``
    :param storage_options: further arguments of fsspec
    """
    return ObsFileSystem(conn_id=conn_id or DEFAULT_CONN_ID, **(storage_options or {}))


class ObsFileSystem(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """OBS over its S3 interface, as fsspec sees a filesystem: directories are what keys have in common.

    What is read is one version of an object: if it is replaced while it is open, reading fails.

    What is not there is a :class:`FileNotFoundError`. That is said of nothing else: where OBS does not answer, or
    refuses, every method raises :class:`~airflow_provider_dli.exceptions.DliException`, of the kind that no retry
    helps where none does. A bucket that is missing is both, except to what writes.

    :param conn_id: connection of type ``dli``
    """

    protocol = "obs"
    root_marker = ""

    def __init__(self, conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:  # noqa: ANN401 -- fsspec's
        super().__init__(**kwargs)
        self.hook = ObsHook(conn_id)

    @property
    def client(self) -> S3Client:
        """The boto3 client."""
        return self.hook.get_conn()

    def info(self, path: str, **_kwargs: Any) -> dict[str, Any]:  # noqa: ANN401 -- fsspec's
        """Tell of one object, or of a directory.

        :param path: bucket, or bucket and key or directory
        :raises FileNotFoundError: if there is neither
        """
        place = place_of(self._strip_protocol(path))
        with looking():
            if place.key and (facts := self.hook.find(place)):
                return info_of(place, facts)
            if not self.hook.has_objects(place) and place.key:
                raise FileNotFoundError(escaped(path))
        return directory_info(place)

    def exists(self, path: str, **_kwargs: Any) -> bool:  # noqa: ANN401 -- fsspec's
        """Tell whether there is an object or a directory.

        :param path: bucket, or bucket and key or directory
        """
        try:
            self.info(path)
        except FileNotFoundError:
            return False
        return True

    def isfile(self, path: str) -> bool:
        """Tell whether there is an object.

        :param path: bucket and key
        """
        try:
            return bool(self.info(path)["type"] == "file")
        except FileNotFoundError:
            return False

    def ls(self, path: str, detail: bool = True, **_kwargs: Any) -> list[Any]:  # noqa: ANN401, FBT001, FBT002 -- fsspec's
        """List a directory, or the one object.

        :param path: bucket, or bucket and directory
        :param detail: give what :meth:`info` gives of each, and not the names alone
        :raises FileNotFoundError: if there is no such directory or object
        """
        place = place_of(self._strip_protocol(path))
        with looking():
            listed = self.hook.list_entries(place)
        found = [self.info(path)] if listed is None else infos(place.bucket, listed)
        return found if detail else [each["name"] for each in found]

    def facts(self, path: str) -> ObjectFacts:
        """Look an object up.

        :param path: bucket and key
        :raises FileNotFoundError: if there is none
        :raises IsADirectoryError: if it is a directory
        """
        place = place_of(self._strip_protocol(path))
        with looking():
            if place.key and (facts := self.hook.find(place)):
                return facts
            if self.hook.has_objects(place) or not place.key:
                raise is_directory(place)
        raise FileNotFoundError(escaped(path))

    def modified(self, path: str) -> datetime:
        """Tell when an object was last written.

        :param path: bucket and key
        :raises FileNotFoundError: if there is none
        :raises IsADirectoryError: if it is a directory
        """
        return datetime.fromisoformat(self.facts(path).last_modified).astimezone(UTC)

    def ukey(self, path: str) -> str:
        """Give what changes whenever the object does.

        :param path: bucket and key
        :raises FileNotFoundError: if there is none
        :raises IsADirectoryError: if it is a directory
        """
        return self.facts(path).etag

    def cp_file(self, path1: str, path2: str, **_kwargs: Any) -> None:  # noqa: ANN401 -- fsspec's
        """Copy an object within OBS; its bytes do not come here. Of a directory there is nothing to copy.

        :param path1: bucket and key of what is there
        :param path2: bucket and key of the copy
        :raises FileNotFoundError: if there is no such object
        :raises IsADirectoryError: if the copy is to be a bucket
        """
        try:
            facts = self.facts(path1)
        except IsADirectoryError:
            return
        source, target = (object_of(self._strip_protocol(path)) for path in (path1, path2))
        self.hook.copy(source, facts, target)

    def rm_file(self, path: str) -> None:
        """Remove an object; one that is not there is as good as removed.

        :param path: bucket and key
        :raises IsADirectoryError: if it names a bucket alone
        """
        self.hook.delete(object_of(self._strip_protocol(path)))

    def rm(self, path: str | list[str], recursive: bool = False, maxdepth: int | None = None) -> None:  # noqa: FBT001, FBT002
        """Remove objects; nothing before all of them are found.

        :param path: bucket and key, or a pattern, or several
        :param recursive: remove directories with all that lies in them
        :param maxdepth: how deep at most
        :raises FileNotFoundError: if there is no such object or directory
        :raises IsADirectoryError: if it is a directory, and ``recursive`` is not said
        """
        doomed: dict[ObsLocation, None] = {}
        for each in self.expand_path(path):
            doomed |= dict.fromkeys(self._tree(each, maxdepth) if recursive else [self._leaf(each)])
        # What stands for a directory goes after what lies in it.
        for place in sorted(doomed, key=str, reverse=True):
            self.hook.delete(place)

    def _leaf(self, path: str) -> ObsLocation:
        self.facts(path)
        return object_of(path)

    def _tree(self, path: str, maxdepth: int | None) -> list[ObsLocation]:
        place = place_of(path)
        with looking():
            keys = self.hook.list_keys(place)
            found = [place] if place.key and self.hook.find(place) else []
        if place.key and not keys and not found:
            raise FileNotFoundError(escaped(path))
        begin = len(place.key) + 1 if place.key else 0
        near = [key for key in keys if maxdepth is None or key.count("/", begin) < maxdepth]
        return found + [ObsLocation(place.bucket, key) for key in near]

    def mkdir(self, path: str, create_parents: bool = True, **_kwargs: Any) -> None:  # noqa: ANN401, FBT001, FBT002
        """Do nothing: a directory is there when an object in it is."""

    def makedirs(self, path: str, exist_ok: bool = False) -> None:  # noqa: FBT001, FBT002 -- fsspec's
        """Do nothing, likewise."""

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> ObsFile:  # noqa: ANN401 -- fsspec's
        return ObsFile(self, path, mode, **kwargs)
