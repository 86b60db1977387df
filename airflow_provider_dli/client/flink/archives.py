"""Export jobs to archives in OBS, and import them from there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_dli.client.call import Call
from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.flink.values import JOBS, checked_job_ids, message_of, objects_of
from airflow_provider_dli.client.locations import parse_directory

_NOT_IMPORTED = -1


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
        "obs_dir": str(parse_directory("obs_dir", obs_dir)),
        "is_selected": job_ids is not None,
    }
    if job_ids is not None:
        body["job_selected"] = checked_job_ids("job_ids", job_ids, or_all=True)
    return Call("ExportFlinkJobs", "POST", f"{JOBS}/export", _export_result, body=body)


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
    # With is_cover, asking twice puts the same settings into the same jobs once more.
    return Call("ImportFlinkJobs", "POST", f"{JOBS}/import", _import_result, body=body, repeatable=is_cover)


def _export_result(body: Mapping[str, Any]) -> ExportResult:
    # "zip_files" stood in the manual's 2020 edition; both are taken.
    archives = body.get("zip_file") or body.get("zip_files") or []
    if isinstance(archives, str):
        archives = [archives]
    if not archives or not all(isinstance(archive, str) and archive for archive in archives):
        raise ValueError(f"zip_file should list at least one archive and is {body.get('zip_file')!r}")
    return ExportResult(tuple(archives), message_of(body))


def _import_result(body: Mapping[str, Any]) -> ImportResult:
    # "jobs_mapping" stood in the manual's 2020 edition; both are taken.
    name = "job_mapping" if body.get("job_mapping") else "jobs_mapping"
    mapping = tuple(_mapped(each) for each in objects_of(body, name))
    if not mapping:
        raise ValueError(f"job_mapping should name at least one job and is {body.get('job_mapping')!r}")
    return ImportResult(mapping, message_of(body))


def _mapped(each: Mapping[str, Any]) -> JobMapping:
    new = int(each["new_job_id"])  # the manual's example quotes it
    remark = str(each.get("remark") or "")
    return JobMapping(int(each["old_job_id"]), None if new == _NOT_IMPORTED else new, remark)
