"""``obs://`` for Airflow's ``ObjectStoragePath``, on a connection of type ``dli``.

``ObjectStoragePath("obs://my-bucket/flink/a.zip")`` uses the connection ``dli_default``,
``ObjectStoragePath("obs://my_conn@my-bucket/flink/a.zip")`` another.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fsspec import AbstractFileSystem  # type: ignore[import-untyped]  # it has no types
from fsspec.spec import AbstractBufferedFile  # type: ignore[import-untyped]  # it has no types

from airflow_provider_dli.client.errors import ServiceError
from airflow_provider_dli.client.locations import ObsLocation, parse_directory
from airflow_provider_dli.exceptions import DliFailException, translated
from airflow_provider_dli.formatting import escaped
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.parameters import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_s3 import S3Client

    from airflow_provider_dli.client.obs.objects import ObjectFacts

#: the schemes that Airflow uses this module for
schemes = ["obs"]
#: bytes that a write keeps in memory before it uses a temporary file
_IN_MEMORY = 16 * 1024 * 1024
#: the default type of an object in OBS
_ANY_TYPE = "binary/octet-stream"


def get_fs(conn_id: str | None, storage_options: Mapping[str, Any] | None = None) -> ObsFileSystem:
    """Return the filesystem of a connection, for Airflow.

    :param conn_id: connection of type ``dli``; None for ``dli_default``
    :param storage_options: further arguments of fsspec
    """
    return ObsFileSystem(conn_id=conn_id or DEFAULT_CONN_ID, **(storage_options or {}))


class NoSuchBucketError(DliFailException, FileNotFoundError):
    """There is no such bucket: a task is not retried, and fsspec finds nothing."""


class ObsFileSystem(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """OBS over its S3 interface, as fsspec's filesystem: directories are common prefixes of keys.

    An open object is read in one version: if it is replaced meanwhile, reading fails.

    What does not exist is a :class:`FileNotFoundError`, and nothing else is: if OBS does not respond, or refuses,
    every method raises :class:`~airflow_provider_dli.exceptions.DliException`, or
    :class:`~airflow_provider_dli.exceptions.DliFailException` if no retry helps. A missing bucket is both, except
    in methods that write.

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
        """Return the details of one object or directory.

        :param path: bucket, or bucket and key or directory
        :raises FileNotFoundError: if there is neither
        """
        place = _place_of(self._strip_protocol(path))
        with _missing_bucket_is_not_found():
            if place.key and (facts := self.hook.find(place)):
                return _facts_info(place, facts)
            if not self.hook.has_objects(place) and place.key:
                raise FileNotFoundError(escaped(path))
        return _directory_info(place)

    def exists(self, path: str, **_kwargs: Any) -> bool:  # noqa: ANN401 -- fsspec's
        """Return whether there is an object or a directory.

        :param path: bucket, or bucket and key or directory
        """
        try:
            self.info(path)
        except FileNotFoundError:
            return False
        return True

    def isfile(self, path: str) -> bool:
        """Return whether there is an object.

        :param path: bucket and key
        """
        try:
            return bool(self.info(path)["type"] == "file")
        except FileNotFoundError:
            return False

    def ls(self, path: str, detail: bool = True, **_kwargs: Any) -> list[Any]:  # noqa: ANN401, FBT001, FBT002 -- fsspec's
        """List a directory, or the one object.

        :param path: bucket, or bucket and directory
        :param detail: return the details of each, as :meth:`info` does, and not just the names
        :raises FileNotFoundError: if there is no such directory or object
        """
        place = _place_of(self._strip_protocol(path))
        with _missing_bucket_is_not_found():
            listed = self.hook.list_entries(place)
        if listed is None:
            found = [self.info(path)]
        else:
            found = [_directory_info(ObsLocation(place.bucket, key)) for key in listed.directories]
            found += [
                _object_info(f"{place.bucket}/{each.key}", each.size, each.etag, each.written)
                for each in listed.objects
            ]
        return found if detail else [each["name"] for each in found]

    def facts(self, path: str) -> ObjectFacts:
        """Return the facts of an object.

        :param path: bucket and key
        :raises FileNotFoundError: if there is none
        :raises IsADirectoryError: if it is a directory
        """
        place = _place_of(self._strip_protocol(path))
        with _missing_bucket_is_not_found():
            if place.key and (facts := self.hook.find(place)):
                return facts
            if self.hook.has_objects(place) or not place.key:
                raise _is_directory(place)
        raise FileNotFoundError(escaped(path))

    def modified(self, path: str) -> datetime:
        """Return the time of the last write of an object.

        :param path: bucket and key
        :raises FileNotFoundError: if there is none
        :raises IsADirectoryError: if it is a directory
        """
        return datetime.fromisoformat(self.facts(path).last_modified).astimezone(UTC)

    def ukey(self, path: str) -> str:
        """Return a string that changes whenever the object does.

        :param path: bucket and key
        :raises FileNotFoundError: if there is none
        :raises IsADirectoryError: if it is a directory
        """
        return self.facts(path).etag

    def cp_file(self, path1: str, path2: str, **_kwargs: Any) -> None:  # noqa: ANN401 -- fsspec's
        """Copy an object within OBS, without a download. Of a directory there is nothing to copy.

        :param path1: bucket and key of the source
        :param path2: bucket and key of the copy
        :raises FileNotFoundError: if there is no such object
        :raises IsADirectoryError: if the copy is to be a bucket
        """
        try:
            facts = self.facts(path1)
        except IsADirectoryError:
            return
        source, target = (_object_place_of(self._strip_protocol(path)) for path in (path1, path2))
        self.hook.copy(source, facts, target)

    def rm_file(self, path: str) -> None:
        """Delete an object; one that does not exist counts as deleted.

        :param path: bucket and key
        :raises IsADirectoryError: if it names a bucket alone
        """
        self.hook.delete(_object_place_of(self._strip_protocol(path)))

    def rm(self, path: str | list[str], recursive: bool = False, maxdepth: int | None = None) -> None:  # noqa: FBT001, FBT002
        """Delete objects; none before all of them are found.

        :param path: bucket and key, or a pattern, or several
        :param recursive: delete directories with all that is in them
        :param maxdepth: how deep at most
        :raises FileNotFoundError: if there is no such object or directory
        :raises IsADirectoryError: if it is a directory, without ``recursive``
        """
        found: dict[ObsLocation, None] = {}
        for each in self.expand_path(path):
            found |= dict.fromkeys(self._tree(each, maxdepth) if recursive else [self._leaf(each)])
        # The object that stands for a directory is deleted after those in it.
        for place in sorted(found, key=str, reverse=True):
            self.hook.delete(place)

    def _leaf(self, path: str) -> ObsLocation:
        self.facts(path)
        return _object_place_of(path)

    def _tree(self, path: str, maxdepth: int | None) -> list[ObsLocation]:
        place = _place_of(path)
        with _missing_bucket_is_not_found():
            keys = self.hook.list_keys(place)
            found = [place] if place.key and self.hook.find(place) else []
        if place.key and not keys and not found:
            raise FileNotFoundError(escaped(path))
        begin = len(place.key) + 1 if place.key else 0
        near = [key for key in keys if maxdepth is None or key.count("/", begin) < maxdepth]
        return found + [ObsLocation(place.bucket, key) for key in near]

    def mkdir(self, path: str, create_parents: bool = True, **_kwargs: Any) -> None:  # noqa: ANN401, FBT001, FBT002
        """Do nothing: a directory exists when an object in it does."""

    def makedirs(self, path: str, exist_ok: bool = False) -> None:  # noqa: FBT001, FBT002 -- fsspec's
        """Do nothing, likewise."""

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> ObsFile:  # noqa: ANN401 -- fsspec's
        return ObsFile(self, path, mode, **kwargs)


class ObsFile(AbstractBufferedFile):  # type: ignore[misc]  # fsspec has no types
    """An open object: read in ranges, or written as a whole when it is closed.

    :param fs: the filesystem
    :param path: bucket and key
    :param mode: ``rb``, ``wb``, or ``xb`` for an object that must not exist yet
    :param kwargs: further arguments of fsspec; a size is accepted from OBS only
    :raises FileNotFoundError: if there is nothing to read
    :raises IsADirectoryError: if it is a directory
    :raises FileExistsError: if it exists and must not
    :raises NotImplementedError: for another mode
    :raises DliException: if OBS does not respond
    """

    def __init__(self, fs: ObsFileSystem, path: str, mode: str = "rb", **kwargs: Any) -> None:  # noqa: ANN401
        if mode == "ab":
            raise NotImplementedError(
                f"{escaped(path)}: objects cannot be appended to; read it, and write it again"
            )
        if mode == "xb":
            if fs.exists(path):
                raise FileExistsError(escaped(path))
            mode = "wb"  # older versions of fsspec have no other
        if mode == "rb":
            # Found once: a size and a version found at two times may be of two objects.
            self._facts = fs.facts(path)
            kwargs["size"] = self._facts.size
        self._place = _object_place_of(path)
        super().__init__(fs, path, mode, **kwargs)

    @property
    def details(self) -> dict[str, Any]:
        """The details of the version that is read."""
        return _facts_info(self._place, self._facts)

    def close(self) -> None:
        """Close it; a written object appears now, unless something fails.

        :raises DliException: if OBS does not respond
        :raises DliFailException: if the bucket is missing or cannot be written to
        """
        try:
            super().close()
        finally:
            # Older versions of fsspec would write once more at garbage collection.
            self.closed = True

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        """Close it; if something failed while it was written, no object is made of a part of it."""
        if kind is not None and self.mode != "rb":
            self.closed = True
        super().__exit__(kind, *rest)

    def _fetch_range(self, start: int, end: int) -> bytes:
        with translated(), self.fs.hook.open(self._place, self._facts) as reader:
            reader.seek(start)
            data: bytes = reader.read(end - start)
            return data

    def _initiate_upload(self) -> None:
        self._spool = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 -- closed when uploaded

    def _upload_chunk(self, final: bool = False) -> bool:  # noqa: FBT001, FBT002 -- fsspec's
        self._spool.write(self.buffer.getvalue())
        if final:
            self._spool.seek(0)
            with self._spool:
                self.fs.hook.upload(self._spool, self._place, _ANY_TYPE)
        return True


def _place_of(path: str) -> ObsLocation:
    """Return the place of a path without its scheme.

    :raises DliFailException: if it names no bucket
    """
    bucket, _, key = path.rstrip("/").partition("/")
    with translated():
        return ObsLocation(parse_directory("path", bucket or path).bucket, key)


def _object_place_of(path: str) -> ObsLocation:
    """Return the place of an object to read, write or delete.

    :raises DliFailException: if it names no bucket
    :raises IsADirectoryError: if it names a bucket alone
    """
    place = _place_of(path)
    if not place.key:
        raise _is_directory(place)
    return place


def _is_directory(place: ObsLocation) -> IsADirectoryError:
    return IsADirectoryError(f"{escaped(str(place))} is a directory: only objects have content, time and version")


@contextmanager
def _missing_bucket_is_not_found() -> Iterator[None]:
    """Raise the error for a missing bucket in a class that fsspec takes for not found."""
    try:
        yield
    except DliFailException as error:
        cause = error.error
        if isinstance(cause, ServiceError) and cause.code == "NoSuchBucket":
            raise NoSuchBucketError(str(error)) from cause
        raise


def _directory_info(place: ObsLocation) -> dict[str, Any]:
    return {"name": str(place), "size": 0, "type": "directory"}


def _facts_info(place: ObsLocation, facts: ObjectFacts) -> dict[str, Any]:
    return _object_info(str(place), facts.size, facts.etag, datetime.fromisoformat(facts.last_modified))


def _object_info(name: str, size: int, etag: str, written: datetime) -> dict[str, Any]:
    return {"name": name, "size": size, "type": "file", "ETag": etag, "LastModified": written}
