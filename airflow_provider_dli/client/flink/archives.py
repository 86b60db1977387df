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
from airflow_provider_dli.client.flink.values import JOBS, checked_job_ids, message_of, objects_of
from airflow_provider_dli.client.locations import ARCHIVE_NAME, ObsLocation, parse_archive, parse_directory

_NOT_IMPORTED = -1
_ARCHIVE = re.compile(r"(?:[^,?%\x00-\x1f\x7f]*/)?[^,?%/\x00-\x1f\x7f]*[^\s,?%/\x00-\x1f\x7f]\.zip", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What an export gave.

    :param zip_file: each archive as ``bucket/key``; at least one
    :param message: the service's words, perhaps empty
    """

    zip_file: tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True)
class JobMapping:
    """What became of one job of an archive.

    :param old_job_id: the id it has in the archive
    :param new_job_id: the id it has now; None if it was not imported, since a job of its name exists
    :param remark: the service's words
    """

    old_job_id: int
    new_job_id: int | None
    remark: str


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import gave.

    :param job_mapping: what became of each job; at least one
    :param message: the service's words, perhaps empty
    """

    job_mapping: tuple[JobMapping, ...]
    message: str


def export_jobs(obs_dir: str, job_ids: Iterable[int] | None = None) -> Call[ExportResult]:
    """Export Flink jobs as ZIP archives to OBS (dli_02_0254). Every call makes new archives.

    :param obs_dir: ``bucket``, ``bucket/directory`` or ``obs://bucket/directory`` that the archives go to
    :param job_ids: ids of the jobs to export; None for all jobs of the project
    :returns: the archives, each as ``bucket/key``
    :raises ConfigurationError: if ``obs_dir`` is no place in OBS, or ``job_ids`` is empty or holds no ids
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

    A job whose name exists is left out unless ``is_cover``; it then has no new id. That is no error of the call:
    look at each.

    :param zip_file: an archive ``bucket/key``, or a directory ``bucket/directory`` that holds archives and nothing
        else, with or without ``obs://``
    :param is_cover: True to replace jobs of the same names; they become drafts
    :returns: what became of each job
    :raises ConfigurationError: if ``zip_file`` is no place in a bucket
    """
    place = parse_directory("zip_file", zip_file)
    if not place.key:
        raise ConfigurationError(
            "zip_file", f"{zip_file!r} is a whole bucket", "give bucket/key of an archive, or a directory"
        )
    body = {"zip_file": str(place), "is_cover": is_cover}
    parse = partial(_import_result, place, is_cover)
    # With is_cover, asking twice puts the same settings into the same jobs once more.
    return Call("ImportFlinkJobs", "POST", f"{JOBS}/import", parse, body=body, repeatable=is_cover)


# A response is about its subject or it is no answer: what it names must be of this request.


def _export_result(directory: ObsLocation, body: Mapping[str, Any]) -> ExportResult:
    # "zip_files" stood in the manual's 2020 edition; both are taken.
    archives = [entry for name in ("zip_file", "zip_files") for entry in _entries(name, body, directory)]
    if not archives:
        raise ValueError(f"zip_file should list at least one archive and is {body.get('zip_file')!r}")
    return ExportResult(tuple(dict.fromkeys(archives)), message_of(body))


def _entries(name: str, body: Mapping[str, Any], directory: ObsLocation) -> list[str]:
    """Return the archives that a field names, each as ``bucket/key``.

    :raises ValueError: if one is no object in the directory, or is named twice
    """
    given = body.get(name) or []
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list) or not all(isinstance(entry, str) and entry.strip() for entry in listed):
        raise TypeError(f"{name} should list at least one archive and is {given!r}")
    found = [_archive_in(directory, name, entry) for entry in listed]
    if len(set(found)) < len(found):
        raise ValueError(f"{name} names an archive twice: {given!r}")
    return found


def _archive_in(directory: ObsLocation, name: str, entry: object) -> str:
    try:
        place = parse_archive(name, entry)
    except ConfigurationError as error:
        raise ValueError(f"{name} should name bucket/key of each archive: {error.problem}") from None
    parents = directory.key.split("/") if directory.key else []
    parts = place.key.split("/")
    is_below = place.bucket == directory.bucket and parts[: len(parents)] == parents and len(parts) > len(parents)
    # A name of an archive: several in one text, a query, an escaped path or a line too many are none.
    is_name = entry == str(entry).strip() and _ARCHIVE.fullmatch("/".join(parts[len(parents) :]))
    # "." and ".." would be walked by whoever reads the key as a path.
    if not is_below or not is_name or {".", ".."} & set(parts):
        raise ValueError(f"{name} names {entry!r}, which is no archive in {directory}")
    return str(place)


def _import_result(place: ObsLocation, is_cover: bool, body: Mapping[str, Any]) -> ImportResult:  # noqa: FBT001 -- bound by partial
    # "jobs_mapping" stood in the manual's 2020 edition; both are taken.
    name = "job_mapping" if body.get("job_mapping") else "jobs_mapping"
    mapping = tuple(_mapped(each) for each in objects_of(body, name))
    if not mapping:
        raise ValueError(f"job_mapping should name at least one job and is {body.get('job_mapping')!r}")
    is_archive = place.key.lower().endswith(".zip")
    # Several archives of a directory may hold one job; with is_cover, it then has one new id.
    if is_archive:
        _check_distinct("old_job_id", [each.old_job_id for each in mapping])
    if is_archive or not is_cover:
        _check_distinct("new_job_id", [each.new_job_id for each in mapping if each.new_job_id is not None])
    return ImportResult(mapping, message_of(body))


def _check_distinct(field: str, ids: Sequence[int]) -> None:
    twice = [job_id for job_id, count in Counter(ids).items() if count > 1]
    if twice:
        raise ValueError(f"job_mapping names {field} {', '.join(map(str, twice))} twice")


def _mapped(each: Mapping[str, Any]) -> JobMapping:
    new = _id_of(each, "new_job_id", or_not_imported=True)
    remark = str(each.get("remark") or "")
    return JobMapping(_id_of(each, "old_job_id"), None if new == _NOT_IMPORTED else new, remark)


def _id_of(each: Mapping[str, Any], field: str, *, or_not_imported: bool = False) -> int:
    """Return an id, quoted or not: the manual's example quotes it.

    :raises ValueError: if it is none
    """
    given = each.get(field)
    text = str(given) if isinstance(given, int | str) and not isinstance(given, bool) else ""
    if re.fullmatch(r"[0-9]{1,19}", text) and 0 < int(text) < 1 << 63:
        return int(text)
    if or_not_imported and text == str(_NOT_IMPORTED):
        return _NOT_IMPORTED
    raise ValueError(f"{field} should be the id of a job and is {given!r}")
