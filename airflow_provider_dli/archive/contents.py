"""Contents of entries: every ``*.json`` is JSON, every ``*.zip`` intact, and the expected jobs are in the archive.

What was not examined is never reported as missing: it is named beside the job that was not found.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_dli.archive.fields import readings
from airflow_provider_dli.archive.fingerprint import Fingerprint, Group
from airflow_provider_dli.archive.jsontext import JsonError, JsonStream, UnreadableError, is_json, parse
from airflow_provider_dli.archive.report import Absence, Entry, Finding, Findings, escape
from airflow_provider_dli.archive.search import Search

if TYPE_CHECKING:
    from airflow_provider_dli.archive import Limits

ARCHIVES = (".zip", ".jar", ".gz", ".tgz", ".tar", ".7z", ".bz2", ".xz", ".zst")
MAGIC = (b"PK\3\4", b"PK\5\6", b"\x1f\x8b", b"7z\xbc\xaf", b"\xfd7zXZ", b"Rar!", b"BZh", b"\x28\xb5\x2f\xfd")
"""How archives begin, whatever they are called."""
LONGEST_MAGIC = max(map(len, MAGIC))
ZIP_MAGIC = MAGIC[:2]
BARRED = "limits keep it from being read: Limits(entry_bytes, total_bytes, ratio, ratio_floor)"
DAMAGED = "it cannot be read"
NESTED = "an archive in the archive"
NOT_OPENED = "an archive in the archive, not opened: Limits(nested_bytes, nested_total, nested_depth)"
UNDECODED = "the encoding of its name is not known"
NOT_KNOWN = "content of no form that is known"
NOT_A_VALUE = "text in which an expected job stands, and not as the value of a key that is known"
TOO_LARGE = "larger than Limits(json_bytes)"
FORMS = frozenset({NESTED, NOT_KNOWN, NOT_A_VALUE, TOO_LARGE, UNDECODED})
"""Reasons for which content is not examined that are of the layout, and of no defect or limit of the archive."""
UNKNOWN_LAYOUT = "the archive shows its jobs in no form that is known"
OF_LIMITS = frozenset({"encrypted", "archive-too-large", "too-many-entries", "directory-too-large"})
"""Findings of an archive within after which it may be intact, and was not examined."""
NESTED_ENTRIES = 10_000
"""Most entries of an archive within."""
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
BRACKETS = (b"{", b"[")
UNREACHED = "the central directory does not locate it"
UNSEEN = frozenset(
    {
        "empty-file",
        "cut-short",
        "no-end-record",
        "no-directory",
        "wrong-entry-count",
        "bad-directory-header",
        "too-many-entries",
        "directory-too-large",
        "wrong-directory-size",
        "second-end-record",
        "hidden-entry",
        "hidden-data",
        "prepended-data",
    }
)
"""Findings after which there may be entries that nobody has seen."""
ENCODINGS = ("utf-8-sig", "gb18030")


@dataclass
class Shared:
    """What an archive has in common with the archives in it."""

    search: Search
    fingerprint: Fingerprint
    #: whether all contents are described, and not only until the jobs are found
    describes: bool
    #: bytes that archives in the archive may still inflate to
    nested_left: int


class Contents:
    """Check contents as they are read, and in the end report what is missing.

    :param inspect: reads an archive within: its bytes, its contents, where its findings go, its limits
    :param place: path of this archive in the outermost, empty for that one
    """

    def __init__(
        self, limits: Limits, shared: Shared, found: Findings, inspect: Inspect, *, place: str = "", depth: int = 0
    ) -> None:
        self._limits = limits
        self._limit = limits.json_bytes
        self._shared = shared
        self._search = shared.search
        self._found = found
        self._inspect = inspect
        self._place = place
        self._depth = depth
        self._unexamined: dict[str, tuple[int, str]] = {}
        self._examined = 0
        self._is_listed = False
        # What is damaged or kept from being read decides nothing about the layout.
        self.is_read = True

    def begin(self, entries: tuple[Entry, ...]) -> None:
        """Search the names that the directory lists, which may make a search of contents needless."""
        self._is_listed = True
        self._search.in_names(entries)

    @property
    def _reads(self) -> bool:
        return self._shared.describes or self._search.reads_contents

    @property
    def _describes(self) -> bool:
        """Whether the next entry is described: until it is sure that the layout is known."""
        return self._shared.describes or not self._search.is_recognised

    def wants(self, entry: Entry) -> bool:
        """Return whether :meth:`check` is to have the content of this entry."""
        if is_zip_name(entry.name):
            return entry.size <= self._limits.nested_bytes
        return entry.size <= self._limit and (is_json_name(entry.name) or self._reads)

    def tap(self, entry: Entry) -> Tap | Peek | None:
        """Return what is to have the content of this entry piece by piece; None if nothing is."""
        if not self._search.reads_contents or self.wants(entry):
            return None
        return Tap(self._search.stream()) if is_json_name(entry.name) else Peek()

    def check(self, entry: Entry, data: bytes | None, tap: Tap | Peek | None = None) -> None:
        """Check the content of an entry that is intact.

        :param data: all of it; may be None if it is not wanted.
        :param tap: what has read all of it, if anything.
        """
        self._examined += not entry.is_directory
        if tap is None and data is not None and (tap := self.tap(entry)):
            tap(data)
        if not self.wants(entry):
            data = None
        if is_json_name(entry.name):
            self._check_json(entry, data, tap if isinstance(tap, Tap) else None)
        elif is_zip_name(entry.name) and (data is None or data.startswith(ZIP_MAGIC)):
            self._check_nested(entry, data)
        elif entry.size and self._reads:
            self._examine(entry, data, tap.head if isinstance(tap, Peek) else b"")

    def _check_json(self, entry: Entry, data: bytes | None, tap: Tap | None) -> None:
        try:
            if tap:
                self._finish(tap)
                self._describe(entry, "JSON, too large to describe")
            elif data is None:
                message = f"its {entry.size} bytes are intact but were not parsed, the limit is {self._limit}"
                self._found.add("json-unchecked", message, offset=entry.offset, entry=entry.name)
                self._describe(entry, "not read")
            else:
                self._parse(entry, data)
        except JsonError as error:
            self._found.add("bad-json", f"it is not JSON: {error}", offset=entry.offset, entry=entry.name)
            self.skip(entry, "it is not JSON")
        except UnreadableError as error:
            message = f"its {entry.size} bytes are intact but were not parsed: {error}"
            self._found.add("json-unchecked", message, offset=entry.offset, entry=entry.name)
            self.skip(entry, str(error))

    def _parse(self, entry: Entry, data: bytes) -> None:
        try:
            if self._reads:
                document = parse(data)
                self._search.in_json(document)
                if self._describes:
                    self._describe(entry, self._shared.fingerprint.shape(document))
            elif not is_json(data):
                parse(data)
        except UnreadableError:  # nested deeper than Python's parser goes: a stream goes deeper
            tap = Tap(self._search.stream())
            tap(data)
            self._finish(tap)

    def _finish(self, tap: Tap) -> None:
        tap.finish()
        self._search.in_stream(tap.stream)

    def _check_nested(self, entry: Entry, data: bytes | None) -> None:
        """Inspect an archive in the archive."""
        limits, left = self._limits, self._shared.nested_left
        if data is None or left <= 0 or self._depth == limits.nested_depth:
            self._leave_closed(entry, NOT_OPENED)
            return
        found = Findings(limits.findings)
        limits = limits._replace(entries=min(limits.entries, NESTED_ENTRIES), total_bytes=left)
        place = f"{self._place}{entry.name}!"
        inner = Contents(limits, self._shared, found, self._inspect, place=place, depth=self._depth + 1)
        entries = self._inspect(data, inner, found, limits)
        if "archive-too-large" not in found:
            self._shared.nested_left -= sum(each.size for each in entries)
        codes = list(dict.fromkeys(each.code for each in found.result() if each.severity == "error"))
        if codes and OF_LIMITS.issuperset(codes):
            self._leave_closed(entry, f"{NESTED}, with {', '.join(codes)}")
        elif codes:
            first: Finding = next(each for each in found.result() if each.severity == "error")
            self._found.add("bad-nested-archive", f"in it: {first}", offset=entry.offset, entry=entry.name)
            self.skip(entry, f"{NESTED}, with {', '.join(codes)}")
        elif reasons := inner.reasons(entries):
            self.skip(entry, f"{NESTED}, with {reasons}", NESTED, is_form=inner.is_read)

    def _leave_closed(self, entry: Entry, reason: str) -> None:
        message = f"its {entry.size} bytes are intact but were not examined: {reason}"
        self._found.add("nested-unchecked", message, offset=entry.offset, entry=entry.name)
        self.skip(entry, reason)

    def _examine(self, entry: Entry, data: bytes | None, head: bytes) -> None:
        """Search the content of an entry whose name does not show what it is."""
        if (data or head).startswith(MAGIC) or entry.name.lower().endswith(ARCHIVES):
            self.skip(entry, NESTED)
        elif data is None:
            self.skip(entry, TOO_LARGE)
        elif not self._is_json(entry, data):
            text, is_sure = as_text(data)
            if text is None:
                self.skip(entry, NOT_KNOWN, f"binary, begins with {data[:4].hex(' ')}")
            elif not self._search.in_text(text):
                self.skip(entry, NOT_A_VALUE, f"text of {text.count(chr(10)) + 1} lines")
            elif not is_sure:
                self.skip(entry, NOT_KNOWN, "text in an encoding that is not known")
            else:
                self._describe(entry, f"text of {text.count(chr(10)) + 1} lines")

    def _is_json(self, entry: Entry, data: bytes) -> bool:
        if not data.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(BRACKETS):
            return False
        try:
            self._parse(entry, data)
        except (JsonError, UnreadableError):
            return False
        return True

    def _describe(self, entry: Entry, content: str) -> None:
        if self._describes:
            self._shared.fingerprint.add(f"{self._place}{entry.name}", entry.size, content)

    def skip(self, entry: Entry, reason: str, content: str | None = None, *, is_form: bool | None = None) -> None:
        """Note that the content of an entry was not examined.

        :param content: what it is, for the fingerprint; None for the reason
        :param is_form: whether the reason is the form of the content; None for those that are
        """
        self.is_read &= reason in FORMS if is_form is None else is_form
        count, first = self._unexamined.get(reason, (0, entry.name))
        self._unexamined[reason] = (count + 1, first)
        self._describe(entry, content or reason)

    def reasons(self, entries: tuple[Entry, ...]) -> str:
        """Return what was not examined and why; empty if all was, or every job is found."""
        if self._search.reads_contents:
            self._note_unread(entries)
        if UNSEEN.intersection(self._found.codes):
            self._unexamined.setdefault(UNREACHED, (0, ""))
            self.is_read = False
        return "; ".join(_counted(reason, *seen) for reason, seen in self._unexamined.items())

    def finish(self, entries: tuple[Entry, ...], *, full: bool) -> tuple[tuple[Group, ...], tuple[Absence, ...]]:
        """Return the fingerprint, if it is wanted or the layout is not known, and what it means not to be found.

        :param full: whether contents were read
        """
        files = [entry for entry in entries if not entry.is_directory]
        # Without a directory nobody knows how many there are, and why it cannot be read is a finding of its own.
        if self._is_listed and len(files) < self._search.min_entries:
            message = f"{len(files)} files, at least {self._search.min_entries} expected"
            self._found.add("too-few-entries", message)
        if not full:
            for entry in files:
                self._describe(entry, "not read")
        reasons = self.reasons(entries if full else ())
        missing = {job.isdecimal(): job for job in self._search.missing}
        is_unknown = full and self.is_read and not all(map(self._search.is_shown, missing.values()))
        if is_unknown:
            message = f"{UNKNOWN_LAYOUT}; the fingerprint describes its entries"
            self._found.add("unknown-layout", message)
        groups = self._shared.fingerprint.groups() if is_unknown or self._shared.describes else ()
        # One of a name and one of an id: to which of them a job belongs decides, and nothing else of it.
        return groups, tuple(self._absence(each, reasons, full=full) for each in ("", "0"))

    def _absence(self, job: str, reasons: str, *, full: bool) -> Absence:
        """Return what it means that a job was not found."""
        if not full and self._search.has_keys:
            return Absence("job-unproven", "is in no entry's name; contents were not read")
        if reasons or not self._search.is_shown(job):
            why = f"was found in nothing that was examined; not: {reasons or UNKNOWN_LAYOUT}"
            return Absence("job-not-examined", why)
        return Absence("missing-job", "was found nowhere")

    def _note_unread(self, entries: tuple[Entry, ...]) -> None:
        """Note names that cannot be read, and that some content was never read to its end."""
        unread = -self._examined
        for entry in entries:
            unread += not entry.is_directory
            if not entry.name.isascii() and not readings(entry):
                self.skip(entry, UNDECODED)
        if unread > 0 and not self._unexamined:
            self._unexamined[DAMAGED] = (unread, "")
            self.is_read = False


Inspect = Callable[[bytes, Contents, Findings, "Limits"], tuple[Entry, ...]]


def is_json_name(name: str) -> bool:
    """Return whether a name ends in ``.json``, in capitals or not."""
    return name[-5:].lower() == ".json"


def is_zip_name(name: str) -> bool:
    """Return whether a name ends in ``.zip``, in capitals or not."""
    return name[-4:].lower() == ".zip"


def as_text(data: bytes) -> tuple[str | None, bool]:
    """Return content as text, and whether its encoding is sure; None if it is not text."""
    for encoding in ("utf-16",) if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else ENCODINGS:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return (None, False) if CONTROL.search(text) else (text, encoding != ENCODINGS[-1])
    return None, False


def _counted(reason: str, count: int, first: str) -> str:
    entries = f"{count} entries, such as" if count > 1 else "the entry"
    return f"{entries} '{escape(first)}' ({reason})" if first else reason


class Tap:
    """Read a large ``*.json`` while its content is checked; a problem of the JSON waits for the end of that."""

    def __init__(self, stream: JsonStream) -> None:
        self.stream = stream
        self.problem: ValueError | None = None

    def __call__(self, data: bytes) -> None:
        """Read the next piece."""
        try:
            if self.problem is None:
                self.stream.feed(data)
        except (JsonError, UnreadableError) as error:
            self.problem = error

    def finish(self) -> None:
        """Read the end; raise the problem, if there is one."""
        if self.problem:
            raise self.problem
        self.stream.finish()


class Peek:
    """Keep how the content of an entry begins."""

    def __init__(self) -> None:
        self.head = b""

    def __call__(self, data: bytes) -> None:
        """Read the next piece."""
        if len(self.head) < LONGEST_MAGIC:
            self.head += data[:LONGEST_MAGIC]
