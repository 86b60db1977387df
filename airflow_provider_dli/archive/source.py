"""The two ways the file is read: its tail at once, and all of it once from the first byte to the last."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Protocol

TAIL = 65_633
"""Longest end: comment 65 535, end record 22, ZIP64 locator 20, ZIP64 end record 56 bytes (APPNOTE 4.3.14-16)."""
BLOCK = 1 << 20
PIECE = 1 << 16


class Reader(Protocol):
    """A seekable binary file, such as ``open(path, "rb")`` or a reader of ranged GETs."""

    def read(self, size: int, /) -> bytes:
        """Give up to ``size`` bytes; none only at the end."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place."""

    def tell(self) -> int:
        """Tell the place."""


class Digest(Protocol):
    """A hash of :mod:`hashlib`."""

    def update(self, data: bytes, /) -> None:
        """Add data."""


def read_range(reader: Reader, start: int, end: int) -> bytes:
    """Read ``[start, end)`` in as few reads as the reader allows; shorter only where the file ends."""
    reader.seek(start)
    parts: list[bytes] = []
    while start < end and (part := reader.read(end - start)):
        parts.append(part)
        start += len(part)
    return b"".join(parts)


class Tail:
    """The end of the file in memory, grown downwards where the directory begins earlier.

    :param reader: where it comes from.
    :param size: of the file, in bytes; corrected where the reader gave fewer.
    """

    def __init__(self, reader: Reader, size: int) -> None:
        self._reader = reader
        self.start = max(0, size - TAIL)
        self.data = read_range(reader, self.start, size)
        self.size = self.start + len(self.data)

    def grow(self, start: int) -> None:
        """Hold everything from ``start`` on; at most one read."""
        if start < self.start:
            self.data = read_range(self._reader, start, self.start) + self.data
            self.start = self.size - len(self.data)

    def peek(self, start: int, length: int) -> bytes:
        """Give bytes from memory; none where they are not in it."""
        low = start - self.start
        return self.data[low : low + length] if low >= 0 else b""

    def crc32(self, start: int) -> int:
        """Give the CRC-32 of ``[start, size)``."""
        return zlib.crc32(memoryview(self.data)[start - self.start :])


class Stream:
    """One pass from byte 0 to the end, in large blocks, each hashed as it comes; never backwards.

    :param reader: is set to 0 once, then only read.
    :param size: how many bytes to read.
    :param digests: get every byte.
    """

    def __init__(self, reader: Reader, size: int, digests: tuple[Digest, ...]) -> None:
        reader.seek(0)
        self._reader = reader
        self._digests = digests
        self._left = size
        self._buffer = b""
        self._start = 0  # of the buffer in the file

    @property
    def end(self) -> int:
        """How far the file was read."""
        return self._start + len(self._buffer)

    def window(self, start: int, length: int) -> bytes:
        """Give ``[start, start + length)``, shorter only where the file ends; ``start`` never goes back."""
        low = start - self._start
        if low + length > len(self._buffer):
            self._forward(start, length)
            low = start - self._start
        return self._buffer[low : low + length]

    def pieces(self, start: int, end: int) -> Iterator[memoryview]:
        """Give ``[start, end)`` in pieces of at most 64 KiB, without copying them."""
        while start < end:
            if start >= self.end:
                self._forward(start, 1)
            low = start - self._start
            piece = memoryview(self._buffer)[low : low + min(PIECE, end - start)]
            if not piece:
                return
            yield piece
            start += len(piece)

    def finish(self) -> int:
        """Read what is left, only to hash it; give how many bytes there were."""
        self._buffer, self._start = b"", self.end
        while block := self._block():
            self._start += len(block)
        return self._start

    def _forward(self, start: int, length: int) -> None:
        """Read until ``[start, start + length)`` is in the buffer, and drop what lies before ``start``."""
        parts = [self._buffer[start - self._start :]] if start < self.end else []
        position = self.end
        while position < start + length and (block := self._block()):
            if position + len(block) > start:
                parts.append(block[max(0, start - position) :])
            position += len(block)
        self._buffer = b"".join(parts)
        self._start = min(start, position)

    def _block(self) -> bytes:
        block = self._reader.read(min(BLOCK, self._left))
        self._left -= len(block)
        for digest in self._digests:
            digest.update(block)
        return block
