"""What the operators share that ask something of Flink jobs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_dli.links.dli import DliConsoleLink, persist
from airflow_provider_dli.operators.base import DliBaseOperator
from airflow_provider_dli.parameters import number_of
from airflow_provider_dli.triggers.deferral import Deferrable, ExecutionTimeoutError

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_dli.client.flink.status import JobTracker, TrackedState
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.lifecycle.again import Again
    from airflow_provider_dli.lifecycle.deeds import Deed
    from airflow_provider_dli.lifecycle.outcome import Done
    from airflow_provider_dli.parameters import IfEmpty
    from airflow_provider_dli.parameters.models import ActionParameters
    from airflow_provider_dli.task_state import RequestLog


class Action(NamedTuple):
    """What an operator is to do, its parameters checked.

    :param options: the parameters
    :param deed: what is asked
    :param goal: what is waited for; None not to wait
    :param with_savepoint: whether each job is to show a savepoint in the end
    """

    options: ActionParameters
    deed: Deed
    goal: TrackedState | None
    with_savepoint: bool = False


class FlinkJobsOperator(Deferrable, DliBaseOperator):
    """Asks something of Flink jobs, each once, and waits for what comes of it; base of run, stop and save.

    Parameters, result and errors are told by those that follow.
    """

    template_fields: Sequence[str] = (
        "job_ids",
        "if_empty",
        "dli_conn_id",
        "timeout",
        "poll_interval",
        "settling_time",
    )
    operator_extra_links = (DliConsoleLink(),)
    ui_color = "#fff2cc"
    #: what was requested so far
    _requested: Done | None = None
    _hook: DliHook | None = None

    def __init__(
        self,
        *,
        job_ids: Iterable[int | str] | int | str | XComArg,
        if_empty: IfEmpty | str,
        dli_conn_id: str,
        timeout: float | str | timedelta,
        poll_interval: float | str | timedelta,
        settling_time: float | str | timedelta,
        deferrable: bool,
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.job_ids = job_ids
        self.if_empty = if_empty
        self.dli_conn_id = dli_conn_id
        self.timeout = number_of(timeout)
        self.poll_interval = number_of(poll_interval)
        self.settling_time = number_of(settling_time)
        self.deferrable = deferrable

    @abstractmethod
    def _action(self) -> Action:
        """Return what is to be done.

        :raises ConfigurationError: naming each parameter that cannot be used
        """

    def _checked(self) -> Action:
        from airflow_provider_dli.exceptions import translated

        with translated():
            return self._action()

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Ask each job, and wait."""
        from airflow_provider_dli.client.flink.status import JobTracker
        from airflow_provider_dli.hooks.dli import DliHook
        from airflow_provider_dli.lifecycle.doing import Doing, checked
        from airflow_provider_dli.lifecycle.looking import all_of
        from airflow_provider_dli.lifecycle.outcome import Done
        from airflow_provider_dli.selecting import nothing
        from airflow_provider_dli.task_state import RequestLog

        action = self._checked()
        options, deed = action.options, action.deed
        ids = list(options.job_ids)
        if not ids:
            nothing(options.if_empty, "job_ids, which names none")
            return []
        hook = DliHook(options.dli_conn_id)
        persist(context, self, hook)
        doing = Doing(hook, deed, RequestLog(context, f"dli_{deed.name}"), options.settling_time, self.log)
        self._hook, self._requested = hook, Done()
        done = doing.do(all_of(hook, ids), self._requested)
        checked(done, ids, deed)
        watch = JobTracker(ids, action.goal or "stopped", done.marks, done.asked, options.settling_time)
        return self._come_to(hook, watch, action, doing.memory)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:  # noqa: ANN401 -- BaseOperator's
        """Go on after a wait on the triggerer."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except ExecutionTimeoutError:
            # As Airflow does where execution_timeout ends on a worker.
            self._recall((next_kwargs or {}).get("event"))
            self.on_kill()
            raise

    def _recall(self, event: Any) -> JobTracker:  # noqa: ANN401 -- whatever the database gave back
        """Take from an event the state of the wait, and which jobs were requested to move before it."""
        from airflow_provider_dli.hooks.dli import DliHook
        from airflow_provider_dli.lifecycle.outcome import Done
        from airflow_provider_dli.triggers.flink import tracker_of

        watch = tracker_of(event)
        self._hook, self._requested = DliHook(self.dli_conn_id), Done(marks=dict(watch.baseline))
        return watch

    def on_kill(self) -> None:
        """Log what goes on in DLI: a request that was sent cannot be called back."""
        from airflow_provider_dli.formatting import format_ids

        if jobs := self._requested_jobs():
            self.log.warning("The task was killed. Its requests for job %s go on in DLI.", format_ids(jobs))

    def _when_killed(self, action: Action) -> dict[str, Any]:
        """Return what the trigger is to do where the task is killed while it waits."""
        del action
        return {}

    def _requested_jobs(self) -> list[int]:
        return list(self._requested.marks) if self._requested else []

    def execute_complete(self, context: Context, event: Any = None) -> list[dict[str, Any]]:  # noqa: ANN401 -- the trigger's
        """Go on after the triggerer has waited: poll once more, and judge."""
        from airflow_provider_dli.hooks.dli import DliHook
        from airflow_provider_dli.task_state import RequestLog
        from airflow_provider_dli.triggers.deferral import event_status, seconds_left

        event_status(event)
        watch, left = self._recall(event), seconds_left(event, "left") or 0.0
        action = self._checked()
        memory = RequestLog(context, f"dli_{action.deed.name}")
        return self._resumed(DliHook(action.options.dli_conn_id), watch, left, action, memory)

    def _resumed(
        self, hook: DliHook, watch: JobTracker, left: float, action: Action, memory: RequestLog
    ) -> list[dict[str, Any]]:
        """Judge after a wait on the triggerer that had so many seconds left."""
        del left
        return self._judged(hook, watch, 0, action, memory)

    def _come_to(
        self, hook: DliHook, watch: JobTracker, action: Action, memory: RequestLog
    ) -> list[dict[str, Any]]:
        from airflow_provider_dli.lifecycle.looking import find
        from airflow_provider_dli.lifecycle.waiting import look, shown, tell

        if action.goal is None:
            for job_id in watch.job_ids:
                watch.record(job_id, find(hook, job_id))
            tell(watch, self.log)
            memory.clear()
            return shown(watch)
        if self.deferrable:
            look(hook, watch)
            if watch.pending(hook.service_time()):
                self._defer(hook, watch, action.options.timeout, action)
        return self._judged(hook, watch, action.options.timeout, action, memory)

    def _judged(
        self, hook: DliHook, watch: JobTracker, timeout: float, action: Action, memory: RequestLog
    ) -> list[dict[str, Any]]:
        from airflow_provider_dli.exceptions import DliFailException
        from airflow_provider_dli.lifecycle.waiting import judge, wait

        wait(hook, watch, timeout, action.options.poll_interval, self.log)
        try:
            result = judge(hook, watch, action.options.timeout, self.log)
        except DliFailException:
            memory.clear()  # it has come to an end, if a bad one: whoever clears the task wants it asked anew
            raise
        memory.clear()
        return result

    def _defer(self, hook: DliHook, watch: JobTracker, timeout: float, action: Action) -> None:
        from airflow_provider_dli.triggers.flink import FlinkJobsTrigger, tracker_state
        from airflow_provider_dli.wording import counted

        waiting = watch.pending(hook.service_time())
        self.log.info("Waiting on the triggerer until %s %s.", counted(len(waiting), "job"), watch.target_state)
        trigger = FlinkJobsTrigger(
            dli_conn_id=hook.dli_conn_id,
            poll_interval=action.options.poll_interval,
            **self.wait_limits(hook, timeout),
            **tracker_state(watch),
            **self._when_killed(action),
        )
        self.defer_to(trigger)


class InTurnOperator(FlinkJobsOperator):
    """Asks jobs that cannot be asked yet as soon as they can be, in the same time; base of stop and save."""

    def _resumed(
        self, hook: DliHook, watch: JobTracker, left: float, action: Action, memory: RequestLog
    ) -> list[dict[str, Any]]:
        """Send the request to what can take it now and wait on, or judge."""
        again = self._again(hook, action, memory)
        again.wait(watch, 0, action.options.poll_interval)
        if left > 0 and again.ask(watch):
            self._defer(hook, watch, left, action)
        return self._judged(hook, watch, 0, action, memory)

    def _judged(
        self, hook: DliHook, watch: JobTracker, timeout: float, action: Action, memory: RequestLog
    ) -> list[dict[str, Any]]:
        from airflow_provider_dli.lifecycle.savepoints import prove

        self._again(hook, action, memory).wait(watch, timeout, action.options.poll_interval)
        result = super()._judged(hook, watch, 0, action, memory)
        if action.with_savepoint:
            prove(watch, self.log)
        return result

    def _again(self, hook: DliHook, action: Action, memory: RequestLog) -> Again:
        from airflow_provider_dli.lifecycle.again import Again

        return Again(hook, action.deed, memory, action.options.settling_time, self.log)
