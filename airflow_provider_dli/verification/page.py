"""The report of a verification, to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from airflow_provider_dli.reporting.page import Report, Table
from airflow_provider_dli.wording import counted

if TYPE_CHECKING:
    from airflow_provider_dli.verification.report import ArchiveReport


def page_of(reports: Sequence[ArchiveReport], facts: Mapping[str, object]) -> Report:
    """Make the report on archives.

    :param reports: on each
    :param facts: name to value: when, at which level
    """
    bad = frozenset(number for number, report in enumerate(reports) if not report.sound)
    plain = [report.as_dict() for report in reports]
    rows = [(each["zip_file"], _grouped(each["size"]), each["entries"], each["sha256"]) for each in plain]
    archives = Table("Archives", ("Archive", "Bytes", "Entries", "SHA-256"), rows, bad)
    findings = [
        (
            str(report.place),
            finding.code,
            finding.severity,
            finding.entry,
            _grouped(finding.offset),
            finding.message,
        )
        for report in reports
        for finding in report.findings
    ]
    head = ("Archive", "Finding", "Severity", "Entry", "At byte", "What it is")
    found = [Table("Findings", head, findings, frozenset(range(len(findings))))] if findings else []
    verdict = (
        f"{len(bad)} of {counted(len(reports), 'archive')} not proven whole."
        if bad
        else f"{counted(len(reports), 'archive')} proven whole."
    )
    data = {"value": len(reports), "good": not bad, "archives": plain}
    return Report("Archives of exported Flink jobs", not bad, verdict, facts, [archives, *found], data)


def _grouped(number: int | None) -> str | None:
    return None if number is None else f"{number:,}"
