"""Verify a ZIP archive. Knows ZIP and a seekable binary reader, nothing else.

:func:`inspect` reads the end of the file, the directory, then every byte.
"""

from __future__ import annotations

import hashlib
import zlib
from io import BytesIO
from typing import Literal, NamedTuple

from airflow_provider_dli.archive.contents import Contents, Shared
from airflow_provider_dli.archive.directory import Directory, Layout, find_end, lay_out, read_directory
from airflow_provider_dli.archive.entries import Walk
from airflow_provider_dli.archive.fields import check_names
from airflow_provider_dli.archive.fingerprint import Fingerprint
from airflow_provider_dli.archive.report import Entry, Finding, Findings, Report
from airflow_provider_dli.archive.search import Search
from airflow_provider_dli.archive.source import Reader, Stream, Tail

__all__ = ["Entry", "Expectation", "Finding", "Level", "Limits", "Report", "inspect"]

MIB = 1 << 20
GIB = 1 << 30
Level = Literal["directory", "full"]


class Expectation(NamedTuple):
    r"""What must be in the archive.

    :param jobs: ids or names; each must be found, see ``airflow_provider_dli.archive.search``. Default: none.
    :param min_entries: fewest entries, directories not counted; default 1.
    :param entry_pattern: regular expression with a group ``job`` that takes jobs from entry names, if you know
        the layout, such as ``jobs/(?P<job>[^/]+)\.json$``. Default None: a part of the path, with or without its
        extension. Empty string: entry names are not searched.
    :param json_keys: members of JSON, at any depth, and keys of text whose value names a job; one that ends in
        ``id`` names its id. Empty: contents are not searched.
    """

    jobs: tuple[str | int, ...] = ()
    min_entries: int = 1
    entry_pattern: str | None = None
    json_keys: tuple[str, ...] = ("job_id", "jobId", "job_name", "jobName", "name")


class Limits(NamedTuple):
    """Bounds on time and memory. All of them are checked before a byte is inflated.

    Peak memory is some 24 MiB, 500 bytes an entry, 25 times ``json_bytes``, where archives are in the archive
    ``nested_bytes`` for each level, and the directory: once if names are
    ASCII, up to six times if hostile names blow up in memory.

    :param entries: most entries; default 500 000.
    :param directory_bytes: longest directory; default 64 MiB.
    :param entry_bytes: largest entry, inflated; default 16 GiB.
    :param total_bytes: largest sum of all entries, inflated; default 64 GiB.
    :param ratio: inflated : compressed from which an entry, or all together, is called a bomb; default 200.
    :param ratio_floor: inflated bytes below which the ratio harms nobody; default 4 MiB.
    :param json_bytes: largest ``*.json`` that is parsed, and largest text that is searched; default 1 MiB.
    :param nested_bytes: largest ``*.zip`` in the archive that is opened; default 16 MiB.
    :param nested_total: largest sum of what is in all of them, inflated; default 256 MiB.
    :param nested_depth: how deep archives are opened in archives; default 3.
    :param findings: most findings kept of one code; the rest is counted; default 100.
    """

    entries: int = 500_000
    directory_bytes: int = 64 * MIB
    entry_bytes: int = 16 * GIB
    total_bytes: int = 64 * GIB
    ratio: int = 200
    ratio_floor: int = 4 * MIB
    json_bytes: int = 1 * MIB
    nested_bytes: int = 16 * MIB
    nested_total: int = 256 * MIB
    nested_depth: int = 3
    findings: int = 100


def inspect(
    reader: Reader,
    level: Level = "full",
    *,
    md5: bool = False,
    expect: Expectation | None = None,
    limits: Limits | None = None,
    fingerprint: bool = False,
    lists_ids: bool = False,
    reports_missing: bool = True,
) -> Report:
    """Verify a ZIP archive, or report everything that is wrong with it.

    No bytes make it raise; an error of the reader itself passes through. The file's end is read first, in at most
    three reads; then, for level ``full``, all of it once, forwards, in blocks of 512 KiB.

    :param reader: a seekable binary file; its position is changed.
    :param level: ``directory`` verifies the directory, ``full`` (the default) every byte.
    :param md5: also take the MD5 of all bytes (level ``full``), to compare with an ETag that is one.
    :param expect: jobs that must be in it; default none: one entry is enough.
    :param limits: what the inspection may cost; default :class:`Limits`.
    :param fingerprint: describe the layout in any case, and not only if jobs are expected and it is not known.
    :param lists_ids: also list the ids of all jobs that contents show, by the keys of ``expect``.
    :param reports_missing: False to report no finding on an expected job: for a caller who searches several
        archives for them.
    :raises ValueError: for another level.
    """
    if level not in ("directory", "full"):
        raise ValueError(f"level must be 'directory' or 'full', not {level!r}")
    limits = limits or Limits()
    found = Findings(limits.findings)
    search = Search(expect or Expectation(min_entries=0), lists_ids=lists_ids)
    shared = Shared(search, Fingerprint(search.jobs), fingerprint, limits.nested_total)
    contents = Contents(limits, shared, found, _inspect_nested)
    size, entries, hashes = _inspect(reader, contents, found, limits, is_full=level == "full", md5=md5)
    groups, absences = contents.finish(entries, full=level == "full")
    for job in sorted(search.missing) if reports_missing else ():
        absence = absences[job.isdecimal()]
        found.add(absence.code, absence.message(job), job=job)
    ids = frozenset(() if contents.reasons(entries) else search.ids or ())
    sums = (hashes.get("sha256"), hashes.get("md5"))
    return Report(size, level, entries, found.result(), *sums, groups, ids, search.jobs - search.missing, absences)


def _inspect_nested(data: bytes, contents: Contents, found: Findings, limits: Limits) -> tuple[Entry, ...]:
    """Inspect an archive in the archive, and return its entries."""
    _, entries, _ = _inspect(BytesIO(data), contents, found, limits, is_full=True, md5=False)
    return entries


def _inspect(
    reader: Reader, contents: Contents, found: Findings, limits: Limits, *, is_full: bool, md5: bool
) -> tuple[int, tuple[Entry, ...], dict[str, str]]:
    """Return the size, the entries and the hashes."""
    reader.seek(0, 2)
    size = reader.tell()
    tail = Tail(reader, size)
    if tail.size < size:
        found.add("cut-short", f"{tail.size} of {size} bytes could be read", offset=tail.size)
    directory = _read_directory(tail, limits, found)
    layout = lay_out(directory, tail.size, limits, found) if directory else None
    entries = directory.entries if directory else ()
    if directory:
        contents.begin(entries)
    hashes = _read_all(reader, tail, layout, contents, found, md5=md5) if is_full else {}
    return size, entries, hashes


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
