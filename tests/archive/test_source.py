"""How the file is read: few reads, forwards, in bounded memory."""

from __future__ import annotations

import hashlib
import io
import time
import tracemalloc
from typing import Any

import pytest

from airflow_provider_dli.archive import Limits, inspect
from airflow_provider_dli.archive.source import BLOCK, TAIL
from tests.sampling import IS_ALL

MIB = 1 << 20
#: an archive without entries
SMALL = b"PK\5\6" + bytes(18)
#: what is measured grows with its size: less of it is enough
LARGE = MIB if IS_ALL else MIB // 4


class Recorder(io.BytesIO):
    """Records its reads and seeks."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.reads: list[tuple[int, int]] = []
        self.seeks: list[tuple[int, int]] = []

    def read(self, size: int | None = -1, /) -> bytes:
        start = self.tell()
        data = super().read(size)
        self.reads.append((start, len(data)))
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self.seeks.append((offset, whence))
        return super().seek(offset, whence)


class Dribble(io.BytesIO):
    """Returns a few bytes at a time, as a socket may."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 37))


class Short(io.BytesIO):
    """Claims more bytes than it has, from the given read on."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data)
        self.size = size

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return super().seek(self.size if whence == io.SEEK_END else offset)


class Changing(io.BytesIO):
    """Is replaced by other bytes, of the same or another length, once it is read from the start."""

    def __init__(self, data: bytes, later: bytes) -> None:
        super().__init__(data)
        self.later = later
        self.tail_read = False

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if self.tail_read and offset == 0:
            super().seek(0)
            self.truncate()
            self.write(self.later)
        return super().seek(offset, whence)

    def read(self, size: int | None = -1, /) -> bytes:
        self.tail_read = True
        return super().read(size)


class Broken(io.BytesIO):
    """Fails at a read."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise ConnectionResetError(f"the connection was reset before {size} bytes came")


def test_directory_level_reads_the_tail_and_the_directory(writers: Any) -> None:
    """One read of the tail is enough where the directory lies in it; else there is one more, of just the rest."""
    small = Recorder(writers.zipped({"a.bin": bytes(range(256)) * 8000}, 0))
    inspect(small, "directory")
    assert [length for _, length in small.reads] == [TAIL]
    large = Recorder(writers.zipped({f"{i:060x}": b"" for i in range(2000)}, 0))
    report = inspect(large, "directory")
    assert len(large.reads) == 2
    assert sum(length for _, length in large.reads) == report.size - report.entries[-1].offset - 90


def test_bad_directories_cost_no_more_than_three_reads(bad: bytes, bad_case: Any) -> None:
    """No lie of the end record makes it read more often."""
    reader = Recorder(bad)
    inspect(reader, "directory", limits=bad_case.limits)
    assert len(reader.reads) <= 3


@pytest.mark.slow
def test_full_level_reads_once_forwards_in_large_blocks(good: bytes) -> None:
    """After the tail, every byte is read once, from the first to the last, without a seek; hashes are of all."""
    reader = Recorder(good)
    report = inspect(reader, md5=True)
    assert report.sha256 == hashlib.sha256(good).hexdigest()
    assert report.md5 == hashlib.md5(good, usedforsecurity=False).hexdigest()
    first = max(i for i, (start, _) in enumerate(reader.reads) if start == 0)
    passed = reader.reads[first:]
    assert [start for start, _ in passed] == list(range(0, len(good), BLOCK))
    assert sum(length for _, length in passed) == len(good)
    assert reader.seeks[-1] == (0, 0)


@pytest.mark.slow
def test_small_reads_change_nothing(good: bytes) -> None:
    """A reader may return fewer bytes than were requested."""
    if len(good) < MIB:
        assert inspect(Dribble(good)) == inspect(io.BytesIO(good))


@pytest.mark.slow
def test_hashes_are_made_if_requested_and_at_level_full_only(good: bytes) -> None:
    """SHA-256 always, MD5 if requested."""
    if len(good) < MIB:
        report = inspect(io.BytesIO(good))
        assert (report.md5, len(report.sha256 or "")) == (None, 64)
        directory = inspect(io.BytesIO(good), "directory", md5=True)
        assert (directory.sha256, directory.md5) == (None, None)


def test_hashes_are_taken_of_bad_archives_too(bad: bytes, bad_case: Any) -> None:
    """Whatever is wrong, the whole file was read."""
    report = inspect(io.BytesIO(bad), limits=bad_case.limits)
    assert report.sha256 == hashlib.sha256(bad).hexdigest()
    assert report.size == len(bad)


def test_reader_with_fewer_bytes_than_it_claims(maker: Any) -> None:
    """A file that ends early is a finding, wherever it ends."""
    data = maker.build(maker.Member())
    report = inspect(Short(data, len(data) + 9))
    (finding,) = report.findings
    assert (finding.code, finding.offset) == ("cut-short", len(data))
    assert finding.message == f"{len(data)} of {len(data) + 9} bytes could be read"


@pytest.mark.parametrize("left", [0, 20, 60, 150, 500])
def test_file_that_shrinks_while_it_is_read(maker: Any, left: int) -> None:
    """What is no longer there is reported."""
    data = maker.build(maker.Member(), maker.Member(b"b", bytes(300), 0))
    report = inspect(Changing(data, data[:left]))
    (finding,) = [finding for finding in report.findings if finding.code == "cut-short"]
    assert (finding.message, finding.offset) == (f"{left} of {len(data)} bytes could be read", left)


def test_directory_that_changes_while_it_is_read(maker: Any) -> None:
    """The directory that was verified must be the one that was hashed."""
    data = maker.build(maker.Member(), comment=b"one")
    report = inspect(Changing(data, maker.build(maker.Member(), comment=b"two")))
    (finding,) = report.findings
    assert (finding.code, finding.offset) == ("changed-while-read", data.index(b"PK\1\2"))
    assert finding.message == "the end of the file differs from what was read first"


def test_errors_of_the_reader_pass_through() -> None:
    """They are not about the archive."""
    with pytest.raises(ConnectionResetError, match="reset"):
        inspect(Broken(b"PK"))


def test_unknown_level_is_refused() -> None:
    """A slip of the pen must not prove less than was meant."""
    with pytest.raises(ValueError, match="level must be 'directory' or 'full', not 'fast'"):
        inspect(io.BytesIO(), "fast")  # type: ignore[arg-type]  # that is the point


def peak(data: bytes, **options: Any) -> int:
    """Return the most memory that an inspection held, beside the file."""
    inspect(io.BytesIO(SMALL), **options)  # imports, and whatever is made once
    reader = io.BytesIO(data)
    tracemalloc.start()
    inspect(reader, **options)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


@pytest.mark.slow
def test_memory_does_not_grow_with_large_entries(writers: Any) -> None:
    """Stored, deflated, or a bomb that hides its size: some blocks are enough."""
    large = {"a.bin": writers.noise(20 * LARGE), "b.txt": writers.text(20 * LARGE)}
    assert peak(writers.zipped(large)) < 3 * MIB


def test_memory_does_not_grow_with_a_lying_bomb(maker: Any) -> None:
    """What inflates to more than is recorded is stopped."""
    lie = {"size": 1000}
    assert peak(maker.build(maker.Member(content=bytes(100 * MIB), local=lie, central=lie))) < 3 * MIB


@pytest.mark.slow
def test_memory_grows_with_the_directory(writers: Any) -> None:
    """An entry costs what the documentation has: its directory header and 500 bytes."""
    count = 20_000 * LARGE // MIB
    data = writers.zipped({f"jobs/{i}.json": b"1" for i in range(count)}, 0)
    assert peak(data) < 500 * count + len(data) + 1.5 * MIB


@pytest.mark.slow
def test_memory_of_hostile_names_is_bounded(maker: Any) -> None:
    """Names that need four bytes a character, all of them different, do not multiply without end."""
    names = ["\N{GRINNING FACE}" + f"{i:A>60000}" for i in range(200 * LARGE // MIB)]
    data = maker.build(*[maker.Member(name.encode(), b"", 0, 1 << 11) for name in names])
    assert peak(data, level="directory") < 4 * len(data) + 6 * MIB


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"[", b"[],", b'{"a":1,'])
def test_memory_of_hostile_json_is_bounded(writers: Any, content: bytes) -> None:
    """What makes most objects of fewest bytes stays below 25 times its size."""
    data = writers.zipped({"a.json": b"[" + content * ((LARGE - 10) // len(content)) + b"1"})
    assert peak(data) < 25 * LARGE + 2 * MIB


def test_memory_of_findings_is_bounded(maker: Any) -> None:
    """Thousands of defects of one kind are counted, not kept."""
    data = maker.build(*[maker.Member(b"../%d" % i, central={"crc": 1}) for i in range(3000)])
    report = inspect(io.BytesIO(data), limits=Limits(findings=10))
    kept = [finding.code for finding in report.findings]
    assert {code: kept.count(code) for code in kept} == {
        "path-traversal": 10, "crc-mismatch": 10, "bad-crc": 10, "more-findings": 3
    }  # fmt: skip
    assert "error: more-findings: 2990 more findings of code bad-crc" in map(str, report.findings)
    assert not report.verified


def test_piled_up_accents_cost_no_time(maker: Any) -> None:
    """Normalising such a name would take a second, and a directory has room for a thousand of them."""
    names = ["\u0327\u0301" * 16_000 + f"{i}" for i in range(20)]
    data = maker.build(*[maker.Member(name.encode()[-65_000:], b"", 0, 1 << 11) for name in names])
    start = time.process_time()
    inspect(io.BytesIO(data))
    assert time.process_time() - start < 2
