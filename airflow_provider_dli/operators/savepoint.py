"""Make savepoints of Flink jobs."""

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


class DliSavepointFlinkJobsOperator(InTurnOperator):
    """Make savepoints of running Flink jobs, and wait until they are made.

    Follows *Triggering a Savepoint of a Flink Job* of the DLI API reference (dli_02_0392). A job shows by another
    ``savepoint_path`` that one was made. What becomes of that where a savepoint is made in the directory of the
    one before, the manual does not say: so a job that went through ``job_savepointing`` and runs on is saved too.
    A job that ends, or shows neither, is a failure. While somebody else's savepoint is made, the job is not asked;
    it is as soon as that has ended.

    Each job is asked by a call of its own; all must exist before any is asked, and one that fails does not stop
    the others. A later try, or one after a killed worker, sees by the job itself whether it was asked already
    (exact on Airflow 3.3 and later).

    Pushes a list of the jobs as ``return_value``: ``job_id``, ``name``, ``job_type``, ``status``, ``start_time``
    (epoch milliseconds) and ``savepoint_path``.

    :param job_ids: the jobs: a list of ids, one id, a text of ids with commas, blanks or newlines between, or the
        output of another task (templated). Never all: name them
    :param savepoint_path: directory for the savepoints: ``bucket/directory``, with or without ``obs://``; each
        job's is kept in a directory of its own in it (templated). None leaves it to the service
    :param wait: False to return as soon as each was asked; a job that cannot be asked yet is a failure then
        (templated)
    :param if_empty: what to do where ``job_ids`` names none: ``fail``, ``skip`` or ``succeed`` (templated)
    :param dli_conn_id: connection of type ``dli`` (templated)
    :param timeout: seconds to wait (templated)
    :param poll_interval: seconds between two looks (templated)
    :param settling_time: seconds for which a job may still read as before after it was asked; as long as it does,
        the worker stays with it, ``deferrable`` or not (templated)
    :param deferrable: wait on the triggerer; by default as Airflow's ``[operators] default_deferrable`` says
    :raises DliFailException: if a parameter or the connection cannot be used, a job does not exist, DLI
        refuses, or a job comes to an end that is not the one waited for; no retry is spent
    :raises DliException: if DLI is out of reach or in trouble, or time is up; a retry may help
    """

    template_fields: Sequence[str] = (*InTurnOperator.template_fields, "savepoint_path", "wait")

    def __init__(
        self,
        *,
        job_ids: Iterable[int | str] | int | str | XComArg,
        savepoint_path: str | None = None,
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
        self.savepoint_path = savepoint_path
        self.wait = wait

    def _action(self) -> Action:
        from airflow_provider_dli.lifecycle import deeds
        from airflow_provider_dli.operators.asking import Action
        from airflow_provider_dli.parameters.models import SavepointParameters

        options = SavepointParameters.from_operator(self)
        path = str(options.savepoint_path) if options.savepoint_path else None
        return Action(options, deeds.save(path, patient=options.wait), "saved" if options.wait else None)
