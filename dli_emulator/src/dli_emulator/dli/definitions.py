"""Create jobs and change them."""

from __future__ import annotations

from typing import Any

from dli_emulator.call import Call
from dli_emulator.dli.answers import done, field, job_of_path, text_field
from dli_emulator.dli.settings import checked_settings, checked_tags
from dli_emulator.jobs import CONFIG, NAME_LENGTH, FlinkJob
from dli_emulator.wire import Refusal, Reply

_OWN = ("desc", "queue_name", "sql_body", "run_mode", "main_class", "entrypoint_args")
_MODES = {1: "exactly_once", 2: "at_least_once"}
_RUNNING = ("job_running", "job_submitting", "job_savepointing", "job_canceling")
#: what may be changed while a job runs, as Terraform's provider has it
_ANY_TIME = {
    "smn_topic",
    "restart_when_exception",
    "resume_checkpoint",
    "resume_max_num",
    "checkpoint_path",
    "obs_bucket",
}
_SQL_TYPES = ("flink_sql_job", "flink_opensource_sql_job", "flink_sql_edge_job")


async def create_sql_job(call: Call) -> Reply:
    """Create a SQL job, as a draft (dli_02_0228)."""
    body = call.json_object()
    job_type = field(body, "job_type", str) or "flink_opensource_sql_job"
    if job_type not in _SQL_TYPES:
        raise Refusal(400, "DLI.0001", f"The job_type {job_type!r} is none of {', '.join(_SQL_TYPES)}.")
    template = call.project.templates.get(field(body, "template_id", int) or 0)
    if template and not body.get("sql_body"):
        body["sql_body"] = template.sql_body
    return _created(call, body, job_type)


async def create_jar_job(call: Call) -> Reply:
    """Create a JAR job, as a draft (dli_02_0230)."""
    return _created(call, call.json_object(), "flink_jar_job")


async def update_sql_job(call: Call) -> Reply:
    """Change a SQL job (dli_02_0229)."""
    return _updated(call, job_of_path(call, "DLI.12004"))


async def update_jar_job(call: Call) -> Reply:
    """Change a JAR job (dli_02_0231). INVENTED: the code for a missing one, which is that of SQL jobs."""
    return _updated(call, job_of_path(call, "DLI.12004"))


def _created(call: Call, body: dict[str, Any], job_type: str) -> Reply:
    name, settings, tags = _name(call, body, required=True), checked_settings(body), checked_tags(body)
    job = call.state.add_job(
        name=name,
        job_type=job_type,
        tags=tags,
        user_name=call.state.identity.user,
        in_project=call.project.project_id,
    )
    _apply(job, settings)
    return done(call, job={"job_id": job.job_id, "status_name": job.status, "status_desc": ""})


def _updated(call: Call, job: FlinkJob) -> Reply:
    """Change it. INVENTED: a field that may not be changed while a job runs is refused with ``DLI.0007``."""
    body = call.json_object()
    settings = checked_settings(body)
    fixed = sorted(set(body) - _ANY_TIME)
    if job.status in _RUNNING and fixed:
        raise Refusal(400, "DLI.0007", f"The job {job.job_id} runs: {', '.join(fixed)} cannot be changed now.")
    if body.get("name") is not None:
        job.name = _name(call, body, required=True, but=job.job_id)
    _apply(job, settings)
    job.update_time = call.state.stamp()
    return done(call, job={"update_time": job.update_time})


def _name(call: Call, body: dict[str, Any], *, required: bool, but: int | None = None) -> str:
    """Read the name. INVENTED: the code for one that exists."""
    field(body, "name", str, required=required)
    name = text_field(body, "name", NAME_LENGTH) or ""
    if not name.strip():
        raise Refusal(400, "DLI.0001", "The parameter name must not be empty.")
    if any(job.name == name for job in call.project.jobs.values() if job.job_id != but):
        raise Refusal(400, "DLI.0006", f"The job name {name} already exists.")
    return name


def _apply(job: FlinkJob, settings: dict[str, Any]) -> None:
    for name in _OWN:
        if name in settings:
            setattr(job, name, settings[name])
    job.job_config |= {name: settings[name] for name in CONFIG if name in settings}
    if "checkpoint_mode" in settings:
        job.job_config["checkpoint_mode"] = _MODES[settings["checkpoint_mode"]]
    job.fill_in()
