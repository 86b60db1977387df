"""Entries: headers, contents, and what is between them."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest

from airflow_provider_dli.archive import inspect
from airflow_provider_dli.archive.entries import _path

from .findings import findings_of, packed

LONG = "d/" * 140 + "name.txt"


@pytest.mark.parametrize(("flag", "code"), [(0x01, "encrypted"), (0x20, "patched-data")])
def test_what_cannot_be_read_is_not_read(flag: int, code: str) -> None:
    """It would seem broken, and that is not what is wrong with it."""
    data = bytearray(packed([("a.txt", b"x" * 1000), ("b.txt", b"y")]))
    data[6] |= flag
    data[data.index(b"PK\1\2") + 8] |= flag
    data[data.index(b"a.txt") + 6] ^= 0xFF
    assert findings_of(bytes(data)) == [(code, "a.txt")]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_names_longer_than_a_byte_can_count(method: int) -> None:
    """Are compared to their last byte."""
    data = packed([(LONG, b"content")], method)
    assert findings_of(data) == []
    local = bytearray(data)
    last = data.index(b"name.txt") + len(b"name.txt") - 1
    local[last] ^= 1
    assert [code for code, _ in findings_of(bytes(local))] == ["name-mismatch"]


@pytest.mark.parametrize(
    ("at", "length", "code"), [(14, 4, "crc-mismatch"), (18, 4, "size-mismatch"), (22, 4, "size-mismatch")]
)
def test_a_local_header_may_omit_only_what_a_descriptor_has(at: int, length: int, code: str) -> None:
    """Zero is not the CRC or size of an archive that has no descriptors."""
    data = bytearray(packed([("a.txt", b"text of some length")]))
    data[at : at + length] = bytes(length)
    assert code in {found for found, _ in findings_of(bytes(data))}


def test_a_damaged_extra_field_leaves_the_name_as_it_is() -> None:
    """It was reported when the directory was read."""
    header = bytes(28) + struct.pack("<H", 5) + bytes(16)
    assert _path(header + b"a.txt" + b"\1\2\xff\xff") == b"a.txt"


def test_what_hides_between_entries_is_reported_once() -> None:
    """However many there are, and however far apart; the first with its place."""
    inner = packed([("hidden.txt", b"1")])[:-22]
    data = packed([("a.txt", b"1")])
    start = data.index(b"PK\1\2")
    stuffing = inner + bytes(200_000) + inner
    end = bytearray(data[start:])
    at = end.index(b"PK\5\6")
    struct.pack_into("<I", end, at + 16, start + len(stuffing))
    report = inspect(io.BytesIO(data[:start] + stuffing + end))
    found = [(each.code, each.offset) for each in report.findings]
    assert found == [("hidden-data", start), ("hidden-entry", start)]
