"""The content of one entry, bit by bit, in bounded memory."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from airflow_provider_dli.archive.report import Entry
from airflow_provider_dli.archive.rules import STORED

RAW = -15
"""Window bits of a deflate stream without header or trailer, as ZIP has it."""
OUT = 1 << 18


class Content(NamedTuple):
    """What came out.

    :param problems: code and sentence of each.
    :param data: the whole content, where it was to be kept and there is no problem.
    """

    problems: list[tuple[str, str]]
    data: bytes | None = None


def read_content(
    pieces: Iterator[memoryview], entry: Entry, *, keep: bool, tap: Callable[[bytes], None] | None = None
) -> Content:
    """Inflate an entry and hold it against its CRC-32 and size.

    :param pieces: its data in the file.
    :param keep: whether the content is wanted.
    :param tap: gets it piece by piece, before it is proven.
    """
    crc = size = 0
    kept: list[bytes] = []
    problems: list[tuple[str, str]] = []
    outputs = map(bytes, pieces) if entry.method == STORED else _inflate(pieces, problems)
    for output in outputs:
        crc, size = zlib.crc32(output, crc), size + len(output)
        if keep:
            kept.append(output)
        if tap:
            tap(output)
        if size > entry.size:
            return Content([("wrong-size", f"it holds more than the {entry.size} bytes of the directory")])
    if any(code != "junk-after-deflate" for code, _ in problems):
        return Content(problems)
    if size != entry.size:
        problems.append(("wrong-size", f"it holds {size} bytes, the directory says {entry.size}"))
    if crc != entry.crc32:
        problems.append(("bad-crc", f"its CRC-32 is 0x{crc:08x}, the directory says 0x{entry.crc32:08x}"))
    return Content(problems, b"".join(kept) if keep and not problems else None)


def _inflate(pieces: Iterator[memoryview], problems: list[tuple[str, str]]) -> Iterator[bytes]:
    """Give what comes out, in pieces of at most 256 KiB."""
    inflater = zlib.decompressobj(RAW)
    taken = junk = 0
    for piece in pieces:
        rest: bytes | memoryview = piece
        taken += len(piece)
        if inflater.eof:
            junk += len(piece)
            continue
        while True:
            try:
                output = inflater.decompress(rest, OUT)
            except zlib.error:
                problems.append(("bad-deflate", f"the compressed data is damaged within its first {taken} bytes"))
                return
            yield output
            if len(output) < OUT:  # else there may be more of it, even with no input left
                break
            rest = inflater.unconsumed_tail
        junk += len(inflater.unused_data)
    if not inflater.eof:
        problems.append(("truncated-deflate", f"the compressed data does not end within its {taken} bytes"))
    elif junk:
        problems.append(("junk-after-deflate", f"{junk} bytes stand behind the end of the compressed data"))
