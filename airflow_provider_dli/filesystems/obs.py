"""``obs://`` for Airflow's ``ObjectStoragePath``, on a connection of type ``dli``.

``ObjectStoragePath("obs://my-bucket/flink/a.zip")`` uses the connection ``dli_default``,
``ObjectStoragePath("obs://my_conn@my-bucket/flink/a.zip")`` another.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fsspec import AbstractFileSystem  # type: ignore[import-untyped]  # it has no types
from fsspec.spec import AbstractBufferedFile  # type: ignore[import-untyped]  # likewise

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.connection.fields import DEFAULT_CONN_ID
from airflow_provider_dli.exceptions import translated
from airflow_provider_dli.hooks.obs import ObsHook

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client

#: what Airflow asks this module about
schemes = ["obs"]
#: bytes that a write keeps in memory before it goes to a temporary file
_IN_MEMORY = 16 * 1024 * 1024


def get_fs(conn_id: str | None, storage_options: Mapping[str, Any] | None = None) -> ObsFileSystem:
    """Give Airflow the filesystem of a connection.

    :param conn_id: connection of type ``dli``; None for ``dli_default``
    :param storage_options: further arguments of fsspec
    """
    return ObsFileSystem(conn_id=conn_id or DEFAULT_CONN_ID, **(storage_options or {}))


class ObsFileSystem(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """OBS over its S3 interface, as fsspec sees a filesystem: directories are what keys have in common.

    What is read is one version of an object: if it is replaced while it is open, reading fails.

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

        :raises FileNotFoundError: if there is neither
        """
        bucket, key = _split(self._strip_protocol(path))
        if key and (facts := self.hook.find(ObsLocation(bucket, key))):
            written = datetime.fromisoformat(facts.last_modified)
            name = f"{bucket}/{key}"
            return {"name": name, "size": facts.size, "type": "file", "ETag": facts.etag, "LastModified": written}
        if key and not self._listed(bucket, f"{key}/", 1):
            raise FileNotFoundError(path)
        return {"name": f"{bucket}/{key}".rstrip("/"), "size": 0, "type": "directory"}

    def ls(self, path: str, detail: bool = True, **_kwargs: Any) -> list[Any]:  # noqa: ANN401, FBT001, FBT002 -- fsspec's
        """List a directory, or the one object.

        :param path: bucket, or bucket and directory
        :param detail: give what :meth:`info` gives of each, and not the names alone
        :raises FileNotFoundError: if there is no such directory or object
        """
        bucket, key = _split(self._strip_protocol(path))
        found = self._listed(bucket, f"{key}/" if key else "")
        if not found and key:
            found = [self.info(path)]
        return found if detail else [each["name"] for each in found]

    def modified(self, path: str) -> datetime:
        """Tell when an object was last written."""
        written: datetime = self.info(path)["LastModified"]
        return written.astimezone(UTC)

    def ukey(self, path: str) -> str:
        """Give what changes whenever the object does."""
        return str(self.info(path)["ETag"])

    def cp_file(self, path1: str, path2: str, **_kwargs: Any) -> None:  # noqa: ANN401 -- fsspec's
        """Copy an object within OBS; its bytes do not come here.

        :raises OSError: if OBS answers 200 without an ETag, which is no success (obs_04_0082)
        """
        (bucket, key), (to_bucket, to_key) = (_split(self._strip_protocol(path)) for path in (path1, path2))
        answer = self.client.copy_object(Bucket=to_bucket, Key=to_key, CopySource={"Bucket": bucket, "Key": key})
        if not answer.get("CopyObjectResult", {}).get("ETag"):
            raise OSError(f"OBS did not copy {path1} to {path2}")

    def _rm(self, path: str) -> None:
        bucket, key = _split(self._strip_protocol(path))
        self.client.delete_object(Bucket=bucket, Key=key)

    def mkdir(self, path: str, create_parents: bool = True, **_kwargs: Any) -> None:  # noqa: ANN401, FBT001, FBT002
        """Do nothing: a directory is there when an object in it is."""

    def makedirs(self, path: str, exist_ok: bool = False) -> None:  # noqa: FBT001, FBT002 -- fsspec's
        """Do nothing, likewise."""

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> ObsFile:  # noqa: ANN401 -- fsspec's
        return ObsFile(self, path, mode, **kwargs)

    def _listed(self, bucket: str, prefix: str, most: int | None = None) -> list[dict[str, Any]]:
        bound: Any = {"PaginationConfig": {"MaxItems": most}} if most else {}
        pages = self.client.get_paginator("list_objects").paginate(
            Bucket=bucket, Prefix=prefix, Delimiter="/", **bound
        )
        found: list[dict[str, Any]] = []
        for page in pages:
            found += [
                {"name": f"{bucket}/{each['Prefix'].rstrip('/')}", "size": 0, "type": "directory"}
                for each in page.get("CommonPrefixes", [])
            ]
            found += [
                {
                    "name": f"{bucket}/{each['Key']}",
                    "size": each["Size"],
                    "type": "file",
                    "ETag": each["ETag"].strip('"'),
                    "LastModified": each["LastModified"],
                }
                for each in page.get("Contents", [])
            ]
        return found


class ObsFile(AbstractBufferedFile):  # type: ignore[misc]  # fsspec has no types
    """An object that is open to be read in ranges, or to be written as a whole when it is closed."""

    def _fetch_range(self, start: int, end: int) -> bytes:
        bucket, key = _split(self.path)
        place = ObsLocation(bucket, key)
        if not hasattr(self, "_facts"):
            self._facts = self.fs.hook.find(place)
            if self._facts is None:
                raise FileNotFoundError(self.path)
        with translated(), self.fs.hook.open(place, self._facts) as reader:
            reader.seek(start)
            data: bytes = reader.read(end - start)
            return data

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        """Close it; what was written before something failed is not half an object, but none."""
        if kind is not None and self.mode != "rb":
            self.closed = True
        super().__exit__(kind, *rest)

    def _initiate_upload(self) -> None:
        self._spool = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 -- closed when uploaded

    def _upload_chunk(self, final: bool = False) -> bool:  # noqa: FBT001, FBT002 -- fsspec's
        self._spool.write(self.buffer.getvalue())
        if final:
            bucket, key = _split(self.path)
            self._spool.seek(0)
            with self._spool:
                self.fs.client.upload_fileobj(self._spool, bucket, key)
        return True


def _split(path: str) -> tuple[str, str]:
    bucket, _, key = path.strip("/").partition("/")
    if not bucket:
        raise ConfigurationError("path", "names no bucket", "give obs://bucket/key")
    return bucket, key
