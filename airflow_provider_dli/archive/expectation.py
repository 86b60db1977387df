"""Which jobs an archive must hold. Where a DLI archive keeps them is not documented: the search is wide."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from airflow_provider_dli.archive.report import Entry, escape

NUMBERS = r"(?<![0-9A-Za-z])[0-9]+(?![0-9A-Za-z])"


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

    def in_json(self, document: Any) -> None:  # noqa: ANN401 - what JSON holds has no type
        """Look into a document whose numbers are text."""
        rest = [document]
        while rest and self._missing:
            value = rest.pop()
            if isinstance(value, list):
                rest.extend(value)
            elif isinstance(value, dict):
                self._missing.difference_update(
                    item for key, item in value.items() if key in self._keys and isinstance(item, str)
                )
                rest.extend(value.values())

    def missing(self, entries: tuple[Entry, ...], *, full: bool) -> Iterator[tuple[str, str]]:
        """Look into the entries' names, and tell what was found nowhere."""
        files = [entry.name for entry in entries if not entry.is_directory]
        if len(files) < self._expect.min_entries:
            yield "too-few-entries", f"{len(files)} files, at least {self._expect.min_entries} are expected"
        for name in files:
            if not self._missing:
                return
            self._missing.difference_update(self._jobs_in(name))
        unread = not full and self._keys
        for job in sorted(self._missing):
            if unread:
                yield "job-unproven", f"job '{escape(job)}' is in no entry's name; contents were not read"
            else:
                yield "missing-job", f"job '{escape(job)}' was found nowhere"

    def _jobs_in(self, name: str) -> Iterable[str]:
        if self._pattern:
            return (match["job"] for match in self._pattern.finditer(name))
        if self._expect.entry_pattern is not None:
            return ()
        parts = name.split("/")
        return {*parts, *(part.split(".")[0] for part in parts), *re.findall(NUMBERS, name)}
