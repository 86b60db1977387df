"""Reports as HTML: one self-contained page each, filed in OBS beside those of earlier runs.

A page loads nothing and runs no script. Every value is escaped twice: :func:`escaped` makes each character
visible, Jinja's autoescape makes it text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jinja2 import Environment
from markupsafe import Markup

from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.exceptions import DliException, translated
from airflow_provider_dli.formatting import escaped, pluralize

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_dli.hooks.obs import ObsHook
    from airflow_provider_dli.services.archive_report import ArchiveReport
    from airflow_provider_dli.services.compare import JobComparison

#: runs in the chart, this one included
_RUNS = 20
#: bytes; a larger file is not read for the chart
_LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a report.

    :param title: its heading
    :param head: names of the columns
    :param rows: their values; None is a dash
    :param bad: numbers of the rows that failed; their first cell has it in words
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    bad: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Report:
    """The content of a report.

    :param title: its first line
    :param good: whether everything passed
    :param verdict: one sentence
    :param facts: name to value: when, which project
    :param tables: the details
    :param data: plain JSON values, read by later reports: ``value``, a count, and ``good``
    """

    title: str
    good: bool
    verdict: str
    facts: Mapping[str, object]
    tables: Sequence[Table]
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """A bar of the chart.

    :param label: when it ran
    :param value: how many jobs or archives
    :param good: whether everything passed
    """

    label: str
    value: int
    good: bool


def archives_report(reports: Sequence[ArchiveReport], facts: Mapping[str, object]) -> Report:
    """Return the report of a verification.

    :param reports: the results
    :param facts: name to value: when, at which level
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
    archives = pluralize(len(reports), "archive")
    verdict = f"{len(bad)} of {archives} failed verification." if bad else f"{archives} verified."
    data = {"value": len(reports), "good": not bad, "archives": plain}
    return Report("Archives of exported Flink jobs", not bad, verdict, facts, tables, data)


def comparison_report(comparisons: Sequence[JobComparison], verdict: str, facts: Mapping[str, object]) -> Report:
    """Return the report of a comparison of restored jobs.

    :param comparisons: of all jobs
    :param verdict: one sentence
    :param facts: name to value: when, which projects
    """
    ordered = sorted(comparisons, key=lambda each: each.problem is None)
    bad = frozenset(number for number, each in enumerate(ordered) if each.problem)
    rows = [(each.old_job_id, each.new_job_id, each.name, each.problem or "equal") for each in ordered]
    tables = [Table("Jobs", ("Old id", "New id", "Name", "Result"), rows, bad)]
    fields = [
        (
            each.old_job_id,
            each.name,
            difference.field,
            difference.describe(difference.source, show_values=each.show_values),
            difference.describe(difference.restored, show_values=each.show_values),
        )
        for each in ordered
        for difference in each.differences
    ]
    if fields:
        head = ("Old id", "Name", "Setting", "Was", "Is")
        tables.append(Table("Settings that differ", head, fields, frozenset(range(len(fields)))))
    data = {"value": len(comparisons), "good": not bad, "jobs": [each.as_dict() for each in ordered]}
    return Report("Restored Flink jobs compared with their sources", not bad, verdict, facts, tables, data)


def _grouped(number: int | None) -> str | None:
    return None if number is None else f"{number:,}"


def file_report(hook: ObsHook, directory: ObsLocation, kind: str, report: Report, log: Logger) -> str:
    """Write a report to OBS, with a chart of the last runs whose reports are in the same directory.

    :param hook: writes it
    :param directory: where to
    :param kind: first part of the file's name, such as ``verify``
    :param report: its content
    :param log: log of the task
    :returns: its place, as ``bucket/key``
    :raises DliException: if it cannot be written
    """
    now = datetime.now(UTC)
    report = replace(report, facts={"When": f"{now:%Y-%m-%d %H:%M} UTC", **report.facts})
    runs = [*_earlier_runs(hook, directory, kind, log), _run(f"{now:%Y-%m-%d %H:%M}", report.data)]
    place = directory.below(f"{kind}-report-{now:%Y%m%dT%H%M%S%f}.html")
    hook.put(place, html(report, runs).encode(), "text/html; charset=utf-8")
    log.info("The report is %s", place.url)
    return str(place)


def _earlier_runs(hook: ObsHook, directory: ObsLocation, kind: str, log: Logger) -> list[Run]:
    """Return the earlier runs, oldest first; none if they cannot be read: the report is useful without them."""
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


def _run(label: str, data: Mapping[str, Any]) -> Run:
    value = data.get("value")
    return Run(label, value if type(value) is int and value >= 0 else 0, bool(data.get("good")))


_DATA = ('<script type="application/json" id="report">', "</script>")


def data_of(page: str) -> dict[str, Any] | None:
    """Return the data in a page; None if it is not a report of ours.

    :param page: HTML
    """
    try:
        data = json.loads(page.partition(_DATA[0])[2].partition(_DATA[1])[0])
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def html(report: Report, runs: Sequence[Run] = ()) -> str:
    """Return the page.

    :param report: its content
    :param runs: the last ones, oldest first, this one included; fewer than two are not shown
    """
    page = Environment(autoescape=True, finalize=_visible, trim_blocks=True, lstrip_blocks=True)
    return page.from_string(_PAGE).render(report=report, runs=runs)


def _visible(value: object) -> object:
    if isinstance(value, Markup):
        return value
    return "-" if value is None else escaped(str(value))


_PAGE = """\
{% macro sign(good) %}{{ "✓ good:" if good else "✗ bad:" }}{% endmacro %}
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ report.title }}</title>
<style>
:root { color-scheme: light dark; --good: #176f2c; --bad: #b3261e; --line: #c4c7cc; --soft: #f4f5f7;
  --page: #fff; --text: #1b1b1f; }
@media (prefers-color-scheme: dark) {
  :root { --good: #7ddb92; --bad: #ffb4ab; --line: #4a4d52; --soft: #26282c; --page: #121212; --text: #ececee; } }
html { background: var(--page); color: var(--text); }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.verdict { border-left: .4rem solid; padding: .5rem 1rem; background: var(--soft); font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .6rem; text-align: left; vertical-align: top; }
td, tbody th { overflow-wrap: anywhere; max-width: 40rem; } thead th { white-space: nowrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; } dt { font-weight: 600; } dd {
margin: 0; }
</style>
</head>
<body>
<main>
<h1>{{ report.title }}</h1>
<p class="verdict {{ "good" if report.good else "bad" }}">{{ sign(report.good) }} {{ report.verdict }}</p>
<dl>{% for name, value in report.facts.items() %}<dt>{{ name }}</dt><dd>{{ value }}</dd>{% endfor %}</dl>
{% if runs|length > 1 %}
{# Bars of failed runs are hatched too, for those who do not see the colour. #}
{% set bad = runs|rejectattr("good")|list|length %}
{% set caption = "The last %d runs: %d bad; %d at first, %d now"|format(
  runs|length, bad, runs[0].value, runs[-1].value) %}
{% set most = [1, runs|map(attribute="value")|max]|max %}
<h2>The last runs</h2>
<figure><svg role="img" aria-labelledby="trend" width="{{ 28 * runs|length }}" height="98"
  viewBox="0 0 {{ 28 * runs|length }} 98"><title id="trend">{{ caption }}</title>
<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<rect width="3" height="6" fill="var(--bad)"/></pattern></defs>
{% for run in runs %}
{% set left, height = 28 * loop.index0, [2, (80 * run.value / most)|round|int]|max %}
<g><title>{{ run.label }}: {{ run.value }}, {{ "good" if run.good else "bad" }}</title>
<rect x="{{ left }}" y="{{ 80 - height }}" width="22" height="{{ height }}"
  fill="{{ "var(--good)" if run.good else "url(#hatch)" }}" stroke="currentColor" stroke-width=".5"/>
<text x="{{ left + 11 }}" y="94" font-size="11" text-anchor="middle" fill="currentColor">{{ run.value }}</text></g>
{% endfor %}
</svg><figcaption>{{ caption }}.</figcaption></figure>
{% endif %}
{% for table in report.tables %}
<h2>{{ table.title }}</h2>
{# What scrolls must be reachable by keyboard, and have a name. #}
<div class="scroll" tabindex="0" role="region" aria-label="{{ table.title }}"><table>
<thead><tr>{% for name in table.head %}<th scope="col">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in table.rows %}
{% set good = loop.index0 not in table.bad %}
<tr><th scope="row"><span class="{{ "good" if good else "bad" }}">{{ sign(good) }}</span> {{ row[0] }}</th>
{% for value in row[1:] %}<td>{{ value }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% endfor %}
</main>
<script type="application/json" id="report">{{ report.data|tojson }}</script>
</body>
</html>
"""
