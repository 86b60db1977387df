"""The report on an archive: for XCom, the log, lineage and an asset's event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.archive import Finding, Report
from airflow_provider_dli.formatting import format_duration, pluralize
from airflow_provider_dli.lineage import Check, Dataset, obs_dataset

if TYPE_CHECKING:
    from collections.abc import Sequence
    from logging import Logger

    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.client.obs.objects import ObjectFacts

#: by level: the check in lineage, and the result in words
_LEVELS = {
    "full": ("intact", "intact"),
    "directory": ("directory_intact", "with an intact central directory"),
    "exists": ("exists", "present, not read"),
}
#: archives that are logged one by one; of more, those that passed are in a group that the UI folds
_FEW = 3


def defect(code: str, message: str) -> Finding:
    """Return a finding about the object as a whole; its codes are listed in docs/verification.md.

    :param code: stable
    :param message: one sentence
    """
    return Finding(code, "error", message)


def note(code: str, message: str) -> Finding:
    """Return a finding that a person should know of and that does not fail the archive.

    :param code: stable
    :param message: one sentence
    """
    return Finding(code, "warning", message)


@dataclass(frozen=True, slots=True)
class ArchiveReport:
    """What is known of one archive.

    :param place: where it is, or should be
    :param level: how much of it was to be read
    :param facts: its metadata in OBS; None if it does not exist
    :param report: what reading it showed; None if it was not read
    :param object_findings: what was found beside that, of the object as a whole
    """

    place: ObsLocation
    level: str
    facts: ObjectFacts | None = None
    report: Report | None = None
    object_findings: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, those of the object first."""
        return self.object_findings + (self.report.findings if self.report else ())

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings for which it fails."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def verified(self) -> bool:
        """Whether it is all that was required."""
        return not self.errors

    @property
    def result(self) -> str:
        """The result in words, for an archive that passed."""
        return _LEVELS[self.level][1]

    @property
    def proof(self) -> dict[str, Any]:
        """What was verified, for an asset's event."""
        values = self.as_dict()
        return {key: values[key] for key in ("verified", "level", "size", "sha256", "entries")}

    @property
    def dataset(self) -> Dataset:
        """The archive and the checks that it passed or failed, for lineage."""
        facts = self.facts
        passed = (Check(_LEVELS[self.level][0], success=True),) if self.verified else ()
        failed = tuple(Check(finding.code, success=False, description=_line(finding)) for finding in self.errors)
        return obs_dataset(
            str(self.place),
            version=facts and (facts.version_id or facts.etag),
            size=facts and facts.size,
            checks=passed + failed,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for XCom."""
        facts, report = self.facts, self.report
        return {
            "zip_file": str(self.place),
            "bucket": self.place.bucket,
            "key": self.place.key,
            "verified": self.verified,
            "level": self.level,
            "size": facts.size if facts else None,
            "etag": facts.etag if facts else None,
            "version_id": facts.version_id if facts else None,
            "last_modified": facts.last_modified if facts else None,
            "sha256": report.sha256 if report else None,
            "entries": len(report.entries) if report else None,
            "findings": [{**finding._asdict(), "severity": str(finding.severity)} for finding in self.findings],
        }

    def lines(self) -> list[str]:
        """Return a few short lines for the log."""
        if self.facts is None:
            return [str(self)]
        result = self.result if self.verified else "FAILED"
        entries = f"{pluralize(len(self.report.entries), 'entry', 'entries')}, " if self.report else ""
        hashed = [f"  sha256 {self.report.sha256}"] if self.report and self.report.sha256 else []
        findings = [f"  {_line(finding)}" for finding in self.findings]
        return [self.place.url, f"  {result}: {entries}{self.facts.size:,} bytes", *hashed, *findings]

    def __str__(self) -> str:
        """Return what is wrong with it in one line, for the message of a failure."""
        return f"{self.place.url}: " + "; ".join(_line(finding) for finding in self.errors or self.findings)


def _line(finding: Finding) -> str:
    where = "" if finding.offset is None else f" at byte {finding.offset}"
    entry = "" if finding.entry is None else f" in '{finding.entry}'"
    return f"{finding.code}{entry}{where}: {finding.message}"


def log_reports(reports: Sequence[ArchiveReport], seconds: float, log: Logger) -> None:
    """Log the result for every archive, failed ones last, and for all together.

    :param reports: on each
    :param seconds: how long it took to read them
    :param log: gets the lines
    """
    verified = [report for report in reports if report.verified]
    if is_folded := len(verified) > _FEW:
        log.info("::group::%s", pluralize(len(verified), "verified archive"))
    _log_each(verified, log)
    if is_folded:
        log.info("::endgroup::")
    _log_each([report for report in reports if not report.verified], log)
    if verified:
        entries = sum(len(report.report.entries) for report in verified if report.report)
        size = sum(report.facts.size for report in verified if report.facts)
        log.info(
            "%s of %s %s: %s, %s bytes, in %s.",
            f"{len(verified):,}",
            pluralize(len(reports), "archive"),
            verified[0].result,
            pluralize(entries, "entry", "entries"),
            f"{size:,}",
            format_duration(seconds),
        )


def _log_each(reports: Sequence[ArchiveReport], log: Logger) -> None:
    for report in reports:
        for line in report.lines():
            log.info("%s", line)
