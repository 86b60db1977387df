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
NEWEST = 46
"""Highest version of the format, times ten, that every reader takes: unzip drops entries that need another."""
VMS, NEWEST_OF_VMS = 2, 42
"""The system that a version may be of, by its high byte; unzip knows an older one of VMS, wherever it runs."""
DEFLATE_BEST = 1032
"""No deflate stream is denser: 258 bytes in two bits."""
KIND = struct.Struct("<HHHHHHI")
UNIX_HOSTS = (3, 19)
DOS_HOSTS = (0, 11)
DIRECTORY_HOSTS, VOLUME_HOSTS, LINK_HOSTS = (
    (*DOS_HOSTS, 6, 14),
    (*DOS_HOSTS, 5, 6),
    (*DOS_HOSTS, *UNIX_HOSTS, 2, 5, 16),
)
"""The systems, by the high byte of "version made by", whose bit or mode of that kind some reader goes by."""
DIRECTORY_BIT, VOLUME_BIT, REPARSE_BIT = 0x10, 0x08, 0x400
DIRECTORY = 0x4000
DISK_IN_ZIP64 = 0xFFFF
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


def judge(kind: Kind, name: str, size: int, at: int, found: Findings) -> bool:
    """Report what speaks against an entry of this kind; True where nothing does, whatever its name and size.

    :param name: of the entry.
    :param size: of its content.
    :param at: where its directory header is.
    """
    complaints = list(_complaints(kind))
    # Of a directory no reader minds the type; of what has no content only its being a file is lost.
    void = OF_FILES if name.endswith("/") else ()
    for code, message in complaints:
        if not size and code in OF_CONTENT and code not in void:
            found.add("advisory-field", f"empty, and {code}: readers make no file of it", offset=at, entry=name)
        elif code not in void:
            found.add(code, message, offset=at, entry=name)
    return not complaints


OF_CONTENT = ("marked-as-directory", "marked-as-volume")
OF_FILES = (*OF_CONTENT, "symbolic-link", "special-file", "advisory-field")


def _complaints(kind: Kind) -> list[tuple[str, str]]:
    mode, host = kind.attributes >> 16 & 0xF000, kind.made >> 8
    is_unix, is_dos = host in UNIX_HOSTS, host in DOS_HOSTS
    newest = NEWEST_OF_VMS if kind.need >> 8 == VMS else NEWEST
    is_directory = (is_unix and mode == DIRECTORY) or (host in DIRECTORY_HOSTS and kind.attributes & DIRECTORY_BIT)
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
        (
            host in VOLUME_HOSTS and kind.attributes & VOLUME_BIT,
            "marked-as-volume",
            "it is marked as the label of a volume",
        ),
        (is_dos and kind.attributes & REPARSE_BIT, "advisory-field", "it is marked as a reparse point"),
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
