"""Select Flink jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.links.dli import DliConsoleLink, persist
from airflow_provider_dli.operators.base import DliBaseOperator
from airflow_provider_dli.parameters import DEFAULT_CONN_ID, NOT_GIVEN, NotGiven, names_of, value_of

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_dli.parameters import IfEmpty


class DliListFlinkJobsOperator(DliBaseOperator):
    """Select Flink jobs of a DLI project, at one moment, by their ids.

    Follows *Querying the List of Flink Jobs* of the DLI API reference (dli_02_0234). Without any filter, all jobs.

    Pushes a list of jobs, oldest first, as ``return_value``: ``job_id``, ``name``, ``job_type``, ``status``,
    ``queue_name``, ``create_time`` and ``update_time`` (epoch milliseconds; the latter only with
    ``changed_since``); and under ``job_ids`` their ids alone, for ``job_selected`` of an export.

    :param name_pattern: wildcards for the name: ``*``, ``?`` and ``[...]``; a list, or a text with commas
        between, of which one must fit (templated)
    :param job_type: ``flink_sql_job``, ``flink_opensource_sql_job``, ``flink_sql_edge_job`` or ``flink_jar_job``
        (templated)
    :param status: one or several statuses, such as ``job_running`` (templated)
    :param queue_name: name of a queue (templated)
    :param user_name: name of the user who made the jobs (templated)
    :param tags: a mapping, or ``key=value,key=value``; each must fit (templated)
    :param changed_since: jobs made or changed since then: a datetime or ISO 8601, such as
        ``{{ prev_start_date_success }}`` (templated)
    :param exclude: ids, or wildcards for names, of jobs that are not meant (templated)
    :param if_empty: what to do where no job fits: ``fail``, ``skip`` or ``succeed`` (templated)
    :param dli_conn_id: connection of type ``dli`` (templated)
    :raises DliFailException: if a filter or the connection cannot be used, or no job fits; no retry is spent
    :raises DliException: if DLI is out of reach or in trouble; a retry may help
    """

    template_fields: Sequence[str] = (
        "name_pattern",
        "job_type",
        "status",
        "queue_name",
        "user_name",
        "tags",
        "changed_since",
        "exclude",
        "if_empty",
        "dli_conn_id",
    )
    operator_extra_links = (DliConsoleLink(),)
    ui_color = "#e6f1f2"

    def __init__(  # noqa: PLR0913 -- the filters, by name
        self,
        *,
        name_pattern: Iterable[str] | str | XComArg | NotGiven | None = NOT_GIVEN,
        job_type: str | NotGiven | None = NOT_GIVEN,
        status: Iterable[str] | str | XComArg | NotGiven | None = NOT_GIVEN,
        queue_name: str | NotGiven | None = NOT_GIVEN,
        user_name: str | NotGiven | None = NOT_GIVEN,
        tags: Mapping[str, str] | str | XComArg | NotGiven | None = NOT_GIVEN,
        changed_since: datetime | str | XComArg | NotGiven | None = NOT_GIVEN,
        exclude: Iterable[int | str] | int | str | XComArg | NotGiven | None = NOT_GIVEN,
        if_empty: IfEmpty | str = "fail",
        dli_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.name_pattern = value_of(name_pattern)
        self.job_type = value_of(job_type)
        self.status = value_of(status)
        self.queue_name = value_of(queue_name)
        self.user_name = value_of(user_name)
        self.tags = value_of(tags)
        self.changed_since = value_of(changed_since)
        self.exclude = value_of(exclude)
        self.if_empty = if_empty
        self.dli_conn_id = dli_conn_id
        # Filters of which none filters, since all rendered to nothing, must not list all jobs.
        self.given = names_of(
            name_pattern=name_pattern,
            job_type=job_type,
            status=status,
            queue_name=queue_name,
            user_name=user_name,
            tags=tags,
            changed_since=changed_since,
            exclude=exclude,
        )

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """List the jobs that fit."""
        from airflow_provider_dli.exceptions import translated
        from airflow_provider_dli.hooks.dli import DliHook
        from airflow_provider_dli.parameters.models import ListParameters
        from airflow_provider_dli.selecting import nothing, select

        with translated():
            options = ListParameters.from_operator(self)
        selection = options.chosen
        hook = DliHook(options.dli_conn_id)
        persist(context, self, hook)
        jobs = select(hook, selection, self.log)
        if not jobs:
            nothing(options.if_empty, str(selection))
        self.push_xcoms(context, job_ids=[job.job_id for job in jobs])
        shown = ("job_id", "name", "job_type", "status", "queue_name", "create_time", "update_time")
        return [{name: getattr(job, name) for name in shown} for job in jobs]
