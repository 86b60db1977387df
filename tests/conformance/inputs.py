"""Inputs of operations, drawn from the manual's tables, and how each client is given them."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import huaweicloudsdkdli.v1 as sdk  # type: ignore[import-untyped]  # it has no types

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.call import Call
from tests.operations import ENDPOINTS, golden

_LETTERS = string.ascii_letters + string.digits + "-_.~ !*'();:@&=+$,/?#[]%\"<>\\^`{|}\täßéñ作业夜🙂"
_PLACE = string.ascii_lowercase + string.digits
_FIELDS = {endpoint["operation"]: endpoint for endpoint in ENDPOINTS}
_NESTED = {
    "max_slot": 2,
    "parallel_number": 3,
    "jobmanager_resource_spec": {"cpu": 1.5, "memory": "4GB"},
    "taskmanager_resource_spec": {"cpu": 0.5, "memory": "2048MB"},
}
#: a known deviation: what our client sends even where it is not given: a default, or the id of the path
DEFAULTS: dict[str, dict[str, Any]] = {
    "ImportFlinkJobs": {"is_cover": False},
    "BatchRunFlinkJobs": {"resume_savepoint": False},
    "BatchStopFlinkJobs": {"trigger_savepoint": False},
    "ListFlinkJobs": {"limit": "100", "offset": "0"},
    "ListFlinkSqlJobTemplates": {"limit": "100", "offset": "0"},
    "ImportFlinkJobSavepoint": {"job_id": None},
}


@dataclass(frozen=True)
class Inputs:
    """The inputs of an operation, by the manual's names."""

    operation: str
    path: dict[str, int] = field(default_factory=dict)
    query: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] | None = None


def draw(operation: str, chance: random.Random) -> Inputs:
    """Draw inputs: the mandatory ones, and some of the others.

    :param operation: its name
    :param chance: where they come from
    """
    endpoint = _FIELDS[operation]
    ids = [each["name"] for each in endpoint["path_params"] if each["name"] != "project_id"]
    path = {name: chance.choice([1, 100, 103, 104, (1 << 63) - 1, chance.randrange(1, 1 << 40)]) for name in ids}
    query = {each["name"]: _value(each, chance) for each in endpoint["query"] if chance.random() < 0.5}
    if endpoint["body"] is None:
        return Inputs(operation, path, query)
    wanted = [each for each in endpoint["body"] if each["required"] or chance.random() < 0.5]
    body = {each["name"]: _value(each, chance) for each in wanted}
    if operation == "ExportFlinkJobs":  # ours takes ids or none, and sets the flag itself
        body["is_selected"] = "job_selected" in body
    if operation == "ImportFlinkJobSavepoint":
        body |= {"savepoint_path": f"obs://{body['savepoint_path'].rstrip('/')}"}
        body |= {"job_id": path["job_id"]} if "job_id" in body else {}
    return Inputs(operation, path, query, body)


def _value(described: dict[str, Any], chance: random.Random) -> Any:
    name, kind = described["name"], described["type"]
    if name in ("obs_dir", "zip_file", "savepoint_path"):
        return _place(chance) + {"zip_file": ".zip", "savepoint_path": "/"}.get(name, "")
    if name == "dirty_data_strategy":
        return chance.choice(["0", "1", "2:bucket/dir"])
    if "enum" in described:
        return chance.choice(described["enum"])
    drawn: dict[str, Callable[[], Any]] = {
        "boolean": lambda: chance.random() < 0.5,
        "integer": lambda: chance.randrange(max(described.get("min", 1), 1), described.get("max", 100) + 1),
        "long": lambda: chance.randrange(1, 1 << 63),
        "object": lambda: {key: _NESTED[key] for key in _NESTED if chance.random() < 0.7},
        "array<long>": lambda: chance.sample([100, 101, 103, 7, 1 << 40, (1 << 63) - 1], chance.randrange(1, 6)),
        "array<string>": lambda: [_text(chance, 20) for _ in range(chance.randrange(1, 4))],
        "array<{key,value}>": lambda: [
            {"key": f"{n}{_text(chance, 9)}", "value": _text(chance, 20)} for n in range(chance.randrange(1, 4))
        ],
    }
    return drawn[kind]() if kind in drawn else _text(chance, min(described.get("max_length", 60), 60))


def _text(chance: random.Random, longest: int) -> str:
    """Draw a string with a letter in it."""
    return "x" + "".join(chance.choices(_LETTERS, k=chance.randrange(longest)))


def _place(chance: random.Random) -> str:
    """Draw a bucket with directories in it, written as the manual writes it."""
    # What the client refuses in a key, or only at its ends.
    folder = "".join(letter for letter in _LETTERS if letter not in "/\\\t .")
    folders = ["d" + "".join(chance.choices(folder, k=chance.randrange(9))) for _ in range(chance.randrange(1, 4))]
    return "/".join(["b-" + "".join(chance.choices(_PLACE, k=8)), *folders])


def our_call(given: Inputs) -> Call[Any]:
    """Make our client's call of these inputs.

    :param given: the inputs
    """
    function: Callable[..., Call[Any]] = getattr(flink, golden(given.operation)["function"])
    ids, query, body = list(given.path.values()), dict(given.query), dict(given.body or {})
    if "tags" in body:
        body["tags"] = {tag["key"]: tag["value"] for tag in body["tags"]}
    match given.operation:
        case "ExportFlinkJobs":
            return function(body["obs_dir"], body.get("job_selected"))
        case "ListFlinkJobs" | "ListFlinkSqlJobTemplates":
            pages = {name: query.pop(name) for name in ("limit", "offset") if name in query}
            return function(query, **pages)
        case "ImportFlinkJobSavepoint" | "ExecuteFlinkJobSavepoint":
            return function(*ids, body["savepoint_path"])
    first = {"name", "zip_file", "job_ids", "obs_buckets", "roles", "sql_body"}
    creates = given.body is not None and not given.operation.startswith("Update")
    positional = [body.pop(name) for name in list(body) if name in first and creates and _leads(given, name)]
    return function(*ids, *positional, **body)


def _leads(given: Inputs, name: str) -> bool:
    """Return whether a field is a positional argument: the mandatory one."""
    described = next(each for each in _FIELDS[given.operation]["body"] if each["name"] == name)
    return bool(described["required"])


def sdk_request(given: Inputs) -> Any:
    """Make the official client's request object of these inputs.

    :param given: the inputs
    """
    kind = getattr(sdk, f"{given.operation}Request")
    parts: dict[str, Any] = {**given.query}
    for name, value in given.path.items():
        parts[name] = str(value) if kind.openapi_types[name] == "str" else value
    if given.body is not None:
        parts["body"] = _model(kind.openapi_types["body"], given.body)
    return kind(**parts)


def _model(name: str, values: dict[str, Any]) -> Any:
    """Make a model of the official client, and those within it."""
    kind = getattr(sdk, name)
    made = {}
    for each, value in values.items():
        inner = re.fullmatch(r"(?:list\[)?([A-Z]\w+)\]?", kind.openapi_types[each])
        if inner is None:
            made[each] = value
        elif isinstance(value, list):
            made[each] = [_model(inner[1], item) for item in value]
        else:
            made[each] = _model(inner[1], value)
    return kind(**made)


def sdk_method(operation: str) -> str:
    """Name the official client's method for an operation.

    :param operation: its name
    """
    return re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()
