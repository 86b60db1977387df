"""Archives without a fault, by several hands."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

from .maker import DEFLATED, JOB, SENTINEL, STORED, UTF8, Member, build, deflate, zip64_extra

GOLDEN = Path(__file__).parents[2] / "golden" / "archives"
Z64 = {"here": 0xFFFF, "entries": 0xFFFF, "size": SENTINEL, "offset": SENTINEL}
THREE = [Member(b"jobs/%d.json" % i, JOB.replace(b"101", b"%d" % i)) for i in (101, 102, 103)]


class Pipe(io.RawIOBase):
    """Output that cannot be sought in, like a socket."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        part = bytes(data)  # type: ignore[call-overload]  # any buffer
        self.data += part
        return len(part)


def zipped(
    contents: dict[str, bytes] | None = None, method: int = DEFLATED, *, pipe: bool = False, zip64: bool = False
) -> bytes:
    """Write an archive with Python's own module."""
    target = Pipe() if pipe else io.BytesIO()
    contents = contents or {f"jobs/{i}.json": JOB for i in range(3)}
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in contents.items():
            with archive.open(name, "w", force_zip64=zip64) as entry:
                entry.write(content)
    return bytes(target.data) if isinstance(target, Pipe) else target.getvalue()


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def text(size: int, seed: int = 1) -> bytes:
    """Return text that deflates to about a third."""
    return noise(size // 2, seed).hex().encode()[:size]


def commented() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", DEFLATED) as archive:
        info = zipfile.ZipInfo("jobs/1.json", (2026, 1, 15, 8, 30, 0))
        info.comment = "Größe".encode()
        archive.writestr(info, JOB)
        archive.mkdir("leer") if hasattr(archive, "mkdir") else None
        archive.comment = b"PK" * 1000
    return target.getvalue()


def zip64_members() -> Iterable[Member]:
    """Return entries with their sizes and offsets in ZIP64 fields, though they would fit into 32 bits."""
    packed = deflate(JOB)
    big = {"size": SENTINEL, "compressed": SENTINEL}
    first = zip64_extra(len(JOB), len(packed))
    yield Member(local=big | {"extra": first}, central=big | {"extra": first})
    head = 30 + 13 + 20
    extra = zip64_extra(head + len(packed))
    yield Member(b"jobs/102.json", central={"offset": SENTINEL, "extra": extra})


def unicode_path(name: bytes, better: str) -> bytes:
    data = b"\1" + struct.pack("<I", zlib.crc32(name)) + better.encode()
    return struct.pack("<HH", 0x7075, len(data)) + data


def legacy_names() -> bytes:
    dos = "größe.txt".encode("cp437")
    return build(
        Member(dos, b"x"),
        Member(b"#U4f60.txt", b"y", local={"extra": unicode_path(b"#U4f60.txt", "你.txt")},
               central={"extra": unicode_path(b"#U4f60.txt", "你.txt")}),
        Member("データ/値.json".encode(), b"[]", flags=UTF8),
    )  # fmt: skip


def json_flavours() -> bytes:
    document = json.dumps({"größe": [1, 2.5, None]}, ensure_ascii=False)
    deep = b"[" * 500 + b"]" * 500
    contents = {
        "a.json": b"\xef\xbb\xbf" + document.encode(),
        "B.JSON": document.encode("utf-16"),
        "number.json": b"9" * 6000,
        "text.json": b' "\\ud83d\\ude00" ',
        "deep.json": deep,
        "not.jsonl": b"{}\n{}\n",
        "dir.json/x": b"no",
    }
    return zipped(contents)


GOOD: dict[str, Callable[[], bytes]] = {
    "one entry": lambda: build(Member()),
    "three entries": lambda: build(*THREE),
    "stored": lambda: zipped(method=STORED),
    "stored and deflated": lambda: build(Member(method=STORED), THREE[1]),
    "to a pipe": lambda: zipped(pipe=True),
    "to a pipe, stored": lambda: zipped(method=STORED, pipe=True),
    "to a pipe, ZIP64": lambda: zipped(pipe=True, zip64=True),
    "ZIP64 forced": lambda: zipped(zip64=True),
    "ZIP64 fields": lambda: build(*zip64_members()),
    "ZIP64 end record": lambda: build(*THREE, zip64={}, end=Z64),
    "ZIP64 end record beside plain values": lambda: build(*THREE, zip64={}),
    "descriptor, 32 bits": lambda: build(*[Member(b"%d.json" % i, descriptor="32") for i in range(3)]),
    "descriptor, 32 bits, signed": lambda: build(Member(descriptor="s32"), THREE[1]),
    "descriptor, 64 bits": lambda: build(Member(descriptor="64"), THREE[1]),
    "descriptor, 64 bits, signed": lambda: build(Member(descriptor="s64"), Member(b"2.json", descriptor="s64")),
    "descriptor behind known sums": lambda: build(
        Member(descriptor="s32", local={"size": len(JOB), "crc": zlib.crc32(JOB)})
    ),
    "names in other alphabets": lambda: zipped(
        {"größe/値.json": b"{}", "emoji-👍🏽.txt": b"", "می‌خواهم.txt": b"x"}
    ),
    "names of older kinds": legacy_names,
    "comments": commented,
    "longest comment": lambda: build(*THREE, comment=b"-" * 0xFFFF),
    "longest comment, ZIP64": lambda: build(*THREE, zip64={}, comment=b"-" * 0xFFFF),
    "empty files": lambda: build(
        Member(b"a", b""), Member(b"b", b"", STORED), Member(b"c", b"", descriptor="s32")
    ),
    "directories": lambda: build(
        Member(b"jobs/", b"", STORED, central={"attributes": 0o40755 << 16 | 0x10}), Member(), Member(b"z/", b"")
    ),
    "directories of any mode": lambda: build(
        *[
            Member(b"%o/" % mode, b"", STORED, central={"attributes": mode << 16})
            for mode in (0o177777, 0o100644, 0o120777, 0)
        ],
        Member(b"dos/", b"", STORED, central={"made": 20, "attributes": 0x18}),
        Member(),
    ),
    "a directory twice": lambda: build(
        Member(b"d/", b""), Member(b"d/", b""), Member(b"./d/", b""), Member(b"d/x")
    ),
    "detours": lambda: build(Member(b"./a.json"), Member(b"b//c.json"), Member(b"b/./d.json")),
    "deep path": lambda: build(Member(b"d/" * 99 + b"x"), Member(b"d/" * 99 + b"y")),
    "padding in extra fields": lambda: build(
        Member(local={"extra": bytes(3)}), Member(b"b", local={"extra": b"\xfe\xca\0\0" + bytes(8)})
    ),
    "an archive in an archive": lambda: zipped({"inner.zip": build(*THREE), "x.json": b"1"}, STORED),
    "last entry is an archive": lambda: zipped({"inner.zip": build(*THREE, comment=b"inner")}, STORED),
    "kinds of JSON": json_flavours,
    "large entries": lambda: zipped({"a.bin": noise(1_500_000), "b.txt": text(3_000_000), "c": b"x" * 400_000}),
    "large entries to a pipe": lambda: zipped({"a.bin": noise(700_000), "b.txt": text(900_000)}, pipe=True),
    "many entries": lambda: zipped({f"{i:x}.json": b"%d" % i for i in range(20_000)}, STORED),
    "65 535 entries": lambda: zipped({f"{i:x}": b"" for i in range(65_535)}, STORED),
    "65 536 entries": lambda: zipped({f"{i:x}": b"" for i in range(65_536)}, STORED),
}
"""What it is called, and how it is made."""

GOOD.update({path.name: path.read_bytes for path in sorted(GOLDEN.glob("*.zip"))})
