"""Verify the backups of a catalogue again, oldest verification first, within a budget of bytes.

Only reading finds what a store has lost without noticing. Each backup gets a record of the outcome, so a task that
is killed goes on with the next backup, and one that failed is reported every time and read once.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.backups.catalogue import MAX_DOCUMENT, Catalogue
from airflow_provider_dli.backups.manifest import Archive, Content, Run, Verification, rows_of
from airflow_provider_dli.backups.state import Backup
from airflow_provider_dli.client.errors import PermissionDeniedError
from airflow_provider_dli.exceptions import DliException, DliFailException, read_parameters
from airflow_provider_dli.formatting import format_ids, pluralize
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.parameters.models import VerifyBackupsParameters
from airflow_provider_dli.services.report import Page, Table, write_page
from airflow_provider_dli.services.verify import VerifyOptions, is_damaged_in_transit, verify_archives

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.lineage import Dataset
    from airflow_provider_dli.services.report import ArchiveReport

#: of a directory without manifest: until then a task may still write it
_COMPLETED_WITHIN = timedelta(days=1)
#: findings of a backup that a message names
_SHOWN_FINDINGS = 3
#: failures in a row that may pass, and after which the other backups are not tried
_MAX_FAILURES = 2
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Damaged:
    """A backup that is not as it was made."""

    place: str
    findings: tuple[str, ...]

    def __str__(self) -> str:
        """Return it in a line."""
        more = len(self.findings) - _SHOWN_FINDINGS
        shown = "; ".join(self.findings[:_SHOWN_FINDINGS])
        return f"{self.place}: {shown}{f'; and {more} more' if more > 0 else ''}"


@dataclass(slots=True)
class Outcome:
    """The outcome of a run over a catalogue."""

    #: that were read and are intact
    verified: list[str] = field(default_factory=list)
    damaged: list[Damaged] = field(default_factory=list)
    #: that could not be read, with the reason: nothing is known of them
    failures: list[tuple[str, DliException]] = field(default_factory=list)
    #: that are due and were not read: the budget was used up, or they could not be read
    remaining: int = 0
    bytes_read: int = 0
    seconds: float = 0.0
    #: archives that no manifest names
    unnamed: list[str] = field(default_factory=list)
    #: when the backup was verified whose verification is oldest
    oldest_proof: datetime | None = None
    oldest_proof_age: float | None = None
    datasets: list[Dataset] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values, for XCom."""
        return {
            "verified": self.verified,
            "failed": [{"place": each.place, "findings": list(each.findings)} for each in self.damaged],
            "not_read": [place for place, _ in self.failures],
            "remaining": self.remaining,
            "bytes": self.bytes_read,
            "seconds": round(self.seconds, 1),
            "oldest_proof": self.oldest_proof and self.oldest_proof.isoformat(),
            "oldest_proof_age": self.oldest_proof_age,
            "unnamed": self.unnamed,
        }


def prepare(operator: object) -> tuple[VerifyBackupsParameters, Catalogue]:
    """Return the parameters of an operator, all of them checked, and its catalogue."""
    options = read_parameters(VerifyBackupsParameters, operator)
    return options, Catalogue(ObsHook(options.dli_conn_id), options.backup_dir)


def verify_backups(
    options: VerifyBackupsParameters,
    catalogue: Catalogue,
    run: Run | None,
    log: Logger,
    *,
    chosen: Sequence[Backup] | None = None,
    records: bool = True,
) -> Outcome:
    """Verify as many backups as the budget allows, and record the outcome of each.

    A larger backup than the budget is read if it is the first one, so its turn comes.

    :param chosen: only these
    :param records: False to write nothing: a backup that is being read may then be deleted
    :raises DliException: if the catalogue cannot be read
    :raises DliFailException: if it has no backup, or none of a project
    """
    began, now = time.monotonic(), catalogue.now()
    backups = _backups(catalogue, options.project_ids) if chosen is None else list(chosen)
    outcome = Outcome(unnamed=list(unnamed_archives(backups, now, log)))
    known = {each.place: found for each in backups if (found := _known_damage(catalogue, each))}
    outcome.damaged += known.values()
    if chosen is not None:
        # Of a backup that is named one that was not read must not pass for intact.
        lost = [(each, each.why_unreadable) for each in backups if each.place not in known]
        outcome.damaged += [Damaged(each.place.url, (why,)) for each, why in lost if why]
    proofs = {each.place: each.last_verified for each in backups if each.state == "verified"}
    # By whole seconds, as records have them.
    until = now - timedelta(seconds=options.max_age) if options.max_age else None
    due = [
        each
        for each in backups
        if (each.state == "damaged" and each.place not in known)
        or ((proof := proofs.get(each.place)) and (until is None or proof < until))
    ]
    # One that the listing shows to be damaged comes first, and is recorded.
    due.sort(key=lambda each: (each.state != "damaged", each.last_verified or _NEVER, each.backup_id))
    _log_plan(backups, due, options, log)
    left, failures = list(due), 0
    while left and failures < _MAX_FAILURES:
        size = sum(each.size for each in _unchanged(left[0]))
        if options.max_bytes and outcome.bytes_read and outcome.bytes_read + size > options.max_bytes:
            log.info("The next backup has %s bytes, and max_bytes is %s.", f"{size:,}", f"{options.max_bytes:,}")
            break
        backup = left.pop(0)
        try:
            if proof := _verify(catalogue, backup, run, outcome, log, records=records):
                proofs[backup.place] = proof
            else:
                proofs.pop(backup.place, None)
            failures = 0
        except DliException as failure:
            outcome.failures.append((backup.place.url, failure))
            log.warning("%s could not be verified: %s", backup.place.url, failure)
            # A refusal may be of this one backup; an outage, or a missing permission, is of all.
            if failure.refuses_identity or isinstance(failure.error, PermissionDeniedError):
                break
            failures += not isinstance(failure, DliFailException)
    outcome.remaining = len(left) + len(outcome.failures)
    outcome.seconds = time.monotonic() - began
    if oldest := min(filter(None, proofs.values()), default=None):
        outcome.oldest_proof = oldest
        outcome.oldest_proof_age = max(0.0, (catalogue.now() - oldest).total_seconds())
    return outcome


def _backups(catalogue: Catalogue, project_ids: Sequence[str]) -> list[Backup]:
    """Return all backups, or those of some projects; a name that is misspelt must not verify nothing."""
    backups = catalogue.backups()
    found = {each.project_id for each in backups if each.state not in ("incomplete", "expired")}
    if missing := [each for each in project_ids if each not in found]:
        raise DliFailException(
            f"project_ids: {catalogue.root.url} has no backup of project {format_ids(missing)}; it has those of "
            f"{format_ids(sorted(found)) or 'none'}",
            advice="Give the ids of projects that were backed up there.",
        )
    if not found:
        states = Counter(each.state for each in backups)
        there = f", but {format_ids([f'{count:,} {state}' for state, count in states.items()])}" if backups else ""
        raise DliFailException(
            f"backup_dir: there is no backup in {catalogue.root.url}{there}; give the backup_dir of "
            "DliBackupFlinkJobsOperator"
        )
    return [each for each in backups if not project_ids or each.project_id in project_ids]


def unnamed_archives(backups: Sequence[Backup], now: datetime, log: Logger) -> Iterator[str]:
    """Yield archives that no manifest names; log for each directory which request may have made them."""
    for backup in backups:
        names = [] if backup.state in ("unreadable", "expiring", "expired") else backup.unnamed
        written = max((backup.objects[name].written for name in names), default=None)
        if written is None or (backup.state == "incomplete" and now - written < _COMPLETED_WITHIN):
            continue
        listed = format_ids(names)
        when = f"the last one written at {written:%Y-%m-%d %H:%M} UTC"
        if backup.manifest is None:
            log.warning(
                "%s is not a backup, since it has no manifest: %s, %s. The task that began it ended before it had "
                "verified them: %s",
                *(backup.place.url, pluralize(len(names), "archive"), when, listed),
            )
        else:
            log.warning(
                "%s has %s that its manifest does not name, %s: %s",
                *(backup.place.url, pluralize(len(names), "archive"), backup.origin_of_unnamed, listed),
            )
        yield from (str(backup.place.below(name)) for name in names)


def _known_damage(catalogue: Catalogue, backup: Backup) -> Damaged | None:
    """Return what is known to be wrong with a backup that need not be read; None if it is to be read, or is gone.

    One that failed is read again after somebody has written one of its objects.
    """
    if backup.state == "unreadable":
        return Damaged(backup.place.url, (str(backup.why_unreadable),))
    proof = backup.last("verification")
    if backup.state != "damaged" or proof is None or proof.outcome == "passed":
        return None
    record = catalogue.read_record(backup, proof)
    if record.get("objects") != _marks(backup):
        return None
    findings = tuple(each for each in rows_of(record, "findings") if isinstance(each, str))
    return Damaged(backup.place.url, findings or ("its last verification failed",))


def _marks(backup: Backup) -> dict[str, str]:
    """Return what differs once one of the objects of a backup was written again, by name."""
    names = [*_contents(backup), *(archive.name for archive in _archives(backup))]
    found = {name: backup.objects.get(name) for name in names}
    return {
        name: f"{each.size} {each.etag} {each.written.isoformat()}" if each else "" for name, each in found.items()
    }


def _archives(backup: Backup) -> Sequence[Archive]:
    return backup.manifest.archives if backup.manifest else ()


def _contents(backup: Backup) -> Mapping[str, Content]:
    return backup.manifest.contents if backup.manifest else {}


def _log_plan(
    backups: Sequence[Backup], due: Sequence[Backup], options: VerifyBackupsParameters, log: Logger
) -> None:
    size = sum(each.manifest.size for each in backups if each.manifest)
    log.info(
        "Of %s, with %s bytes in all, %s to be verified again.",
        *(pluralize(len(backups), "backup"), f"{size:,}", pluralize(len(due), "has", "have")),
    )
    if options.max_bytes and size > options.max_bytes:
        runs = -(-size // options.max_bytes)
        log.info("With max_bytes %s it takes about %d runs to read all of it.", f"{options.max_bytes:,}", runs)


def _verify(
    catalogue: Catalogue, listed: Backup, run: Run | None, outcome: Outcome, log: Logger, *, records: bool
) -> datetime | None:
    """Verify one backup and record the outcome; return when it was found intact, None if it was not.

    :raises DliException: if it cannot be read: nothing is recorded
    """
    backup = catalogue.backup(listed.project_id, listed.backup_id)
    if backup is None or backup.is_deleted:
        log.info("%s was deleted meanwhile.", listed.place.url)
        return None
    if backup.last_verified and backup.last_verified > (listed.last_verified or _NEVER):
        log.info("%s was verified meanwhile by another task.", backup.place.url)
        return backup.last_verified
    if known := _known_damage(catalogue, backup):
        outcome.damaged.append(known)
        return None
    log.info("Verifying %s, last verified at %s.", backup.place.url, backup.last_verified or "no known time")
    try:
        why = {"verification": run and run.model_dump()}
        with catalogue.reading(backup, why) if records else nullcontext():
            findings, reports = _read(catalogue, backup, log)
    except DliFailException:
        if not catalogue.is_gone(backup):
            raise
        log.info("%s was deleted meanwhile.", backup.place.url)
        return None
    outcome.bytes_read += sum(each.facts.size for each in reports.values() if each.facts)
    outcome.datasets += [each.dataset for each in reports.values()]
    at = record_verification(catalogue, backup, findings, reports, run) if records else catalogue.now()
    if findings:
        outcome.damaged.append(Damaged(backup.place.url, tuple(findings)))
        return None
    outcome.verified.append(backup.place.url)
    return at


def record_verification(
    catalogue: Catalogue,
    backup: Backup,
    findings: Sequence[str],
    reports: Mapping[str, ArchiveReport],
    run: Run | None,
) -> datetime:
    """Record the outcome of a verification of a backup; return its time.

    :param findings: what is wrong with it, each as one line
    :param reports: on the archives that were read, by name
    """
    at, last = catalogue.now(), backup.last("verification")
    if last and last.at == at:
        # It was read after that one, and of one second the failed one would count.
        at += timedelta(seconds=1)
    proof = Verification(
        level="full",
        verified_at=at,
        passed=not findings,
        findings=tuple(findings),
        bytes_read=sum(each.facts.size for each in reports.values() if each.facts),
    )
    content = {
        **proof.model_dump(mode="json"),
        "archives": [
            {"name": name, "sha256": each.report and each.report.sha256} for name, each in reports.items()
        ],
        "objects": _marks(backup),
        "run": run and run.model_dump(),
    }
    catalogue.record(backup, "verification", content, "failed" if findings else "passed", at=at)
    return at


def _read(catalogue: Catalogue, backup: Backup, log: Logger) -> tuple[list[str], dict[str, ArchiveReport]]:
    """Read all of a backup; return what is not as it was made, and the reports on its archives by name."""
    findings = backup.changes
    for name, content in _contents(backup).items():
        findings += [f"{name} {change}" for change in _changes_of(catalogue.obs, backup, name, content)]
    archives = {backup.archive(each): each for each in _unchanged(backup)}
    reports = _reports(catalogue.obs, list(archives), log)
    hashes = _recorded_hashes(catalogue, backup) if any(each.sha256 is None for each in archives.values()) else {}
    for place, archive in archives.items():
        expected = archive.sha256 or hashes.get(archive.name)
        finding = _finding(catalogue.obs, archive, reports.get(place), expected, log)
        findings += [f"{archive.name} {finding}"] if finding else []
    return findings, {archive.name: reports[place] for place, archive in archives.items() if place in reports}


def _unchanged(backup: Backup) -> list[Archive]:
    """Return the archives to read: of any other the listing shows that it is not the one that was verified."""
    return [each for each in _archives(backup) if backup.change_of(each) is None]


def _changes_of(obs: ObsHook, backup: Backup, name: str, content: Content) -> Iterator[str]:
    """Yield what is wrong with the bytes of a file that lists jobs or settings, if its size is right."""
    entry = backup.objects.get(name)
    if entry is None or entry.size != content.size:
        return
    if content.size > MAX_DOCUMENT:
        yield f"has {content.size:,} bytes, and at most {MAX_DOCUMENT:,} are read"
        return
    # Twice, if the first time something between the store and this machine may have changed it.
    for _ in range(2):
        data = obs.read(backup.place.below(name), MAX_DOCUMENT)
        if data is None:
            yield "is gone"
            return
        if sha256(data).hexdigest() == content.sha256:
            return
    yield "is not what was written: its SHA-256 differs from the manifest's"


def _reports(obs: ObsHook, places: Sequence[ObsLocation], log: Logger) -> dict[ObsLocation, ArchiveReport]:
    """Read archives to their last byte.

    :raises DliException: if one cannot be read as it is in the store
    """
    found = verify_archives(obs, places, VerifyOptions(), log) if places else []
    for report in found:
        if is_damaged_in_transit(report):
            raise DliException(
                f"{report}.",
                advice="Check what is between OBS and this machine, such as a proxy, and retry the task.",
            )
    return {each.place: each for each in found}


def _finding(
    obs: ObsHook, archive: Archive, report: ArchiveReport | None, expected: str | None, log: Logger
) -> str | None:
    """Return what is wrong with an archive that was read; None if it is the one that was verified."""
    if report is None or report.facts is None or report.report is None:
        return "is gone"
    if (report.facts.size, report.facts.etag) != (archive.size, archive.etag):
        return "was replaced while the backup was verified"
    if report.errors:
        return "is damaged: " + "; ".join(f"{each.code}: {each.message}" for each in report.errors)
    if expected is None or report.report.sha256 == expected:
        return None
    again = _reports(obs, [report.place], log)[report.place]
    if again.report and again.report.sha256 == expected:
        log.info("%s arrived damaged the first time, and intact the second time.", report.place.url)
        return None
    return f"is another archive: its SHA-256 is {report.report.sha256} and was {expected}"


def problem_of_archive(obs: ObsHook, backup: Backup, archive: Archive, log: Logger) -> str | None:
    """Read one archive of a backup; return what is wrong with it, or None if it is the one that was verified.

    :raises DliException: if it cannot be read
    """
    if change := backup.change_of(archive):
        return change.removeprefix(f"{archive.name} ")
    reports = _reports(obs, [backup.archive(archive)], log)
    return _finding(obs, archive, reports.get(backup.archive(archive)), archive.sha256, log)


def _recorded_hashes(catalogue: Catalogue, backup: Backup) -> Mapping[str, str]:
    """Return the SHA-256 of archives by name, as the newest verification that passed has them.

    For a backup that was not read to its last byte when it was made.
    """
    passed = [each for each in backup.of_kind("verification") if each.outcome == "passed"]
    record = catalogue.read_record(backup, passed[-1]) if passed else {}
    rows = [each for each in rows_of(record, "archives") if isinstance(each, dict)]
    return {row["name"]: row["sha256"] for row in rows if isinstance(row.get("name"), str) and row.get("sha256")}


def write_report(
    options: VerifyBackupsParameters, catalogue: Catalogue, outcome: Outcome, run_id: str | None, log: Logger
) -> str | None:
    """Write the HTML report to OBS and return its place; None if none was required.

    :raises DliException: if it cannot be written; damaged backups come first
    """
    if options.report_dir is None:
        return None
    rows: list[tuple[object, ...]] = [(each.place, "; ".join(each.findings)) for each in outcome.damaged]
    rows += [(place, f"could not be read: {failure}") for place, failure in outcome.failures]
    bad = frozenset(range(len(rows)))
    rows += [(place, "intact") for place in outcome.verified]
    tables = [Table("Backups", ("Backup", "Result"), rows, bad)]
    if outcome.unnamed:
        tables.append(
            Table("Archives that no manifest names", ("Archive",), [(each,) for each in outcome.unnamed])
        )
    facts = {
        "Catalogue": catalogue.root.url,
        "Run": run_id,
        "Bytes read": f"{outcome.bytes_read:,}",
        "Still to be verified": outcome.remaining,
        "Oldest verification": outcome.oldest_proof,
    }
    page = Page(
        "Backups of Flink jobs, verified again",
        not bad,
        _verdict(outcome),
        facts,
        tables,
        {
            "value": len(outcome.verified),
            "good": not bad,
            **outcome.as_dict(),
        },
    )
    try:
        return write_page(catalogue.obs, options.report_dir, "verify-backups", page, log)
    except DliException as error:
        raise_for_failures(outcome, f"The report was not written: {error}")
        raise


def _verdict(outcome: Outcome) -> str:
    bad = f"{pluralize(len(outcome.damaged), 'backup')} damaged. " if outcome.damaged else ""
    bad += f"{pluralize(len(outcome.failures), 'backup')} could not be read. " if outcome.failures else ""
    return f"{bad}{pluralize(len(outcome.verified), 'backup')} read and intact."


def raise_for_failures(outcome: Outcome, note: str = "") -> None:
    """Raise if a backup is damaged, now or since an earlier verification, or could not be read.

    :param note: a further sentence of the message
    :raises DliFailException: naming the damaged ones
    :raises DliException: if none is damaged, and a retry may read the others
    """
    unread = format_ids([f"{place}: {failure.problem}" for place, failure in outcome.failures], " | ")
    others = f" Not verified, since they could not be read: {unread}." if outcome.failures else ""
    if outcome.damaged:
        listed = format_ids(outcome.damaged, " | ")
        raise DliFailException(
            f"{pluralize(len(outcome.damaged), 'backup')} damaged: {listed}.{others}{note and f' {note}'}",
            advice="Do not restore from them: keep their archives as evidence, restore from another backup, and "
            "back up again.",
        )
    if outcome.failures:
        kind = (
            DliFailException
            if all(isinstance(each, DliFailException) for _, each in outcome.failures)
            else DliException
        )
        raise kind(f"{others.strip()}{note and f' {note}'}", advice=outcome.failures[-1][1].advice)
