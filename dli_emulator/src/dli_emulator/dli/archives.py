"""Export jobs to archives in the object store, and import them from there.

INVENTED: DLI publishes neither the names nor the contents of the entries; here they are as
:mod:`dli_emulator.dli.layouts` has them. An import reads all layouts, whichever the export writes; an archive that
cannot be read, any other object in a directory, and a missing one are ``DLI.29002``; several archives of a
directory with a job of one name are refused as a whole with ``DLI.0006``.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable
from typing import Any

from dli_emulator.access import denied, may_act, refused
from dli_emulator.call import AgencyRefusal, Call, blocking, done, field, job_ids
from dli_emulator.dli.layouts import UnreadableError, jobs_in, write_archive
from dli_emulator.faults import Fault
from dli_emulator.flink_job import FlinkJob
from dli_emulator.keys import id_of_name
from dli_emulator.settings import AGENCIES
from dli_emulator.wire import Refusal, Reply

__all__ = ["archive_of", "export_flink_jobs", "import_flink_jobs", "jobs_in"]

#: bytes, as at OBS; an archive's own name takes part of them
_LONGEST_KEY = 1024 - len("/aggregate_1582677879475.zip")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ufffe\uffff]")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


async def export_flink_jobs(call: Call) -> Reply:
    """Export Flink jobs as a ZIP archive to OBS (dli_02_0254).

    INVENTED, since the manual is silent: an unknown id refuses the whole export with ``DLI.16001``; a project
    without jobs exports nothing and answers with an empty list.
    """
    body = call.json_object()
    bucket, directory = _place(body, lenient=call.state.settings.lenient_obs_dir)
    jobs = _selected(call, body)
    _check_agency(call)
    if not await blocking(call.archives.has_bucket, bucket):
        raise _unparseable(f"the bucket {bucket} does not exist")
    entries = [await _write(call, bucket, directory, jobs)] if jobs else []
    field = "zip_files" if call.state.settings.names_2020 else "zip_file"
    return done(call, "The job is successfully exported.", **{field: entries})


def _check_agency(call: Call) -> None:
    given = call.state.settings.agencies if call.project.agencies is None else call.project.agencies
    if not set(given) & set(AGENCIES):
        raise AgencyRefusal


async def _write(call: Call, bucket: str, directory: str, jobs: list[FlinkJob]) -> str:
    stamp = call.state.stamp()
    key = f"{directory}aggregate_{stamp}.zip"
    settings = call.state.settings
    archive = archive_of(jobs, stamp / 1000, settings.layout, filled_in=settings.fills_in_settings)
    data = damaged(archive, call.fault)
    kind = call.fault.kind if call.fault else None
    if call.fault and kind == "archive_late":
        call.later(call.fault["seconds"], lambda: call.archives.put(bucket, key, data))
    elif kind != "archive_missing":
        await blocking(call.archives.put, bucket, key, data)
    return f"{bucket}/{key}"


def _place(body: dict[str, Any], *, lenient: bool) -> tuple[str, str]:
    obs_dir = body.get("obs_dir")
    if not isinstance(obs_dir, str):
        raise Refusal(400, "DLI.0001", "The parameter obs_dir is required and must be a string.")
    if lenient:
        obs_dir = obs_dir.removeprefix("obs://").strip("/")
    bucket, *folders = obs_dir.split("/")
    if not all(folders) or not is_place(bucket, obs_dir):
        raise _unparseable(obs_dir)
    return bucket, "".join(f"{folder}/" for folder in folders)


def is_place(bucket: str, key: str) -> bool:
    """Return whether these can be a bucket and a key. INVENTED: that a key has no control characters.

    :param bucket: its name
    :param key: of an object, or the beginning of one
    """
    return bool(_BUCKET.fullmatch(bucket)) and len(key.encode()) <= _LONGEST_KEY and not _CONTROL.search(key)


def _unparseable(why: str) -> Refusal:
    return Refusal(400, "DLI.29001", f"Failed for parse obs path: {why}")


def _selected(call: Call, body: dict[str, Any]) -> list[FlinkJob]:
    chosen = body.get("is_selected")
    if not isinstance(chosen, bool):
        raise Refusal(400, "DLI.0001", "The parameter is_selected is required and must be a boolean.")
    jobs = {job.job_id: job for job in call.project.current_jobs()}
    if not chosen:
        return sorted(_all_of(call, jobs.values()), key=lambda job: job.job_id)
    ids = job_ids(body, "job_selected")
    missing = [item for item in ids if item not in jobs]
    if missing:
        raise Refusal(400, "DLI.16001", f"The job {', '.join(map(str, missing))} does not exist.")
    for job in (jobs[item] for item in ids):
        if not may_act(call.state, call.user, job, call.action):
            raise Refusal(400, *refused(call.state, call.user, job, call.action, "DLI.16001"))
    return [jobs[item] for item in ids]


def _all_of(call: Call, jobs: Iterable[FlinkJob]) -> list[FlinkJob]:
    """Return what "all jobs" are to the sender. INVENTED for a user who does not see all: ``sub_user_export``."""
    found = list(jobs)
    own = [job for job in found if may_act(call.state, call.user, job, call.action)]
    if len(own) < len(found) and call.state.settings.sub_user_export == "refused":
        raise denied(call.user, "jobs.flink", "EXPORT")
    return found if call.state.settings.sub_user_export == "all" else own


_NOT_IMPORTED = -1
_CONFLICT = "The job name already exists"
_CREATED = "Job successfully created"
_COVERED = "Job successfully updated"


async def import_flink_jobs(call: Call) -> Reply:
    """Import the jobs of an archive, or of all archives of a directory (dli_02_0255)."""
    body = call.json_object()
    zip_file = field(body, "zip_file", str, required=True)
    cover = bool(field(body, "is_cover", bool))
    _check_agency(call)
    archives = await blocking(_archives, call, zip_file)
    jobs = [job for data in archives for job in _read(zip_file, data)]
    names = [job["name"] for job in jobs]
    if len(set(names)) < len(names):
        raise Refusal(400, "DLI.0006", _CONFLICT)
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
    except UnreadableError as problem:
        raise Refusal(400, "DLI.29002", f"zip file path error: {zip_file}: {problem}") from None


def _wrong_path(zip_file: str) -> Refusal:
    return Refusal(400, "DLI.29002", f"zip file path error: {zip_file}")


def _import(call: Call, shown: dict[str, Any], *, cover: bool) -> dict[str, Any] | None:
    """Import one job; return its mapping, or None if a fault prevents it."""
    old_id = int(shown["job_id"])
    fault = call.fault
    if fault and fault.kind == "import_drops" and old_id == fault["job"]:
        return _mapped(call, old_id, call.state.next_id(), _CREATED) if fault["claims"] else None
    if fault and fault.kind == "import_alters" and old_id == fault["job"]:
        name = fault["field"]
        home = shown if name in shown else shown["job_config"]
        home[name] = fault["value"]
    there = call.project.named(shown["name"])
    # INVENTED: a job of somebody else is not overwritten.
    if there and not (cover and may_act(call.state, call.user, there, "dli:jobs:update")):
        return _mapped(call, old_id, _NOT_IMPORTED, _CONFLICT)
    if there:
        _restore(there, shown)
        return _mapped(call, old_id, there.job_id, _COVERED)
    owner = call.user.name
    made = call.state.add_job(
        in_project=call.project.project_id, name=shown["name"], user_name=owner, user_id=id_of_name(owner)
    )
    _restore(made, shown)
    return _mapped(call, old_id, made.job_id, _CREATED)


def _mapped(call: Call, old_id: int, new_id: int, remark: str) -> dict[str, Any]:
    ids = {"old_job_id": old_id, "new_job_id": new_id}
    if call.state.settings.quoted_ids:
        return {**{name: str(value) for name, value in ids.items()}, "remark": remark}
    return {**ids, "remark": remark}


def _restore(job: FlinkJob, shown: dict[str, Any]) -> None:
    """Return a job the settings of an archive's; it is a draft then."""
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


def archive_of(jobs: Iterable[FlinkJob], moment: float, layout: str = "jobs", *, filled_in: bool = False) -> bytes:
    """Write jobs into a ZIP archive.

    :param jobs: those to write
    :param moment: epoch seconds that the entries are dated with
    :param layout: of the archive, see :class:`~dli_emulator.settings.Settings`
    :param filled_in: whether jobs have the settings that DLI fills in
    """
    return write_archive([job.detail(filled_in=filled_in) for job in jobs], moment, layout)


def damaged(data: bytes, fault: Fault | None) -> bytes:
    """Return the archive as it gets into the store.

    :param data: the intact archive
    :param fault: ``archive_cut`` keeps the first ``keep`` bytes, half of them by default; ``archive_flipped``
        inverts the byte ``at`` that offset, by default in the middle of the first entry's data; any other leaves
        the archive as it is
    """
    if fault is not None and fault.kind == "archive_cut":
        keep = fault["keep"]
        return data[: len(data) // 2 if keep is None else keep]
    if fault is not None and fault.kind == "archive_flipped":
        at = fault["at"]
        return _flipped(data, _inside_first_entry(data) if at is None else at)
    return data


def _flipped(data: bytes, at: int) -> bytes:
    spot = at % len(data)
    return data[:spot] + bytes([data[spot] ^ 0xFF]) + data[spot + 1 :]


def _inside_first_entry(data: bytes) -> int:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entry = archive.infolist()[0]
    header = entry.header_offset
    name, extra = (int.from_bytes(data[header + at : header + at + 2], "little") for at in (26, 28))
    return header + 30 + name + extra + entry.compress_size // 2
