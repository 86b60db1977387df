"""Bounds, each from both sides: just what is allowed passes, one more does not. Found by changing the code."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterable

import pytest

from airflow_provider_dli.archive import Expectation, Limits, inspect
from airflow_provider_dli.archive.entries import _path
from airflow_provider_dli.archive.report import SHOWN, escape

from .findings import findings_of

LONG = "d/" * 140 + "name.txt"


def packed(entries: Iterable[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Write an archive; names may repeat."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in entries:
            if name in archive.namelist():
                with pytest.warns(UserWarning, match="Duplicate name"):
                    archive.writestr(name, data)
            else:
                archive.writestr(name, data)
    return target.getvalue()


def test_an_entry_may_be_as_large_as_the_limit() -> None:
    """And no larger; what is too large is not inflated."""
    data = packed([("a.txt", b"x" * 1000), ("b.txt", b"y")])
    assert findings_of(data, Limits(entry_bytes=1000)) == []
    assert findings_of(data, Limits(entry_bytes=999)) == [("entry-too-large", "a.txt")]
    broken = bytearray(data)
    broken[data.index(b"a.txt") + 6] ^= 0xFF
    assert findings_of(bytes(broken), Limits(entry_bytes=999)) == [("entry-too-large", "a.txt")]


@pytest.mark.parametrize(("flag", "code"), [(0x01, "encrypted"), (0x20, "patched-data")])
def test_what_cannot_be_read_is_not_read(flag: int, code: str) -> None:
    """It would seem broken, and that is not what is wrong with it."""
    data = bytearray(packed([("a.txt", b"x" * 1000), ("b.txt", b"y")]))
    data[6] |= flag
    data[data.index(b"PK\1\2") + 8] |= flag
    data[data.index(b"a.txt") + 6] ^= 0xFF
    assert findings_of(bytes(data)) == [(code, "a.txt")]


def test_of_too_many_entries_nothing_more_is_said() -> None:
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
    """At the limit it is; beyond it is said that it was not."""
    document = json.dumps({"a": "b" * 500}).encode()
    whole, broken = packed([("a.json", document)]), packed([("a.json", document[:-1] + b"!")])
    assert findings_of(broken, Limits(json_bytes=len(document))) == [("bad-json", "a.json")]
    assert findings_of(whole, Limits(json_bytes=len(document))) == []
    assert findings_of(whole, Limits(json_bytes=len(document) - 1)) == [("json-unchecked", "a.json")]


def test_every_name_that_repeats_is_told_with_the_one_it_repeats() -> None:
    """Not only of the first name; those that differ in case alone too."""
    data = packed([("a", b"1"), ("b", b"2"), ("b", b"3"), ("c", b"4"), ("C", b"5")])
    report = inspect(io.BytesIO(data))
    told = [(each.code, each.entry, each.message.partition(" with ")[0]) for each in report.findings]
    assert told == [("duplicate-name", "b", "as the entry 'b'"), ("similar-name", "C", "as the entry 'c'")]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_names_longer_than_a_byte_can_count(method: int) -> None:
    """Are compared to their last byte."""
    data = packed([(LONG, b"content")], method)
    assert findings_of(data) == []
    local = bytearray(data)
    last = data.index(b"name.txt") + len(b"name.txt") - 1
    local[last] ^= 1
    assert [code for code, _ in findings_of(bytes(local))] == ["name-mismatch"]


def test_a_name_is_shown_up_to_two_hundred_characters() -> None:
    """As it is, where it can be printed; what cannot stands beside what can."""
    assert SHOWN == 200
    assert escape("x" * 200) == "x" * 200
    assert escape("x" * 201) == "x" * 200 + "…"
    assert escape("tä\n\\b") == "tä\\n\\\\b"


def test_a_name_with_nul_is_told_as_others_read_it() -> None:
    """Up to the first one."""
    data = packed([("abcdefg", b"1")]).replace(b"abcdefg", b"ab\0cd\0e")
    (told,) = [each.message for each in inspect(io.BytesIO(data)).findings if each.code == "nul-in-name"]
    assert told == "some readers call it 'ab'"


def test_json_that_is_nested_too_deeply_says_so() -> None:
    """It is not said to be wrong."""
    deep = packed([("a.json", b'{"job_id": 1, "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")])
    report = inspect(io.BytesIO(deep), expect=Expectation(jobs=("1",), json_keys=("job_id",)))
    assert [each.message for each in report.findings if each.code == "bad-json"] == [
        "it is not JSON: it is nested too deeply"
    ]


@pytest.mark.parametrize(
    ("at", "length", "code"), [(14, 4, "crc-mismatch"), (18, 4, "size-mismatch"), (22, 4, "size-mismatch")]
)
def test_a_local_header_may_leave_out_only_what_a_descriptor_tells(at: int, length: int, code: str) -> None:
    """Zero is no CRC or size of an archive that has no descriptors."""
    data = bytearray(packed([("a.txt", b"text of some length")]))
    data[at : at + length] = bytes(length)
    assert code in {found for found, _ in findings_of(bytes(data))}


def test_a_name_that_a_unicode_path_replaces_is_judged_too() -> None:
    """Readers of old know no other."""
    info = zipfile.ZipInfo("../a.txt")
    better = "ä.txt".encode()
    info.extra = struct.pack("<HHBI", 0x7075, 5 + len(better), 1, zlib.crc32(b"../a.txt")) + better
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(info, b"1")
    told = [each for each in inspect(target).findings if each.code == "path-traversal"]
    assert [(each.entry, each.offset) for each in told] == [("../a.txt", target.getvalue().index(b"PK\1\2"))]


def test_a_damaged_extra_field_leaves_the_name_as_it_is() -> None:
    """It has been told of where the directory was read."""
    header = bytes(28) + struct.pack("<H", 5) + bytes(16)
    assert _path(header + b"a.txt" + b"\1\2\xff\xff") == b"a.txt"


def test_what_hides_between_entries_is_told_of_once() -> None:
    """However many there are, and however far apart; the first with its place."""
    inner = packed([("hidden.txt", b"1")])[:-22]
    data = packed([("a.txt", b"1")])
    start = data.index(b"PK\1\2")
    stuffing = inner + bytes(200_000) + inner
    end = bytearray(data[start:])
    at = end.index(b"PK\5\6")
    struct.pack_into("<I", end, at + 16, start + len(stuffing))
    report = inspect(io.BytesIO(data[:start] + stuffing + end))
    told = [(each.code, each.offset) for each in report.findings]
    assert told == [("hidden-data", start), ("hidden-entry", start)]
