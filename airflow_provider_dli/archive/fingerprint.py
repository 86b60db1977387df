"""The layout of an archive without anything of its owner: what may be sent to somebody who does not know it.

Names of entries in their shapes, sizes, and of contents their kind, keys and types; no value, and no name that
may be a job's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from airflow_provider_dli.archive.jsontext import Number
from airflow_provider_dli.archive.search import EXTENSION

MOST = 50
"""Groups of like entries; more are only counted."""
MOST_KEYS = 60
WORDS = frozenset({
    "aggregate", "archive", "catalog", "conf", "config", "data", "definition", "detail", "details", "dli",
    "export", "file", "files", "flink", "graph", "index", "info", "item", "items", "jar", "job", "jobs",
    "list", "main", "manifest", "meta", "metadata", "opensource", "project", "properties", "resource",
    "schema", "settings", "sql", "summary", "template", "templates", "udf", "version",
})  # fmt: skip
"""Words of a path that are nobody's own."""
TOKEN = re.compile(r"[0-9]+|[^\W_]+|[\W_]")
KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,40}")
SHORT_EXTENSION = re.compile(r"\.[a-z0-9]{1,4}$")
FIELDS = WORDS.union({
    "id", "ids", "name", "type", "status", "user", "owner", "queue", "job_id", "job_ids", "job_name",
    "job_type", "job_config", "job_detail", "job_list", "job_info", "jobId", "jobIds", "jobName", "jobType",
    "jobConfig", "jobDetail", "jobList", "jobInfo", "configs", "parameters", "params", "tables", "sinks",
    "sources", "edges", "nodes", "tags",
})  # fmt: skip
"""Members that name no thing of somebody's, whatever is in them."""


class Group(NamedTuple):
    """Entries of one shape."""

    name: str
    content: str
    entries: int
    smallest: int
    largest: int

    def __str__(self) -> str:
        size = f"{self.smallest}" if self.smallest == self.largest else f"{self.smallest} to {self.largest}"
        return f"{self.entries} x {self.name}, {size} bytes: {self.content}"


class Fingerprint:
    """Collects the shapes of entries; bounded, whatever the archive has.

    :param jobs: ids and names of jobs, which are replaced where they stand by themselves
    """

    def __init__(self, jobs: Collection[str] = ()) -> None:
        self._jobs = frozenset(jobs)
        self._groups: dict[tuple[str, str], list[int]] = {}

    def add(self, name: str, size: int, content: str) -> None:
        """Add an entry.

        :param name: its path; of an entry of an archive within, after that archive's and an exclamation mark
        :param size: bytes
        :param content: what :func:`shape` or the caller has of its content
        """
        key = (name_shape(name, self._jobs), content)
        if key not in self._groups and len(self._groups) >= MOST:
            key = ("<other>", "more forms than are listed")
        count, smallest, largest = self._groups.get(key, (0, size, size))
        self._groups[key] = [count + 1, min(smallest, size), max(largest, size)]

    def shape(self, document: object) -> str:
        """Return kind, keys and types of a document of JSON, two levels of it."""
        return f"JSON: {shape(document, self._jobs)}"

    def groups(self) -> tuple[Group, ...]:
        """Return the groups, in the order in which they were met."""
        return tuple(Group(*key, *numbers) for key, numbers in self._groups.items())


def name_shape(name: str, jobs: Collection[str] = ()) -> str:
    """Return a path with everything in it replaced that may be somebody's own."""
    return "!".join("/".join(_part(part, jobs) for part in path.split("/")) for path in name.split("!"))


def _part(part: str, jobs: Collection[str]) -> str:
    match = EXTENSION.search(part) or SHORT_EXTENSION.search(part)
    extension = match.group() if match and part not in jobs else ""
    stem = part.removesuffix(extension)
    if stem in jobs:
        return f"<job>{extension}"
    tokens = [_shown(word) for word in TOKEN.findall(stem)]
    # Which words a name has, and how many, is its owner's.
    return re.sub(r"<text>(?:[\W_]?<text>)+", "<text>", "".join(tokens)) + extension


def _shown(word: str) -> str:
    if word.isdecimal():
        return "<number>"
    if word.lower() in WORDS or word in "_-. ()[]{}=,@#+":
        return word
    return "<text>"


def shape(value: Any, jobs: Collection[str] = (), depth: int = 2) -> str:  # noqa: ANN401 - what JSON holds has no type
    """Return kind, keys and types; of a list those of its first element.

    :param value: of JSON, as the parser of this package returns it
    :param jobs: ids and names, which are no keys
    :param depth: how many levels are shown
    """
    if isinstance(value, Mapping):
        if not depth:
            return "object"
        shapes = {str(key): shape(item, jobs, depth - 1) for key, item in value.items()}
        # What holds objects, or has only members of one kind, may have names of things for keys.
        are_alike = len(set(shapes.values())) == 1
        shown = Counter(
            f"{_key(key, jobs, is_field=not are_alike and each[0] not in '{[')}: {each}"
            for key, each in shapes.items()
        )
        members = [each if count == 1 else f"{each} x {count}" for each, count in shown.items()]
        return "{" + ", ".join(members[:MOST_KEYS]) + (", …" if len(members) > MOST_KEYS else "") + "}"
    if isinstance(value, list):
        return f"[{shape(value[0], jobs, depth) if value else ''}] x {len(value)}"
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    return "number" if isinstance(value, Number) else "text"


def _key(key: str, jobs: Collection[str], *, is_field: bool) -> str:
    is_shown = key in FIELDS or (is_field and KEY.fullmatch(key))
    return key if is_shown and key not in jobs else "<key>"
