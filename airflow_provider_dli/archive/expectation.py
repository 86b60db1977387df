"""Which jobs an archive must hold. Where a DLI archive keeps them is not documented: the search is wide."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_dli.archive.report import Entry, escape

if TYPE_CHECKING:
    from airflow_provider_dli.archive.jsonstream import JsonStream

NUMBERS = r"(?<![0-9A-Za-z])[0-9]+(?![0-9A-Za-z])"
DATES = re.compile(
    r"(?<![0-9])[0-9]{4}([-_.])[01][0-9]\1[0-3][0-9](?:[T_ -]?[0-9]{2}(?:[-_:.]?[0-9]{2}){1,2})?(?![0-9])"
)
"""Days and times: their numbers are no ids."""


class Expectation(NamedTuple):
    r"""What must be in the archive.

    :param jobs: ids or names; each must be found in an entry's name or in a ``*.json``. Default: none of them.
    :param min_entries: fewest entries, directories not counted; default 1.
    :param entry_pattern: regular expression with a group ``job`` that takes jobs from entry names, where you know
        the layout, such as ``jobs/(?P<job>[^/]+)\.json$``. Default None: a number that stands for itself, or a
        part of the path, with or without its extensions. Empty text: entry names are not looked at.
    :param json_keys: members, at any depth, that name a job in a ``*.json``; default ``job_id`` and ``name``.
        Empty: contents are not looked at.
    """

    jobs: tuple[str | int, ...] = ()
    min_entries: int = 1
    entry_pattern: str | None = None
    json_keys: tuple[str, ...] = ("job_id", "name")


class Search:
    """Looks for the expected jobs; what it keeps grows with them, not with the archive."""

    def __init__(self, expect: Expectation) -> None:
        self._expect = expect
        self._pattern = re.compile(expect.entry_pattern) if expect.entry_pattern else None
        if self._pattern and "job" not in self._pattern.groupindex:
            raise ValueError(f"entry_pattern {expect.entry_pattern!r} has no group named 'job'")
        self._missing = {str(job) for job in expect.jobs}
        self._keys = frozenset(expect.json_keys)

    @property
    def reads_contents(self) -> bool:
        """Whether a job may still be found in contents."""
        return bool(self._missing and self._keys)

    def stream(self) -> "JsonStream":
        """Make what finds in a stream what :meth:`in_json` finds in a document."""
        from airflow_provider_dli.archive.jsonstream import JsonStream  # noqa: PLC0415 - as in inspect()

        return JsonStream(self._keys, frozenset(self._missing))

    def discard(self, found: Iterable[str]) -> None:
        """Note jobs that were found."""
        self._missing.difference_update(found)

    def in_json(self, document: Any) -> None:  # noqa: ANN401 - what JSON holds has no type
        """Look into a document whose numbers are text."""
        rest = [document]
        while rest and self._missing:
            value = rest.pop()
            if isinstance(value, list):
                rest.extend(value)
            elif isinstance(value, dict):
                self.discard(item for key, item in value.items() if key in self._keys and isinstance(item, str))
                rest.extend(value.values())

    def in_names(self, entries: Iterable[Entry]) -> None:
        """Look into the entries' names."""
        from airflow_provider_dli.archive.names import readings  # noqa: PLC0415 - as in inspect()

        for entry in entries:
            if not self._missing:
                return
            if not entry.is_directory:
                for name in {entry.name, *readings(entry)}:
                    self.discard(self._jobs_in(name))

    def missing(
        self, entries: tuple[Entry, ...], *, full: bool, unexamined: Mapping[str, tuple[int, str]]
    ) -> Iterator[tuple[str, str]]:
        """Tell what was found nowhere.

        :param unexamined: why entries were not examined: how many, and the name of the first
        """
        files = sum(not entry.is_directory for entry in entries)
        if files < self._expect.min_entries:
            yield "too-few-entries", f"{files} files, at least {self._expect.min_entries} are expected"
        unread = not full and self._keys
        for job in sorted(self._missing):
            if unread:
                yield "job-unproven", f"job '{escape(job)}' is in no entry's name; contents were not read"
            elif unexamined:
                reasons = "; ".join(_counted(reason, *seen) for reason, seen in unexamined.items())
                yield (
                    "job-not-examined",
                    f"job '{escape(job)}' was found in nothing that was examined; not: {reasons}",
                )
            else:
                yield "missing-job", f"job '{escape(job)}' was found nowhere"

    def _jobs_in(self, name: str) -> Iterable[str]:
        if self._pattern:
            return (match["job"] for match in self._pattern.finditer(name))
        if self._expect.entry_pattern is not None:
            return ()
        parts = name.split("/")
        return {*parts, *(part.split(".")[0] for part in parts), *re.findall(NUMBERS, DATES.sub("-", name))}


def _counted(reason: str, count: int, first: str) -> str:
    entries = f"{count} entries, such as" if count > 1 else "the entry"
    return f"{entries} '{escape(first)}' ({reason})" if first else reason
