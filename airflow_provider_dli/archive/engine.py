"""What inflates and sums: zlib, or ISA-L where the package ``isal`` is installed, at about twice the speed."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import NamedTuple, Protocol

RAW = -15
"""Window bits of a deflate stream without header or trailer, as ZIP has it."""


class Inflater(Protocol):
    """A ``zlib.decompressobj``."""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""

    @property
    def unused_data(self) -> bytes:
        """What was given beyond its end."""

    @property
    def unconsumed_tail(self) -> bytes:
        """What was given and not taken yet, because the output was full."""

    def decompress(self, data: bytes | memoryview, max_length: int, /) -> bytes:
        """Inflate to at most ``max_length`` bytes."""


class Engine(NamedTuple):
    """A module with zlib's interface.

    :param name: for people.
    :param inflater: makes an inflater from window bits.
    :param crc32: of data and the CRC-32 of what came before.
    :param error: what it raises at damaged data.
    """

    name: str
    inflater: Callable[[int], Inflater]
    crc32: Callable[[bytes | memoryview, int], int]
    error: type[Exception]


ZLIB = Engine("zlib", zlib.decompressobj, zlib.crc32, zlib.error)


@cache
def fastest() -> Engine:
    """Give ISA-L where it can be imported, else zlib."""
    try:
        isal = import_module("isal.isal_zlib")
    except ImportError:
        return ZLIB
    return Engine("isal", isal.decompressobj, isal.crc32, isal.error)
