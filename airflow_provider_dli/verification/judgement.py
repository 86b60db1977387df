"""Green or red, and what to do."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.verification.readings import ON_THE_WAY
from airflow_provider_dli.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_dli.archive import Finding
    from airflow_provider_dli.verification.report import ArchiveReport

MISSING = "missing"
#: after one of these a retry may help
_PASSING = frozenset({MISSING, ON_THE_WAY})
_MISSING_JOB = "missing-job"
_JOB_CODES = (_MISSING_JOB, "job-not-examined", "job-unproven")
_JOB = re.compile(r"job '(.*?)' (?:was found|is in no entry)")


def together(reports: Sequence[ArchiveReport]) -> list[ArchiveReport]:
    """Hold archives against each other: a job that is in one of them is not missing from the others.

    Nor is a job missing that may be in what was not examined of another.

    :param reports: of all archives of one verification
    """
    read = [_jobs(each) for each in reports if each.report]
    nowhere = set.intersection(*(set(each) for each in read)) if read else set()
    open_ones = {job for each in read for job, code in each.items() if code != _MISSING_JOB}
    return [_without_jobs(report, nowhere, open_ones) for report in reports]


def _jobs(report: ArchiveReport) -> dict[str, str]:
    """Return the jobs that were not found, each with the code that says so."""
    return {job: finding.code for finding in report.findings if (job := _job_of(finding))}


def _job_of(finding: Finding) -> str | None:
    named = _JOB.match(finding.message) if finding.code in _JOB_CODES else None
    return named[1] if named else None


def _without_jobs(report: ArchiveReport, nowhere: set[str], open_ones: set[str]) -> ArchiveReport:
    if report.report is None:
        return report
    kept = []
    for finding in report.report.findings:
        job = _job_of(finding)
        if job is None or (job in nowhere and not (job in open_ones and finding.code == _MISSING_JOB)):
            kept.append(finding)
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
