"""Bad names, bad headers, bad content."""

from __future__ import annotations

import struct
import zlib

from airflow_provider_dli.archive import Expectation

from .case import Case, case
from .good import THREE, noise, text, unicode_path, zipped
from .maker import DEFLATED, JOB, SENTINEL, STORED, UTF8, Member, build, deflate, zip64_extra

PACKED = deflate(JOB)
#: one bit flipped: its set of distance codes is incomplete, which ISA-L takes (the CRC-32 holds) and zlib refuses
INCOMPLETE = bytes.fromhex("05c1010100200803b04a1cb93e0f82da3f819f128271721bd227d12e66a76bd500e8b7c24ef07d")


def named(name: bytes, flags: int = 0) -> bytes:
    return build(Member(name, flags=flags), *THREE[1:])


def two(first: str, second: str) -> bytes:
    return build(*[Member(name.encode(), flags=UTF8) for name in (first, second)])


def both(**fields: int | bytes) -> bytes:
    """Write the same wrong fields into both headers."""
    return build(Member(local=dict(fields), central=dict(fields)), *THREE[1:])


def central(**fields: int | bytes) -> bytes:
    return build(Member(central=dict(fields)), *THREE[1:])


def local(**fields: int | bytes) -> bytes:
    return build(Member(local=dict(fields)), *THREE[1:])


def content(raw: bytes, **member: int) -> bytes:
    """Write other data than the headers record, of the length they record."""
    return build(Member(raw=raw, **member), *THREE[1:])  # type: ignore[arg-type]  # the method


def broken_off(data: bytes) -> bytes:
    """Deflate up to the end of a block, so that the next byte must begin one."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


NAMES: dict[str, Case] = {
    "climbs": case("path-traversal", lambda: named(b"../../etc/cron.d/x")),
    "climbs later": case("path-traversal", lambda: named(b"jobs/../../x")),
    "climbs with backslashes": case("path-traversal backslash-in-name", lambda: named(b"..\\..\\x")),
    "ends in dots": case("path-traversal", lambda: named(b"jobs/..")),
    "climbs by a control byte alone": case(
        "path-traversal control-character-in-name", lambda: named(b".\1./x")),
    "absolute": case("absolute-path", lambda: named(b"/etc/passwd")),
    "on another server": case("absolute-path backslash-in-name", lambda: named(b"\\\\server\\share")),
    "on a drive": case("drive-path backslash-in-name", lambda: named(b"C:\\Windows\\x")),
    "on the drive's directory": case("drive-path", lambda: named(b"c:x")),
    "NUL in a name": case("nul-in-name control-character-in-name", lambda: named(b"a.json\0.exe")),
    "no name": case("empty-name", lambda: named(b"")),
    "same name": case("duplicate-name", lambda: build(Member(), Member(content=b"{}"))),
    "name is not UTF-8": case("bad-utf8-name", lambda: named(b"gr\xf6\xdfe", UTF8)),
    "Unicode Path lies": case(
        "unicode-path-mismatch", lambda: central(extra=unicode_path(b"jobs/101.json", "jobs/999.json"))
    ),
    "Unicode Path climbs": case(
        "unicode-path-mismatch path-traversal", lambda: central(extra=unicode_path(b"jobs/101.json", "../x"))
    ),
    "Unicode Path is not UTF-8": case(
        "bad-utf8-name unicode-path-mismatch",
        lambda: central(extra=struct.pack("<HHBI", 0x7075, 6, 1, zlib.crc32(b"jobs/101.json")) + b"\xff"),
    ),
    "Unicode Path in the directory only": case("unicode-path-mismatch", lambda: build(
        Member(b"gr\x94sse", central={"extra": unicode_path(b"gr\x94sse", "größe")}))),
    "Unicode Path beside UTF-8": case("unicode-path-mismatch", lambda: build(
        Member("ü".encode(), flags=UTF8, central={"extra": unicode_path("ü".encode(), "ö")},
               local={"extra": unicode_path("ü".encode(), "ö")}))),
    "Unicode Path cut in front": case("bad-extra-field", lambda: local(extra=b"up\2\0ab")),
    "Unicode Path cut": case("bad-extra-field", lambda: central(extra=b"up\2\0ab")),
    "two Unicode Paths": case("bad-extra-field", lambda: central(extra=(b"up\5\0" + bytes(5)) * 2)),
    "Unicode Path of another name": case("path-traversal", lambda: build(
        Member(b"../x", central={"extra": unicode_path(b"a", "b")}))),
    "Unicode Path empty": case("empty-name unicode-path-mismatch", lambda: central(
        extra=unicode_path(b"jobs/101.json", ""))),
    "another Unicode Path in front": case(
        "unicode-path-mismatch", lambda: local(extra=unicode_path(b"jobs/101.json", "ü"))
    ),
    "two names, one path": case("same-path", lambda: two("a.json", "./a.json")),
    "two slashes": case("same-path", lambda: two("a//b.json", "a/b.json")),
    "a dot between": case("same-path", lambda: two("a/b.json", "a/./b.json")),
    "slash and backslash": case("same-path backslash-in-name", lambda: two("a/b.json", "a\\b.json")),
    "file and directory, with a detour": case("path-conflict", lambda: two("jobs", "./jobs/1/2.json")),
    "differ in case and a detour": case("similar-name", lambda: two("Job.json", "./job.json")),
    "differ in dots at the end": case("similar-name", lambda: two("a/job", "a./job. ")),
    "differ in case": case("similar-name", lambda: two("Job.json", "job.JSON")),
    "differ in Unicode form": case("same-path", lambda: two("gr\u00f6\u00dfe", "gro\u0308\u00dfe")),
    "one name as UTF-8, with its flag and without": case("same-path", lambda: build(
        Member("é.json".encode()), Member("é.json".encode(), flags=UTF8))),
    "Unicode Path beside its name in raw UTF-8": case("same-path", lambda: build(
        Member("é.json".encode()),
        Member(b"\x82.json", local={"extra": unicode_path(b"\x82.json", "é.json")},
               central={"extra": unicode_path(b"\x82.json", "é.json")}))),
    "a version of VMS": case("same-path", lambda: two("a.json;1", "a.json")),
    "two versions of VMS": case("same-path", lambda: two("a.json;1", "a.json;22")),
    "file and directory, with a control byte": case(
        "path-conflict control-character-in-name", lambda: two("jobs\1", "jobs/1")),
    "a control byte": case("same-path control-character-in-name", lambda: two("a\1.json", "a.json")),
    "a deleting byte": case("same-path control-character-in-name", lambda: two("a\x7f.json", "a.json")),
    "the byte 255": case("same-path", lambda: build(Member(b"a\xff.json"), Member(b"a.json"))),
    "file and directory": case("path-conflict", lambda: two("jobs", "jobs/1/2.json")),
    "backslash": case("backslash-in-name", lambda: named(b"jobs\\1.json")),
    "a dot": case("unusable-name", lambda: named(b".")),
    "a part too long": case("unusable-name", lambda: named(b"a/" + b"b" * 256)),
    "a part too long in UTF-8": case("unusable-name", lambda: named("\u00e9".encode() * 128, UTF8)),
    "newline": case("control-character-in-name", lambda: named(b"a\nINFO all is well")),
    "ANSI": case("control-character-in-name", lambda: named(b"a\x1b[2Jb")),
    "bidi": case("control-character-in-name", lambda: two("a\u202egnp.exe", "b")),
}  # fmt: skip

HEADERS: dict[str, Case] = {
    "encrypted": case("encrypted", lambda: both(flags=1)),
    "strongly encrypted": case("encrypted", lambda: both(flags=0x41)),
    "headers masked": case("encrypted", lambda: both(flags=0x2001)),
    "patch": case("patched-data", lambda: both(flags=0x20)),
    "flags of no meaning": case("unknown-flags", lambda: both(flags=0x8000)),
    "bzip2": case("unsupported-method", lambda: zipped(method=12)),
    "LZMA": case("unsupported-method unknown-flags", lambda: build(Member(method=14, flags=0x10))),
    "method 255": case("unsupported-method", lambda: both(method=255)),
    "version 9.9": case("unsupported-version", lambda: both(need=99)),
    "on volume 3": case("split-archive", lambda: central(disk=3)),
    "version 4.7": case("unsupported-version", lambda: central(need=47)),
    "on volume 65535": case("split-archive", lambda: central(disk=0xFFFF)),
    "on volume 1, by ZIP64": case("split-archive", lambda: central(
        disk=0xFFFF, extra=struct.pack("<HHI", 1, 4, 1))),
    "volume in ZIP64": case("advisory-field", lambda: central(disk=0xFFFF, extra=struct.pack("<HHI", 1, 4, 0))),
    "directory bit": case("marked-as-directory", lambda: central(made=20, attributes=0x10)),
    "directory bit, NTFS": case("marked-as-directory", lambda: central(made=11 << 8 | 20, attributes=0x30)),
    "directory mode": case("marked-as-directory", lambda: central(attributes=0o040755 << 16)),
    "volume bit": case("marked-as-volume", lambda: central(made=20, attributes=0x08)),
    "directory bit, VFAT": case("marked-as-directory", lambda: central(made=14 << 8 | 20, attributes=0x10)),
    "volume bit, HPFS": case("marked-as-volume", lambda: central(made=6 << 8 | 20, attributes=0x08)),
    "link, VMS": case("symbolic-link", lambda: central(made=2 << 8 | 20, attributes=0o120777 << 16)),
    "empty file, marked as a directory": case("advisory-field", lambda: build(
        Member(b"x", b"", STORED, central={"made": 20, "attributes": 0x10}), *THREE)),
    "empty file with a directory's mode": case("advisory-field", lambda: build(
        Member(b"x", b"", STORED, central={"attributes": 0o040755 << 16}), *THREE)),
    "empty file, marked as a volume": case("advisory-field", lambda: build(
        Member(b"x", b"", STORED, central={"made": 20, "attributes": 0x08}), *THREE)),
    "reparse point": case("advisory-field", lambda: central(made=20, attributes=0x400)),
    "comment in Latin-1": case("advisory-field", lambda: central(comment="größe".encode("latin-1"))),
    "reserved flags differ": case("flags-mismatch unknown-flags", lambda: central(flags=1 << 12)),
    "link": case("symbolic-link", lambda: build(
        Member(b"link", b"/etc/passwd", STORED, central={"attributes": 0o120777 << 16}))),
    "device": case("special-file", lambda: central(attributes=0o060666 << 16)),
    "socket": case("special-file", lambda: central(attributes=0o140666 << 16)),
    "directory with data": case("directory-with-data", lambda: named(b"jobs/")),
    "directory with data, by a backslash": case(
        "directory-with-data backslash-in-name", lambda: named(b"jobs\\")),
    "stored in another size": case("stored-size-mismatch wrong-size", lambda: build(
        Member(method=STORED, local={"size": 5}, central={"size": 5}))),
    "impossible size": case("impossible-size wrong-size", lambda: both(size=10**6)),
    "from nothing": case("impossible-size truncated-deflate", lambda: build(Member(raw=b""))),
    "extra field damaged": case("bad-extra-field", lambda: central(extra=b"\1\0\x40\0abc")),
    "extra field damaged in front": case("bad-extra-field", lambda: local(extra=b"UT\x40\0abc")),
    "times without length": case("bad-extra-field", lambda: local(extra=b"UT\0\0")),
    "AES field of one byte": case("bad-extra-field", lambda: central(extra=b"\1\x99\1\0\1")),
    "libarchive's field with type directory": case("marked-as-directory", lambda: local(
        extra=struct.pack("<HHBHHI", 0x6C78, 9, 7, 3 << 8 | 20, 0, 0o040755 << 16))),
    "libarchive's field with type link": case("symbolic-link", lambda: central(
        extra=struct.pack("<HHBI", 0x6C78, 5, 4, 0o120777 << 16))),
    "padding that is none": case("bad-extra-field", lambda: local(extra=b"\0\xff\0")),
    "padding that is none, in the directory": case("bad-extra-field", lambda: central(extra=b"\0\xff\0")),
    "ZIP64 field missing in front": case("zip64-missing", lambda: build(Member(
        local={"size": SENTINEL, "compressed": SENTINEL, "extra": b"\xc6\0\0\0"},
        central={"size": SENTINEL, "compressed": SENTINEL, "extra": zip64_extra(len(JOB), len(PACKED))}))),
    "two ZIP64 fields": case("bad-extra-field", lambda: central(extra=zip64_extra() * 2)),
    "ZIP64 field missing": case("zip64-missing impossible-size suspicious-ratio", lambda: build(
        Member(central={"size": SENTINEL}, local={"size": SENTINEL}))),
    "ZIP64 field too short": case("zip64-missing overlap suspicious-ratio size-mismatch", lambda: build(
        Member(central={"size": SENTINEL, "compressed": SENTINEL, "extra": zip64_extra(len(JOB))}))),
    "ZIP64 field lies": case("advisory-field", lambda: central(extra=zip64_extra(10**12))),
    "ZIP64 field lies in front": case("advisory-field", lambda: local(extra=zip64_extra(1, 2))),
    "ZIP64 size is another": case("size-mismatch wrong-size", lambda: central(
        size=SENTINEL, extra=zip64_extra(len(JOB) + 1))),
    "no local header": case("bad-local-header", lambda: local(signature=b"PK\3\5")),
    "names differ": case("name-mismatch", lambda: local(name=b"jobs/999.json")),
    "names differ in length": case("name-mismatch", lambda: local(name=b"jobs/1011.json")),
    "flags differ": case("advisory-field", lambda: local(flags=2)),
    "flags of a stored entry differ": case("flags-mismatch", lambda: build(
        Member(method=STORED), Member(b"2", method=STORED, local={"flags": 2}))),
    "UTF-8 flags differ": case("advisory-field", lambda: local(flags=UTF8)),
    "methods differ": case("method-mismatch", lambda: local(method=STORED)),
    "times differ": case("time-mismatch", lambda: local(when=0x5C2F0000)),
    "CRCs differ in front": case("crc-mismatch", lambda: local(crc=1)),
    "CRCs differ behind": case("crc-mismatch bad-crc", lambda: central(crc=1)),
    "sizes differ in front": case("size-mismatch", lambda: local(size=1)),
    "sizes differ behind": case("size-mismatch wrong-size", lambda: central(size=len(JOB) - 1)),
    "lengths differ in front": case("size-mismatch", lambda: local(compressed=1)),
    "lengths differ behind": case(
        "size-mismatch truncated-deflate hidden-data", lambda: central(compressed=len(PACKED) - 2)
    ),
    "descriptor missing": case("missing-descriptor", lambda: both(flags=8)),
    "descriptor of another": case("bad-descriptor", lambda: build(Member(descriptor=b"PK\7\10" + bytes(12)))),
    "descriptor half": case("bad-descriptor", lambda: build(Member(descriptor=b"PK\7\10"), *THREE[1:])),
    "descriptor of ZIP64 cut": case("advisory-field", lambda: build(Member(
        descriptor=b"PK\7\10" + struct.pack("<IQ", zlib.crc32(JOB), len(PACKED)),
        local={"size": SENTINEL, "compressed": SENTINEL, "extra": zip64_extra(0, 0)}))),
    "descriptor cut, without ZIP64": case("bad-descriptor", lambda: build(Member(
        descriptor=b"PK\7\10" + struct.pack("<IQ", zlib.crc32(JOB), len(PACKED))))),
    "descriptor of 8 GiB": case("impossible-size suspicious-ratio", lambda: build(Member(
        b"x", descriptor=struct.pack("<IQQ", zlib.crc32(JOB), len(PACKED), 1 << 33),
        central={"size": SENTINEL, "extra": zip64_extra(1 << 33)}))),
    "descriptor and more": case("hidden-data", lambda: build(Member(descriptor="s32"), between=b"more")),
    "descriptor not announced": case("hidden-data", lambda: build(
        THREE[0], Member(b"b", before=Member(descriptor="s32").tail()))),
    "descriptor's sums in front": case("crc-mismatch", lambda: build(Member(descriptor="s32", local={"crc": 7}))),
    "bad descriptor and more": case("bad-descriptor hidden-data", lambda: build(Member(descriptor=bytes(90)))),
}  # fmt: skip

CONTENT: dict[str, Case] = {
    "bit flipped, stored": case("bad-crc", lambda: content(flipped(JOB, 9), method=STORED)),
    "bit flipped, deflated": case("bad-crc", lambda: content(flipped(PACKED, 40))),
    "deflate damaged": case("bad-deflate", lambda: content(b"\x06" + PACKED[1:])),
    "bit flipped in a large entry": case("bad-crc", lambda: build(
        Member(b"x", noise(900_000), STORED, raw=flipped(noise(900_000), 700_000)))),
    "large deflate damaged": case("bad-deflate", lambda: build(
        Member(b"x", text(900_000), raw=broken_off(text(500_000)) + b"\xff" * 60_000))),
    "page of zeros": case("bad-crc", lambda: build(
        Member(b"x", noise(20_000), STORED, raw=noise(8192) + bytes(4096) + noise(20_000)[12288:]))),
    "distances that zlib refuses": case("bad-deflate", lambda: build(
        Member(b"x", b"8b1810565c01b2651e285beb287d31152gd40f45h", raw=INCOMPLETE))),
    "deflate cut": case("truncated-deflate", lambda: content(PACKED[:-5])),
    "large deflate cut": case("truncated-deflate", lambda: build(
        Member(b"x", text(900_000), raw=deflate(text(900_000))[:200_000]))),
    "junk behind deflate": case("junk-after-deflate", lambda: content(PACKED + b"hidden")),
    "junk behind a large deflate": case("junk-after-deflate", lambda: build(
        Member(b"x", text(900_000), raw=deflate(text(900_000)) + bytes(200_000)))),
    "empty, but junk": case("junk-after-deflate", lambda: build(Member(b"x", b"", raw=b"\3\0hidden"))),
    "CRC wrong twice": case("bad-crc", lambda: both(crc=1)),
    "size wrong twice, less": case("wrong-size", lambda: both(size=len(JOB) - 1)),
    "size wrong twice, more": case("wrong-size", lambda: both(size=len(JOB) + 1)),
    "large size wrong twice": case("wrong-size", lambda: build(
        Member(b"x", text(900_000), local={"size": 899_999}, central={"size": 899_999}))),
    "stored as deflated": case("bad-deflate", lambda: content(b"\x07" * 50, method=DEFLATED)),
    "not JSON": case("bad-json", lambda: zipped({"a.json": b'{"job_id": 1'})),
    "nothing is not JSON": case("bad-json", lambda: zipped({"a.JSON": b""})),
    "NaN is not JSON": case("bad-json", lambda: zipped({"a.json": b"[NaN]"})),
    "JSON in Latin-1": case("bad-json", lambda: zipped({"a.json": '"größe"'.encode("latin-1")})),
    "JSON without end": case("bad-json", lambda: zipped({"a.json": b"[" * 200_000})),
    "HTML for JSON": case("bad-json", lambda: zipped({"a.json": b"<html></html>"})),
    "job missing": case("missing-job", lambda: build(*THREE), expect=Expectation((101, 999))),
    "job in an archive within": case(
        "job-not-examined", lambda: zipped({"1.gz": b"PK", "b.json": JOB}), expect=Expectation((999,))),
    "jobs in no known form": case(
        "job-not-examined unknown-layout", lambda: zipped({"a.bin": b"\0"}), expect=Expectation((999,))),
    "archive within damaged": case("bad-nested-archive", lambda: zipped({"a.zip": build(*THREE) + b"x"})),
    "archive within encrypted": case("nested-unchecked", lambda: zipped({"a.zip": build(
        Member(flags=1, local={"flags": 1}, central={"flags": 1}))})),
    "too few entries": case("too-few-entries", lambda: build(*THREE), expect=Expectation(min_entries=4)),
    "only directories": case(
        "too-few-entries", lambda: build(Member(b"jobs/", b"", STORED)), expect=Expectation()),
}  # fmt: skip

ENTRIES = NAMES | HEADERS | CONTENT
