"""Hold a job against another that should be like it, setting by setting."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_dli.client.flink.jobs import FlinkJob
from airflow_provider_dli.client.flink.settings import CHECKPOINT_MODES

#: what is a job's own, or tells how it fares: ids, people, times, state
OWN = frozenset(
    {
        "job_id", "project_id", "root_id", "user_id", "user_name", "username",
        "create_time", "start_time", "update_time", "duration",
        "status", "status_desc", "execution_graph", "restart_times", "has_savepoint", "savepoint_path",
    }
)  # fmt: skip
_NESTED = ("job_config", "resource_config")
_NOTHING: tuple[object, ...] = (None, "", [], {})


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting in which two jobs differ.

    :param field: its name, with dots where it lies deeper
    :param source: of the one
    :param restored: of the other
    """

    field: str
    source: Any
    restored: Any


def differences(source: FlinkJob, restored: FlinkJob) -> tuple[Difference, ...]:
    """Give the settings in which two jobs differ, in the order of their names.

    Ids, people, times and state are passed over. What is missing, null and empty is the same; so are the two
    ways in which the service writes a checkpoint mode, and JSON texts that mean the same.

    :param source: with all its settings, as ``show_job`` gives it
    :param restored: likewise
    """
    ours, theirs = dict(_flat(source.raw)), dict(_flat(restored.raw))
    names = sorted({*ours, *theirs})
    pairs = ((name, ours.get(name), theirs.get(name)) for name in names)
    return tuple(Difference(name, one, other) for name, one, other in pairs if _plain(one) != _plain(other))


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if name in OWN:
            continue
        if name in _NESTED and isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _plain(value: Any) -> Any:  # noqa: ANN401 -- any JSON
    if value in _NOTHING:
        return None
    if isinstance(value, str):
        return CHECKPOINT_MODES.get(value) or _decoded(value)
    return value


def _decoded(text: str) -> Any:  # noqa: ANN401 -- any JSON
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
