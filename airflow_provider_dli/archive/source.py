"""The two ways the file is read: its tail at once, and all of it once from the first byte to the last."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

TAIL = 65_633
"""Longest end: comment 65 535, end record 22, ZIP64 locator 20, ZIP64 end record 56 bytes (APPNOTE 4.3.14-16)."""
BLOCK = 1 << 19
PIECE = 1 << 16
WORTH_A_THREAD = 1 << 22
"""Bytes of a file; a smaller one is hashed without a thread."""


class Reader(Protocol):
    """A seekable binary file, such as ``open(path, "rb")`` or a reader of ranged GETs."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes; none only at the end."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move to a position."""

    def tell(self) -> int:
        """Return the position."""


class Digest(Protocol):
    """A hash of ``hashlib``."""

    def update(self, data: bytes, /) -> None:
        """Add data."""


class Tail:
    """The end of the file in memory, extended downwards if the directory begins earlier.

    ``size`` is that of the file, corrected if the reader returned fewer bytes.
    """

    def __init__(self, reader: Reader, size: int) -> None:
        self._reader = reader
        self.start = max(0, size - TAIL)
        self.data = _read_range(reader, self.start, size)
        self.size = self.start + len(self.data)

    def grow(self, start: int) -> None:
        """Hold everything from ``start`` on; at most one read."""
        if start < self.start:
            self.data = _read_range(self._reader, start, self.start) + self.data
            self.start = self.size - len(self.data)

    def peek(self, start: int, length: int) -> bytes:
        """Return bytes from memory; none if they are not in it."""
        low = start - self.start
        return self.data[low : low + length] if low >= 0 else b""

    def crc32(self, start: int) -> int:
        """Return the CRC-32 of ``[start, size)``."""
        return zlib.crc32(memoryview(self.data)[start - self.start :])


def _read_range(reader: Reader, start: int, end: int) -> bytes:
    """Read ``[start, end)`` in as few reads as the reader allows; shorter only if the file ends."""
    reader.seek(start)
    parts: list[bytes] = []
    while start < end and (part := reader.read(end - start)):
        parts.append(part)
        start += len(part)
    return b"".join(parts)


class Stream:
    """One pass from byte 0 to the end, in large blocks, each hashed once it is read; never backwards.

    ``buffer`` is the part of the file in memory: the newest block, or, if a range began in the block before,
    just that range. So nothing is copied that does not have to be.

    Each block is hashed in a thread while the next is read and inflated; ``hashlib`` lets other threads run. So
    with a second core an inspection takes as long as inflating does. Never more than one block waits.
    """

    def __init__(self, reader: Reader, size: int, digests: tuple[Digest, ...]) -> None:
        reader.seek(0)
        self._reader = reader
        self._digests = digests
        self._pool = ThreadPoolExecutor(1, "archive-hashing") if digests and size >= WORTH_A_THREAD else None
        self._pending: Future[None] | None = None
        self._left = size
        self.buffer = self._newest = b""
        self._start = self._newest_start = 0  # of both in the file

    def window(self, start: int, length: int) -> bytes:
        """Return ``[start, start + length)``, shorter only if the file ends; ``start`` never goes back."""
        low = self.hold(start, length)
        return self.buffer[low : low + length]

    def hold(self, start: int, length: int) -> int:
        """Have ``[start, start + length)`` in ``buffer``, as far as it exists; return its index there."""
        if start + length > self._start + len(self.buffer):
            self._forward(start, length)
        return start - self._start

    def pieces(self, start: int, end: int) -> Iterator[memoryview]:
        """Yield ``[start, end)`` in pieces of at most 64 KiB, without copying them."""
        while start < end:
            low = self.hold(start, 1)
            if not (piece := memoryview(self.buffer)[low : low + min(PIECE, end - start)]):
                return
            yield piece
            start += len(piece)

    def finish(self) -> int:
        """Read what is left, only to hash it; return how many bytes there were."""
        while self._read_block():
            pass
        self._wait_for_hashes()
        if self._pool:
            self._pool.shutdown()
        return self._newest_start

    def _forward(self, start: int, length: int) -> None:
        if start >= self._newest_start:
            self.buffer, self._start = self._newest, self._newest_start
        while start >= self._start + len(self.buffer) and self._read_block():
            self.buffer, self._start = self._newest, self._newest_start
        if start + length > self._start + len(self.buffer):
            self._join(start, length)

    def _join(self, start: int, length: int) -> None:
        """Make the buffer of what is left of it and the beginning of what comes next."""
        parts = [self.buffer[start - self._start :]]
        at, end = start + len(parts[0]), start + length
        while at < end and (at < self._newest_start + len(self._newest) or self._read_block()):
            part = self._newest[at - self._newest_start : end - self._newest_start]
            parts.append(part)
            at += len(part)
        self.buffer, self._start = b"".join(parts), start

    def _read_block(self) -> bytes:
        """Read the next block; empty at the end."""
        self._newest_start += len(self._newest)
        self._newest = self._reader.read(min(BLOCK, self._left)) if self._left else b""
        self._left -= len(self._newest) or self._left  # nothing is the end, even if it comes early
        if self._pool is None:
            self._hash(self._newest)
        else:
            self._wait_for_hashes()
            self._pending = self._pool.submit(self._hash, self._newest)
        return self._newest

    def _wait_for_hashes(self) -> None:
        if self._pending:
            self._pending.result()

    def _hash(self, block: bytes) -> None:
        for digest in self._digests:
            digest.update(block)
