"""Every form in which a value may come: from Python, Jinja, native rendering, XCom, a form, by mistake."""

from __future__ import annotations

import enum
from collections import namedtuple
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from jinja2 import Undefined
from markupsafe import Markup

from airflow_provider_dli.client.flink import ExportResult
from airflow_provider_dli.client.flink.archives import ImportResult, JobMapping

A, B = "obs-test/a.zip", "obs-test/b, c.zip"
SECRET = "wJalrXUtnFEMI7K7MDENGbPxRfiCYEXAMPLEKEY0"
Row = namedtuple("Row", ["job_id", "name"])  # noqa: PYI024 -- as users write them


class Lazy(Sequence[Any]):
    """As Airflow hands over what the instances of a mapped task returned: neither a list nor a tuple."""

    def __init__(self, *items: Any) -> None:
        self._items = items

    def __getitem__(self, index: Any) -> Any:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)


class Unresolved:
    """As an XComArg that nobody resolved."""

    def __iter__(self) -> Any:
        raise TypeError("'XComArg' object is not iterable")


class Word(enum.StrEnum):
    """A word as an enumeration."""

    FAIL = "fail"


class Broken:
    """An object that cannot even be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("broken")


#: what makes each form, for each use again: some can be read only once
FORMS: dict[str, Callable[[], Any]] = {
    # nothing
    "None": lambda: None,
    "text None": lambda: "None",
    "text None padded": lambda: " None\n",
    "empty": lambda: "",
    "spaces": lambda: " \t\n",
    "undefined": Undefined,
    "list of nothing": list,
    "tuple of nothing": tuple,
    "mapping of nothing": dict,
    "set of nothing": set,
    "lazy of nothing": Lazy,
    "generator of nothing": lambda: iter(()),
    "text []": lambda: "[]",
    "text ()": lambda: "()",
    "text {}": lambda: "{}",
    "text ''": lambda: "''",
    "commas": lambda: " , ,",
    # flags
    "True": lambda: True,
    "False": lambda: False,
    "text True": lambda: "True",
    "text false": lambda: " false ",
    "text 'True' in quotes": lambda: '"True"',
    "yes": lambda: "yes",
    # numbers
    "0": lambda: 0,
    "1": lambda: 1,
    "text 0": lambda: "0",
    "text 1": lambda: "1",
    "markup 1": lambda: Markup("1"),
    "-1": lambda: -1,
    "text -1": lambda: "-1",
    "1.5": lambda: 1.5,
    "text 1.5": lambda: "1.5",
    "text 1e3": lambda: "1e3",
    "decimal": lambda: Decimal("1.5"),
    "5.0": lambda: 5.0,
    "nan": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "-inf": lambda: float("-inf"),
    "text nan": lambda: "nan",
    "text Infinity": lambda: "Infinity",
    "1_000": lambda: "1_000",
    "other digits": lambda: "１２",
    "largest id": lambda: (1 << 63) - 1,
    "too large id": lambda: 1 << 63,
    "large number": lambda: 10**30,
    "number that cannot be written": lambda: 10**5000,
    "text of such a number": lambda: "9" * 5000,
    "complex": lambda: 1j,
    # lengths of time
    "timedelta": lambda: timedelta(seconds=10),
    "text timedelta": lambda: str(timedelta(seconds=10)),
    "text timedelta of days": lambda: str(timedelta(days=1, seconds=10)),
    "ISO 8601 length": lambda: "PT10S",
    "negative timedelta": lambda: timedelta(seconds=-10),
    "text negative timedelta": lambda: str(timedelta(seconds=-10)),
    "longest timedelta": lambda: timedelta.max,
    # times
    "datetime": lambda: datetime(2026, 1, 15, 8, tzinfo=UTC),
    "naive datetime": lambda: datetime(2026, 1, 15, 8),  # noqa: DTZ001 -- that is the point
    "date": lambda: date(2026, 1, 15),
    "text datetime": lambda: "2026-01-15 08:00:00+00:00",
    # ids
    "ids": lambda: [1, 2],
    "tuple of ids": lambda: (1, 2),
    "set of ids": lambda: {2, 1},
    "set of texts": lambda: frozenset({"2", "1"}),
    "range": lambda: range(1, 3),
    "keys": {1: "a", 2: "b"}.keys,
    "generator of ids": lambda: (each for each in (1, 2)),
    "lazy ids": lambda: Lazy(1, 2),
    "lazy lists of ids": lambda: Lazy([1], Lazy(2)),
    "list of lists of ids": lambda: [[1], [2]],
    "texts of ids": lambda: ["1", " 2 "],
    "text of a list": lambda: "[1, 2]",
    "text of a tuple": lambda: "(1, 2)",
    "text of a set": lambda: "{1, 2}",
    "text of a list of lists": lambda: "[[1], [2]]",
    "JSON of texts": lambda: '["1", "2"]',
    "ids with commas": lambda: "1, 2",
    "ids in lines": lambda: "1\n2\n",
    "twice the same id": lambda: [1, "1", 2],
    "None among ids": lambda: [1, None],
    "text None among ids": lambda: "[1, None]",
    "empty among ids": lambda: [1, ""],
    "text empty among ids": lambda: "[1, '']",
    "undefined among ids": lambda: [1, Undefined()],
    "empty among ids in lists": lambda: [[1], [2, " "]],
    "empty list among ids": lambda: [[1], []],
    "text empty list among ids": lambda: ["1", "[]"],
    "empty between commas": lambda: "1,,2",
    "comma at the end": lambda: "1,2,",
    "None between commas": lambda: "1,None",
    "commas among ids": lambda: [1, " , "],
    "True among ids": lambda: [1, True],
    "float among ids": lambda: [1, 2.0],
    "deep": lambda: [[[[[[[[[[[1]]]]]]]]]]],
    # rows
    "rows": lambda: [{"job_id": 1, "name": "x"}, {"job_id": 2, "name": "y"}],
    "lazy rows": lambda: Lazy([{"job_id": 1}], [{"job_id": "2"}]),
    "text of rows": lambda: "[{'job_id': 1}, {'job_id': 2}]",
    "named tuples": lambda: [Row(1, "x"), Row(2, "y")],
    "text of named tuples": lambda: str([Row(1, "x"), Row(2, "y")]),
    "one row": lambda: {"job_id": 1},
    "rows of an import": lambda: [
        {"old_job_id": 1, "new_job_id": 2, "name": "x", "recovered": False, "remark": ""}
    ],
    "rows of a mapped import": lambda: Lazy([{"old_job_id": 1, "new_job_id": 2}]),
    "row that was not imported": lambda: [{"old_job_id": 1, "new_job_id": None}],
    "empty list among rows of an import": lambda: [[{"old_job_id": 1, "new_job_id": 2}], []],
    "empty mapping among rows": lambda: [{"old_job_id": 1, "new_job_id": 2, "job_id": 1, "zip_file": A}, {}],
    "no rows in a result of an import": lambda: [{"job_mapping": [{1: 2}]}, {"job_mapping": []}],
    "result of an import": lambda: ImportResult((JobMapping(1, 2, ""),), ""),
    "text of that": lambda: str(ImportResult((JobMapping(1, 2, ""),), "")),
    "rows without an id": lambda: [{"name": "x"}],
    "row whose id is None": lambda: [{"job_id": None}],
    "mapping of ids": lambda: {1: 2},
    "text of a mapping of ids": lambda: '{"1": "2"}',
    # places
    "archive": lambda: A,
    "archive with scheme": lambda: f"obs://{A}",
    "archive in quotes": lambda: f'"{A}"',
    "archives": lambda: [A, B],
    "lazy archives": lambda: Lazy([A], [B]),
    "outputs of two tasks": lambda: [[A], (B,)],
    "text of archives": lambda: str([A, B]),
    "text of a tuple of archives": lambda: str((A, B)),
    "text of a tuple of one": lambda: str((A,)),
    "archives in lines": lambda: f"{A}\n{B}\r\n",
    "result of an export": lambda: ExportResult((A, B), "done"),
    "text of the result of an export": lambda: str(ExportResult((A, B), "done")),
    "reports": lambda: [{"zip_file": A, "verified": True}, {"zip_file": B, "verified": False}],
    "batches": lambda: [{"job_ids": [1], "zip_file": [A], "failed": []}, {"job_ids": [2], "zip_file": [B]}],
    "None among archives": lambda: [A, None],
    "text None among archives": lambda: [A, "None"],
    "empty among archives": lambda: [A, ""],
    "empty list among archives": lambda: [[A], []],
    "text empty list among archives": lambda: [A, "[]"],
    "batch without archives": lambda: [{"job_ids": [1], "zip_file": [A]}, {"job_ids": [2], "zip_file": []}],
    "row of an empty archive": lambda: {"zip_file": ""},
    "number among archives": lambda: [A, 7],
    "bucket": lambda: "obs-test",
    "time zone": lambda: "Asia/Shanghai",
    "directory": lambda: "obs-test/night",
    "directory with scheme": lambda: "OBS://obs-test/night/",
    "other scheme": lambda: "s3://obs-test/night",
    "dots in a place": lambda: "obs-test/../x",
    "dot in a place": lambda: "obs-test/./x.zip",
    "two slashes in a place": lambda: "obs-test//x",
    "backslash in a place": lambda: "obs-test/a\\b",
    "escape in a place": lambda: "obs-test/a\x1b[31m",
    "newline in a place": lambda: "obs-test/a\nobs-test/b",
    "DEL in a place": lambda: "obs-test/a\x7f",
    "C1 in a place": lambda: "obs-test/a\x9b1m",
    "line separator in a place": lambda: "obs-test/a\u2028b",
    "surrogate in a place": lambda: "obs-test/\ud800",
    "place without room for a name": lambda: "obs-test/" + "é" * 500,
    "place that is too long": lambda: "obs-test/" + "é" * 512,
    "address as a bucket": lambda: "192.168.1.1/x",
    "dot beside hyphen": lambda: "obs.-test/x",
    "None as a bucket": lambda: "None/x",
    "no directory": lambda: "obs-test//",
    "no last directory": lambda: "obs-test/night//",
    "no bucket": lambda: "/flink/a.zip",
    "no bucket after a scheme": lambda: "obs:///flink/a.zip",
    "no bucket among archives": lambda: [A, "/flink/a.zip"],
    # mappings and tags
    "mapping": lambda: {"a": "b"},
    "text of a mapping": lambda: "{'a': 'b'}",
    "JSON of a mapping": lambda: '{"a": "b"}',
    "mapping with None": lambda: {"a": None},
    "mapping with empty": lambda: {"a": "b", "c": ""},
    "mapping with text None": lambda: {"a": "None"},
    "mapping with a list": lambda: {"a": ["b"]},
    "tag": lambda: "a=b",
    "tag without a value": lambda: "a=b,c=",
    "selection": lambda: {"name_pattern": "a*", "queue_name": "None"},
    "text of a selection": lambda: "{'name_pattern': 'a*', 'queue_name': None}",
    "empty selection": lambda: {"name_pattern": "", "queue_name": None},
    "unknown filter": lambda: {"nam": "a"},
    "hostile filter": lambda: {"a\nb\x1b": 1},
    # words
    "fail": lambda: "fail",
    "fail padded": lambda: " fail\n",
    "fail as an enumeration": lambda: Word.FAIL,
    "FAIL": lambda: "FAIL",
    "keep": lambda: "keep",
    "directory level": lambda: "directory",
    "full": lambda: "full",
    "finished": lambda: "finished",
    "flink_jar_job": lambda: "flink_jar_job",
    "job_running": lambda: "job_running",
    "statuses": lambda: ["job_running", "job_finish"],
    "empty among statuses": lambda: ["job_running", ""],
    "wildcard": lambda: "[ab]*",
    "wildcards": lambda: ["[ab]*", "c?"],
    "None among wildcards": lambda: ["[ab]*", "None", "c?"],
    "text of wildcards": lambda: "['[ab]*', 'c?']",
    "connection": lambda: "dli_other",
    "URI": lambda: f"dli://AK:{SECRET}@host/x",
    # what is something else altogether
    "object": object,
    "broken object": Broken,
    "function": lambda: print,
    "class": lambda: int,
    "unresolved": Unresolved,
    "exception": lambda: ValueError(SECRET),
    "bytes": lambda: b"1",
    "bytearray": lambda: bytearray(b"1"),
    "huge text": lambda: "x" * 100_000,
    "brackets": lambda: "[" * 100_000,
    "braces": lambda: "{'a': " * 5000,
    "call": lambda: "__import__('os').system('true')",
    "bidi": lambda: "a\u202eb",
    "escape": lambda: "a\x1b[31mb",
    "newline": lambda: "a\nb",
    "secret": lambda: SECRET,
    "named secret": lambda: f"password={SECRET} x",
    "template": lambda: "{{ params.x }}",
}
