"""Wait for Flink jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseSensorOperator, PokeReturnValue, conf

from airflow_provider_dli.connection.fields import DEFAULT_CONN_ID
from airflow_provider_dli.sensors.failing import as_usual, patience_of
from airflow_provider_dli.telling import tells_failures

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_dli.client.flink.states import SeenGoal
    from airflow_provider_dli.client.flink.watching import Watch
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.triggers.patience import Patience


class DliFlinkJobSensor(BaseSensorOperator):
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
        goal: SeenGoal | str = "running",
        settling_time: float | str | timedelta = 60,
        dli_conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,  # noqa: ANN401 -- BaseSensorOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.job_ids = job_ids
        self.goal = goal
        self.settling_time = settling_time
        self.dli_conn_id = dli_conn_id
        self.deferrable = deferrable
        self._first_look: float | None = None
        self._before: dict[int, list[Any]] = {}
        self._patience: Patience | None = None

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once; where all have come to the goal, the jobs are the result."""
        import time

        from airflow_provider_dli.lifecycle.waiting import standing

        hook, watch = self._prepared(self._began(context))
        self._look(hook, watch)
        if watch.waiting(time.time()):
            self.log.info("Not all %s: %s", watch.goal, standing(watch))
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=self._judged(watch))

    @tells_failures
    def execute(self, context: Context) -> Any:  # noqa: ANN401 -- BaseSensorOperator's
        """Wait here, or on the triggerer."""
        import time

        if not self.deferrable:
            return super().execute(context)
        with as_usual(self):
            hook, watch = self._prepared(time.time())
            self._look(hook, watch)
            if watch.waiting(time.time()):
                self._defer(hook, watch)
            return self._judged(watch)

    @tells_failures
    def execute_complete(self, context: Context, event: Any = None) -> list[dict[str, Any]]:  # noqa: ANN401 -- the trigger's
        """Go on after the triggerer has waited."""
        import time

        from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException

        from airflow_provider_dli.lifecycle.waiting import standing, wait
        from airflow_provider_dli.triggers.events import checked

        del context
        checked(event)
        hook, watch = self._prepared(0)
        wait(hook, watch, 0, self.poke_interval, self.log)
        if watch.waiting(time.time()):
            message = f"Not all {watch.goal} within {self.timeout:.0f} s: {standing(watch)}"
            raise AirflowSkipException(message) if self.soft_fail else AirflowSensorTimeout(message)
        return self._judged(watch)

    def _began(self, context: Context) -> float:
        """Tell when the task began, epoch seconds; in mode ``reschedule`` it begins anew for every look."""
        import time

        if self._first_look is None:
            self._first_look = time.time()
        instance = context.get("ti")
        first = instance.get_first_reschedule_date(context) if self.reschedule and instance else None
        return first.timestamp() if first else self._first_look

    def _prepared(self, began: float) -> tuple[DliHook, Watch]:
        """Check every parameter, before anything is sent."""
        from airflow_provider_dli.client.flink.watching import Watch
        from airflow_provider_dli.exceptions import translated
        from airflow_provider_dli.hooks.dli import DliHook
        from airflow_provider_dli.parameters.models import JobSensorParameters

        with translated():
            options = JobSensorParameters.from_operator(self)
        return DliHook(options.dli_conn_id), Watch(
            options.job_ids, options.goal, self._before, began, options.settling_time, must_move=False
        )

    def _look(self, hook: DliHook, watch: Watch) -> None:
        """Look at each job; where that fails, and may pass, some are not seen, and so waited for."""
        from airflow_provider_dli.lifecycle.waiting import look

        self._patience = self._patience or patience_of(self, deferrable=self.deferrable)
        if failure := look(hook, watch):
            self._patience.bear(failure)
        else:
            self._patience.recover()

    def _judged(self, watch: Watch) -> list[dict[str, Any]]:
        from airflow_provider_dli.lifecycle.waiting import judge

        return judge(watch, self.timeout, self.log)

    def _defer(self, hook: DliHook, watch: Watch) -> None:
        import time

        from airflow_provider_dli.triggers.flink import FlinkJobsTrigger

        self.log.info("Waiting on the triggerer until jobs %s are %s.", list(watch.job_ids), watch.goal)
        trigger = FlinkJobsTrigger(
            list(watch.job_ids),
            watch.goal,
            dli_conn_id=hook.dli_conn_id,
            poll_interval=self.poke_interval,
            deadline=time.time() + self.timeout,
            before={str(job_id): mark for job_id, mark in watch.before.items()},
            asked=watch.asked,
            grace=watch.grace,
            must_move=False,
        )
        self.defer(trigger=trigger, method_name="execute_complete")
