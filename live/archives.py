"""What one archive shows: its layout, its ETag, and when it was written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from points import Outcome, Question, Result

from airflow_provider_dli.archive import Expectation, Limits, Report, inspect
from airflow_provider_dli.client.locations import parse_archive
from airflow_provider_dli.client.obs.objects import ObjectFacts
from airflow_provider_dli.hooks.obs import ObsHook

#: header that makes a bucket a parallel file system (obs_13_0012); that HEAD returns it is assumed
_FILE_SYSTEM = "x-obs-fs-file-interface"


@dataclass
class Archive:
    """An archive in OBS.

    :param obs: of a connection that may read it
    :param zip_file: its place, ``bucket/key``
    :param jobs: id and name of each job that is known: they are expected in it, and in nothing that is reported
    """

    obs: ObsHook
    zip_file: str
    jobs: dict[str, str]

    def questions(self) -> list[Question]:
        """Return the questions."""
        return [
            Question(1, "what is in an archive", self.layout),
            Question(15, "ETag, encryption and file system", self.etag),
        ]

    def facts(self) -> ObjectFacts:
        """Return what OBS has of it.

        :raises LookupError: if it is not there
        """
        facts = self.obs.find(parse_archive("zip_file", self.zip_file))
        if facts is None:
            raise LookupError
        return facts

    def report(self) -> Report:
        """Inspect it."""
        with self.obs.open(parse_archive("zip_file", self.zip_file), self.facts()) as opened:
            return inspect(
                opened,
                md5=True,
                expect=Expectation((*self.jobs, *self.jobs.values())),
                limits=Limits(findings=2 * len(self.jobs) + 1),
                fingerprint=True,
            )

    def found(self, report: Report) -> set[str] | None:
        """Return the ids of the jobs that are in it; None if its layout is not known."""
        if any(finding.code == "unknown-layout" for finding in report.findings):
            return None
        return set(self.jobs) - {finding.job for finding in report.findings if finding.job}

    def layout(self) -> Result:
        """Describe it, without anything that is its owner's."""
        report = self.report()
        found = self.found(report)
        known = "layout not known" if found is None else f"{len(found)} of {len(self.jobs)} jobs found"
        codes = sorted({finding.code for finding in report.findings if finding.job is None})
        if any(finding.job is None for finding in report.errors):
            return Outcome.FAILED, f"it is damaged: {', '.join(codes)}", {}
        evidence = {"findings": codes, "fingerprint": [group._asdict() for group in report.fingerprint]}
        names: Counter[str] = Counter()
        for group in report.fingerprint:
            names[group.name] += group.entries
        return (
            Outcome.DECIDED,
            "; ".join([known, *(f"{count} x {name}" for name, count in names.items())]),
            evidence,
        )

    def etag(self) -> Result:
        """Compare its ETag with the MD5 of its bytes."""
        facts, report = self.facts(), self.report()
        digits = "32 digits" if len(facts.etag) == len(report.md5 or "") else "another form"
        result = "the MD5" if facts.etag == report.md5 else f"not the MD5 ({digits})"
        bucket = parse_archive("zip_file", self.zip_file).bucket
        headers = self.obs.get_conn().head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"]
        kind = "a parallel file system" if _FILE_SYSTEM in headers else "not shown as a parallel file system"
        marked = "marked as encrypted" if facts.encrypted else "not marked as encrypted"
        evidence = {"is MD5": facts.etag == report.md5, "encrypted": facts.encrypted, "bucket": kind}
        return Outcome.DECIDED, f"{result}; {marked}; {kind}", evidence


def timing(find: Callable[[], ObjectFacts | None], seconds: float, responded: float) -> tuple[str, dict[str, Any]]:
    """Describe how long an export took, and when its object was written by OBS's clock.

    :param find: the first look-up after the response
    :param seconds: from the request to the response
    :param responded: time of the response by DLI's own clock, in seconds since 1970
    """
    facts = find()
    if facts is None:
        return f"response after {seconds:.1f} s, object not there yet", {
            "seconds": round(seconds, 1),
            "there": False,
        }
    written = datetime.fromisoformat(facts.last_modified).timestamp() - responded
    evidence = {"seconds": round(seconds, 1), "there": True, "written after response": round(written, 1)}
    return f"response after {seconds:.1f} s, object there, written {written:+.0f} s from it", evidence
