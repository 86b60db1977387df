"""Compare a job with another that should be like it, setting by setting."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from airflow_provider_dli.client.flink.jobs import FlinkJob
from airflow_provider_dli.client.flink.settings import CHECKPOINT_MODES
from airflow_provider_dli.escaping import beginning

#: what is a job's own, or tells how it fares: ids, people, times, state
OWN = frozenset(
    {
        "job_id", "project_id", "root_id", "user_id", "user_name", "username",
        "create_time", "start_time", "update_time", "duration",
        "status", "status_desc", "execution_graph", "restart_times", "has_savepoint", "savepoint_path",
    }
)  # fmt: skip
#: the words that the manual has for a setting. Whoever reads a report may read them; of any other text, which
#: people have written and which may hold a secret, only its length and a digest
_WORDS: Mapping[str, frozenset[str]] = {
    "job_type": frozenset({"flink_sql_job", "flink_opensource_sql_job", "flink_sql_edge_job", "flink_jar_job"}),
    "run_mode": frozenset({"shared_cluster", "exclusive_cluster", "edge_node"}),
    "feature": frozenset({"basic", "custom"}),
    "resource_config_version": frozenset({"v1", "v2"}),
    "checkpoint_mode": frozenset(CHECKPOINT_MODES),
}
_NESTED = ("job_config", "resource_config", "jobmanager_resource_spec", "taskmanager_resource_spec")
_NOTHING: tuple[object, ...] = (None, "", [], {})
_DIGITS = 12
_LIKE_NAME = re.compile(r"[a-z][a-z_]{0,39}")


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

    def is_public(self, value: object) -> bool:
        """Say whether anybody who reads a report may read one of the two values.

        :param value: ``source`` or ``restored``
        """
        # The name of a job stands in every report beside its id.
        is_simple = value in _NOTHING or isinstance(value, bool | int | float) or self.field == "name"
        return is_simple or (isinstance(value, str) and value in _WORDS.get(self.field.rpartition(".")[2], ()))

    def as_dict(self, *, show_values: bool) -> dict[str, Any]:
        """Return it as plain JSON values: of each of the two its length and a digest, or the value.

        :param show_values: whether values are shown that may hold secrets
        """
        shown: dict[str, Any] = {"field": self.field}
        for side, value in (("source", self.source), ("restored", self.restored)):
            text = _text(value)
            shown |= {f"{side}_digest": digest(text), f"{side}_length": len(text)}
            if show_values or self.is_public(value):
                shown[side] = value
        return shown

    def describe(self, value: object, *, show_values: bool) -> str:
        """Return one of the two values for people, or what of it may be shown.

        :param value: ``source`` or ``restored``
        :param show_values: whether values are shown that may hold secrets
        """
        if value in _NOTHING:
            return "not set"
        if show_values or self.is_public(value):
            return repr(value)
        text = _text(value)
        return f"{len(text):,} characters with SHA-256 {digest(text)}…"


def digest(text: str) -> str:
    """Return the beginning of a text's SHA-256: enough to tell whether two are the same.

    :param text: what may hold a secret
    """
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


def differences(source: FlinkJob, restored: FlinkJob) -> tuple[Difference, ...]:
    """Return the settings in which two jobs differ, in the order of their names.

    Both ways: what one has and the other lacks is a difference. Ids, people, times and state are passed over, and
    so is the directory for checkpoints that the service chose for each. What is missing, null and empty is the
    same; so are the two ways in which the service writes a checkpoint mode, and JSON texts that mean the same.

    :param source: with all its settings, as ``show_job`` gives it
    :param restored: likewise
    """
    ours, theirs = _settings(source), _settings(restored)
    names = sorted({*ours, *theirs})
    pairs = ((name, ours.get(name), theirs.get(name)) for name in names)
    return tuple(Difference(_field(name), one, other) for name, one, other in pairs if plain(one) != plain(other))


def _field(name: str) -> str:
    """Return the name of a setting; of what looks like none only the beginning, for it may be a secret."""
    return ".".join(part if _LIKE_NAME.fullmatch(part) else beginning(part) for part in name.split("."))


def is_own_directory(path: object, job_id: int) -> bool:
    """Say whether a directory bears a job's id: another job on it would take up its state, or destroy it.

    :param path: of a setting such as ``checkpoint_path``
    :param job_id: id of the job that has it
    """
    return isinstance(path, str) and bool(re.search(rf"(?<![0-9A-Za-z]){job_id}(?![0-9])", path))


def plain(value: Any) -> Any:  # noqa: ANN401 -- any JSON
    """Return a value so that two which mean the same are equal.

    :param value: of a setting
    """
    if value in _NOTHING:
        return None
    if isinstance(value, str):
        return CHECKPOINT_MODES.get(value) or _decoded(value)
    return value


def _settings(job: FlinkJob) -> dict[str, Any]:
    return {name: None if _is_owned(job, name, value) else value for name, value in _flat(job.raw)}


def _is_owned(job: FlinkJob, name: str, value: object) -> bool:
    """Say whether the service has filled a setting in: it does where checkpoints are on and no path is given."""
    is_path = name.endswith("checkpoint_path") and isinstance(value, str)
    return is_path and bool(re.search(rf"(?:^|/)jobs/checkpoint/{job.job_id}(?![0-9])", str(value)))


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if name in OWN:
            continue
        if name in _NESTED and isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _text(value: object) -> str:
    # Texts that mean the same have one digest.
    same = plain(value)
    if isinstance(same, str):
        return same
    return "" if same is None else json.dumps(same, ensure_ascii=False, sort_keys=True)


def _decoded(text: str) -> Any:  # noqa: ANN401 -- any JSON
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
