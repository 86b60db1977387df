"""How fast archives are proven, and in how much memory; all ratios come from one run.

The yardstick is what cannot be saved: inflating, CRC-32 and SHA-256 of the same bytes, in memory, by the same
engine, entry after entry and nothing else. ``--gigabytes 0`` leaves out the large file.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from airflow_provider_dli.archive import inspect
from airflow_provider_dli.archive.engine import RAW, ZLIB, Engine, fastest

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
RUNS = 5
WANTED = 0.85
WANTED_MEMORY = 64 * MIB
WANTED_SHARE = 0.015
MEMORY = """
import sys
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
idle = peak()
from airflow_provider_dli.archive import inspect
with open(sys.argv[1], "rb") as file:
    assert inspect(file).sound
print(peak() - idle)
"""


class Pipe(io.RawIOBase):
    """Output that cannot be sought in, so that sizes follow the data."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def writable(self) -> bool:
        """Say yes."""
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


def document(number: int, size: int) -> bytes:
    """Give one job as JSON; deflates to some 44 %, as text with many numbers does."""
    chance = random.Random(number)  # noqa: S311 - sample data
    words = [f"{chance.getrandbits(40):x}" for _ in range(3000)]
    sql = ""
    while len(sql) < size - 100:
        sql += " ".join(chance.choices(words, k=100)) + " select "
    return json.dumps({"job_id": number, "name": f"job_{number}", "sql_body": sql[: size - 100]}).encode()


def sample(label: str, count: int, size: int, suffix: str, *, pipe: bool = False) -> Sample:
    """Write an archive of ``count`` entries of ``size`` bytes."""
    contents = [document(number, size) for number in range(min(count, 40))]
    target = Pipe() if pipe else io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(count):
            archive.writestr(f"jobs/{number}{suffix}", contents[number % len(contents)])
    return Sample(label, b"".join(target.parts) if isinstance(target, Pipe) else target.getvalue(), count)


def yardstick(data: bytes, engine: Engine) -> Callable[[], None]:
    """Give a function that does nothing but what has to be done."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        places = [(info.header_offset, info.compress_size) for info in archive.infolist()]
    spans = []
    for offset, size in places:
        begin = offset + 30 + data[offset + 26] + data[offset + 28]
        spans.append((begin, begin + size))

    def run() -> None:
        view = memoryview(data)
        for begin, end in spans:
            inflater, crc = engine.inflater(RAW), 0
            for start in range(begin, end, 64 * KIB):
                rest: bytes | memoryview = view[start : min(end, start + 64 * KIB)]
                while rest:
                    output = inflater.decompress(rest, 256 * KIB)
                    crc, rest = engine.crc32(output, crc), inflater.unconsumed_tail
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


def race(*contenders: Callable[[], object]) -> list[float]:
    """Let them run in turns; the best time of each, in seconds."""
    best = [float("inf")] * len(contenders)
    for _ in range(RUNS):
        for place, contender in enumerate(contenders):
            start = time.perf_counter()
            contender()
            best[place] = min(best[place], time.perf_counter() - start)
    return best


def speed(samples: list[Sample], engine: Engine) -> bool:
    """Print rates and ratios; whether those of zlib without JSON keep the limit."""
    kept = True
    columns = f"{'ours':>8}{'yardstick':>12}{'ratio':>8}{'download+testzip':>19}{'ours is':>10}"
    print(f"\n{'engine ' + engine.name + ', archive MB/s':52}{columns}")
    for label, data, entries in samples:
        ours, must, theirs = race(
            lambda data=data: inspect(io.BytesIO(data), engine=engine),  # type: ignore[misc]  # bound here
            yardstick(data, engine),
            lambda data=data: download_and_testzip(data),  # type: ignore[misc]  # likewise
        )
        ratio = must / ours
        kept &= ratio >= WANTED or "JSON" in label or engine is not ZLIB
        rate = len(data) / 1e6
        print(
            f"  {label:36}{entries:>6} entries{rate / ours:>8.0f}{rate / must:>12.0f}{ratio:>8.2f}"
            f"{rate / theirs:>19.0f}{theirs / ours:>9.2f}x"
        )
    return kept


def directory_level(data: bytes) -> bool:
    """Print what the quick level moves."""
    reader = Counter(data)
    start = time.perf_counter()
    report = inspect(reader, "directory")
    took = time.perf_counter() - start
    share = reader.moved / len(data)
    print(f"\ndirectory level of {len(data) / 1e6:.0f} MB, {len(report.entries)} entries: {reader.reads} reads, "
          f"{reader.moved} bytes ({share:.2%}), {took * 1000:.1f} ms")  # fmt: skip
    return reader.reads <= 3 and share <= WANTED_SHARE


def write_large(path: Path, size: int) -> int:
    """Write an archive of about ``size`` bytes in large entries, copying one deflated block again and again."""
    packer = zlib.compressobj(6, zlib.DEFLATED, RAW)
    content = document(1, 24 * MIB)
    raw = packer.compress(content) + packer.flush()
    sums = (zlib.crc32(content).to_bytes(4, "little") + len(raw).to_bytes(4, "little")
            + len(content).to_bytes(4, "little"))  # fmt: skip
    common = b"\x14\0\0\0\x08\0\0\0\x21\x5c" + sums + b"\x08\0\0\0"
    count, directory = size // len(raw) + 1, b""
    with path.open("wb") as target:
        for number in range(count):
            name = b"%04d.txt" % number
            place = target.tell().to_bytes(4, "little")
            directory += b"PK\1\2\x14\0" + common + bytes(10) + place + name
            target.writelines((b"PK\3\4", common, name, raw))
        begin = target.tell().to_bytes(4, "little")
        number_of = count.to_bytes(2, "little")
        target.write(
            directory
            + b"PK\5\6"
            + bytes(4)
            + number_of * 2
            + len(directory).to_bytes(4, "little")
            + begin
            + b"\0\0"
        )
    return count


def memory(size: int) -> bool:
    """Print the peak memory of a process that inspects a large file."""
    if not Path("/proc/self/status").exists():
        print("\nmemory: not measured, this system has no /proc")
        return True
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "large.zip")
        count = write_large(path, size)
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, str(path)], capture_output=True, text=True, check=True
        )
        took = time.perf_counter() - start
        moved = path.stat().st_size
    peak = int(done.stdout)
    print(f"\nfull level of a file of {moved / 1e6:.0f} MB, {count} entries: {took:.1f} s, "
          f"{peak / MIB:.0f} MiB over an idle interpreter")  # fmt: skip
    return peak <= WANTED_MEMORY


def main() -> int:
    """Print everything; the exit status says whether the limits are kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    gigabytes = parser.parse_args().gigabytes
    samples = [
        sample("small entries, 16 KiB", 4000, 16 * KIB, ".txt"),
        sample("small entries, to a pipe", 4000, 16 * KIB, ".txt", pipe=True),
        sample("small entries, parsed as JSON", 4000, 16 * KIB, ".json"),
        sample("large entries, 12 MiB", 8, 12 * MIB, ".txt"),
    ]
    engines = dict.fromkeys((ZLIB, fastest()))
    kept = [speed(samples, engine) for engine in engines]
    if len(engines) == 1:
        print("\nisal is not installed: its engine is not measured")
    kept.append(directory_level(samples[-1].data))
    if gigabytes:
        kept.append(memory(int(gigabytes * GIB)))
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
