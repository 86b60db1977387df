"""Stop Flink jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf

from airflow_provider_dli.operators.asking import InTurnOperator
from airflow_provider_dli.parameters import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.providers.common.compat.sdk import XComArg

    from airflow_provider_dli.operators.asking import Action
    from airflow_provider_dli.parameters import IfEmpty


class DliStopFlinkJobsOperator(InTurnOperator):
    """Stop Flink jobs of a DLI project, and wait until they are stopped.

    Follows *Stopping Flink Jobs in Batches* of the DLI API reference (dli_02_0241). A job that does not run is
    left as it is; but one with ``restart_when_exception`` that is ``job_running_exception`` may run again by
    itself: it is asked to stop, once more when it runs again, and the task is green only when it is stopped.

    Each job is asked by a call of its own; all must exist before any is asked, and one that fails does not stop
    the others. A later try, or one after a killed worker, sees by the job itself whether it was asked already
    (exact on Airflow 3.3 and later).

    Pushes a list of the jobs as ``return_value``: ``job_id``, ``name``, ``job_type``, ``status``, ``start_time``
    (epoch milliseconds) and ``savepoint_path``.

    :param job_ids: the jobs: a list of ids, one id, a text of ids with commas, blanks or newlines between, or the
        output of another task (templated). Never all: name them
    :param trigger_savepoint: True to make a savepoint first, for a run with ``resume_savepoint``. How one shows
        after a stop, the manual does not say: a job whose ``savepoint_path`` is as before is warned of. One that
        was being stopped already when the task came, and shows no new savepoint, is a failure (templated)
    :param wait: False to return as soon as each was asked; a job that cannot be asked yet is a failure then
        (templated)
    :param if_empty: what to do where ``job_ids`` names none: ``fail``, ``skip`` or ``succeed`` (templated)
    :param dli_conn_id: connection of type ``dli`` (templated)
    :param timeout: seconds to wait (templated)
    :param poll_interval: seconds between two looks (templated)
    :param settling_time: seconds for which a job may still read as before after it was asked (templated)
    :param deferrable: wait on the triggerer; by default as Airflow's ``[operators] default_deferrable`` says
    :raises DliFailException: if a parameter or the connection cannot be used, a job does not exist, DLI
        refuses, or a job comes to an end that is not the one waited for; no retry is spent
    :raises DliException: if DLI is out of reach or in trouble, or time is up; a retry may help
    """

    template_fields: Sequence[str] = (*InTurnOperator.template_fields, "trigger_savepoint", "wait")

    def __init__(
        self,
        *,
        job_ids: Iterable[int | str] | int | str | XComArg,
        trigger_savepoint: bool | str = False,
        wait: bool | str = True,
        if_empty: IfEmpty | str = "fail",
        dli_conn_id: str = DEFAULT_CONN_ID,
        timeout: float | str | timedelta = 1200,
        poll_interval: float | str | timedelta = 10,
        settling_time: float | str | timedelta = 60,
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
        self.trigger_savepoint = trigger_savepoint
        self.wait = wait

    def _action(self) -> Action:
        from airflow_provider_dli.lifecycle import deeds
        from airflow_provider_dli.operators.asking import Action
        from airflow_provider_dli.parameters.models import StopParameters

        options = StopParameters.from_operator(self)
        deed = deeds.stop(trigger_savepoint=options.trigger_savepoint, patient=options.wait)
        return Action(options, deed, "stopped" if options.wait else None, options.trigger_savepoint)
