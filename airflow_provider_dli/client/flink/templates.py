"""Templates of Flink SQL jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from airflow_provider_dli.client.call import Call, QueryValue
from airflow_provider_dli.client.flink.pages import MAX_PAGE, Page, Pages
from airflow_provider_dli.client.flink.settings import tag_list
from airflow_provider_dli.client.flink.values import (
    Done,
    checked_id,
    checked_text,
    count_of,
    id_of,
    object_of,
    objects_of,
    text_of,
)

_TEMPLATES = "/v1.0/{project_id}/streaming/job-templates"
_TEMPLATE = f"{_TEMPLATES}/{{template_id}}"
_LONGEST_NAME = 64
_LONGEST_DESC = 512
_LONGEST_SQL = 10_000


@dataclass(frozen=True, slots=True)
class FlinkTemplate:
    """A template; None where the service gave nothing.

    :param template_id: 64-bit id
    :param name: its name
    :param desc: description
    :param job_type: type of the jobs it is for
    :param sql_body: the SQL text; only in a list
    :param create_time: epoch milliseconds
    :param update_time: epoch milliseconds; only in a list
    :param raw: everything that came, as it came
    """

    template_id: int
    name: str
    desc: str | None = None
    job_type: str | None = None
    sql_body: str | None = None
    create_time: int | None = None
    update_time: int | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


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
    :raises ConfigurationError: naming the field, if one cannot be used
    """
    body = {"name": checked_text("name", name, _LONGEST_NAME), **_texts(desc, sql_body)}
    body |= {"job_type": job_type} if job_type is not None else {}
    body |= {"tags": tag_list(tags)} if tags else {}
    return Call("CreateFlinkSqlJobTemplate", "POST", _TEMPLATES, _of, body=body)


def update_template(
    template_id: int, *, name: str | None = None, desc: str | None = None, sql_body: str | None = None
) -> Call[Done]:
    """Change a template (dli_02_0246); what is None stays.

    :param template_id: its id
    :param name: at most 64 characters
    :param desc: at most 512 characters
    :param sql_body: at most 10,000 characters
    :raises ConfigurationError: naming the field, if one cannot be used
    """
    body = _texts(desc, sql_body)
    if name is not None:
        body["name"] = checked_text("name", name, _LONGEST_NAME)
    ids = {"template_id": checked_id("template_id", template_id)}
    return Call(
        "UpdateFlinkSqlJobTemplate", "PUT", _TEMPLATE, Done.read, path_params=ids, body=body, repeatable=True
    )


def delete_template(template_id: int) -> Call[int]:
    """Delete a template (dli_02_0247).

    :param template_id: its id
    :returns: the id, as the service repeats it
    :raises ConfigurationError: if it cannot be one
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

    :param filters: query parameters of the manual's page, but for ``limit`` and ``offset``
    :param limit: most templates on the page
    :param offset: templates to pass over
    """
    query = {**filters, "limit": limit, "offset": offset}
    return Call("ListFlinkSqlJobTemplates", "GET", _TEMPLATES, _page, query=query, repeatable=True)


def template_pages(filters: Mapping[str, QueryValue]) -> Pages[FlinkTemplate]:
    """Walk through all pages of the templates.

    :param filters: as for :func:`list_templates`
    """
    return Pages(partial(list_templates, filters), lambda template: template.template_id)


def _texts(desc: str | None, sql_body: str | None) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if desc is not None:
        given["desc"] = checked_text("desc", desc, _LONGEST_DESC) if desc else desc
    if sql_body is not None:
        given["sql_body"] = checked_text("sql_body", sql_body, _LONGEST_SQL)
    return given


def _of(body: Mapping[str, Any]) -> FlinkTemplate:
    return _template(object_of(body, "template"))


def _page(body: Mapping[str, Any]) -> Page[FlinkTemplate]:
    found = object_of(body, "template_list")
    return Page(count_of(found, "total_count"), tuple(_template(each) for each in objects_of(found, "templates")))


def _template(each: Mapping[str, Any]) -> FlinkTemplate:
    names = ("desc", "job_type", "sql_body", "create_time", "update_time")
    rest = {name: each.get(name) for name in names}
    return FlinkTemplate(id_of(each, "template_id"), text_of(each, "name"), **rest, raw=each)
