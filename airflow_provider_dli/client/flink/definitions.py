"""Create jobs, change them, and read from a job what another one like it is made with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Unpack, get_type_hints

from airflow_provider_dli.client.call import Call
from airflow_provider_dli.client.flink.diff import is_own_directory, plain
from airflow_provider_dli.client.flink.jobs import FlinkJob
from airflow_provider_dli.client.flink.settings import (
    JarJobChanges,
    JarJobSettings,
    NewJarJob,
    NewSqlJob,
    SqlJobChanges,
    SqlJobSettings,
    checked_settings,
)
from airflow_provider_dli.client.flink.values import MAX_NAME, checked_id, checked_text, id_of, object_of

_STREAMING = "/v1.0/{project_id}/streaming"
JAR_JOB = "flink_jar_job"
#: what else a change may bear is taken by an update alone
_AT_CREATION = {"name", *get_type_hints(SqlJobSettings)}


@dataclass(frozen=True, slots=True)
class CreatedJob:
    """A job that was created.

    :param job_id: its id
    :param status_name: its status, ``job_init``
    """

    job_id: int
    status_name: str


@dataclass(frozen=True, slots=True)
class UpdatedJob:
    """A job that was changed.

    :param update_time: epoch milliseconds; None if the service does not say
    """

    update_time: int | None


def create_sql_job(name: str, **settings: Unpack[NewSqlJob]) -> Call[CreatedJob]:
    """Create a Flink SQL job, as a draft (dli_02_0228).

    :param name: at most 57 characters, unique in the project
    :param settings: fields of :class:`~airflow_provider_dli.client.flink.settings.NewSqlJob`
    :raises ConfigurationError: naming the field, if one cannot be used
    """
    return _create("CreateFlinkSqlJob", "sql-jobs", name, checked_settings(NewSqlJob, settings))


def create_jar_job(name: str, **settings: Unpack[NewJarJob]) -> Call[CreatedJob]:
    """Create a Flink JAR job, as a draft (dli_02_0230).

    :param name: at most 57 characters, unique in the project
    :param settings: fields of :class:`~airflow_provider_dli.client.flink.settings.NewJarJob`
    :raises ConfigurationError: naming the field, if one cannot be used
    """
    return _create("CreateFlinkJarJob", "flink-jobs", name, checked_settings(NewJarJob, settings))


def update_sql_job(job_id: int, **settings: Unpack[SqlJobChanges]) -> Call[UpdatedJob]:
    """Change a Flink SQL job (dli_02_0229). Of a running one only little can be changed; stop it first.

    :param job_id: its id
    :param settings: fields of :class:`~airflow_provider_dli.client.flink.settings.SqlJobChanges`
    :raises ConfigurationError: naming the field, if one cannot be used
    """
    return _update("UpdateFlinkSqlJob", "sql-jobs", job_id, checked_settings(SqlJobChanges, settings))


def update_jar_job(job_id: int, **settings: Unpack[JarJobChanges]) -> Call[UpdatedJob]:
    """Change a Flink JAR job (dli_02_0231). Of a running one only little can be changed; stop it first.

    :param job_id: its id
    :param settings: fields of :class:`~airflow_provider_dli.client.flink.settings.JarJobChanges`
    :raises ConfigurationError: naming the field, if one cannot be used
    """
    return _update("UpdateFlinkJarJob", "flink-jobs", job_id, checked_settings(JarJobChanges, settings))


def settings_of(job: FlinkJob) -> dict[str, Any]:
    """Return the settings that make another job like this one, without its name, type and tags.

    Tags are not among them, for the service does not show them with a job; nor is a directory for checkpoints that
    bears this job's id: another job on it would take up this one's state, or destroy it.

    :param job: with all its settings, as :func:`~airflow_provider_dli.client.flink.jobs.show_job` gives it
    """
    kind = JarJobSettings if job.job_type == JAR_JOB else SqlJobSettings
    return checked_settings(kind, _shown(job, get_type_hints(kind)))


def update_settings_of(job: FlinkJob) -> dict[str, Any]:
    """Return the settings of a job that the service takes for an update and not for a creation.

    :param job: with all its settings
    """
    if job.job_type == JAR_JOB:
        return {}
    return checked_settings(SqlJobChanges, _shown(job, get_type_hints(SqlJobChanges).keys() - _AT_CREATION))


def _shown(job: FlinkJob, names: Iterable[str]) -> dict[str, Any]:
    config = job.raw.get("job_config") or {}
    # Some stand in both places, and are null in one.
    shown = {**job.raw, **{name: value for name, value in config.items() if plain(value) is not None}}
    if is_own_directory(shown.get("checkpoint_path"), job.job_id):
        del shown["checkpoint_path"]
    return {name: shown[name] for name in names if plain(shown.get(name)) is not None}


def _create(operation: str, kind: str, name: str, settings: Mapping[str, Any]) -> Call[CreatedJob]:
    body = {"name": checked_text("name", name, MAX_NAME), **settings}
    return Call(operation, "POST", f"{_STREAMING}/{kind}", _created, body=body)


def _update(operation: str, kind: str, job_id: int, settings: Mapping[str, Any]) -> Call[UpdatedJob]:
    if "name" in settings:
        checked_text("name", settings["name"], MAX_NAME)
    path = f"{_STREAMING}/{kind}/{{job_id}}"
    ids = {"job_id": checked_id("job_id", job_id)}
    return Call(
        operation,
        "PUT",
        path,
        lambda body: _updated(body, job_id),
        path_params=ids,
        body=dict(settings),
        repeatable=True,
    )


def _created(body: Mapping[str, Any]) -> CreatedJob:
    job = object_of(body, "job")
    return CreatedJob(id_of(job, "job_id"), str(job.get("status_name") or ""))


def _updated(body: Mapping[str, Any], job_id: int) -> UpdatedJob:
    job = object_of(body, "job")
    if "job_id" in job:  # the manual's has none
        id_of(job, "job_id", job_id)
    moment = job.get("update_time")
    return UpdatedJob(None if moment is None else int(moment))
