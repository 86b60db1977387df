"""Settings of jobs: which there are, how they are checked, those of a given job, and how two jobs differ.

The names, their types and limits are those of the manual's pages dli_02_0228 to dli_02_0231. They are typed
dictionaries, so that an editor completes them and a type checker knows them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_origin, get_type_hints

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.formatting import excerpt

if TYPE_CHECKING:
    from airflow_provider_dli.client.flink.jobs import FlinkJob

JAR_JOB = "flink_jar_job"
#: a checkpoint mode is a number in requests and a name in responses
CHECKPOINT_MODES = {"exactly_once": 1, "at_least_once": 2}
_SHOWN_MODES = {**CHECKPOINT_MODES, "1": 1, "2": 2}
_KINDS: Mapping[Any, tuple[type | tuple[type, ...], str]] = {
    bool: (bool, "True or False"),
    int: (int, "a whole number"),
    str: (str, "a string"),
    list: ((list, tuple), "a list"),
    dict: (Mapping, "a mapping"),
}
#: what the service makes of a setting that nobody has given. First the manual's default (dli_02_0228,
#: dli_02_0230), sent to reset the setting, None where there is none to send; then what else a job has shown
#: that was created without it (the acceptance test of Terraform, 2026). A dot leads into ``resource_config``
DEFAULTS: Mapping[str, tuple[Any, ...]] = {
    "cu_number": (2,),
    "manager_cu_number": (1,),
    "parallel_number": (1,),
    "tm_cus": (1,),
    "tm_slot_num": (None, 1),  # the manual computes it from the four before, by default as 1
    "run_mode": ("shared_cluster",),
    "checkpoint_enabled": (False,),
    "checkpoint_mode": (1,),
    "checkpoint_interval": (10, 30),
    "log_enabled": (False,),
    "restart_when_exception": (False,),
    "resume_checkpoint": (False,),
    "resume_max_num": (-1,),
    "idle_state_retention": (3600,),
    "dirty_data_strategy": ("0",),
    "real_cu_number": (0,),
    "graph_editor_enabled": (False,),
    "resource_config_version": ("v1",),
    "resource_config.max_slot": (1,),
    "resource_config.parallel_number": (1,),
    "resource_config.jobmanager_resource_spec.cpu": (1,),
    "resource_config.jobmanager_resource_spec.memory": ("4G",),
    "resource_config.taskmanager_resource_spec.cpu": (1,),
    "resource_config.taskmanager_resource_spec.memory": ("4G",),
}
_EMPTY: Mapping[Any, Any] = {str: "", list: [], dict: {}}
_LONGEST = {"desc": 2048, "queue_name": 128, "sql_body": 1024 * 1024}


class JobSettings(TypedDict, total=False):
    """Settings of jobs of every type. The service has defaults for omitted ones.

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
    """Further settings of SQL jobs. ``idle_state_retention`` is in seconds."""

    sql_body: str
    run_mode: str
    idle_state_retention: int
    dirty_data_strategy: str
    udf_jar_url: str
    edge_group_ids: list[str]


class NewSqlJob(SqlJobSettings, total=False):
    """Settings that a SQL job is created with. ``sql_body`` wins over ``template_id``."""

    template_id: int
    job_type: str
    tags: dict[str, str]


class SqlJobChanges(SqlJobSettings, total=False):
    """Settings of a SQL job that can be changed."""

    name: str
    operator_config: str
    static_estimator_config: str


class JarJobSettings(JobSettings, total=False):
    """Further settings of JAR jobs. ``entrypoint`` and ``dependency_jars`` are OBS paths from Flink 1.15 on."""

    main_class: str
    entrypoint: str
    entrypoint_args: str
    dependency_jars: list[str]
    dependency_files: list[str]
    feature: str
    image: str
    checkpoint_path: str


class NewJarJob(JarJobSettings, total=False):
    """Settings that a JAR job is created with."""

    tags: dict[str, str]


class JarJobChanges(JarJobSettings, total=False):
    """Settings of a JAR job that can be changed."""

    name: str
    job_type: str


#: accepted by an update only, and not at creation
_UPDATE_ONLY = frozenset(get_type_hints(SqlJobChanges)) - {"name", *get_type_hints(SqlJobSettings)}
#: fields of the job itself and of its state, which are not compared
_NOT_COMPARED = frozenset(
    {
        "job_id", "project_id", "root_id", "user_id", "user_name", "username",
        "create_time", "start_time", "update_time", "duration",
        "status", "status_desc", "execution_graph", "restart_times", "has_savepoint", "savepoint_path",
    }
)  # fmt: skip
#: the manual's own values of a setting, which anybody may read. Any other string is written by people and may hold
#: a secret: of it, reports show the length and a digest only
_PUBLIC_VALUES: Mapping[str, frozenset[str]] = {
    "job_type": frozenset({"flink_sql_job", "flink_opensource_sql_job", "flink_sql_edge_job", "flink_jar_job"}),
    "run_mode": frozenset({"shared_cluster", "exclusive_cluster", "edge_node"}),
    "feature": frozenset({"basic", "custom"}),
    "resource_config_version": frozenset({"v1", "v2"}),
    "checkpoint_mode": frozenset(CHECKPOINT_MODES),
}
_NESTED = ("job_config", "resource_config", "jobmanager_resource_spec", "taskmanager_resource_spec")
_UNSET: tuple[object, ...] = (None, "", [], {})
_CHECKPOINT_PATH = "checkpoint_path"
#: in the bucket of the job; the name of the last directory begins with the job's id
_SERVICE_DIRECTORY = re.compile(r"((?:obs://)?[^/]+)/jobs/checkpoint/([0-9]+)(?![0-9]).*", re.DOTALL)
_DIGEST_LENGTH = 12
_WHOLE_DIGEST_LENGTH = 32
_SETTING_NAME = re.compile(r"[a-z][a-z_]{0,39}")


def checked_settings(kind: type[Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as they are sent, without those that are None.

    :raises ConfigurationError: naming the setting, if it is unknown or its value is not valid
    """
    hints = get_type_hints(kind)
    return {name: _checked(kind, hints, name, value) for name, value in settings.items() if value is not None}


def _checked(kind: type[Any], hints: Mapping[str, Any], name: str, value: object) -> object:
    if name not in hints:
        known = ", ".join(sorted(hints))
        raise ConfigurationError(name, f"is not a setting of {kind.__name__}", f"valid settings are {known}")
    if name == "checkpoint_mode":
        mode = _mode(value)
        if mode not in CHECKPOINT_MODES.values() or isinstance(mode, bool):
            remedy = "give 1 or 'exactly_once', 2 or 'at_least_once'"
            raise ConfigurationError(name, f"{excerpt(value, secret=True)} is not valid", remedy)
        return int(str(mode))
    wanted, description = _KINDS[_plain_type(hints[name])]
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise ConfigurationError(name, f"{excerpt(value, secret=True)} is not valid", f"give {description}")
    if name in _LONGEST and isinstance(value, str) and len(value) > _LONGEST[name]:
        raise ConfigurationError(name, f"has {len(value):,} characters", f"give at most {_LONGEST[name]:,}")
    return tag_list(value) if name == "tags" and isinstance(value, Mapping) else value


def _mode(value: object) -> object:
    """Return a checkpoint mode as it is sent, in whatever case or form it is shown; anything else as it is."""
    return _SHOWN_MODES.get(value.lower(), value) if isinstance(value, str) else value


def tag_list(tags: Mapping[Any, Any]) -> list[dict[str, str]]:
    """Return tags as they are sent."""
    return [{"key": str(key), "value": str(value)} for key, value in tags.items()]


def unset_value(kind: type[Any], name: str) -> Any:  # noqa: ANN401 -- of any setting
    """Return what to send to reset a setting; None if nothing can be sent.

    The manual does not document how to reset a setting. This is the default that it documents, or else an empty
    value; that the service takes it so is not established, so the caller checks the result.
    """
    return DEFAULTS[name][0] if name in DEFAULTS else _EMPTY.get(_plain_type(get_type_hints(kind)[name]))


def _plain_type(hint: Any) -> Any:  # noqa: ANN401 -- a type
    origin = get_origin(hint)
    return str if origin is Literal else origin or hint


def settings_of(job: FlinkJob) -> dict[str, Any]:
    """Return the settings to create another job like this one, without its name, type and tags.

    The service does not show the tags of a job. Omitted are a checkpoint directory that no other job may have, see
    :func:`own_directory`, and resources that the service has filled in: only jobs of ``v2`` may be given any.

    :param job: with all its settings, from :func:`~airflow_provider_dli.client.flink.jobs.show_job`
    :raises ConfigurationError: naming the setting, if it is shown with a value that no request takes
    """
    kind = JarJobSettings if job.job_type == JAR_JOB else SqlJobSettings
    shown = _shown_settings(job, get_type_hints(kind))
    if own_directory(job):
        shown.pop(_CHECKPOINT_PATH, None)
    resources = "resource_config"
    if shown.get("resource_config_version") != "v2" and is_same(resources, shown.get(resources), None):
        shown.pop(resources, None)
    return checked_settings(kind, shown)


def update_settings_of(job: FlinkJob) -> dict[str, Any]:
    """Return the settings of a job that the service accepts in an update and not at creation.

    :param job: with all its settings
    :raises ConfigurationError: as :func:`settings_of`
    """
    return {} if job.job_type == JAR_JOB else checked_settings(SqlJobChanges, _shown_settings(job, _UPDATE_ONLY))


def _shown_settings(job: FlinkJob, names: Iterable[str]) -> dict[str, Any]:
    config = _config_of(job)
    # Some settings are in both places, and null in one.
    shown = {**job.raw, **{name: value for name, value in config.items() if normalized(value) is not None}}
    return {name: shown[name] for name in names if normalized(shown.get(name)) is not None}


def _config_of(job: FlinkJob) -> Mapping[str, Any]:
    config = job.raw.get("job_config") or {}
    if not isinstance(config, Mapping):
        problem = f"{excerpt(config, secret=True)} is not valid"
        raise ConfigurationError("job_config", problem, "a mapping of settings is needed")
    return config


def own_directory(job: FlinkJob) -> str | None:
    """Return the checkpoint directory of a job if no other job may have it; None if there is no such.

    It contains the id of this job, or the service chose it, for this job or another: anybody else who had it would
    take over the state of that job, or destroy it.

    :raises ConfigurationError: as :func:`settings_of`
    """
    path = _shown_settings(job, (_CHECKPOINT_PATH,)).get(_CHECKPOINT_PATH)
    if not isinstance(path, str):
        return None
    return path if _contains_id(path, job.job_id) or _SERVICE_DIRECTORY.fullmatch(path) else None


def _contains_id(path: object, job_id: int) -> bool:
    """Return whether a directory contains the id of a job, as a whole number."""
    return isinstance(path, str) and bool(re.search(rf"(?<![0-9A-Za-z]){job_id}(?![0-9])", path))


def differing_settings(wanted: Mapping[str, Any], job: FlinkJob) -> tuple[str, ...]:
    """Return the names of settings that a job does not have as wanted: other values, missing, or not wanted.

    :param wanted: as :func:`settings_of` and :func:`update_settings_of` return them, of another job
    :param job: with all its settings
    :raises ConfigurationError: as :func:`settings_of`
    """
    kind = JarJobChanges if job.job_type == JAR_JOB else SqlJobChanges
    actual = checked_settings(kind, _shown_settings(job, get_type_hints(kind).keys() - {"name", "job_type"}))
    path = _given_directory(job, actual.get(_CHECKPOINT_PATH), wanted.get(_CHECKPOINT_PATH))
    actual[_CHECKPOINT_PATH] = None if _contains_id(path, job.job_id) else path
    return tuple(
        name for name in dict.fromkeys([*wanted, *actual]) if not is_same(name, wanted.get(name), actual.get(name))
    )


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting in which two jobs differ.

    :param field: its name, dotted if nested
    :param source: its value in the source job
    :param restored: its value in the restored job
    """

    field: str
    source: Any
    restored: Any

    def is_public(self, value: object) -> bool:
        """Return whether every reader of a report may see one of the two values."""
        # Every report has the name of a job beside its id.
        is_simple = value in _UNSET or isinstance(value, bool | int | float) or self.field == "name"
        setting = self.field.rpartition(".")[2]
        return is_simple or (isinstance(value, str) and value in _PUBLIC_VALUES.get(setting, ()))

    def as_dict(self, *, show_values: bool) -> dict[str, Any]:
        """Return plain JSON values: length and digest of each of the two values, and the value if it is public."""
        shown: dict[str, Any] = {"field": self.field}
        for side, value in (("source", self.source), ("restored", self.restored)):
            text = _text(value)
            shown |= {f"{side}_digest": _digest(text), f"{side}_length": len(text)}
            if show_values or self.is_public(value):
                shown[side] = value
        return shown

    def describe(self, value: object, *, show_values: bool) -> str:
        """Return one of the two values as people read it, or its length and digest."""
        if value in _UNSET:
            return "not set"
        if show_values or self.is_public(value):
            return repr(value)
        text = _text(value)
        return f"{len(text):,} characters with SHA-256 {_digest(text)}…"


def differences(source: FlinkJob, restored: FlinkJob) -> tuple[Difference, ...]:
    """Return the settings in which two jobs differ, sorted by name.

    In both directions: a setting that only one job has is a difference, unless the service fills it in
    (:data:`DEFAULTS`). Not compared are ids, people, times and state, and the checkpoint directory that the
    service chose for each job. Equal are missing, null and empty values, the number and the name of a checkpoint
    mode, and equivalent JSON strings.

    :param source: with all its settings, from ``show_job``
    :param restored: likewise
    """
    ours, theirs = dict(_flattened(source.raw)), dict(_flattened(restored.raw))
    found = []
    for name in sorted({*ours, *theirs}):
        one, other = ours.get(name), theirs.get(name)
        setting = name.removeprefix("job_config.")
        if setting == _CHECKPOINT_PATH:
            one, other = _given_directory(source, one, other), _given_directory(restored, other, one)
        if not is_same(setting, one, other):
            found.append(Difference(_safe_name(name), one, other))
    return tuple(found)


def settings_digest(job: FlinkJob) -> str:
    """Return a digest of all settings of a job that :func:`differences` compares: another one, another setting.

    :param job: with all its settings
    :returns: 32 hexadecimal digits
    """
    shown: dict[str, Any] = {}
    for name, value in _flattened(job.raw):
        setting = name.removeprefix("job_config.")
        given = _given_directory(job, value, None) if setting == _CHECKPOINT_PATH else value
        same = _mode(normalized(given)) if setting == "checkpoint_mode" else normalized(given)
        if same is not None and same not in DEFAULTS.get(setting, ()):
            shown[name] = same
    text = json.dumps(shown, ensure_ascii=False, sort_keys=True)
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_WHOLE_DIGEST_LENGTH]


def _flattened(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if name in _NOT_COMPARED:
            continue
        if name in _NESTED and isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _given_directory(job: FlinkJob, path: object, wanted: object) -> object:
    """Return what was given for the checkpoint directory of a job; of one that the service chose, what was wanted.

    The service chooses one if none is given, and may do so if only the bucket is given.
    """
    found = _SERVICE_DIRECTORY.fullmatch(path) if isinstance(path, str) else None
    if not found or int(found[2]) != job.job_id:
        return path
    return wanted if wanted in (found[1], f"{found[1]}/") else None


def is_same(name: str, one: object, other: object) -> bool:
    """Return whether two values of a setting are equal, or the service fills in one where the other is not set.

    :param name: of the setting, dotted if nested
    """
    if name.rpartition(".")[2] in _NESTED:
        ours, theirs = (each if isinstance(each, Mapping) else {"": each} for each in (one, other))
        return all(is_same(f"{name}.{each}", ours.get(each), theirs.get(each)) for each in {*ours, *theirs})
    one, other = normalized(one), normalized(other)
    if name == "checkpoint_mode":
        one, other = _mode(one), _mode(other)
    if one is None or other is None:
        return one == other or (other if one is None else one) in DEFAULTS.get(name, ())
    return bool(one == other)


def _safe_name(name: str) -> str:
    """Return the name of a setting; of a part that is not like a name the beginning: it may be a secret."""
    return ".".join(
        part if _SETTING_NAME.fullmatch(part) else excerpt(part, secret=True) for part in name.split(".")
    )


def normalized(value: Any) -> Any:  # noqa: ANN401 -- any JSON
    """Return a value so that equivalent values are equal."""
    if value in _UNSET:
        return None
    if not isinstance(value, str):
        return value
    if value in CHECKPOINT_MODES or not value.lstrip().startswith(("{", "[")):
        return CHECKPOINT_MODES.get(value, value)
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _text(value: object) -> str:
    # Equivalent values have the same digest.
    same = normalized(value)
    if isinstance(same, str):
        return same
    return "" if same is None else json.dumps(same, ensure_ascii=False, sort_keys=True)


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LENGTH]
