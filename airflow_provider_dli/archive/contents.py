"""Contents of entries: every ``*.json`` is JSON, and the expected jobs are in the archive.

Where a DLI archive keeps its jobs is not documented: the search is wide. What was not examined is never reported
as missing: it is named beside the job that was not found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.archive.fields import readings
from airflow_provider_dli.archive.jsontext import JsonError, JsonStream, UnreadableError, is_json, parse
from airflow_provider_dli.archive.report import Entry, Findings, escape

if TYPE_CHECKING:
    from airflow_provider_dli.archive import Expectation, Limits

ARCHIVES = (".zip", ".jar", ".gz", ".tgz", ".tar", ".7z", ".bz2", ".xz", ".zst")
MAGIC = (b"PK\3\4", b"PK\5\6", b"\x1f\x8b", b"7z\xbc\xaf", b"\xfd7zXZ", b"Rar!", b"BZh", b"\x28\xb5\x2f\xfd")
"""How archives begin, whatever they are called."""
LONGEST_MAGIC = max(map(len, MAGIC))
BARRED = "limits keep it from being read: Limits(entry_bytes, total_bytes, ratio, ratio_floor)"
DAMAGED = "it cannot be read"
NESTED = "an archive in the archive"
UNDECODED = "the encoding of its name is not known"
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
NUMBERS = r"(?<![0-9A-Za-z])[0-9]+(?![0-9A-Za-z])"
DATES = re.compile(
    r"(?<![0-9])[0-9]{4}([-_.])[01][0-9]\1[0-3][0-9](?:[T_ -]?[0-9]{2}(?:[-_:.]?[0-9]{2}){1,2})?(?![0-9])"
)
"""Days and times: their numbers are no ids."""


class Contents:
    """Check contents as they are read, and in the end report what is missing."""

    def __init__(self, limits: Limits, expect: Expectation, found: Findings) -> None:
        self._limit = limits.json_bytes
        self._found = found
        self._search = Search(expect)
        self._unexamined: dict[str, tuple[int, str]] = {}
        self._examined = 0

    def begin(self, entries: tuple[Entry, ...]) -> None:
        """Search the names, which may make a search of contents needless."""
        self._search.in_names(entries)

    def wants(self, entry: Entry) -> bool:
        """Return whether :meth:`check` is to have the content of this entry."""
        return entry.size <= self._limit and is_json_name(entry.name)

    def tap(self, entry: Entry) -> Tap | Peek | None:
        """Return what is to have the content of this entry piece by piece; None if nothing is."""
        if not self._search.reads_contents:
            return None
        if not is_json_name(entry.name):
            return Peek()
        return Tap(self._search.stream()) if entry.size > self._limit else None

    def check(self, entry: Entry, data: bytes | None, tap: Tap | Peek | None = None) -> None:
        """Check the content of an entry that is intact.

        :param data: all of it; may be None if it is not wanted.
        :param tap: what has read all of it, if anything.
        """
        if tap is None and data is not None and (tap := self.tap(entry)):
            tap(data)
        if isinstance(tap, Peek):
            if tap.head.startswith(MAGIC) and not entry.name.lower().endswith(ARCHIVES):
                self.skip(entry, NESTED)
            return
        if not is_json_name(entry.name):
            return
        self._examined += 1
        try:
            if tap:
                self._finish(tap)
            elif data is None or entry.size > self._limit:
                message = f"its {entry.size} bytes are intact but were not parsed, the limit is {self._limit}"
                self._found.add("json-unchecked", message, offset=entry.offset, entry=entry.name)
            else:
                self._parse(data)
        except JsonError as error:
            self._found.add("bad-json", f"it is not JSON: {error}", offset=entry.offset, entry=entry.name)
            self.skip(entry, "it is not JSON")
        except UnreadableError as error:
            message = f"its {entry.size} bytes are intact but were not parsed: {error}"
            self._found.add("json-unchecked", message, offset=entry.offset, entry=entry.name)
            self.skip(entry, str(error))

    def _parse(self, data: bytes) -> None:
        try:
            if self._search.reads_contents:
                self._search.in_json(parse(data))
            elif not is_json(data):
                parse(data)
        except UnreadableError:  # nested deeper than Python's parser goes: a stream goes deeper
            tap = Tap(self._search.stream())
            tap(data)
            self._finish(tap)

    def _finish(self, tap: Tap) -> None:
        tap.finish()
        self._search.discard(tap.stream.found)

    def skip(self, entry: Entry, reason: str) -> None:
        """Note that the content of an entry was not examined."""
        count, first = self._unexamined.get(reason, (0, entry.name))
        self._unexamined[reason] = (count + 1, first)

    def finish(self, entries: tuple[Entry, ...], *, full: bool) -> None:
        """Report what was not found; ``full`` is whether contents were read."""
        if full and self._search.reads_contents:
            self._note_unread(entries)
        if UNSEEN.intersection(self._found.codes):
            self._unexamined.setdefault(UNREACHED, (0, ""))
        files = sum(not entry.is_directory for entry in entries)
        if files < self._search.min_entries:
            message = f"{files} files, at least {self._search.min_entries} expected"
            self._found.add("too-few-entries", message)
        reasons = "; ".join(_counted(reason, *seen) for reason, seen in self._unexamined.items())
        for job in self._search.missing():
            shown = f"job '{escape(job)}'"
            if not full and self._search.has_keys:
                message = f"{shown} is in no entry's name; contents were not read"
                self._found.add("job-unproven", message, job=job)
            elif reasons:
                message = f"{shown} was found in nothing that was examined; not: {reasons}"
                self._found.add("job-not-examined", message, job=job)
            else:
                self._found.add("missing-job", f"{shown} was found nowhere", job=job)

    def _note_unread(self, entries: tuple[Entry, ...]) -> None:
        """Note archives in the archive, and the rest of what was never read to its end."""
        unread = -self._examined
        for entry in entries:
            if is_json_name(entry.name):
                unread += 1
            elif entry.size and entry.name.lower().endswith(ARCHIVES):
                self.skip(entry, NESTED)
            if not entry.name.isascii() and not readings(entry):
                self.skip(entry, UNDECODED)
        if unread and not self._unexamined:
            self._unexamined[DAMAGED] = (unread, "")


def is_json_name(name: str) -> bool:
    """Return whether a name ends in ``.json``, in capitals or not."""
    return name[-5:].lower() == ".json"


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


class Search:
    """Search for the expected jobs; what it keeps grows with them, not with the archive."""

    def __init__(self, expect: Expectation) -> None:
        self.min_entries = expect.min_entries
        self._names = expect.entry_pattern != ""
        self._pattern = re.compile(expect.entry_pattern) if expect.entry_pattern else None
        if self._pattern and "job" not in self._pattern.groupindex:
            raise ValueError(f"entry_pattern {expect.entry_pattern!r} has no group named 'job'")
        self._missing = {str(job) for job in expect.jobs}
        self._keys = frozenset(expect.json_keys)

    @property
    def has_keys(self) -> bool:
        """Whether contents may name a job."""
        return bool(self._keys)

    @property
    def reads_contents(self) -> bool:
        """Whether a job may still be found in contents."""
        return bool(self._missing and self._keys)

    def missing(self) -> list[str]:
        """Return the jobs that were not found."""
        return sorted(self._missing)

    def discard(self, found: Iterable[str]) -> None:
        """Note jobs that were found."""
        self._missing.difference_update(found)

    def stream(self) -> JsonStream:
        """Return what finds in a stream what :meth:`in_json` finds in a document."""
        return JsonStream(self._keys, frozenset(self._missing))

    def in_json(self, document: Any) -> None:  # noqa: ANN401 - what JSON holds has no type
        """Search a document whose numbers are strings."""
        rest = [document]
        while rest and self._missing:
            value = rest.pop()
            if isinstance(value, list):
                rest.extend(value)
            elif isinstance(value, dict):
                self.discard(item for key, item in value.items() if key in self._keys and isinstance(item, str))
                rest.extend(value.values())

    def in_names(self, entries: Iterable[Entry]) -> None:
        """Search the entries' names."""
        for entry in entries:
            if not self._missing:
                return
            if not entry.is_directory:
                for name in {entry.name, *readings(entry)}:
                    self.discard(self._jobs_in(name))

    def _jobs_in(self, name: str) -> Iterable[str]:
        if self._pattern:
            return (match["job"] for match in self._pattern.finditer(name))
        if not self._names:
            return ()
        parts = name.split("/")
        return {*parts, *(part.split(".")[0] for part in parts), *re.findall(NUMBERS, DATES.sub("-", name))}
