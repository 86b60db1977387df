"""Wait for Flink jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import PokeReturnValue, conf

from airflow_provider_dli.connection.fields import DEFAULT_CONN_ID
from airflow_provider_dli.escaping import escaped
from airflow_provider_dli.parameters import number_of
from airflow_provider_dli.sensors.base import DliSensor

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_dli.client.flink.status import JobTracker, TargetState
    from airflow_provider_dli.hooks.dli import DliHook


class DliFlinkJobSensor(DliSensor):
    """Wait until Flink jobs run, have finished, or are stopped, whoever asked them to.

    Follows *Querying Job Details* of the DLI API reference (dli_02_0235). A job that cannot come to the goal any
    more is a failure, once ``settling_time`` is over: after a run DLI goes on showing the end of the run before
    for a while.

    Pushes a list of the jobs as ``return_value``: ``job_id``, ``name``, ``job_type``, ``status``, ``start_time``
    (epoch milliseconds) and ``savepoint_path``.

    :param job_ids: the jobs: a list of ids, one id, a text of ids, or the output of another task (templated)
    :param goal: ``running``, ``finished`` or ``stopped`` (templated)
    :param settling_time: seconds, from the beginning of the task, in which a bad end may still be that of before
        (templated)
    :param dli_conn_id: connection of type ``dli`` (templated)
    :param deferrable: wait on the triggerer; by default as Airflow's ``[operators] default_deferrable`` says. The
        parameters of all sensors, such as ``poke_interval``, ``timeout``, ``mode`` and ``soft_fail``, do as usual
    :raises DliFailException: if a job has failed or does not exist, or a parameter or the connection cannot be
        used
    :raises DliException: if DLI is in trouble
    :raises AirflowSensorTimeout: if a job did not come to the goal in time
    """

    template_fields: Sequence[str] = ("job_ids", "goal", "settling_time", "dli_conn_id")
    ui_color = "#e6f1f2"

    def __init__(
        self,
        *,
        job_ids: Iterable[int | str] | int | str | XComArg,
        goal: TargetState | str = "running",
        settling_time: float | str | timedelta = 60,
        dli_conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,  # noqa: ANN401 -- BaseSensorOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.job_ids = job_ids
        self.goal = goal
        self.settling_time = number_of(settling_time)
        self.dli_conn_id = dli_conn_id
        self.deferrable = deferrable
        self._began: float | None = None
        self._before: dict[int, list[Any]] = {}

    @property
    def hook(self) -> DliHook:
        """The hook that all polls of this task share."""
        from airflow_provider_dli.hooks.dli import DliHook

        return self.open_hook(DliHook)

    def _poll(self, context: Context) -> PokeReturnValue:
        """Poll once; where all have come to the goal, the jobs are the result."""
        from airflow_provider_dli.lifecycle.waiting import judge, look, standing

        watch, elapsed = self._prepared(), self._elapsed(context)
        if failure := look(self.hook, watch):
            raise failure
        watch.requested_at = self.hook.service_time() - elapsed
        if watch.pending(self.hook.service_time()):
            self.log.info("Not all %s: %s", watch.target_state, standing(watch))
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=judge(self.hook, watch, self.timeout, self.log))

    def execute_complete(self, context: Context, event: Any = None) -> list[dict[str, Any]]:  # noqa: ANN401 -- the trigger's
        """Go on after the triggerer has waited."""
        from airflow.providers.common.compat.sdk import AirflowSensorTimeout

        from airflow_provider_dli.lifecycle.waiting import judge, standing, wait
        from airflow_provider_dli.triggers.events import checked

        del context
        checked(event)
        watch = self._prepared()
        watch.grace_period = 0  # the trigger has waited for it
        wait(self.hook, watch, 0, self.poke_interval, self.log)
        if watch.pending(self.hook.service_time()):
            message = f"Not all {watch.target_state} within {self.timeout:.0f} s: {standing(watch)}"
            raise AirflowSensorTimeout(escaped(message))
        return judge(self.hook, watch, self.timeout, self.log)

    def _elapsed(self, context: Context) -> float:
        """Return the seconds since the task began; in mode ``reschedule`` it begins again for every poll."""
        import time

        from airflow_provider_dli.sensors.rescheduling import seconds_since_first_poll

        if self._began is None:
            self._began = time.monotonic()
        since = seconds_since_first_poll(self, context) if self.reschedule else None
        return time.monotonic() - self._began if since is None else since

    def _prepared(self) -> JobTracker:
        """Check every parameter, before anything is sent."""
        from airflow_provider_dli.client.flink.status import JobTracker
        from airflow_provider_dli.exceptions import translated
        from airflow_provider_dli.parameters.models import JobSensorParameters

        with translated():
            options = JobSensorParameters.from_operator(self)
        return JobTracker(options.job_ids, options.goal, self._before, 0, options.settling_time, must_move=False)

    def _defer(self) -> None:
        from airflow_provider_dli.triggers.flink import FlinkJobsTrigger, state_of

        state, hook = state_of(self._prepared()), self.hook
        # A clock of this machine that is minutes off must not end the settling time on the triggerer.
        state["asked"] = None if hook.clock_offset is None else hook.service_time() - self._elapsed({})
        self.log.info("Waiting on the triggerer until jobs %s are %s.", state["job_ids"], state["goal"])
        trigger = FlinkJobsTrigger(
            dli_conn_id=hook.dli_conn_id,
            poll_interval=self.poke_interval,
            must_move=False,
            **self.wait_limits(hook, self.timeout),
            **state,
        )
        self.defer_to(trigger)
