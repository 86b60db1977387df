"""The directory: where it is, and its headers made into entries (APPNOTE 4.3.12)."""

from __future__ import annotations

from typing import NamedTuple

from airflow_provider_dli.archive import headers
from airflow_provider_dli.archive.endrecord import End
from airflow_provider_dli.archive.limits import Limits
from airflow_provider_dli.archive.report import Entry, Findings
from airflow_provider_dli.archive.rules import DESCRIPTOR
from airflow_provider_dli.archive.source import Tail


class Directory(NamedTuple):
    """The entries, and the bytes they come from.

    :param entries: in the directory's order, with offsets from the start of the file.
    :param start: of the directory, in bytes from the start of the file.
    :param data: the end of the file, the directory included.
    :param origin: where ``data`` begins in the file.
    """

    entries: tuple[Entry, ...]
    start: int
    data: bytes
    origin: int


def read_directory(tail: Tail, end: End, limits: Limits, found: Findings) -> Directory | None:
    """Read the whole directory; None where it cannot be found or is too large to be read.

    :param end: what the end record says of it.
    """
    start = _locate(tail, end, limits.directory_bytes, found)
    if start is None:
        return None
    entries = headers.parse(tail, start, end.limit, limits.entries, found)
    if end.entries > limits.entries or len(entries) > limits.entries:
        message = f"{max(end.entries, len(entries))} entries, the limit is {limits.entries}"
        found.add("too-many-entries", message, offset=end.position)
    elif len(entries) != end.entries:
        message = f"{len(entries)} headers, the end record says {end.entries}"
        found.add("wrong-entry-count", message, offset=end.position)
    if end.odd:
        # Some readers then read from the front, where a descriptor comes too late to tell where an entry ends.
        code = "split-archive" if any(entry.flags & DESCRIPTOR for entry in entries) else "advisory-field"
        found.add(code, end.odd, offset=end.position)
    entries = _rebased(entries, start - end.offset, end, found)
    return Directory(tuple(entries), start, tail.data, tail.start)


def _locate(tail: Tail, end: End, most: int, found: Findings) -> int | None:
    """Find where the directory begins; a start that ends at the end record counts more than the offset."""
    start = end.limit - end.size
    for place in dict.fromkeys((start, end.offset)):
        if not 0 <= place <= end.limit:
            continue
        if end.limit - place > most:
            found.add("directory-too-large", f"{end.limit - place} bytes, the limit is {most}", offset=place)
            return None
        tail.grow(place)
        if place == end.limit == start or tail.peek(place, 4) == headers.SIGNATURE:
            _check_size(end, place, found)
            return place
    found.add("no-directory", f"no directory of {end.size} bytes at byte {end.offset}", offset=end.position)
    return None


def _check_size(end: End, start: int, found: Findings) -> None:
    if end.limit - start != end.size:
        message = f"{end.limit - start} bytes lie before the end record, which says {end.size}"
        found.add("wrong-directory-size", message, offset=end.position)


def _rebased(entries: list[Entry], shift: int, end: End, found: Findings) -> list[Entry]:
    """Settle a wrong offset: either all of it was moved by data put in front, or the offset alone is wrong."""
    if not shift:
        return entries
    last = max((entry.offset + headers.LOCAL_SIZE + entry.compressed_size for entry in entries), default=0)
    if shift > 0 and last <= end.offset:
        return [entry._replace(offset=entry.offset + shift) for entry in entries]
    message = f"it begins at byte {end.offset + shift}, the end record says {end.offset}"
    found.add("wrong-directory-offset", message, offset=end.position)
    return entries
