"""Copy backups to another catalogue, in another bucket, region or account, in the order in which it happens.

Find the backups, keep each from being deleted, copy its archives within OBS or through this machine, read the
copies to their last byte, copy the lists of jobs, write a manifest of their own, and note the copy at its source.
Nothing is overwritten: what is at the target already is read like a copy that was just made.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.backups.catalogue import GZIP, MAX_DOCUMENT, Catalogue
from airflow_provider_dli.backups.manifest import (
    LEVELS,
    Archive,
    Content,
    Manifest,
    Run,
    Verification,
)
from airflow_provider_dli.backups.state import Backup, usable, with_bases
from airflow_provider_dli.client.errors import PermissionDeniedError
from airflow_provider_dli.exceptions import DliException, DliFailException, read_parameters, translated, worst
from airflow_provider_dli.formatting import format_ids, pluralize
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.parameters.models import CopyParameters
from airflow_provider_dli.services import verify

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.client.obs.objects import ObjectFacts
    from airflow_provider_dli.services.report import ArchiveReport

_MEGA = 1_000_000
_CHUNK = 1024 * 1024
#: seconds between two lines on the progress
_LOG_INTERVAL = 10


@dataclass(frozen=True, slots=True)
class Copy:
    """What came of the copy of one backup.

    :param place: directory of the copy
    :param copied: bytes of archives that were copied now; None if nothing was left to do
    :param problem: why there is no copy
    """

    backup: Backup
    place: ObsLocation
    copied: int | None = None
    problem: DliException | None = None


@dataclass(frozen=True, slots=True)
class CopyOutcome:
    """What came of all of them.

    :param missing: projects without a backup that can be copied, and why
    :param seconds: that it took
    """

    copies: tuple[Copy, ...]
    missing: Mapping[str, str]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, for XCom."""
        made = [each for each in self.copies if not each.problem]
        return {
            "copied": [str(each.place) for each in made if each.copied is not None],
            "skipped": [str(each.place) for each in made if each.copied is None],
            "failed": [str(each.place) for each in self.copies if each.problem],
            "bytes": sum(each.copied or 0 for each in made),
            "seconds": round(self.seconds, 1),
        }

    def raise_for_failures(self) -> None:
        """Raise if a backup was not copied, naming each and why.

        :raises DliFailException: if no retry can help any of them
        :raises DliException: if a retry may help
        """
        failures = [each.problem for each in self.copies if each.problem]
        reasons = [f"{each.backup.place.url}: {each.problem}" for each in self.copies if each.problem]
        reasons += [f"project {project}: {reason}" for project, reason in self.missing.items()]
        if reasons:
            can_retry = any(not isinstance(each, DliFailException) for each in failures)
            kind = DliException if can_retry else DliFailException
            raise kind(
                f"{pluralize(len(reasons), 'copy', 'copies')} failed: {format_ids(reasons, ' | ')}",
                advice="The others are made; correct what is named, and run the task again.",
            ) from worst(failures)


def prepare(operator: object) -> tuple[CopyParameters, Catalogue, Catalogue]:
    """Return the parameters of an operator, all of them checked, its catalogue and that of the copies."""
    options = read_parameters(CopyParameters, operator)
    obs = ObsHook(options.dli_conn_id)
    # One hook for both, if there is one connection: it knows by itself what it may read.
    other = ObsHook(options.target_conn_id) if options.target_conn_id not in (None, obs.dli_conn_id) else obs
    return options, Catalogue(obs, options.backup_dir), Catalogue(other, options.target_dir)


def copy_backups(
    options: CopyParameters, source: Catalogue, target: Catalogue, run: Run | None, log: Logger
) -> CopyOutcome:
    """Copy usable backups, the newest of each project first; a failure of one does not stop the others.

    :param run: of the task
    :raises DliException: if a catalogue cannot be listed, or the credentials are refused
    """
    began = time.monotonic()
    chosen, missing = _chosen(options, source, log)
    copies: list[Copy] = []
    for number, backup in enumerate(chosen, 1):
        place = target.place(backup.project_id, backup.backup_id)
        log.info("Copying backup %d of %d, %s, to %s.", number, len(chosen), backup.place.url, place.url)
        try:
            copies.append(Copy(backup, place, _copy(backup, source, target, run, log)))
        except DliException as failure:
            # Every other request would be refused too, and more than five failures lock a key.
            if failure.refuses_identity:
                raise
            copies.append(_failed(backup, source, place, failure, log))
    return CopyOutcome(tuple(copies), missing, time.monotonic() - began)


def _chosen(options: CopyParameters, source: Catalogue, log: Logger) -> tuple[list[Backup], dict[str, str]]:
    """Return the backups to copy; and the projects that have none, with the reason."""
    found: dict[str, list[Backup]] = {project: source.backups(project) for project in options.project_ids}
    for backup in source.backups() if not options.project_ids else ():
        found.setdefault(backup.project_id, []).append(backup)
    if not found:
        raise DliFailException(
            f"backup_dir: there is no backup in {source.root.url}",
            advice="Give the backup_dir of DliBackupFlinkJobsOperator.",
        )
    chosen, missing = [], {}
    for project, backups in found.items():
        kept = [backup for backup in backups if not backup.is_deleted]
        for backup in kept:
            if backup.state in ("damaged", "unreadable"):
                reason = backup.problem or "; ".join(backup.changes) or "its last verification failed"
                log.warning("%s is %s and is not copied: %s", backup.place.url, backup.state, reason)
        newest_first = usable(kept, level=options.level)
        if not newest_first:
            missing[project] = _reason(kept, options)
        chosen += newest_first if options.newest == "all" else _with_bases(newest_first, options.newest)
    return chosen, missing


def _with_bases(newest_first: Sequence[Backup], count: int) -> list[Backup]:
    """Return the newest backups, the newest of all jobs, and those that have the jobs which these omit."""
    full = [each for each in newest_first if each.is_all_jobs]
    return with_bases([*newest_first[:count], *full[:1]], newest_first)


def _reason(kept: Sequence[Backup], options: CopyParameters) -> str:
    levels = {each.level for each in kept if each.level and each.state == "verified"}
    if levels:
        highest = max(levels, key=LEVELS.index)
        return f"no backup was verified at level {options.level!r}; give level={highest!r}"
    states = ", ".join(sorted({each.state for each in kept}))
    return f"none of {pluralize(len(kept), 'backup')} can be copied: {states}" if kept else "it has no backup"


def _manifest(backup: Backup) -> Manifest:
    if backup.manifest is None:
        raise DliFailException(f"{backup.place.url} has no manifest that can be read; copy another")
    return backup.manifest


def _failed(backup: Backup, source: Catalogue, place: ObsLocation, failure: DliException, log: Logger) -> Copy:
    """Return what came of a copy that failed: nothing was left to do if the source was deleted meanwhile."""
    if isinstance(failure, DliFailException) and failure.error is None and source.is_gone(backup):
        log.info("Skipping %s, which was deleted meanwhile.", backup.place.url)
        return Copy(backup, place)
    log.warning("%s was not copied: %s", backup.place.url, failure)
    return Copy(backup, place, problem=failure)


def _copy(backup: Backup, source: Catalogue, target: Catalogue, run: Run | None, log: Logger) -> int | None:
    """Copy a backup, or go on with a copy of it; return the bytes of archives that were copied.

    :returns: None if there is such a copy, or the target's expiry has deleted it
    :raises DliException: if it cannot be copied, or something else is in its place
    """
    there = target.backup(backup.project_id, backup.backup_id)
    if there and there.is_deleted:
        log.info("Skipping %s, which an expiry of its own catalogue has deleted.", there.place.url)
        return None
    if there and there.state != "incomplete":
        _check_existing(backup, there)
        log.info("Skipping it, since %s is a copy of it.", there.place.url)
        _record(backup, there, source, run, log)
        return None
    manifest = _manifest(backup)
    why = {"copy": str(target.place(backup.project_id, backup.backup_id)), "run": run and run.model_dump()}
    with source.reading(backup, why, log):
        sums = {each.name: each.sha256 or _sha256_of(source.obs, backup, each) for each in manifest.archives}
        copied = sum(_copy_archives(backup, there.objects if there else {}, source, target, log))
        archives, size = _verified(backup, sums, source, target, log)
        contents = {
            # What a manifest calls jobs and settings.
            name.partition(".")[0]: _copy_content(backup, name, content, source, target)
            for name, content in manifest.contents.items()
        }
        now = target.now()
        target.write_manifest(
            manifest.model_copy(
                update={
                    **contents,
                    "archives": archives,
                    "verification": Verification(level="full", verified_at=now, passed=True, bytes_read=size),
                    "completed_at": now,
                    "copied_from": str(backup.place),
                }
            )
        )
        # As every other reader will find it.
        made = target.backup(backup.project_id, backup.backup_id)
        if made is None or made.state != "verified":
            problem = "; ".join(made.changes) or made.state if made else "it does not exist"
            place = target.place(backup.project_id, backup.backup_id)
            raise DliException(f"{place.url} was written and cannot be used: {problem}", advice="Try again.")
        _record(backup, made, source, run, log)
    return copied


def _check_existing(backup: Backup, there: Backup) -> None:
    """Check what is at the target with a manifest: it must be a copy of this backup, and usable.

    :raises DliFailException: if it is something else, damaged, or the backup itself
    """
    ours, theirs = _manifest(backup), there.manifest
    if theirs is None or there.state == "damaged":
        problem = there.problem or "; ".join(there.changes) or "its last verification failed"
        raise DliFailException(
            f"the copy {there.place.url} is {there.state}: {problem}",
            advice="Delete it, and the next run copies the backup again; nothing is overwritten.",
        )
    if theirs == ours:
        raise DliFailException(
            f"target_dir: {there.place.url} is the backup itself, not a copy", advice="Give another directory."
        )
    different = [] if ours.exported_at == theirs.exported_at else ["exported_at"]
    sums, copied = ({name: each.sha256 for name, each in made.contents.items()} for made in (ours, theirs))
    different += sorted({name for name, _ in sums.items() ^ copied.items()})
    names, others = ({each.name: each for each in manifest.archives} for manifest in (ours, theirs))
    for name in sorted(names.keys() | others.keys()):
        one, other = names.get(name), others.get(name)
        if not (one and other) or one.size != other.size or (one.sha256 and one.sha256 != other.sha256):
            different.append(name)
    if different:
        raise DliFailException(
            f"{there.place.url} is not a copy of {backup.place.url}: they differ in {', '.join(different)}",
            advice="Give another target_dir; nothing is overwritten.",
        )


def _sha256_of(obs: ObsHook, backup: Backup, archive: Archive) -> str:
    """Return the SHA-256 of an archive, for which it is read."""
    digest = sha256()
    with translated(), obs.open(backup.archive(archive), _facts(obs, backup, archive)) as reader:
        while chunk := reader.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _facts(obs: ObsHook, backup: Backup, archive: Archive) -> ObjectFacts:
    """Return the facts of an archive, if it is the one that the manifest has."""
    place = backup.archive(archive)
    facts = obs.find(place)
    if facts is None or (facts.size, facts.etag) != (archive.size, archive.etag):
        raise DliFailException(
            f"{place.url} {'was replaced' if facts else 'no longer exists'}", advice="Copy another backup."
        )
    return facts


def _copy_archives(
    backup: Backup, present: Mapping[str, Any], source: Catalogue, target: Catalogue, log: Logger
) -> Iterator[int]:
    """Copy the archives that the target does not have; yield the bytes of each.

    :param present: objects at the target, by name
    """
    manifest, directory = _manifest(backup), target.place(backup.project_id, backup.backup_id)
    progress = verify.Progress(log, len(manifest.archives), manifest.size, _LOG_INTERVAL)
    for archive in manifest.archives:
        place = directory.below(archive.name)
        if there := present.get(archive.name):
            if there.size != archive.size:
                raise _other(place, f"it has {there.size:,} bytes, and the archive {archive.size:,}")
            log.info("%s exists already.", place.url)
        else:
            origin, facts = backup.archive(archive), _facts(source.obs, backup, archive)
            within = target.obs.copy_from(source.obs, origin, facts, place, partial(progress.add, place))
            log.info(
                "Copied %s, %.1f MB, %s.",
                archive.name,
                archive.size / _MEGA,
                "within OBS" if within else "through this machine",
            )
            yield archive.size
        progress.finish(place, archive.size)


def _other(place: ObsLocation, problem: str) -> DliFailException:
    return DliFailException(
        f"{place.url} is something else than its source: {problem}",
        advice="Delete it, and the next run copies it again; nothing is overwritten.",
    )


def _verified(
    backup: Backup, sums: Mapping[str, str], source: Catalogue, target: Catalogue, log: Logger
) -> tuple[tuple[Archive, ...], int]:
    """Read the copies to their last byte; return them as a manifest has them, and how many bytes were read.

    :param sums: the SHA-256 of each, by name
    :raises DliException: if one is missing or is not what it should be
    """
    directory = target.place(backup.project_id, backup.backup_id)
    by_place = {directory.below(each.name): each for each in _manifest(backup).archives}
    reports = verify.verify_archives(target.obs, list(by_place), verify.VerifyOptions(), log)
    for report in reports:
        archive = by_place[report.place]
        found = report.report.sha256 if report.report else None
        if found is None or found == sums[archive.name]:
            continue
        if _sha256_of(source.obs, backup, archive) != sums[archive.name]:
            raise DliFailException(
                f"{backup.archive(archive).url} is damaged: its SHA-256 is not the one that was verified",
                advice=f"Do not rely on this backup, and delete {report.place.url}.",
            )
        raise _other(report.place, "their SHA-256 differ")
    verify.raise_for_failures(reports)
    read = {report.place: report for report in reports}
    return (
        tuple(_as_copied(archive, read[place]) for place, archive in by_place.items()),
        sum(each.facts.size for each in reports if each.facts),
    )


def _as_copied(archive: Archive, report: ArchiveReport) -> Archive:
    facts, found = report.facts, report.report
    if facts is None or found is None:  # it would have failed
        raise DliFailException(f"{report.place.url} was not read; try again")
    seen = {"etag": facts.etag, "version_id": facts.version_id, "last_modified": facts.last_modified}
    return archive.model_copy(update={**seen, "sha256": found.sha256, "entries": len(found.entries)})


def _copy_content(backup: Backup, name: str, content: Content, source: Catalogue, target: Catalogue) -> Content:
    """Copy the jobs or the settings, and read them back; return what the manifest of the copy has of them."""
    data = source.read_content(backup, name, content)
    place = target.place(backup.project_id, backup.backup_id).below(name)
    there = target.obs.read(place, MAX_DOCUMENT)
    if there is None:
        target.obs.put(place, data, GZIP)
        there = target.obs.read(place, MAX_DOCUMENT)
    if there is None:
        raise DliException(f"{place.url} was written and does not exist; try again")
    if there != data:
        raise _other(place, "their bytes differ")
    return content.model_copy(update={"etag": target.etag_of(place)})


def _record(backup: Backup, made: Backup, source: Catalogue, run: Run | None, log: Logger) -> None:
    """Note a copy at its source, once, if this key may write there."""
    known = (source.read_record(backup, record) for record in backup.of_kind("copy"))
    if any(each.get("place") == str(made.place) for each in known):
        return
    proof = _manifest(made).verification
    content = {
        "place": str(made.place),
        "verified_at": proof.verified_at.isoformat(),
        "sha256": {each.name: each.sha256 for each in _manifest(made).archives},
        "run": run and run.model_dump(),
    }
    try:
        source.record(backup, "copy", content, "passed")
    except DliException as failure:
        if not isinstance(failure.error, PermissionDeniedError):
            raise
        log.warning("%s The source has no record of its copy.", failure)
