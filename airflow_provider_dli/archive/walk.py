"""The one pass over the whole file: every entry proven, every byte between them accounted for."""

from __future__ import annotations

from itertools import chain

from airflow_provider_dli.archive import local
from airflow_provider_dli.archive.contents import BARRED, Contents, is_json_name
from airflow_provider_dli.archive.directory import Directory
from airflow_provider_dli.archive.gaps import check_gap
from airflow_provider_dli.archive.headers import HEADER, LOCAL_SIZE
from airflow_provider_dli.archive.inflate import read_content
from airflow_provider_dli.archive.layout import Layout
from airflow_provider_dli.archive.quick import LARGEST, LENGTHS, Quick
from airflow_provider_dli.archive.report import Entry, Findings
from airflow_provider_dli.archive.rules import DEFLATED, DESCRIPTOR, ENCRYPTED, PATCHED, STORED
from airflow_provider_dli.archive.source import Stream

CENTRAL_SIZE = HEADER.size


class Walk:
    """Goes over the entries in the order of their bytes.

    :param stream: the file from its first byte on.
    :param contents: gets the content of entries it asks for.
    """

    def __init__(self, stream: Stream, directory: Directory, contents: Contents, found: Findings) -> None:
        self._stream = stream
        self._directory = directory
        self._contents = contents
        self._found = found
        self._quick = Quick(directory)
        self._barred: frozenset[int] = frozenset()

    def run(self, layout: Layout) -> None:
        """Prove every entry; one that is in order in a quick way, any other with care, to name what is wrong."""
        start, self._barred = self._directory.start, layout.barred
        limits = chain((entry.offset for entry in layout.order[1:]), (start,))
        check_gap(self._stream, 0, layout.order[0].offset if layout.order else start, self._found, report=False)
        for entry, limit in zip(layout.order, limits, strict=False):
            fit = entry.header not in self._barred and is_readable(entry)
            content = self._prove_quickly(entry, limit) if fit else None
            if content is None:
                self._prove_carefully(entry, limit, fit=fit)
            else:
                self._contents.check(entry, content)

    def _prove_quickly(self, entry: Entry, limit: int) -> bytes | None:
        length = limit - entry.offset
        if length > LARGEST or entry.size > LARGEST:
            return None
        low = self._stream.hold(entry.offset, length)
        return self._quick.prove(self._stream.buffer, low, low + length, entry)

    def _prove_carefully(self, entry: Entry, limit: int, *, fit: bool) -> None:
        """Name all that is wrong with an entry.

        :param fit: whether its content can and may be read.
        """
        head = self._stream.window(entry.offset, min(limit - entry.offset, local.LONGEST))
        central = self._central(entry)
        length = local.compare(head, entry, central, self._found)
        if length is None:
            return
        start = entry.offset + length
        end = start + entry.compressed_size
        if end > limit:
            if entry.offset + LOCAL_SIZE + central[28] + (central[29] << 8) + entry.compressed_size <= limit:
                # The directory alone did not give it away.
                message = f"its data would end at byte {end}, what follows begins at {limit}"
                self._found.add("overlap", message, offset=entry.offset, entry=entry.name)
            end = limit
        if fit:
            self._read(entry, start, end)
        elif entry.header in self._barred and is_json_name(entry.name):
            self._contents.skip(entry, BARRED)
        self._check_behind(entry, end, limit, head)

    def _read(self, entry: Entry, start: int, end: int) -> None:
        keep, tap = self._contents.wants(entry), self._contents.tap(entry)
        content = read_content(self._stream.pieces(start, end), entry, keep=keep, tap=tap)
        for code, message in content.problems:
            self._found.add(code, message, offset=start, entry=entry.name)
        if not content.problems:
            self._contents.check(entry, content.data, tap)

    def _check_behind(self, entry: Entry, end: int, limit: int, head: bytes) -> None:
        """Account for the bytes from the end of the data to the next entry: a data descriptor or nothing."""
        if (entry.flags | head[6]) & DESCRIPTOR:
            gap = self._stream.window(end, min(limit - end, local.LONGEST_DESCRIPTOR))
            end += local.descriptor_length(gap, limit - end, entry, head, self._found)
        check_gap(self._stream, end, limit, self._found)

    def _central(self, entry: Entry) -> bytes:
        """Give the entry's directory header, up to and with the extra field."""
        data, at = self._directory.data, entry.header - self._directory.origin
        name_size, extra_size = LENGTHS(data, at + 28)
        return data[at : at + CENTRAL_SIZE + name_size + extra_size]


def is_readable(entry: Entry) -> bool:
    """Tell whether there is a way to read the content."""
    return entry.method in (STORED, DEFLATED) and not entry.flags & (ENCRYPTED | PATCHED)
