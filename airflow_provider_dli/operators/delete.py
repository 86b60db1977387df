"""Delete Flink jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.links.dli import DliConsoleLink, persist
from airflow_provider_dli.operators.base import DliBaseOperator
from airflow_provider_dli.parameters import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_dli.parameters import IfEmpty


class DliDeleteFlinkJobsOperator(DliBaseOperator):
    """Delete Flink jobs of a DLI project, in whatever state they are; a running one is stopped.

    Follows *Deleting a Flink Job* of the DLI API reference (dli_02_0242). Jobs are named one by one: nothing named
    is never "all jobs". A job that does not exist is none to delete, and told.

    Pushes the ids that were deleted as ``return_value``, by this try or by one before (exact on Airflow 3.3 and
    later).

    :param job_ids: the jobs: a list of ids, one id, a text of ids, or the output of another task (templated)
    :param if_empty: what to do where ``job_ids`` names none: ``fail``, ``skip`` or ``succeed`` (templated)
    :param dli_conn_id: connection of type ``dli`` (templated)
    :raises DliFailException: if a parameter or the connection cannot be used, or DLI refuses; no retry is spent
    :raises DliException: if DLI is out of reach or in trouble; a retry may help
    """

    template_fields: Sequence[str] = ("job_ids", "if_empty", "dli_conn_id")
    operator_extra_links = (DliConsoleLink(),)
    ui_color = "#fff2cc"
    on_kill_message = "A job whose deletion was requested is deleted; the next attempt takes it for done."

    def __init__(
        self,
        *,
        job_ids: Iterable[int | str] | int | str | XComArg,
        if_empty: IfEmpty | str = "fail",
        dli_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.job_ids = job_ids
        self.if_empty = if_empty
        self.dli_conn_id = dli_conn_id

    def execute(self, context: Context) -> list[int]:
        """Delete each job."""
        from airflow_provider_dli.exceptions import translated
        from airflow_provider_dli.hooks.dli import DliHook
        from airflow_provider_dli.lifecycle import deeds
        from airflow_provider_dli.lifecycle.doing import Doing, checked
        from airflow_provider_dli.lifecycle.looking import find
        from airflow_provider_dli.parameters.models import DeleteParameters
        from airflow_provider_dli.selecting import nothing
        from airflow_provider_dli.task_state import RequestLog

        with translated():
            options = DeleteParameters.from_operator(self)
        ids = options.job_ids
        if not ids:
            nothing(options.if_empty, "job_ids, which names none")
            return []
        hook, deed = DliHook(options.dli_conn_id), deeds.delete()
        persist(context, self, hook)
        found = {job_id: find(hook, job_id) for job_id in ids}
        for job_id in [job_id for job_id, job in found.items() if job is None]:
            self.log.info("Job %d is gone already, or never was in project %s.", job_id, hook.project_id)
        there = {job_id: job for job_id, job in found.items() if job is not None}
        doing = Doing(hook, deed, RequestLog(context, "dli_delete"), 0, self.log)
        before = doing.notes.job_ids
        done = doing.do(there)
        doing.check_effect(there, done)
        checked(done, ids, deed)
        for job in there.values():
            self.log.info("Deleted job %d %s, which was %s.", job.job_id, job.name, job.status)
        doing.memory.clear()
        return [job_id for job_id in ids if job_id in there or job_id in before]
