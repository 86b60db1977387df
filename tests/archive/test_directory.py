"""The end record, the central directory and the places of entries: a finding on one hides nothing of the next."""

from __future__ import annotations

import re

import pytest

from airflow_provider_dli.archive.directory import LOCATOR, ZIP64_RECORD
from airflow_provider_dli.archive.source import TAIL

from .findings import findings_of, findings_with_offsets
from .zip_corpus.bad_structure import END
from .zip_corpus.maker import STORED, Member, build

LARGE = bytes(100_000)


@pytest.mark.parametrize(
    ("behind", "code"),
    [
        (END, "second-end-record"),
        (b"PK\1\2" + bytes(6), "bad-directory-header"),
        (b"no header, and long enough to be one of them, if it were", "bad-directory-header"),
    ],
)
def test_what_is_in_the_directory_is_reported_with_its_place(behind: bytes, code: str) -> None:
    """In a file of which only the end is read at first; also of a header that is cut in its fixed part."""
    members = Member(b"0", LARGE, method=STORED), Member()
    whole = build(*members)
    at = len(whole) - 22
    size = at - whole.index(b"PK\1\2") + len(behind)
    assert (code, None, at) in findings_with_offsets(build(*members, behind=behind, end={"size": size}))


def test_a_header_longer_than_the_directory_is_reported_with_its_place() -> None:
    """In a file of which only the end is read at first."""
    data = build(Member(b"0", LARGE, method=STORED), Member(central={"name_size": 60_000}))
    assert ("bad-directory-header", None, data.rindex(b"PK\1\2")) in findings_with_offsets(data)


@pytest.mark.parametrize("back", [29, 1, 0, -1, -100])
def test_every_entry_that_would_begin_behind_the_others_is_reported(back: int) -> None:
    """A local header of 30 bytes must fit in before the directory."""
    members = [Member(), Member(b"b"), Member(b"c")]
    start = build(*members).index(b"PK\1\2")
    for member in members[1:]:
        member.central = {"offset": start - back}
    data = build(*members)
    assert [entry for code, entry in findings_of(data) if code == "bad-offset"] == ["b", "c"]


def test_behind_entries_that_share_bytes_the_next_is_proven() -> None:
    """Its damage is reported."""
    members = [Member(b"a"), Member(b"b", central={"offset": 20}), Member(b"c")]
    whole = build(*members)
    assert ("overlap", "b") in findings_of(whole)
    broken = bytearray(whole)
    broken[whole.index(b"PK\1\2") - 9] ^= 0xFF
    assert {entry for code, entry in findings_of(bytes(broken)) if code not in {"overlap", "hidden-data"}} >= {"c"}


def test_a_zip64_end_record_is_taken_before_one_in_the_comment() -> None:
    """Its plain twin does not have the directory's place; the locator before it does."""
    ones = {"here": 0xFFFF, "entries": 0xFFFF, "size": 0xFFFFFFFF, "offset": 0xFFFFFFFF}
    data = build(Member(), comment=END, zip64={}, end=ones)
    inside = data.rindex(b"PK\5\6")
    assert findings_with_offsets(data) == [("end-record-in-comment", None, inside)]


def test_an_earlier_end_record_that_ends_with_the_file_is_reported_with_its_place() -> None:
    """Its comment is the directory and the end record that is taken; as a gap it is reported again."""
    whole = build(Member())
    at = whole.index(b"PK\1\2")
    earlier = END[:20] + (len(whole) - at).to_bytes(2, "little")
    expected = ["second-end-record", "hidden-data", "second-end-record"]
    assert findings_with_offsets(build(Member(), between=earlier)) == [(code, None, at) for code in expected]


def test_an_end_record_of_a_wrong_offset_is_taken_before_those_in_its_comment() -> None:
    """It ends where the file ends; each of the others is reported."""
    data = build(Member(), comment=b"see " + END * 2 + b"!", end={"offset": 5})
    taken, first, second = (each.start() for each in re.finditer(b"PK\5\6", data))
    assert findings_with_offsets(data) == [
        ("end-record-in-comment", None, first),
        ("end-record-in-comment", None, second),
        ("wrong-directory-offset", None, taken),
    ]


@pytest.mark.parametrize("offset", [500, 1010])
def test_an_offset_in_the_middle_of_an_entry_does_not_mean_data_in_front(offset: int) -> None:
    """Only where all entries fit in before it, they are expected further behind."""
    data = build(Member(b"0", bytes(1000), method=STORED), end={"offset": offset})
    assert findings_of(data) == [("wrong-directory-offset", None)]


def test_a_locator_that_points_before_what_was_read_finds_nothing_there() -> None:
    """The end of the file is in memory; a place before it is not one counted from its end."""
    first = len(build(Member(b"0", LARGE, method=STORED), zip64={})) - TAIL
    data = build(
        Member(b"0", LARGE, method=STORED), zip64={"at": first - ZIP64_RECORD.size - LOCATOR.size - len(END)}
    )
    at = data.rindex(b"PK\6\7")
    assert findings_with_offsets(data) == [("zip64-bad-record", None, at)]
