"""Extra fields: what ZIP64 and the Unicode Path field say of an entry (APPNOTE 4.5.3, 4.6.9)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress

from airflow_provider_dli.archive.rules import DIRECTORY, DIRECTORY_BIT, FILE_TYPES, LINK

ZIP64 = 0x0001
UNICODE_PATH = 0x7075
SENTINEL = 0xFFFFFFFF
HEADER = struct.Struct("<HH")
DISK = struct.Struct("<I")
PATH_HEADER = struct.Struct("<BI")
LIBARCHIVE = 0x6C78
UNIX = 3
SHORTEST = {0x5455: 1, 0x9901: 6}
"""How long the fields of times and of AES are at least; bsdtar extracts nothing where one is shorter."""


class ExtraError(ValueError):
    """An extra field that cannot be right.

    :param code: the finding it makes.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def is_plain(extra: bytes) -> bool:
    """Tell quickly whether the fields are undamaged and none of them is one of the three that matter here."""
    at, end = 0, len(extra) - HEADER.size
    while at <= end:
        kind, length = HEADER.unpack_from(extra, at)
        if kind in (ZIP64, UNICODE_PATH, LIBARCHIVE) or length < SHORTEST.get(kind, 0):
            return False
        at += HEADER.size + length
    return at <= len(extra) and not any(extra[at:])


def fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """Give id and data of each field; up to three zeros of padding may follow, as ``zipalign`` leaves them.

    :raises ExtraError: where a field is longer than what is left, or too short, or the padding is none.
    """
    at = 0
    while at + HEADER.size <= len(extra):
        kind, length = HEADER.unpack_from(extra, at)
        at += HEADER.size
        if at + length > len(extra):
            message = f"field 0x{kind:04x} is {length} bytes long, {len(extra) - at} are left"
            raise ExtraError("bad-extra-field", message)
        if length < SHORTEST.get(kind, 0):
            raise ExtraError("bad-extra-field", f"field 0x{kind:04x} is only {length} bytes long")
        yield kind, extra[at : at + length]
        at += length
    if any(extra[at:]):
        raise ExtraError("bad-extra-field", f"its last {len(extra) - at} bytes belong to no field")


def resolve(plain: tuple[int, ...], extra: bytes) -> tuple[tuple[int, ...], str | None]:
    """Replace each 32-bit field that is all ones by its ZIP64 value (APPNOTE 4.5.3).

    :param plain: size, compressed size and, in the directory, offset, as the header has them.
    :returns: the values, and what is odd about those that no field needs, if they are not the plain fields'.
    :raises ExtraError: where values are missing.
    """
    found = _zip64(extra)
    count = len(found) // 8
    values = list(struct.unpack_from(f"<{count}Q", found))
    if plain.count(SENTINEL) > count:
        raise ExtraError("zip64-missing", f"{plain.count(SENTINEL)} ZIP64 values are needed, {count} are there")
    resolved = tuple(values.pop(0) if value == SENTINEL else value for value in plain)
    rest = [value for value in plain if value != SENTINEL][: len(values)]
    odd = rest != values[: len(rest)]
    return resolved, f"ZIP64 values {values} stand beside plain values {rest}" if odd else None


def disk(extra: bytes) -> int | None:
    """Give the number of the volume that ends a ZIP64 field; None where there is none.

    :param extra: may be damaged, which is told elsewhere
    """
    with suppress(ExtraError):
        found = _zip64(extra)
        if len(found) % 8 == DISK.size:
            return int(DISK.unpack_from(found, len(found) - DISK.size)[0])
    return None


def _zip64(extra: bytes) -> bytes:
    found = [data for kind, data in fields(extra) if kind == ZIP64]
    if len(found) > 1:
        raise ExtraError("bad-extra-field", "there are two ZIP64 fields")
    return found[0] if found else b""


def unicode_path(extra: bytes, name: bytes) -> bytes | None:
    """Give the name of a Unicode Path field that is meant for this ``name``; None where there is none.

    :param name: as the header has it; a field made for another name is void by its CRC.
    :raises ExtraError: where the extra field is damaged or has two of them.
    """
    found = [data for kind, data in fields(extra) if kind == UNICODE_PATH]
    if len(found) > 1 or (found and len(found[0]) < PATH_HEADER.size):
        raise ExtraError("bad-extra-field", "its Unicode Path is cut short, or there are two")
    if not found or PATH_HEADER.unpack_from(found[0]) != (1, zlib.crc32(name)):
        return None
    return found[0][PATH_HEADER.size :]


def odd_type(extra: bytes) -> tuple[str, str] | None:
    """Tell of a field of libarchive that makes something else than a file of an entry: bsdtar goes by it.

    :param extra: not damaged.
    :returns: code and message of the finding.
    """
    for kind, data in fields(extra):
        host, attributes = _libarchive(data) if kind == LIBARCHIVE else (None, 0)
        mode = attributes >> 16 & 0xF000 if host in (None, UNIX) else 0
        is_directory = mode == DIRECTORY or (host in (None, 0) and attributes & DIRECTORY_BIT)
        if is_directory or mode not in FILE_TYPES:
            code = "marked-as-directory" if is_directory else "symbolic-link" if mode == LINK else "special-file"
            return code, f"its extra field 0x{kind:04x} says type 0x{mode:04x}, attributes 0x{attributes:08x}"
    return None


def _libarchive(data: bytes) -> tuple[int | None, int]:
    """Give host, None where it is left out, and attributes: each may follow the bits that say what does."""
    start = next((at for at, bits in enumerate(data, 1) if not bits & 0x80), 0)
    bits, rest = (data[0], data[start:]) if start else (0, b"")
    host = rest[1] if bits & 1 and len(rest) > 1 else None
    at = 2 * (bits & 1) + (bits & 2)
    return host, int.from_bytes(rest[at : at + 4], "little") if bits & 4 and len(rest) >= at + 4 else 0
