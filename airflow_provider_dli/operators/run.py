"""Run Flink jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf

from airflow_provider_dli.operators.asking import FlinkJobsOperator
from airflow_provider_dli.parameters import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.providers.common.compat.sdk import XComArg

    from airflow_provider_dli.operators.asking import Action
    from airflow_provider_dli.parameters import IfEmpty
    from airflow_provider_dli.parameters.models import RunParameters


class DliRunFlinkJobsOperator(FlinkJobsOperator):
    """Run Flink jobs of a DLI project, and wait until they run.

    Follows *Running Flink Jobs in Batches* of the DLI API reference (dli_02_0233). A job that runs already, or
    is on its way, is not run once more.

    Each job is asked by a call of its own; all must exist before any is asked, and one that fails does not stop
    the others. A later try, or one after a killed worker, sees by the job itself whether it was asked already
    (exact on Airflow 3.3 and later).

    Pushes a list of the jobs as ``return_value``: ``job_id``, ``name``, ``job_type``, ``status``, ``start_time``
    (epoch milliseconds) and ``savepoint_path``.

    :param job_ids: the jobs: a list of ids, one id, a text of ids with commas, blanks or newlines between, or the
        output of another task (templated). Never all: name them
    :param resume_savepoint: True to start from the newest savepoint (templated)
    :param wait_for: ``running``, until each runs or has finished; ``finished``, for jobs with an end, until
        each has come to it; None, until each was asked. A job that fails, is stopped meanwhile, or shows for
        ``settling_time`` seconds no sign that it was asked, is a failure. One with ``restart_when_exception``
        may come back from an exception (templated)
    :param if_empty: what to do where ``job_ids`` names none: ``fail``, ``skip`` or ``succeed`` (templated)
    :param dli_conn_id: connection of type ``dli`` (templated)
    :param timeout: seconds to wait (templated)
    :param poll_interval: seconds between two looks (templated)
    :param settling_time: seconds for which a job may still read as before after it was asked (templated)
    :param stop_on_kill: True to have the jobs that this task has started stopped where it is killed: marked as
        failed or cleared in the UI, or ended by its ``execution_timeout``; while it waits on the triggerer on
        Airflow 3.3 and later only. By default they go on, as a streaming job is to outlive what started it, and
        the log names them (templated)
    :param deferrable: wait on the triggerer; by default as Airflow's ``[operators] default_deferrable`` says
    :raises DliFailException: if a parameter or the connection cannot be used, a job does not exist, DLI
        refuses, or a job comes to an end that is not the one waited for; no retry is spent
    :raises DliException: if DLI is out of reach or in trouble, or time is up; a retry may help
    """

    template_fields: Sequence[str] = (
        *FlinkJobsOperator.template_fields,
        "resume_savepoint",
        "wait_for",
        "stop_on_kill",
    )

    def __init__(  # noqa: PLR0913 -- by name, as Airflow's
        self,
        *,
        job_ids: Iterable[int | str] | int | str | XComArg,
        resume_savepoint: bool | str = False,
        wait_for: str | None = "running",
        if_empty: IfEmpty | str = "fail",
        dli_conn_id: str = DEFAULT_CONN_ID,
        timeout: float | str | timedelta = 600,
        poll_interval: float | str | timedelta = 10,
        settling_time: float | str | timedelta = 60,
        stop_on_kill: bool | str = False,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(
            job_ids=job_ids,
            if_empty=if_empty,
            dli_conn_id=dli_conn_id,
            timeout=timeout,
            poll_interval=poll_interval,
            settling_time=settling_time,
            deferrable=deferrable,
            **kwargs,
        )
        self.resume_savepoint = resume_savepoint
        self.wait_for = wait_for
        self.stop_on_kill = stop_on_kill

    def on_kill(self) -> None:
        """Stop the jobs that this task has started, or log that they go on."""
        from airflow_provider_dli.lifecycle.killing import stop_on_kill

        jobs = self._requested_jobs()
        if jobs and self._hook and self._options().stop_on_kill:
            stop_on_kill(self._hook, jobs, self.log)
        else:
            super().on_kill()

    def _when_killed(self, action: Action) -> dict[str, Any]:
        del action
        return {"stop_on_kill": self._options().stop_on_kill}

    def _options(self) -> RunParameters:
        from airflow_provider_dli.parameters.models import RunParameters

        return RunParameters.from_operator(self)

    def _action(self) -> Action:
        from airflow_provider_dli.lifecycle import deeds
        from airflow_provider_dli.operators.asking import Action

        options = self._options()
        return Action(options, deeds.run(resume_savepoint=options.resume_savepoint), options.wait_for)
