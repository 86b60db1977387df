"""Read an object through ranged GETs, as a seekable binary file."""

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
from airflow_provider_dli.client.obs.asking import changed, looked_up

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client

    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.client.obs.objects import ObjectFacts

_PARTIAL_CONTENT = 206
_NOT_FOUND = 404
_OK = 200
#: attempts in a row that bring no new byte, after the first
_RESUMPTIONS = 5
#: of one object, with new bytes: what brings some every time must end, too
_MOST_RESUMPTIONS = 10_000
#: bytes read at once; a body that breaks off takes those with it that were begun
_PIECE = 1 << 16
_SMALLER = 16


class ObjectReader(io.RawIOBase):
    """Reads an object through ranged GETs, all of the one version that was looked up.

    The first read after a seek asks for just its bytes; if the next one goes on where it ended, one streaming
    GET serves it and all that follow. A body cut short is resumed where it broke off, as long as each attempt
    brings new bytes. Every range has an explicit start and end: OBS returns the whole object for any other kind.
    Each response must be about the version that was looked up.

    :param client: see :func:`~airflow_provider_dli.client.obs.settings.make_client`
    :param place: bucket and key
    :param facts: of the version to read, from :func:`~airflow_provider_dli.client.obs.objects.find_object`
    :raises RefusedError: if it lies in an archive tier and has not been restored

    Reading raises :class:`~airflow_provider_dli.client.errors.DliClientError`: if the object is another by now or
    gone, may not be read, or OBS does not answer.
    """

    def __init__(self, client: S3Client, place: ObsLocation, facts: ObjectFacts) -> None:
        super().__init__()
        # First of all: Python closes what it throws away, half made as it may be.
        self._body: Any = None
        if not facts.readable:
            raise _in_archive_tier(place, facts)
        self._client = client
        self._place = place
        self._facts = facts
        self._position = 0
        self._body_end = 0
        self._goes_on = False
        self._piece = _PIECE
        self._resumptions = 0
        self._fruitless = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be positioned."""
        return True

    def tell(self) -> int:
        """Tell the position, in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position; asks nothing of OBS until the next read."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._facts.size}[whence]
        target = max(0, base + offset)
        if target != self._position:
            self._drop_body()
            self._position = target
            self._goes_on = False
        return target

    def read(self, size: int | None = -1) -> bytes:
        """Read ``size`` bytes, fewer only at the end of the object; all the rest by default."""
        left = self._facts.size - self._position
        wanted = left if size is None or size < 0 else min(size, left)
        pieces = []
        while wanted > 0:
            piece = self._read_some(wanted)
            pieces.append(piece)
            wanted -= len(piece)
        self._goes_on = True
        return b"".join(pieces)

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 -- a writable buffer has no public type before 3.12
        """Fill a buffer; the number of bytes read."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Give the connection back."""
        self._drop_body()
        super().close()

    def _read_some(self, wanted: int) -> bytes:
        if self._body is None or self._position == self._body_end:
            self._drop_body()
            self._body = self._open(wanted)
        try:
            piece: bytes = self._body.read(min(wanted, self._piece))
        except (BotoCoreError, HTTPError, OSError) as error:
            return self._resume(str(error))
        if not piece:
            return self._resume(f"the body ended at byte {self._position} of {self._facts.size}")
        self._position += len(piece)
        self._fruitless = 0
        self._piece = min(2 * self._piece, _PIECE)
        return piece

    def _resume(self, reason: str) -> bytes:
        self._drop_body()
        if self._fruitless == _RESUMPTIONS or self._resumptions == _MOST_RESUMPTIONS:
            times = self._resumptions + 1 if self._fruitless < _RESUMPTIONS else self._fruitless + 1
            raise ResponseLostError("GetObject", self._place.url, f"cut {times} times: {reason}")
        self._fruitless += 1
        self._resumptions += 1
        self._piece = max(1, self._piece // _SMALLER)
        return b""

    def _open(self, wanted: int) -> object:
        start = self._position
        self._body_end = self._facts.size if self._goes_on else start + wanted
        end = self._body_end - 1
        version: dict[str, Any] = {"VersionId": self._facts.version_id} if self._facts.version_id else {}
        reply = looked_up(
            "GetObject",
            self._place,
            lambda: self._client.get_object(
                Bucket=self._place.bucket,
                Key=self._place.key,
                Range=f"bytes={start}-{end}",
                IfMatch=f'"{self._facts.etag}"',
                **version,
            ),
        )
        if reply is None:
            raise changed(self._place, _NOT_FOUND, "NoSuchKey")
        try:
            self._check_version(reply)
            self._check_range(reply, f"bytes {start}-{end}/{self._facts.size}")
        except DliClientError:
            reply["Body"].close()
            raise
        return reply["Body"]

    def _check_version(self, reply: Mapping[str, Any]) -> None:
        """Refuse bytes of another version, whatever became of the conditions of the request."""
        etag, version = reply.get("ETag"), reply.get("VersionId")
        is_another = etag is not None and etag.strip('"') != self._facts.etag
        if is_another or (self._facts.version_id and version not in (None, self._facts.version_id)):
            raise changed(self._place, _OK, "AnotherVersion")

    def _check_range(self, reply: Mapping[str, Any], expected: str) -> None:
        status = reply["ResponseMetadata"]["HTTPStatusCode"]
        given = reply.get("ContentRange")
        if status != _PARTIAL_CONTENT or given != expected:
            raise UnexpectedReplyError(
                "GetObject", status, None, f"asked for {expected} and got {given or 'the whole object'}", None
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
        f"{place.url} lies in storage class {facts.storage_class}, where it cannot be read",
        None,
        "Restore it in OBS first, or keep archives of exports in the standard class.",
    )
