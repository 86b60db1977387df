"""Create and update jobs, and check the types and limits of their settings (dli_02_0228 to 0231).

INVENTED: the code for a wrong setting, which is that of the service's parameter check; and that null stands for an
omitted setting.
"""

from __future__ import annotations

import re
from typing import Any

from dli_emulator.call import Call, done, field, job_of_path, list_field, text_field
from dli_emulator.flink_job import CONFIG, NAME_LENGTH, FlinkJob
from dli_emulator.keys import id_of_name
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
        user_name=call.user.name,
        user_id=id_of_name(call.user.name),
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


_NO_LIMIT = 1 << 63
_TEXTS = dict.fromkeys(
    (
        "run_mode",
        "udf_jar_url",
        "dirty_data_strategy",
        "obs_bucket",
        "smn_topic",
        "runtime_config",
        "flink_log_config",
        "flink_version",
        "execution_agency_urn",
        "resource_config_version",
        "operator_config",
        "static_estimator_config",
        "main_class",
        "entrypoint",
        "entrypoint_args",
        "feature",
        "image",
        "checkpoint_path",
        "job_type",
    ),
    _NO_LIMIT,
) | {"desc": 2048, "queue_name": 128, "sql_body": 1024 * 1024}
_NUMBERS = dict.fromkeys(
    ("manager_cu_number", "tm_cus", "tm_slot_num", "checkpoint_interval", "idle_state_retention", "template_id"),
    (-_NO_LIMIT, _NO_LIMIT),
) | {
    "cu_number": (2, 400),
    "parallel_number": (1, 2000),
    "resume_max_num": (-1, _NO_LIMIT),
    "checkpoint_mode": (1, 2),
}
_TRUTHS = ("checkpoint_enabled", "log_enabled", "restart_when_exception", "resume_checkpoint")
_LISTS = ("edge_group_ids", "dependency_jars", "dependency_files")
_DIRTY = re.compile(r"0|1|2:.*", re.DOTALL)
_CHOICES = {
    "run_mode": ("shared_cluster", "exclusive_cluster", "edge_node"),
    "feature": ("basic", "custom"),
    "resource_config_version": ("v1", "v2"),
}

_GRAPH_CHOICES = {
    "job_type": ("flink_opensource_sql_job",),
    "graph_type": ("simple_graph", "job_graph"),
    "flink_version": ("1.10", "1.12"),
}


def checked_settings(body: dict[str, Any]) -> dict[str, Any]:
    """Return what a body sets, without what is null or no setting.

    :param body: of the request
    :raises Refusal: ``DLI.0001`` if a setting is of another kind or out of its limits
    """
    read: dict[str, Any] = {name: text_field(body, name, longest) for name, longest in _TEXTS.items()}
    read |= {name: _number(body, name) for name in _NUMBERS}
    read |= {name: field(body, name, bool) for name in _TRUTHS}
    read |= {name: list_field(body, name, str) for name in _LISTS}
    read["resource_config"] = _resources(body)
    for name, choices in _CHOICES.items():
        if read[name] is not None and read[name] not in choices:
            raise Refusal(400, "DLI.0001", f"The parameter {name} is none of {', '.join(choices)}.")
    dirty = read["dirty_data_strategy"]
    if dirty is not None and not _DIRTY.fullmatch(dirty):
        raise Refusal(400, "DLI.0001", "The parameter dirty_data_strategy is none of 0, 1 and 2:directory.")
    return {name: value for name, value in read.items() if value is not None}


def checked_graph_settings(body: dict[str, Any]) -> None:
    """Check the parameters of the graph of a SQL text (dli_02_0316).

    :param body: of the request
    :raises Refusal: ``DLI.0001`` if a setting is of another kind, or none of those that there are
    """
    for name in ("cu_number", "manager_cu_number", "parallel_number", "tm_cus", "tm_slot_num"):
        field(body, name, int)
    for name in ("operator_config", "static_estimator_config"):
        field(body, name, str)
    field(body, "static_estimator", bool)
    for name, choices in _GRAPH_CHOICES.items():
        value = field(body, name, str)
        if value is not None and value not in choices:
            raise Refusal(400, "DLI.0001", f"The parameter {name} is none of {', '.join(choices)}.")


def checked_tags(body: dict[str, Any]) -> dict[str, str]:
    """Return the tags of a body, key to value.

    :param body: of the request
    :raises Refusal: ``DLI.0001`` if they are no list of keys and values
    """
    tags = list_field(body, "tags", dict) or []
    for tag in tags:
        if not all(type(tag.get(part)) is str for part in ("key", "value")):
            raise Refusal(400, "DLI.0001", "Each of the tags must have a key and a value, both strings.")
        text_field(tag, "key", 128)
        text_field(tag, "value", 255)
    return {tag["key"]: tag["value"] for tag in tags}


def _number(body: dict[str, Any], name: str) -> int | None:
    value: int | None = field(body, name, int)
    least, most = _NUMBERS[name]
    if value is not None and not least <= value <= most:
        raise Refusal(400, "DLI.0001", f"The parameter {name} must be from {least} to {most}.")
    return value


def _resources(body: dict[str, Any]) -> dict[str, Any] | None:
    resources: dict[str, Any] | None = field(body, "resource_config", dict)
    given = resources or {}
    for name in {"max_slot", "parallel_number"} & given.keys():
        field(given, name, int, required=True)
    for name in {"jobmanager_resource_spec", "taskmanager_resource_spec"} & given.keys():
        spec = field(given, name, dict, required=True)
        cpu = spec.get("cpu", 1.0)
        if type(cpu) not in (int, float) or cpu < 0.5:  # noqa: PLR2004 - the manual's least
            raise Refusal(400, "DLI.0001", f"The cpu of the parameter {name} must be a number from 0.5 on.")
        field(spec, "memory", str, required="memory" in spec)
    return resources
