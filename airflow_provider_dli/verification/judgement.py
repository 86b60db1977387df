"""Green or red, and what to do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.verification.readings import ON_THE_WAY
from airflow_provider_dli.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_dli.verification.report import ArchiveReport

MISSING = "missing"
#: after one of these a retry may help
_PASSING = frozenset({MISSING, ON_THE_WAY})
_JOB_CODES = ("missing-job", "job-unproven")


def together(reports: Sequence[ArchiveReport]) -> list[ArchiveReport]:
    """Hold archives against each other: a job that is in one of them is not missing from the others.

    :param reports: of all archives of one verification
    """
    read = [
        {(f.code, f.message) for f in each.findings if f.code in _JOB_CODES} for each in reports if each.report
    ]
    nowhere = set.intersection(*read) if read else set()
    return [_without_jobs(report, nowhere) for report in reports]


def _without_jobs(report: ArchiveReport, nowhere: set[tuple[str, str]]) -> ArchiveReport:
    if report.report is None:
        return report
    kept = [f for f in report.report.findings if f.code not in _JOB_CODES or (f.code, f.message) in nowhere]
    return replace(report, report=report.report._replace(findings=tuple(kept)))


def judge(reports: Sequence[ArchiveReport]) -> None:
    """Pass if every archive is all that was asked for.

    :param reports: of all archives
    :raises DliFailException: listing every defect of every archive, if one is damaged
    :raises DliException: if some are only missing, or did not arrive as they are: another attempt may go better
    """
    bad = [report for report in reports if not report.sound]
    if not bad:
        return
    damaged = any(_PASSING.isdisjoint(finding.code for finding in report.errors) for report in bad)
    kind = DliFailException if damaged else DliException
    advice = (
        "Keep what is there as evidence, and export again."
        if damaged
        else "Look whether the export wrote to this bucket, or give the task a longer timeout."
        if any(finding.code == MISSING for report in bad for finding in report.errors)
        else "Look for what lies between OBS and this machine, such as a proxy, and run the task again."
    )
    listed = " | ".join(str(report) for report in bad)
    raise kind(f"{len(bad)} of {counted(len(reports), 'archive')} not proven whole: {listed}.", advice=advice)
