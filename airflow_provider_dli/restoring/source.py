"""The archives of an import: found, and proven whole."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.exceptions import DliFailException
from airflow_provider_dli.services.verify import VerifyOptions, raise_for_failures, verify_archives

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_dli.hooks.obs import ObsHook
    from airflow_provider_dli.services.archive_report import ArchiveReport
    from airflow_provider_dli.wording import Logger

_ZIP = ".zip"
#: of a version: enough that no two are the same
_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Source:
    """Archives that are to be imported together.

    :param place: the archive, or the directory that holds them
    :param archives: each of them
    :param version: tells them from others that are under the same names at another time
    """

    place: ObsLocation
    archives: tuple[ObsLocation, ...]
    version: str


def find(hook: ObsHook, place: ObsLocation) -> Source:
    """Find what is to be imported.

    :param hook: of the connection that may read it
    :param place: an archive, or a directory that holds archives and nothing else
    :raises DliFailException: if there is no such archive, or something else lies in the directory
    """
    if facts := hook.find(place):
        return Source(place, (place,), _version({str(place): facts.etag}))
    listed = _listed(hook, place)
    archives = tuple(ObsLocation(place.bucket, key) for key in sorted(listed))
    return Source(place, archives, _version({str(each): listed[each.key] for each in archives}))


def _listed(hook: ObsHook, place: ObsLocation) -> dict[str, str]:
    """Give the archives of a directory: key, and when it was written."""
    # A directory that was made by hand has an object of its own name, with a slash at the end and no bytes.
    objects = [each for each in hook.list_directory(place).objects if each[0] != f"{place.key}/"]
    if not objects:
        raise DliFailException(
            f"zip_file: {place.url} is no archive, and no directory with archives in it; "
            "give the bucket/key that the export returned"
        )
    others = sorted(key for key, _ in objects if not key.lower().endswith(_ZIP))
    if others:
        raise DliFailException(
            f"zip_file: {place.url} holds what is no archive: {', '.join(others[:3])}; "
            "a directory to import from must hold archives and nothing else"
        )
    return {key: moment.isoformat() for key, moment in objects}


def proven(hook: ObsHook, source: Source, log: Logger) -> list[ArchiveReport]:
    """Prove every archive whole before anything is imported from it.

    :param hook: of the connection that may read them
    :param source: the archives
    :param log: where to tell
    :raises DliFailException: if one is damaged
    """
    reports = verify_archives(hook, source.archives, VerifyOptions(), log)
    raise_for_failures(reports)
    return reports


def _version(seen: Mapping[str, str]) -> str:
    text = "\n".join(f"{archive} {mark}" for archive, mark in seen.items())
    return sha256(text.encode()).hexdigest()[:_DIGITS]
