"""One inspection: the end of the file, the directory, then every byte."""

from __future__ import annotations

import hashlib
import zlib

from airflow_provider_dli.archive import names
from airflow_provider_dli.archive.contents import Contents
from airflow_provider_dli.archive.directory import Directory, read_directory
from airflow_provider_dli.archive.endrecord import find_end
from airflow_provider_dli.archive.expectation import Expectation
from airflow_provider_dli.archive.layout import Layout, lay_out
from airflow_provider_dli.archive.limits import Limits
from airflow_provider_dli.archive.report import Findings, Report
from airflow_provider_dli.archive.source import Reader, Stream, Tail
from airflow_provider_dli.archive.walk import Walk


class Proof:
    """One run of :func:`~airflow_provider_dli.archive.inspect`."""

    def __init__(self, reader: Reader, limits: Limits, expect: Expectation | None) -> None:
        self._reader = reader
        self._limits = limits
        self._found = Findings(limits.findings)
        self._contents = Contents(limits, expect, self._found)

    def run(self, *, full: bool, md5: bool) -> Report:
        """Read the directory, then perhaps everything."""
        self._reader.seek(0, 2)
        size = self._reader.tell()
        tail = Tail(self._reader, size)
        if tail.size < size:
            self._found.add("cut-short", f"{tail.size} of {size} bytes could be read", offset=tail.size)
        directory = self._read_directory(tail)
        layout = lay_out(directory, tail.size, self._limits, self._found) if directory else None
        self._contents.begin(directory.entries if directory else ())
        digests = self._walk(tail, directory, layout, md5=md5) if full else {}
        entries = directory.entries if directory else ()
        self._contents.finish(entries, full=full)
        level = "full" if full else "directory"
        return Report(size, level, entries, self._found.result(), digests.get("sha256"), digests.get("md5"))

    def _read_directory(self, tail: Tail) -> Directory | None:
        if not tail.size:
            self._found.add("empty-file", "the file has no bytes")
            return None
        end = find_end(tail, self._found)
        directory = read_directory(tail, end, self._limits, self._found) if end else None
        if directory:
            names.check_all(directory.entries, self._found)
            if not directory.entries:
                self._found.add("no-entries", "the directory is empty", offset=directory.start)
        return directory

    def _walk(
        self, tail: Tail, directory: Directory | None, layout: Layout | None, *, md5: bool
    ) -> dict[str, str]:
        """Read every byte; prove the entries as far as the directory tells where they are."""
        hashes = {"sha256": hashlib.sha256()}
        if md5:
            hashes["md5"] = hashlib.md5(usedforsecurity=False)
        stream = Stream(self._reader, tail.size, tuple(hashes.values()))
        if directory and layout and "too-many-entries" not in self._found:
            walk = Walk(stream, directory, self._contents, self._found)
            walk.run(layout)
            self._compare(stream, tail, directory)
        end = stream.finish()
        if end < tail.size:
            self._found.add("cut-short", f"{end} of {tail.size} bytes could be read", offset=end)
        return {name: digest.hexdigest() for name, digest in hashes.items()}

    def _compare(self, stream: Stream, tail: Tail, directory: Directory) -> None:
        """Make sure that the directory that was read first is the one that stands in the file now."""
        crc = 0
        for piece in stream.pieces(directory.start, tail.size):
            crc = zlib.crc32(piece, crc)
        if crc != tail.crc32(directory.start):
            message = "the end of the file was another when it was read first"
            self._found.add("changed-while-read", message, offset=directory.start)
