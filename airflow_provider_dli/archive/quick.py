"""The quick proof of a small entry that is in order, as nearly all are.

It names nothing: whatever it does not prove goes to the careful way. It is as strict as that, and faster because
it compares whole stretches of bytes: flags, method, time, CRC, sizes and name length stand in the same order at 6
in the local header and at 8 in the directory's (APPNOTE 4.3.7, 4.3.12).
"""

from __future__ import annotations

import struct

from airflow_provider_dli.archive.directory import Directory
from airflow_provider_dli.archive.engine import RAW, Engine
from airflow_provider_dli.archive.extra import is_plain
from airflow_provider_dli.archive.headers import LOCAL_SIZE
from airflow_provider_dli.archive.local import DESCRIPTOR_SIGNATURE, SIGNATURE
from airflow_provider_dli.archive.report import Entry
from airflow_provider_dli.archive.rules import DEFLATED, DESCRIPTOR, STORED

LARGEST = 1 << 18
UNSET = bytes(12)
LENGTHS = struct.Struct("<HH").unpack_from


class Quick:
    """Proves small entries in memory.

    :param directory: what they must agree with.
    """

    def __init__(self, directory: Directory, engine: Engine) -> None:
        self._data = directory.data
        self._origin = directory.origin
        self._engine = engine

    def prove(self, raw: bytes, entry: Entry) -> bytes | None:
        """Give the content of an entry that is whole; None where that is not sure.

        :param raw: the file from the entry's offset to the next entry's, or to the directory.
        """
        span = self._span(raw, entry)
        if span is None:
            return None
        content: bytes | None = raw[span]
        if entry.method == DEFLATED:
            content = self._inflate(raw[span], entry.size)
        elif entry.method != STORED:
            return None
        if content is None or len(content) != entry.size or self._engine.crc32(content, 0) != entry.crc32:
            return None
        return content

    def _span(self, raw: bytes, entry: Entry) -> slice | None:
        """Tell where the data lies, if everything around it is as the directory says."""
        data, at = self._data, entry.header - self._origin
        if len(raw) < LOCAL_SIZE or raw[:4] != SIGNATURE:
            return None
        name_size, extra_size = LENGTHS(raw, 26)
        begin = 30 + name_size + extra_size
        end = begin + entry.compressed_size
        if raw[30 : 30 + name_size] != data[at + 46 : at + 46 + name_size]:
            return None
        if extra_size and not is_plain(raw[30 + name_size : begin]):
            return None
        if entry.flags & DESCRIPTOR:
            sums = data[at + 16 : at + 28]
            same = raw[6:14] + raw[26:28] == data[at + 8 : at + 16] + data[at + 28 : at + 30]
            same = same and raw[14:26] == UNSET and raw[end:] == DESCRIPTOR_SIGNATURE + sums
        else:
            same = raw[6:28] == data[at + 8 : at + 30] and end == len(raw)
        return slice(begin, end) if same else None

    def _inflate(self, data: bytes, size: int) -> bytes | None:
        inflater = self._engine.inflater(RAW)
        try:
            content = inflater.decompress(data, size + 1)
        except self._engine.error:
            return None
        return content if inflater.eof and not inflater.unused_data else None
