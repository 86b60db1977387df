"""The quick proof of a small entry that is in order, as nearly all are.

It names nothing: whatever it does not prove goes to the careful way. It is as strict as that, and faster because
it compares whole stretches of bytes: flags, method, time, CRC, sizes and name length stand in the same order at 6
in the local header and at 8 in the directory's (APPNOTE 4.3.7, 4.3.12).
"""

from __future__ import annotations

import struct
import zlib

from airflow_provider_dli.archive.directory import Directory
from airflow_provider_dli.archive.extra import is_plain
from airflow_provider_dli.archive.headers import LOCAL_SIZE
from airflow_provider_dli.archive.inflate import RAW
from airflow_provider_dli.archive.local import DESCRIPTOR_SIGNATURE, SIGNATURE
from airflow_provider_dli.archive.report import Entry
from airflow_provider_dli.archive.rules import DESCRIPTOR

LARGEST = 1 << 18
UNSET = bytes(12)
ALL_ONES = b"\xff" * 4
LENGTHS = struct.Struct("<HH").unpack_from


class Quick:
    """Proves small entries in memory.

    :param directory: what they must agree with.
    """

    def __init__(self, directory: Directory) -> None:
        self._data = directory.data
        self._origin = directory.origin

    def prove(self, file: bytes, low: int, high: int, entry: Entry) -> bytes | None:
        """Give the content of an entry that is whole; None where that is not sure.

        :param file: a part of the file.
        :param low: the entry's offset in it.
        :param high: the offset of the next entry, or of the directory.
        """
        if high > len(file) or (not entry.name.isascii() and self._has_extra(entry)):
            return None
        name_size, extra_size = LENGTHS(file, low + 26)
        begin = low + LOCAL_SIZE + name_size + extra_size
        end = begin + entry.compressed_size
        if not self._agrees(file, low, end, high, entry) or (
            extra_size and not is_plain(file[begin - extra_size : begin])
        ):
            return None
        content = file[begin:end]
        if entry.method:
            inflater = zlib.decompressobj(RAW)
            try:
                content = inflater.decompress(content, entry.size + 1)
            except zlib.error:
                return None
            if not inflater.eof or inflater.unused_data:
                return None
        return content if len(content) == entry.size and zlib.crc32(content) == entry.crc32 else None

    def _has_extra(self, entry: Entry) -> bool:
        """Tell whether the name may come from the directory's extra field, and needs its twin in front."""
        at = entry.header - self._origin + 30
        return self._data[at : at + 2] != b"\0\0"

    def _agrees(self, file: bytes, low: int, end: int, high: int, entry: Entry) -> bool:
        """Compare local header and data descriptor with the directory."""
        data, at = self._data, entry.header - self._origin
        name_size = data[at + 28] | data[at + 29] << 8
        name = file[low + LOCAL_SIZE : low + LOCAL_SIZE + name_size]
        if file[low : low + 4] != SIGNATURE or name != data[at + 46 : at + 46 + name_size]:
            return False
        if ALL_ONES in (file[low + 18 : low + 22], file[low + 22 : low + 26]):
            return False  # the sizes stand in a ZIP64 field, or should
        if not entry.flags & DESCRIPTOR:
            return end == high and file[low + 6 : low + 28] == data[at + 8 : at + 30]
        return (
            file[low + 14 : low + 26] == UNSET
            and file[low + 6 : low + 14] == data[at + 8 : at + 16]
            and file[low + 26 : low + 28] == data[at + 28 : at + 30]
            and file[end:high] == DESCRIPTOR_SIGNATURE + data[at + 16 : at + 28]
        )
