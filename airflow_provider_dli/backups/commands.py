"""What the commands of the command line do: each reads a catalogue, and returns what to print."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.cli import Result, Status
from airflow_provider_dli.backups.diff import diff_backups, diff_with_project
from airflow_provider_dli.backups.manifest import RecordName, began_at
from airflow_provider_dli.backups.page import static_page
from airflow_provider_dli.backups.retention import hold, release
from airflow_provider_dli.backups.state import Backup, newest_usable
from airflow_provider_dli.backups.verification import verify_backups
from airflow_provider_dli.client.locations import parse_directory
from airflow_provider_dli.exceptions import DliFailException, translated
from airflow_provider_dli.formatting import (
    escaped,
    excerpt,
    format_duration,
    format_ids,
    pluralize,
    safe_logger,
    text_table,
)
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.parameters.models import VerifyBackupsParameters

_DAYS = 2 * 86400
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_UNIT = 1024
#: records that are read for one backup, the newest
_MAX_RECORDS = 100
#: columns of a cell in which a digest fits
_WIDE = 80


def open_catalogue(options: Namespace) -> Catalogue:
    """Return the catalogue that a command names.

    :raises DliFailException: if its place is not one in OBS
    """
    with translated():
        root = parse_directory("BACKUP_DIR", options.backup_dir)
    return Catalogue(ObsHook(options.conn_id), root)


def list_backups(options: Namespace) -> Result:
    """List the backups of a catalogue."""
    catalogue = open_catalogue(options)
    now, backups = catalogue.now(), catalogue.backups(options.project)
    rows = [_summary(backup, now) for backup in backups if options.state in (None, backup.state)]
    head = ("project", "backup", "exported", "age", "jobs", "size", "state", "held", "verified", "drills")
    table = [
        (
            row["project_id"],
            row["backup_id"],
            _minute(row["exported_at"]),
            _age(row["age"]),
            row["jobs"],
            _size(row["size"]),
            row["state"],
            "held" if row["is_held"] else None,
            _minute(row["verified_at"]),
            f"{row['drills']:,}, last {row['last_drill']}" if row["drills"] else None,
        )
        for row in rows
    ]
    lines = [*text_table(head, table), "", f"{pluralize(len(rows), 'backup')} in {catalogue.root.url}"]
    return Result(Status.OK, {**_head(catalogue, now), "backups": rows}, lines)


def _head(catalogue: Catalogue, now: datetime) -> dict[str, Any]:
    return {"backup_dir": str(catalogue.root), "now": _text(now)}


def _summary(backup: Backup, now: datetime) -> dict[str, Any]:
    """Return what JSON has of a backup in a list."""
    manifest, drill = backup.manifest, backup.last("drill")
    exported = manifest.exported_at if manifest else None
    begin = exported or began_at(backup.backup_id)
    return {
        "project_id": backup.project_id,
        "backup_id": backup.backup_id,
        "state": backup.state,
        "problem": backup.problem,
        "exported_at": _text(exported),
        "age": int((now - begin).total_seconds()) if begin else None,
        "jobs": manifest.jobs.count if manifest else None,
        "archives": len(manifest.archives) if manifest else None,
        "size": sum(entry.size for entry in backup.objects.values()),
        "level": backup.level,
        "verified_at": _text(backup.last_verified),
        "is_held": backup.is_held,
        "drills": len(backup.of_kind("drill")),
        "last_drill": drill.outcome if drill else None,
        "last_drill_at": _text(drill.at if drill else None),
        "copies": len(backup.of_kind("copy")),
    }


def show_backup(options: Namespace) -> Result:
    """Show one backup: its manifest, archives and records, and perhaps its jobs."""
    catalogue = open_catalogue(options)
    backup, now = find_backup(catalogue, options.backup, options.project), catalogue.now()
    records = [_record(catalogue, backup, record) for record in backup.records[-_MAX_RECORDS:]]
    is_listed = options.jobs and backup.manifest
    jobs = [job.model_dump(mode="json") for job in catalogue.listed_jobs(backup)] if is_listed else None
    document = {
        **_head(catalogue, now),
        "backup": _summary(backup, now),
        "place": str(backup.place),
        "changes": backup.changes,
        "unnamed": backup.unnamed,
        "manifest": backup.manifest.model_dump(mode="json") if backup.manifest else None,
        "records": records,
        **({"jobs": jobs} if options.jobs else {}),
    }
    return Result(Status.OK, document, [*_facts_of(backup, now), *_tables_of(backup, records, jobs)])


#: characters of an id that may stand for it: its date, so that an empty variable acts on nothing
_SHORTEST = 8


def find_backup(
    catalogue: Catalogue, name: str, project_id: str | None, backups: Sequence[Backup] | None = None
) -> Backup:
    """Return a backup by its id, the first characters of it, or ``latest``: the newest that can be restored.

    :param name: that; perhaps after the project and a slash
    :param project_id: only of this project
    :param backups: those of the catalogue, if they are known
    :raises DliFailException: if there is none, or there are several
    """
    project_id, _, name = name.rpartition("/") if "/" in name else (project_id, "", name)
    backups = backups or catalogue.backups(project_id)
    backups = [backup for backup in backups if project_id in (None, backup.project_id)]
    where = f"in {catalogue.root.url}" + (f" of project {excerpt(project_id)}" if project_id else "")
    if name == "latest":
        projects = sorted({backup.project_id for backup in backups})
        if len(projects) > 1:
            raise DliFailException(
                f"latest: there are backups of {len(projects):,} projects {where}: {format_ids(projects)}.",
                advice="Give --project.",
            )
        if newest := newest_usable(backups):
            return newest
        raise DliFailException(f"latest: there is no backup {where} that can be restored.")
    if len(name) < _SHORTEST:
        raise DliFailException(
            f"{excerpt(name)} is not the id of a backup.",
            advice=f"Give it, {_SHORTEST} characters of it or more, or latest.",
        )
    found = [backup for backup in backups if backup.backup_id.startswith(name)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise DliFailException(
            f"there is no backup {excerpt(name)} {where}.", advice="The command list shows all."
        )
    ids = format_ids([f"{backup.project_id}/{backup.backup_id}" for backup in found])
    raise DliFailException(
        f"{excerpt(name)} fits {len(found):,} backups: {ids}.", advice="Give the whole id, and --project."
    )


def _record(catalogue: Catalogue, backup: Backup, record: RecordName) -> dict[str, Any]:
    about = {"kind": record.kind, "at": _text(record.at), "outcome": record.outcome}
    return {**about, "content": catalogue.read_record(backup, record)}


def _facts_of(backup: Backup, now: datetime) -> Iterator[str]:
    facts: list[tuple[str, object]] = [("backup", backup.place.url), ("state", backup.state)]
    if problem := backup.problem or backup.why_unreadable:
        facts.append(("problem", problem))
    if manifest := backup.manifest:
        run, age = manifest.run, (now - manifest.exported_at).total_seconds()
        kept = "kept" if manifest.settings else "not kept"
        level, last = backup.level, _minute(_text(backup.last_verified))
        facts += [
            ("exported", f"{_minute(_text(manifest.exported_at))}, {_age(age)} ago"),
            ("selection", "all jobs" if manifest.is_all_jobs else manifest.selection),
            ("jobs", f"{manifest.jobs.count:,}, settings {kept}"),
            ("archives", f"{len(manifest.archives):,}, {_size(manifest.size)}"),
            ("verified", f"at level {level}, found intact {last or 'never since'}"),
            ("region", manifest.region),
            ("connection", manifest.connection_id),
            ("task", f"{run.dag_id}, {run.run_id}, {run.task_id}" if run else "none"),
        ]
        if manifest.copied_from:
            facts.append(("copied from", manifest.copied_from))
    if backup.is_held:
        facts.append(("held", "it is not deleted until it is released"))
    facts += [("changed", change) for change in backup.changes]
    facts += [("not named", f"{name}: the manifest does not have it") for name in backup.unnamed]
    return (f"{name:<12}{escaped(str(value))}" for name, value in facts)


def _tables_of(
    backup: Backup, records: Sequence[Mapping[str, Any]], jobs: Sequence[Mapping[str, Any]] | None
) -> Iterator[str]:
    if backup.manifest:
        archives = [(each.name, _size(each.size), each.entries, each.sha256) for each in backup.manifest.archives]
        yield from ("", *text_table(("archive", "size", "entries", "SHA-256"), archives, _WIDE))
    if records:
        rows = [
            (each["kind"], _minute(each["at"]), each["outcome"], json.dumps(each["content"])) for each in records
        ]
        yield from ("", *text_table(("record", "at", "outcome", "content"), rows, _WIDE))
    if jobs is not None:
        names = ("job_id", "name", "job_type", "status", "digest")
        yield from ("", *text_table(names, [[each[name] for name in names] for each in jobs], _WIDE))


def diff(options: Namespace) -> Result:
    """Compare two backups, or a backup with the jobs of its project now."""
    catalogue = open_catalogue(options)
    before = find_backup(catalogue, options.before, options.project)
    if options.after == "now":
        hook, values = DliHook(options.conn_id), options.show_values
        found = diff_with_project(catalogue, before, hook, by_name=options.by_name, show_values=values)
    else:
        after = find_backup(catalogue, options.after, options.project)
        found = diff_backups(catalogue, before, after, show_values=options.show_values)
    status = Status.OK if found.is_empty else Status.WARNING
    return Result(status, {"backup_dir": str(catalogue.root), **found.as_dict()}, list(found.lines()))


def page(options: Namespace) -> Result:
    """Write the page of a catalogue."""
    catalogue = open_catalogue(options)
    # References in place of characters that the encoding of a terminal may not have.
    html = static_page(catalogue).encode("ascii", "xmlcharrefreplace")
    document = {"backup_dir": str(catalogue.root), "size": len(html)}
    if options.output is None:
        return Result(Status.OK, {**document, "html": html.decode()}, [html.decode()])
    try:
        options.output.write_bytes(html)
    except OSError as error:
        raise DliFailException(
            f"--output: {options.output} cannot be written: {error.strerror or error}"
        ) from None
    written = f"{options.output}: {_size(len(html))}, {catalogue.root.url}"
    return Result(Status.OK, {**document, "file": str(options.output)}, [escaped(written)])


def verify(options: Namespace) -> Result:
    """Read backups to their last byte again, those first whose verification is oldest."""
    catalogue = open_catalogue(options)
    listed = catalogue.backups(options.project) if options.backups else []
    chosen = [find_backup(catalogue, name, options.project, listed) for name in options.backups] or None
    given: dict[str, Any] = {"backup_dir": str(catalogue.root), "dli_conn_id": options.conn_id}
    given |= {"max_bytes": options.max_bytes, "project_ids": options.project}
    with translated():
        parameters = VerifyBackupsParameters.read(given)
    records = not options.read_only
    found = verify_backups(parameters, catalogue, None, safe_logger(__name__), chosen=chosen, records=records)
    status = Status.CRITICAL if found.damaged else Status.UNKNOWN if found.failures else Status.OK
    read = f"{pluralize(len(found.verified), 'backup')} read and intact, {_size(found.bytes_read)}"
    lines = [f"{status.name}: {read}; {found.remaining:,} left to read"]
    lines += [f"{Status.CRITICAL.name}: {escaped(str(each))}" for each in found.damaged]
    lines += [f"{Status.UNKNOWN.name}: {place} could not be read: {failure}" for place, failure in found.failures]
    lines += [f"not named by a manifest: {escaped(name)}" for name in found.unnamed]
    return Result(status, {"backup_dir": str(catalogue.root), **found.as_dict()}, lines)


def hold_backup(options: Namespace) -> Result:
    """Keep a backup from being deleted."""
    catalogue = open_catalogue(options)
    backup = find_backup(catalogue, options.backup, options.project)
    record = hold(catalogue, backup, options.reason)
    document = {"backup_dir": str(catalogue.root), "place": str(backup.place), "record": str(record)}
    return Result(Status.OK, document, [escaped(f"{backup.place.url} is held: {options.reason}")])


def release_backup(options: Namespace) -> Result:
    """End all holds of a backup."""
    catalogue = open_catalogue(options)
    backup = find_backup(catalogue, options.backup, options.project)
    released = release(catalogue, backup)
    document = {"backup_dir": str(catalogue.root), "place": str(backup.place), "released": released}
    return Result(Status.OK, document, [f"{backup.place.url}: {pluralize(released, 'hold')} ended"])


def _text(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None


def _minute(text: str | None) -> str | None:
    """Return a time of JSON as people read it; seconds are in the id."""
    return f"{text[:16].replace('T', ' ')}Z" if text else None


def _age(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    # By the store's clock nothing should be of the future, but anybody may have written it.
    return f"{seconds // 86400:,.0f} d" if seconds >= _DAYS else format_duration(max(0, seconds))


def _size(size: float) -> str:
    unit = _UNITS[0]
    for unit in _UNITS:
        if size < _UNIT or unit == _UNITS[-1]:
            break
        size /= _UNIT
    return f"{size:,.0f} {unit}" if unit == _UNITS[0] else f"{size:,.1f} {unit}"
