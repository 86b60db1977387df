"""What the operators share that ask something of Flink jobs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_dli.links.dli import DliConsoleLink, persist
from airflow_provider_dli.telling import tells_failures

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_dli.client.flink.states import Goal
    from airflow_provider_dli.client.flink.watching import Watch
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.lifecycle.deeds import Deed
    from airflow_provider_dli.memory import TaskMemory
    from airflow_provider_dli.selecting import IfEmpty


class FlinkJobsOperator(BaseOperator):
    """Asks something of Flink jobs, each once, and waits for what comes of it; base of run, stop and save.

    Parameters, result and errors are told by those that follow.
    """

    template_fields: Sequence[str] = ("job_ids", "dli_conn_id")
    operator_extra_links = (DliConsoleLink(),)
    ui_color = "#fff2cc"

    def __init__(
        self,
        *,
        job_ids: Iterable[int | str] | int | str | XComArg,
        if_empty: IfEmpty,
        dli_conn_id: str,
        timeout: float,
        poll_interval: float,
        settling_time: float,
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
    def _deed(self) -> Deed:
        """Give what is asked, its parameters checked."""

    @abstractmethod
    def _goal(self) -> Goal | None:
        """Give what is waited for; None not to wait."""

    @tells_failures
    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Ask each job, and wait."""
        from airflow_provider_dli.client.flink.watching import Watch
        from airflow_provider_dli.exceptions import translated
        from airflow_provider_dli.hooks.dli import DliHook
        from airflow_provider_dli.lifecycle.doing import Doing, checked
        from airflow_provider_dli.lifecycle.looking import all_of
        from airflow_provider_dli.memory import TaskMemory
        from airflow_provider_dli.selecting import named_jobs

        with translated():
            ids, deed, goal = named_jobs(self.job_ids, self.if_empty), self._deed(), self._goal()
        if not ids:
            return []
        hook = DliHook(self.dli_conn_id)
        persist(context, self, hook)
        doing = Doing(hook, deed, TaskMemory(context, f"dli_{deed.name}"), self.settling_time, self.log)
        done = doing.do(all_of(hook, ids))
        checked(done, ids, deed)
        watch = Watch(ids, goal or "stopped", done.marks, done.asked, self.settling_time)
        return self._come_to(hook, watch, goal, doing.memory)

    @tells_failures
    def execute_complete(self, context: Context, event: Any, watch: Mapping[str, Any]) -> list[dict[str, Any]]:  # noqa: ANN401 -- the trigger's
        """Go on after the triggerer has waited: look once more, and judge."""
        from airflow_provider_dli.client.flink.watching import Watch
        from airflow_provider_dli.hooks.dli import DliHook
        from airflow_provider_dli.memory import TaskMemory
        from airflow_provider_dli.triggers.events import checked

        checked(event)
        marks = {int(job_id): mark for job_id, mark in watch["before"].items()}
        seen = Watch(watch["job_ids"], watch["goal"], marks, watch["asked"], watch["grace"])
        memory = TaskMemory(context, f"dli_{self._deed().name}")
        return self._judged(DliHook(self.dli_conn_id), seen, 0, memory)

    def _come_to(self, hook: DliHook, watch: Watch, goal: Goal | None, memory: TaskMemory) -> list[dict[str, Any]]:
        import time

        from airflow_provider_dli.lifecycle.looking import find
        from airflow_provider_dli.lifecycle.waiting import look, shown, tell

        if goal is None:
            for job_id in watch.job_ids:
                watch.see(job_id, find(hook, job_id))
            tell(watch, self.log)
            memory.forget()
            return shown(watch)
        if self.deferrable:
            look(hook, watch)
            if watch.waiting(time.time()):
                self._defer(watch)
        return self._judged(hook, watch, self.timeout, memory)

    def _judged(self, hook: DliHook, watch: Watch, timeout: float, memory: TaskMemory) -> list[dict[str, Any]]:
        from airflow_provider_dli.exceptions import DliFailException
        from airflow_provider_dli.lifecycle.waiting import judge, wait

        wait(hook, watch, timeout, self.poll_interval, self.log)
        try:
            result = judge(watch, self.timeout, self.log)
        except DliFailException:
            memory.forget()  # it has come to an end, if a bad one: whoever clears the task wants it asked anew
            raise
        memory.forget()
        return result

    def _defer(self, watch: Watch) -> None:
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
            dli_conn_id=self.dli_conn_id,
            poll_interval=self.poll_interval,
            deadline=time.time() + self.timeout,
            **state,
        )
        self.defer(trigger=trigger, method_name="execute_complete", kwargs={"watch": state})


class InTurnOperator(FlinkJobsOperator):
    """Asks jobs that cannot be asked yet as soon as they can be, in the same time; base of stop and save."""

    #: epoch seconds at which a wait on the triggerer is to end
    _until = 0.0

    def _prove(self, watch: Watch) -> None:
        """Fail, or warn, where a job came to the goal and does not show what it was asked for besides."""

    def execute_complete(self, context: Context, event: Any, watch: Mapping[str, Any]) -> list[dict[str, Any]]:  # noqa: ANN401 -- the trigger's
        """Go on after the triggerer has waited: ask what can be asked now and wait on, or judge."""
        from airflow_provider_dli.lifecycle.again import carried_over

        self._until, state = carried_over(event, watch)
        return super().execute_complete(context, event, state)

    def _judged(self, hook: DliHook, watch: Watch, timeout: float, memory: TaskMemory) -> list[dict[str, Any]]:
        from airflow_provider_dli.lifecycle.again import Again

        again = Again(hook, self._deed(), memory, self.settling_time, self.log)
        again.wait(watch, timeout, self.poll_interval)
        if left := again.asked_in_time(watch, self._until):
            self.timeout = left
            self._defer(watch)
        result = super()._judged(hook, watch, 0, memory)
        self._prove(watch)
        return result
