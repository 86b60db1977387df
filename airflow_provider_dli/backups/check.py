"""Check a catalogue without its project: what could be restored from it now, and what is wrong with it.

Whether each live job is covered is :mod:`airflow_provider_dli.backups.coverage`, which lists the jobs.
"""

from __future__ import annotations

import re
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, get_args

from airflow_provider_dli.backups.catalogue import Backup, State, newest_usable
from airflow_provider_dli.backups.cli import Result, Status
from airflow_provider_dli.backups.commands import open_catalogue
from airflow_provider_dli.backups.manifest import Level
from airflow_provider_dli.formatting import escaped, format_duration, pluralize

#: a directory without manifest in which something was written since is a backup that is being made
_BEING_MADE = timedelta(hours=24)
#: by which a time in a manifest may be ahead of the store's clock
_MARGIN = timedelta(minutes=5)
_NOT_IN_A_LABEL = re.compile(r"[^\w.-]")
#: what may be wrong -> its status
FINDINGS: Mapping[str, Status] = {
    "no_backups": Status.CRITICAL,
    "too_old": Status.CRITICAL,
    "damaged": Status.CRITICAL,
    "unreadable": Status.CRITICAL,
    "incomplete": Status.WARNING,
    "unnamed": Status.WARNING,
}


def check_catalogue(options: Namespace) -> Result:
    """Check a catalogue, and return what is wrong as a monitoring plugin does: in one line, with figures."""
    catalogue = open_catalogue(options)
    backups, now = catalogue.backups(options.project), catalogue.now()
    projects: dict[str, list[Backup]] = {}
    for backup in backups:
        projects.setdefault(backup.project_id, []).append(backup)
    findings = [] if projects else [_no_backups(f"there is no backup in {catalogue.root.url}", options.project)]
    shown = []
    for project_id, theirs in sorted(projects.items()):
        newest, age = _newest(theirs, options.level, now)
        findings += _of_project(project_id, age, options)
        findings += [finding for backup in theirs for finding in _of_backup(backup, now)]
        backup_id = newest.backup_id if newest else None
        shown.append({"project_id": project_id, "backups": len(theirs), "newest": backup_id, "age": age})
    findings.sort(key=lambda finding: -FINDINGS[finding["kind"]])
    status = max((FINDINGS[finding["kind"]] for finding in findings), default=Status.OK)
    limit = int(options.max_age.total_seconds())
    document = {
        "backup_dir": str(catalogue.root),
        "now": now.isoformat().replace("+00:00", "Z"),
        "max_age": limit,
        "level": options.level,
        "projects": shown,
        "findings": findings,
        "counts": _counts(backups, findings),
    }
    return Result(status, document, _lines(status, document))


def _newest(backups: Sequence[Backup], level: Level, now: datetime) -> tuple[Backup | None, int | None]:
    """Return the newest backup that can be restored, and its age in seconds; none of the future."""
    newest = newest_usable(backups, as_of=now + _MARGIN, level=level)
    if newest is None or newest.manifest is None:
        return None, None
    return newest, max(0, int((now - newest.manifest.exported_at).total_seconds()))


def _of_project(project_id: str, age: int | None, options: Namespace) -> Iterator[dict[str, Any]]:
    if age is None:
        yield _no_backups(
            f"project {project_id} has no backup that is verified at level {options.level}", project_id
        )
    elif age > options.max_age.total_seconds():
        limit = format_duration(options.max_age.total_seconds())
        text = f"the newest verified backup of project {project_id} is {format_duration(age)} old, at most {limit}"
        yield _finding("too_old", text, project_id)


def _of_backup(backup: Backup, now: datetime) -> Iterator[dict[str, Any]]:
    state, place = backup.state, f"{backup.project_id}/{backup.backup_id}"

    def found(kind: str, text: str) -> dict[str, Any]:
        return _finding(kind, f"{place}: {text}", backup.project_id, backup.backup_id)

    if state == "unreadable":
        yield found("unreadable", f"its manifest cannot be read: {backup.problem}")
    elif state == "damaged":
        yield found("damaged", "; ".join(backup.changes[:3]) or "its newest verification failed")
    elif state == "incomplete" and max(entry.written for entry in backup.objects.values()) < now - _BEING_MADE:
        yield found("incomplete", "it has no manifest: the task that made it was killed")
    if state in ("verified", "damaged") and (names := backup.unnamed):
        yield found("unnamed", f"its manifest does not name {', '.join(names[:3])}")


def _no_backups(text: str, project_id: str | None) -> dict[str, Any]:
    return _finding("no_backups", text, project_id)


def _finding(kind: str, text: str, project_id: str | None, backup_id: str | None = None) -> dict[str, Any]:
    status = FINDINGS[kind].name
    return {"kind": kind, "status": status, "project_id": project_id, "backup_id": backup_id, "message": text}


def _counts(backups: Sequence[Backup], findings: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    states = Counter(backup.state for backup in backups)
    return {
        **{name: states[name] for name in get_args(State)},
        "held": sum(backup.is_held for backup in backups),
        "unnamed": sum(finding["kind"] == "unnamed" for finding in findings),
        "size": sum(entry.size for backup in backups for entry in backup.objects.values()),
    }


def _lines(status: Status, document: Mapping[str, Any]) -> list[str]:
    """Return one line with figures, and one for each finding."""
    findings, counts = document["findings"], document["counts"]
    ages = {
        project["project_id"]: project["age"] for project in document["projects"] if project["age"] is not None
    }
    if findings:
        more = f" (and {pluralize(len(findings) - 1, 'more finding')})" if findings[1:] else ""
        summary = f"{findings[0]['message']}{more}"
    else:
        backups, projects = pluralize(counts["verified"], "verified backup"), pluralize(len(ages), "project")
        summary = f"{backups} of {projects}, the newest of each at most {format_duration(max(ages.values()))} old"
    figures = [
        *(f"'age_{_NOT_IN_A_LABEL.sub('_', name)}'={age}s;;{document['max_age']};0" for name, age in ages.items()),
        *(f"{name}={number}{'B' if name == 'size' else ''};;;0" for name, number in counts.items()),
    ]
    texts = [f"{finding['status']}: {_plain(finding['message'])}" for finding in findings]
    return [f"{status.name}: {_plain(summary)} | {' '.join(figures)}", *texts]


def _plain(text: str) -> str:
    """Return a text that a monitoring system can show: what follows a bar it takes for figures."""
    return escaped(text).replace("|", "\\x7c")
