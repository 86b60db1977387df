"""The central directory: the end record that leads to it, its headers made into entries, and where those lie.

APPNOTE 4.3.12-16.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_dli.archive.fields import (
    DEFLATE_BEST,
    DESCRIPTOR,
    JAVA_ZIP64_LENGTHS,
    SENTINEL,
    UTF8,
    ExtraError,
    Kind,
    check_kind,
    check_name,
    check_sizes,
    is_plain,
    odd_type,
    resolve_zip64,
    unicode_path,
    zip64_length_and_disk,
)
from airflow_provider_dli.archive.report import Entry, Findings, escape
from airflow_provider_dli.archive.source import Tail

if TYPE_CHECKING:
    from airflow_provider_dli.archive import Limits

SIGNATURE = b"PK\1\2"
HEADER = struct.Struct("<8xHH4xIIIHHH8xI")
LOCAL_SIZE = 30
KINDS_KEPT = 1000
NO_DISK = b"\xff\xff"
Fields = tuple[int, int, int, int, int, int, int, int, int]
_entry = tuple.__new__  # what Entry() ends in, at half the time
END_SIGNATURE = b"PK\5\6"
END_RECORD = struct.Struct("<4sHHHHIIH")
LOCATOR_SIGNATURE = b"PK\6\7"
LOCATOR = struct.Struct("<4sIQI")
ZIP64_SIGNATURE = b"PK\6\6"
ZIP64_RECORD = struct.Struct("<4sQHHIIQQQQ")
ZIP64_REST = ZIP64_RECORD.size - 12  # what its size field counts
SENTINEL_16 = 0xFFFF


class End(NamedTuple):
    """What the end of the file records of the directory.

    :param position: of the end record, in bytes from the start of the file.
    :param limit: where the directory must end: at the end record, or at the ZIP64 end record before it.
    :param disk: number of this volume; 0 in an archive of one file.
    :param first_disk: volume on which the directory begins.
    :param here: entries on this volume.
    :param entries: in all.
    :param size: of the directory, in bytes.
    :param offset: of the directory.
    :param odd: what is odd about its volumes, if anything is.
    """

    position: int
    limit: int
    disk: int
    first_disk: int
    here: int
    entries: int
    size: int
    offset: int
    odd: str | None = None


def find_end(tail: Tail, found: Findings) -> End | None:
    """Find the end record and merge it with its ZIP64 twin; None if there is none."""
    index = _choose(tail, found)
    if index is None:
        found.add("no-end-record", "the last 65 557 bytes hold no end record: truncated, or not a ZIP archive")
        return None
    _, *fields, _ = END_RECORD.unpack_from(tail.data, index)
    position = tail.start + index
    plain = End(position, position, *fields)
    zip64 = _find_zip64(tail, position, found)
    if zip64:
        _compare(plain, zip64, found)
    elif SENTINEL in (plain.size, plain.offset):
        message = "the end record refers to a ZIP64 end record that is not there"
        found.add("zip64-missing", message, offset=position)
    end = zip64 or plain
    if end.disk or (end.first_disk and zip64):
        message = f"volume {end.disk} of several; the central directory begins on volume {end.first_disk}"
        found.add("split-archive", message, offset=position)
    elif end.first_disk or end.here != end.entries:
        odd = f"central directory on volume {end.first_disk}, {end.here} of {end.entries} entries on this one"
        return end._replace(odd=odd)
    return end


def _choose(tail: Tail, found: Findings) -> int | None:
    """Choose the end record among all candidates: readers differ in which they take."""
    places = _end_records(tail.data)
    if not places:
        return None
    rests = {place: _rest(tail.data, place) for place in places}
    padded = [place for place in places if rests[place] > 0 and not tail.data[-rests[place] :].strip(b"\0")]
    fitting = [place for place in places if rests[place] == 0]
    matching = [place for place in fitting if _matches(tail, place)]
    chosen = (matching or fitting[-1:] or padded[-1:] or places[-1:])[0]
    rest = rests[chosen]
    if chosen in padded:
        found.add("zero-padding", f"{rest} zeros follow the end record", offset=tail.size - rest)
    elif rest > 0:
        found.add("trailing-data", f"{rest} bytes follow the end record", offset=tail.size - rest)
    elif rest < 0:
        found.add("comment-cut", f"the comment lacks its last {-rest} bytes", offset=tail.size)
    for place in places:
        offset = tail.start + place
        if place > chosen:
            found.add("end-record-in-comment", "some readers use this end record instead", offset=offset)
        elif place < chosen and rests[place] == 0:
            found.add("second-end-record", "this end record, too, ends where the file ends", offset=offset)
    return chosen


def _end_records(data: bytes) -> list[int]:
    """Return where there is a signature that a complete record may follow."""
    last = len(data) - END_RECORD.size
    return [match.start() for match in re.finditer(END_SIGNATURE, data) if match.start() <= last]


def _rest(data: bytes, place: int) -> int:
    """Return the number of bytes behind the record and its comment; below zero if the comment is cut."""
    (comment,) = struct.unpack_from("<H", data, place + 20)
    return len(data) - place - END_RECORD.size - int(comment)


def _matches(tail: Tail, place: int) -> bool:
    """Return whether the directory ends, by the record's own numbers, where the record begins."""
    size, offset = struct.unpack_from("<II", tail.data, place + 12)
    return bool(size + offset == tail.start + place) or (
        tail.data[max(0, place - LOCATOR.size) : place][:4] == LOCATOR_SIGNATURE
    )


def _find_zip64(tail: Tail, end: int, found: Findings) -> End | None:
    """Read the ZIP64 end record; None if no locator stands before the end record at ``end``."""
    position = end - LOCATOR.size
    if tail.peek(position, 4) != LOCATOR_SIGNATURE:
        return None
    _, disk, offset, disks = LOCATOR.unpack(tail.peek(position, LOCATOR.size))
    if disk or disks != 1:
        found.add("split-archive", f"the ZIP64 end record is on volume {disk} of {disks}", offset=position)
    latest = position - ZIP64_RECORD.size
    # At the locator's offset, or directly before the locator.
    places = [at for at in (offset, latest) if at <= latest and tail.peek(at, 4) == ZIP64_SIGNATURE]
    if not places:
        found.add("zip64-bad-record", f"no ZIP64 end record at byte {offset}", offset=position)
        return None
    place = places[0]
    if place != offset:
        found.add(
            "zip64-bad-record",
            f"the locator points to byte {offset}, the record is at byte {place}",
            offset=position,
        )
    _, rest, _, _, *fields = ZIP64_RECORD.unpack(tail.peek(place, ZIP64_RECORD.size))
    if rest != ZIP64_REST or place + ZIP64_RECORD.size != position:
        found.add("zip64-bad-record", "the ZIP64 end record does not end at its locator", offset=place)
    return End(end, place, *fields)


def _compare(plain: End, zip64: End, found: Findings) -> None:
    """Compare the two end records: a plain field is the same or all ones (APPNOTE 4.4.1.4)."""
    sentinels = (SENTINEL_16,) * 4 + (SENTINEL,) * 2
    for field, mine, other, sentinel in zip(End._fields[2:8], plain[2:8], zip64[2:8], sentinels, strict=True):
        if mine not in (other, sentinel):
            message = f"{field} is {mine} in the end record, {other} in the ZIP64 end record"
            found.add("zip64-mismatch", message, offset=plain.position)


class Directory(NamedTuple):
    """The entries in the directory's order, and the bytes they come from; all places are from the file's start.

    ``data`` is the end of the file, the directory included, and begins in it at ``origin``.
    """

    entries: tuple[Entry, ...]
    start: int
    data: bytes
    origin: int


def read_directory(tail: Tail, end: End, limits: Limits, found: Findings) -> Directory | None:
    """Read the whole directory; None if it cannot be found or is too large to be read."""
    start = _locate(tail, end, limits.directory_bytes, found)
    if start is None:
        return None
    entries = _parse(tail, start, end.limit, limits.entries, found)
    if end.entries > limits.entries or len(entries) > limits.entries:
        message = f"{max(end.entries, len(entries))} entries, the limit is {limits.entries}"
        found.add("too-many-entries", message, offset=end.position)
    elif len(entries) != end.entries:
        message = f"the central directory has {len(entries)} entries, the end record has {end.entries}"
        found.add("wrong-entry-count", message, offset=end.position)
    if end.odd:
        # Some readers then read from the front, where a descriptor comes too late to show where an entry ends.
        code = "split-archive" if any(entry.flags & DESCRIPTOR for entry in entries) else "advisory-field"
        found.add(code, end.odd, offset=end.position)
    entries = _rebase(entries, start - end.offset, end, found)
    return Directory(tuple(entries), start, tail.data, tail.start)


def _locate(tail: Tail, end: End, limit: int, found: Findings) -> int | None:
    """Find where the directory begins; a start that ends at the end record counts more than the offset."""
    start = end.limit - end.size
    for place in dict.fromkeys((start, end.offset)):
        size = end.limit - place
        if not 0 <= place <= end.limit:
            continue
        if size > limit:
            found.add("directory-too-large", f"{size} bytes, the limit is {limit}", offset=place)
            return None
        tail.grow(place)
        if place == end.limit == start or tail.peek(place, 4) == SIGNATURE:
            if size != end.size:
                message = f"the central directory is {size} bytes long, its size in the end record is {end.size}"
                found.add("wrong-directory-size", message, offset=end.position)
            return place
    found.add(
        "no-directory", f"no central directory of {end.size} bytes at byte {end.offset}", offset=end.position
    )
    return None


def _parse(tail: Tail, start: int, stop: int, most: int, found: Findings) -> list[Entry]:
    """Make entries of the headers in ``[start, stop)``, and report what each header gives away by itself.

    Runs once for each of perhaps 500 000 entries: kept short. Stops after one entry more than ``most``.
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
        has_plain_extra = not extra or is_plain(extra)
        if not has_plain_extra or SENTINEL in (size, compressed, offset):
            name, (size, compressed, offset) = _extra(
                extra, raw, flags, name, (size, compressed, offset), at=at, found=found
            )
        kind = data[low + 4 : low + 12] + data[low + 34 : low + 42]
        if not has_plain_extra or data[low + 34 : low + 36] == NO_DISK or comment_size:
            _check_rest(data[low : name_end + extra_size + comment_size], extra, name, at, found)
        if kind not in good and check_kind(Kind.of(kind), name, size, at, found) and len(good) < KINDS_KEPT:
            good.add(kind)
        if size > compressed * DEFLATE_BEST or (size != compressed and not method):
            check_sizes(size, compressed, Kind.of(kind), name, at, found)
        entries.append(_entry(Entry, (name, size, compressed, crc, offset, method, flags, at)))
    return entries


def _headers(tail: Tail, start: int, stop: int, found: Findings) -> Iterator[tuple[int, Fields]]:
    """Yield place and fields of each header, up to the first that is damaged: what follows it is not known."""
    data, origin, unpack = tail.data, tail.start, HEADER.unpack_from
    at, end = start - origin, stop - origin
    while at < end:
        if data[at : at + 4] == END_SIGNATURE:
            found.add(
                "second-end-record", "an end record among the headers of the central directory", offset=at + origin
            )
            return
        if at + HEADER.size > end or data[at : at + 4] != SIGNATURE:
            message = f"no header begins in the last {end - at} bytes of the central directory"
            found.add("bad-directory-header", message, offset=at + origin)
            return
        fields: Fields = unpack(data, at)
        following = at + HEADER.size + fields[5] + fields[6] + fields[7]
        if following > end:
            message = (
                f"the header is {following - at} bytes long, {end - at} bytes are left of the central directory"
            )
            found.add("bad-directory-header", message, offset=at + origin)
            return
        yield at + origin, fields
        at = following


def _decode(raw: bytes, flags: int, at: int, found: Findings) -> str:
    """Decode a name that is not ASCII: UTF-8 if it has the flag, else code page 437 (APPNOTE D.1)."""
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
    """Return the values of the extra field: the name if the header's is a stand-in, and 64-bit numbers."""
    try:
        values, odd = resolve_zip64(plain, extra)
        better = unicode_path(extra, raw)
        kind = odd_type(extra) if values[0] and not name.endswith("/") else None
    except ExtraError as error:
        found.add(error.code, str(error), offset=at, entry=name)
        return name, plain
    if odd:
        found.add("advisory-field", odd, offset=at, entry=name)
    if kind:
        found.add(*kind, offset=at, entry=name)
    if better is None or better == raw:
        return name, values
    # Readers take a Unicode Path for the name; the header's name must then be a mere stand-in for it.
    check_name(name, at, found)
    shown = _decode(better, UTF8, at, found)
    if better.isascii() or flags & UTF8:
        message = f"the header's name needs no other, the Unicode Path is '{escape(shown)}'"
        found.add("unicode-path-mismatch", message, offset=at, entry=name)
    return shown, values


def _check_rest(header: bytes, extra: bytes, name: str, at: int, found: Findings) -> None:
    """Check fields that few archives use: the comment, the ZIP64 field and a number of the volume in it."""
    comment = header[HEADER.size + header[28] + (header[29] << 8) + len(extra) :]
    try:
        comment.decode("utf-8")
    except UnicodeDecodeError:
        found.add("advisory-field", "its comment is not UTF-8: Java refuses the archive", offset=at, entry=name)
    length, disk = zip64_length_and_disk(extra)
    if header[34:36] == NO_DISK and disk is not None:
        code = "split-archive" if disk else "advisory-field"
        found.add(code, f"its volume, {disk}, is in the ZIP64 field", offset=at, entry=name)
    elif header[34:36] == NO_DISK:
        found.add("split-archive", "it begins on volume 65535", offset=at, entry=name)
    elif length not in JAVA_ZIP64_LENGTHS:
        message = f"its ZIP64 field is {length} bytes long: Java refuses the archive"
        found.add("advisory-field", message, offset=at, entry=name)


def _rebase(entries: list[Entry], shift: int, end: End, found: Findings) -> list[Entry]:
    """Resolve a wrong offset: either all of it was moved by data put in front, or the offset alone is wrong."""
    if not shift:
        return entries
    last = max((entry.offset + LOCAL_SIZE + entry.compressed_size for entry in entries), default=0)
    if shift > 0 and last <= end.offset:
        return [entry._replace(offset=entry.offset + shift) for entry in entries]
    message = (
        f"the central directory begins at byte {end.offset + shift}, its offset in the end record is {end.offset}"
    )
    found.add("wrong-directory-offset", message, offset=end.position)
    return entries


class Layout(NamedTuple):
    """The entries by offset, none that shares bytes with an earlier one, and headers of those not to inflate."""

    directory: Directory
    order: list[Entry]
    barred: frozenset[int]


def lay_out(directory: Directory, size: int, limits: Limits, found: Findings) -> Layout:
    """Order the entries and check their places and sizes, before a byte of them is inflated."""
    order: list[Entry] = []
    floor, name_size = 0, struct.Struct("<H").unpack_from
    for entry in sorted(directory.entries, key=attrgetter("offset")):
        if entry.offset + LOCAL_SIZE > directory.start:
            message = f"it begins at byte {entry.offset}, the central directory at byte {directory.start}"
            found.add("bad-offset", message, offset=entry.header, entry=entry.name)
            continue
        if entry.offset < floor:
            message = f"it begins at byte {entry.offset}, the previous entry ends at byte {floor} or later"
            found.add("overlap", message, offset=entry.header, entry=entry.name)
            continue
        order.append(entry)
        (name,) = name_size(directory.data, entry.header - directory.origin + 28)
        floor = entry.offset + LOCAL_SIZE + name + entry.compressed_size
    if floor > directory.start and order:
        message = f"it ends at byte {floor}, the central directory begins at byte {directory.start}"
        found.add("overlap", message, offset=order[-1].header, entry=order[-1].name)
    first = order[0].offset if order else directory.start
    if first:
        found.add("prepended-data", f"{first} bytes precede the first entry", offset=0)
    return Layout(directory, order, _barred(directory.entries, size, limits, found))


def _barred(entries: tuple[Entry, ...], size: int, limits: Limits, found: Findings) -> frozenset[int]:
    """Check the sizes against the limits; return the entries that must not be inflated."""
    total = sum(map(attrgetter("size"), entries))
    barred = set()
    if max(map(attrgetter("size"), entries), default=0) > min(limits.entry_bytes, limits.ratio_floor):
        barred = {entry.header for entry in entries if _is_too_large(entry, limits, found)}
    if total > limits.total_bytes:
        message = f"the uncompressed entries are {total} bytes, the limit is {limits.total_bytes}"
        found.add("archive-too-large", message)
    elif total > max(limits.ratio_floor, limits.ratio * size) and not barred:
        found.add("suspicious-ratio", f"{size} compressed bytes become {total}")
    else:
        return frozenset(barred)
    return frozenset(entry.header for entry in entries)


def _is_too_large(entry: Entry, limits: Limits, found: Findings) -> bool:
    if entry.size > limits.entry_bytes:
        code = "entry-too-large"
        message = f"its uncompressed data is {entry.size} bytes, the limit is {limits.entry_bytes}"
    elif entry.size > max(limits.ratio_floor, limits.ratio * entry.compressed_size):
        code, message = "suspicious-ratio", f"{entry.compressed_size} compressed bytes become {entry.size}"
    else:
        return False
    found.add(code, message, offset=entry.header, entry=entry.name)
    return True
