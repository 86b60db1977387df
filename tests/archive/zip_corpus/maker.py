"""Writes ZIP archives field by field, so that each field can be wrong."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

STORED, DEFLATED = 0, 8
DESCRIPTOR, UTF8 = 1 << 3, 1 << 11
WHEN = 0x5C2F43C0  # 2026-01-15 08:30
SENTINEL = 0xFFFFFFFF
JOB = b'{"job_id": 101, "name": "orders", "sql": "insert into a select * from b where c = 1 and d = 2"}'

Fields = dict[str, int | bytes]


def deflate(data: bytes, level: int = 9) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


@dataclass
class Member:
    """One entry; ``local`` and ``central`` override fields of its two headers."""

    name: bytes = b"jobs/101.json"
    content: bytes = JOB
    method: int = DEFLATED
    flags: int = 0
    raw: bytes | None = None
    local: Fields = field(default_factory=dict)
    central: Fields = field(default_factory=dict)
    descriptor: str | bytes = ""  # "32", "64", with "s" before it for the signature, or bytes
    before: bytes = b""

    def __post_init__(self) -> None:
        if self.raw is None:
            self.raw = deflate(self.content) if self.method == DEFLATED else self.content
        if self.descriptor:
            self.flags |= DESCRIPTOR

    def fields(self) -> Fields:
        data = self.raw or b""
        return {
            "made": 3 << 8 | 20,
            "need": 20,
            "flags": self.flags,
            "method": self.method,
            "when": WHEN,
            "crc": zlib.crc32(self.content),
            "compressed": len(data),
            "size": len(self.content),
            "name": self.name,
            "extra": b"",
            "comment": b"",
            "disk": 0,
            "internal": 0,
            "attributes": 0o100644 << 16,
        }

    def local_header(self) -> bytes:
        unset: Fields = {"crc": 0, "compressed": 0, "size": 0} if self.flags & DESCRIPTOR else {}
        return local_header(self.fields() | unset | self.local)

    def tail(self) -> bytes:
        """Return the data descriptor."""
        if isinstance(self.descriptor, bytes):
            return self.descriptor
        fields = self.fields()
        form = "<IQQ" if self.descriptor.endswith("64") else "<III"
        sums = struct.pack(form, fields["crc"], fields["compressed"], fields["size"])
        signature = b"PK\7\10" if self.descriptor.startswith("s") else b""
        return signature + sums if self.descriptor else b""


def local_header(f: Fields) -> bytes:
    name, extra = bytes_of(f["name"]), bytes_of(f["extra"])
    numbers = [f[key] for key in ("need", "flags", "method", "when", "crc", "compressed", "size")]
    lengths = [f.get("name_size", len(name)), f.get("extra_size", len(extra))]
    return struct.pack("<4sHHHIIIIHH", f.get("signature", b"PK\3\4"), *numbers, *lengths) + name + extra


def central_header(f: Fields) -> bytes:
    name, extra, comment = (bytes_of(f[key]) for key in ("name", "extra", "comment"))
    numbers = [f[key] for key in ("made", "need", "flags", "method", "when", "crc", "compressed", "size")]
    lengths = [f.get("name_size", len(name)), f.get("extra_size", len(extra)), f.get("comment_size", len(comment))]
    rest = [f[key] for key in ("disk", "internal", "attributes", "offset")]
    head = struct.pack("<4sHHHHIIIIHHHHHII", f.get("signature", b"PK\1\2"), *numbers, *lengths, *rest)
    return head + name + extra + comment


def bytes_of(value: int | bytes) -> bytes:
    assert isinstance(value, bytes)
    return value


def zip64_extra(*values: int) -> bytes:
    return struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values)


def build(
    *members: Member,
    prefix: bytes = b"",
    between: bytes = b"",
    behind: bytes = b"",
    comment: bytes = b"",
    zip64: Fields | None = None,
    end: dict[str, int] | None = None,
) -> bytes:
    """Write an archive.

    :param prefix: in front of it, with the offsets unaware of it.
    :param between: the last entry and the directory.
    :param behind: the directory, before its end records.
    :param zip64: fields of the ZIP64 end record and its locator, to write both.
    :param end: fields of the end record.
    """
    data, directory = b"", b""
    for member in members:
        data += member.before
        offset = len(data)
        data += member.local_header() + (member.raw or b"") + member.tail()
        directory += central_header({**member.fields(), "offset": offset, **member.central})
    data += between
    facts: dict[str, int] = {
        "disk": 0,
        "first_disk": 0,
        "here": len(members),
        "entries": len(members),
        "size": len(directory),
        "offset": len(data),
        "comment_size": len(comment),
    }
    data += directory + behind
    if zip64 is not None:
        data += zip64_end(facts, zip64, len(data))
    return prefix + data + end_record(facts | (end or {})) + comment


def zip64_end(facts: dict[str, int], changes: Fields, at: int) -> bytes:
    f: Fields = {"rest": 44, "disks": 1, "at": at, "record": b"PK\6\6", **facts, **changes}
    numbers = [f[key] for key in ("disk", "first_disk", "here", "entries", "size", "offset")]
    record = struct.pack("<4sQHHIIQQQQ", f["record"], f["rest"], 45, 45, *numbers)
    return record + bytes_of(f.get("between", b"")) + struct.pack("<4sIQI", b"PK\6\7", 0, f["at"], f["disks"])


def end_record(f: dict[str, int]) -> bytes:
    keys = ("disk", "first_disk", "here", "entries", "size", "offset", "comment_size")
    return struct.pack("<4sHHHHIIH", b"PK\5\6", *(f[key] for key in keys))
