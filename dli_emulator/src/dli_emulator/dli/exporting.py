"""Export jobs to archives in the store."""

from __future__ import annotations

import re
from typing import Any

from dli_emulator.archive import archive_of, spoiled
from dli_emulator.call import Call, blocking
from dli_emulator.dli.answers import done, job_ids
from dli_emulator.jobs import FlinkJob
from dli_emulator.wire import Refusal, Reply

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
    if not await blocking(call.archives.has_bucket, bucket):
        raise _unparseable(f"the bucket {bucket} does not exist")
    entries = [await _write(call, bucket, directory, jobs)] if jobs else []
    field = "zip_files" if call.state.settings.names_2020 else "zip_file"
    return done(call, "The job is successfully exported.", **{field: entries})


async def _write(call: Call, bucket: str, directory: str, jobs: list[FlinkJob]) -> str:
    stamp = call.state.stamp()
    key = f"{directory}aggregate_{stamp}.zip"
    data = spoiled(archive_of(jobs, stamp / 1000), call.fault)
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
    """Tell whether these can be a bucket and a key. INVENTED: that a key has no control characters.

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
    jobs = {job.job_id: job for job in call.project.settled_jobs()}
    if not chosen:
        return sorted(jobs.values(), key=lambda job: job.job_id)
    ids = job_ids(body, "job_selected")
    missing = [item for item in ids if item not in jobs]
    if missing:
        raise Refusal(400, "DLI.16001", f"The job {', '.join(map(str, missing))} does not exist.")
    return [jobs[item] for item in ids]
