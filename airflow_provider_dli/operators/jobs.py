"""Run, stop, save and delete Flink jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_dli.connection.fields import DEFAULT_CONN_ID
from airflow_provider_dli.links.dli import DliConsoleLink, persist
from airflow_provider_dli.operators.asking import FlinkJobsOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_dli.client.flink.states import Goal
    from airflow_provider_dli.lifecycle.deeds import Deed
    from airflow_provider_dli.selecting import IfEmpty


class DliRunFlinkJobsOperator(FlinkJobsOperator):
    """Run Flink jobs of a DLI project, and wait until they run.

    Follows *Running Flink Jobs in Batches* of the DLI API reference (dli_02_0233). A job that runs already, or
    is on its way, is not run once more.

    Parameters and result beside these are those of
    :class:`~airflow_provider_dli.operators.asking.FlinkJobsOperator`.

    :param job_ids: the jobs (templated)
    :param resume_savepoint: True to start from the newest savepoint
    :param wait_for: ``running``, until each runs or has finished; ``finished``, for jobs with an end, until
        each has come to it; None, until each was asked. A job that fails, is stopped meanwhile, or shows for
        ``settling_time`` seconds no sign that it was asked, is a failure. One with ``restart_when_exception``
        may come back from an exception
    """

    def __init__(
        self,
        *,
        resume_savepoint: bool = False,
        wait_for: Literal["running", "finished"] | None = "running",
        timeout: float = 600,
        **kwargs: Any,  # noqa: ANN401 -- FlinkJobsOperator's
    ) -> None:
        super().__init__(timeout=timeout, **kwargs)
        self.resume_savepoint = resume_savepoint
        self.wait_for = wait_for

    def _deed(self) -> Deed:
        from airflow_provider_dli.lifecycle import deeds

        return deeds.run(resume_savepoint=self.resume_savepoint)

    def _goal(self) -> Goal | None:
        from airflow_provider_dli.client.errors import ConfigurationError

        if self.wait_for not in ("running", "finished", None):
            raise ConfigurationError(
                "wait_for", f"{self.wait_for!r} is not possible", "give 'running', 'finished' or None"
            )
        return self.wait_for


class DliStopFlinkJobsOperator(FlinkJobsOperator):
    """Stop Flink jobs of a DLI project, and wait until they are stopped.

    Follows *Stopping Flink Jobs in Batches* of the DLI API reference (dli_02_0241). A job that does not run is
    left as it is.

    Parameters and result beside these are those of
    :class:`~airflow_provider_dli.operators.asking.FlinkJobsOperator`.

    :param job_ids: the jobs (templated)
    :param trigger_savepoint: True to make a savepoint first, for a run with ``resume_savepoint``
    :param wait: False to return as soon as each was asked
    """

    def __init__(self, *, trigger_savepoint: bool = False, wait: bool = True, **kwargs: Any) -> None:  # noqa: ANN401 -- FlinkJobsOperator's
        super().__init__(**kwargs)
        self.trigger_savepoint = trigger_savepoint
        self.wait = wait

    def _deed(self) -> Deed:
        from airflow_provider_dli.lifecycle import deeds

        return deeds.stop(trigger_savepoint=self.trigger_savepoint)

    def _goal(self) -> Goal | None:
        return "stopped" if self.wait else None


class DliSavepointFlinkJobsOperator(FlinkJobsOperator):
    """Make savepoints of running Flink jobs, and wait until they run on.

    Follows *Triggering a Savepoint of a Flink Job* of the DLI API reference (dli_02_0392).

    Parameters and result beside these are those of
    :class:`~airflow_provider_dli.operators.asking.FlinkJobsOperator`.

    :param job_ids: the jobs, each of them running (templated)
    :param savepoint_path: directory for the savepoints: ``bucket/directory``, with or without ``obs://``; each
        job's is kept in a directory of its own in it (templated). None leaves it to the service
    :param wait: False to return as soon as each was asked
    """

    template_fields: Sequence[str] = (*FlinkJobsOperator.template_fields, "savepoint_path")

    def __init__(self, *, savepoint_path: str | None = None, wait: bool = True, **kwargs: Any) -> None:  # noqa: ANN401 -- FlinkJobsOperator's
        super().__init__(**kwargs)
        self.savepoint_path = savepoint_path
        self.wait = wait

    def _deed(self) -> Deed:
        from airflow_provider_dli.lifecycle import deeds

        return deeds.save(self.savepoint_path)

    def _goal(self) -> Goal | None:
        return "running" if self.wait else None


class DliDeleteFlinkJobsOperator(BaseOperator):
    """Delete Flink jobs of a DLI project, in whatever state they are; a running one is stopped.

    Follows *Deleting a Flink Job* of the DLI API reference (dli_02_0242). Jobs are named one by one: nothing named
    is never "all jobs". A job that does not exist is none to delete, and told.

    Pushes the ids that were deleted as ``return_value``.

    :param job_ids: the jobs: a list of ids, one id, a text of ids, or the output of another task (templated)
    :param if_empty: what to do where ``job_ids`` names none: ``fail``, ``skip`` or ``succeed``
    :param dli_conn_id: connection of type ``dli`` (templated)
    :raises DliFailException: if a parameter or the connection cannot be used, or DLI refuses; no retry is spent
    :raises DliException: if DLI is out of reach or in trouble; a retry may help
    """

    template_fields: Sequence[str] = ("job_ids", "dli_conn_id")
    operator_extra_links = (DliConsoleLink(),)
    ui_color = "#fff2cc"

    def __init__(
        self,
        *,
        job_ids: Iterable[int | str] | int | str | XComArg,
        if_empty: IfEmpty = "fail",
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
        from airflow_provider_dli.memory import TaskMemory
        from airflow_provider_dli.selecting import named_jobs

        with translated():
            ids = named_jobs(self.job_ids, self.if_empty)
        if not ids:
            return []
        hook, deed = DliHook(self.dli_conn_id), deeds.delete()
        persist(context, self, hook)
        found = {job_id: find(hook, job_id) for job_id in ids}
        for job_id in [job_id for job_id, job in found.items() if job is None]:
            self.log.info("Job %d is gone already, or never was in project %s.", job_id, hook.project_id)
        there = {job_id: job for job_id, job in found.items() if job is not None}
        done = Doing(hook, deed, TaskMemory(context, "dli_delete"), 0, self.log).do(there)
        checked(done, ids, deed)
        for job in there.values():
            self.log.info("Deleted job %d %s, which was %s.", job.job_id, job.name, job.status)
        return list(there)
