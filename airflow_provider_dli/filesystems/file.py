"""An open object, as fsspec sees a file."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

from fsspec.spec import AbstractBufferedFile  # type: ignore[import-untyped]  # it has no types

from airflow_provider_dli.escaping import escaped
from airflow_provider_dli.exceptions import translated
from airflow_provider_dli.filesystems.places import info_of, object_of

if TYPE_CHECKING:
    from airflow_provider_dli.filesystems.obs import ObsFileSystem

#: bytes that a write keeps in memory before it goes to a temporary file
_IN_MEMORY = 16 * 1024 * 1024
#: what OBS takes for the type of an object that names none
_ANY_TYPE = "binary/octet-stream"


class ObsFile(AbstractBufferedFile):  # type: ignore[misc]  # fsspec has no types
    """An object that is open to be read in ranges, or to be written as a whole when it is closed.

    :param fs: the filesystem
    :param path: bucket and key
    :param mode: ``rb``, ``wb``, or ``xb`` for an object that must not be there yet
    :param kwargs: further arguments of fsspec; a size is not taken from anybody but OBS
    :raises FileNotFoundError: if there is nothing to read
    :raises IsADirectoryError: if it is a directory
    :raises FileExistsError: if it is there and must not be
    :raises NotImplementedError: for another mode
    :raises DliException: if OBS does not answer
    """

    def __init__(self, fs: ObsFileSystem, path: str, mode: str = "rb", **kwargs: Any) -> None:  # noqa: ANN401
        if mode == "ab":
            raise NotImplementedError(
                f"{escaped(path)}: objects cannot be appended to; read it, and write it anew"
            )
        if mode == "xb":
            if fs.exists(path):
                raise FileExistsError(escaped(path))
            mode = "wb"  # older editions of fsspec know no other
        if mode == "rb":
            # Of one look: a size and a version of two moments may be those of two objects.
            self._facts = fs.facts(path)
            kwargs["size"] = self._facts.size
        self._place = object_of(path)
        super().__init__(fs, path, mode, **kwargs)

    @property
    def details(self) -> dict[str, Any]:
        """What is told of the version that is read."""
        return info_of(self._place, self._facts)

    def close(self) -> None:
        """Close it; what is written appears now, if nothing fails.

        :raises DliException: if OBS does not answer
        :raises DliFailException: if the bucket is missing or may not be written to
        """
        try:
            super().close()
        finally:
            # Older editions of fsspec would write once more when it is collected.
            self.closed = True

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        """Close it; what was written before something failed is not half an object, but none."""
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
