"""The settings that jobs are created with and changed by, and how they are checked.

The names, their types and limits are those of the manual's pages dli_02_0228 to dli_02_0231. They are typed
dictionaries, so that an editor completes them and a type checker knows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict, get_origin, get_type_hints

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.escaping import beginning

#: how the pages that take settings write what the pages that show them call by name
CHECKPOINT_MODES = {"exactly_once": 1, "at_least_once": 2}
_KINDS: Mapping[Any, tuple[type | tuple[type, ...], str]] = {
    bool: (bool, "True or False"),
    int: (int, "a whole number"),
    str: (str, "a text"),
    list: ((list, tuple), "a list"),
    dict: (Mapping, "a mapping"),
}
#: what the manual says holds where a setting is left out
DEFAULTS: Mapping[str, Any] = {
    "cu_number": 2,
    "manager_cu_number": 1,
    "parallel_number": 1,
    "tm_cus": 1,
    "run_mode": "shared_cluster",
    "checkpoint_enabled": False,
    "checkpoint_mode": 1,
    "checkpoint_interval": 10,
    "log_enabled": False,
    "restart_when_exception": False,
    "resume_checkpoint": False,
    "resume_max_num": -1,
    "idle_state_retention": 3600,
    "dirty_data_strategy": "0",
    "resource_config_version": "v1",
}
_EMPTY: Mapping[Any, Any] = {str: "", list: [], dict: {}}
_LONGEST = {"desc": 2048, "queue_name": 128, "sql_body": 1024 * 1024}


class JobSettings(TypedDict, total=False):
    """What jobs of every type have. Left out, the service's defaults hold.

    ``checkpoint_mode`` is 1 or ``exactly_once``, 2 or ``at_least_once``; ``checkpoint_interval`` is in seconds;
    ``obs_bucket`` is needed for checkpoints and logs; ``runtime_config`` and ``flink_log_config`` are JSON texts.
    """

    desc: str
    queue_name: str
    cu_number: int
    manager_cu_number: int
    parallel_number: int
    tm_cus: int
    tm_slot_num: int
    checkpoint_enabled: bool
    checkpoint_mode: int | Literal["exactly_once", "at_least_once"]
    checkpoint_interval: int
    obs_bucket: str
    log_enabled: bool
    smn_topic: str
    restart_when_exception: bool
    resume_checkpoint: bool
    resume_max_num: int
    runtime_config: str
    flink_log_config: str
    flink_version: str
    execution_agency_urn: str
    resource_config_version: str
    resource_config: dict[str, Any]


class SqlJobSettings(JobSettings, total=False):
    """What SQL jobs have beside. ``idle_state_retention`` is in seconds."""

    sql_body: str
    run_mode: str
    idle_state_retention: int
    dirty_data_strategy: str
    udf_jar_url: str
    edge_group_ids: list[str]


class NewSqlJob(SqlJobSettings, total=False):
    """What a SQL job is created with. ``sql_body`` wins over ``template_id``."""

    template_id: int
    job_type: str
    tags: dict[str, str]


class SqlJobChanges(SqlJobSettings, total=False):
    """What of a SQL job may be changed."""

    name: str
    operator_config: str
    static_estimator_config: str


class JarJobSettings(JobSettings, total=False):
    """What JAR jobs have beside. ``entrypoint`` and ``dependency_jars`` are OBS paths from Flink 1.15 on."""

    main_class: str
    entrypoint: str
    entrypoint_args: str
    dependency_jars: list[str]
    dependency_files: list[str]
    feature: str
    image: str
    checkpoint_path: str


class NewJarJob(JarJobSettings, total=False):
    """What a JAR job is created with."""

    tags: dict[str, str]


class JarJobChanges(JarJobSettings, total=False):
    """What of a JAR job may be changed."""

    name: str
    job_type: str


def unset_value(kind: type[Any], name: str) -> Any:  # noqa: ANN401 -- of any setting
    """Return what to send so that a setting is as if it had been left out; None where nothing can be sent.

    The manual does not say how a setting is taken back. Sent is the default that it gives, else what is empty;
    that the service takes it so is not established, so whoever sends it looks afterwards.

    :param kind: the typed dictionary that the setting belongs to
    :param name: of the setting
    """
    return DEFAULTS.get(name, _EMPTY.get(_plain(get_type_hints(kind)[name])))


def checked_settings(kind: type[Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as they are sent; those that are None are left out.

    :param kind: the typed dictionary they belong to
    :param settings: name to value
    :raises ConfigurationError: naming the setting, if there is none of that name or it cannot have that value
    """
    hints = get_type_hints(kind)
    return {name: _checked(kind, hints, name, value) for name, value in settings.items() if value is not None}


def _checked(kind: type[Any], hints: Mapping[str, Any], name: str, value: object) -> object:
    if name not in hints:
        known = ", ".join(sorted(hints))
        raise ConfigurationError(name, f"is no setting of {kind.__name__}", f"there are {known}")
    if name == "checkpoint_mode":
        return _checkpoint_mode(value)
    wanted, words = _KINDS[_plain(hints[name])]
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise ConfigurationError(name, f"{beginning(value)} cannot be", f"give {words}")
    if name in _LONGEST and isinstance(value, str) and len(value) > _LONGEST[name]:
        raise ConfigurationError(name, f"has {len(value):,} characters", f"give at most {_LONGEST[name]:,}")
    return tag_list(value) if name == "tags" and isinstance(value, Mapping) else value


def _plain(hint: Any) -> Any:  # noqa: ANN401 -- a type
    origin = get_origin(hint)
    return str if origin is Literal else origin or hint


def _checkpoint_mode(value: object) -> int:
    mode = CHECKPOINT_MODES.get(value) if isinstance(value, str) else value
    if mode not in CHECKPOINT_MODES.values() or isinstance(mode, bool):
        raise ConfigurationError(
            "checkpoint_mode", f"{beginning(value)} cannot be", "give 1 or 'exactly_once', 2 or 'at_least_once'"
        )
    return int(str(mode))


def tag_list(tags: Mapping[Any, Any]) -> list[dict[str, str]]:
    """Write tags as the service takes them.

    :param tags: key to value
    """
    return [{"key": str(key), "value": str(value)} for key, value in tags.items()]
