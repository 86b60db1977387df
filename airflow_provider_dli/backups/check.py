"""Check a catalogue as a monitoring plugin does: what could be restored from it now, and what is wrong with it.

The catalogue is enough; with ``--live`` the jobs of the connection's project are compared with it.
"""

from __future__ import annotations

import re
from argparse import Namespace
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, get_args

from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.cli import Result, Status
from airflow_provider_dli.backups.commands import open_catalogue
from airflow_provider_dli.backups.coverage import (
    REMEDIES,
    UNCOVERED,
    Problem,
    check_backups,
    check_jobs,
    check_project,
    newest_coverage,
)
from airflow_provider_dli.backups.manifest import Level
from airflow_provider_dli.backups.state import Backup, State, newest_usable
from airflow_provider_dli.exceptions import DliFailException, translated
from airflow_provider_dli.formatting import escaped, excerpt, format_duration, pluralize
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.parameters.models import CoverageParameters

#: by which a time in a manifest may be ahead of the store's clock
_MARGIN = timedelta(minutes=5)
_NOT_IN_A_LABEL = re.compile(r"[^\w.-]")
#: findings that are printed, the worst first; JSON has all
_MAX_LINES = 50


def check_catalogue(options: Namespace) -> Result:
    """Check a catalogue, and return what is wrong in one line with figures, and then each finding."""
    catalogue = open_catalogue(options)
    backups, now = catalogue.backups(options.project), catalogue.now()
    projects: dict[str, list[Backup]] = {}
    for backup in backups:
        projects.setdefault(backup.project_id, []).append(backup)
    live, findings = _of_live_jobs(catalogue, options, now) if options.live else (None, [])
    shown = []
    for project_id, theirs in sorted(projects.items()):
        newest, age = _newest(theirs, options.level, now)
        findings += _of_project(project_id, age, options)
        if project_id != live:
            findings += _findings(project_id, *check_backups(theirs, now))
            findings += _findings(project_id, *check_jobs(catalogue, newest, now)) if newest else []
        backup_id = newest.backup_id if newest else None
        shown.append({"project_id": project_id, "backups": len(theirs), "newest": backup_id, "age": age})
    for project_id in _lost_projects(catalogue, projects) if options.project is None else ():
        text = "the coverage of its jobs was checked once, and it has no backup any more"
        findings += _findings(project_id, [Problem(kind="no_backups", message=text)])
    if not projects and not findings:
        text = f"there is no backup in {catalogue.root.url}"
        findings += _findings(options.project, [Problem(kind="no_backups", message=text)])
    findings.sort(key=lambda finding: -Status[finding["status"]])
    status = Status[findings[0]["status"]] if findings else Status.OK
    document = {
        "backup_dir": str(catalogue.root),
        "now": now.isoformat().replace("+00:00", "Z"),
        "max_age": int(options.max_age.total_seconds()),
        "level": options.level,
        "projects": shown,
        "findings": findings,
        "counts": _counts(backups, findings),
    }
    return Result(status, document, _lines(status, document))


def _lost_projects(catalogue: Catalogue, known: Container[str]) -> Iterator[str]:
    """Yield projects of which nothing is left but the results of checks."""
    listed = catalogue.obs.list_entries(catalogue.root)
    for key in listed.directories if listed else ():
        project_id = key.rstrip("/").rpartition("/")[2]
        if project_id not in known and newest_coverage(catalogue, project_id):
            yield project_id


def _of_live_jobs(catalogue: Catalogue, options: Namespace, now: datetime) -> tuple[str, list[dict[str, Any]]]:
    """Return the project of the connection, and what is wrong with it, its jobs and its backups."""
    given = {"backup_dir": str(catalogue.root), "dli_conn_id": options.conn_id, "level": options.level}
    given["write_page"] = False
    with translated():
        parameters = CoverageParameters.read({**given, "max_age": options.max_age.total_seconds()})
    hook = DliHook(options.conn_id)
    if options.project not in (None, hook.project_id):
        raise DliFailException(
            f"--live compares the jobs of project {hook.project_id}, which connection {options.conn_id!r} is of, "
            f"and not those of {excerpt(options.project)}.",
            advice="Give a connection of that project, or omit --live.",
        )
    found = check_project(hook, catalogue, parameters, now)
    return hook.project_id, _findings(hook.project_id, found.problems, found.warnings)


def _findings(
    project_id: str | None, problems: Iterable[Problem], warnings: Iterable[Problem] = ()
) -> list[dict[str, Any]]:
    return [
        {
            "kind": problem.kind,
            "status": status.name,
            "project_id": project_id,
            "backup_id": problem.backup_id,
            "job_id": problem.job_id,
            "name": problem.name,
            "message": problem.message,
            "remedy": REMEDIES[problem.kind],
        }
        for status, found in ((Status.CRITICAL, problems), (Status.WARNING, warnings))
        for problem in found
    ]


def _newest(backups: Sequence[Backup], level: Level, now: datetime) -> tuple[Backup | None, int | None]:
    """Return the newest backup that can be restored, and its age in seconds; none of the future.

    One of all jobs, if there is any: a newer one of some jobs shows nothing of the others.
    """
    of_all = [backup for backup in backups if backup.is_all_jobs]
    newest = newest_usable(of_all or backups, as_of=now + _MARGIN, level=level)
    if newest is None or newest.manifest is None:
        return None, None
    return newest, max(0, int((now - newest.manifest.exported_at).total_seconds()))


def _of_project(project_id: str, age: int | None, options: Namespace) -> list[dict[str, Any]]:
    limit = options.max_age.total_seconds()
    if age is None:
        problem = Problem(kind="no_backups", message=f"no backup is verified at level {options.level}")
    elif age > limit:
        text = f"the newest verified backup is {format_duration(age)} old, at most {format_duration(limit)}"
        problem = Problem(kind="too_old", message=text)
    else:
        return []
    return _findings(project_id, [problem])


def _counts(backups: Sequence[Backup], findings: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    states = Counter(backup.state for backup in backups)
    return {
        **{name: states[name] for name in get_args(State)},
        "held": sum(backup.is_held for backup in backups),
        "unnamed": sum(finding["kind"] == "unnamed" for finding in findings),
        "uncovered": len({job for each in findings if each["kind"] in UNCOVERED and (job := each["job_id"])}),
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
        summary = f"{_text(findings[0])}{more}"
    else:
        backups, projects = pluralize(counts["verified"], "verified backup"), pluralize(len(ages), "project")
        summary = f"{backups} of {projects}, the newest of each at most {format_duration(max(ages.values()))} old"
    figures = [
        *(f"'age_{_NOT_IN_A_LABEL.sub('_', name)}'={age}s;;{document['max_age']};0" for name, age in ages.items()),
        *(f"{name}={number}{'B' if name == 'size' else ''};;;0" for name, number in counts.items()),
    ]
    texts = [f"{finding['status']}: {_plain(_text(finding))}" for finding in findings[:_MAX_LINES]]
    if len(findings) > _MAX_LINES:
        texts.append(f"… and {pluralize(len(findings) - _MAX_LINES, 'more finding')}: --json has all")
    return [f"{status.name}: {_plain(summary)} | {' '.join(figures)}", *texts]


def _text(finding: Mapping[str, Any]) -> str:
    job = f"job {finding['job_id']} {finding['name'] or ''}".rstrip() if finding["job_id"] else None
    place = "/".join(filter(None, (finding["project_id"], None if job else finding["backup_id"])))
    text = f"{finding['message'].rstrip(' .')}. {finding['remedy']}"
    return ": ".join(filter(None, (place, job, text)))


def _plain(text: str) -> str:
    """Return a text that a monitoring system can show: what follows a bar it takes for figures."""
    return escaped(text).replace("|", "\\x7c")
