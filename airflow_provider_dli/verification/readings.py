"""Two readings of one archive: what came over the network may have been damaged there, and not in OBS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_dli.verification.report import defect, note

if TYPE_CHECKING:
    from airflow_provider_dli.archive import Finding, Report
    from airflow_provider_dli.client.obs.objects import ObjectFacts

ON_THE_WAY = "damaged-on-the-way"
#: what is demanded and not there, in an archive whose bytes are as they should be
_DEMANDS = ("too-few-entries", "missing-job", "job-not-examined", "more-findings")


def is_doubtful(facts: ObjectFacts, report: Report) -> bool:
    """Tell whether the bytes may have been damaged on their way.

    :param facts: what OBS says of the archive
    :param report: on a reading of it
    """
    return _is_damaged(report) or _differs(facts, report)


def told(report: Report) -> str:
    """Return, for the log, what is wrong with a reading.

    :param report: on a reading that is doubtful
    """
    codes = dict.fromkeys(finding.code for finding in report.errors)
    return ", ".join(codes) or "its MD5 is not the ETag"


def compare_readings(facts: ObjectFacts, report: Report, first: Report | None) -> list[Finding]:
    """Return what the readings of an archive say of the object; the second one decides.

    :param facts: what OBS says of the archive
    :param report: on the only reading, or the second
    :param first: on the first, if it was doubtful
    """
    found = []
    if first and (first.sha256, first.findings) != (report.sha256, report.findings):
        found.append(_differing(facts, report, first))
    elif _is_damaged(report):
        found.append(note("damaged-in-obs", "two readings gave the same: it did not happen on the way"))
    if _differs(facts, report):
        # Where every CRC holds, the ETag is no MD5: so it is of encrypted objects, whether OBS tells it or not.
        found.append(note("etag-mismatch", f"the ETag is {facts.md5}, the MD5 of the bytes {report.md5}"))
    return found


def _differing(facts: ObjectFacts, report: Report, first: Report) -> Finding:
    message = f"two readings of one version differ; the first showed: {told(first)}; the second"
    if _is_damaged(report) or (_differs(facts, report) and not _is_damaged(first)):
        return defect(ON_THE_WAY, f"{message}: {told(report)}")
    return note(ON_THE_WAY, f"{message} is good")


def _is_damaged(report: Report) -> bool:
    return any(finding.code not in _DEMANDS for finding in report.errors)


def _differs(facts: ObjectFacts, report: Report) -> bool:
    return report.md5 is not None and facts.md5 is not None and report.md5 != facts.md5
