"""Names: what they hide, repeat, or conflict with."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest

from airflow_provider_dli.archive import inspect
from airflow_provider_dli.archive.report import SHOWN, escape

from .findings import findings_of, packed
from .zip_corpus.maker import UTF8, Member, build


def test_every_name_that_repeats_is_reported_with_the_one_it_repeats() -> None:
    """Not only of the first name; those that differ in case alone too."""
    data = packed([("a", b"1"), ("b", b"2"), ("b", b"3"), ("c", b"4"), ("C", b"5")])
    report = inspect(io.BytesIO(data))
    found = [(each.code, each.entry, each.message.partition(" with ")[0]) for each in report.findings]
    assert found == [("duplicate-name", "b", "as the entry 'b'"), ("similar-name", "C", "as the entry 'c'")]


def test_a_name_is_shown_up_to_two_hundred_characters() -> None:
    """As it is, where it can be printed; what cannot stands beside what can."""
    assert SHOWN == 200
    assert escape("x" * 200) == "x" * 200
    assert escape("x" * 201) == "x" * 200 + "…"
    assert escape("tä\n\\b") == "tä\\n\\\\b"


def test_a_name_with_nul_is_reported_as_others_read_it() -> None:
    """Up to the first one."""
    data = packed([("abcdefg", b"1")]).replace(b"abcdefg", b"ab\0cd\0e")
    (message,) = [each.message for each in inspect(io.BytesIO(data)).findings if each.code == "nul-in-name"]
    assert message == "some readers call it 'ab'"


def test_a_name_that_a_unicode_path_replaces_is_judged_too() -> None:
    """Readers of old know no other."""
    info = zipfile.ZipInfo("../a.txt")
    better = "ä.txt".encode()
    info.extra = struct.pack("<HHBI", 0x7075, 5 + len(better), 1, zlib.crc32(b"../a.txt")) + better
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(info, b"1")
    found = [each for each in inspect(target).findings if each.code == "path-traversal"]
    assert [(each.entry, each.offset) for each in found] == [("../a.txt", target.getvalue().index(b"PK\1\2"))]


@pytest.mark.parametrize(("size", "codes"), [(4000, []), (4001, ["unusable-name"]), (60_000, ["unusable-name"])])
def test_a_path_that_is_too_long_as_a_whole_is_unusable(size: int, codes: list[str]) -> None:
    """Even if each of its parts is short: 7-Zip skips such an entry, and goes on."""
    name = (b"d" * 99 + b"/") * 600
    report = inspect(io.BytesIO(build(Member(name[: size - 1] + b"x"), Member(b"b"))))
    assert [each.code for each in report.findings] == codes
    assert report.verified


def test_a_file_on_the_way_is_found_on_every_level() -> None:
    """Not only as the first or the last directory of a path."""
    members = [Member(b"a/b"), Member(b"a/b/c/d/e"), Member(b"x/y/z"), Member(b"x/y/z/1"), Member(b"q/r")]
    found = [entry for code, entry in findings_of(build(*members)) if code == "path-conflict"]
    assert found == ["a/b/c/d/e", "x/y/z/1"]


@pytest.mark.parametrize(("plain", "other"), [("k", "\u212a"), ("ss", "\u00df"), ("s", "\u017f")])
def test_a_name_in_ascii_may_be_similar_to_one_that_is_not(plain: str, other: str) -> None:
    """Where the letters are one once case does not count."""
    data = build(Member(plain.encode()), Member(other.encode(), flags=UTF8))
    assert findings_of(data) == [("similar-name", other)]
