"""What is known of one archive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.archive import Finding, Report
from airflow_provider_dli.lineage import Check, Dataset, obs_dataset
from airflow_provider_dli.wording import counted

if TYPE_CHECKING:
    from airflow_provider_dli.archive.codes import Severity
    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.client.obs.objects import ObjectFacts

_ERROR: Severity = "error"
_WARNING: Severity = "warning"


def defect(code: str, message: str) -> Finding:
    """Make a finding about the object as a whole; its codes are listed in docs/verification.md.

    :param code: stable
    :param message: one sentence
    """
    return Finding(code, _ERROR, message)


def note(code: str, message: str) -> Finding:
    """Make a finding that a person should know of; the archive is no worse for it.

    :param code: stable
    :param message: one sentence
    """
    return Finding(code, _WARNING, message)


@dataclass(frozen=True, slots=True)
class ArchiveReport:
    """What is known of one archive.

    :param place: where it is, or should be
    :param level: how much was asked for
    :param facts: what OBS says of it; None if it is not there
    :param report: what reading it showed; None if it was not read
    :param defects: what was found beside that, of the object as a whole
    """

    place: ObsLocation
    level: str
    facts: ObjectFacts | None = None
    report: Report | None = None
    defects: tuple[Finding, ...] = ()

    @property
    def proof(self) -> dict[str, Any]:
        """What was proven, for an asset's event."""
        size = self.facts.size if self.facts else None
        sha256 = self.report.sha256 if self.report else None
        entries = len(self.report.entries) if self.report else None
        return {"verified": self.sound, "level": self.level, "size": size, "sha256": sha256, "entries": entries}

    @property
    def proven(self) -> str:
        """What a sound archive of this level is known to be."""
        return _PROVEN[self.level]

    @property
    def dataset(self) -> Dataset:
        """The archive and what was proven or disproven of it, for lineage."""
        facts = self.facts
        proven = (Check(_CHECKS[self.level], success=True),) if self.sound else ()
        failed = tuple(Check(finding.code, success=False, description=_line(finding)) for finding in self.errors)
        return obs_dataset(
            str(self.place),
            version=facts and (facts.version_id or facts.etag),
            size=facts and facts.size,
            checks=proven + failed,
        )

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that was found, of the object first."""
        return self.defects + (self.report.findings if self.report else ())

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that make it unsound."""
        return tuple(finding for finding in self.findings if finding.severity == _ERROR)

    @property
    def sound(self) -> bool:
        """True if it is all that was asked for."""
        return not self.errors

    def as_dict(self) -> dict[str, Any]:
        """Write it as plain values, for XCom."""
        facts, report = self.facts, self.report
        return {
            "zip_file": str(self.place),
            "bucket": self.place.bucket,
            "key": self.place.key,
            "sound": self.sound,
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
        """Say it in a few short lines, for the log."""
        if self.facts is None:
            return [str(self)]
        verdict = self.proven if self.sound else "NOT WHOLE"
        entries = f"{counted(len(self.report.entries), 'entry', 'entries')}, " if self.report else ""
        hashed = [f"  sha256 {self.report.sha256}"] if self.report and self.report.sha256 else []
        findings = [f"  {_line(finding)}" for finding in self.findings]
        return [self.place.url, f"  {verdict}: {entries}{self.facts.size:,} bytes", *hashed, *findings]

    def __str__(self) -> str:
        """Say what is wrong with it in one line, for the message of a failure."""
        return f"{self.place.url}: " + "; ".join(_line(finding) for finding in self.errors or self.findings)


#: the name of what is proven of a sound archive, by level
_CHECKS = {"full": "whole", "directory": "directory_whole", "exists": "exists"}
#: the same in words
_PROVEN = {"full": "whole", "directory": "with a whole directory", "exists": "there, not read"}


def _line(finding: Finding) -> str:
    where = "" if finding.offset is None else f" at byte {finding.offset}"
    entry = "" if finding.entry is None else f" in '{finding.entry}'"
    return f"{finding.code}{entry}{where}: {finding.message}"
