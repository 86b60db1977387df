"""What entries hold: every ``*.json`` is JSON, and the expected jobs are there."""

from __future__ import annotations

from airflow_provider_dli.archive.expectation import Expectation, Search
from airflow_provider_dli.archive.jsonstream import JsonStream, UnreadableError
from airflow_provider_dli.archive.jsontext import JsonError, is_json, parse
from airflow_provider_dli.archive.limits import Limits
from airflow_provider_dli.archive.names import readings
from airflow_provider_dli.archive.report import Entry, Findings

ARCHIVES = (".zip", ".jar", ".gz", ".tgz", ".tar", ".7z", ".bz2", ".xz", ".zst")
BARRED = "limits keep it from being read: Limits(entry_bytes, total_bytes, ratio, ratio_floor)"
DAMAGED = "it cannot be read"
NESTED = "an archive in the archive"
MAGIC = (b"PK\3\4", b"PK\5\6", b"\x1f\x8b", b"7z\xbc\xaf", b"\xfd7zXZ", b"Rar!", b"BZh", b"\x28\xb5\x2f\xfd")
"""How archives begin, whatever they are called."""
LONGEST_MAGIC = max(map(len, MAGIC))
UNDECODED = "the encoding of its name is not known"
UNREACHED = "the directory does not lead to it"


class Tap:
    """Reads along while the content of a large ``*.json`` is proven; what is wrong with it waits for that proof.

    :param stream: what reads
    """

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
        """Read the end.

        :raises JsonError: where it is no JSON
        :raises UnreadableError: where it goes beyond what can be read
        """
        if self.problem:
            raise self.problem
        self.stream.finish()


class Peek:
    """Keeps how the content of an entry begins."""

    def __init__(self) -> None:
        self.head = b""

    def __call__(self, data: bytes) -> None:
        """Read the next piece."""
        if len(self.head) < LONGEST_MAGIC:
            self.head += data[:LONGEST_MAGIC]


class Contents:
    """Checks contents as they come by, and in the end what is missing.

    What was not examined is never called missing: who expects a job, and has not found it, is told what was not.

    :param expect: what must be in the archive, if anything is known of that.
    """

    def __init__(self, limits: Limits, expect: Expectation | None, found: Findings) -> None:
        self._limit = limits.json_bytes
        self._found = found
        self._search = Search(expect) if expect else None
        self._unexamined: dict[str, tuple[int, str]] = {}
        self._examined = 0

    def begin(self, entries: tuple[Entry, ...]) -> None:
        """Look into the names, which may spare a look into contents."""
        if self._search:
            self._search.in_names(entries)

    def wants(self, entry: Entry) -> bool:
        """Tell whether :meth:`check` is to have the content of this entry."""
        return entry.size <= self._limit and is_json_name(entry.name)

    def tap(self, entry: Entry) -> Tap | Peek | None:
        """Give what is to have the content of this entry piece by piece; None where nothing is."""
        if self._search and self._search.reads_contents and not is_json_name(entry.name):
            return Peek()
        if entry.size <= self._limit or not is_json_name(entry.name) or not self._search:
            return None
        return Tap(self._search.stream()) if self._search.reads_contents else None

    def check(self, entry: Entry, data: bytes | None, tap: Tap | Peek | None = None) -> None:
        """Check the content of an entry that was proven whole.

        :param data: all of it; may be None where it is not wanted.
        :param tap: what has read all of it, if anything
        """
        tap = tap or (self.tap(entry) if data is not None else None)
        if isinstance(tap, Peek):
            head = tap.head or data or b""
            if head.startswith(MAGIC) and not entry.name.lower().endswith(ARCHIVES):
                self.skip(entry, NESTED)
            return
        if not is_json_name(entry.name):
            return
        self._examined += 1
        try:
            if tap:
                if tap.stream.is_new and data is not None:
                    tap(data)
                self._finish(tap)
            elif data is None or entry.size > self._limit:
                message = f"its {entry.size} bytes are whole but were not parsed, the limit is {self._limit}"
                self._found.add("json-unchecked", message, offset=entry.offset, entry=entry.name)
            else:
                self._parse(data)
        except JsonError as error:
            self._found.add("bad-json", f"it is not JSON: {error}", offset=entry.offset, entry=entry.name)
            self.skip(entry, "it is not JSON")
        except UnreadableError as error:
            message = f"its {entry.size} bytes are whole but were not parsed: {error}"
            self._found.add("json-unchecked", message, offset=entry.offset, entry=entry.name)
            self.skip(entry, str(error))

    def skip(self, entry: Entry, reason: str) -> None:
        """Note that the content of an entry was not examined."""
        count, first = self._unexamined.get(reason, (0, entry.name))
        self._unexamined[reason] = (count + 1, first)

    def finish(self, entries: tuple[Entry, ...], *, full: bool) -> None:
        """Report what was not found.

        :param full: whether contents were read.
        """
        if not self._search:
            return
        if full and self._search.reads_contents:
            self._note_unread(entries)
        if UNSEEN.intersection(self._found.codes):
            self._unexamined.setdefault(UNREACHED, (0, ""))
        for code, message in self._search.missing(entries, full=full, unexamined=self._unexamined):
            self._found.add(code, message)

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

    def _parse(self, data: bytes) -> None:
        if self._search and self._search.reads_contents:
            self._search.in_json(parse(data))
        elif not is_json(data):
            parse(data)

    def _finish(self, tap: Tap) -> None:
        tap.finish()
        if self._search:
            self._search.discard(tap.stream.found)


UNSEEN = frozenset(
    [
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
    ]
)
"""Findings after which entries may be there that nobody has seen."""


def is_json_name(name: str) -> bool:
    """Tell whether a name ends in ``.json``, in capitals or not."""
    return name[-5:].lower() == ".json"
