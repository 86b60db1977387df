"""Read an object through GET requests for ranges, as a seekable binary file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError
from urllib3.exceptions import HTTPError

from airflow_provider_dli.client.errors import (
    DliClientError,
    RefusedError,
    ResponseLostError,
    UnexpectedReplyError,
)
from airflow_provider_dli.client.obs.client import MissingError, client_errors, object_replaced

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client

    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.client.obs.objects import ObjectFacts

_PARTIAL_CONTENT = 206
_NOT_FOUND = 404
_OK = 200
#: further attempts in a row without a new byte
_MAX_FRUITLESS = 5
#: attempts for one object, with new bytes: those must end, too
_MAX_RESUMPTIONS = 10_000
#: bytes read at once; a body that breaks off loses those of the read that it breaks
_CHUNK = 1 << 16
_SHRINK = 16


class ObjectReader(io.RawIOBase):
    """Reads one version of an object through GET requests for ranges.

    The first read after a seek requests just its bytes; if the next one continues where it ended, one streaming
    GET serves it and all that follow. A body that breaks off is resumed at that byte, as long as each attempt
    brings new bytes. Every range has an explicit start and end: OBS returns the whole object for any other kind.
    Each response must be about the version in ``facts``.

    :param client: from :func:`~airflow_provider_dli.client.obs.client.make_client`
    :param place: bucket and key
    :param facts: of the version to read, from :func:`~airflow_provider_dli.client.obs.objects.find_object`
    :raises RefusedError: if it is in an archive tier and not restored

    Reading raises :class:`~airflow_provider_dli.client.errors.DliClientError`: if the object is another version by
    now or gone, cannot be read, or OBS does not respond.
    """

    def __init__(self, client: S3Client, place: ObsLocation, facts: ObjectFacts) -> None:
        super().__init__()
        # First: Python calls close() on an object whose constructor has failed, too.
        self._body: Any = None
        if not facts.readable:
            raise _in_archive_tier(place, facts)
        self._client = client
        self._place = place
        self._facts = facts
        self._position = 0
        self._body_end = 0
        self._continues = False
        self._chunk = _CHUNK
        self._resumptions = 0
        self._fruitless = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position, in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position; the next read requests the bytes there."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._facts.size}[whence]
        target = max(0, base + offset)
        if target != self._position:
            self._drop_body()
            self._position = target
            self._continues = False
        return target

    def read(self, size: int | None = -1) -> bytes:
        """Read ``size`` bytes, fewer only at the end of the object; all the rest by default."""
        left = self._facts.size - self._position
        wanted = left if size is None or size < 0 else min(size, left)
        chunks = []
        while wanted > 0:
            chunk = self._read_chunk(wanted)
            chunks.append(chunk)
            wanted -= len(chunk)
        self._continues = True
        return b"".join(chunks)

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 -- a writable buffer has no public type before 3.12
        """Fill a buffer, and return the number of bytes read."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Return the connection to the pool."""
        self._drop_body()
        super().close()

    def _read_chunk(self, wanted: int) -> bytes:
        if self._body is None or self._position == self._body_end:
            self._drop_body()
            self._body = self._open(wanted)
        try:
            chunk: bytes = self._body.read(min(wanted, self._chunk))
        except (BotoCoreError, HTTPError, OSError) as error:
            return self._resume(str(error))
        if not chunk:
            return self._resume(f"the body ended at byte {self._position} of {self._facts.size}")
        self._position += len(chunk)
        self._fruitless = 0
        self._chunk = min(2 * self._chunk, _CHUNK)
        return chunk

    def _resume(self, reason: str) -> bytes:
        self._drop_body()
        if self._fruitless == _MAX_FRUITLESS or self._resumptions == _MAX_RESUMPTIONS:
            times = self._resumptions + 1 if self._fruitless < _MAX_FRUITLESS else self._fruitless + 1
            raise ResponseLostError("GetObject", self._place.url, f"cut {times} times: {reason}")
        self._fruitless += 1
        self._resumptions += 1
        self._chunk = max(1, self._chunk // _SHRINK)
        return b""

    def _open(self, wanted: int) -> object:
        start = self._position
        self._body_end = self._facts.size if self._continues else start + wanted
        end = self._body_end - 1
        version: dict[str, Any] = {"VersionId": self._facts.version_id} if self._facts.version_id else {}
        try:
            with client_errors("GetObject", self._place):
                reply = self._client.get_object(
                    Bucket=self._place.bucket,
                    Key=self._place.key,
                    Range=f"bytes={start}-{end}",
                    IfMatch=f'"{self._facts.etag}"',
                    **version,
                )
        except MissingError:
            raise object_replaced(self._place, _NOT_FOUND, "NoSuchKey") from None
        try:
            self._check_version(reply)
            self._check_range(reply, f"bytes {start}-{end}/{self._facts.size}")
        except DliClientError:
            reply["Body"].close()
            raise
        return reply["Body"]

    def _check_version(self, reply: Mapping[str, Any]) -> None:
        """Refuse bytes of another version, for a server that ignores the conditions of the request."""
        etag, version = reply.get("ETag"), reply.get("VersionId")
        is_another = etag is not None and etag.strip('"') != self._facts.etag
        if is_another or (self._facts.version_id and version not in (None, self._facts.version_id)):
            raise object_replaced(self._place, _OK, "AnotherVersion")

    def _check_range(self, reply: Mapping[str, Any], expected: str) -> None:
        status = reply["ResponseMetadata"]["HTTPStatusCode"]
        given = reply.get("ContentRange")
        if status != _PARTIAL_CONTENT or given != expected:
            raise UnexpectedReplyError(
                "GetObject", status, None, f"requested {expected} and received {given or 'the whole object'}", None
            )

    def _drop_body(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None


def _in_archive_tier(place: ObsLocation, facts: ObjectFacts) -> RefusedError:
    return RefusedError(
        "GetObject",
        403,
        "InvalidObjectState",
        f"{place.url} is in storage class {facts.storage_class}, where it cannot be read",
        None,
        "Restore it in OBS first, or keep archives of exports in the standard class.",
    )
