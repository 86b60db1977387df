"""Fields of headers: flags, attributes, sizes, extra fields, names; what is wrong with each (APPNOTE 4.4-6)."""

from __future__ import annotations

import re
import struct
import unicodedata
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

from airflow_provider_dli.archive.report import Entry, Findings, escape

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
    """Report what is wrong with an entry of this kind; return whether nothing is, whatever its name and size."""
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
    """An extra field that cannot be right; ``code`` is that of the finding."""

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
    """Return the length of a ZIP64 field, 0 if there is none, and the number of the volume that may end it."""
    with suppress(ExtraError):  # which is reported elsewhere
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
    """Return the name of a Unicode Path field; None if there is none, or it was made for another ``name``.

    :raises ExtraError: if the extra field is damaged or has two of them.
    """
    found = [data for kind, data in _extra_fields(extra) if kind == UNICODE_PATH]
    if len(found) > 1 or (found and len(found[0]) < PATH_HEADER.size):
        raise ExtraError("bad-extra-field", "its Unicode Path is cut short, or there are two")
    if not found or PATH_HEADER.unpack_from(found[0]) != (1, zlib.crc32(name)):
        return None
    return found[0][PATH_HEADER.size :]


def odd_type(extra: bytes) -> tuple[str, str] | None:
    """Return code and message for a field of libarchive by which bsdtar makes anything but a file of an entry."""
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


CHUNK = 64
LONGEST_PART = 255
LONGEST_PATH = 4000
"""Bytes of a path; Linux opens at most 4095, those of the directory it is extracted to included."""
NAME = attrgetter("name")
DEEPEST = 64
LONGEST_FOLDED = 1024
DRIVE = re.compile(r"[A-Za-z]:")
ODD = re.compile(r"[\0-\x09\x0b-\x1f\x7f\\:]|\.\.|\n[\n/]|\n\.\n")
DETOUR = re.compile(r"//|(?:^|/)\./|(?:^|/)\.$|[\\\1-\x1f\x7f]|;[0-9]*\Z")
DROPPED = re.compile(r"[\1-\x1f\x7f]|;[0-9]*\Z")
"""What unzip drops from names: control bytes, and what may be a version of VMS."""
AT_ENDS = re.compile(r"(?<=[^./])[. ]+(?=/|$)")
CONTROL = re.compile(r"[\0-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
"""What a chunk of harmless names, each on a line of its own, does not hold."""


def check_names(entries: Sequence[Entry], found: Findings) -> None:
    """Check every name, and all of them against each other."""
    rest = iter(entries)
    while chunk := list(islice(rest, CHUNK)):
        text = "\n".join(["", *[entry.name for entry in chunk], ""])
        if (
            not text.isascii()
            or max(map(len, text.split("\n"))) > LONGEST_PART
            or ODD.search(text)
            or text.count("\n") != len(chunk) + 1
        ):
            for entry in chunk:
                check_name(entry.name, entry.header, found)
        if "/\n" in text or "\\\n" in text:
            _check_directories(chunk, found)
    _check_conflicts(entries, found)


def check_name(name: str, at: int, found: Findings) -> None:
    """Check one name by itself."""
    for code, message in _complaints(name):
        found.add(code, message, offset=at, entry=name)


def _complaints(name: str) -> Iterator[tuple[str, str]]:
    path = DROPPED.sub("", name).replace("\\", "/")
    if not name:
        yield "empty-name", "it has no name"
    if "\0" in name:
        yield "nul-in-name", f"some readers call it '{escape(name.partition(chr(0))[0])}'"
    if ".." in path.split("/"):
        yield "path-traversal", "its path climbs with '..'"
    if path.startswith("/"):
        yield "absolute-path", "its path begins at the root"
    if DRIVE.match(name):
        yield "drive-path", "its path begins with a drive"
    if "\\" in name:
        yield "backslash-in-name", "the backslash separates directories on some systems only"
    if name == "." or any(len(part.encode("utf-8", "replace")) > LONGEST_PART for part in path.split("/")):
        yield "unusable-name", "no file can be called so"
    elif (length := len(path.encode("utf-8", "replace"))) > LONGEST_PATH:
        yield "unusable-name", f"its path is {length} bytes long: 7-Zip and Python extract at most some 4000"
    if CONTROL.search(name):
        yield "control-character-in-name", "it holds characters that are not printed but obeyed"


def _check_directories(entries: Sequence[Entry], found: Findings) -> None:
    for entry in entries:
        if entry.size and entry.name.endswith(("/", "\\")):
            message = f"a directory by its name, it holds {entry.size} bytes"
            found.add("directory-with-data", message, offset=entry.header, entry=entry.name)


def _check_conflicts(entries: Sequence[Entry], found: Findings) -> None:
    """Report names that meet: exactly, on one path, after folding, or one as the directory of another."""
    names = {entry.name for entry in entries}
    if len(names) < len(entries):
        _report_repeated(entries, NAME, "duplicate-name", found)
    if any(DETOUR.search(name) or not name.isascii() for name in names):
        _report_repeated(entries, _path, "same-path", found)
        names = set(map(_path, entries))
    if len({hash(_fold(name)) for name in names}) < len(names):  # their hashes, not copies of them all
        _report_repeated(entries, _folded_path, "similar-name", found)
    above = {name.rpartition("/")[0] for name in names}
    files = {parent: file for parent in above if (file := _file_above(f"{parent}/", names)) is not None}
    for entry in entries if files else ():
        if file := files.get(_path(entry).rpartition("/")[0]):
            message = f"'{escape(file)}' is a file and would have to be its directory"
            found.add("path-conflict", message, offset=entry.header, entry=entry.name)


def _report_repeated(entries: Sequence[Entry], key: Callable[[Entry], str], code: str, found: Findings) -> None:
    """Report entries that meet and are no longer the same by the stricter rule; two directories do no harm."""
    stricter = STRICTER[code]
    first: dict[int, Entry] = {}
    for entry in entries:
        other = first.setdefault(hash(key(entry)), entry)
        if other is entry or key(other) != key(entry) or (other.is_directory and entry.is_directory):
            continue
        if stricter is None or stricter(other) != stricter(entry):
            message = f"as the entry '{escape(other.name)}' with its header at byte {other.header}"
            found.add(code, message, offset=entry.header, entry=entry.name)


def _path(entry: Entry) -> str:
    """Return the path that a name leads to, without detours, in one Unicode form as bsdtar uses it."""
    name = entry.name if entry.flags & UTF8 or entry.name.isascii() else _raw_name(entry.name)
    if not name.isascii() and len(name) <= LONGEST_FOLDED:
        name = unicodedata.normalize("NFC", name)
    if not DETOUR.search(name):
        return name
    parts = DROPPED.sub("", name).replace("\\", "/").split("/")
    path = "/".join(part for part in parts if part not in ("", "."))
    return path if parts[-1] not in ("", ".") else f"{path}/"


def _raw_name(name: str) -> str:
    """Return what a name without a flag is to readers that take its bytes for UTF-8; unzip drops the byte 0xff."""
    with suppress(UnicodeError):
        raw = name.encode("cp437").replace(b"\xff", b"")
        name = raw.decode("cp437")
        return raw.decode("utf-8")
    return name


def _folded_path(entry: Entry) -> str:
    return _fold(_path(entry))


def _fold(name: str) -> str:
    """Make names equal that are one on file systems without case, or without dots at ends."""
    name = AT_ENDS.sub("", name) if AT_ENDS.search(name) else name
    if name.isascii():
        return name.lower()
    # Normalising takes the square of the length where a name piles up accents.
    return unicodedata.normalize("NFC", name.casefold()) if len(name) <= LONGEST_FOLDED else name.casefold()


STRICTER: dict[str, Callable[[Entry], str] | None] = {
    "duplicate-name": None,
    "same-path": NAME,
    "similar-name": _path,
}
"""Names that meet are reported by the first code whose stricter rule does not cover them."""


def _file_above(name: str, names: set[str]) -> str | None:
    """Find a file on the way to ``name``; in the first 64 levels, so that no name costs more than its length."""
    slash = name.find("/")
    for _ in range(DEEPEST):
        if slash <= 0:
            return None
        if (parent := name[:slash]) in names:
            return parent
        slash = name.find("/", slash + 1)
    return None


def readings(entry: Entry) -> list[str]:
    """Return what a name may be: without a flag UTF-8 or Chinese (GBK), as many writers leave it, or neither."""
    if entry.flags & UTF8 or entry.name.isascii():
        return [entry.name]
    try:
        raw = entry.name.encode("cp437")
    except UnicodeEncodeError:  # it comes from a Unicode Path
        return [entry.name]
    found = []
    for encoding in ("utf-8", "gb18030"):
        with suppress(UnicodeDecodeError):
            found.append(raw.decode(encoding))
    return found
