"""Hashes of a file that is read block by block, taken beside the reading and not in its way."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

#: a file of fewer bytes is not worth a thread
_WORTH_IT = 1 << 22


class Digest(Protocol):
    """A hash of :mod:`hashlib`."""

    def update(self, data: bytes, /) -> None:
        """Add data."""


class Hashing:
    """Hashes one block in a thread while the next is read and inflated; :mod:`hashlib` lets other threads run.

    So where there is a second core, the proof takes as long as inflating does. Never more than one block waits.

    :param digests: get every byte
    :param size: of the file; a small one is hashed on the spot
    """

    def __init__(self, digests: Sequence[Digest], size: int) -> None:
        self._digests = digests
        self._pool = ThreadPoolExecutor(1, "archive-hashing") if digests and size >= _WORTH_IT else None
        self._pending: Future[None] | None = None

    def update(self, block: bytes) -> None:
        """Add the next block."""
        if self._pool is None:
            self._add(block)
            return
        self._settle()
        self._pending = self._pool.submit(self._add, block)

    def finish(self) -> None:
        """Wait until all that was added is in the digests."""
        self._settle()
        if self._pool:
            self._pool.shutdown()
            self._pool = None

    def _settle(self) -> None:
        if self._pending:
            self._pending.result()
            self._pending = None

    def _add(self, block: bytes) -> None:
        for digest in self._digests:
            digest.update(block)
