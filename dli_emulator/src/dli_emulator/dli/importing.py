"""Import jobs from archives in the store.

INVENTED, since the manual is silent: an entry is read as the emulator's own export writes it; an archive that
cannot be read, an object in a directory that is no archive, and a missing one are ``DLI.29002``; several
archives of a directory with a job of one name are refused as a whole with ``DLI.0006``.
"""

from __future__ import annotations

from typing import Any

from dli_emulator.archive import UnreadableError, jobs_in
from dli_emulator.call import Call, blocking
from dli_emulator.dli.answers import done, field
from dli_emulator.dli.exporting import is_place
from dli_emulator.jobs import FlinkJob
from dli_emulator.wire import Refusal, Reply

_NOT_IMPORTED = -1
_CLASH = "The job name already exists"
_CREATED = "Job successfully created"
_COVERED = "Job successfully updated"


async def import_flink_jobs(call: Call) -> Reply:
    """Import the jobs of an archive, or of all archives of a directory (dli_02_0255)."""
    body = call.json_object()
    zip_file = field(body, "zip_file", str, required=True)
    cover = bool(field(body, "is_cover", bool))
    archives = await blocking(_archives, call, zip_file)
    jobs = [job for data in archives for job in _read(zip_file, data)]
    names = [job["name"] for job in jobs]
    if len(set(names)) < len(names):
        raise Refusal(400, "DLI.0006", _CLASH)
    mapping = [each for job in jobs if (each := _import(call, job, cover=cover))]
    name = "jobs_mapping" if call.state.settings.names_2020 else "job_mapping"
    return done(call, "The job is successfully imported.", **{name: mapping})


def _archives(call: Call, zip_file: str) -> list[bytes]:
    bucket, _, key = zip_file.partition("/")
    if "://" in zip_file or not key or not is_place(bucket, key) or not call.archives.has_bucket(bucket):
        raise _wrong_path(zip_file)
    single = call.archives.get(bucket, key)
    keys = [key] if single is not None else call.archives.keys(bucket, f"{key.rstrip('/')}/")
    if not keys or not all(each.endswith(".zip") for each in keys):
        raise _wrong_path(zip_file)
    if single is not None:
        return [single]
    return [call.archives.get(bucket, each) or b"" for each in keys]


def _read(zip_file: str, data: bytes) -> list[dict[str, Any]]:
    try:
        return jobs_in(data)
    except UnreadableError as flaw:
        raise Refusal(400, "DLI.29002", f"zip file path error: {zip_file}: {flaw}") from None


def _wrong_path(zip_file: str) -> Refusal:
    return Refusal(400, "DLI.29002", f"zip file path error: {zip_file}")


def _import(call: Call, shown: dict[str, Any], *, cover: bool) -> dict[str, Any] | None:
    """Import one job; what the mapping says of it, or None if a fault keeps it out."""
    old_id = int(shown["job_id"])
    fault = call.fault
    if fault and fault.kind == "import_drops" and old_id == fault["job"]:
        return _mapped(call, old_id, call.state.next_id(), _CREATED) if fault["claims"] else None
    if fault and fault.kind == "import_alters" and old_id == fault["job"]:
        name = fault["field"]
        home = shown if name in shown else shown["job_config"]
        home[name] = fault["value"]
    there = call.project.named(shown["name"])
    if there and not cover:
        return _mapped(call, old_id, _NOT_IMPORTED, _CLASH)
    if there:
        _restore(there, shown)
        return _mapped(call, old_id, there.job_id, _COVERED)
    made = call.state.add_job(in_project=call.project.project_id, name=shown["name"])
    _restore(made, shown)
    return _mapped(call, old_id, made.job_id, _CREATED)


def _mapped(call: Call, old_id: int, new_id: int, remark: str) -> dict[str, Any]:
    ids = {"old_job_id": old_id, "new_job_id": new_id}
    if call.state.settings.quoted_ids:
        return {**{name: str(value) for name, value in ids.items()}, "remark": remark}
    return {**ids, "remark": remark}


def _restore(job: FlinkJob, shown: dict[str, Any]) -> None:
    """Give a job the settings of an archive's; it is a draft then."""
    for name in ("job_type", "desc", "queue_name", "sql_body", "run_mode", "main_class", "entrypoint_args"):
        setattr(job, name, shown[name])
    job.graph_editor_enabled = shown["graph_editor_enabled"]
    job.edge_group_ids = shown["edge_group_ids"]
    job.job_config = dict(shown["job_config"])
    if f"/jobs/checkpoint/{shown['job_id']}" in (job.job_config.get("checkpoint_path") or ""):
        job.job_config["checkpoint_path"] = None  # the other job's own
    job.fill_in()
    job.status, job.plan = "job_init", []
    job.start_time, job.duration = None, 0
