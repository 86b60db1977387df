"""Reports on archives, for XCom, the log, lineage and an asset's event; and reports as pages of HTML in OBS.

A page is self-contained: it loads nothing and runs no script; see :mod:`~airflow_provider_dli.services.pages`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_dli import archive
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.exceptions import DliException, translated
from airflow_provider_dli.formatting import format_duration, format_ids, pluralize
from airflow_provider_dli.lineage import Check, Dataset, obs_dataset
from airflow_provider_dli.services.pages import Bar, render

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_dli.client.obs.objects import ObjectFacts
    from airflow_provider_dli.hooks.obs import ObsHook

#: by level: the check in lineage, and the result in words
_LEVELS = {
    "full": ("intact", "intact"),
    "directory": ("directory_intact", "with an intact central directory"),
    "exists": ("exists", "present, not read"),
}
#: archives that are logged one by one; of more, those that passed are in a group that the UI folds
_FEW = 3
#: runs in the chart of a page, this one included
_RUNS = 20
#: bytes; a larger file is not read for the chart
_LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ArchiveReport:
    """What is known of one archive."""

    place: ObsLocation
    #: how much of it was to be read
    level: str
    #: None if it does not exist
    facts: ObjectFacts | None = None
    #: what reading it showed; None if it was not read
    report: archive.Report | None = None
    #: what was found beside that, of the object as a whole; see docs/operators/verify.md
    object_findings: tuple[archive.Finding, ...] = ()
    #: jobs that need not be there, and may be in what was not examined of the archives that were read with it
    unexamined: frozenset[str] = frozenset()
    #: jobs that need not be there, and are in none of these archives, although they show which jobs they have
    absent: frozenset[str] = frozenset()
    #: jobs that must be there, and were found in none of these archives
    missing: tuple[str, ...] = ()

    @property
    def findings(self) -> tuple[archive.Finding, ...]:
        """All findings, those of the object first."""
        return self.object_findings + (self.report.findings if self.report else ())

    @property
    def errors(self) -> tuple[archive.Finding, ...]:
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
        failed = tuple(
            Check(finding.code, success=False, description=finding_line(finding)) for finding in self.errors
        )
        return obs_dataset(
            str(self.place),
            version=facts and (facts.version_id or facts.etag),
            size=facts and facts.size,
            checks=passed + failed,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for XCom."""
        return {
            "zip_file": str(self.place),
            "bucket": self.place.bucket,
            "key": self.place.key,
            "verified": self.verified,
            "level": self.level,
            **{name: getattr(self.facts, name, None) for name in ("size", "etag", "version_id", "last_modified")},
            "sha256": self.report.sha256 if self.report else None,
            "entries": len(self.report.entries) if self.report else None,
            "fingerprint": [group._asdict() for group in self.report.fingerprint] if self.report else [],
            "findings": [{**finding._asdict(), "severity": str(finding.severity)} for finding in self.findings],
        }

    def lines(self) -> list[str]:
        """Return a few short lines for the log."""
        if self.facts is None:
            return [str(self)]
        result = self.result if self.verified else "FAILED"
        entries = f"{pluralize(len(self.report.entries), 'entry', 'entries')}, " if self.report else ""
        hashed = [f"  sha256 {self.report.sha256}"] if self.report and self.report.sha256 else []
        findings = [f"  {finding_line(finding)}" for finding in self.findings]
        layout = [f"  layout: {group}" for group in (self.report.fingerprint if self.report else ())]
        return [self.place.url, f"  {result}: {entries}{self.facts.size:,} bytes", *hashed, *findings, *layout]

    def __str__(self) -> str:
        """Return what is wrong with it in one line, for the message of a failure."""
        return f"{self.place.url}: {self.problem}"

    @property
    def problem(self) -> str:
        """What is wrong with it in one line."""
        return format_ids([finding_line(finding) for finding in self.errors or self.findings], "; ")


def finding_line(finding: archive.Finding) -> str:
    """Return a finding as one line."""
    where = "" if finding.offset is None else f" at byte {finding.offset}"
    entry = "" if finding.entry is None else f" in '{finding.entry}'"
    return f"{finding.code}{entry}{where}: {finding.message}"


def log_reports(reports: Sequence[ArchiveReport], seconds: float, log: Logger) -> None:
    """Log the result for every archive, failed ones last, and for all together."""
    verified = [report for report in reports if report.verified]
    is_folded = len(verified) > _FEW
    if is_folded:
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


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a page; a value that is None is a dash."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    #: numbers of the rows that failed; their first cell has it in words
    bad: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Page:
    """The content of a page."""

    title: str
    good: bool
    verdict: str
    #: name to value: when, which project
    facts: Mapping[str, object]
    tables: Sequence[Table]
    #: plain JSON values, read by later pages: ``value``, a count, and ``good``
    data: Mapping[str, Any] = field(default_factory=dict)


def page_of_archives(
    reports: Sequence[ArchiveReport], facts: Mapping[str, object], missing_jobs: Sequence[int | str] = ()
) -> Page:
    """Return the page on a verification.

    :param missing_jobs: expected jobs that were found in none of the archives
    """
    bad = frozenset(number for number, report in enumerate(reports) if not report.verified)
    plain = [report.as_dict() for report in reports]
    rows = [(each["zip_file"], _grouped(each["size"]), each["entries"], each["sha256"]) for each in plain]
    tables = [Table("Archives", ("Archive", "Bytes", "Entries", "SHA-256"), rows, bad)]
    findings = [
        (str(report.place), each.code, each.severity, each.entry, _grouped(each.offset), each.message)
        for report in reports
        for each in report.findings
    ]
    if findings:
        head = ("Archive", "Finding", "Severity", "Entry", "At byte", "Message")
        tables.append(Table("Findings", head, findings, frozenset(range(len(findings)))))
    layouts = [
        (str(report.place), *group) for report in reports if report.report for group in report.report.fingerprint
    ]
    if layouts:
        head = ("Archive", "Entries named", "Content", "How many", "Bytes", "to")
        tables.append(Table("Layout that is not known", head, layouts, frozenset(range(len(layouts)))))
    if missing_jobs:
        jobs = [(job,) for job in missing_jobs]
        tables.append(Table("Expected jobs that were not found", ("Job",), jobs, frozenset(range(len(jobs)))))
    archives = pluralize(len(reports), "archive")
    verdict = f"{len(bad):,} of {archives} failed verification." if bad else f"{archives} verified."
    data = {"value": len(reports), "good": not bad, "archives": plain}
    return Page("Archives of exported Flink jobs", not bad, verdict, facts, tables, data)


def _grouped(number: int | None) -> str | None:
    return None if number is None else f"{number:,}"


def write_page(hook: ObsHook, directory: ObsLocation, kind: str, page: Page, log: Logger) -> str:
    """Write a page to OBS, with a chart of the last runs whose pages are in the same directory.

    :param kind: first part of the file's name, such as ``verify``
    :returns: its place, as ``bucket/key``
    :raises DliException: if it cannot be written
    """
    now = datetime.now(UTC)
    page = replace(page, facts={"When": f"{now:%Y-%m-%d %H:%M} UTC", **page.facts})
    runs = [*_earlier_runs(hook, directory, kind, log), _run(f"{now:%Y-%m-%d %H:%M}", page.data)]
    place = directory.below(f"{kind}-report-{now:%Y%m%dT%H%M%S%f}.html")
    hook.put(place, html(page, runs).encode(), "text/html; charset=utf-8")
    log.info("The report is %s", place.url)
    return str(place)


def _earlier_runs(hook: ObsHook, directory: ObsLocation, kind: str, log: Logger) -> list[Bar]:
    """Return the earlier runs, oldest first; none if they cannot be read: the page is useful without them."""
    runs = []
    try:
        names = (key for key, _ in hook.list_directory(directory).objects)
        keys = sorted(key for key in names if key.rpartition("/")[2].startswith(f"{kind}-report-"))
        for key in [key for key in keys if key.endswith(".html")][1 - _RUNS :]:
            place = ObsLocation(directory.bucket, key)
            facts = hook.find(place)
            if facts is None or facts.size > _LARGEST:
                continue
            with translated(), hook.open(place, facts) as reader:
                data = data_of(reader.read(facts.size).decode("utf-8", "replace"))
            if data:
                stamp = key.rpartition("-")[2]
                runs.append(_run(f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]} {stamp[9:11]}:{stamp[11:13]}", data))
    except DliException as error:
        log.info("The report omits earlier runs: %s", error)
        return []
    return runs


def _run(label: str, data: Mapping[str, Any]) -> Bar:
    """Return the bar of a run: when it ran, how many jobs or archives, and whether everything passed."""
    given = data.get("value")
    value = given if type(given) is int and given >= 0 else 0
    return Bar(label, value, bool(data.get("good")), str(value))


_DATA = ('<script type="application/json" id="report">', "</script>")


def data_of(page: str) -> dict[str, Any] | None:
    """Return the data in a page; None if it is not a report of ours."""
    try:
        data = json.loads(page.partition(_DATA[0])[2].partition(_DATA[1])[0])
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def html(page: Page, runs: Sequence[Bar] = ()) -> str:
    """Return the page; of the runs, oldest first and this one included, fewer than two are not shown."""
    return render(_TEMPLATE, page=page, runs=runs)


_TEMPLATE = """\
{% extends "frame" %}
{% block content %}
{% if runs|length > 1 %}
{% set caption = "The last %d runs: %d bad; %s at first, %s now"|format(
  runs|length, runs|rejectattr("good")|list|length, runs[0].text, runs[-1].text) %}
<h2>The last runs</h2>
<figure>{{ parts.chart(runs, "trend", caption) }}<figcaption>{{ caption }}.</figcaption></figure>
{% endif %}
{{ parts.tables(page.tables) }}
{% endblock %}
{% block data %}<script type="application/json" id="report">{{ page.data|tojson }}</script>{% endblock %}
"""
