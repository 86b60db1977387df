"""Run, stop, save and delete Flink jobs, and wait for them, in the order in which it happens.

:class:`ActionRunner` reads the jobs, has the action requested of each that needs it, once
(:mod:`~airflow_provider_dli.services.job_requests`), and waits until each has reached its state (:class:`JobWait`,
which the sensor uses too). :func:`delete_jobs` has nothing to wait for.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.errors import ADVICE
from airflow_provider_dli.client.flink.status import (
    CANCELING,
    NOT_SEEN,
    RUNNING_EXCEPTION,
    SAVEPOINTING,
    JobTracker,
    Verdict,
    shows_new_savepoint,
    snapshot_of,
)
from airflow_provider_dli.exceptions import DliException, DliFailException, read_parameters, translated
from airflow_provider_dli.formatting import format_duration, format_ids, format_jobs, log_table, pluralize
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.parameters.models import (
    ActionParameters,
    DeleteParameters,
    JobSensorParameters,
    RunParameters,
    SavepointParameters,
    StopParameters,
)
from airflow_provider_dli.services.deadline import Deadline
from airflow_provider_dli.services.job_actions import action_of
from airflow_provider_dli.services.job_requests import ActionResult, JobRequester
from airflow_provider_dli.services.selection import get_jobs, read_jobs
from airflow_provider_dli.triggers.flink import FlinkJobsTrigger, tracker_of, tracker_state

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_dli.client.flink import FlinkJob

_PARAMETERS: Mapping[str, type[ActionParameters]] = {
    "run": RunParameters,
    "stop": StopParameters,
    "savepoint": SavepointParameters,
}
_LOG_EVERY = 10.0
#: after a wait on the triggerer: for how many intervals a last poll that fails and may succeed later is repeated,
#: and the seconds between which that time lies
_LAST_POLLS, _SHORTEST_LAST, _LONGEST_LAST = 5, 1.0, 60.0
#: seconds in which an accepted deletion may still show no effect
_DELETED_WITHIN = 10.0
_MAX_ROWS = 20


class ActionRunner:
    """Requests an action of jobs and waits for its effect: one attempt of a task, or what follows a deferral.

    :param action: ``run``, ``stop`` or ``savepoint``
    :param operator: whose templates are rendered
    :param context: of the task
    :param log: of the task
    :param event: of the trigger, after a wait on the triggerer
    :raises DliFailException: naming each parameter that cannot be used
    """

    def __init__(
        self,
        action: str,
        operator: object,
        context: Mapping[str, Any],
        log: Logger,
        event: Any = None,  # noqa: ANN401 -- whatever the database gave back
    ) -> None:
        self.options = read_parameters(_PARAMETERS[action], operator)
        self.hook = DliHook(self.options.dli_conn_id)
        self._action = action_of(self.options)
        self._tracker = (
            JobTracker(self.options.job_ids, self._action.target_state, grace_period=self._action.grace_period)
            if event is None
            else tracker_of(event)
        )
        self._wait = JobWait(self.hook, self._tracker, log)
        self.requester = JobRequester(self._action, self.hook, context, log, self._tracker.baseline)
        self._log = log

    def jobs(self) -> dict[int, FlinkJob]:
        """Return the jobs, which must all exist."""
        return get_jobs(self.hook, self.options.job_ids)

    def track(self, result: ActionResult) -> None:
        """Track the jobs from their requests on.

        :raises DliException: naming each job whose request failed and why, and what was requested of the others
        """
        tracker = self._tracker
        result.raise_for_failures(self._action.name, tracker.job_ids)
        tracker.baseline |= result.baseline
        tracker.requested_at = max(tracker.requested_at, result.requested_at)
        for job_id in result.baseline:
            tracker.latest.pop(job_id, None)  # its status from before the request means nothing any more

    def status(self) -> list[dict[str, Any]]:
        """Return the jobs as they are, for a task that does not wait."""
        for job_id, job in read_jobs(self.hook, self._tracker.job_ids):
            self._tracker.record(job_id, job)
        self._wait.log_jobs()
        self.requester.clear()
        return self._wait.rows()

    def poll(self) -> list[int]:
        """Poll once and return the jobs that are pending, before a task is deferred."""
        try:
            self._wait.poll()
        except DliFailException:
            raise
        except DliException as error:
            self._log.warning("%s Polling again.", error)
        return self._wait.pending()

    def trigger(self, limits: Mapping[str, Any]) -> FlinkJobsTrigger:
        """Return the trigger that waits for the jobs.

        :param limits: until when it may wait
        """
        count = pluralize(len(self._wait.pending()), "job")
        self._log.info("Waiting on the triggerer until %s %s.", count, self._tracker.target_state)
        return self._wait.trigger(self.options.poll_interval, limits, stop_on_kill=self._action.stop_on_kill)

    def resume(self, left: float) -> bool:
        """Poll after a wait on the triggerer, and send the requests that are due; return whether any was.

        :param left: seconds of the wait that are left, for which this poll may fail
        """
        self._wait_and_send(0, left)
        return self._send_due()

    def finish(self, timeout: float) -> list[dict[str, Any]]:
        """Wait, send the requests that become due meanwhile, and return the jobs if all have reached the state.

        :raises DliFailException: naming each job that has failed
        :raises DliException: naming each job that is still pending
        """
        self._wait_and_send(timeout)
        try:
            rows = self._wait.result(self.options.timeout)
        except DliFailException:
            self.requester.clear()  # it has come to an end: whoever clears the task wants a new request
            raise
        self.requester.clear()
        if self._action.needs_savepoint:
            _check_savepoints(self._tracker, self._log)
        return rows

    def _wait_and_send(self, timeout: float, tolerated: float = 0.0) -> None:
        end, poll_interval = time.monotonic() + timeout, self.options.poll_interval
        while True:
            self._wait.until_over(max(0.0, end - time.monotonic()), poll_interval, tolerated)
            left = end - time.monotonic()
            if left <= 0 or not self._send_due():
                return
            if self._wait.ready():
                time.sleep(min(poll_interval, left))

    def _send_due(self) -> bool:
        """Send the request to jobs that could not take it before, or restarted since; return whether any did."""
        jobs = {job_id: job for job_id in self._wait.ready() if (job := self._tracker.latest[job_id])}
        if jobs:
            self.track(self.requester.request(jobs, is_again=True))
        return bool(jobs)

    def on_kill(self, *, is_reported: bool = True) -> None:
        """Stop the jobs that the task has requested, with ``stop_on_kill``, or log that they go on in DLI.

        :param is_reported: whether it is known from this attempt, or its trigger, which those are
        """
        self.requester.on_kill(is_reported=is_reported)


def _check_savepoints(tracker: JobTracker, log: Logger) -> None:
    """Check that each job that was to be stopped with a savepoint shows a new one.

    A job that was requested to make it and shows none causes a warning only: that the savepoint is made is
    documented, and not where it shows. Whether a stop that somebody else had requested makes one is not known.

    :raises DliFailException: naming each that was being stopped already, and shows no new savepoint
    """
    foreign = []
    for job_id, before in tracker.baseline.items():
        job = tracker.latest.get(job_id)
        if job and (before[0] == SAVEPOINTING or shows_new_savepoint(job, before)):
            continue
        if before[0] == CANCELING:
            foreign.append(job_id)
        else:
            log.warning(
                "Job %d was requested to stop with a savepoint, and shows none: its savepoint_path is as before. "
                "Check it in the DLI console before you resume it from its savepoint.",
                job_id,
            )
    if foreign:
        raise DliFailException(
            f"job {format_ids(foreign)} is stopped, but was being stopped before this task began, and "
            "shows no new savepoint. Check it in the DLI console before you resume it from its savepoint."
        )


@dataclass(frozen=True, slots=True)
class JobWait:
    """A wait for jobs, whoever has requested that they move."""

    hook: DliHook
    tracker: JobTracker
    log: Logger

    def pending(self) -> list[int]:
        """Return the jobs that are still on their way."""
        return self.tracker.pending(self.hook.service_time())

    def ready(self) -> list[int]:
        """Return the jobs that are ready for a request now."""
        return self.tracker.ready(self.hook.service_time())

    def poll(self) -> None:
        """Record the status of each job that is still pending."""
        for job_id, job in read_jobs(self.hook, self.pending()):
            self.tracker.record(job_id, job)

    def until_over(self, timeout: float, poll_interval: float, tolerated: float = 0.0) -> None:
        """Wait until all jobs have reached the state, one has failed or is ready for its request, or time is up.

        :param timeout: seconds to wait
        :param tolerated: seconds for which polls may fail, where it is not to wait
        :raises DliException: if the poll fails that is the last in time, or in a way that will not pass
        """
        began, logged = time.monotonic(), 0.0
        # One poll must succeed, even if time is up already: without it nothing is known.
        least = min(_LONGEST_LAST, max(_SHORTEST_LAST, _LAST_POLLS * poll_interval))
        deadline = Deadline.within(timeout or max(tolerated, least), poll_interval, self.log)
        while True:
            deadline.poll(self.poll)
            spent = time.monotonic() - began
            if not self.pending() or self.ready() or spent >= timeout:
                return
            if spent - logged >= _LOG_EVERY:
                logged, state = spent, self.tracker.target_state
                self.log.info("%s after %s: %s", state, format_duration(spent), self.status_counts())
            time.sleep(min(poll_interval, timeout - spent))

    def trigger(self, poll_interval: float, limits: Mapping[str, Any], **more: Any) -> FlinkJobsTrigger:  # noqa: ANN401 -- the trigger's
        """Return the trigger that goes on with the wait.

        :param limits: until when it may wait
        :param more: of its parameters
        """
        state = {**tracker_state(self.tracker), **limits, **more}
        return FlinkJobsTrigger(dli_conn_id=self.hook.dli_conn_id, poll_interval=poll_interval, **state)

    def result(self, timeout: float) -> list[dict[str, Any]]:
        """Return the jobs if all have reached the state, and log them as a table.

        :param timeout: seconds that the task has waited, for the message
        :raises DliFailException: naming each job that has failed and its status
        :raises DliException: naming each that is still pending
        """
        self.log_jobs()
        tracker, now = self.tracker, self.hook.service_time()
        total = pluralize(len(tracker.job_ids), "job")
        if failures := tracker.failures(now):
            reasons = format_ids([f"job {job_id} is {reason}" for job_id, reason in failures.items()])
            unseen = {*failures.values()} == {NOT_SEEN}
            raise DliFailException(
                f"{len(failures):,} of {total} cannot be {tracker.target_state} any more: {reasons}.",
                advice=ADVICE["DLI.16001"] if unseen else "Check the job's log in the DLI console.",
            )
        late = [job_id for job_id in tracker.job_ids if tracker.verdict(job_id, now) is Verdict.WAIT]
        if late:
            raise DliException(
                f"{len(late):,} of {total} not {tracker.target_state} within {format_duration(timeout)}: "
                f"{format_ids(late)}. {self._advice_on_restarts(late)}Check the job in the DLI console, or give "
                "the task a longer timeout."
            )
        return self.rows()

    def _advice_on_restarts(self, late: list[int]) -> str:
        """Return what to do about jobs that cannot be stopped since they restart by themselves."""
        jobs = [job for job_id in late if (job := self.tracker.latest.get(job_id))]
        ids = [job.job_id for job in jobs if job.status == RUNNING_EXCEPTION]
        if not ids or self.tracker.target_state != "stopped":
            return ""
        return (
            f"Job {format_ids(ids)} is {RUNNING_EXCEPTION} and may start again by itself; "
            "switch its restart_when_exception off. "
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return the jobs as plain JSON values, in the order of their ids."""
        names = ("job_id", "name", "job_type", "status", "start_time", "savepoint_path")
        jobs = [job for job_id in self.tracker.job_ids if (job := self.tracker.latest.get(job_id))]
        return [{name: getattr(job, name) for name in names} for job in jobs]

    def log_jobs(self) -> None:
        """Log the jobs as a table."""
        latest = self.tracker.latest
        rows = [
            (job_id, job.name, job.status, job.status_desc or None) if job else (job_id, None, "gone", None)
            for job_id, job in latest.items()
        ]
        log_table(self.log, ("id", "name", "status", "description"), rows, _MAX_ROWS)
        if len(latest) > _MAX_ROWS:
            self.log.info("  … in all: %s", self.status_counts())

    def status_counts(self) -> str:
        """Return how many jobs are in which status."""
        statuses = [job.status if job else "gone" for job in self.tracker.latest.values()]
        return ", ".join(
            f"{pluralize(statuses.count(status), 'job')} {status}" for status in dict.fromkeys(statuses)
        )


def prepare_sensor(sensor: object) -> tuple[JobTracker, DliHook]:
    """Return a tracker of the jobs of a sensor, whose parameters are all checked, and the hook of its connection.

    :raises DliFailException: naming each parameter that cannot be used
    """
    options = read_parameters(JobSensorParameters, sensor)
    tracker = JobTracker(
        options.job_ids, options.target_state, grace_period=options.status_grace_period, must_move=False
    )
    return tracker, DliHook(options.dli_conn_id)


def prepare_deletion(operator: object) -> tuple[DeleteParameters, DliHook]:
    """Return the parameters of an operator, all of them checked, and the hook of its connection.

    :raises DliFailException: naming each parameter that cannot be used
    """
    options = read_parameters(DeleteParameters, operator)
    return options, DliHook(options.dli_conn_id)


def delete_jobs(options: DeleteParameters, hook: DliHook, context: Mapping[str, Any], log: Logger) -> list[int]:
    """Delete jobs; return those that this or an earlier attempt has deleted.

    :raises DliException: naming each job that failed and why, and what was requested of the others
    """
    action = action_of(options)
    requester = JobRequester(action, hook, context, log)
    read = dict(read_jobs(hook, options.job_ids))
    found = {job_id: read[job_id] for job_id in options.job_ids}
    for job_id in [job_id for job_id, job in found.items() if job is None]:
        log.info("Job %d is gone already, or never was in project %s.", job_id, hook.project_id)
    jobs = {job_id: job for job_id, job in found.items() if job is not None}
    requested_before = requester.recorded.job_ids
    result = requester.request(jobs)
    until = time.monotonic() + _DELETED_WITHIN
    # The response that a deletion was accepted does not prove that the job is gone.
    for job in [job for job_id, job in jobs.items() if job_id not in result.failed]:
        try:
            if not requester.wait_until_applied(job.job_id, snapshot_of(job), until):
                result.failed[job.job_id] = DliException(
                    f"delete of job {job.job_id} {job.name} was accepted, but the job is still there after "
                    f"{_DELETED_WITHIN:.0f} s.",
                    advice="Check the job in the console; the next attempt requests it again.",
                )
        except DliException as error:
            result.failed[job.job_id] = error
    result.raise_for_failures(action.name, options.job_ids)
    for job in jobs.values():
        log.info("Deleted job %d %s, which was %s.", job.job_id, job.name, job.status)
    requester.clear()
    return [job_id for job_id in options.job_ids if job_id in jobs or job_id in requested_before]


def delete_created(hook: DliHook, jobs: Mapping[int, str], context: Mapping[str, Any], log: Logger) -> None:
    """Delete jobs that an import has created and that are not to stay.

    :param jobs: id to name
    :param context: of the task; an empty one keeps nothing for a later attempt
    :raises DliException: naming all of them, if one of them may still be there
    """
    if not jobs:
        return
    log.info("Deleting %s of the import: %s", pluralize(len(jobs), "job"), format_jobs(jobs))
    given = {"job_ids": list(jobs), "if_empty": "succeed", "dli_conn_id": hook.dli_conn_id}
    with translated():
        parameters = DeleteParameters.read(given)
    try:
        delete_jobs(parameters, hook, context, log)
    except DliException as failure:
        problem = (
            f"{failure.problem}. Jobs that the import has created, and that may still be in project "
            f"{hook.project_id}: {format_jobs(jobs)}; the next attempt deletes them from Airflow 3.3 on, "
            "otherwise delete them"
        )
        raise type(failure)(problem, advice=failure.advice) from failure.__cause__
