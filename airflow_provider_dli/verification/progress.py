"""A line in the log now and then, while much is read."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_dli.wording import Logger, counted

if TYPE_CHECKING:
    from airflow_provider_dli.archive.source import Reader

_MEGA = 1_000_000


class Progress:
    """Counts archives and bytes, and tells how far it has come and how long it will take.

    :param log: where to tell
    :param archives: how many there are to read
    :param size: bytes of all of them together
    :param interval: seconds between two lines
    :param clock: counts seconds
    """

    def __init__(
        self,
        log: Logger,
        archives: int,
        size: int,
        interval: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._archives = archives
        self._size = size
        self._interval = interval
        self._clock = clock
        self._began = self._told = clock()
        self._read = 0
        self._done = 0

    def reading(self, reader: Reader) -> Reader:
        """Count what is read.

        :param reader: of the next archive
        """
        return _Counting(reader, self._count)

    def finished(self, size: int, read_before: int) -> None:
        """Note that an archive is done, however much of it was read.

        :param size: its bytes
        :param read_before: :attr:`position` when it was begun
        """
        self._done += 1
        self._read = read_before + size

    @property
    def position(self) -> int:
        """Bytes that are done."""
        return self._read

    def _count(self, size: int) -> None:
        self._read += size
        now = self._clock()
        if now - self._told < self._interval:
            return
        self._told = now
        rate = self._read / (now - self._began)
        left = max(0, self._size - self._read) / rate if rate else 0.0
        self._log.info(
            "Read %.0f of %.0f MB, %d of %s done; %.1f MB/s, about %.0f s left.",
            self._read / _MEGA,
            self._size / _MEGA,
            self._done,
            counted(self._archives, "archive"),
            rate / _MEGA,
            left,
        )


class _Counting:
    """A reader whose bytes are counted."""

    def __init__(self, reader: Reader, count: Callable[[int], None]) -> None:
        self._reader = reader
        self._count = count
        self.tell = reader.tell

    def read(self, size: int, /) -> bytes:
        """Read, and count."""
        data = self._reader.read(size)
        self._count(len(data))
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a position."""
        return self._reader.seek(offset, whence)
