"""The table of fields compared with the readers on this machine: who loses data, and what is reported.

``python -m tests.archive.test_readers 5000`` changes archives at random so many times, and tries the readers on
each that is verified.
"""

from __future__ import annotations

import io
import posixpath
import random
import shutil
import struct
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_dli.archive import inspect
from airflow_provider_dli.archive.report import severity
from tests.archive.conftest import GOOD, made
from tests.archive.fields import FIELDS, Field
from tests.archive.readers import losing
from tests.archive.zip_corpus.good import THREE, Z64
from tests.archive.zip_corpus.maker import JOB, SENTINEL, Fields, Member, build, deflate, zip64_extra
from tests.sampling import tried_of

pytestmark = pytest.mark.slow

Made = tuple[bytes, dict[str, bytes]]
FILES = {f"jobs/{i}.json": JOB.replace(b"101", b"%d" % i) for i in (101, 102, 103)}


def central(host: int = 3, **fields: int | bytes) -> Made:
    """Make an archive with a wrong field in its directory."""
    changed: Fields = {"made": host << 8 | 20, **fields}
    return build(Member(central=changed), *THREE[1:]), FILES


def local(**fields: int | bytes) -> Made:
    """Make an archive with a wrong field in a local header."""
    return build(Member(local=dict(fields)), *THREE[1:]), FILES


def stored(**fields: int | bytes) -> Made:
    """Make an archive of stored entries with a wrong field in the local header of the second."""
    members = [Member(name.encode(), content, 0) for name, content in FILES.items()]
    members[1].local = dict(fields)
    return build(*members), FILES


def libarchive(attributes: int, host: int = 3) -> list[Made]:
    """Make archives whose extra field has these attributes, in front and in the directory."""
    field = struct.pack("<HHBHI", 0x6C78, 7, 5, host << 8, attributes)
    return [local(extra=field), central(extra=field)]


def end(behind: bytes = b"", zip64: Fields | None = None, **fields: int) -> Made:
    """Make an archive with a wrong field at its end."""
    plain = {**(Z64 if zip64 is not None else {}), **fields}
    return build(*THREE, zip64=zip64, end=plain) + behind, FILES


def streamed(**fields: int) -> Made:
    """Make an archive that only its directory explains, with a wrong field at its end."""
    members = [Member(descriptor="s64"), Member(b"2.json", descriptor="s64")]
    return build(*members, end=dict(fields)), {FIRST: JOB, "2.json": JOB}


def named(*names: str) -> Made:
    """Make an archive of these names; whoever loses one of them has lost what is at its path."""
    members = [Member(name.encode(), b"%d" % number, flags=1 << 11) for number, name in enumerate(names)]
    files: dict[str, bytes] = {}
    for number, name in enumerate(names):
        path = posixpath.normpath(name)
        files[path if path not in files else f"{path} is taken"] = b"%d" % number
    return build(*members), files


def raw(first: bytes, shown: str, second: str) -> Made:
    """Make an archive of a name without flag 11, as Python shows it, and one with it."""
    members = [Member(first, b"1"), Member(second.encode(), b"2", flags=1 << 11)]
    return build(*members), {shown: b"1", second: b"2"}


def directories(mode: int) -> Made:
    """Make an archive of directories of that mode and a file in one of them."""
    changed: Fields = {"attributes": mode << 16}
    return build(Member(b"d/", b"", 0, central=changed), Member(b"d/x"), Member()), {"d/x": JOB, FIRST: JOB}


FIRST = "jobs/101.json"
ZIP64_DISK = struct.pack("<HHI", 1, 4, 0)
ZIP64_ALL = struct.pack("<HHQI", 1, 12, 0, 0)

CUT = Member(
    descriptor=b"PK\7\10" + struct.pack("<IQ", zlib.crc32(JOB), len(deflate(JOB))),
    local={"size": SENTINEL, "compressed": SENTINEL, "extra": zip64_extra(0, 0)},
)

VARIANTS: dict[str, list[Made]] = {
    "descriptor of a ZIP64": [(build(CUT, *THREE[1:]), FILES), (build(*THREE[1:], CUT), FILES)],
    "date or time differs": [local(when=0x5C2F43C1), local(when=0), central(when=0x5C2F43C1)],
    "flags 1, 2, 15": [*(local(flags=1 << bit) for bit in (1, 2, 15)), central(flags=6)],
    "flags 1, 2 differ": [stored(flags=flags) for flags in (2, 4, 6)],
    "flag 11": [local(flags=1 << 11), central(flags=1 << 11)],
    "flags 4, 7": [*(local(flags=1 << bit) for bit in (4, 7, 8, 9, 10, 12, 14)), central(flags=1 << 12)],
    "flag 0": [local(flags=1), central(flags=1)],
    "flag 3": [local(flags=8), central(flags=8)],
    "version needed, in the directory, above 46": [central(need=47), central(need=63), central(need=0x22D)],
    "version needed, in the directory, above 63": [central(need=64), central(need=99)],
    "version needed, in the local": [local(need=99)],
    "version made by": [
        central(made=3 << 8 | 99), central(made=99 << 8 | 20), central(internal=0xFFFF),
        central(extra=b"\xfe\xca\0\0"), local(extra=bytes(3)),
    ],
    "one to three": [local(extra=b"\0\xff\0"), local(extra=b"\xfe\xca\0\0\1"), central(extra=b"\1")],
    "an extra field": [
        *(local(extra=struct.pack("<HH", 0x9901, size) + bytes(size)) for size in range(6)),
        local(extra=b"UT\0\0"), central(extra=b"UT\0\0"), central(extra=b"\1\x99\0\0"),
    ],
    "directory mode or bit": [*libarchive(0o040755 << 16), *libarchive(0x10, 0)],
    "link mode in": libarchive(0o120777 << 16),
    "another mode": [*libarchive(0o060666 << 16), *libarchive(0o140666 << 16)],
    "directory bit 0x10 on content, host 0": [central(0, attributes=0x10)],
    "directory bit 0x10 on content, host 6": [central(6, attributes=0x10)],
    "directory bit 0x10 on content, hosts 11": [central(11, attributes=0x10), central(14, attributes=0x10)],
    "directory bit 0x10 on content, another": [central(h, attributes=0o100644 << 16 | 0x10) for h in (3, 5, 19)],
    "volume bit": [central(host, attributes=8) for host in (0, 5, 6, 11)],
    "reparse bit": [central(0, attributes=0x400), central(11, attributes=0x400)],
    "directory mode 040755 on content, host 3": [central(3, attributes=0o040755 << 16)],
    "directory mode 040755 on content, host 19": [central(19, attributes=0o040755 << 16)],
    "link mode 0120777 on content, host 3": [central(3, attributes=0o120777 << 16)],
    "link mode 0120777 on content, hosts 0": [central(host, attributes=0o120777 << 16) for host in (0, 11)],
    "link mode 0120777 on content, hosts 2": [central(host, attributes=0o120777 << 16) for host in (2, 5, 16)],
    "link mode 0120777 on content, host 19": [central(19, attributes=0o120777 << 16)],
    "odd mode": [central(3, attributes=mode << 16) for mode in (0o177777, 0o060666, 0o140666)],
    "any mode on a directory": [directories(mode) for mode in (0o177777, 0o100644, 0o120777, 0o060666, 0)],
    "volume 1, 2": [central(disk=number) for number in (1, 2, 0xFFFF)],
    "volume 65535, the real": [
        central(disk=0xFFFF, extra=ZIP64_DISK), central(disk=0xFFFF, offset=SENTINEL, extra=ZIP64_ALL),
    ],
    "end record: volume of": [*(end(first_disk=number) for number in (1, 2, 0xFFFF)), end(here=1), end(here=0)],
    "the same, and": [streamed(first_disk=0xB1), streamed(here=0), streamed(here=1)],
    "end record: volume": [end(disk=number) for number in (1, 2, 0xFFFF)],
    "ZIP64 locator": [end(zip64={"disks": 0})],
    "zeros behind the": [end(bytes(number)) for number in (1, 8192, 60_000)],
    "zeros behind an": [end(bytes(900), zip64={})],
    "ZIP64 values": [
        central(extra=zip64_extra(10**12)), central(extra=zip64_extra(10**12, 5, 7)),
        local(extra=zip64_extra(1, 2)),
    ],
    "ZIP64 field in the directory": [
        central(extra=struct.pack("<HH", 1, length) + zip64_extra(len(JOB), len(deflate(JOB)), 0, 0)[4:][:length])
        for length in (1, 2, 3, 4, 5, 6, 7, 9, 12, 20, 32)
    ],
    "comment of an entry": [central(comment=b"gr\xf6\xdfe")],
    "a file `a`": [named("a", "a/b"), named("a/b", "a"), named("a", "./a/b")],
    "`a.json`": [named("a.json", "./a.json"), named("a/b", "a//b"), named("a/b", "a/./b"), named("./a", ".//a")],
    "a backslash where": [
        named("x\\a", "x/a"),
        # unzip takes it for a slash in what was made on host 0.
        (build(Member(b"x\\a", b"0", central={"made": 20}), Member(b"x/a", b"1")), {"x\\a": b"0", "x/a": b"1"}),
    ],
    "a backslash at": [
        (build(Member(b"a\\", central={"made": host << 8 | 20}), *THREE), {**FILES, "a\\": JOB}) for host in (3, 0)
    ],
    "one name as": [raw("\u00e9.json".encode(), "\u251c\u2310.json", "\u00e9.json")],
    "names that differ only in `;1`": [
        *(raw(name, name.decode(), "a.json") for name in (b"a.json;1", b"a.json;", b"a\1.json", b"a\x7f.json")),
    ],
    "names that differ only in their": [named("gr\u00f6\u00dfe", "gro\u0308\u00dfe")],
    "names that differ only in case": [named("A", "a"), named("a", "a."), named("a/b", "a./B ")],
}  # fmt: skip
"""By how the field is called in the table."""


def variants_of(field: Field) -> list[Made]:
    """Return the archives in which a field is wrong."""
    fitting = [made for start, made in VARIANTS.items() if field.what.startswith(start)]
    return fitting[0]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Return, by field, the readers on this machine that lose data."""
    archives = {
        f"{field.what} {number}": variant for field in FIELDS for number, variant in enumerate(variants_of(field))
    }
    found = losing(archives, tmp_path_factory.mktemp("readers"))
    return {
        field.what: set().union(*(found[f"{field.what} {number}"] for number in range(len(variants_of(field)))))
        for field in FIELDS
    }


@pytest.mark.xdist_group("readers")
@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.what)
def test_each_field_is_reported_as_in_the_table(field: Field, measured: dict[str, set[str]]) -> None:
    """Nobody loses data by a field but who is named; what fails an archive is named, and nothing else."""
    assert measured[field.what] <= set(field.losing)
    if any(reader == "Python" or shutil.which(reader) for reader in field.losing if reader not in ("Java", "Go")):
        assert measured[field.what]
    for data, _ in variants_of(field):
        report = inspect(io.BytesIO(data))
        codes = {finding.code for finding in report.findings}
        assert field.code in codes if field.code else not codes
        assert report.verified == (field.code is None or severity(field.code) == "warning")


def test_every_loss_fails_an_archive_unless_java_alone_refuses_it() -> None:
    """And what nobody loses data by fails none, but for flags that no writer sets."""
    for field in FIELDS:
        is_error = field.code is not None and severity(field.code) == "error"
        assert is_error == bool(set(field.losing) - {"Java"}) or field.code == "flags-mismatch", field.what


def mutants(count: int, seed: int) -> Iterator[Made]:
    """Change good archives at random, in their headers most of all, and yield those that are verified."""
    chance = random.Random(seed)
    sources = [(data, files) for data, files in map(_whole, GOOD) if len(data) < 4000 and files]
    for _ in range(count):
        data, files = chance.choice(sources)
        changed = bytearray(data)
        heads = [
            at for mark in (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7") for at in _places(data, mark)
        ]
        for _ in range(chance.choice((1, 1, 2, 3))):
            at = min(chance.choice(heads) + chance.randrange(60), len(data) - 1)
            changed[at] = chance.choice((changed[at] ^ 1 << chance.randrange(8), 0, 0xFF, chance.randrange(256)))
        if changed != data and inspect(io.BytesIO(bytes(changed))).verified:
            yield bytes(changed), files


def _places(data: bytes, mark: bytes) -> list[int]:
    return [at for at in range(len(data)) if data.startswith(mark, at)]


def _whole(name: str) -> Made:
    data = made(GOOD[name])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {posixpath.normpath(i.filename): archive.read(i) for i in archive.infolist() if not i.is_dir()}
    return data, files if all(each.isascii() for each in files) else {}


def misses(count: int, seed: int, folder: Path) -> tuple[int, dict[str, tuple[set[str], bytes]]]:
    """Return how many changed archives are verified, and those by which a reader other than Java loses data."""
    archives = {f"{number}": variant for number, variant in enumerate(mutants(count, seed))}
    found = losing(archives, folder)
    return len(archives), {name: (lost, archives[name][0]) for name, lost in found.items() if lost - {"Java"}}


def test_no_reader_loses_data_by_what_is_verified(tmp_path: Path) -> None:
    """Whatever happens to a header."""
    count, missed = misses(tried_of(400), 20, tmp_path)
    assert count > tried_of(20)
    assert {name: lost for name, (lost, _) in missed.items()} == {}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made_here:
        total, lost_by = misses(int(sys.argv[1]), len(sys.argv), Path(made_here))
    sys.stdout.write(f"{sys.argv[1]} changed archives, {total} verified, {len(lost_by)} by which data is lost\n")
    for who, bytes_of in lost_by.values():
        sys.stdout.write(f"{sorted(who)} {bytes_of.hex()}\n")
