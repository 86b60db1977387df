"""The report on an archive: its entries, its findings, and every code that a finding can have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from airflow_provider_dli.archive.fingerprint import Group

Severity = Literal["error", "warning"]

SHOWN = 200
"""Characters of a name that are printed; it may have 65 535."""


class Report(NamedTuple):
    """The result of an inspection.

    :param size: of the file, in bytes.
    :param level: ``directory`` or ``full``: what was read.
    :param entries: in the directory's order.
    :param findings: all defects of every kind; of one kind at most ``limits.findings``, then their number.
    :param sha256: of all bytes, hexadecimal; only of level ``full``.
    :param md5: of all bytes, hexadecimal; only if requested.
    :param fingerprint: the shapes of the entries, without what is their owner's; only if it was requested, or
        jobs are expected and the layout is not known.
    :param job_ids: of all jobs that contents show; only if they were requested and all contents were examined.
    :param found: the expected jobs that were found.
    :param absences: what it means of a name that it was not found, and of an id.
    """

    size: int
    level: str
    entries: tuple[Entry, ...]
    findings: tuple[Finding, ...]
    sha256: str | None = None
    md5: str | None = None
    fingerprint: tuple[Group, ...] = ()
    job_ids: frozenset[str] = frozenset()
    found: frozenset[str] = frozenset()
    absences: tuple[Absence, ...] = ()

    @property
    def verified(self) -> bool:
        """Whether no finding is an error."""
        return not self.errors

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings for which the archive fails."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON or XCom: the entries as their number, not one by one."""
        return {
            "verified": self.verified,
            "level": self.level,
            "size": self.size,
            "entries": len(self.entries),
            "sha256": self.sha256,
            "md5": self.md5,
            "findings": [finding._asdict() for finding in self.findings],
            "fingerprint": [group._asdict() for group in self.fingerprint],
        }


class Entry(NamedTuple):
    """One entry, as recorded in the central directory (APPNOTE 4.3.12); some 350 bytes each.

    :param name: as stored, unescaped: printed as it is, it may control your terminal.
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


class Absence(NamedTuple):
    """What it means that an expected job was not found.

    :param code: of the finding on the job.
    :param why: the end of its message.
    """

    code: str
    why: str

    def message(self, job: str) -> str:
        """Return the message on a job."""
        return f"job '{escape(job)}' {self.why}"

    def finding(self, job: str) -> Finding:
        """Return the finding on a job."""
        return Finding(self.code, severity(self.code), self.message(job), job=escape(job))


class Finding(NamedTuple):
    """One defect, or one thing to know.

    :param code: stable, one of those listed in ``docs/findings.md``.
    :param severity: ``error`` or ``warning``.
    :param message: one sentence, with every name escaped.
    :param offset: in the file, in bytes, if it is at one place.
    :param entry: the name of the entry, escaped and cut to 200 characters, if it is about one.
    :param job: the expected job, likewise, if it is about one.
    """

    code: str
    severity: Severity
    message: str
    offset: int | None = None
    entry: str | None = None
    job: str | None = None

    def __str__(self) -> str:
        place = "" if self.offset is None else f" at byte {self.offset}"
        name = "" if self.entry is None else f" in '{self.entry}'"
        return f"{self.severity}: {self.code}{name}{place}: {self.message}"


class Findings:
    """Collect findings; of one code ``limit`` are kept and the rest counted, so that memory stays bounded."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: list[Finding] = []
        self._counts: dict[str, int] = {}

    def add(
        self,
        code: str,
        message: str,
        *,
        offset: int | None = None,
        entry: str | None = None,
        job: str | None = None,
    ) -> None:
        """Add one finding; ``entry`` and ``job`` are the raw names."""
        count = self._counts[code] = self._counts.get(code, 0) + 1
        if count <= self._limit:
            names = (None if name is None else escape(name) for name in (entry, job))
            self._kept.append(Finding(code, severity(code), message, offset, *names))

    def __contains__(self, code: str) -> bool:
        return code in self._counts

    @property
    def codes(self) -> frozenset[str]:
        """The codes of all findings."""
        return frozenset(self._counts)

    def result(self) -> tuple[Finding, ...]:
        """Return the findings that were kept, then one for each code of which some were not."""
        more = [
            Finding(MORE, severity(code), f"{count - self._limit} more findings of code {code}")
            for code, count in self._counts.items()
            if count > self._limit
        ]
        return (*self._kept, *more)


def escape(name: str) -> str:
    r"""Return a name that is safe to print: NUL, newlines, ANSI, bidi marks, backslashes as ``\x..``, ``\u....``.

    :param name: any string; cut to 200 characters.
    """
    shown = name if len(name) <= SHOWN else name[:SHOWN] + "…"
    if shown.isprintable() and "\\" not in shown:
        return shown
    return "".join(
        char if char.isprintable() and char != "\\" else char.encode("unicode_escape").decode("ascii")
        for char in shown
    )


def severity(code: str) -> Severity:
    """Return the severity of a code; an unknown one is a mistake in this package, and a :class:`KeyError`."""
    if code in ERRORS:
        return "error"
    WARNINGS[code]
    return "warning"


ERRORS = {
    # the file as a whole
    "empty-file": "the file has no bytes",
    "cut-short": "the reader returned fewer bytes than the file's size",
    "changed-while-read": "the central directory changed while the file was read",
    "no-end-record": "there is no end record: the file was truncated or is not a ZIP archive",
    "trailing-data": "bytes other than zeros follow the end record and its comment",
    "comment-cut": "the end record's comment is longer than what is left of the file",
    "end-record-in-comment": "the archive's comment holds another end record, which some readers would take",
    "second-end-record": "there is a second end record",
    "prepended-data": "bytes precede the first entry",
    "split-archive": "the archive is one volume of several",
    "zip64-missing": "a field refers to ZIP64 data that is not there",
    "zip64-bad-record": "the ZIP64 end record or its locator is damaged",
    "zip64-mismatch": "ZIP64 end record and end record contradict each other",
    # the central directory
    "no-directory": "there is no central directory where the end record points",
    "wrong-directory-offset": "the central directory does not begin at the offset in the end record",
    "wrong-directory-size": "the central directory has another size than in the end record",
    "wrong-entry-count": "the central directory has another number of entries than in the end record",
    "bad-directory-header": "a directory header is damaged or cut off",
    "bad-extra-field": "an entry's extra field is damaged",
    "no-entries": "the archive is empty",
    # limits
    "too-many-entries": "more entries than the limit",
    "directory-too-large": "the central directory is larger than the limit",
    "entry-too-large": "an entry would inflate to more than the limit",
    "archive-too-large": "the entries together would inflate to more than the limit",
    "suspicious-ratio": "an entry, or all together, would inflate far more than real data does: a bomb",
    # names
    "empty-name": "an entry has no name",
    "nul-in-name": "a name holds a NUL, where other readers stop",
    "path-traversal": "a name leads out of the directory it is extracted to",
    "absolute-path": "a name is an absolute path",
    "drive-path": "a name begins with a drive",
    "bad-utf8-name": "a name is marked as UTF-8 and is not",
    "unicode-path-mismatch": "a Unicode Path extra field gives the entry another name",
    "duplicate-name": "two entries have the same name",
    "same-path": "two names lead to one path, where one file replaces the other",
    "path-conflict": "an entry is a file, and the directory of another entry",
    # entries, by the central directory
    "encrypted": "an entry is encrypted",
    "patched-data": "an entry is a patch, not data",
    "unsupported-method": "an entry is neither stored nor deflated",
    "unsupported-version": "an entry needs a newer version of ZIP",
    "symbolic-link": "an entry is a symbolic link",
    "special-file": "an entry is a device or a socket",
    "marked-as-directory": "an entry with content is marked as a directory: readers drop the content",
    "marked-as-volume": "an entry with content is marked as the label of a volume: readers drop it",
    "directory-with-data": "an entry named as a directory has content",
    "stored-size-mismatch": "a stored entry has two different sizes",
    "impossible-size": "no deflate stream of that length inflates to that size",
    "bad-offset": "an entry lies outside of the file's data",
    "overlap": "two entries, or an entry and the central directory, share bytes",
    # local headers compared with the central directory
    "bad-local-header": "there is no local header at the offset in the central directory",
    "name-mismatch": "local header and central directory differ in the name",
    "flags-mismatch": "local header and central directory differ in the flags",
    "method-mismatch": "local header and central directory differ in the compression method",
    "crc-mismatch": "local header and central directory differ in the CRC-32",
    "size-mismatch": "local header and central directory differ in a size",
    "missing-descriptor": "the data descriptor that the flags announce is not there",
    "bad-descriptor": "the data descriptor contradicts the central directory",
    "hidden-data": "bytes between the entries belong to none",
    "hidden-entry": "an entry between the entries is not in the central directory",
    # content
    "bad-crc": "the content has another CRC-32 than the central directory records",
    "wrong-size": "the content has another size than the central directory records",
    "bad-deflate": "the compressed data is damaged",
    "truncated-deflate": "the compressed data has no end",
    "junk-after-deflate": "there are bytes between the end of the compressed data and the entry's end",
    "bad-json": "a *.json entry is not JSON",
    "bad-nested-archive": "a *.zip entry is an archive with defects",
    # expectations
    "too-few-entries": "fewer entries than expected",
    "missing-job": "an expected job is not in the archive",
    "job-not-examined": "an expected job was not found, and not all that may hold it was examined",
}
"""Defects: an archive with one of these fails."""

WARNINGS = {
    "similar-name": "two names differ only in case or in dots at the end, and conflict on some file systems",
    "zero-padding": "zeros follow the end record, as of a tape's block",
    "time-mismatch": "local header and central directory differ in date or time",
    "advisory-field": "a field that no reader needs is odd, or differs between local header and central directory",
    "backslash-in-name": "a name holds a backslash, which is a separator on some systems only",
    "unusable-name": "a name is a dot, or its path or a part of it is longer than file systems take",
    "control-character-in-name": "a name holds characters that change what a terminal or log shows",
    "unknown-flags": "an entry has flags that have no meaning yet",
    "json-unchecked": "a *.json entry is larger than the limit, or nested too deeply, and was not parsed",
    "nested-unchecked": "a *.zip entry exceeds a limit or is encrypted, and was not examined",
    "unknown-layout": "an expected job was not found, and the archive shows its jobs in no form that is known",
    "job-unproven": "an expected job is in no entry name, and this level does not read contents",
}
"""What a person should know and no reader loses data by."""

MORE = "more-findings"
"""Ends a series: how many findings of one code were not kept; its severity is theirs."""
