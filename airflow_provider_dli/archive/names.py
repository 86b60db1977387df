"""Names that lead out of the target directory, conflict, or hide what they are (APPNOTE 4.4.17)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from operator import attrgetter

from airflow_provider_dli.archive.fields import UTF8
from airflow_provider_dli.archive.report import Entry, Findings, escape

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


def check_all(entries: Sequence[Entry], found: Findings) -> None:
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
                check(entry.name, entry.header, found)
        if "/\n" in text or "\\\n" in text:
            _check_directories(chunk, found)
    _check_conflicts(entries, found)


def check(name: str, at: int, found: Findings) -> None:
    """Check one name by itself.

    :param at: where its directory header is.
    """
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
    name = entry.name if entry.flags & UTF8 or entry.name.isascii() else _raw(entry.name)
    if not name.isascii() and len(name) <= LONGEST_FOLDED:
        name = unicodedata.normalize("NFC", name)
    if not DETOUR.search(name):
        return name
    parts = DROPPED.sub("", name).replace("\\", "/").split("/")
    path = "/".join(part for part in parts if part not in ("", "."))
    return path if parts[-1] not in ("", ".") else f"{path}/"


def _raw(name: str) -> str:
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
    """Return what a name may be: without a flag also UTF-8 or Chinese (GBK), as many writers leave it.

    :returns: empty where the name has no flag and is neither.
    """
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
