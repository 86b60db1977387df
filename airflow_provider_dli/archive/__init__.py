"""Verify a ZIP archive. Knows ZIP and a seekable binary reader, nothing else.

:func:`inspect` reads the end of the file, the directory, then every byte.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Literal, NamedTuple

from airflow_provider_dli.archive.contents import Contents
from airflow_provider_dli.archive.directory import Directory, Layout, find_end, lay_out, read_directory
from airflow_provider_dli.archive.entries import Walk
from airflow_provider_dli.archive.fields import check_names
from airflow_provider_dli.archive.report import Entry, Finding, Findings, Report
from airflow_provider_dli.archive.source import Reader, Stream, Tail

__all__ = ["Entry", "Expectation", "Finding", "Level", "Limits", "Report", "inspect"]

MIB = 1 << 20
GIB = 1 << 30
Level = Literal["directory", "full"]


class Expectation(NamedTuple):
    r"""What must be in the archive.

    :param jobs: ids or names; each must be found in an entry's name or in a ``*.json``. Default: none of them.
    :param min_entries: fewest entries, directories not counted; default 1.
    :param entry_pattern: regular expression with a group ``job`` that takes jobs from entry names, if you know
        the layout, such as ``jobs/(?P<job>[^/]+)\.json$``. Default None: a number that stands for itself, or a
        part of the path, with or without its extensions. Empty string: entry names are not searched.
    :param json_keys: members, at any depth, that name a job in a ``*.json``; default ``job_id`` and ``name``.
        Empty: contents are not searched.
    """

    jobs: tuple[str | int, ...] = ()
    min_entries: int = 1
    entry_pattern: str | None = None
    json_keys: tuple[str, ...] = ("job_id", "name")


class Limits(NamedTuple):
    """Bounds on time and memory. All of them are checked before a byte is inflated.

    Peak memory is some 24 MiB, 500 bytes an entry, 25 times ``json_bytes``, and the directory: once if names are
    ASCII, up to six times if hostile names blow up in memory.

    :param entries: most entries; default 500 000.
    :param directory_bytes: longest directory; default 64 MiB.
    :param entry_bytes: largest entry, inflated; default 16 GiB.
    :param total_bytes: largest sum of all entries, inflated; default 64 GiB.
    :param ratio: inflated : compressed from which an entry, or all together, is called a bomb; default 200.
    :param ratio_floor: inflated bytes below which the ratio harms nobody; default 4 MiB.
    :param json_bytes: largest ``*.json`` that is parsed; default 1 MiB.
    :param findings: most findings kept of one code; the rest is counted; default 100.
    """

    entries: int = 500_000
    directory_bytes: int = 64 * MIB
    entry_bytes: int = 16 * GIB
    total_bytes: int = 64 * GIB
    ratio: int = 200
    ratio_floor: int = 4 * MIB
    json_bytes: int = 1 * MIB
    findings: int = 100


def inspect(
    reader: Reader,
    level: Level = "full",
    *,
    md5: bool = False,
    expect: Expectation | None = None,
    limits: Limits | None = None,
) -> Report:
    """Verify a ZIP archive, or report everything that is wrong with it.

    No bytes make it raise; an error of the reader itself passes through. The file's end is read first, in at most
    three reads; then, for level ``full``, all of it once, forwards, in blocks of 512 KiB.

    :param reader: a seekable binary file; its position is changed.
    :param level: ``directory`` verifies the directory, ``full`` (the default) every byte.
    :param md5: also take the MD5 of all bytes (level ``full``), to compare with an ETag that is one.
    :param expect: jobs that must be in it; default none: one entry is enough.
    :param limits: what the inspection may cost; default :class:`Limits`.
    :raises ValueError: for another level.
    """
    if level not in ("directory", "full"):
        raise ValueError(f"level must be 'directory' or 'full', not {level!r}")
    limits = limits or Limits()
    found = Findings(limits.findings)
    contents = Contents(limits, expect or Expectation(min_entries=0), found)
    reader.seek(0, 2)
    size = reader.tell()
    tail = Tail(reader, size)
    if tail.size < size:
        found.add("cut-short", f"{tail.size} of {size} bytes could be read", offset=tail.size)
    directory = _read_directory(tail, limits, found)
    layout = lay_out(directory, tail.size, limits, found) if directory else None
    entries = directory.entries if directory else ()
    contents.begin(entries)
    hashes = _read_all(reader, tail, layout, contents, found, md5=md5) if level == "full" else {}
    contents.finish(entries, full=level == "full")
    return Report(size, level, entries, found.result(), hashes.get("sha256"), hashes.get("md5"))


def _read_directory(tail: Tail, limits: Limits, found: Findings) -> Directory | None:
    if not tail.size:
        found.add("empty-file", "the file has no bytes")
        return None
    end = find_end(tail, found)
    directory = read_directory(tail, end, limits, found) if end else None
    if directory:
        check_names(directory.entries, found)
        if not directory.entries:
            found.add("no-entries", "the central directory is empty", offset=directory.start)
    return directory


def _read_all(
    reader: Reader, tail: Tail, layout: Layout | None, contents: Contents, found: Findings, *, md5: bool
) -> dict[str, str]:
    """Read every byte; check the entries that the directory locates. Return the hashes."""
    digests = {"sha256": hashlib.sha256()}
    if md5:
        digests["md5"] = hashlib.md5(usedforsecurity=False)
    stream = Stream(reader, tail.size, tuple(digests.values()))
    if layout and "too-many-entries" not in found:
        Walk(stream, layout, contents, found).run()
        # The directory that was read first must be the one that is in the file now.
        crc, start = 0, layout.directory.start
        for piece in stream.pieces(start, tail.size):
            crc = zlib.crc32(piece, crc)
        if crc != tail.crc32(start):
            found.add("changed-while-read", "the end of the file differs from what was read first", offset=start)
    end = stream.finish()
    if end < tail.size:
        found.add("cut-short", f"{end} of {tail.size} bytes could be read", offset=end)
    return {name: digest.hexdigest() for name, digest in digests.items()}
