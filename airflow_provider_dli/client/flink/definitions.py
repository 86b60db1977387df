"""Create and change jobs and templates of SQL jobs, and preview the graph of a SQL text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, TypedDict, Unpack

from airflow_provider_dli.client.call import Call, QueryValue
from airflow_provider_dli.client.flink.fields import (
    MAX_NAME,
    Ack,
    checked_id,
    checked_string,
    count_of,
    id_of,
    message_of,
    object_of,
    objects_of,
    string_of,
)
from airflow_provider_dli.client.flink.pages import MAX_PAGE, Page, Pages
from airflow_provider_dli.client.flink.settings import (
    JarJobChanges,
    NewJarJob,
    NewSqlJob,
    SqlJobChanges,
    checked_settings,
    tag_list,
)

_STREAMING = "/v1.0/{project_id}/streaming"
_TEMPLATES = f"{_STREAMING}/job-templates"
_TEMPLATE = f"{_TEMPLATES}/{{template_id}}"
_MAX_TEMPLATE_NAME = 64
_MAX_TEMPLATE_DESC = 512
_MAX_TEMPLATE_SQL = 10_000
_MAX_SQL = 1024 * 1024


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

    :param update_time: epoch milliseconds; None if the service omits it
    """

    update_time: int | None


@dataclass(frozen=True, slots=True)
class StreamGraph:
    """The graph of a SQL text.

    :param stream_graph: the graph
    :param message: of the service, may be empty
    """

    stream_graph: Mapping[str, Any]
    message: str


@dataclass(frozen=True, slots=True)
class FlinkTemplate:
    """A template; None where the service omits a field.

    :param template_id: 64-bit id
    :param name: its name
    :param desc: description
    :param job_type: type of the jobs it is for
    :param sql_body: the SQL text; only in a list
    :param create_time: epoch milliseconds
    :param update_time: epoch milliseconds; only in a list
    :param raw: the whole object of the response
    """

    template_id: int
    name: str
    desc: str | None = None
    job_type: str | None = None
    sql_body: str | None = None
    create_time: int | None = None
    update_time: int | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


class GraphSettings(TypedDict, total=False):
    """Settings that the graph of a SQL text depends on (dli_02_0316)."""

    cu_number: int
    manager_cu_number: int
    parallel_number: int
    tm_cus: int
    tm_slot_num: int
    operator_config: str
    static_estimator: bool
    static_estimator_config: str
    job_type: str
    graph_type: Literal["simple_graph", "job_graph"]
    flink_version: str


def create_sql_job(name: str, **settings: Unpack[NewSqlJob]) -> Call[CreatedJob]:
    """Create a Flink SQL job, as a draft (dli_02_0228).

    :param name: at most 57 characters, unique in the project
    :param settings: fields of :class:`~airflow_provider_dli.client.flink.settings.NewSqlJob`
    :raises ConfigurationError: naming the field, if one is not valid
    """
    return _create("CreateFlinkSqlJob", "sql-jobs", name, checked_settings(NewSqlJob, settings))


def create_jar_job(name: str, **settings: Unpack[NewJarJob]) -> Call[CreatedJob]:
    """Create a Flink JAR job, as a draft (dli_02_0230).

    :param name: at most 57 characters, unique in the project
    :param settings: fields of :class:`~airflow_provider_dli.client.flink.settings.NewJarJob`
    :raises ConfigurationError: naming the field, if one is not valid
    """
    return _create("CreateFlinkJarJob", "flink-jobs", name, checked_settings(NewJarJob, settings))


def update_sql_job(job_id: int, **settings: Unpack[SqlJobChanges]) -> Call[UpdatedJob]:
    """Change a Flink SQL job (dli_02_0229). Little can be changed of a running job; stop it first.

    :param job_id: its id
    :param settings: fields of :class:`~airflow_provider_dli.client.flink.settings.SqlJobChanges`
    :raises ConfigurationError: naming the field, if one is not valid
    """
    return _update("UpdateFlinkSqlJob", "sql-jobs", job_id, checked_settings(SqlJobChanges, settings))


def update_jar_job(job_id: int, **settings: Unpack[JarJobChanges]) -> Call[UpdatedJob]:
    """Change a Flink JAR job (dli_02_0231). Little can be changed of a running job; stop it first.

    :param job_id: its id
    :param settings: fields of :class:`~airflow_provider_dli.client.flink.settings.JarJobChanges`
    :raises ConfigurationError: naming the field, if one is not valid
    """
    return _update("UpdateFlinkJarJob", "flink-jobs", job_id, checked_settings(JarJobChanges, settings))


def _create(operation: str, kind: str, name: str, settings: Mapping[str, Any]) -> Call[CreatedJob]:
    body = {"name": checked_string("name", name, MAX_NAME), **settings}
    return Call(operation, "POST", f"{_STREAMING}/{kind}", _created, body=body)


def _created(body: Mapping[str, Any]) -> CreatedJob:
    job = object_of(body, "job")
    return CreatedJob(id_of(job, "job_id"), str(job.get("status_name") or ""))


def _update(operation: str, kind: str, job_id: int, settings: Mapping[str, Any]) -> Call[UpdatedJob]:
    if "name" in settings:
        checked_string("name", settings["name"], MAX_NAME)
    path, ids = f"{_STREAMING}/{kind}/{{job_id}}", {"job_id": checked_id("job_id", job_id)}
    parse = partial(_updated, job_id)
    return Call(operation, "PUT", path, parse, path_params=ids, body=dict(settings), repeatable=True)


def _updated(job_id: int, body: Mapping[str, Any]) -> UpdatedJob:
    job = object_of(body, "job")
    if "job_id" in job:  # not in the manual's example
        id_of(job, "job_id", job_id)
    update_time = job.get("update_time")
    return UpdatedJob(None if update_time is None else int(update_time))


def create_sql_job_graph(job_id: int, sql_body: str, **settings: Unpack[GraphSettings]) -> Call[StreamGraph]:
    """Return the graph of a SQL text, without running it (dli_02_0316).

    The only job operation under ``/v3``; it may return an error with HTTP 200, which is raised all the same.

    :param job_id: id of a job
    :param sql_body: the SQL text
    :param settings: fields of :class:`GraphSettings`
    :raises ConfigurationError: naming the field, if one is not valid
    """
    checked_string("sql_body", sql_body, _MAX_SQL)
    return Call(
        "CreateFlinkSqlJobGraph",
        "POST",
        "/v3/{project_id}/streaming/jobs/{job_id}/gen-graph",
        _stream_graph,
        path_params={"job_id": checked_id("job_id", job_id)},
        body={"sql_body": sql_body, **checked_settings(GraphSettings, settings)},
        repeatable=True,
    )


def _stream_graph(body: Mapping[str, Any]) -> StreamGraph:
    graph = body.get("stream_graph")
    decoded = json.loads(graph) if isinstance(graph, str) else graph
    if not isinstance(decoded, Mapping):
        raise TypeError(f"stream_graph should be a JSON object and is {graph!r}")
    return StreamGraph(decoded, message_of(body))


def create_template(
    name: str,
    *,
    desc: str | None = None,
    sql_body: str | None = None,
    job_type: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Call[FlinkTemplate]:
    """Create a template (dli_02_0245). A user may have 100.

    :param name: at most 64 characters
    :param desc: at most 512 characters
    :param sql_body: at most 10,000 characters
    :param job_type: ``flink_sql_job``, the service's default, or ``flink_opensource_sql_job``
    :param tags: key to value
    :raises ConfigurationError: naming the field, if one is not valid
    """
    body = {"name": checked_string("name", name, _MAX_TEMPLATE_NAME), **_template_strings(desc, sql_body)}
    body |= {"job_type": job_type} if job_type is not None else {}
    body |= {"tags": tag_list(tags)} if tags else {}
    return Call(
        "CreateFlinkSqlJobTemplate",
        "POST",
        _TEMPLATES,
        lambda created: _template(object_of(created, "template")),
        body=body,
    )


def update_template(
    template_id: int, *, name: str | None = None, desc: str | None = None, sql_body: str | None = None
) -> Call[Ack]:
    """Change a template (dli_02_0246); fields that are None stay unchanged.

    :param template_id: its id
    :param name: at most 64 characters
    :param desc: at most 512 characters
    :param sql_body: at most 10,000 characters
    :raises ConfigurationError: naming the field, if one is not valid
    """
    body = _template_strings(desc, sql_body)
    if name is not None:
        body["name"] = checked_string("name", name, _MAX_TEMPLATE_NAME)
    ids = {"template_id": checked_id("template_id", template_id)}
    return Call(
        "UpdateFlinkSqlJobTemplate", "PUT", _TEMPLATE, Ack.read, path_params=ids, body=body, repeatable=True
    )


def delete_template(template_id: int) -> Call[int]:
    """Delete a template (dli_02_0247).

    :param template_id: its id
    :returns: the id, as the service repeats it
    :raises ConfigurationError: if it is not valid
    """
    return Call(
        "DeleteFlinkSqlJobTemplate",
        "DELETE",
        _TEMPLATE,
        lambda body: id_of(object_of(body, "template"), "template_id", template_id),
        path_params={"template_id": checked_id("template_id", template_id)},
    )


def list_templates(
    filters: Mapping[str, QueryValue], limit: int = MAX_PAGE, offset: int = 0
) -> Call[Page[FlinkTemplate]]:
    """List one page of the templates (dli_02_0248).

    :param filters: query parameters of the manual's page, except ``limit`` and ``offset``
    :param limit: most templates on the page
    :param offset: number of templates to skip
    """
    query = {**filters, "limit": limit, "offset": offset}
    return Call("ListFlinkSqlJobTemplates", "GET", _TEMPLATES, _template_page, query=query, repeatable=True)


def template_pages(filters: Mapping[str, QueryValue]) -> Pages[FlinkTemplate]:
    """Walk through all pages of the templates.

    :param filters: as for :func:`list_templates`
    """
    return Pages(partial(list_templates, filters), lambda template: template.template_id)


def _template_strings(desc: str | None, sql_body: str | None) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if desc is not None:
        given["desc"] = checked_string("desc", desc, _MAX_TEMPLATE_DESC) if desc else desc
    if sql_body is not None:
        given["sql_body"] = checked_string("sql_body", sql_body, _MAX_TEMPLATE_SQL)
    return given


def _template_page(body: Mapping[str, Any]) -> Page[FlinkTemplate]:
    found = object_of(body, "template_list")
    return Page(count_of(found, "total_count"), tuple(_template(each) for each in objects_of(found, "templates")))


def _template(each: Mapping[str, Any]) -> FlinkTemplate:
    names = ("desc", "job_type", "sql_body", "create_time", "update_time")
    rest = {name: each.get(name) for name in names}
    return FlinkTemplate(id_of(each, "template_id"), string_of(each, "name"), **rest, raw=each)
