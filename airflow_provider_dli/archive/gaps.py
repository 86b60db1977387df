"""Bytes that belong to no entry."""

from __future__ import annotations

from airflow_provider_dli.archive.headers import END
from airflow_provider_dli.archive.local import SIGNATURE
from airflow_provider_dli.archive.report import Findings
from airflow_provider_dli.archive.source import Stream

SIGNATURES = {
    SIGNATURE: ("hidden-entry", "a local header that the directory does not know"),
    END: ("second-end-record", "an end record among the entries"),
}
OVERLAP = 3  # a signature less one byte


def check_gap(stream: Stream, start: int, end: int, found: Findings, *, report: bool = True) -> None:
    """Report bytes between the entries, and what they look like.

    :param report: whether to report that there are any; what they look like is always reported.
    """
    if start < end and report:
        found.add("hidden-data", f"{end - start} bytes belong to no entry", offset=start)
    last = b""
    seen: set[str] = set()
    for piece in stream.pieces(start, end):
        text = last + bytes(piece)
        for signature, (code, message) in SIGNATURES.items():
            place = text.find(signature)
            if place >= 0 and code not in seen:
                found.add(code, message, offset=start + place - len(last))
                seen.add(code)
        start += len(piece)
        last = text[-OVERLAP:]
