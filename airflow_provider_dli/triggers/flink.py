"""Wait on the triggerer for Flink jobs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.flink import is_missing, show_job
from airflow_provider_dli.client.flink.watching import Watch
from airflow_provider_dli.exceptions import DliException
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.triggers.waiting import WaitingTrigger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_dli.client.flink import FlinkJob
    from airflow_provider_dli.client.flink.states import Goal


class FlinkJobsTrigger(WaitingTrigger):
    """Waits until Flink jobs have come to a goal, one has failed, or one can be asked that could not before.

    Tells the task ``before`` besides, the marks with what was seen on the way, and ``deadline``.

    :param job_ids: the jobs
    :param goal: ``running``, ``finished``, ``stopped`` or ``saved``
    :param dli_conn_id: connection of type ``dli``
    :param poll_interval: seconds between two looks, a quarter more or less by chance
    :param deadline: epoch seconds at which to stop waiting
    :param before: marks of the jobs before they were asked to move, by id as text
    :param asked: epoch seconds at which they were asked
    :param grace: seconds after that in which a job may be as it was before
    :param must_move: whether it is a failure to be so for longer
    """

    hook_class = DliHook

    def __init__(
        self,
        job_ids: Sequence[int],
        goal: Goal,
        *,
        dli_conn_id: str,
        poll_interval: float,
        deadline: float,
        before: Mapping[str, list[Any]] | None = None,
        asked: float = 0.0,
        grace: float = 0.0,
        must_move: bool = True,
    ) -> None:
        super().__init__(dli_conn_id, poll_interval, deadline)
        self.job_ids = list(job_ids)
        self.goal: Goal = goal
        self.before = dict(before or {})
        self.asked = asked
        self.grace = grace
        self.must_move = must_move
        marks = {int(job_id): mark for job_id, mark in self.before.items()}
        self._watch = Watch(self.job_ids, goal, marks, asked, grace, must_move)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what it takes to make it again on another triggerer."""
        names = (
            "job_ids",
            "goal",
            "dli_conn_id",
            "poll_interval",
            "deadline",
            "before",
            "asked",
            "grace",
            "must_move",
        )
        return f"{__name__}.{type(self).__name__}", {name: getattr(self, name) for name in names}

    async def look(self, hook: DliHook) -> None:
        """Look at each job that is on its way still."""
        for job_id in self._watch.waiting(time.time()):
            try:
                job: FlinkJob | None = await hook.arun(show_job(job_id))
            except DliException as error:
                if not is_missing(error.error):
                    raise
                job = None
            self._watch.see(job_id, job)

    def missing(self) -> list[Any]:
        """Give the jobs that are on their way still."""
        return self._watch.waiting(time.time())

    def is_over(self) -> bool:
        """Tell whether none is on its way, or one is due to be asked."""
        return not self.missing() or bool(self._watch.due(time.time()))

    def facts(self) -> dict[str, Any]:
        """Give what a later look no longer shows."""
        before = {str(job_id): mark for job_id, mark in self._watch.before.items()}
        return {"before": before, "deadline": self.deadline}
