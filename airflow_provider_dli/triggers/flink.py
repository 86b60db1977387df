"""Wait on the triggerer for Flink jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.flink import is_missing, show_job
from airflow_provider_dli.client.flink.status import JobTracker
from airflow_provider_dli.exceptions import DliException
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.triggers.events import unknown
from airflow_provider_dli.triggers.killing import astop_killed, listed
from airflow_provider_dli.triggers.waiting import WaitingTrigger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_dli.client.flink import FlinkJob
    from airflow_provider_dli.client.flink.status import TrackedState


class FlinkJobsTrigger(WaitingTrigger):
    """Waits until Flink jobs have come to a goal, one has failed, or one can be asked that could not before.

    Its event has the state of the wait besides, for the task to go on with: ``watch``, with ``job_ids``, ``goal``,
    ``before`` (the marks, with what was seen on the way), ``asked`` and ``grace``.

    :param job_ids: the jobs
    :param goal: ``running``, ``finished``, ``stopped`` or ``saved``
    :param dli_conn_id: connection of type ``dli``
    :param poll_interval: seconds between two looks, a quarter more or less by chance
    :param deadline: epoch seconds, by the service's clock, at which to stop waiting; None where it is not known
    :param timeout: seconds to wait, at most; None where there is a ``deadline`` alone
    :param execution_left: seconds that are left of the task's ``execution_timeout``; None if it has none
    :param before: marks of the jobs before they were asked to move, by id as text
    :param asked: epoch seconds, by the service's clock, at which they were asked; None for the first response
    :param grace: seconds after that in which a job may be as it was before
    :param stop_on_kill: whether to stop the jobs that were asked where the task is killed (Airflow 3.3 and later)
    :param must_move: whether it is a failure to be so for longer
    """

    hook_class = DliHook
    parameters = (
        "job_ids",
        "goal",
        *WaitingTrigger.parameters,
        "before",
        "asked",
        "grace",
        "must_move",
        "stop_on_kill",
    )

    def __init__(  # noqa: PLR0913 -- by name, as in its row of the database
        self,
        job_ids: Sequence[int],
        goal: TrackedState,
        *,
        dli_conn_id: str,
        poll_interval: float,
        deadline: float | None = None,
        timeout: float | None = None,
        execution_left: float | None = None,
        before: Mapping[str, list[Any]] | None = None,
        asked: float | None = 0.0,
        grace: float = 0.0,
        must_move: bool = True,
        stop_on_kill: bool = False,
    ) -> None:
        super().__init__(dli_conn_id, poll_interval, deadline, timeout=timeout, execution_left=execution_left)
        self.job_ids = list(job_ids)
        self.goal: TrackedState = goal
        self.before = dict(before or {})
        self.asked = asked
        self.grace = grace
        self.must_move = must_move
        self.stop_on_kill = stop_on_kill
        marks = {int(job_id): mark for job_id, mark in self.before.items()}
        self._watch = JobTracker(self.job_ids, goal, marks, asked or 0.0, grace, must_move)

    async def look(self, hook: DliHook) -> None:
        """Look at each job that is on its way still."""
        for job_id in self._watch.pending(self.service_time()):
            try:
                job: FlinkJob | None = await self.request(hook, hook.arun(show_job(job_id)))
            except DliException as error:
                if not is_missing(error.error):
                    raise
                job = None
            if self.asked is None:
                self.asked = self._watch.requested_at = self.service_time()
            self._watch.record(job_id, job)

    async def on_kill(self) -> None:
        """Stop the jobs that the task has started, or log that they go on; Airflow calls it on a kill."""
        jobs = list(self._watch.baseline) if self.must_move else []
        if jobs and self.stop_on_kill:
            await astop_killed(self.hook_class(self.dli_conn_id), jobs, self.log)
        elif jobs:
            self.log.warning("The task was killed. What it has requested of job %s goes on in DLI.", listed(jobs))

    def missing(self) -> list[Any]:
        """Give the jobs that are on their way still."""
        return self._watch.pending(self.service_time())

    def is_over(self) -> bool:
        """Tell whether none is on its way, or one is due to be asked."""
        return not self.missing() or bool(self._watch.ready(self.service_time()))

    def facts(self) -> dict[str, Any]:
        """Give what a later look no longer shows."""
        return {"watch": state_of(self._watch)}


def state_of(watch: JobTracker) -> dict[str, Any]:
    """Return the state of a wait as plain JSON values.

    :param watch: what was seen
    """
    before = {str(job_id): mark for job_id, mark in watch.baseline.items()}
    return {
        "job_ids": list(watch.job_ids),
        "goal": watch.target_state,
        "before": before,
        "asked": watch.requested_at,
        "grace": watch.grace_period,
    }


def watch_of(event: Mapping[str, Any]) -> JobTracker:
    """Make the wait again that an event reports on.

    :param event: of :class:`FlinkJobsTrigger`
    :raises DliFailException: if it holds no state of a wait
    """
    try:
        state = event["watch"]
        before = {int(job_id): mark for job_id, mark in state["before"].items()}
        return JobTracker(
            list(state["job_ids"]), state["goal"], before, float(state["asked"]), float(state["grace"])
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise unknown(event) from error
