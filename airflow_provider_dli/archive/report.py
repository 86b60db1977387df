"""What an inspection hands back. Named tuples: cheap to import, to make and to keep.

No ``from __future__ import annotations`` here: as text, every field would cost a compilation on import.
"""

from typing import Any, NamedTuple

from airflow_provider_dli.archive.codes import MORE, Severity, severity

SHOWN = 200
"""A name is cut to so many characters where it is printed; it may have 65 535."""


class Entry(NamedTuple):
    """One entry, as the archive's directory tells it (APPNOTE 4.3.12); some 350 bytes each.

    :param name: as stored, unescaped: printed as it is, it may rule your terminal.
    :param size: bytes after inflating.
    :param compressed_size: bytes in the file.
    :param crc32: of the inflated content.
    :param offset: of the local header, in bytes from the start of the file.
    :param method: 0 stored, 8 deflated (APPNOTE 4.4.5).
    :param flags: general purpose bits (APPNOTE 4.4.4).
    :param header: of the directory header, in bytes from the start of the file.
    """

    name: str
    size: int
    compressed_size: int
    crc32: int
    offset: int
    method: int
    flags: int
    header: int

    @property
    def is_directory(self) -> bool:
        """Whether the name ends as a directory's does."""
        return self.name.endswith("/")


class Finding(NamedTuple):
    """One defect, or one thing to know.

    :param code: stable, one of those listed in ``docs/archive.md``.
    :param severity: ``error`` or ``warning``.
    :param message: one sentence, with every name escaped.
    :param offset: where in the file, in bytes, if it is at one place.
    :param entry: the name of the entry, escaped and cut to 200 characters, if it is about one.
    """

    code: str
    severity: Severity
    message: str
    offset: int | None = None
    entry: str | None = None

    def __str__(self) -> str:
        place = "" if self.offset is None else f" at byte {self.offset}"
        name = "" if self.entry is None else f" in '{self.entry}'"
        return f"{self.severity}: {self.code}{name}{place}: {self.message}"


class Report(NamedTuple):
    """All that was found.

    :param size: of the file, in bytes.
    :param level: ``directory`` or ``full``: what was proven.
    :param entries: in the directory's order.
    :param findings: all defects of every kind; of one kind at most ``limits.findings``, then their number.
    :param sha256: of all bytes, hexadecimal; only of level ``full``.
    :param md5: of all bytes, hexadecimal; only where asked for.
    """

    size: int
    level: str
    entries: tuple[Entry, ...]
    findings: tuple[Finding, ...]
    sha256: str | None = None
    md5: str | None = None

    @property
    def sound(self) -> bool:
        """Whether no finding is an error."""
        return not self.errors

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that make the archive unsound."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def as_dict(self) -> dict[str, Any]:
        """Give the report as plain data for JSON or XCom: the entries as their number, not one by one."""
        return {
            "sound": self.sound,
            "level": self.level,
            "size": self.size,
            "entries": len(self.entries),
            "sha256": self.sha256,
            "md5": self.md5,
            "findings": [finding._asdict() for finding in self.findings],
        }


class Findings:
    """Collects findings; of one code it keeps the first ones and counts the rest, so that memory stays bounded.

    :param limit: how many to keep of each code.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: list[Finding] = []
        self._counts: dict[str, int] = {}

    def add(self, code: str, message: str, *, offset: int | None = None, entry: str | None = None) -> None:
        """Note one finding; ``entry`` is the raw name."""
        count = self._counts[code] = self._counts.get(code, 0) + 1
        if count <= self._limit:
            name = None if entry is None else escape(entry)
            self._kept.append(Finding(code, severity(code), message, offset, name))

    def __contains__(self, code: str) -> bool:
        return code in self._counts

    @property
    def codes(self) -> frozenset[str]:
        """All codes of what was found."""
        return frozenset(self._counts)

    def result(self) -> tuple[Finding, ...]:
        """Give what was kept, then one line for each code that was cut short."""
        more = [
            Finding(MORE, severity(code), f"{count - self._limit} more findings of code {code}")
            for code, count in self._counts.items()
            if count > self._limit
        ]
        return (*self._kept, *more)


def escape(name: str) -> str:
    r"""Make a name safe to print: NUL, newlines, ANSI, bidi marks and backslashes as ``\x..`` or ``\u....``.

    :param name: any text; cut to 200 characters.
    """
    shown = name if len(name) <= SHOWN else name[:SHOWN] + "…"
    if shown.isprintable() and "\\" not in shown:
        return shown
    return "".join(
        char if char.isprintable() and char != "\\" else char.encode("unicode_escape").decode("ascii")
        for char in shown
    )
