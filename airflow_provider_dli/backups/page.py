"""The pages of a catalogue, in HTML: all of it, and one backup.

Airflow shows them, and the first lies beside the backups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from markupsafe import Markup

from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.coverage import REMEDIES, Problem
from airflow_provider_dli.backups.manifest import RecordName
from airflow_provider_dli.backups.state import Backup
from airflow_provider_dli.backups.summary import (
    BACKUP_STATES,
    JOB_STATES,
    MAX_JOBS,
    JobSummary,
    ProjectSummary,
    Summary,
    summarize,
)
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.formatting import escaped, format_size, pluralize
from airflow_provider_dli.services.pages import SCRIPT, Bar, Rows, render
from airflow_provider_dli.services.report import Table

INDEX = "index.html"
#: backups in the chart of a project
_BARS = 20
#: backups of a project, the newest, and archives of each, that the file beside them describes
_DESCRIBED, _ARCHIVES = 20, 50
#: records of a backup that are read
_READ = 20
#: of a job, whether it was found in an archive
_FOUND = {True: "found", False: "not found", None: "not known"}
#: of a value of a record
_LENGTH = 300

#: the address of a backup; None if there is none
Link = Callable[[Backup], str | None]


@dataclass(frozen=True, slots=True)
class Frame:
    """What is at the top of a page.

    :param good: None if the verdict is neither good nor bad
    """

    title: str
    good: bool | None
    verdict: str
    facts: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Description(Frame):
    """All that is known of one backup."""

    tables: Sequence[Table]
    anchor: str = ""


def static_page(catalogue: Catalogue) -> str:
    """Return the page of a catalogue as one file that needs nothing else.

    :raises DliException: if the catalogue cannot be listed or read
    """
    summary = summarize(catalogue)
    newest = [backup for project in summary.projects for backup in reversed(project.backups[-_DESCRIBED:])]
    anchors = {backup.place: f"backup-{number}" for number, backup in enumerate(newest, 1)}

    def link(backup: Backup) -> str | None:
        anchor = anchors.get(backup.place)
        return f"#{anchor}" if anchor else None

    return catalogue_page(summary, link, [describe(each, anchors[each.place]) for each in newest])


def write_page(catalogue: Catalogue) -> ObsLocation:
    """Write the page of a catalogue beside its projects, in place of the last one; return its place.

    :raises DliException: if the catalogue cannot be read, or the page not be written
    """
    place = catalogue.root.below(INDEX)
    catalogue.obs.put(place, static_page(catalogue).encode(), "text/html; charset=utf-8")
    return place


def catalogue_page(
    summary: Summary, link: Link, described: Sequence[Description] = (), others: Mapping[str, str] | None = None
) -> str:
    """Return the page of a catalogue.

    :param described: backups that are described on it
    :param others: the addresses of all catalogues
    """
    problems = summary.problems
    usable = f"{pluralize(len(summary.projects), 'project')} with a usable backup."
    verdict = f"{'; '.join(problems)}." if problems else usable if summary.projects else "There are no backups."
    shown = sum(len(project.backups) for project in summary.projects)
    facts = {
        "Catalogue": summary.place.url,
        "Read at": _time(summary.read_at),
        "Backups": f"{shown:,}, and {summary.expired:,} expired",
    }
    is_one = len(summary.projects) == 1
    return render(
        _CATALOGUE,
        SCRIPT,
        page=Frame("Backups of Flink jobs", bool(summary.projects) and not problems, verdict, facts),
        projects=[_row_of_project(project, link) for project in summary.projects],
        findings=[table for project in summary.projects if (table := _findings(project)).rows],
        tables=[_table_of_jobs(summary, link, is_one=is_one), _table_of_backups(summary, link, is_one=is_one)],
        described=described,
        others=others or {},
    )


def backup_page(catalogue: Catalogue, backup: Backup, above: str) -> str:
    """Return the page of one backup, with its records and its jobs.

    :param above: address of the page of the catalogue
    :raises DliException: if they cannot be read
    """
    read = {record: catalogue.read_record(backup, record) for record in backup.records[-_READ:]}
    rows = [
        (
            int(job.in_archive is not False),
            [job.status],
            None,
            *map(_visible, (job.name, job.job_id, job.status, job.job_type)),
            _FOUND[job.in_archive],
            _visible(job.digest),
        )
        for job in islice(catalogue.listed_jobs(backup), MAX_JOBS)
    ]
    head = (
        *(("Job", "text"), ("Id", "number"), ("Status at the export", "word"), ("Type", "word")),
        *(("In the archive", "word"), ("Digest of the settings", "word")),
    )
    jobs = Rows("jobs", "Jobs", "jobs", head, (), rows)
    return render(_BACKUP, SCRIPT, page=describe(backup, read=read), jobs=jobs if rows else None, above=above)


def message_page(
    title: str,
    message: str,
    above: str | None = None,
    others: Mapping[str, str] | None = None,
    *,
    is_failure: bool = True,
) -> str:
    """Return a page that has a message alone.

    :param above: address of the page of the catalogue
    :param others: the addresses of all catalogues
    """
    page = Frame(title, good=False if is_failure else None, verdict=message, facts={})
    return render(_MESSAGE, SCRIPT, page=page, above=above, others=others or {})


def describe(
    backup: Backup, anchor: str = "", *, read: Mapping[RecordName, Mapping[str, Any]] | None = None
) -> Description:
    """Return all that is known of a backup.

    :param read: what its records have, of those that were read
    """
    manifest = backup.manifest
    facts: dict[str, object] = {"Place": backup.place.url, "Project": backup.project_id}
    tables = [_table_of_problems(backup)]
    if manifest:
        run, verified = manifest.run, manifest.verification
        facts |= {
            "Region": manifest.region,
            "Connection": manifest.connection_id,
            "Run": run and f"{run.dag_id}, task {run.task_id}, run {run.run_id}",
            "Exported": _span(manifest.started_at, manifest.exported_at),
            "Selection": manifest.selection,
            "Jobs": f"{manifest.jobs.count:,}",
            "Jobs that came too late": f"{len(manifest.not_included):,}" if manifest.not_included else None,
            "Settings kept": "yes" if manifest.settings else "no",
            "Verified when it was made": _marked(
                f"{verified.level}, {_words(verified.passed)}, ", verified.verified_at
            ),
            "Size": f"{format_size(manifest.size)} in {pluralize(len(manifest.archives), 'archive')}",
            "Copy of": manifest.copied_from,
            "Made by": f"airflow-provider-dli {manifest.provider_version}",
        }
        tables += [_table_of_archives(backup, None if read is not None else _ARCHIVES)]
    records = [
        (_words_of(record), f"{record.at:%Y-%m-%d %H:%M} UTC", _content((read or {}).get(record)))
        for record in reversed(backup.records)
    ]
    failed = frozenset(number for number, each in enumerate(reversed(backup.records)) if each.outcome == "failed")
    tables += [Table("Since then", ("Record", "When", "Content"), records, failed)]
    good = backup.state == "verified"
    shown = [table for table in tables if table.rows]
    return Description(f"Backup {backup.backup_id}", good, _state_in_words(backup), facts, shown, anchor)


def _table_of_problems(backup: Backup) -> Table:
    findings = backup.manifest.verification.findings if backup.manifest else ()
    rows = [
        *(("manifest", problem) for problem in [backup.problem] if problem),
        *(("found when it was made", finding) for finding in findings),
        *(("has changed since", change) for change in backup.changes),
        *(("not in the manifest", name) for name in backup.unnamed),
    ]
    return Table("Findings", ("What", "Message"), rows, frozenset(range(len(rows))))


def _table_of_archives(backup: Backup, most: int | None) -> Table:
    archives = backup.manifest.archives if backup.manifest else ()
    rows: list[Sequence[object]] = [
        (
            archive.name,
            f"{archive.size:,}",
            archive.entries,
            archive.sha256,
            archive.etag,
            f"{len(archive.job_ids):,}" if archive.job_ids is not None else "all",
        )
        for archive in archives[:most]
    ]
    changed = {change.partition(" ")[0] for change in backup.changes}
    bad = frozenset(number for number, archive in enumerate(archives[:most]) if archive.name in changed)
    if len(archives) > len(rows):
        rows.append((f"{len(archives) - len(rows):,} more in manifest.json", *[None] * 5))
    return Table("Archives", ("Archive", "Bytes", "Entries", "SHA-256", "ETag", "Jobs"), rows, bad)


def _content(content: Mapping[str, Any] | None) -> str | None:
    """Return what a record has, on one line."""
    parts = [f"{name}: {text}" for name, value in (content or {}).items() if (text := _plain(value))]
    return escaped("; ".join(parts), _LENGTH) or None


def _plain(value: object) -> str:
    """Return the values in a value of JSON, without the names of those inside it."""
    if isinstance(value, list):
        return ", ".join(filter(None, map(_plain, value)))
    if isinstance(value, dict):
        return " ".join(filter(None, map(_plain, value.values())))
    return "" if value is None else str(value)


def _row_of_project(project: ProjectSummary, link: Link) -> dict[str, object]:
    newest, drill, coverage = project.newest, project.last_drill, project.coverage
    manifest = newest.manifest if newest else None
    return {
        "good": project.good,
        "id": project.project_id,
        "region": project.region,
        "newest": newest,
        "link": link(newest) if newest else None,
        "verified": newest and newest.last_verified and _time(newest.last_verified),
        "jobs": manifest and f"{manifest.jobs.count:,}",
        "drill": drill and _marked(f"{drill.outcome}, ", drill.at),
        "check": coverage and _marked(f"{_words(coverage.passed)}, ", coverage.checked_at),
        "size": manifest and format_size(manifest.size),
        "bars": _bars(project),
    }


def _bars(project: ProjectSummary) -> list[Bar]:
    return [
        Bar(
            f"{each.manifest.exported_at:%Y-%m-%d %H:%M}",
            each.manifest.size,
            each.state == "verified",
            format_size(each.manifest.size),
        )
        for each in project.backups
        if each.manifest
    ][-_BARS:]


def _findings(project: ProjectSummary) -> Table:
    """Return what the last check found that is about no job: those are in the table of the jobs."""
    coverage = project.coverage
    problems, warnings = (coverage.problems, coverage.warnings) if coverage else ((), ())
    rows: list[Sequence[object]] = [(problem, None, None, None) for problem in project.problems]
    rows += map(_row_of_finding, (each for each in problems if each.job_id is None))
    bad = frozenset(range(len(rows)))
    rows += map(_row_of_finding, (each for each in warnings if each.job_id is None))
    return Table(f"Found in {project.project_id}", ("Message", "Kind", "Backup", "What to do"), rows, bad)


def _row_of_finding(found: Problem) -> Sequence[object]:
    return found.message, found.kind, found.backup_id, REMEDIES.get(found.kind)


def _table_of_jobs(summary: Summary, link: Link, *, is_one: bool) -> Rows:
    head = [("Job", "text"), ("Id", "number"), ("State", "word"), ("Last verified", "time"), ("Backup", "link")]
    head += [("Last drill", "time"), ("Changed since", "word"), ("Type", "word"), ("Project", "word")]
    rows = []
    for project in summary.projects:
        links = {backup.backup_id: link(backup) for backup in project.backups}
        rows += [_row_of_job(job, links.get(job.backup_id or ""), is_one=is_one) for job in project.jobs]
    return Rows("jobs", "Jobs", "jobs", _without_project(head, is_one=is_one), JOB_STATES, rows)


def _row_of_job(job: JobSummary, address: str | None, *, is_one: bool) -> tuple[object, ...]:
    return (
        int(job.good),
        job.states,
        address,
        _visible(job.name),
        job.job_id,
        ", ".join(job.states),
        _epoch(job.verified_at),
        job.backup_id and _visible(job.backup_id),
        _epoch(job.drilled_at),
        None if job.changed is None else "yes" if job.changed else "no",
        _visible(job.job_type),
        *(() if is_one else (_visible(job.project_id),)),
    )


def _table_of_backups(summary: Summary, link: Link, *, is_one: bool) -> Rows:
    head = [("Backup", "link"), ("State", "word"), ("Project", "word"), ("Exported", "time"), ("Jobs", "number")]
    head += [("Archives", "number"), ("Bytes", "number"), ("Last verified", "time"), ("Level", "word")]
    head += [("Last drill", "time"), ("Copies", "number")]
    rows = []
    for backup in sorted(
        (backup for project in summary.projects for backup in project.backups),
        key=lambda backup: backup.backup_id,
        reverse=True,
    ):
        manifest, drill = backup.manifest, backup.last("drill")
        rows.append(
            (
                int(backup.state == "verified"),
                _states(backup),
                link(backup),
                backup.backup_id,
                ", ".join(_states(backup)),
                *(() if is_one else (_visible(backup.project_id),)),
                manifest and _epoch(manifest.exported_at),
                manifest and manifest.jobs.count,
                manifest and len(manifest.archives),
                manifest and manifest.size,
                _epoch(backup.last_verified),
                backup.level,
                drill and _epoch(drill.at),
                len(backup.of_kind("copy")),
            )
        )
    return Rows("backups", "Backups", "backups", _without_project(head, is_one=is_one), BACKUP_STATES, rows)


def _without_project(head: list[tuple[str, str]], *, is_one: bool) -> list[tuple[str, str]]:
    return [each for each in head if not (is_one and each[0] == "Project")]


def _states(backup: Backup) -> list[str]:
    return [backup.state, *(["held"] if backup.is_held else [])]


def _state_in_words(backup: Backup) -> str:
    words = {
        "verified": "Verified: jobs can be restored from it.",
        "damaged": "Damaged: do not rely on it.",
        "unreadable": "Its manifest cannot be read.",
        "incomplete": "Incomplete: it has no manifest, since its task has not ended or has failed.",
        "expiring": "It is being deleted.",
        "expired": "It was deleted.",
    }
    held = " It is held: no expiry deletes it." if backup.is_held else ""
    return f"{words[backup.state]}{held}"


def _words(passed: bool) -> str:  # noqa: FBT001 -- of a document
    return "passed" if passed else "failed"


def _words_of(record: RecordName) -> str:
    return record.kind if record.outcome == "none" else f"{record.kind} {record.outcome}"


def _visible(value: object) -> object:
    return escaped(value) if isinstance(value, str) else value


def _epoch(at: datetime | None) -> int | None:
    return int(at.timestamp()) if at else None


def _time(at: datetime) -> Markup:
    """Return a time to whose text the script adds how long ago that is."""
    utc = at.astimezone(UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(f"{utc:%Y-%m-%dT%H:%M:%SZ}", f"{utc:%Y-%m-%d %H:%M}")


def _span(begin: datetime, end: datetime) -> Markup:
    return Markup("{} to {}").format(_time(begin), _time(end))


def _marked(words: str, at: datetime) -> Markup:
    return Markup("{}{}").format(words, _time(at))


_MESSAGE = """\
{% extends "frame" %}
{% block above %}
{% if above %}<p><a href="{{ above }}">All backups</a></p>{% endif %}
{% if others|length > 1 %}
<nav aria-label="Catalogues"><ul>
{% for name, address in others.items() %}<li><a href="{{ address }}">{{ name }}</a></li>{% endfor %}
</ul></nav>
{% endif %}
{% endblock %}
"""

_CATALOGUE = (
    _MESSAGE
    + """\
{% block content %}
{% if projects %}
<h2>Projects</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Projects"><table>
<thead><tr><th scope="col">Project</th><th scope="col">Region</th><th scope="col">Newest usable backup</th>
<th scope="col">Last verified</th><th scope="col">Jobs</th>
<th scope="col">Last drill</th><th scope="col">Last check</th><th scope="col">Size</th></tr></thead>
<tbody>
{% for project in projects %}
{% set bars = project.bars %}
<tr><th scope="row" class="nowrap">
<span class="{{ "good" if project.good else "bad" }}">{{ parts.sign(project.good) }}</span><br>
{{ project.id }}</th>
<td class="nowrap">{{ project.region }}</td>
<td class="nowrap">{% if project.link %}<a href="{{ project.link }}">{{ project.newest.backup_id }}</a>
{% else %}{{ project.newest.backup_id if project.newest else "none" }}{% endif %}</td>
<td>{{ project.verified }}</td><td>{{ project.jobs }}</td>
<td>{{ project.drill }}</td><td>{{ project.check }}</td>
<td>{{ project.size }}
{% if bars|length > 1 %}{% set caption = "Sizes of the last %d backups: %s at first, %s now"|format(
  bars|length, bars[0].text, bars[-1].text) %}
{{ parts.chart(bars, "sizes-%d"|format(loop.index), caption, step=8, top=28, texts=false) }}{% endif %}
</td></tr>
{% endfor %}
</tbody></table></div>
{{ parts.tables(findings) }}
{% for table in tables %}{{ parts.filled(table) }}{% endfor %}
{% endif %}
{% for backup in described %}
<section aria-labelledby="{{ backup.anchor }}">
<h2 id="{{ backup.anchor }}">{{ backup.title }}</h2>
<p class="{{ "good" if backup.good else "bad" }}">{{ parts.sign(backup.good) }} {{ backup.verdict }}</p>
{{ parts.facts(backup.facts) }}
{{ parts.tables(backup.tables, 3, ", " ~ backup.title) }}
</section>
{% endfor %}
{% endblock %}
"""
)

_BACKUP = """\
{% extends "frame" %}
{% block above %}<p><a href="{{ above }}">All backups</a></p>{% endblock %}
{% block content %}
{{ parts.tables(page.tables) }}
{% if jobs %}{{ parts.filled(jobs) }}{% endif %}
{% endblock %}
"""
