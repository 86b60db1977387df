"""The end of the archive: end record, ZIP64 end record, and the place of the directory (APPNOTE 4.3.14)."""

from __future__ import annotations

import struct
from typing import NamedTuple

from airflow_provider_dli.archive.report import Findings
from airflow_provider_dli.archive.source import Tail

SIGNATURE = b"PK\5\6"
RECORD = struct.Struct("<4sHHHHIIH")
LOCATOR_SIGNATURE = b"PK\6\7"
LOCATOR = struct.Struct("<4sIQI")
ZIP64_SIGNATURE = b"PK\6\6"
ZIP64_RECORD = struct.Struct("<4sQHHIIQQQQ")
ZIP64_REST = ZIP64_RECORD.size - 12  # what its size field counts
SENTINEL_16 = 0xFFFF
SENTINEL_32 = 0xFFFFFFFF


class End(NamedTuple):
    """What the end of the file records of the directory.

    :param position: of the end record, in bytes from the start of the file.
    :param limit: where the directory must end: at the end record, or at the ZIP64 end record before it.
    :param offset: where the directory begins, by the record.
    :param size: of the directory, by the record.
    :param entries: their number, by the record.
    :param odd: what is odd about its volumes, if anything is.
    """

    position: int
    limit: int
    offset: int
    size: int
    entries: int
    odd: str | None = None


class EndFields(NamedTuple):
    """The fields that end record and ZIP64 end record share.

    :param position: of the record, in bytes from the start of the file.
    :param disk: number of this volume; 0 in an archive of one file.
    :param first_disk: volume on which the directory begins.
    :param here: entries on this volume.
    :param entries: in all.
    :param size: of the directory, in bytes.
    :param offset: of the directory.
    """

    position: int
    disk: int
    first_disk: int
    here: int
    entries: int
    size: int
    offset: int


def find_end(tail: Tail, found: Findings) -> End | None:
    """Find the end record and merge it with its ZIP64 twin; None if there is none."""
    index = _choose(tail, found)
    if index is None:
        found.add("no-end-record", "the last 65 557 bytes hold no end record: truncated, or not a ZIP archive")
        return None
    _, *fields, _ = RECORD.unpack_from(tail.data, index)
    position = tail.start + index
    plain = EndFields(position, *fields)
    zip64 = _find_zip64(tail, position, found)
    if zip64:
        _compare(plain, zip64, found)
    elif SENTINEL_32 in (plain.size, plain.offset):
        message = "the end record refers to a ZIP64 end record that is not there"
        found.add("zip64-missing", message, offset=position)
    end = zip64 or plain
    odd = None
    if end.disk or (end.first_disk and zip64):
        message = f"volume {end.disk} of several; the central directory begins on volume {end.first_disk}"
        found.add("split-archive", message, offset=position)
    elif end.first_disk or end.here != end.entries:
        odd = f"central directory on volume {end.first_disk}, {end.here} of {end.entries} entries on this one"
    return End(position, end.position, end.offset, end.size, end.entries, odd)


def _choose(tail: Tail, found: Findings) -> int | None:
    """Choose the end record among all candidates: readers differ in which they take."""
    places = _signatures(tail.data)
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


def _signatures(data: bytes) -> list[int]:
    """Return the places of the signature that a complete record may follow."""
    places = []
    place = data.find(SIGNATURE)
    while 0 <= place <= len(data) - RECORD.size:
        places.append(place)
        place = data.find(SIGNATURE, place + 1)
    return places


def _rest(data: bytes, place: int) -> int:
    """Return the number of bytes behind the record and its comment; below zero if the comment is cut."""
    (comment,) = struct.unpack_from("<H", data, place + 20)
    return len(data) - place - RECORD.size - int(comment)


def _matches(tail: Tail, place: int) -> bool:
    """Return whether the directory ends, by the record's own numbers, where the record begins."""
    size, offset = struct.unpack_from("<II", tail.data, place + 12)
    return bool(size + offset == tail.start + place) or (
        tail.data[max(0, place - LOCATOR.size) : place][:4] == LOCATOR_SIGNATURE
    )


def _find_zip64(tail: Tail, end: int, found: Findings) -> EndFields | None:
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
    return EndFields(place, *fields)


def _compare(plain: EndFields, zip64: EndFields, found: Findings) -> None:
    """Compare the two end records: a plain field is the same or all ones (APPNOTE 4.4.1.4)."""
    sentinels = (SENTINEL_16,) * 4 + (SENTINEL_32,) * 2
    for field, mine, other, sentinel in zip(EndFields._fields[1:], plain[1:], zip64[1:], sentinels, strict=True):
        if mine not in (other, sentinel):
            message = f"{field} is {mine} in the end record, {other} in the ZIP64 end record"
            found.add("zip64-mismatch", message, offset=plain.position)
