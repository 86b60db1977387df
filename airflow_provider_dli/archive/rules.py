"""What may be said against one entry from its directory header alone (APPNOTE 4.4)."""

from __future__ import annotations

import struct
from typing import NamedTuple

from airflow_provider_dli.archive.report import Findings

ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13
DESCRIPTOR = 1 << 3
PATCHED = 1 << 5
UTF8 = 1 << 11
KNOWN_FLAGS = ENCRYPTED | 1 << 1 | 1 << 2 | DESCRIPTOR | PATCHED | UTF8
STORED, DEFLATED = 0, 8
NEWEST = 63
"""Highest version of the format, times ten, that readers know (APPNOTE 4.4.3.2)."""
DEFLATE_BEST = 1032
"""No deflate stream is denser: 258 bytes in two bits."""
KIND = struct.Struct("<HHHHHHI")
UNIX_HOSTS = (3, 19)
LINK = 0xA000
FILE_TYPES = (0, 0x1000, 0x4000, 0x8000)
"""None, pipe, directory, file: Info-ZIP calls what came through a pipe a pipe, and no reader makes one of it."""


class Kind(NamedTuple):
    """The fields that most entries of an archive share, so that they are judged once and not for every entry."""

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


def judge(kind: Kind, name: str, at: int, found: Findings) -> bool:
    """Report what speaks against an entry of this kind; True where nothing does.

    :param name: of the entry.
    :param at: where its directory header is.
    """
    complaints = list(_complaints(kind))
    for code, message in complaints:
        found.add(code, message, offset=at, entry=name)
    return not complaints


def _complaints(kind: Kind) -> list[tuple[str, str]]:
    mode = kind.attributes >> 16 & 0xF000
    odd = kind.made >> 8 in UNIX_HOSTS and mode not in FILE_TYPES
    checks = (
        (kind.flags & ENCRYPTED, "encrypted", "its content is encrypted"),
        (kind.flags & PATCHED, "patched-data", "its content is a patch to other data"),
        (kind.flags & ~KNOWN_FLAGS, "unknown-flags", f"flags 0x{kind.flags:04x} have bits without a meaning"),
        (kind.method not in (STORED, DEFLATED), "unsupported-method", f"compression method {kind.method}"),
        (kind.need & 0xFF > NEWEST, "unsupported-version", f"it needs version {kind.need & 0xFF} of ZIP"),
        (kind.disk, "split-archive", f"it begins on volume {kind.disk}"),
        (mode == LINK, "symbolic-link", "it is a symbolic link"),
        (odd and mode != LINK, "special-file", f"its file type is 0x{mode:04x}"),
    )
    return [(code, message) for wrong, code, message in checks if wrong]


def judge_sizes(sizes: tuple[int, int], kind: Kind, name: str, at: int, found: Findings) -> None:
    """Report sizes that cannot be.

    :param sizes: inflated and compressed.
    """
    size, compressed = sizes
    if kind.method == STORED and size != compressed and not kind.flags & ENCRYPTED:
        message = f"{size} bytes are stored in {compressed}"
        found.add("stored-size-mismatch", message, offset=at, entry=name)
    elif kind.method == DEFLATED and size > compressed * DEFLATE_BEST:
        message = f"{compressed} bytes cannot inflate to {size}"
        found.add("impossible-size", message, offset=at, entry=name)
