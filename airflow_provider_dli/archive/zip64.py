"""The ZIP64 end record and its locator, for archives that outgrow 16 and 32 bits (APPNOTE 4.3.14-15)."""

from __future__ import annotations

import struct
from typing import NamedTuple

from airflow_provider_dli.archive.report import Findings
from airflow_provider_dli.archive.source import Tail

LOCATOR = struct.Struct("<4sIQI")
LOCATOR_SIGNATURE = b"PK\6\7"
RECORD = struct.Struct("<4sQHHIIQQQQ")
RECORD_SIGNATURE = b"PK\6\6"
RECORD_REST = RECORD.size - 12  # what its size field counts


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


def find_zip64(tail: Tail, end: int, found: Findings) -> EndFields | None:
    """Read the ZIP64 end record; None where no locator stands before the end record at ``end``."""
    position = end - LOCATOR.size
    if tail.peek(position, 4) != LOCATOR_SIGNATURE:
        return None
    _, disk, offset, disks = LOCATOR.unpack(tail.peek(position, LOCATOR.size))
    if disk or disks != 1:
        found.add("split-archive", f"the ZIP64 end record is on volume {disk} of {disks}", offset=position)
    place = _place(tail, offset, position)
    if place is None:
        found.add("zip64-bad-record", f"no ZIP64 end record at byte {offset}", offset=position)
        return None
    if place != offset:
        found.add("zip64-bad-record", f"the locator says byte {offset}, it is at {place}", offset=position)
    _, rest, _, _, *fields = RECORD.unpack(tail.peek(place, RECORD.size))
    if rest != RECORD_REST or place + RECORD.size != position:
        found.add("zip64-bad-record", "the ZIP64 end record does not end at its locator", offset=place)
    return EndFields(place, *fields)


def _place(tail: Tail, offset: int, locator: int) -> int | None:
    """Find the record where the locator says, or directly before the locator."""
    latest = locator - RECORD.size
    for place in (offset, latest):
        if place <= latest and tail.peek(place, 4) == RECORD_SIGNATURE:
            return place
    return None
