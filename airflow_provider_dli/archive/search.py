"""The search for expected jobs, wherever an archive keeps them.

DLI's layout is not documented, so every plausible one is searched. A job is found where its id or name stands
**by itself**, and never where it is a part of something else (``orders`` is not in ``orders_v2.json``):

- as a part of an entry's path, with or without its extension;
- in JSON, as the string or number of a member that names a job, at any depth;
- in text, as the value of such a key in a line: ``job_id=101``, ``name: "orders"``.

What was not found is missing only if the archive shows in one of these ways which jobs it has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.archive.fields import readings
from airflow_provider_dli.archive.jsontext import JsonStream
from airflow_provider_dli.archive.report import Entry

if TYPE_CHECKING:
    from airflow_provider_dli.archive import Expectation

EXTENSION = re.compile(
    r"(?:\.tar)?\.(?:json|properties|props|txt|text|conf|config|cfg|ini|ya?ml|xml|sql|csv|log|data?|job"
    r"|zip|jar|gz|tgz|tar|7z|bz2|xz|zst)$",
    re.IGNORECASE,
)
"""What may be cut off a name; anything else, as in ``orders.v2``, is a part of it."""
SEPARATOR = re.compile(r"[/\\]")
CONTINUED = re.compile(r"(?<!\\)((?:\\\\)*)\\\r?\n[ \t]*")
"""The end of a line of properties that goes on in the next."""
LINE = re.compile(r'([ \t]*)(?:- )?(?:"([\w.-]+)"[ \t]*:|([\w.-]+)[ \t]*[=:])[ \t]*(.*)')
BLOCK = re.compile(r"[|>][-+0-9]*")
"""In YAML, announces a value of several lines, which are further to the right."""
ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")
LETTERS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}


class Search:
    """Search for the expected jobs; what it keeps grows with them, not with the archive.

    :param lists_ids: whether to collect the ids of all jobs instead, which contents show
    """

    def __init__(self, expect: Expectation, *, lists_ids: bool = False) -> None:
        self.ids: set[str] | None = set() if lists_ids else None
        self.min_entries = expect.min_entries
        self._names = expect.entry_pattern != ""
        self._pattern = re.compile(expect.entry_pattern) if expect.entry_pattern else None
        if self._pattern and "job" not in self._pattern.groupindex:
            raise ValueError(f"entry_pattern {expect.entry_pattern!r} has no group named 'job'")
        self.jobs = frozenset(map(str, expect.jobs))
        self._missing = set(self.jobs)
        self._kinds = tuple({job.isdecimal(): job for job in self.jobs}.values())
        self._keys = frozenset(expect.json_keys)
        self._id_keys = frozenset(key for key in self._keys if key.lower().endswith("id"))
        # Whoever names the pattern or no keys knows the layout.
        self._shows_ids = self._shows_names = expect.entry_pattern is not None or not self._keys
        self._seen_keys: set[str] = set()

    @property
    def has_keys(self) -> bool:
        """Whether contents may name a job."""
        return bool(self._keys)

    @property
    def reads_contents(self) -> bool:
        """Whether a job may still be found in contents."""
        return bool((self._missing or self.ids is not None) and self._keys)

    @property
    def is_recognised(self) -> bool:
        """Whether the archive shows ids and names of its jobs, as far as they are expected; it stays so."""
        return all(map(self.is_shown, self._kinds))

    @property
    def missing(self) -> AbstractSet[str]:
        """The jobs that were not found."""
        return self._missing

    def is_shown(self, job: str) -> bool:
        """Return whether the archive shows ids, or names, of its jobs: then one that is not there is missing."""
        has_ids = self._shows_ids or bool(self._seen_keys & self._id_keys)
        if job.isdecimal():
            return has_ids
        # The name of something that has no id need not be a job's.
        return self._shows_names or (has_ids and bool(self._seen_keys - self._id_keys))

    def discard(self, found: Iterable[str]) -> None:
        """Note jobs that were found."""
        if self.ids is not None:
            self.ids.update(filter(str.isdecimal, found))
        for job in self._missing.intersection(found):
            self._missing.discard(job)
            if job.isdecimal():
                self._shows_ids = True
            else:
                self._shows_names = True

    def stream(self) -> JsonStream:
        """Return what finds in a stream what :meth:`in_json` finds in a document."""
        return JsonStream(self._keys, None if self.ids is not None else frozenset(self._missing))

    def in_stream(self, stream: JsonStream) -> None:
        """Note what a stream has found, and which keys it has met."""
        self._seen_keys |= stream.seen
        self.discard(stream.found)

    def in_json(self, document: Any) -> None:  # noqa: ANN401 - what JSON holds has no type
        """Search a document whose numbers are strings."""
        rest = [document]
        while rest and self.reads_contents:
            value = rest.pop()
            if isinstance(value, list):
                rest.extend(value)
            elif isinstance(value, dict):
                named = {key: item for key, item in value.items() if key in self._keys and isinstance(item, str)}
                self._seen_keys.update(named)
                self.discard(named.values())
                rest.extend(value.values())

    def in_text(self, text: str) -> bool:
        """Search lines of keys and values; return False if it holds a job in no way that is known."""
        has_keys = False
        for key, value in _lines(text):
            # As in JSON, the key counts wherever it is: job.name, jobs.1.name.
            name = key.rpartition(".")[2]
            if name in self._keys and value:
                has_keys = True
                self._seen_keys.add(name)
                self.discard([value])
        return has_keys or not any(job in text for job in self._missing)

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
            return [match["job"] for match in self._pattern.finditer(name)]
        if not self._names:
            return ()
        parts = SEPARATOR.split(name)
        # Numbers show which ids there are only if an expected one is among them: they may count the entries.
        return {*parts, *(EXTENSION.sub("", part) for part in parts)}


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Yield key and value of each line that has both, of properties, YAML or an INI file."""
    block: int | None = None
    for line in CONTINUED.sub(r"\1", text).splitlines():
        if block is not None and (not line.strip() or len(line) - len(line.lstrip()) > block):
            continue
        block = None
        if match := LINE.fullmatch(line):
            indent, quoted, plain, value = match.groups()
            if BLOCK.fullmatch(value.strip()):
                block = len(indent)
            yield quoted or plain, _value(value)


def _value(text: str) -> str:
    """Return a value without quotes and escapes."""
    text = text.strip().removesuffix(",")
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    if "\\" not in text:
        return text
    text = ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else LETTERS.get(found[2], found[2]), text)
    return text.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace")
