"""Fields of headers: flags, versions, attributes, sizes, extra fields; what is wrong with each (APPNOTE 4.4-6)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from airflow_provider_dli.archive.report import Findings

ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13
DESCRIPTOR = 1 << 3
PATCHED = 1 << 5
UTF8 = 1 << 11
KNOWN_FLAGS = ENCRYPTED | 1 << 1 | 1 << 2 | DESCRIPTOR | PATCHED | UTF8
STORED, DEFLATED = 0, 8
NEWEST = 46
"""Highest version of the format, times ten, that every reader takes: unzip drops entries that need another."""
VMS, NEWEST_OF_VMS = 2, 42
"""The system that a version may be of, by its high byte; unzip knows an older one of VMS, wherever it runs."""
DEFLATE_BEST = 1032
"""No deflate stream is denser: 258 bytes in two bits."""
SENTINEL = 0xFFFFFFFF
"""A 32-bit field of all ones: its value is in the ZIP64 extra field."""
UNIX = 3
UNIX_HOSTS = (UNIX, 19)
DOS_HOSTS = (0, 11)
DIRECTORY_HOSTS, VOLUME_HOSTS, LINK_HOSTS = (
    (*DOS_HOSTS, 6, 14),
    (*DOS_HOSTS, 5, 6),
    (*DOS_HOSTS, *UNIX_HOSTS, 2, 5, 16),
)
"""The systems, by the high byte of "version made by", whose bit or mode of that kind some reader goes by."""
DIRECTORY_BIT, VOLUME_BIT, REPARSE_BIT = 0x10, 0x08, 0x400
DIRECTORY = 0x4000
LINK = 0xA000
FILE_TYPES = (0, 0x1000, DIRECTORY, 0x8000)
"""None, pipe, directory, file: Info-ZIP calls what came through a pipe a pipe, and no reader makes one of it."""
DISK_IN_ZIP64 = 0xFFFF
KIND = struct.Struct("<HHHHHHI")
OF_CONTENT = ("marked-as-directory", "marked-as-volume")
OF_FILES = (*OF_CONTENT, "symbolic-link", "special-file", "advisory-field")


class Kind(NamedTuple):
    """The fields that most entries of an archive share, so that they are checked once and not for every entry."""

    made: int
    need: int
    flags: int
    method: int
    disk: int
    internal: int
    attributes: int

    @classmethod
    def of(cls, fields: bytes) -> Kind:
        """Unpack bytes 4 to 12 and 34 to 42 of a directory header."""
        return cls._make(KIND.unpack(fields))


def check_kind(kind: Kind, name: str, size: int, at: int, found: Findings) -> bool:
    """Report what is wrong with an entry of this kind; return whether nothing is, whatever its name and size.

    :param name: of the entry.
    :param size: of its content.
    :param at: where its directory header is.
    """
    problems = list(_problems(kind))
    # Of a directory no reader minds the type; of what has no content only its being a file is lost.
    ignored = OF_FILES if name.endswith("/") else ()
    for code, message in problems:
        if not size and code in OF_CONTENT and code not in ignored:
            found.add("advisory-field", f"empty, and {code}: readers make no file of it", offset=at, entry=name)
        elif code not in ignored:
            found.add(code, message, offset=at, entry=name)
    return not problems


def _problems(kind: Kind) -> list[tuple[str, str]]:
    mode, host = kind.attributes >> 16 & 0xF000, kind.made >> 8
    is_unix, is_dos = host in UNIX_HOSTS, host in DOS_HOSTS
    newest = NEWEST_OF_VMS if kind.need >> 8 == VMS else NEWEST
    is_directory = (is_unix and mode == DIRECTORY) or (host in DIRECTORY_HOSTS and kind.attributes & DIRECTORY_BIT)
    is_volume = host in VOLUME_HOSTS and kind.attributes & VOLUME_BIT
    checks = (
        (kind.flags & ENCRYPTED, "encrypted", "its content is encrypted"),
        (kind.flags & PATCHED, "patched-data", "its content is a patch to other data"),
        (kind.flags & ~KNOWN_FLAGS, "unknown-flags", f"flags 0x{kind.flags:04x} have bits without a meaning"),
        (kind.method not in (STORED, DEFLATED), "unsupported-method", f"compression method {kind.method}"),
        (kind.need & 0xFF > newest, "unsupported-version", f"it needs version {kind.need & 0xFF} of ZIP"),
        (kind.disk not in (0, DISK_IN_ZIP64), "split-archive", f"it begins on volume {kind.disk}"),
        (mode == LINK and host in LINK_HOSTS, "symbolic-link", "it is a symbolic link"),
        (is_unix and mode not in (*FILE_TYPES, LINK), "special-file", f"its file type is 0x{mode:04x}"),
        (is_directory, "marked-as-directory", "it has content, and readers make a directory of it"),
        (is_volume, "marked-as-volume", "it is marked as the label of a volume"),
        (is_dos and kind.attributes & REPARSE_BIT, "advisory-field", "it is marked as a reparse point"),
    )
    return [(code, message) for wrong, code, message in checks if wrong]


def check_sizes(size: int, compressed: int, kind: Kind, name: str, at: int, found: Findings) -> None:
    """Report sizes that cannot be."""
    if kind.method == STORED and size != compressed and not kind.flags & ENCRYPTED:
        found.add("stored-size-mismatch", f"{size} bytes are stored in {compressed}", offset=at, entry=name)
    elif kind.method == DEFLATED and size > compressed * DEFLATE_BEST:
        found.add("impossible-size", f"{compressed} bytes cannot inflate to {size}", offset=at, entry=name)


ZIP64 = 0x0001
UNICODE_PATH = 0x7075
LIBARCHIVE = 0x6C78
SHORTEST = {0x5455: 1, 0x9901: 6}
"""How long the fields of times and of AES are at least; bsdtar extracts nothing if one is shorter."""
JAVA_ZIP64_LENGTHS = (0, 8, 16, 24, 28)
"""Of a ZIP64 field in the central directory; Java refuses the archive if it has another."""
EXTRA_HEADER = struct.Struct("<HH")
DISK = struct.Struct("<I")
PATH_HEADER = struct.Struct("<BI")


class ExtraError(ValueError):
    """An extra field that cannot be right.

    :param code: of the finding.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def is_plain(extra: bytes) -> bool:
    """Return, quickly, whether the fields are undamaged and none of them is one of the three that matter here."""
    at, end = 0, len(extra) - EXTRA_HEADER.size
    while at <= end:
        kind, length = EXTRA_HEADER.unpack_from(extra, at)
        if kind in (ZIP64, UNICODE_PATH, LIBARCHIVE) or length < SHORTEST.get(kind, 0):
            return False
        at += EXTRA_HEADER.size + length
    return at <= len(extra) and not any(extra[at:])


def _extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield id and data of each field; up to three zeros of padding may follow, as ``zipalign`` leaves them.

    :raises ExtraError: if a field is longer than what is left, or too short, or the padding is none.
    """
    at = 0
    while at + EXTRA_HEADER.size <= len(extra):
        kind, length = EXTRA_HEADER.unpack_from(extra, at)
        at += EXTRA_HEADER.size
        if at + length > len(extra):
            message = f"field 0x{kind:04x} is {length} bytes long, {len(extra) - at} are left"
            raise ExtraError("bad-extra-field", message)
        if length < SHORTEST.get(kind, 0):
            raise ExtraError("bad-extra-field", f"field 0x{kind:04x} is only {length} bytes long")
        yield kind, extra[at : at + length]
        at += length
    if any(extra[at:]):
        raise ExtraError("bad-extra-field", f"its last {len(extra) - at} bytes belong to no field")


def resolve_zip64(plain: tuple[int, ...], extra: bytes) -> tuple[tuple[int, ...], str | None]:
    """Replace each 32-bit field that is all ones by its ZIP64 value (APPNOTE 4.5.3).

    :param plain: size, compressed size and, in the directory, offset, as the header has them.
    :returns: the values, and what is odd about those that no field needs, if they are not the plain fields'.
    :raises ExtraError: if values are missing.
    """
    found = _zip64(extra)
    count = len(found) // 8
    values = list(struct.unpack_from(f"<{count}Q", found))
    if plain.count(SENTINEL) > count:
        raise ExtraError("zip64-missing", f"{plain.count(SENTINEL)} ZIP64 values are required, there are {count}")
    resolved = tuple(values.pop(0) if value == SENTINEL else value for value in plain)
    rest = [value for value in plain if value != SENTINEL][: len(values)]
    odd = rest != values[: len(rest)]
    return resolved, f"ZIP64 values {values} differ from the plain values {rest}" if odd else None


def zip64_length_and_disk(extra: bytes) -> tuple[int, int | None]:
    """Return the length of a ZIP64 field, 0 if there is none, and the number of the volume that may end it.

    :param extra: may be damaged, which is reported elsewhere.
    """
    with suppress(ExtraError):
        found = _zip64(extra)
        has_disk = len(found) % 8 == DISK.size
        return len(found), int(DISK.unpack_from(found, len(found) - DISK.size)[0]) if has_disk else None
    return 0, None


def _zip64(extra: bytes) -> bytes:
    found = [data for kind, data in _extra_fields(extra) if kind == ZIP64]
    if len(found) > 1:
        raise ExtraError("bad-extra-field", "there are two ZIP64 fields")
    return found[0] if found else b""


def unicode_path(extra: bytes, name: bytes) -> bytes | None:
    """Return the name of a Unicode Path field that is meant for this ``name``; None if there is none.

    :param name: as the header has it; a field made for another name is void by its CRC.
    :raises ExtraError: if the extra field is damaged or has two of them.
    """
    found = [data for kind, data in _extra_fields(extra) if kind == UNICODE_PATH]
    if len(found) > 1 or (found and len(found[0]) < PATH_HEADER.size):
        raise ExtraError("bad-extra-field", "its Unicode Path is cut short, or there are two")
    if not found or PATH_HEADER.unpack_from(found[0]) != (1, zlib.crc32(name)):
        return None
    return found[0][PATH_HEADER.size :]


def odd_type(extra: bytes) -> tuple[str, str] | None:
    """Return the finding for a field of libarchive by which bsdtar makes something else than a file of an entry.

    :param extra: not damaged.
    :returns: code and message.
    """
    for kind, data in _extra_fields(extra):
        host, attributes = _libarchive(data) if kind == LIBARCHIVE else (None, 0)
        mode = attributes >> 16 & 0xF000 if host in (None, UNIX) else 0
        is_directory = mode == DIRECTORY or (host in (None, 0) and attributes & DIRECTORY_BIT)
        if is_directory or mode not in FILE_TYPES:
            code = "marked-as-directory" if is_directory else "symbolic-link" if mode == LINK else "special-file"
            return code, f"its extra field 0x{kind:04x} has type 0x{mode:04x}, attributes 0x{attributes:08x}"
    return None


def _libarchive(data: bytes) -> tuple[int | None, int]:
    """Return host, None if omitted, and attributes: the first bits define which of them follow."""
    start = next((at for at, bits in enumerate(data, 1) if not bits & 0x80), 0)
    bits, rest = (data[0], data[start:]) if start else (0, b"")
    host = rest[1] if bits & 1 and len(rest) > 1 else None
    at = 2 * (bits & 1) + (bits & 2)
    return host, int.from_bytes(rest[at : at + 4], "little") if bits & 4 and len(rest) >= at + 4 else 0
