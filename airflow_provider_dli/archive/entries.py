"""The one pass over the whole file: every entry read, every byte between the entries accounted for.

An entry that is intact in a plain way, as nearly all are, is checked quickly; any other with care, to name what is
wrong: local header against directory, content, data descriptor, and what lies behind it (APPNOTE 4.3.7-9).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice

from airflow_provider_dli.archive.contents import BARRED, Contents
from airflow_provider_dli.archive.directory import END_SIGNATURE, LOCAL_SIZE, Layout
from airflow_provider_dli.archive.directory import HEADER as CENTRAL_HEADER
from airflow_provider_dli.archive.fields import (
    DEFLATED,
    DESCRIPTOR,
    ENCRYPTED,
    PATCHED,
    SENTINEL,
    STORED,
    UTF8,
    ExtraError,
    is_plain,
    odd_type,
    resolve_zip64,
    unicode_path,
)
from airflow_provider_dli.archive.report import Entry, Findings, escape
from airflow_provider_dli.archive.source import Stream

SIGNATURE = b"PK\3\4"
HEADER = struct.Struct("<4sHHHIIIIHH")
FLAGS, TIME, CRC, COMPRESSED, SIZE, NAME_LENGTH, EXTRA_LENGTH = 6, 10, 14, 18, 22, 26, 28
"""Where fields begin in a local header (APPNOTE 4.3.7); the method is between flags and time."""
LATER = 2
"""Bytes by which each of these begins later in a header of the directory, in the same order (APPNOTE 4.3.12)."""
LONGEST = HEADER.size + 2 * 0xFFFF
DESCRIPTOR_SIGNATURE = b"PK\7\10"
LONGEST_DESCRIPTOR = 24
ZIP64_SIZES = b"\xff" * 8
STORED_HINTS = 1 << 15
HINTS = 1 << 1 | 1 << 2 | STORED_HINTS
"""Flags that no reader goes by: how hard the writer compressed, and one that is reserved; and UTF-8, of ASCII."""
QUICK_LARGEST = 1 << 18
"""Bytes of an entry, and of its content, that are checked at once in memory."""
UNSET = bytes(12)
ALL_ONES = b"\xff" * 4
LENGTHS = struct.Struct("<HH").unpack_from
"""Reads the lengths of a name and of its extra field."""
RAW = -15
"""Window bits of a deflate stream without header or trailer, as ZIP has it."""
OUT = 1 << 18
GAP_SIGNATURES = {
    SIGNATURE: ("hidden-entry", "a local header that is not in the central directory"),
    END_SIGNATURE: ("second-end-record", "an end record among the entries"),
}
GAP_OVERLAP = 3  # a signature less one byte


class Walk:
    """Read the entries in the order of their bytes, and give their content to ``contents``."""

    def __init__(self, stream: Stream, layout: Layout, contents: Contents, found: Findings) -> None:
        self._stream = stream
        self._data = layout.directory.data
        self._origin = layout.directory.origin
        self._layout = layout
        self._contents = contents
        self._found = found

    def run(self) -> None:
        """Check every entry, and every byte up to the directory."""
        directory, order, barred = self._layout
        limits = [*(entry.offset for entry in order), directory.start]
        check_gap(self._stream, 0, limits[0], self._found, report=False)
        for entry, limit in zip(order, islice(limits, 1, None), strict=True):
            fit = entry.header not in barred and is_readable(entry)
            content = self._check_quickly(entry, limit) if fit else None
            if content is None:
                self._check_carefully(entry, limit, fit=fit)
            else:
                self._contents.check(entry, content)

    def _check_quickly(self, entry: Entry, limit: int) -> bytes | None:
        """Return the content of a small entry that is intact; None if that is not sure.

        As strict as the careful way, and faster because it compares whole stretches of bytes: from the flags to
        the length of the name, a local header has the same as the directory's. Without it an archive of small
        entries takes 1.1 to 2 times as long: ``python benchmarks/archive.py --careful``.
        """
        length = limit - entry.offset
        if length > QUICK_LARGEST or entry.size > QUICK_LARGEST:
            return None
        low = self._stream.hold(entry.offset, length)
        file, high = self._stream.buffer, low + length
        at = entry.header - self._origin
        # The name of an entry with an extra field may come from there, and needs its twin in front.
        if high > len(file) or (not entry.name.isascii() and LENGTHS(self._data, at + LATER + NAME_LENGTH)[1]):
            return None
        name_size, extra_size = LENGTHS(file, low + NAME_LENGTH)
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

    def _agrees(self, file: bytes, low: int, end: int, high: int, entry: Entry) -> bool:
        """Compare local header and data descriptor with the directory."""
        data, at = self._data, entry.header - self._origin
        name_size, _ = LENGTHS(data, at + LATER + NAME_LENGTH)
        name = file[low + LOCAL_SIZE : low + LOCAL_SIZE + name_size]
        if not file.startswith(SIGNATURE, low) or not data.startswith(name, at + CENTRAL_HEADER.size):
            return False
        sizes = file[low + COMPRESSED : low + SIZE], file[low + SIZE : low + NAME_LENGTH]
        if ALL_ONES in sizes:
            return False  # they are in a ZIP64 field, or should be
        twin = at + LATER
        if not entry.flags & DESCRIPTOR:
            return (
                end == high and file[low + FLAGS : low + EXTRA_LENGTH] == data[twin + FLAGS : twin + EXTRA_LENGTH]
            )
        return (
            file[low + CRC : low + NAME_LENGTH] == UNSET
            and file[low + FLAGS : low + CRC] == data[twin + FLAGS : twin + CRC]
            and file[low + NAME_LENGTH : low + EXTRA_LENGTH] == data[twin + NAME_LENGTH : twin + EXTRA_LENGTH]
            and file[end:high] == DESCRIPTOR_SIGNATURE + data[twin + CRC : twin + NAME_LENGTH]
        )

    def _check_carefully(self, entry: Entry, limit: int, *, fit: bool) -> None:
        """Report all that is wrong with an entry; ``fit`` is whether its content can and may be read."""
        head = self._stream.window(entry.offset, min(limit - entry.offset, LONGEST))
        central = self._central(entry)
        length = compare_headers(head, entry, central, self._found)
        if length is None:
            return
        start = entry.offset + length
        end = start + entry.compressed_size
        if end > limit:
            if entry.offset + LOCAL_SIZE + len(_name(central)) + entry.compressed_size <= limit:
                # The directory alone did not give it away.
                message = f"its data would end at byte {end}, what follows begins at byte {limit}"
                self._found.add("overlap", message, offset=entry.offset, entry=entry.name)
            end = limit
        if fit:
            self._read(entry, start, end)
        elif entry.header in self._layout.barred:
            self._contents.skip(entry, BARRED)
        # From the end of the data to the next entry there is a data descriptor or nothing.
        if (entry.flags | head[FLAGS]) & DESCRIPTOR:
            gap = self._stream.window(end, min(limit - end, LONGEST_DESCRIPTOR))
            end += descriptor_length(gap, limit - end, entry, head, self._found)
        check_gap(self._stream, end, limit, self._found)

    def _central(self, entry: Entry) -> bytes:
        """Return the entry's directory header, up to and with the extra field."""
        at = entry.header - self._origin
        name_size, extra_size = LENGTHS(self._data, at + LATER + NAME_LENGTH)
        return self._data[at : at + CENTRAL_HEADER.size + name_size + extra_size]

    def _read(self, entry: Entry, start: int, end: int) -> None:
        tap = self._contents.tap(entry)
        pieces = self._stream.pieces(start, end)
        problems, data = read_content(pieces, entry, keep=self._contents.wants(entry), tap=tap)
        for code, message in problems:
            self._found.add(code, message, offset=start, entry=entry.name)
        if not problems:
            self._contents.check(entry, data, tap)


def is_readable(entry: Entry) -> bool:
    """Return whether the content can be read."""
    return entry.method in (STORED, DEFLATED) and not entry.flags & (ENCRYPTED | PATCHED)


def compare_headers(head: bytes, entry: Entry, central: bytes, found: Findings) -> int | None:
    """Compare the local header that ``head`` begins with and the directory's; return its length, if it is one."""
    if len(head) < HEADER.size or head[:4] != SIGNATURE:
        found.add("bad-local-header", "no local header begins here", offset=entry.offset, entry=entry.name)
        return None
    *_, name_size, extra_size = HEADER.unpack_from(head)
    length = HEADER.size + int(name_size) + int(extra_size)
    for differences in (_differing_fields, _differing_extras):
        for code, message in differences(head[:length], entry, central):
            found.add(code, message, offset=entry.offset, entry=entry.name)
    return length


def _differing_fields(head: bytes, entry: Entry, central: bytes) -> Iterator[tuple[str, str]]:
    _, _, flags, method, when, _, _, _, name_size, _ = HEADER.unpack_from(head)
    name = head[HEADER.size :][:name_size]
    (central_when,) = struct.unpack_from("<I", central, LATER + TIME)
    if name != _name(central):
        shown = escape(name.decode("utf-8", "backslashreplace"))
        yield "name-mismatch", f"its name in the local header is '{shown}'"
    if flags != entry.flags:
        # 7-Zip loses a stored entry whose first two differ, unless it is the first entry.
        hints = STORED_HINTS if entry.method == STORED and entry.offset else HINTS
        hints |= UTF8 if name.isascii() else 0
        code = "flags-mismatch" if (flags ^ entry.flags) & ~hints else "advisory-field"
        yield code, f"flags: local header 0x{flags:04x}, central directory 0x{entry.flags:04x}"
    if method != entry.method:
        yield "method-mismatch", f"compression method: local header {method}, central directory {entry.method}"
    if when != central_when:
        yield "time-mismatch", f"date and time: local header 0x{when:08x}, central directory 0x{central_when:08x}"


def _differing_extras(head: bytes, entry: Entry, central: bytes) -> Iterator[tuple[str, str]]:
    """Compare the extra fields."""
    *_, compressed, size, name_size, _ = HEADER.unpack_from(head)
    name, extra = head[HEADER.size :][:name_size], head[HEADER.size + name_size :]
    try:
        (size, compressed), odd = resolve_zip64((size, compressed), extra)
        path = unicode_path(extra, name) or name
        kind = odd_type(extra) if entry.size and not entry.is_directory else None
    except ExtraError as error:
        yield error.code, f"in the local header: {error}"
        return
    if odd:
        yield "advisory-field", f"in the local header: {odd}"
    if kind:
        yield kind[0], f"in the local header: {kind[1]}"
    if name == _name(central) and path != _path(central):
        yield "unicode-path-mismatch", "local header and central directory differ in the Unicode Path"
    yield from _differing_sums(head, (size, compressed), entry)


def _name(central: bytes) -> bytes:
    name_size, _ = LENGTHS(central, LATER + NAME_LENGTH)
    return central[CENTRAL_HEADER.size :][:name_size]


def _path(central: bytes) -> bytes:
    """Return the name that counts for readers of the Unicode Path; a damaged one has been reported and is none."""
    name = _name(central)
    with suppress(ExtraError):
        return unicode_path(central[CENTRAL_HEADER.size + len(name) :], name) or name
    return name


def _differing_sums(head: bytes, sizes: tuple[int, int], entry: Entry) -> Iterator[tuple[str, str]]:
    """Compare CRC and sizes; a header written before the data may leave each at 0 (APPNOTE 4.4.4, bit 3)."""
    _, _, flags, _, _, crc, *_ = HEADER.unpack_from(head)
    size, compressed = sizes
    unset = 0 if flags & DESCRIPTOR else None
    if crc not in (entry.crc32, unset):
        yield "crc-mismatch", f"CRC-32: local header 0x{crc:08x}, central directory 0x{entry.crc32:08x}"
    if size not in (entry.size, unset):
        yield "size-mismatch", f"uncompressed size: local header {size}, central directory {entry.size}"
    if compressed not in (entry.compressed_size, unset):
        message = f"compressed size: local header {compressed}, central directory {entry.compressed_size}"
        yield "size-mismatch", message


def read_content(
    pieces: Iterator[memoryview], entry: Entry, *, keep: bool, tap: Callable[[bytes], None] | None = None
) -> tuple[list[tuple[str, str]], bytes | None]:
    """Inflate an entry in bounded memory and compare it with its CRC-32 and size.

    :param tap: gets the content piece by piece, before it is known to be intact.
    :returns: code and message of each problem, and the content if it is to be kept and there is none.
    """
    crc = size = 0
    kept: list[bytes] = []
    problems: list[tuple[str, str]] = []
    outputs = map(bytes, pieces) if entry.method == STORED else _inflate(pieces, problems)
    for output in outputs:
        crc, size = zlib.crc32(output, crc), size + len(output)
        if keep:
            kept.append(output)
        if tap:
            tap(output)
        if size > entry.size:
            message = f"its uncompressed data exceeds the {entry.size} bytes recorded in the central directory"
            return [("wrong-size", message)], None
    if any(code != "junk-after-deflate" for code, _ in problems):
        return problems, None
    if size != entry.size:
        message = f"its uncompressed data is {size} bytes, the central directory records {entry.size}"
        problems.append(("wrong-size", message))
    if crc != entry.crc32:
        message = f"its CRC-32 is 0x{crc:08x}, the central directory records 0x{entry.crc32:08x}"
        problems.append(("bad-crc", message))
    return problems, b"".join(kept) if keep and not problems else None


def _inflate(pieces: Iterator[memoryview], problems: list[tuple[str, str]]) -> Iterator[bytes]:
    """Yield what comes out, in pieces of at most 256 KiB."""
    inflater = zlib.decompressobj(RAW)
    taken = junk = 0
    for piece in pieces:
        rest: bytes | memoryview = piece
        taken += len(piece)
        if inflater.eof:
            junk += len(piece)
            continue
        while True:
            try:
                output = inflater.decompress(rest, OUT)
            except zlib.error:
                problems.append(("bad-deflate", f"the compressed data is damaged within its first {taken} bytes"))
                return
            yield output
            if len(output) < OUT:  # else there may be more of it, even with no input left
                break
            rest = inflater.unconsumed_tail
        junk += len(inflater.unused_data)
    if not inflater.eof:
        problems.append(("truncated-deflate", f"the compressed data does not end within its {taken} bytes"))
    elif junk:
        problems.append(("junk-after-deflate", f"{junk} bytes follow the end of the compressed data"))


def descriptor_length(gap: bytes, size: int, entry: Entry, head: bytes, found: Findings) -> int:
    """Check the data descriptor and return how many bytes of the gap behind the entry it takes.

    ``gap`` has the first 24 bytes of it, ``size`` is that of all of it.
    """
    at = entry.offset
    if not size:
        found.add("missing-descriptor", "its flags announce a data descriptor", offset=at, entry=entry.name)
        return 0
    fitting = [len(form) for form in _descriptors(entry) if gap.startswith(form)]
    if fitting:
        return size if size in fitting else fitting[0]
    cut = DESCRIPTOR_SIGNATURE + struct.pack("<IQ", entry.crc32, entry.compressed_size)
    if head[COMPRESSED:NAME_LENGTH] == ZIP64_SIZES and gap[:size] == cut:
        message = "its data descriptor of ZIP64 is cut to 16 bytes, as Java 17 copies it"
        found.add("advisory-field", message, offset=at, entry=entry.name)
        return size
    message = f"the {size} bytes after its data are not its data descriptor"
    found.add("bad-descriptor", message, offset=at, entry=entry.name)
    return min(size, LONGEST_DESCRIPTOR)


def _descriptors(entry: Entry) -> list[bytes]:
    """Return the forms that a right data descriptor can have: 64 or 32 bits, with or without its signature."""
    forms = [struct.pack("<IQQ", entry.crc32, entry.compressed_size, entry.size)]
    if max(entry.compressed_size, entry.size) <= SENTINEL:
        forms.append(struct.pack("<III", entry.crc32, entry.compressed_size, entry.size))
    return [signature + form for form in forms for signature in (DESCRIPTOR_SIGNATURE, b"")]


def check_gap(stream: Stream, start: int, end: int, found: Findings, *, report: bool = True) -> None:
    """Report bytes between the entries, unless they are reported elsewhere, and known signatures in them."""
    if start < end and report:
        found.add("hidden-data", f"{end - start} bytes belong to no entry", offset=start)
    last = b""
    seen: set[str] = set()
    for piece in stream.pieces(start, end):
        text = last + bytes(piece)
        for signature, (code, message) in GAP_SIGNATURES.items():
            place = text.find(signature)
            if place >= 0 and code not in seen:
                found.add(code, message, offset=start + place - len(last))
                seen.add(code)
        start += len(piece)
        last = text[-GAP_OVERLAP:]
