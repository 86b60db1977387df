"""DLI's Flink job operations: one handler each, named after the operation."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_dli.emulator.archive import archive_of, spoiled
from airflow_provider_dli.emulator.call import Call, blocking
from airflow_provider_dli.emulator.jobs import FlinkJob
from airflow_provider_dli.emulator.listing import read_listing
from airflow_provider_dli.emulator.state import Settings
from airflow_provider_dli.emulator.wire import Refusal, Reply

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def envelope(settings: Settings, *, success: bool, message: str = "", **payload: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Give the body that every job call answers with.

    :param settings: whether ``is_success`` is a string or a boolean
    :param success: whether the operation was executed
    :param message: the service's words
    :param payload: what the operation gives beside
    """
    truth = success if settings.boolean_is_success else str(success).lower()
    return {"is_success": truth, "message": message, **payload}


async def list_flink_jobs(call: Call) -> Reply:
    """List the project's Flink jobs (dli_02_0234)."""
    listing = read_listing(call.query())
    fitting = listing.pick(call.world.jobs.values())
    shown = [job.detail() if listing.show_detail else job.brief() for job in listing.page(fitting)]
    job_list = {"total_count": len(fitting), "jobs": shown}
    return Reply(200, envelope(call.world.settings, success=True, job_list=job_list))


async def show_flink_job(call: Call) -> Reply:
    """Show one Flink job with all its settings (dli_02_0235)."""
    text = call.path["job_id"]
    job = call.world.jobs.get(int(text)) if text.isascii() and text.isdecimal() else None
    if job is None:
        raise Refusal(400, "DLI.16001", f"The job {text} does not exist.")
    return Reply(200, envelope(call.world.settings, success=True, job_detail=job.detail()))


async def export_flink_jobs(call: Call) -> Reply:
    """Export Flink jobs as a ZIP archive to OBS (dli_02_0254).

    INVENTED, since the manual is silent: an unknown id refuses the whole export with ``DLI.16001``; a project
    without jobs exports nothing and answers with an empty list.
    """
    body = call.json_object()
    bucket, directory = _place(body, lenient=call.world.settings.lenient_obs_dir)
    jobs = _selected(call, body)
    if not await blocking(call.archives.has_bucket, bucket):
        raise _unparseable(f"the bucket {bucket} does not exist")
    entries = [await _write(call, bucket, directory, jobs)] if jobs else []
    field = "zip_files" if call.world.settings.names_2020 else "zip_file"
    message = "The job is successfully exported."
    return Reply(200, envelope(call.world.settings, success=True, message=message, **{field: entries}))


async def _write(call: Call, bucket: str, directory: str, jobs: list[FlinkJob]) -> str:
    stamp = call.world.stamp()
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
    if not _BUCKET.fullmatch(bucket) or not all(folders):
        raise _unparseable(obs_dir)
    return bucket, "".join(f"{folder}/" for folder in folders)


def _unparseable(why: str) -> Refusal:
    return Refusal(400, "DLI.29001", f"Failed for parse obs path: {why}")


def _selected(call: Call, body: dict[str, Any]) -> list[FlinkJob]:
    chosen = body.get("is_selected")
    if not isinstance(chosen, bool):
        raise Refusal(400, "DLI.0001", "The parameter is_selected is required and must be a boolean.")
    jobs = call.world.jobs
    if not chosen:
        return sorted(jobs.values(), key=lambda job: job.job_id)
    ids = body.get("job_selected")
    if not isinstance(ids, list) or not ids or any(type(item) is not int for item in ids):
        raise Refusal(400, "DLI.0001", "The parameter job_selected must be a list of job ids.")
    missing = [item for item in ids if item not in jobs]
    if missing:
        raise Refusal(400, "DLI.16001", f"The job {', '.join(map(str, missing))} does not exist.")
    return [jobs[item] for item in dict.fromkeys(ids)]
