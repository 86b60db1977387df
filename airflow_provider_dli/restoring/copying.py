"""Copy archives to where the target of an import can read them, and prove the copies."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from airflow_provider_dli.client.errors import PermissionDeniedError
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.restoring.source import Source
from airflow_provider_dli.services.verify import VerifyOptions, raise_for_failures, verify_archives
from airflow_provider_dli.wording import Logger, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.client.obs.objects import ObjectFacts
    from airflow_provider_dli.hooks.obs import ObsHook
    from airflow_provider_dli.services.archive_report import ArchiveReport

_PIECE = 1024 * 1024


def copied(
    hook: ObsHook,
    source: Source,
    target: ObsHook,
    directory: ObsLocation,
    reports: Sequence[ArchiveReport],
    log: Logger,
) -> Source:
    """Copy archives to where the target can read them, and prove the copies.

    Within the service where the target's keys may read the source, else through this machine, in pieces and
    never on disk. Each set of archives gets a directory of its own: DLI imports all that is in one, so that the
    copies of another run must not lie there.

    :param hook: of the connection that may read the source
    :param source: the archives
    :param target: of the connection that imports
    :param directory: where to, in a directory of their own below it
    :param reports: what is known of the archives; nothing if they were not verified
    :param log: where to tell
    :raises DliFailException: if a copy is not what was copied
    """
    own = directory.below(source.version)
    places = tuple(own.below(archive.key.rpartition("/")[2]) for archive in source.archives)
    for archive, place in zip(source.archives, places, strict=True):
        facts = hook.find(archive)
        if facts is None:
            raise DliFailException(f"{archive.url} is gone; export again")
        within = _copied_within(target, archive, facts, place)
        if not within:
            with hook.open(archive, facts) as raw, io.BufferedReader(raw, _PIECE) as reader:
                target.stream(reader, place)
        how = "within OBS" if within else "through this machine"
        log.info("Copied %s to %s, %s.", archive.url, place.url, how)
    _compare(target, places, reports, log)
    is_one = source.place in source.archives
    return Source(places[0] if is_one else own, places, source.version)


def _copied_within(target: ObsHook, archive: ObsLocation, facts: ObjectFacts, place: ObsLocation) -> bool:
    try:
        seen = target.find(archive)
    except DliException as error:
        if isinstance(error, DliFailException) or isinstance(error.error, PermissionDeniedError):
            return False  # another account, or another region: its keys do not open this bucket
        raise
    if seen is None or seen.etag != facts.etag:
        return False
    target.copy(archive, facts, place)
    return True


def _compare(
    target: ObsHook, places: tuple[ObsLocation, ...], reports: Sequence[ArchiveReport], log: Logger
) -> None:
    """Read every copy to its last byte, and hold it against its source."""
    copies = verify_archives(target, places, VerifyOptions(), log)
    raise_for_failures(copies)
    for report, copy in zip(reports, copies, strict=False):
        if report.report and copy.report and report.report.sha256 != copy.report.sha256:
            raise DliFailException(
                f"{copy.place.url} is no copy of {report.place.url}: their SHA-256 differ; delete it and try again"
            )
    log.info("%s proven to be the same, byte for byte.", counted(len(copies), "copy", "copies"))
