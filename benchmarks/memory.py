"""How much memory the verification of a large archive takes: one gigabyte, or ``--gigabytes``."""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

from figures import note

from airflow_provider_dli.archive.entries import RAW

MIB, GIB = 1 << 20, 1 << 30
MEMORY = """
import sys
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
idle = peak()
from airflow_provider_dli.archive import inspect
with open(sys.argv[1], "rb") as file:
    assert inspect(file).verified
print(peak() - idle)
"""

WANTED_MEMORY = 64 * MIB


def document(number: int, size: int) -> bytes:
    """Return one job as JSON; deflates to some 44 %, as text with many numbers does."""
    chance = random.Random(number)  # noqa: S311 - sample data
    words = [f"{chance.getrandbits(40):x}" for _ in range(3000)]
    sql = ""
    while len(sql) < size - 100:
        sql += " ".join(chance.choices(words, k=100)) + " select "
    return json.dumps({"job_id": number, "name": f"job_{number}", "sql_body": sql[: size - 100]}).encode()


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
    note("memory of a verification, over an idle interpreter", peak / moved, of="the size of a file of 1 GiB")
    return peak <= WANTED_MEMORY


def main() -> int:
    """Print it; 1 if it is more than is allowed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    return int(not memory(int(parser.parse_args().gigabytes * GIB)))


if __name__ == "__main__":
    sys.exit(main())
