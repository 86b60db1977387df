"""How fast archives are verified; all ratios come from one run.

The yardstick is what cannot be saved: inflating, CRC-32 and SHA-256 of the same bytes, in memory, entry after
entry and nothing else. It keeps one core busy; ours takes SHA-256 beside inflating, if there
is a second one. ``--one-core`` forbids that, and prints the least ratio beside the one that is wanted: it lies so
near that noise decides, so ``bench.py --check`` holds it, not this.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import shutil
import statistics
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from figures import note, seconds
from memory import document

from airflow_provider_dli.archive import entries, inspect
from airflow_provider_dli.archive.entries import RAW

KIB, MIB = 1 << 10, 1 << 20
TURNS = 9
#: ours over the yardstick, on one core
WANTED = 0.85
WANTED_SHARE = 0.015


class Pipe(io.RawIOBase):
    """Output that cannot be sought in, so that sizes follow the data."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: object, /) -> int:
        """Keep it."""
        self.parts.append(bytes(data))  # type: ignore[call-overload]  # any buffer
        return len(self.parts[-1])


class Counter(io.BytesIO):
    """Counts reads and bytes."""

    reads = moved = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read and count."""
        data = super().read(size)
        self.reads, self.moved = self.reads + 1, self.moved + len(data)
        return data


class Sample(NamedTuple):
    """An archive to be measured."""

    label: str
    data: bytes
    entries: int


def sample(label: str, count: int, size: int, suffix: str, *, pipe: bool = False) -> Sample:
    """Write an archive of ``count`` entries of ``size`` bytes."""
    contents = [document(number, size) for number in range(min(count, 40))]
    target = Pipe() if pipe else io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(count):
            archive.writestr(f"jobs/{number}{suffix}", contents[number % len(contents)])
    return Sample(label, b"".join(target.parts) if isinstance(target, Pipe) else target.getvalue(), count)


def yardstick(data: bytes) -> Callable[[], None]:
    """Return a function that does only what cannot be saved."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        places = [(info.header_offset, info.compress_size) for info in archive.infolist()]
    spans = []
    for offset, size in places:
        begin = offset + 30 + data[offset + 26] + data[offset + 28]
        spans.append((begin, begin + size))

    def run() -> None:
        view = memoryview(data)
        for begin, end in spans:
            inflater, crc = zlib.decompressobj(RAW), 0
            for start in range(begin, end, 64 * KIB):
                rest: bytes | memoryview = view[start : min(end, start + 64 * KIB)]
                while rest:
                    output = inflater.decompress(rest, 256 * KIB)
                    crc, rest = zlib.crc32(output, crc), inflater.unconsumed_tail
        hashlib.sha256(data).digest()

    return run


def download_and_testzip(data: bytes) -> None:
    """Do what is done without us: to the disk, then ``testzip``."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.zip")
        with path.open("wb") as target:
            shutil.copyfileobj(io.BytesIO(data), target, MIB)
        with zipfile.ZipFile(path) as archive:
            archive.testzip()


def race(*contenders: Callable[[], object]) -> list[list[float]]:
    """Let them run in turns; the times of each turn, in seconds."""
    return [[seconds(contender) for contender in contenders] for _ in range(TURNS)]


def speed(samples: list[Sample], where: str) -> float:
    """Print medians of rates, and of the ratios within a turn; the least ratio to the yardstick, but for JSON."""
    least = float("inf")
    columns = f"{'ours':>8}{'yardstick':>12}{'ratio':>8}{'download+testzip':>19}{'ours is':>10}"
    print(f"\n{'archive MB/s':52}{columns}")
    for label, data, count in samples:
        turns = race(
            lambda data=data: inspect(io.BytesIO(data)),  # type: ignore[misc]  # bound here
            yardstick(data),
            lambda data=data: download_and_testzip(data),  # type: ignore[misc]  # likewise
        )
        ratio = statistics.median(must / ours for ours, must, _ in turns)
        faster = statistics.median(theirs / ours for ours, _, theirs in turns)
        if "JSON" not in label:
            least = min(least, ratio)
        name = f"zlib{where}, {label}"
        note(f"verification by {name}", ratio, of="inflate, CRC-32 and SHA-256", higher_is_better=True)
        note(f"verification in place by {name}", faster, of="download and testzip", higher_is_better=True)
        ours, must, theirs = (len(data) / 1e6 / statistics.median(times) for times in zip(*turns, strict=True))
        print(
            f"  {label:36}{count:>6} entries{ours:>8.0f}{must:>12.0f}{ratio:>8.2f}{theirs:>19.0f}{faster:>9.2f}x"
        )
    return least


def shortcut(samples: list[Sample]) -> None:
    """Print how much longer it takes if every entry is checked in the careful way."""
    quick = entries.QUICK_LARGEST

    def careful(data: bytes) -> None:
        entries.QUICK_LARGEST = -1
        inspect(io.BytesIO(data))
        entries.QUICK_LARGEST = quick

    for label, data, count in samples:
        turns = race(lambda data=data: inspect(io.BytesIO(data)), lambda data=data: careful(data))  # type: ignore[misc]  # bound here
        ratio = statistics.median(slow / fast for fast, slow in turns)
        print(f"  {label:36}{count:>6} entries, with care alone: {ratio:.2f}x")


def directory_level(data: bytes) -> bool:
    """Print what the quick level moves."""
    reader = Counter(data)
    start = time.perf_counter()
    report = inspect(reader, "directory")
    took = time.perf_counter() - start
    share = reader.moved / len(data)
    print(f"\ndirectory level of {len(data) / 1e6:.0f} MB, {len(report.entries)} entries: {reader.reads} reads, "
          f"{reader.moved} bytes ({share:.2%}), {took * 1000:.1f} ms")  # fmt: skip
    note("bytes that level directory reads", share, of="the file's size")
    return reader.reads <= 3 and share <= WANTED_SHARE


def main() -> int:
    """Print everything; the exit status shows whether the limits are kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one-core", action="store_true", help="leave one processor to it; on Linux")
    parser.add_argument(
        "--careful", action="store_true", help="only measure what the quick check of entries saves"
    )
    options = parser.parse_args()
    one_core = options.one_core
    if one_core:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    samples = [
        sample("small entries, 16 KiB", 4000, 16 * KIB, ".txt"),
        sample("small entries, to a pipe", 4000, 16 * KIB, ".txt", pipe=True),
        sample("small entries, parsed as JSON", 4000, 16 * KIB, ".json"),
        sample("large entries, 12 MiB", 8, 12 * MIB, ".txt"),
    ]
    if options.careful:
        shortcut([*samples, sample("small entries, 1 KiB", 20_000, KIB, ".txt")])
        return 0
    least = speed(samples, " on one core" if one_core else "")
    if one_core:
        print(f"\nours / yardstick, without JSON: {least:.2f} at least (wanted: {WANTED})")
        return 0
    return int(not directory_level(samples[-1].data))


if __name__ == "__main__":
    sys.exit(main())
