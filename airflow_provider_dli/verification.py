"""From the place of an archive to a report on it: wait for it, read it, judge it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.archive import Finding, Report, inspect
from airflow_provider_dli.exceptions import DliException, DliFailException, translated
from airflow_provider_dli.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.client.obs.objects import ObjectFacts
    from airflow_provider_dli.hooks.obs import ObsHook


if TYPE_CHECKING:

    class Logger(Protocol):
        """What is used of a task's log, whichever library Airflow makes it with."""

        def info(self, msg: str, /, *args: object) -> object:
            """Log at INFO."""
            ...


@dataclass(frozen=True, slots=True)
class ArchiveReport:
    """What is known of one archive.

    :param place: where it is, or should be
    :param facts: what OBS says of it; None if it is not there
    :param report: what reading it showed; None if it is not there
    """

    place: ObsLocation
    facts: ObjectFacts | None = None
    report: Report | None = None

    @property
    def sound(self) -> bool:
        """True if it is there and whole."""
        return self.report is not None and self.report.sound

    def as_dict(self) -> dict[str, Any]:
        """Write it as plain values, for XCom."""
        facts, report = self.facts, self.report
        return {
            "zip_file": str(self.place),
            "bucket": self.place.bucket,
            "key": self.place.key,
            "sound": self.sound,
            "size": facts.size if facts else None,
            "etag": facts.etag if facts else None,
            "last_modified": facts.last_modified if facts else None,
            "sha256": report.sha256 if report else None,
            "entries": len(report.entries) if report else 0,
            "findings": [_finding(finding) for finding in report.findings] if report else [MISSING],
        }

    def lines(self) -> list[str]:
        """Say it in a few short lines, for the log."""
        if self.report is None or self.facts is None:
            return [str(self)]
        entries = counted(len(self.report.entries), "entry", "entries")
        verdict = "whole" if self.sound else "NOT WHOLE"
        findings = [f"  {_line(finding)}" for finding in self.report.findings]
        facts = f"  {verdict}: {entries}, {self.facts.size:,} bytes"
        return [self.place.url, facts, f"  sha256 {self.report.sha256}", *findings]

    def __str__(self) -> str:
        """Say what is wrong with it in one line, for the message of a failure."""
        if self.report is None:
            return f"{self.place.url}: {MISSING['code']}: {MISSING['message']}"
        return f"{self.place.url}: " + "; ".join(_line(finding) for finding in self.report.findings)


MISSING = {
    "code": "missing",
    "severity": "error",
    "offset": None,
    "entry": None,
    "message": "there is no such object in the bucket",
}


class Verification:
    """Verifies archives one after the other, waiting for them out of one budget of time.

    :param hook: reads OBS
    :param timeout: seconds to wait, in all, for archives that are not there yet
    :param poll_interval: seconds between two looks
    :param log: where to tell
    """

    def __init__(self, hook: ObsHook, timeout: float, poll_interval: float, log: Logger) -> None:
        self._hook = hook
        self._deadline = time.monotonic() + timeout
        self._timeout = timeout
        self._poll_interval = poll_interval
        self._log = log

    def verify(self, place: ObsLocation) -> ArchiveReport:
        """Wait for an archive and read it.

        :param place: where it should be
        :raises DliException: if OBS does not answer, or the archive is replaced while it is read
        """
        facts = self._wait_for(place)
        if facts is None:
            outcome = ArchiveReport(place)
        else:
            with translated(), self._hook.open(place, facts) as reader:
                outcome = ArchiveReport(place, facts, inspect(reader, level="full"))
        for line in outcome.lines():
            self._log.info("%s", line)
        return outcome

    def _wait_for(self, place: ObsLocation) -> ObjectFacts | None:
        waiting = False
        while (facts := self._hook.find(place)) is None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                return None
            if not waiting:
                self._log.info("%s is not there yet; waiting at most %.0f s.", place.url, left)
                waiting = True
            time.sleep(min(self._poll_interval, left))
        return facts


def judge(reports: Sequence[ArchiveReport]) -> None:
    """Pass if every archive is whole.

    :raises DliFailException: listing every defect of every archive, if one is damaged
    :raises DliException: if some are only missing: they may still come
    """
    bad = [report for report in reports if not report.sound]
    if not bad:
        return
    damaged = any(report.report for report in bad)
    kind = DliFailException if damaged else DliException
    advice = (
        "Keep what is there as evidence, and export again."
        if damaged
        else "Look whether the export wrote to this bucket, or give the task a longer timeout."
    )
    listed = " | ".join(str(report) for report in bad)
    total = counted(len(reports), "archive")
    raise kind(f"{len(bad)} of {total} not proven whole: {listed}. {advice}")


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": str(finding.severity),
        "offset": finding.offset,
        "entry": finding.entry,
        "message": finding.message,
    }


def _line(finding: Finding) -> str:
    where = "" if finding.offset is None else f" at byte {finding.offset}"
    return f"{finding.code}{where}: {finding.message}"
