"""Bad ends, bad directories, bytes that belong to no one."""

from __future__ import annotations

from airflow_provider_dli.archive import Limits

from .case import Case, case
from .good import THREE, Z64, zipped
from .maker import JOB, SENTINEL, STORED, Member, build, end_record

END = end_record({"disk": 0, "first_disk": 0, "here": 0, "entries": 0, "size": 0, "offset": 0, "comment_size": 0})
SIZE = len(build(*THREE)) - 22
OTHER = {"name": b"jobs/999.json"}


def whole() -> bytes:
    return build(*THREE)


def moved() -> bytes:
    """Put a script in front, as a self-extracting archive has it, with offsets that know of it."""
    return build(Member(before=b"#!/bin/sh\n"), *THREE[1:])


def fake_end() -> bytes:
    """Return an end record that fits into a comment to the byte, of an empty archive."""
    return build(*THREE, comment=END)


def all_comment(entries: int) -> bytes:
    """Put an end record in front whose comment is all the rest."""
    front = END[:8] + entries.to_bytes(2, "little") * 2 + END[12:20] + (SIZE + 22).to_bytes(2, "little")
    return build(*THREE, prefix=front if not entries else front[:16] + b"\x07" + front[17:])


ENDS: dict[str, Case] = {
    "no bytes": case("empty-file", bytes),
    "an HTML page": case("no-end-record", lambda: b"<html><body>502 Bad Gateway</body></html>" * 9),
    "zeros": case("no-end-record", lambda: bytes(100_000)),
    "cut in the middle": case("no-end-record", lambda: whole()[: SIZE // 2]),
    "cut by one byte": case("no-end-record", lambda: whole()[:-1]),
    "cut in the comment": case("comment-cut", lambda: build(*THREE, comment=b"comment")[:-2]),
    "cut to its end": case("no-directory", lambda: whole()[-22:]),
    "beginning cut off": case("wrong-directory-offset bad-local-header overlap", lambda: whole()[16:]),
    "newline behind": case("trailing-data", lambda: whole() + b"\n"),
    "page behind": case("trailing-data", lambda: whole() + b"<html>" * 99),
    "zeros and a newline behind": case("trailing-data", lambda: whole() + bytes(900) + b"\n"),
    "zeros behind a comment": case("zero-padding", lambda: build(*THREE, comment=b"c") + bytes(9)),
    "zeros behind": case("zero-padding", lambda: whole() + bytes(8192)),
    "bytes in front": case("prepended-data", lambda: build(*THREE, prefix=b"HTTP/1.1 200 OK\r\n\r\n")),
    "bytes in front, ZIP64": case(
        "prepended-data zip64-bad-record",
        lambda: build(*THREE, prefix=b"HTTP/1.1 200 OK\r\n\r\n", zip64={}, end=Z64),
    ),
    "script in front": case("prepended-data", moved),
    "two archives": case("prepended-data hidden-entry second-end-record", lambda: whole() + zipped()),
    "archive and its copy": case("prepended-data hidden-entry second-end-record", lambda: whole() * 2),
    "end record in the comment": case(
        "end-record-in-comment", lambda: build(*THREE, comment=b"see " + END[:22] + b"!")
    ),
    "end record fits the comment": case("end-record-in-comment", fake_end),
    "end record twice": case("second-end-record wrong-directory-size", lambda: whole() + whole()[-22:]),
    "all of it a comment": case("end-record-in-comment no-entries", lambda: all_comment(0)),
    "a second end record that fits": case("second-end-record prepended-data", lambda: all_comment(5)),
    "volume 1": case("split-archive", lambda: build(*THREE, end={"disk": 1})),
    "directory on volume 2": case("advisory-field", lambda: build(*THREE, end={"first_disk": 2})),
    "directory on volume 2, with descriptors": case(
        "split-archive", lambda: build(Member(descriptor="s64"), end={"first_disk": 2})
    ),
    "more entries on other volumes": case(
        "advisory-field wrong-entry-count", lambda: build(*THREE, end={"entries": 5})
    ),
    "one entry too many": case("wrong-entry-count", lambda: build(*THREE, end={"here": 4, "entries": 4})),
    "one entry too few": case("wrong-entry-count", lambda: build(*THREE, end={"here": 2, "entries": 2})),
    "directory size too small": case("wrong-directory-size", lambda: build(*THREE, end={"size": 100})),
    "directory size too large": case("wrong-directory-size", lambda: build(*THREE, end={"size": 10**6})),
    "directory offset too large": case("wrong-directory-offset", lambda: build(*THREE, end={"offset": SIZE})),
    "directory offset too small": case("wrong-directory-offset", lambda: build(*THREE, end={"offset": 7})),
    "directory nowhere": case("no-directory", lambda: build(*THREE, end={"offset": 7, "size": 7})),
    "bytes behind the directory": case(
        "wrong-directory-size bad-directory-header", lambda: build(*THREE, behind=b"hidden")
    ),
    "no entries": case("no-entries", build),
    "no entries, but data": case("no-entries prepended-data", lambda: build(between=JOB)),
}

ZIP64_ENDS: dict[str, Case] = {
    "no ZIP64 record": case(
        "zip64-missing wrong-directory-offset", lambda: build(*THREE, end={"offset": SENTINEL})
    ),
    "ZIP64 record elsewhere": case("zip64-bad-record", lambda: build(*THREE, zip64={"at": 3}, end=Z64)),
    "ZIP64 record too long": case("zip64-bad-record", lambda: build(*THREE, zip64={"rest": 50}, end=Z64)),
    "bytes before the locator": case("zip64-bad-record", lambda: build(*THREE, zip64={"between": b"??"}, end=Z64)),
    "no record at the locator": case(
        "zip64-bad-record zip64-missing no-directory", lambda: build(*THREE, zip64={"record": b"PK\6\5"}, end=Z64)
    ),
    "ZIP64 count lies": case(
        "zip64-mismatch wrong-entry-count", lambda: build(*THREE, zip64={"here": 9, "entries": 9})
    ),
    "ZIP64 size lies": case("wrong-directory-size", lambda: build(*THREE, zip64={"size": 2**40}, end=Z64)),
    "ZIP64 offset lies": case("wrong-directory-offset", lambda: build(*THREE, zip64={"offset": 2**63}, end=Z64)),
    "ZIP64 of no volume": case("split-archive", lambda: build(*THREE, zip64={"disks": 0}, end=Z64)),
    "ZIP64 directory on volume 2": case(
        "split-archive", lambda: build(*THREE, zip64={"first_disk": 2}, end=Z64 | {"first_disk": 2})
    ),
    "ZIP64 of two volumes": case("split-archive", lambda: build(*THREE, zip64={"disks": 2}, end=Z64)),
}

GAPS: dict[str, Case] = {
    "bytes between entries": case("hidden-data", lambda: build(THREE[0], Member(b"b", before=b"hidden"))),
    "bytes before the directory": case("hidden-data", lambda: build(*THREE, between=bytes(300_000))),
    "entry between entries": case(
        "hidden-data hidden-entry", lambda: build(THREE[0], Member(b"b", before=whole()[:150]))
    ),
    "entry omitted": case("hidden-data hidden-entry", lambda: build(*THREE, between=Member(b"x").local_header())),
    "first entry omitted": case(
        "prepended-data hidden-entry", lambda: build(Member(before=Member(b"x").local_header()))
    ),
    "archive between": case(
        "hidden-data hidden-entry second-end-record", lambda: build(*THREE, between=bytes(70_000) + zipped())
    ),
    "entries share bytes": case(
        "overlap hidden-data hidden-entry", lambda: build(THREE[0], Member(b"b", central={"offset": 20}))
    ),
    "two entries of one header": case(
        "overlap hidden-data hidden-entry", lambda: build(THREE[0], Member(b"b", central={"offset": 0}))
    ),
    "entry reaches into the next": case(
        "overlap size-mismatch junk-after-deflate hidden-data",
        lambda: build(Member(central={"compressed": 140}), THREE[1]),
    ),
    "entry reaches into the directory": case(
        "overlap size-mismatch", lambda: build(Member(central={"compressed": 4000}))
    ),
    "local extra field reaches too far": case(
        "bad-extra-field overlap truncated-deflate", lambda: build(Member(local={"extra_size": 999}))
    ),
    "entry behind the end": case(
        "bad-offset prepended-data hidden-entry", lambda: build(Member(central={"offset": 10**9}))
    ),
    "offset off by one": case(
        "prepended-data bad-local-header overlap", lambda: build(Member(central={"offset": 1}))
    ),
    "directory header damaged": case(
        "bad-directory-header wrong-entry-count hidden-data hidden-entry",
        lambda: build(THREE[0], Member(b"b", central={"signature": b"PK\1\3"}), THREE[2]),
    ),
    "directory header cut": case(
        "bad-directory-header wrong-entry-count hidden-data hidden-entry",
        lambda: build(THREE[0], Member(b"b", central={"name_size": 60_000})),
    ),
    "end record in the directory": case(
        "second-end-record wrong-directory-size", lambda: build(*THREE, behind=END)
    ),
}

LIMITS: dict[str, Case] = {
    "too many entries": case("too-many-entries", whole, limits=Limits(entries=2)),
    "too many entries claimed": case("too-many-entries", lambda: build(*THREE, end={"here": 50, "entries": 50}),
                                     limits=Limits(entries=10)),
    "directory too large": case("directory-too-large", whole, limits=Limits(directory_bytes=100)),
    "entry too large": case("entry-too-large", lambda: build(Member(b"x", bytes(20)), *THREE),
                            limits=Limits(entry_bytes=10)),
    "all too large": case("archive-too-large", whole, limits=Limits(total_bytes=100)),
    "bomb": case("suspicious-ratio", lambda: zipped({"0": bytes(64 << 20)})),
    "many small bombs": case("suspicious-ratio", lambda: zipped({f"{i}": bytes(1 << 20) for i in range(9)})),
    "bomb with a small recorded size": case(
        "wrong-size", lambda: build(Member(content=bytes(1 << 20), local={"size": 900}, central={"size": 900}))
    ),
    "stored bomb": case("stored-size-mismatch suspicious-ratio", lambda: build(
        Member(method=STORED, local={"size": 10**9}, central={"size": 10**9}))),
    "JSON too large to parse": case("json-unchecked", whole, limits=Limits(json_bytes=10)),
}  # fmt: skip

STRUCTURE = ENDS | ZIP64_ENDS | GAPS | LIMITS
