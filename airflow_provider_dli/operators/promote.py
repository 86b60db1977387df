"""Bring Flink jobs of one project into another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.links.dli import DliConsoleLink, persist
from airflow_provider_dli.operators.base import DliBaseOperator
from airflow_provider_dli.parameters import DEFAULT_CONN_ID, NOT_GIVEN, NotGiven, names_of, value_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg


class DliPromoteFlinkJobsOperator(DliBaseOperator):
    """Bring Flink jobs of one DLI project into another, such as from test to production.

    Each job is held against the one of its name in the target: created if there is none, updated if it differs,
    left alone if not. So doing it twice does no more than once. A job that runs cannot be updated: stop it first.

    Pushes a list as ``return_value``: ``source_job_id``, ``job_id`` (None where a dry run would create it),
    ``name``, ``action`` (``create``, ``update`` or ``unchanged``), ``changed`` and ``not_carried`` (settings that
    the target does not have as the source has them, afterwards: see *Promotion* in ``docs/restore.md``); under
    ``job_ids`` the ids in the target; under ``to_stop``, whether it fails or not, those of them that must be
    stopped before they can be updated.

    Follows *Creating* and *Updating a SQL Job* and *a Flink Jar Job* of the DLI API reference (dli_02_0228 to
    dli_02_0231). Tags are not brought along, for the service does not show them with a job.

    :param job_ids: the jobs in the source (templated)
    :param source_conn_id: connection of the project to take from (templated)
    :param dli_conn_id: connection of the project to bring into (templated)
    :param queues: queue in the source to queue in the target (templated)
    :param replacements: text to text, in every setting that is text: SQL, buckets, endpoints (templated). One
        that is found in none of the jobs is an error
    :param dry_run: True to change nothing: tell what would be done (templated, as ``is_dry_run``)
    :raises DliFailException: if a parameter or a connection cannot be used, a job runs that is to be updated,
        or DLI refuses; no retry is spent
    :raises DliException: if DLI is out of reach or in trouble; a retry may help
    """

    template_fields: Sequence[str] = (
        "job_ids",
        "source_conn_id",
        "dli_conn_id",
        "queues",
        "replacements",
        "is_dry_run",
    )
    template_fields_renderers = {"queues": "json", "replacements": "json"}  # noqa: RUF012 -- as Airflow declares it
    operator_extra_links = (DliConsoleLink(),)
    ui_color = "#fff2cc"
    on_kill_message = "Jobs that were created or updated so far stay; the next attempt compares them again."

    def __init__(
        self,
        *,
        job_ids: Iterable[int | str] | int | str | XComArg,
        source_conn_id: str,
        dli_conn_id: str = DEFAULT_CONN_ID,
        queues: Mapping[str, str] | str | XComArg | NotGiven = NOT_GIVEN,
        replacements: Mapping[str, str] | str | XComArg | NotGiven = NOT_GIVEN,
        dry_run: bool | str = False,
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.job_ids = job_ids
        self.source_conn_id = source_conn_id
        self.dli_conn_id = dli_conn_id
        self.queues = value_of(queues)
        self.replacements = value_of(replacements)
        # Not ``dry_run``: that is a method of Airflow's own.
        self.is_dry_run = dry_run
        # One that renders to None must not bring the settings of the source over as they are.
        self.given = names_of(queues=queues, replacements=replacements)

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Bring the jobs over; what was done for each."""
        from airflow_provider_dli.exceptions import translated
        from airflow_provider_dli.hooks.dli import DliHook
        from airflow_provider_dli.parameters.models import PromoteParameters
        from airflow_provider_dli.services import promote

        with translated():
            options = PromoteParameters.from_operator(self)
        replacements = promote.Replacements(options.queues, options.replacements)
        target = DliHook(options.dli_conn_id)
        persist(context, self, target)
        steps = promote.plan(DliHook(options.source_conn_id), target, options.job_ids, replacements, self.log)
        # Before anything is changed: where a job that runs is in the way, the task fails, and this says which.
        self.push_xcoms(context, to_stop=[job.job_id for job in promote.jobs_to_stop(steps)])
        if options.dry_run:
            self.log.info("Dry run: nothing is changed.")
            result = [step.as_dict(step.target.job_id if step.target else None) for step in steps]
        else:
            result = promote.apply(target, steps, self.log)
        self.push_xcoms(context, job_ids=[each["job_id"] for each in result if each["job_id"]])
        return result
