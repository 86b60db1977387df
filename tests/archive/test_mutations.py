"""Whatever happens to a good archive is found, or changes nothing that a reader sees."""

from __future__ import annotations

import io
import zipfile
import zlib
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dli.archive import Limits, Report, inspect
from tests.sampling import is_tried

pytestmark = pytest.mark.slow

EXHAUSTIVE = [
    "ZIP64 fields",
    "to a pipe, ZIP64",
    "infozip-streamed.zip",
    "java-stream.zip",
    "names of older kinds",
]
SIGNATURES = [b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\7\10", b"\xff\xff\xff\xff", bytes(4)]
SMALL = Limits(entries=50, directory_bytes=100_000, entry_bytes=1 << 20, total_bytes=1 << 22)


class Counter(io.BytesIO):
    """Counts the reads before the last seek, which begins the pass."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.reads = self.tail_reads = 0

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self.tail_reads = self.reads
        return super().seek(offset, whence)

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        return super().read(size)


def seen(data: bytes) -> Any:
    """Return what a reader sees: names and contents, in any order."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return sorted((info.filename, archive.read(info)) for info in archive.infolist())


def check(data: bytes, mutated: bytes) -> None:
    """Hold that a change is found or means nothing."""
    report = inspect(io.BytesIO(mutated))
    assert not report.verified or seen(mutated) == seen(data)


def check_report(data: bytes, report: Report) -> None:
    """Hold what is true of any report, whatever the bytes: most of all that what is verified can be read."""
    assert report.size == len(data)
    assert len(report.findings) <= 101 * 70
    for finding in report.findings:
        assert str(finding).isprintable()
    if report.verified:
        facts = sorted((len(content), zlib.crc32(content)) for _, content in seen(data))
        assert facts == sorted((entry.size, entry.crc32) for entry in report.entries)


@pytest.mark.parametrize("name", EXHAUSTIVE)
def test_every_bit(small_good: dict[str, bytes], name: str) -> None:
    """Every single bit can flip; a sixteenth of them is tried."""
    data = small_good[name]
    for at, bit in product(range(len(data)), range(8)):
        if is_tried(f"{name} {at} {bit}", 16):
            check(data, data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])


@pytest.mark.parametrize("name", EXHAUSTIVE)
def test_every_cut_and_every_insertion(small_good: dict[str, bytes], name: str) -> None:
    """The file can end anywhere; a byte can be lost, doubled or put in anywhere: at a sixth of the places."""
    data = small_good[name]
    for at in range(len(data)):
        assert not inspect(io.BytesIO(data[:at])).verified
        if not is_tried(f"{name} {at}", 12):
            continue
        check(data, data[:at] + data[at + 1 :])
        check(data, data[:at] + data[at : at + 1] + data[at:])
        check(data, data[:at] + b"P" + data[at:])


@given(st.data())
def test_any_byte_of_any_archive(small_good: dict[str, bytes], data: st.DataObject) -> None:
    """One byte becomes any other."""
    archive = small_good[data.draw(st.sampled_from(sorted(small_good)))]
    at = data.draw(st.integers(0, len(archive) - 1))
    check(archive, archive[:at] + bytes([data.draw(st.integers(0, 255))]) + archive[at + 1 :])


@given(st.data())
def test_any_swap_of_blocks(small_good: dict[str, bytes], data: st.DataObject) -> None:
    """Two blocks of one size change places, as a store may mix up pages."""
    archive = small_good[data.draw(st.sampled_from(sorted(small_good)))]
    size = data.draw(st.integers(1, len(archive) // 2))
    first = data.draw(st.integers(0, len(archive) - 2 * size))
    second = data.draw(st.integers(first + size, len(archive) - size))
    a, b = archive[first : first + size], archive[second : second + size]
    check(archive, archive[:first] + b + archive[first + size : second] + a + archive[second + size :])


@given(st.data())
def test_any_insertion_or_loss(small_good: dict[str, bytes], data: st.DataObject) -> None:
    """Bytes are put in, lost or replaced by others."""
    archive = small_good[data.draw(st.sampled_from(sorted(small_good)))]
    at = data.draw(st.integers(0, len(archive)))
    lost = data.draw(st.integers(0, 40))
    check(archive, archive[:at] + data.draw(st.binary(max_size=40)) + archive[at + lost :])


PATCHES = st.lists(
    st.tuples(st.integers(0, 1 << 16), st.one_of(st.binary(min_size=1, max_size=4), st.sampled_from(SIGNATURES))),
    max_size=12,
)


@given(
    st.lists(st.one_of(st.binary(max_size=60), st.sampled_from(SIGNATURES), st.integers(0, 99)), max_size=6),
    PATCHES,
)
def test_any_bytes(
    small_good: dict[str, bytes], parts: list[bytes | int], patches: list[tuple[int, bytes]]
) -> None:
    """Noise, signatures and archives, mutated many times: no error, no loop, and verified means readable."""
    archives = list(small_good.values())
    mutated = bytearray().join(archives[part % len(archives)] if isinstance(part, int) else part for part in parts)
    for at, patch in patches if mutated else []:
        start = at % len(mutated)
        mutated[start : start + len(patch)] = patch
    reader = Counter(bytes(mutated))
    check_report(bytes(mutated), inspect(reader, limits=SMALL))
    assert reader.tail_reads <= 3


FIELD = st.one_of(st.sampled_from([0, 1, 7, 8, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFE, 1 << 31]), st.integers(0, 200))
CHANGES = st.dictionaries(
    st.sampled_from(["need", "flags", "method", "when", "crc", "compressed", "size", "name_size", "extra_size"]),
    FIELD,
    max_size=2,
)
ENDS = st.dictionaries(
    st.sampled_from(["disk", "first_disk", "here", "entries", "size", "offset", "comment_size"]), FIELD, max_size=2
)
EXTRAS = st.sampled_from([b"", bytes(3), b"\1\0\0\0", b"\1\0\x10\0" + bytes(16), b"up\2\0ab", b"\xfe\xca\0\0"])
WIDE = {"crc", "compressed", "size", "when", "offset"}


def narrowed(fields: dict[str, int]) -> dict[str, int]:
    """Cut values to the width of their fields."""
    return {name: value if name in WIDE else value & 0xFFFF for name, value in fields.items()}


@given(st.data())
def test_any_fields(maker: Any, data: st.DataObject) -> None:
    """Headers that hold anything at all: no error, no loop, and verified means readable."""
    members = []
    for i in range(data.draw(st.integers(0, 4))):
        content = data.draw(st.binary(max_size=100))
        both = narrowed(data.draw(CHANGES)) | {"extra": data.draw(EXTRAS)}
        member = maker.Member(
            data.draw(st.sampled_from([b"a", b"b/%d.json" % i, b"%d" % i])),
            content,
            data.draw(st.sampled_from([0, 8])),
            descriptor=data.draw(st.sampled_from(["", "", "32", "s32", "64", "s64"])),
            local=both | narrowed(data.draw(CHANGES)),
            central=both | narrowed(data.draw(CHANGES)),
        )
        members.append(member)
    archive = maker.build(
        *members,
        prefix=data.draw(st.sampled_from([b"", b"", b"x"])),
        zip64=data.draw(st.sampled_from([None, None, {}, {"at": 0}, {"entries": 1}])),
        end=narrowed(data.draw(ENDS)),
    )
    check_report(archive, inspect(io.BytesIO(archive), limits=SMALL))


@given(st.binary(max_size=300))
def test_any_deflate_stream(maker: Any, stream: bytes) -> None:
    """Noise for compressed data is never verified, unless it is what the headers record."""
    archive = maker.build(maker.Member(b"x", b"content", raw=stream))
    report = inspect(io.BytesIO(archive))
    assert report.verified == (zlib.decompress(maker.deflate(b"content"), -15) == inflated(stream))


def inflated(stream: bytes) -> bytes | None:
    """Return what zlib makes of all of a stream."""
    inflater = zlib.decompressobj(-15)
    try:
        content = inflater.decompress(stream)
    except zlib.error:
        return None
    return content if inflater.eof and not inflater.unused_data else None
