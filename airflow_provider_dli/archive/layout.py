"""Where the entries lie, and whether they are fit to be inflated: checked before a byte of them is."""

from __future__ import annotations

import struct
from operator import attrgetter
from typing import NamedTuple

from airflow_provider_dli.archive.directory import Directory
from airflow_provider_dli.archive.headers import LOCAL_SIZE
from airflow_provider_dli.archive.limits import Limits
from airflow_provider_dli.archive.report import Entry, Findings


class Layout(NamedTuple):
    """What to walk over.

    :param order: the entries by offset; none that shares bytes with an earlier one.
    :param barred: header offsets of entries that must not be inflated.
    """

    order: list[Entry]
    barred: frozenset[int]


def lay_out(directory: Directory, size: int, limits: Limits, found: Findings) -> Layout:
    """Order the entries and check their places and sizes.

    :param size: of the file, in bytes.
    """
    order: list[Entry] = []
    floor, name_size = 0, struct.Struct("<H").unpack_from
    for entry in sorted(directory.entries, key=attrgetter("offset")):
        if entry.offset + LOCAL_SIZE > directory.start:
            message = f"its data would begin at byte {entry.offset}, the directory does at {directory.start}"
            found.add("bad-offset", message, offset=entry.header, entry=entry.name)
            continue
        if entry.offset < floor:
            message = f"it begins at byte {entry.offset}, the entry before ends at {floor} or later"
            found.add("overlap", message, offset=entry.header, entry=entry.name)
            continue
        order.append(entry)
        (name,) = name_size(directory.data, entry.header - directory.origin + 28)
        floor = entry.offset + LOCAL_SIZE + name + entry.compressed_size
    if floor > directory.start and order:
        message = f"it ends at byte {floor}, the directory begins at {directory.start}"
        found.add("overlap", message, offset=order[-1].header, entry=order[-1].name)
    first = order[0].offset if order else directory.start
    if first:
        found.add("prepended-data", f"{first} bytes stand before the first entry", offset=0)
    return Layout(order, _barred(directory.entries, size, limits, found))


def _barred(entries: tuple[Entry, ...], size: int, limits: Limits, found: Findings) -> frozenset[int]:
    """Hold the sizes against the limits; tell which entries must not be inflated."""
    total = sum(map(attrgetter("size"), entries))
    barred = set()
    if max(map(attrgetter("size"), entries), default=0) > min(limits.entry_bytes, limits.ratio_floor):
        barred = {entry.header for entry in entries if _too_much(entry, limits, found)}
    if total > limits.total_bytes:
        message = f"the entries inflate to {total} bytes, the limit is {limits.total_bytes}"
        found.add("archive-too-large", message)
    elif total > max(limits.ratio_floor, limits.ratio * size) and not barred:
        found.add("suspicious-ratio", f"{size} bytes inflate to {total}")
    else:
        return frozenset(barred)
    return frozenset(entry.header for entry in entries)


def _too_much(entry: Entry, limits: Limits, found: Findings) -> bool:
    if entry.size > limits.entry_bytes:
        message = f"it inflates to {entry.size} bytes, the limit is {limits.entry_bytes}"
        found.add("entry-too-large", message, offset=entry.header, entry=entry.name)
        return True
    if entry.size > max(limits.ratio_floor, limits.ratio * entry.compressed_size):
        message = f"{entry.compressed_size} bytes inflate to {entry.size}"
        found.add("suspicious-ratio", message, offset=entry.header, entry=entry.name)
        return True
    return False
