"""The jobs that are searched for in all archives of a verification together.

A job is missing only if it is in none of the archives, nor may be in what was not examined of one. What is kept
grows with the jobs and with the archives, and not with their product.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_dli.archive import Expectation, Finding, Limits
from airflow_provider_dli.archive.report import MORE, severity
from airflow_provider_dli.formatting import pluralize

if TYPE_CHECKING:
    from airflow_provider_dli.archive import Report
    from airflow_provider_dli.services.report import ArchiveReport

_MISSING_JOB = "missing-job"
_UNEXAMINED = frozenset({"job-not-examined", "job-unproven"})
_UNKNOWN_LAYOUT = "unknown-layout"
#: findings on jobs of one code in the reports of all archives together: more are counted
_MAX_FINDINGS = Limits().findings


class ExpectedJobs:
    """Jobs that must be in one of several archives, and others that need not be there.

    :param expected: that must be there
    :param others: that are searched for, too: see :attr:`.ArchiveReport.absent`
    :param accepts_unexamined: whether a job passes that may be in what was not examined
    """

    def __init__(
        self, expected: Iterable[int | str], others: Iterable[int | str], *, accepts_unexamined: bool
    ) -> None:
        self._expected = frozenset(map(str, expected))
        self._others = frozenset(map(str, others)) - self._expected
        self._accepts_unexamined = accepts_unexamined
        self._nowhere = set(self._expected | self._others)
        #: whether jobs are ids, of those that may be in what was not examined of an archive
        self._undecided: set[bool] = set()
        self._reported: Counter[str] = Counter()

    def expectation(self, min_entries: int) -> Expectation:
        """Return what is searched for in each archive."""
        return Expectation(jobs=(*self._expected, *self._others), min_entries=min_entries)

    def note(self, each: ArchiveReport) -> ArchiveReport:
        """Note which jobs an archive has that was read; return its report without them."""
        if each.report is None:
            return each
        self._nowhere -= each.report.found
        codes = enumerate(absence.code for absence in each.report.absences)
        self._undecided |= {bool(is_id) for is_id, code in codes if code != _MISSING_JOB}
        return replace(each, report=each.report._replace(found=frozenset()))

    def finish(self, reports: Sequence[ArchiveReport]) -> list[ArchiveReport]:
        """Return the reports on all archives with what was not found."""
        nowhere = frozenset(self._nowhere)
        undecided = frozenset(job for job in nowhere if job.isdecimal() in self._undecided)
        accepted = undecided if self._accepts_unexamined else frozenset()
        missing = sorted(nowhere & self._expected)
        by_kind = {is_id: [job for job in missing if job.isdecimal() is is_id] for is_id in (True, False)}
        others = nowhere & self._others
        absent, unexamined = others - undecided, others & undecided | (accepted & self._expected)
        named = tuple(job for job in missing if job not in accepted)
        return [
            self._finished(
                replace(each, absent=absent, unexamined=unexamined, missing=named), each.report, by_kind
            )
            if each.report
            else each
            for each in reports
        ]

    def _finished(
        self, each: ArchiveReport, report: Report, missing: Mapping[bool, Sequence[str]]
    ) -> ArchiveReport:
        """Return a report with the findings on jobs that were not found."""
        notes, findings, is_unknown = list(each.object_findings), list(report.findings), False
        unnamed: Counter[str] = Counter()
        for is_id, jobs in missing.items():
            absence = report.absences[is_id] if jobs else None
            # Another archive may have them.
            if absence is None or (absence.code == _MISSING_JOB and is_id in self._undecided):
                continue
            is_unknown = is_unknown or absence.code in _UNEXAMINED
            if absence.code in _UNEXAMINED and self._accepts_unexamined:
                message = f"{pluralize(len(jobs), 'expected job')} like this: {absence.message(jobs[0])}"
                notes.append(Finding(absence.code, "warning", message))
            else:
                named = jobs[: max(0, _MAX_FINDINGS - self._reported[absence.code])]
                self._reported[absence.code] += len(named)
                findings += map(absence.finding, named)
                unnamed[absence.code] += len(jobs) - len(named)
        findings += [
            Finding(MORE, severity(code), f"{count} more findings of code {code}")
            for code, count in unnamed.items()
            if count
        ]
        # That the layout is not known counts only beside a job that may be there.
        if not is_unknown:
            findings = [finding for finding in findings if finding.code != _UNKNOWN_LAYOUT]
            report = report._replace(fingerprint=())
        report = report._replace(findings=tuple(findings))
        return replace(each, report=report, object_findings=tuple(notes))
