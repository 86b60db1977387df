"""Directory headers (APPNOTE 4.3.12) made into entries. Runs once for each of perhaps 500 000: kept short."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice

from airflow_provider_dli.archive import extra as extras
from airflow_provider_dli.archive import names
from airflow_provider_dli.archive.report import Entry, Findings, escape
from airflow_provider_dli.archive.rules import DEFLATE_BEST, UTF8, Kind, judge, judge_sizes
from airflow_provider_dli.archive.source import Tail

SIGNATURE = b"PK\1\2"
END = b"PK\5\6"
HEADER = struct.Struct("<8xHH4xIIIHHH8xI")
LOCAL_SIZE = 30
SENTINEL = extras.SENTINEL
KINDS_KEPT = 1000
NO_DISK = b"\xff\xff"
Fields = tuple[int, int, int, int, int, int, int, int, int]


def parse(tail: Tail, start: int, stop: int, most: int, found: Findings) -> list[Entry]:
    """Make entries of the headers in ``[start, stop)``, and report what each header gives away by itself.

    :param most: stop after one entry more than this.
    """
    entries: list[Entry] = []
    data, origin, good = tail.data, tail.start, set[bytes]()
    for at, fields in islice(_headers(tail, start, stop, found), most + 1):
        flags, method, crc, compressed, size, name_size, extra_size, comment_size, offset = fields
        low = at - origin
        name_end = low + HEADER.size + name_size
        raw = data[low + HEADER.size : name_end]
        name = raw.decode("ascii") if raw.isascii() else _decode(raw, flags, at, found)
        extra = data[name_end : name_end + extra_size]
        if (extra and not extras.is_plain(extra)) or SENTINEL in (size, compressed, offset):
            name, (size, compressed, offset) = _extra(
                extra, raw, flags, name, (size, compressed, offset), at=at, found=found
            )
        kind = data[low + 4 : low + 12] + data[low + 34 : low + 42]
        if data[low + 34 : low + 36] == NO_DISK or comment_size:
            _check_rest(data[low : name_end + extra_size + comment_size], extra, name, at, found)
        if kind not in good and judge(Kind.of(kind), name, size, at, found) and len(good) < KINDS_KEPT:
            good.add(kind)
        if size > compressed * DEFLATE_BEST or (size != compressed and not method):
            judge_sizes((size, compressed), Kind.of(kind), name, at, found)
        entries.append(_entry(Entry, (name, size, compressed, crc, offset, method, flags, at)))
    return entries


def _check_rest(header: bytes, extra: bytes, name: str, at: int, found: Findings) -> None:
    """Check fields that few archives use: the comment, and a number of the volume in the ZIP64 field."""
    comment = header[HEADER.size + header[28] + (header[29] << 8) + len(extra) :]
    try:
        comment.decode("utf-8")
    except UnicodeDecodeError:
        found.add("advisory-field", "its comment is not UTF-8: Java refuses the archive", offset=at, entry=name)
    if header[34:36] == NO_DISK and (disk := extras.disk(extra)) is not None:
        code = "split-archive" if disk else "advisory-field"
        found.add(code, f"its volume, {disk}, stands in the ZIP64 field", offset=at, entry=name)
    elif header[34:36] == NO_DISK:
        found.add("split-archive", "it begins on volume 65535", offset=at, entry=name)


_entry = tuple.__new__  # what Entry() ends in, at half the time


def _headers(tail: Tail, start: int, stop: int, found: Findings) -> Iterator[tuple[int, Fields]]:
    """Give place and fields of each header, up to the first that is damaged: what follows it cannot be told."""
    data, origin, unpack = tail.data, tail.start, HEADER.unpack_from
    at, end = start - origin, stop - origin
    while at < end:
        if data[at : at + 4] == END:
            found.add("second-end-record", "an end record among the directory headers", offset=at + origin)
            return
        if at + HEADER.size > end or data[at : at + 4] != SIGNATURE:
            message = f"in the {end - at} bytes left of the directory no header begins"
            found.add("bad-directory-header", message, offset=at + origin)
            return
        fields: Fields = unpack(data, at)
        following = at + HEADER.size + fields[5] + fields[6] + fields[7]
        if following > end:
            message = f"it is {following - at} bytes long, the directory has {end - at} left"
            found.add("bad-directory-header", message, offset=at + origin)
            return
        yield at + origin, fields
        at = following


def _decode(raw: bytes, flags: int, at: int, found: Findings) -> str:
    """Decode a name that is not ASCII: UTF-8 where the flag says so, else code page 437 (APPNOTE D.1)."""
    if not flags & UTF8:
        return raw.decode("cp437")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        name = raw.decode("utf-8", "replace")
        found.add("bad-utf8-name", f"byte {error.start} of the name is not UTF-8", offset=at, entry=name)
        return name


def _extra(
    extra: bytes, raw: bytes, flags: int, name: str, plain: tuple[int, int, int], *, at: int, found: Findings
) -> tuple[str, tuple[int, ...]]:
    """Let the extra field speak: the name where the header's is a stand-in, and 64-bit values."""
    try:
        values, rest = extras.resolve(plain, extra)
        better = extras.unicode_path(extra, raw)
        kind = extras.odd_type(extra) if values[0] and not name.endswith("/") else None
    except extras.ExtraError as error:
        found.add(error.code, str(error), offset=at, entry=name)
        return name, plain
    if rest:
        found.add("advisory-field", rest, offset=at, entry=name)
    if kind:
        found.add(*kind, offset=at, entry=name)
    return _better(better, raw, flags, name, at, found), values


def _better(better: bytes | None, raw: bytes, flags: int, name: str, at: int, found: Findings) -> str:
    """Take a Unicode Path for the name, as readers do; the header's name must then be a mere stand-in for it."""
    if better is None or better == raw:
        return name
    names.check(name, at, found)
    shown = _decode(better, UTF8, at, found)
    if better.isascii() or flags & UTF8:
        message = f"the header's name needs no other, yet the Unicode Path says '{escape(shown)}'"
        found.add("unicode-path-mismatch", message, offset=at, entry=name)
    return shown
