"""Local headers against the directory, and the data descriptors behind the entries (APPNOTE 4.3.7-9)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress

from airflow_provider_dli.archive import extra as extras
from airflow_provider_dli.archive.report import Entry, Findings, escape
from airflow_provider_dli.archive.rules import DESCRIPTOR, STORED, UTF8

SIGNATURE = b"PK\3\4"
HEADER = struct.Struct("<4sHHHIIIIHH")
LONGEST = HEADER.size + 2 * 0xFFFF
DESCRIPTOR_SIGNATURE = b"PK\7\10"
LONGEST_DESCRIPTOR = 24
ZIP64_SIZES = b"\xff" * 8
STORED_HINTS = 1 << 15
HINTS = 1 << 1 | 1 << 2 | STORED_HINTS
"""Flags that no reader goes by: how hard the writer compressed, and one that is reserved; and UTF-8, of ASCII."""


def compare(head: bytes, entry: Entry, central: bytes, found: Findings) -> int | None:
    """Compare a local header with the directory's.

    :param head: the file from the entry's offset on, long enough for the header.
    :param central: the entry's directory header, up to and with the extra field.
    :returns: how long the local header is; None where there is none.
    """
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
    (central_when,) = struct.unpack_from("<I", central, 12)
    if name != _name(central):
        yield "name-mismatch", f"its local header calls it '{escape(name.decode('utf-8', 'backslashreplace'))}'"
    if flags != entry.flags:
        # 7-Zip loses a stored entry whose first two differ, unless it is the first entry.
        hints = STORED_HINTS if entry.method == STORED and entry.offset else HINTS
        hints |= UTF8 if name.isascii() else 0
        code = "flags-mismatch" if (flags ^ entry.flags) & ~hints else "advisory-field"
        yield code, f"flags: local header 0x{flags:04x}, directory 0x{entry.flags:04x}"
    if method != entry.method:
        yield "method-mismatch", f"local header {method}, directory {entry.method}"
    if when != central_when:
        yield "time-mismatch", f"local header 0x{when:08x}, directory 0x{central_when:08x}"


def _differing_extras(head: bytes, entry: Entry, central: bytes) -> Iterator[tuple[str, str]]:
    """Compare what the extra fields say."""
    *_, compressed, size, name_size, _ = HEADER.unpack_from(head)
    name, extra = head[HEADER.size :][:name_size], head[HEADER.size + name_size :]
    try:
        (size, compressed), odd = extras.resolve((size, compressed), extra)
        path = extras.unicode_path(extra, name) or name
        kind = extras.odd_type(extra) if entry.size and not entry.is_directory else None
    except extras.ExtraError as error:
        yield error.code, f"in the local header: {error}"
        return
    if odd:
        yield "advisory-field", f"in the local header: {odd}"
    if kind:
        yield kind[0], f"in the local header: {kind[1]}"
    if name == _name(central) and path != _path(central):
        yield "unicode-path-mismatch", "local header and directory differ in the Unicode Path"
    yield from _differing_sums(head, (size, compressed), entry)


def _name(central: bytes) -> bytes:
    return central[46:][: central[28] | central[29] << 8]


def _path(central: bytes) -> bytes:
    """Give the name that counts for readers of the Unicode Path; a damaged one has been reported and is none."""
    name = _name(central)
    with suppress(extras.ExtraError):
        return extras.unicode_path(central[46 + len(name) :], name) or name
    return name


def _differing_sums(head: bytes, sizes: tuple[int, int], entry: Entry) -> Iterator[tuple[str, str]]:
    """Compare CRC and sizes; a header written before the data may leave each at 0 (APPNOTE 4.4.4, bit 3)."""
    _, _, flags, _, _, crc, *_ = HEADER.unpack_from(head)
    size, compressed = sizes
    unset = 0 if flags & DESCRIPTOR else None
    if crc not in (entry.crc32, unset):
        yield "crc-mismatch", f"local header 0x{crc:08x}, directory 0x{entry.crc32:08x}"
    if size not in (entry.size, unset):
        yield "size-mismatch", f"local header {size} bytes, directory {entry.size}"
    if compressed not in (entry.compressed_size, unset):
        message = f"local header {compressed} compressed bytes, directory {entry.compressed_size}"
        yield "size-mismatch", message


def descriptors(entry: Entry) -> list[bytes]:
    """Give the forms a right data descriptor can take: 64 or 32 bits, with or without its signature."""
    forms = [struct.pack("<IQQ", entry.crc32, entry.compressed_size, entry.size)]
    if max(entry.compressed_size, entry.size) <= extras.SENTINEL:
        forms.append(struct.pack("<III", entry.crc32, entry.compressed_size, entry.size))
    return [signature + form for form in forms for signature in (DESCRIPTOR_SIGNATURE, b"")]


def _cut_descriptor(entry: Entry) -> bytes:
    return DESCRIPTOR_SIGNATURE + struct.pack("<IQ", entry.crc32, entry.compressed_size)


def descriptor_length(gap: bytes, size: int, entry: Entry, head: bytes, found: Findings) -> int:
    """Check the data descriptor and tell how much of the gap behind the entry it takes.

    :param gap: the first 24 bytes of it.
    :param size: of the whole gap, in bytes.
    :param head: the local header.
    """
    at = entry.offset
    if not size:
        found.add("missing-descriptor", "its flags announce a data descriptor", offset=at, entry=entry.name)
        return 0
    fitting = [len(form) for form in descriptors(entry) if gap.startswith(form)]
    if not fitting and head[18:26] == ZIP64_SIZES and gap[:size] == _cut_descriptor(entry):
        message = "its data descriptor of ZIP64 is cut to 16 bytes, as Java 17 copies it"
        found.add("advisory-field", message, offset=at, entry=entry.name)
        return size
    if not fitting:
        found.add(
            "bad-descriptor",
            f"the {size} bytes behind its data are no data descriptor of it",
            offset=at,
            entry=entry.name,
        )
        return min(size, LONGEST_DESCRIPTOR)
    return size if size in fitting else fitting[0]
