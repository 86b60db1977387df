"""What the operators share that ask something of Flink jobs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_dli.links.dli import DliConsoleLink, persist
from airflow_provider_dli.telling import tells_failures

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_dli.client.flink.states import Goal
    from airflow_provider_dli.client.flink.watching import Watch
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.lifecycle.deeds import Deed
    from airflow_provider_dli.memory import TaskMemory
    from airflow_provider_dli.parameters import IfEmpty
    from airflow_provider_dli.parameters.models import ActionParameters


class Action(NamedTuple):
    """What an operator is to do, its parameters checked.

    :param options: the parameters
    :param deed: what is asked
    :param goal: what is waited for; None not to wait
    :param with_savepoint: whether each job is to show a savepoint in the end
    """

    options: ActionParameters
    deed: Deed
    goal: Goal | None
    with_savepoint: bool = False


class FlinkJobsOperator(BaseOperator):
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
        self.timeout = timeout
        self.poll_interval = poll_interval
        self.settling_time = settling_time
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

    @tells_failures
    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Ask each job, and wait."""
        from airflow_provider_dli.client.flink.watching import Watch
        from airflow_provider_dli.hooks.dli import DliHook
        from airflow_provider_dli.lifecycle.doing import Doing, checked
        from airflow_provider_dli.lifecycle.looking import all_of
        from airflow_provider_dli.memory import TaskMemory
        from airflow_provider_dli.selecting import nothing

        action = self._checked()
        options, deed = action.options, action.deed
        ids = list(options.job_ids)
        if not ids:
            nothing(options.if_empty, "job_ids, which names none")
            return []
        hook = DliHook(options.dli_conn_id)
        persist(context, self, hook)
        doing = Doing(hook, deed, TaskMemory(context, f"dli_{deed.name}"), options.settling_time, self.log)
        done = doing.do(all_of(hook, ids))
        checked(done, ids, deed)
        watch = Watch(ids, action.goal or "stopped", done.marks, done.asked, options.settling_time)
        return self._come_to(hook, watch, action, doing.memory)

    @tells_failures
    def execute_complete(self, context: Context, event: Any, watch: Mapping[str, Any]) -> list[dict[str, Any]]:  # noqa: ANN401 -- the trigger's
        """Go on after the triggerer has waited: look once more, and judge."""
        from airflow_provider_dli.client.flink.watching import Watch
        from airflow_provider_dli.hooks.dli import DliHook
        from airflow_provider_dli.memory import TaskMemory
        from airflow_provider_dli.triggers.events import checked

        checked(event)
        action = self._checked()
        marks = {int(job_id): mark for job_id, mark in watch["before"].items()}
        seen = Watch(watch["job_ids"], watch["goal"], marks, watch["asked"], watch["grace"])
        memory = TaskMemory(context, f"dli_{action.deed.name}")
        return self._judged(DliHook(action.options.dli_conn_id), seen, 0, action, memory)

    def _come_to(self, hook: DliHook, watch: Watch, action: Action, memory: TaskMemory) -> list[dict[str, Any]]:
        import time

        from airflow_provider_dli.lifecycle.looking import find
        from airflow_provider_dli.lifecycle.waiting import look, shown, tell

        if action.goal is None:
            for job_id in watch.job_ids:
                watch.see(job_id, find(hook, job_id))
            tell(watch, self.log)
            memory.forget()
            return shown(watch)
        if self.deferrable:
            look(hook, watch)
            if watch.waiting(time.time()):
                self._defer(watch, action.options.timeout, action)
        return self._judged(hook, watch, action.options.timeout, action, memory)

    def _judged(
        self, hook: DliHook, watch: Watch, timeout: float, action: Action, memory: TaskMemory
    ) -> list[dict[str, Any]]:
        from airflow_provider_dli.exceptions import DliFailException
        from airflow_provider_dli.lifecycle.waiting import judge, wait

        wait(hook, watch, timeout, action.options.poll_interval, self.log)
        try:
            result = judge(watch, action.options.timeout, self.log)
        except DliFailException:
            memory.forget()  # it has come to an end, if a bad one: whoever clears the task wants it asked anew
            raise
        memory.forget()
        return result

    def _defer(self, watch: Watch, timeout: float, action: Action) -> None:
        import time

        from airflow_provider_dli.triggers.flink import FlinkJobsTrigger
        from airflow_provider_dli.wording import counted

        waiting = watch.waiting(time.time())
        self.log.info("Waiting on the triggerer until %s %s.", counted(len(waiting), "job"), watch.goal)
        state: dict[str, Any] = {
            "job_ids": list(watch.job_ids),
            "goal": watch.goal,
            "before": {str(job_id): mark for job_id, mark in watch.before.items()},
            "asked": watch.asked,
            "grace": watch.grace,
        }
        trigger = FlinkJobsTrigger(
            dli_conn_id=action.options.dli_conn_id,
            poll_interval=action.options.poll_interval,
            deadline=time.time() + timeout,
            **state,
        )
        self.defer(trigger=trigger, method_name="execute_complete", kwargs={"watch": state})


class InTurnOperator(FlinkJobsOperator):
    """Asks jobs that cannot be asked yet as soon as they can be, in the same time; base of stop and save."""

    #: epoch seconds at which a wait on the triggerer is to end
    _until = 0.0

    def execute_complete(self, context: Context, event: Any, watch: Mapping[str, Any]) -> list[dict[str, Any]]:  # noqa: ANN401 -- the trigger's
        """Go on after the triggerer has waited: ask what can be asked now and wait on, or judge."""
        from airflow_provider_dli.lifecycle.again import carried_over

        self._until, state = carried_over(event, watch)
        return super().execute_complete(context, event, state)

    def _judged(
        self, hook: DliHook, watch: Watch, timeout: float, action: Action, memory: TaskMemory
    ) -> list[dict[str, Any]]:
        from airflow_provider_dli.lifecycle.again import Again
        from airflow_provider_dli.lifecycle.savepoints import prove

        again = Again(hook, action.deed, memory, action.options.settling_time, self.log)
        again.wait(watch, timeout, action.options.poll_interval)
        if left := again.asked_in_time(watch, self._until):
            self._defer(watch, left, action)
        result = super()._judged(hook, watch, 0, action, memory)
        if action.with_savepoint:
            prove(watch, self.log)
        return result
