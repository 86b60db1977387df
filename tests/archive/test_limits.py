"""Each limit from both sides: what it allows passes, one more does not."""

from __future__ import annotations

import io
import json

import pytest

from airflow_provider_dli.archive import Expectation, Limits, inspect

from .findings import findings_of, packed
from .zip_corpus.maker import STORED, Member, build

LARGE = bytes(100_000)


def test_an_entry_may_be_as_large_as_the_limit() -> None:
    """And no larger; what is too large is not inflated."""
    data = packed([("a.txt", b"x" * 1000), ("b.txt", b"y")])
    assert findings_of(data, Limits(entry_bytes=1000)) == []
    assert findings_of(data, Limits(entry_bytes=999)) == [("entry-too-large", "a.txt")]
    broken = bytearray(data)
    broken[data.index(b"a.txt") + 6] ^= 0xFF
    assert findings_of(bytes(broken), Limits(entry_bytes=999)) == [("entry-too-large", "a.txt")]


def test_of_too_many_entries_nothing_more_is_reported() -> None:
    """Those that were not read leave no hidden data."""
    assert findings_of(packed([(f"{n}.txt", b"x") for n in range(9)]), Limits(entries=2)) == [
        ("too-many-entries", None)
    ]


def test_an_entry_may_inflate_as_far_as_the_ratio() -> None:
    """Beyond it is called a bomb, unless it is small."""
    data = packed([("a.txt", b"x" * 100_000)])
    (entry,) = inspect(io.BytesIO(data)).entries
    ratio, rest = divmod(entry.size, entry.compressed_size)
    assert rest
    assert findings_of(data, Limits(ratio=ratio + 1, ratio_floor=0)) == []
    assert findings_of(data, Limits(ratio=ratio, ratio_floor=0)) == [("suspicious-ratio", "a.txt")]
    assert findings_of(data, Limits(ratio=1, ratio_floor=100_000)) == []
    assert findings_of(data, Limits(ratio=1, ratio_floor=99_999)) == [("suspicious-ratio", "a.txt")]


def test_json_is_parsed_up_to_the_limit() -> None:
    """At the limit it is; beyond it a warning reports that it was not."""
    document = json.dumps({"a": "b" * 500}).encode()
    whole, broken = packed([("a.json", document)]), packed([("a.json", document[:-1] + b"!")])
    assert findings_of(broken, Limits(json_bytes=len(document))) == [("bad-json", "a.json")]
    assert findings_of(whole, Limits(json_bytes=len(document))) == []
    assert findings_of(whole, Limits(json_bytes=len(document) - 1)) == [("json-unchecked", "a.json")]


def test_the_limit_of_entries_is_allowed() -> None:
    """One more is not, even if the end record has fewer."""
    members = [Member(b"%d" % number) for number in range(9)]
    assert findings_of(build(*members), Limits(entries=9)) == []
    few = build(*members, end={"here": 1, "entries": 1})
    assert [code for code, _ in findings_of(few, Limits(entries=8))] == ["too-many-entries"]


def test_the_limit_of_the_directory_counts_from_where_it_begins() -> None:
    """Not from the start of the file."""
    assert findings_of(build(Member(b"0", LARGE, method=STORED)), Limits(directory_bytes=100)) == []


@pytest.mark.slow
@pytest.mark.parametrize("expect", [None, Expectation(jobs=("1",))], ids=["alone", "job"])
@pytest.mark.parametrize("depth", [20_000, 200_000])
def test_json_may_be_nested_deeper_than_python_parses(depth: int, expect: Expectation | None) -> None:
    """It is JSON or not, and its jobs are found."""
    document = b'{"job_id": 1, "a": ' + b"[" * depth + b"]" * depth + b"}"
    report = inspect(io.BytesIO(packed([("a.json", document)])), expect=expect)
    assert report.findings == ()
    report = inspect(io.BytesIO(packed([("a.json", document[:-1])])), expect=expect)
    assert (report.errors[0].code, report.errors[0].message) == ("bad-json", "it is not JSON: it ends too early")


@pytest.mark.slow
def test_json_that_is_nested_too_deeply_is_not_examined() -> None:
    """It is neither called invalid nor empty."""
    deep = packed([("a.json", b'{"job_id": 1, "a": ' + b"[" * 1_100_000 + b"]" * 1_100_000 + b"}")])
    report = inspect(io.BytesIO(deep), expect=Expectation(jobs=("1",)))
    why = "it is nested too deeply to examine"
    assert [(each.code, each.message) for each in report.findings] == [
        ("json-unchecked", f"its 2200020 bytes are intact but were not parsed: {why}"),
        ("job-not-examined", f"job '1' was found in nothing that was examined; not: the entry 'a.json' ({why})"),
    ]
