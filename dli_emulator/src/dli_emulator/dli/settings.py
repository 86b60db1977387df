"""The settings of a job in a body: of which kind each must be, and within which limits (dli_02_0228 to 0231).

INVENTED: the code for one that is not so, which is that of the service's parameter check; and that null stands for
a setting that is left out.
"""

from __future__ import annotations

import re
from typing import Any

from dli_emulator.dli.answers import field, list_field, text_field
from dli_emulator.wire import Refusal

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
    """Give what a body sets, without what is null or no setting.

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
    """Look at what the graph of a SQL text is made with (dli_02_0316).

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
    """Give the tags of a body, key to value.

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
