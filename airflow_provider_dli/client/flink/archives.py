"""Export jobs to archives in OBS, and import them from there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from airflow_provider_dli.client.call import Call
from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.flink.fields import JOBS, checked_job_ids, id_of, message_of, objects_of
from airflow_provider_dli.client.locations import ARCHIVE_NAME, ObsLocation, parse_archive, parse_directory

_NOT_IMPORTED = "-1"
_ARCHIVE = re.compile(r"(?:[^,?%\x00-\x1f\x7f]*/)?[^,?%/\x00-\x1f\x7f]*[^\s,?%/\x00-\x1f\x7f]\.zip", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ExportResult:
    """The result of an export.

    :param zip_file: each archive as ``bucket/key``; at least one
    :param message: of the service, may be empty
    """

    zip_file: tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True)
class JobMapping:
    """The outcome for one job of an archive.

    :param old_job_id: its id in the archive
    :param new_job_id: its id now; None if it was not imported, since a job of its name exists
    :param remark: of the service
    """

    old_job_id: int
    new_job_id: int | None
    remark: str


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The result of an import.

    :param job_mapping: the outcome for each job; at least one
    :param message: of the service, may be empty
    """

    job_mapping: tuple[JobMapping, ...]
    message: str


def export_jobs(obs_dir: str, job_ids: Iterable[int] | None = None) -> Call[ExportResult]:
    """Export Flink jobs as ZIP archives to OBS (dli_02_0254). Every call makes new archives.

    :param obs_dir: ``bucket``, ``bucket/directory`` or ``obs://bucket/directory`` to write the archives to
    :param job_ids: ids of the jobs to export; None for all jobs of the project
    :returns: the archives, each as ``bucket/key``
    :raises ConfigurationError: if ``obs_dir`` is not a place in OBS, or ``job_ids`` is empty or has invalid ids
    """
    body: dict[str, Any] = {
        "obs_dir": str(parse_directory("obs_dir", obs_dir, reserve=ARCHIVE_NAME)),
        "is_selected": job_ids is not None,
    }
    if job_ids is not None:
        body["job_selected"] = checked_job_ids("job_ids", job_ids, or_all=True)
    parse = partial(_export_result, parse_directory("obs_dir", obs_dir))
    return Call("ExportFlinkJobs", "POST", f"{JOBS}/export", parse, body=body)


def import_jobs(zip_file: str, *, is_cover: bool = False) -> Call[ImportResult]:
    """Import the Flink jobs of an archive from OBS (dli_02_0255).

    A job whose name exists is skipped unless ``is_cover``, and has no new id then. The call succeeds all the same:
    check each mapping.

    :param zip_file: an archive ``bucket/key``, or a directory ``bucket/directory`` that holds archives and nothing
        else, with or without ``obs://``
    :param is_cover: True to replace jobs of the same names; they become drafts
    :returns: the outcome for each job
    :raises ConfigurationError: if ``zip_file`` is not a place in a bucket
    """
    place = parse_directory("zip_file", zip_file)
    if not place.key:
        raise ConfigurationError(
            "zip_file", f"{zip_file!r} is a whole bucket", "give bucket/key of an archive, or a directory"
        )
    body = {"zip_file": str(place), "is_cover": is_cover}
    parse = partial(_import_result, place, is_cover)
    # With is_cover, a second request writes the same settings into the same jobs again.
    return Call("ImportFlinkJobs", "POST", f"{JOBS}/import", parse, body=body, repeatable=is_cover)


# What a response names must be of this request: otherwise it does not answer it.


def _export_result(directory: ObsLocation, body: Mapping[str, Any]) -> ExportResult:
    # "zip_files" is the name in the manual's 2020 edition; both are accepted.
    archives = [entry for name in ("zip_file", "zip_files") for entry in _entries(name, body, directory)]
    if not archives:
        raise ValueError(f"zip_file should list at least one archive and is {body.get('zip_file')!r}")
    return ExportResult(tuple(dict.fromkeys(archives)), message_of(body))


def _entries(name: str, body: Mapping[str, Any], directory: ObsLocation) -> list[str]:
    given = body.get(name) or []
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list) or not all(isinstance(entry, str) and entry.strip() for entry in listed):
        raise TypeError(f"{name} should list at least one archive and is {given!r}")
    found = [_archive_in(directory, name, entry) for entry in listed]
    if len(set(found)) < len(found):
        raise ValueError(f"{name} names an archive twice: {given!r}")
    return found


def _archive_in(directory: ObsLocation, name: str, entry: str) -> str:
    try:
        # A slash at the beginning is not documented, and not mistaken: the bucket is known.
        place = parse_archive(name, entry.lstrip("/"))
    except ConfigurationError as error:
        raise ValueError(f"{name} should name bucket/key of each archive: {error.problem}") from None
    parents = directory.key.split("/") if directory.key else []
    parts = place.key.split("/")
    is_below = place.bucket == directory.bucket and parts[: len(parents)] == parents and len(parts) > len(parents)
    # Not several names in one string, a query, an escaped path, or a second line.
    is_name = entry == entry.strip() and _ARCHIVE.fullmatch("/".join(parts[len(parents) :]))
    # Whoever reads the key as a path would walk "." and "..", and drop empty parts.
    if not is_below or not is_name or {"", ".", ".."} & set(parts):
        raise ValueError(f"{name} names {entry!r}, which is not an archive in {directory}")
    return str(place)


def _import_result(place: ObsLocation, is_cover: bool, body: Mapping[str, Any]) -> ImportResult:  # noqa: FBT001 -- bound by partial
    # "jobs_mapping" is the name in the manual's 2020 edition; both are accepted.
    name = "job_mapping" if body.get("job_mapping") or "jobs_mapping" not in body else "jobs_mapping"
    mapping = tuple(_job_mapping(each) for each in objects_of(body, name))
    if not mapping:
        raise ValueError(f"job_mapping should name at least one job and is {body.get('job_mapping')!r}")
    is_archive = place.is_archive
    # Several archives of a directory may have the same job; with is_cover, it has one new id.
    if is_archive:
        _check_distinct("old_job_id", [each.old_job_id for each in mapping])
    if is_archive or not is_cover:
        _check_distinct("new_job_id", [each.new_job_id for each in mapping if each.new_job_id is not None])
    return ImportResult(mapping, message_of(body))


def _job_mapping(each: Mapping[str, Any]) -> JobMapping:
    is_imported = str(each.get("new_job_id")) != _NOT_IMPORTED
    new_job_id = id_of(each, "new_job_id") if is_imported else None
    return JobMapping(id_of(each, "old_job_id"), new_job_id, str(each.get("remark") or ""))


def _check_distinct(field: str, ids: Sequence[int]) -> None:
    twice = [job_id for job_id, count in Counter(ids).items() if count > 1]
    if twice:
        raise ValueError(f"job_mapping names {field} {', '.join(map(str, twice))} twice")
