"""The end of the archive: end record, ZIP64 end record, and where the directory is by them (APPNOTE 4.3.14-16)."""

from __future__ import annotations

import struct
from typing import NamedTuple

from airflow_provider_dli.archive.headers import END
from airflow_provider_dli.archive.report import Findings
from airflow_provider_dli.archive.source import Tail
from airflow_provider_dli.archive.zip64 import EndFields, find_zip64

LOCATOR = b"PK\6\7"
RECORD = struct.Struct("<4sHHHHIIH")
SENTINEL_16 = 0xFFFF
SENTINEL_32 = 0xFFFFFFFF


class End(NamedTuple):
    """What the end of the file says of the directory.

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


def find_end(tail: Tail, found: Findings) -> End | None:
    """Find the end record and merge it with its ZIP64 twin; None where there is none."""
    index = _choose(tail, found)
    if index is None:
        found.add("no-end-record", "the last 65 557 bytes hold no end record: cut off, or no ZIP archive")
        return None
    _, disk, first_disk, here, entries, size, offset, _ = RECORD.unpack_from(tail.data, index)
    position = tail.start + index
    plain = EndFields(position, disk, first_disk, here, entries, size, offset)
    big = find_zip64(tail, position, found)
    if big is None:
        _check_plain(plain, found)
        big = plain
    else:
        _check_both(plain, big, found)
    odd = None
    if big.disk or (big.first_disk and big is not plain):
        message = f"volume {big.disk} of several; the directory begins on {big.first_disk}"
        found.add("split-archive", message, offset=position)
    elif big.first_disk or big.here != big.entries:
        odd = f"directory on volume {big.first_disk}, {big.here} of {big.entries} entries on this one"
    return End(position, big.position, big.offset, big.size, big.entries, odd)


def _choose(tail: Tail, found: Findings) -> int | None:
    """Pick the end record among all places that look like one: readers differ in which they take."""
    places = _signatures(tail.data)
    rests = {place: _rest(tail.data, place) for place in places}
    padded = [place for place in places if rests[place] > 0 and not tail.data[-rests[place] :].strip(b"\0")]
    fitting = [place for place in places if rests[place] == 0]
    matching = [place for place in fitting if _matches(tail, place)]
    if not places:
        return None
    chosen = (matching or fitting[-1:] or padded[-1:] or places[-1:])[0]
    if chosen in padded:
        end = tail.size - rests[chosen]
        found.add("zero-padding", f"{rests[chosen]} zeros stand after the end record", offset=end)
    elif rests[chosen] > 0:
        end = tail.size - rests[chosen]
        found.add("trailing-data", f"{rests[chosen]} bytes stand after the end record", offset=end)
    elif rests[chosen] < 0:
        missing = -rests[chosen]
        found.add("comment-cut", f"the comment lacks its last {missing} bytes", offset=tail.size)
    for place in places:
        if place > chosen:
            found.add(
                "end-record-in-comment", "some readers take this end record instead", offset=tail.start + place
            )
        elif place < chosen and rests[place] == 0:
            found.add("second-end-record", "this one, too, ends where the file ends", offset=tail.start + place)
    return chosen


def _signatures(data: bytes) -> list[int]:
    """List where the signature stands, with a whole record behind it."""
    places = []
    place = data.find(END)
    while 0 <= place <= len(data) - RECORD.size:
        places.append(place)
        place = data.find(END, place + 1)
    return places


def _rest(data: bytes, place: int) -> int:
    """Count the bytes behind the record and its comment; below zero where the comment is cut."""
    (comment,) = struct.unpack_from("<H", data, place + 20)
    return len(data) - place - RECORD.size - int(comment)


def _matches(tail: Tail, place: int) -> bool:
    """Tell whether the directory ends, by the record's own numbers, where the record begins."""
    size, offset = struct.unpack_from("<II", tail.data, place + 12)
    return bool(size + offset == tail.start + place) or tail.data[max(0, place - 20) : place][:4] == LOCATOR


def _check_plain(plain: EndFields, found: Findings) -> None:
    if SENTINEL_32 in (plain.size, plain.offset):
        found.add(
            "zip64-missing", "the end record refers to a ZIP64 end record that is not there", offset=plain.position
        )


def _check_both(plain: EndFields, big: EndFields, found: Findings) -> None:
    """Compare the two end records: a plain field is the same or all ones (APPNOTE 4.4.1.4)."""
    sentinels = (SENTINEL_16,) * 4 + (SENTINEL_32,) * 2
    for field, mine, other, sentinel in zip(EndFields._fields[1:], plain[1:], big[1:], sentinels, strict=True):
        if mine not in (other, sentinel):
            found.add(
                "zip64-mismatch",
                f"end record says {field} {mine}, ZIP64 end record {other}",
                offset=plain.position,
            )
