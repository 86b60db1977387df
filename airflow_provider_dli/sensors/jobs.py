"""Wait for Flink jobs.

What a task needs is imported when it runs: this module is read with every DAG file that uses it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSensorTimeout, PokeReturnValue, conf

from airflow_provider_dli.exceptions import read_parameters
from airflow_provider_dli.formatting import escaped
from airflow_provider_dli.parameters import DEFAULT_CONN_ID, number_of
from airflow_provider_dli.sensors.base import DliSensor
from airflow_provider_dli.triggers.deferral import event_status

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.providers.common.compat.sdk import BaseSensorOperator, Context, XComArg

    from airflow_provider_dli.client.flink.status import JobTracker, TargetState
    from airflow_provider_dli.hooks.dli import DliHook


class DliFlinkJobSensor(DliSensor):
    """Wait until Flink jobs run, have finished, or are stopped, whoever has requested it.

    Follows *Querying Job Details* of the DLI API reference (dli_02_0235). A job that can no longer reach the state
    fails the task, once ``status_grace_period`` is over: after a run request DLI goes on showing the end of the
    previous run for a while.

    Pushes a list of the jobs as ``return_value``: ``job_id``, ``name``, ``job_type``, ``status``, ``start_time``
    (epoch milliseconds) and ``savepoint_path``.

    :param job_ids: the jobs: a list of ids, one id, a string of ids, or the output of another task (templated)
    :param target_state: ``running``, ``finished`` or ``stopped`` (templated)
    :param status_grace_period: seconds, from the beginning of the task, in which a failed or stopped job may still
        show the end of its previous run (templated)
    :param dli_conn_id: connection of type ``dli`` (templated)
    :param deferrable: wait on the triggerer; default: Airflow's ``[operators] default_deferrable``. The
        parameters of all sensors, such as ``poke_interval``, ``timeout``, ``mode`` and ``soft_fail``, do as usual
    :raises DliFailException: if a job has failed or does not exist, or a parameter or the connection cannot be
        used
    :raises DliException: if DLI is in trouble
    :raises AirflowSensorTimeout: if a job did not reach the state in time
    """

    template_fields: Sequence[str] = ("job_ids", "target_state", "status_grace_period", "dli_conn_id")
    ui_color = "#e6f1f2"

    def __init__(
        self,
        *,
        job_ids: Iterable[int | str] | int | str | XComArg,
        target_state: TargetState | str = "running",
        status_grace_period: float | str | timedelta = 60,
        dli_conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,  # noqa: ANN401 -- BaseSensorOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.job_ids = job_ids
        self.target_state = target_state
        self.status_grace_period = number_of(status_grace_period)
        self.dli_conn_id = dli_conn_id
        self.deferrable = deferrable
        self._began: float | None = None
        self._baseline: dict[int, list[Any]] = {}

    @property
    def hook(self) -> DliHook:
        """The hook that all polls of this task share."""
        from airflow_provider_dli.hooks.dli import DliHook

        return self.open_hook(DliHook)

    def _poll(self, context: Context) -> PokeReturnValue:
        """Poll once; once all jobs have reached the state, they are the result."""
        from airflow_provider_dli.services.job_status import poll_jobs, raise_for_failures, status_counts

        tracker, elapsed = self._tracker(), self._elapsed(context)
        poll_jobs(self.hook, tracker)
        tracker.requested_at = self.hook.service_time() - elapsed
        if tracker.pending(self.hook.service_time()):
            self.log.info("Not all %s: %s", tracker.target_state, status_counts(tracker))
            return PokeReturnValue(is_done=False)
        jobs = raise_for_failures(self.hook, tracker, self.timeout, self.log)
        return PokeReturnValue(is_done=True, xcom_value=jobs)

    def _defer(self) -> None:
        from airflow_provider_dli.triggers.flink import FlinkJobsTrigger, tracker_state

        state, hook = tracker_state(self._tracker()), self.hook
        # A clock of this machine that is minutes off must not end the grace period on the triggerer.
        state["requested_at"] = None if hook.clock_offset is None else hook.service_time() - self._elapsed({})
        self.log.info("Waiting on the triggerer until jobs %s are %s.", state["job_ids"], state["target_state"])
        trigger = FlinkJobsTrigger(
            dli_conn_id=hook.dli_conn_id,
            poll_interval=self.poke_interval,
            must_move=False,
            **self.wait_limits(hook, self.timeout),
            **state,
        )
        self.defer_to(trigger)

    def execute_complete(self, context: Context, event: Any = None) -> list[dict[str, Any]]:  # noqa: ANN401 -- the trigger's
        """Go on after the triggerer has waited."""
        from airflow_provider_dli.services.job_status import raise_for_failures, status_counts, wait_for_jobs

        del context
        event_status(event)
        tracker = self._tracker()
        tracker.grace_period = 0  # the trigger has waited for it
        wait_for_jobs(self.hook, tracker, 0, self.poke_interval, self.log)
        if tracker.pending(self.hook.service_time()):
            message = f"Not all {tracker.target_state} within {self.timeout:.0f} s: {status_counts(tracker)}"
            raise AirflowSensorTimeout(escaped(message))
        return raise_for_failures(self.hook, tracker, self.timeout, self.log)

    def _tracker(self) -> JobTracker:
        """Check every parameter, before anything is sent."""
        from airflow_provider_dli.client.flink.status import JobTracker
        from airflow_provider_dli.parameters.models import JobSensorParameters

        options = read_parameters(JobSensorParameters, self)
        return JobTracker(
            options.job_ids, options.target_state, self._baseline, 0, options.status_grace_period, must_move=False
        )

    def _elapsed(self, context: Context) -> float:
        """Return the seconds since the task began; in mode ``reschedule`` it begins again for every poll."""
        if self._began is None:
            self._began = time.monotonic()
        since = _seconds_since_first_poll(self, context) if self.reschedule else None
        return time.monotonic() - self._began if since is None else since


def _seconds_since_first_poll(sensor: BaseSensorOperator, context: Context) -> float | None:
    """Return the seconds since the first poll of this attempt; None if there was none before this one."""
    instance: Any = context.get("ti")
    if instance is None:
        return None
    # A task instance of Airflow 3; that of Airflow 2 has no such method.
    get_date = getattr(instance, "get_first_reschedule_date", None)
    first: datetime | None = get_date(context) if get_date else _first_poll_in_airflow_2(sensor, instance)
    return None if first is None else max(0.0, (datetime.now(UTC) - first).total_seconds())


def _first_poll_in_airflow_2(sensor: BaseSensorOperator, instance: Any) -> datetime | None:  # noqa: ANN401 -- Airflow 2's
    """Query the database, as ``BaseSensorOperator.execute`` of Airflow 2 does."""
    base = import_module("airflow.sensors.base")
    first_attempt = (instance.max_tries or 0) - (sensor.retries or 0) + 1
    query: Any = base._orig_start_date  # noqa: SLF001 -- there is no public one
    began: datetime | None = query(
        dag_id=instance.dag_id,
        task_id=instance.task_id,
        run_id=instance.run_id,
        map_index=instance.map_index,
        try_number=first_attempt,
    )
    return began
