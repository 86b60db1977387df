"""What entries hold: every ``*.json`` is JSON, and the expected jobs are there."""

from __future__ import annotations

from airflow_provider_dli.archive.expectation import Expectation, Search
from airflow_provider_dli.archive.jsontext import JsonError, is_json, parse
from airflow_provider_dli.archive.limits import Limits
from airflow_provider_dli.archive.report import Entry, Findings


class Contents:
    """Checks contents as they come by, and in the end what is missing.

    :param expect: what must be in the archive, if anything is known of that.
    """

    def __init__(self, limits: Limits, expect: Expectation | None, found: Findings) -> None:
        self._limit = limits.json_bytes
        self._found = found
        self._search = Search(expect) if expect else None
        self._parse = bool(expect and expect.jobs and expect.json_keys)

    def wants(self, entry: Entry) -> bool:
        """Tell whether :meth:`check` is to have the content of this entry."""
        return entry.size <= self._limit and is_json_name(entry.name)

    def check(self, entry: Entry, data: bytes | None) -> None:
        """Check the content of an entry that was proven whole.

        :param data: all of it; may be None where it is not wanted.
        """
        if not is_json_name(entry.name):
            return
        if data is None or entry.size > self._limit:
            message = f"its {entry.size} bytes are whole but were not parsed, the limit is {self._limit}"
            self._found.add("json-unchecked", message, offset=entry.offset, entry=entry.name)
            return
        if not self._parse and is_json(data):
            return
        try:
            document = parse(data)
        except JsonError as error:
            self._found.add("bad-json", f"it is not JSON: {error}", offset=entry.offset, entry=entry.name)
            return
        if self._search:
            self._search.in_json(document)

    def finish(self, entries: tuple[Entry, ...], *, full: bool) -> None:
        """Report what was not found.

        :param full: whether contents were read.
        """
        if self._search:
            for code, message in self._search.missing(entries, full=full):
                self._found.add(code, message)


def is_json_name(name: str) -> bool:
    """Tell whether a name ends in ``.json``, in capitals or not."""
    return name[-5:].lower() == ".json"
