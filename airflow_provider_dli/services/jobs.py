"""Run, stop, save and delete Flink jobs: each is requested once, and tracked until it has reached its state."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.flink.status import (
    SAVEPOINTING,
    JobTracker,
    shows_new_savepoint,
    snapshot_after,
    snapshot_of,
)
from airflow_provider_dli.exceptions import DliException, DliFailException, group_by_reason, worst
from airflow_provider_dli.formatting import format_ids, pluralize
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.services.job_status import (
    get_job_or_none,
    job_rows,
    log_jobs,
    poll_jobs,
    raise_for_failures,
    wait_for_jobs,
)
from airflow_provider_dli.services.reconcile import call_with_reconciliation, refused_after_lost_response
from airflow_provider_dli.task_state import JobRequests, RequestLog
from airflow_provider_dli.triggers.flink import STOP_WITHIN, FlinkJobsTrigger, tracker_state

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_dli.client.flink import FlinkJob
    from airflow_provider_dli.client.flink.status import JobSnapshot
    from airflow_provider_dli.parameters.models import ActionParameters, NamedJobs
    from airflow_provider_dli.services.job_actions import JobAction

#: seconds between two checks whether a request shows its effect
_CHECK_EVERY = 0.5
#: seconds in which an accepted deletion may still show no effect
_DELETED_WITHIN = 10.0


class ActionRunner:
    """Requests an action of jobs, of each by a call of its own, and once even if responses are lost.

    Before a request is sent, the job's snapshot is kept. Later attempts compare the job with it, and so know
    whether the request of an earlier one was executed.

    :param action: to request
    :param options: which jobs, of which connection
    :param context: of the task
    :param log: of the task
    :param baseline: snapshots of the jobs that this attempt has requested before it was deferred
    """

    def __init__(
        self,
        action: JobAction,
        options: NamedJobs,
        context: Mapping[str, Any],
        log: Logger,
        baseline: Mapping[int, JobSnapshot] | None = None,
    ) -> None:
        self.hook = DliHook(options.dli_conn_id)
        self._action = action
        self._job_ids = options.job_ids
        self._log = log
        self._state = RequestLog(context, f"dli_{action.name}")
        self._result = ActionResult()
        self._earlier = dict(baseline or {})
        # What an earlier attempt requested gets its time from here on: no clock of another machine counts.
        self._earlier_until = time.monotonic() + action.grace_period

    def request(self, jobs: Mapping[int, FlinkJob]) -> ActionResult:
        """Request the action of each job that needs it; a failure of one does not stop the others.

        :param jobs: as they are
        """
        self._earlier |= self._result.baseline
        result = self._result = ActionResult()
        ids = list(jobs)
        for number, job_id in enumerate(ids):
            try:
                if self._needs_request(jobs[job_id]):
                    self._request(jobs[job_id])
            except DliException as error:
                result.failed[job_id] = error
                if error.refuses_identity:
                    # The others would be refused as well, and the key be locked.
                    skipped = f"not requested, since it would be refused as job {job_id} was"
                    result.failed |= {each: DliFailException(skipped) for each in ids[number + 1 :]}
                    break
        return result

    def _needs_request(self, job: FlinkJob) -> bool:
        """Return whether the request is to be sent to a job, and log why if it is not."""
        name = self._action.name
        if (before := self._requests.baseline(job.job_id)) is not None:
            self._result.requested_at = max(self._result.requested_at, self.hook.service_time())
            if self._is_applied(job.job_id, before, self._earlier_until):
                self._log.info("Job %d %s: %s was requested before.", job.job_id, job.name, name)
                return False
            self._log.info(
                "Job %d %s shows no effect of an earlier request for %s; sending it again.",
                job.job_id,
                job.name,
                name,
            )
            return True
        if self._action.should_request(job):
            return True
        reason = f"Job {job.job_id} {job.name} {self._action.skip_reason}: {job.status}."
        if self._action.becomes_ready(job):
            self._postpone(job.job_id, reason)
            return False
        self._log.info("%s", reason)
        if self._action.in_progress(job):
            self._result.baseline[job.job_id] = snapshot_of(job)
        return False

    def _postpone(self, job_id: int, reason: str) -> None:
        """Leave a job until it is ready; it has failed if the task does not wait."""
        if not self._action.wait_until_ready:
            raise DliException(f"{reason} No request was sent; try again, or have the task wait.")
        self._result.postponed.append(job_id)
        self._log.info("%s The request is sent as soon as it can be.", reason)

    def _request(self, job: FlinkJob) -> None:
        job_id, lost_before = job.job_id, self._requests.lost(job.job_id)

        def reconcile(error: DliException) -> bool | None:
            self._log.info("%s Checking the job for the outcome.", error)
            until = time.monotonic() + self._action.grace_period
            return self._is_applied(job_id, self._result.baseline[job_id], until) or None

        try:
            call_with_reconciliation(partial(self._send, job), reconcile, self._log)
        except DliException as error:
            if error.outcome_unknown:
                raise
            if self._is_conflict_resolved(job_id, error):
                return
            # If this attempt has lost a response, the message has it already.
            if lost_before and self._requests.lost(job_id) == lost_before:
                raise refused_after_lost_response(error) from error.__cause__
            raise

    def _send(self, job: FlinkJob) -> bool:
        """Send the request once."""
        job_id, name, call = job.job_id, self._action.name, self._action.call(job.job_id)
        settings = [f", {key}={value}" for key, value in (call.body or {}).items() if key != "job_ids"]
        self._log.info(
            "Requesting %s of job %d %s in project %s, %s%s.",
            name,
            job_id,
            job.name,
            self.hook.project_id,
            self.hook.account.region,
            "".join(settings),
        )
        # Of several requests the first counts whose outcome is not known: its snapshot stays.
        before = self._result.baseline[job_id] = self._requests.open(job_id, snapshot_of(job))
        self._result.requested_at = self.hook.service_time()
        try:
            response = self.hook.run(call)
        except DliException as error:
            if not error.outcome_unknown:
                self._log.info("Job %d: %s was refused: %s", job_id, name, error)
                self._requests.cancel(job_id)
            raise
        self._log.info("Job %d: %s was accepted. %s", job_id, name, response.message)
        self._requests.confirm(job_id)
        if self._action.transient:
            # Stay with the job until it shows what the next poll, which may be in a minute, no longer does.
            try:
                self._is_applied(job_id, before, time.monotonic() + self._action.grace_period)
            except DliException as error:
                self._log.info("%s The request was accepted all the same.", error)
        return True

    def _is_applied(self, job_id: int, before: JobSnapshot, until: float) -> bool:
        """Return whether a job shows the effect of its request; poll it as long as that may take."""
        while True:
            job = get_job_or_none(self.hook, job_id)
            if self._action.is_applied(job, before):
                seen = snapshot_after(before, job) if job and self._action.transient else before
                self._result.baseline[job_id] = seen
                if seen != before:
                    self._requests.replace(job_id, seen)
                return True
            left = until - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(_CHECK_EVERY, left))

    def _is_conflict_resolved(self, job_id: int, refusal: DliException) -> bool:
        """Return whether a job was refused since its status has changed, and needs no request now."""
        if getattr(refusal.error, "code", None) not in self._action.conflict_codes:
            return False
        job, before = get_job_or_none(self.hook, job_id), self._result.baseline[job_id]
        if job and self._action.becomes_ready(job):
            del self._result.baseline[job_id]
            self._postpone(job_id, f"Job {job_id} {job.name} is {job.status}. {refusal}")
            return True
        is_over = not self._action.should_request(job) if job else self._action.is_applied(None, before)
        if is_over:
            self._log.info("Job %d %s. %s", job_id, self._action.skip_reason, refusal)
        return is_over

    def tracker(self) -> JobTracker:
        """Return a tracker of the jobs after the action was requested.

        :raises DliException: naming each job whose request failed and why, and what was requested of the others
        """
        action, result = self._action, self._result
        _raise_for_failed_requests(action.name, result, self._job_ids)
        return JobTracker(
            self._job_ids, action.target_state, result.baseline, result.requested_at, action.grace_period
        )

    def status(self, tracker: JobTracker) -> list[dict[str, Any]]:
        """Return the jobs as they are, for a task that does not wait.

        :param tracker: of the jobs
        """
        for job_id in tracker.job_ids:
            tracker.record(job_id, get_job_or_none(self.hook, job_id))
        log_jobs(tracker, self._log)
        self._state.clear()
        return job_rows(tracker)

    def poll(self, tracker: JobTracker) -> list[int]:
        """Poll once and return the jobs that are pending, before a task is deferred.

        :param tracker: of the jobs
        """
        try:
            poll_jobs(self.hook, tracker)
        except DliFailException:
            raise
        except DliException as error:
            self._log.warning("%s Polling again.", error)
        return tracker.pending(self.hook.service_time())

    def trigger(
        self, tracker: JobTracker, options: ActionParameters, limits: Mapping[str, Any]
    ) -> FlinkJobsTrigger:
        """Return the trigger that waits for the jobs.

        :param tracker: of the jobs
        :param options: of the task
        :param limits: until when it may wait
        """
        count = len(tracker.pending(self.hook.service_time()))
        self._log.info("Waiting on the triggerer until %s %s.", pluralize(count, "job"), tracker.target_state)
        return FlinkJobsTrigger(
            dli_conn_id=options.dli_conn_id,
            poll_interval=options.poll_interval,
            stop_on_kill=self._action.stop_on_kill,
            **limits,
            **tracker_state(tracker),
        )

    def resume(self, tracker: JobTracker, options: ActionParameters) -> bool:
        """Poll after a wait on the triggerer, and send the requests that are due; return whether any was.

        :param tracker: of the jobs
        :param options: of the task
        """
        self._wait(tracker, 0, options.poll_interval)
        return self._send_due(tracker)

    def finish(self, tracker: JobTracker, options: ActionParameters, timeout: float) -> list[dict[str, Any]]:
        """Wait, send the requests that become due meanwhile, and return the jobs if all have reached the state.

        :param tracker: of the jobs
        :param options: of the task
        :param timeout: seconds to wait
        :raises DliFailException: naming each job that has failed
        :raises DliException: naming each job that is still pending
        """
        self._wait(tracker, timeout, options.poll_interval)
        try:
            rows = raise_for_failures(self.hook, tracker, options.timeout, self._log)
        except DliFailException:
            self._state.clear()  # it has come to an end: whoever clears the task wants a new request
            raise
        self._state.clear()
        if self._action.needs_savepoint:
            _check_savepoints(tracker, self._log)
        return rows

    def _wait(self, tracker: JobTracker, timeout: float, poll_interval: float) -> None:
        end = time.monotonic() + timeout
        while True:
            wait_for_jobs(self.hook, tracker, max(0.0, end - time.monotonic()), poll_interval, self._log)
            left = end - time.monotonic()
            if left <= 0 or not self._send_due(tracker):
                return
            if tracker.ready(self.hook.service_time()):
                time.sleep(min(poll_interval, left))

    def _send_due(self, tracker: JobTracker) -> bool:
        """Send the request to jobs that could not take it before, or restarted since; return whether any did."""
        ready = tracker.ready(self.hook.service_time())
        jobs = {job_id: job for job_id in ready if (job := tracker.latest[job_id])}
        if not jobs:
            return False
        self._earlier_until = 0.0
        result = self.request(jobs)
        _raise_for_failed_requests(self._action.name, result, tracker.job_ids)
        tracker.baseline |= result.baseline
        tracker.requested_at = max(tracker.requested_at, result.requested_at)
        for job_id in result.baseline:
            del tracker.latest[job_id]  # its status from before the request means nothing any more
        return True

    def delete(self) -> list[int]:
        """Delete the jobs; return those that this or an earlier attempt has deleted.

        :raises DliException: naming each job that failed and why, and what was requested of the others
        """
        found = {job_id: get_job_or_none(self.hook, job_id) for job_id in self._job_ids}
        for job_id in [job_id for job_id, job in found.items() if job is None]:
            self._log.info("Job %d is gone already, or never was in project %s.", job_id, self.hook.project_id)
        jobs = {job_id: job for job_id, job in found.items() if job is not None}
        requested_before = self._requests.job_ids
        result = self.request(jobs)
        until = time.monotonic() + _DELETED_WITHIN
        # The response that a deletion was accepted does not prove that the job is gone.
        for job in [job for job_id, job in jobs.items() if job_id not in result.failed]:
            try:
                if not self._is_applied(job.job_id, snapshot_of(job), until):
                    result.failed[job.job_id] = DliException(
                        f"delete of job {job.job_id} {job.name} was accepted, but the job is still there after "
                        f"{_DELETED_WITHIN:.0f} s.",
                        advice="Check the job in the console; the next attempt requests it again.",
                    )
            except DliException as error:
                result.failed[job.job_id] = error
        _raise_for_failed_requests(self._action.name, result, self._job_ids)
        for job in jobs.values():
            self._log.info("Deleted job %d %s, which was %s.", job.job_id, job.name, job.status)
        self._state.clear()
        return [job_id for job_id in self._job_ids if job_id in jobs or job_id in requested_before]

    def on_kill(self) -> None:
        """Stop the jobs that a task has requested that is being killed, or log that they go on."""
        job_ids = list(self._earlier | self._result.baseline)
        if job_ids and self._action.stop_on_kill:
            # In a thread and with connections of its own: a signal may have come in the middle of a request.
            thread = threading.Thread(target=self._stop, args=[job_ids], name="stop_on_kill", daemon=True)
            thread.start()
            thread.join(STOP_WITHIN)
            if thread.is_alive():
                self._log.warning(
                    "It is not known whether job %s stops: no response within %.0f s.",
                    format_ids(job_ids),
                    STOP_WITHIN,
                )
        elif job_ids:
            self._log.warning("The task was killed. Its requests for job %s go on in DLI.", format_ids(job_ids))

    def _stop(self, job_ids: Sequence[int]) -> None:
        try:
            self.hook.sibling().run(flink.stop_jobs(job_ids, trigger_savepoint=False))
        except Exception as error:  # noqa: BLE001 -- whatever it is, the task is being killed
            self._log.warning("Job %s could not be stopped: %s", format_ids(job_ids), error)
        else:
            self._log.warning("Job %s was requested to stop, since the task was killed.", format_ids(job_ids))

    @cached_property
    def _requests(self) -> JobRequests:
        """The requests of this and earlier attempts, read before the first one is sent."""
        requests = JobRequests(self._state)
        if requests.expired:
            self._log.warning(
                "A day ago or more, %s was requested of job %s; its outcome is not known.",
                self._action.name,
                ", ".join(map(str, requests.expired)),
            )
        return requests


@dataclass
class ActionResult:
    """What was requested of jobs.

    :param baseline: snapshot of each job that was requested, from before
    :param requested_at: when one was last requested, epoch seconds by the clock of DLI
    :param postponed: each job that can take the request only later
    :param failed: why it failed, for each job that did
    """

    baseline: dict[int, JobSnapshot] = field(default_factory=dict)
    requested_at: float = 0.0
    postponed: list[int] = field(default_factory=list)
    failed: dict[int, DliException] = field(default_factory=dict)


def _raise_for_failed_requests(action: str, result: ActionResult, job_ids: Sequence[int]) -> None:
    """Raise if the request of a job has failed, naming each and why, and what was requested of the others."""
    errors = list(result.failed.values())
    if not errors:
        return
    if len(job_ids) == 1:
        raise errors[0]
    reasons = group_by_reason((job_id, str(error)) for job_id, error in result.failed.items())
    failed = " | ".join(f"job{'s' * (len(ids) > 1)} {format_ids(ids)}: {reason}" for reason, ids in reasons)
    others = [job_id for job_id in job_ids if job_id not in result.failed and job_id not in result.postponed]
    rest = "It was requested of no other."
    if others:
        rest = f"It was requested of, or is not needed by, the other {len(others):,}: {format_ids(others)}."
    if result.postponed:
        rest += f" It is not yet requested of {format_ids(result.postponed)}."
    # Where the identity is refused, a retry would only lock the key, whatever else went wrong.
    is_final = any(error.refuses_identity for error in errors) or all(
        isinstance(error, DliFailException) for error in errors
    )
    kind = DliFailException if is_final else DliException
    count = f"{len(errors)} of {pluralize(len(job_ids), 'job')} failed"
    raise kind(f"{action}: {count}: {failed.rstrip('.')}. {rest}") from worst(errors)


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
        if before[0] == "job_canceling":
            foreign.append(job_id)
        else:
            log.warning(
                "Job %d was requested to stop with a savepoint, and shows none: its savepoint_path is as before. "
                "Check it in the DLI console before you resume it from its savepoint.",
                job_id,
            )
    if foreign:
        raise DliFailException(
            f"job {', '.join(map(str, foreign))} is stopped, but was being stopped before this task began, and "
            "shows no new savepoint. Check it in the DLI console before you resume it from its savepoint."
        )
