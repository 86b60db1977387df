"""From a reader to a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from airflow_provider_dli.archive.limits import Limits

if TYPE_CHECKING:
    from airflow_provider_dli.archive.expectation import Expectation
    from airflow_provider_dli.archive.report import Report
    from airflow_provider_dli.archive.source import Reader

Level = Literal["directory", "full"]


def inspect(
    reader: Reader,
    level: Level = "full",
    *,
    md5: bool = False,
    expect: Expectation | None = None,
    limits: Limits | None = None,
) -> Report:
    """Prove a ZIP archive whole, or tell everything that is wrong with it.

    No bytes make it raise; an error of the reader itself passes through. The file's end is read first, in at most
    three reads; then, for level ``full``, all of it once, forwards, in blocks of 512 KiB.

    :param reader: a seekable binary file; its place is moved.
    :param level: ``directory`` proves the directory, ``full`` (the default) every byte.
    :param md5: also take the MD5 of all bytes (level ``full``), to hold against an ETag that is one.
    :param expect: jobs that must be there; default none: one entry is enough.
    :param limits: what the archive may cost; default :class:`Limits`.
    :raises ValueError: for another level.
    """
    if level not in ("directory", "full"):
        raise ValueError(f"level must be 'directory' or 'full', not {level!r}")
    from airflow_provider_dli.archive.proof import Proof  # noqa: PLC0415 - who only imports, pays nothing for it

    return Proof(reader, limits or Limits(), expect).run(full=level == "full", md5=md5)
