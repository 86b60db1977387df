"""Wait on the triggerer for Flink jobs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.flink import is_missing, show_job, stop_jobs
from airflow_provider_dli.client.flink.search import JobSearch, is_unlisted
from airflow_provider_dli.client.flink.status import JobTracker
from airflow_provider_dli.exceptions import DliException
from airflow_provider_dli.formatting import format_ids
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.triggers.base import PollingTrigger
from airflow_provider_dli.triggers.deferral import unknown_event

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_dli.client.flink import FlinkJob
    from airflow_provider_dli.client.flink.status import TrackedState

#: seconds that a stop request may take where a task is killed; by default Airflow ends it for good after a minute
STOP_WITHIN = 20.0


class FlinkJobsTrigger(PollingTrigger):
    """Waits until Flink jobs have reached a state, one has failed, or one is ready for its request.

    Its event also has the state of the wait, for the task to go on with: ``requested_at`` for a sensor, otherwise
    ``tracker``, with ``job_ids``, ``target_state``, ``baseline`` (with what later polls no longer show),
    ``requested_at`` and ``grace_period``.

    :param job_ids: the jobs
    :param target_state: ``running``, ``finished``, ``stopped`` or ``saved``
    :param dli_conn_id: connection of type ``dli``
    :param poll_interval: seconds between two polls, a quarter more or less by chance
    :param deadline: epoch seconds, by the service's clock, at which to stop waiting; None where it is not known
    :param timeout: seconds to wait, at most; None where there is a ``deadline`` alone
    :param execution_left: seconds that are left of the task's ``execution_timeout``; None if it has none
    :param baseline: snapshots of the jobs before their requests, by id as text
    :param requested_at: epoch seconds of the requests, by the service's clock; None: when the first response comes
    :param grace_period: seconds after that in which a job may still equal its baseline
    :param must_move: whether the task has requested the jobs to move, and it is a failure if one does not
    :param stop_on_kill: whether to stop these jobs where the task is killed (Airflow 3.3 and later)
    """

    hook_class = DliHook
    parameters = (
        "job_ids",
        "target_state",
        *PollingTrigger.parameters,
        "baseline",
        "requested_at",
        "grace_period",
        "must_move",
        "stop_on_kill",
    )

    def __init__(  # noqa: PLR0913 -- by name, as in its row of the database
        self,
        job_ids: Sequence[int],
        target_state: TrackedState,
        *,
        dli_conn_id: str,
        poll_interval: float,
        deadline: float | None = None,
        timeout: float | None = None,
        execution_left: float | None = None,
        baseline: Mapping[str, list[Any]] | None = None,
        requested_at: float | None = 0.0,
        grace_period: float = 0.0,
        must_move: bool = True,
        stop_on_kill: bool = False,
    ) -> None:
        super().__init__(dli_conn_id, poll_interval, deadline, timeout=timeout, execution_left=execution_left)
        self.job_ids = list(job_ids)
        self.target_state: TrackedState = target_state
        self.baseline = dict(baseline or {})
        self.requested_at = requested_at
        self.grace_period = grace_period
        self.must_move = must_move
        self.stop_on_kill = stop_on_kill
        known = {int(job_id): snapshot for job_id, snapshot in self.baseline.items()}
        self._tracker = JobTracker(self.job_ids, target_state, known, requested_at or 0.0, grace_period, must_move)

    async def poll(self, hook: DliHook) -> None:
        """Check each job that is still on its way, as ``read_jobs`` does on a worker."""
        search = JobSearch(self.pending())
        while call := search.next_call():
            try:
                page = await self.request(hook, hook.arun(call))
            except DliException as error:
                if is_unlisted(error.error):
                    break
                raise
            for job in search.accept(page):
                self._record(job.job_id, job)
        for job_id in search.rest:
            try:
                found: FlinkJob | None = await self.request(hook, hook.arun(show_job(job_id)))
            except DliException as error:
                if not is_missing(error.error):
                    raise
                found = None
            self._record(job_id, found)

    def _record(self, job_id: int, job: FlinkJob | None) -> None:
        if self.requested_at is None:
            self.requested_at = self._tracker.requested_at = self.service_time()
        self._tracker.record(job_id, job)

    def pending(self) -> list[Any]:
        """Return the jobs that are still on their way."""
        return self._tracker.pending(self.service_time())

    def is_over(self) -> bool:
        """Return whether none is on its way, or one is ready for its request."""
        return not self.pending() or bool(self._tracker.ready(self.service_time()))

    def payload(self) -> dict[str, Any]:
        """Return the state of the wait: of a sensor, since when it waits, for it reads all jobs again."""
        if not self.must_move:
            return {"requested_at": self.requested_at}
        return {"tracker": tracker_state(self._tracker)}

    async def on_kill(self) -> None:
        """Stop the jobs that the task has started, or log that they go on; Airflow calls it on a kill."""
        jobs = list(self._tracker.baseline) if self.must_move else []
        if jobs and self.stop_on_kill:
            await self._stop(jobs)
        elif jobs:
            self.log.warning("The task was killed. Its requests for job %s go on in DLI.", format_ids(jobs))

    async def _stop(self, jobs: Sequence[int]) -> None:
        try:
            async with asyncio.timeout(STOP_WITHIN), self.hook_class(self.dli_conn_id) as hook:
                await hook.arun(stop_jobs(jobs, trigger_savepoint=False))
        except Exception as error:  # noqa: BLE001 -- whatever it is, the task is being killed
            problem = str(error) or type(error).__name__
            self.log.warning("Job %s could not be stopped: %s", format_ids(jobs), problem)
        else:
            self.log.warning("Job %s was requested to stop, since the task was killed.", format_ids(jobs))


def tracker_state(tracker: JobTracker) -> dict[str, Any]:
    """Return the state of a wait as plain JSON values."""
    return {
        "job_ids": list(tracker.job_ids),
        "target_state": tracker.target_state,
        "baseline": {str(job_id): snapshot for job_id, snapshot in tracker.baseline.items()},
        "requested_at": tracker.requested_at,
        "grace_period": tracker.grace_period,
    }


def tracker_of(event: Mapping[str, Any]) -> JobTracker:
    """Return the tracker whose state an event reports.

    :raises DliFailException: if it holds no state of a wait
    """
    try:
        state = event["tracker"]
        baseline = {int(job_id): snapshot for job_id, snapshot in state["baseline"].items()}
        requested_at, grace_period = float(state["requested_at"]), float(state["grace_period"])
        return JobTracker(list(state["job_ids"]), state["target_state"], baseline, requested_at, grace_period)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise unknown_event(event) from error
