"""Request an action of Flink jobs: of each by a call of its own, and once, even if responses are lost.

DLI has no idempotency token for it. So, for each job:

1. :meth:`JobRequester.request` checks whether the job needs the request. If an earlier attempt has recorded one,
   the job is compared with the snapshot of that record: a job that has changed since needs none.
2. :meth:`JobRequester._send_once` records the job's snapshot (``JobRequests`` in ``task_state``). Only then it
   sends the request.
3. If the response is lost, ``call_with_reconciliation`` in ``reconcile`` polls the job until it differs from the
   snapshot. If it does not within the grace period, the request is sent again.
4. If DLI refuses the request because of the job's status, the status is read again: the job may need none any
   more, or be ready only later.
5. The next attempt of the task finds the record, and begins with step 1.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.flink.status import (
    CANCELING,
    SAVEPOINTING,
    is_on_its_way,
    is_stoppable,
    lacks_savepoint,
    may_run,
    restarts_on_exception,
    snapshot_after,
    snapshot_of,
)
from airflow_provider_dli.exceptions import DliException, DliFailException, group_by_reason, worst
from airflow_provider_dli.formatting import format_ids, pluralize
from airflow_provider_dli.parameters.models import NamedJobs, RunParameters, SavepointParameters, StopParameters
from airflow_provider_dli.services.reconcile import call_with_reconciliation, refused_after_lost_response
from airflow_provider_dli.services.selection import get_job_or_none
from airflow_provider_dli.task_state import JobRequests, RequestLog
from airflow_provider_dli.triggers.flink import STOP_WITHIN

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_dli.client.call import Call
    from airflow_provider_dli.client.flink import Ack, FlinkJob
    from airflow_provider_dli.client.flink.status import JobSnapshot, TrackedState
    from airflow_provider_dli.hooks.dli import DliHook

#: seconds between two checks whether a request shows its effect
_CHECK_EVERY = 0.5
#: the status of the job does not allow the request
_WRONG_STATUS = frozenset({"DLI.15002"})
_NO_SAVEPOINT = (
    "ran before and shows no savepoint: DLI deletes the one that a job was restarted from. It may start without "
    "its state; stop it with trigger_savepoint=True before each run."
)
#: there is no such job, when it is queried and when it is deleted
_NO_SUCH_JOB = frozenset({"DLI.16001", "DLI.17001"})


class JobRequester:
    """Requests an action of jobs, over the attempts of a task.

    :param baseline: snapshots of the jobs that this attempt has requested before it was deferred
    """

    def __init__(
        self,
        action: JobAction,
        hook: DliHook,
        context: Mapping[str, Any],
        log: Logger,
        baseline: Mapping[int, JobSnapshot] | None = None,
    ) -> None:
        self.hook = hook
        self._action = action
        self._log = log
        self._request_log = RequestLog(context, f"dli_{action.name}")
        self._result = ActionResult()
        self._earlier = dict(baseline or {})
        # What an earlier attempt requested gets its time from here on: no clock of another machine counts.
        self._earlier_until = time.monotonic() + action.grace_period

    @cached_property
    def recorded(self) -> JobRequests:
        """The requests of this and earlier attempts, read before the first one is sent."""
        requests = JobRequests(self._request_log)
        if requests.expired:
            self._log.warning(
                "A day ago or more, %s was requested of job %s; its outcome is not known.",
                self._action.name,
                ", ".join(map(str, requests.expired)),
            )
        return requests

    def request(self, jobs: Mapping[int, FlinkJob], *, is_again: bool = False) -> ActionResult:
        """Request the action of each job that needs it; a failure of one does not stop the others.

        :param jobs: as they are
        :param is_again: whether this attempt has requested before, and waited since
        """
        if is_again:
            self._earlier_until = 0.0  # it had its time while this attempt has waited
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
        if (before := self.recorded.baseline(job.job_id)) is not None:
            self._result.requested_at = max(self._result.requested_at, self.hook.service_time())
            if self.wait_until_applied(job.job_id, before, self._earlier_until):
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
        job_id, lost_before = job.job_id, self.recorded.unresolved(job.job_id)
        if warning := self._action.warning(job):
            self._log.warning("Job %d %s %s", job_id, job.name, warning)

        def reconcile(error: DliException) -> bool | None:
            self._log.info("%s Checking the job for the outcome.", error)
            until = time.monotonic() + self._action.grace_period
            return self.wait_until_applied(job_id, self._result.baseline[job_id], until) or None

        try:
            call_with_reconciliation(partial(self._send_once, job), reconcile, self._log)
        except DliException as error:
            if error.outcome_unknown:
                raise
            if self._is_conflict_resolved(job_id, error):
                return
            # If this attempt has lost a response, the message has it already.
            if lost_before and self.recorded.unresolved(job_id) == lost_before:
                raise refused_after_lost_response(error) from error.__cause__
            raise

    def _send_once(self, job: FlinkJob) -> bool:
        """Send one request, recorded before and after."""
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
        before = self._result.baseline[job_id] = self.recorded.begin(job_id, snapshot_of(job))
        self._result.requested_at = self.hook.service_time()
        try:
            response = self.hook.run(call)
        except DliException as error:
            if not error.outcome_unknown:
                self._log.info("Job %d: %s was refused: %s", job_id, name, error)
                self.recorded.cancel(job_id)
            raise
        self._log.info("Job %d: %s was accepted. %s", job_id, name, response.message)
        self.recorded.finish(job_id)
        if self._action.transient:
            # Stay with the job until it shows what the next poll, which may be in a minute, no longer does.
            try:
                self.wait_until_applied(job_id, before, time.monotonic() + self._action.grace_period)
            except DliException as error:
                self._log.info("%s The request was accepted all the same.", error)
        return True

    def wait_until_applied(self, job_id: int, before: JobSnapshot, until: float) -> bool:
        """Poll a job until it shows the effect of its request, and record the effect; return whether it does.

        :param before: its snapshot from before the request
        :param until: when to stop, by the monotonic clock; it is polled once even if that is over
        """
        while True:
            job = get_job_or_none(self.hook, job_id)
            if self._action.is_applied(job, before):
                self._record_effect(job_id, before, job)
                return True
            left = until - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(_CHECK_EVERY, left))

    def _record_effect(self, job_id: int, before: JobSnapshot, job: FlinkJob | None) -> None:
        """Have the job compared from now on with its snapshot, and with what a later poll may no longer show."""
        seen = snapshot_after(before, job) if job and self._action.transient else before
        self._result.baseline[job_id] = seen
        if seen != before:
            self.recorded.update(job_id, seen)

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
            if job and self._action.in_progress(job):
                self._result.baseline[job_id] = snapshot_of(job)
            self._log.info("Job %d %s. %s", job_id, self._action.skip_reason, refusal)
        return is_over

    def clear(self) -> None:
        """Drop the records: whoever clears the task wants new requests."""
        self._request_log.clear()

    def on_kill(self, *, is_reported: bool) -> None:
        """Stop the jobs that a task has requested that is being killed, or log that they go on."""
        job_ids = list(self._earlier | self._result.baseline) if is_reported else sorted(self.recorded.job_ids)
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

    def raise_for_failures(self, action: str, job_ids: Sequence[int]) -> None:
        """Raise if the request of a job has failed, naming each and why, and what was requested of the others."""
        errors = list(self.failed.values())
        if not errors:
            return
        if len(job_ids) == 1:
            raise errors[0]
        reasons = group_by_reason((job_id, str(error)) for job_id, error in self.failed.items())
        failed = " | ".join(f"job{'s' * (len(ids) > 1)} {format_ids(ids)}: {reason}" for reason, ids in reasons)
        others = [job_id for job_id in job_ids if job_id not in self.failed and job_id not in self.postponed]
        rest = "It was requested of no other."
        if others:
            rest = f"It was requested of, or is not needed by, the other {len(others):,}: {format_ids(others)}."
        if self.postponed:
            rest += f" It is not yet requested of {format_ids(self.postponed)}."
        # Where the identity is refused, a retry would only lock the key, whatever else went wrong.
        is_final = any(error.refuses_identity for error in errors) or all(
            isinstance(error, DliFailException) for error in errors
        )
        kind = DliFailException if is_final else DliException
        count = f"{len(errors)} of {pluralize(len(job_ids), 'job')} failed"
        raise kind(f"{action}: {count}: {failed.rstrip('.')}. {rest}") from worst(errors)


@dataclass(frozen=True, slots=True)
class JobAction:
    """Something that can be requested of a job.

    :param name: for messages, and for the key of the task state
    :param target_state: which a job reaches by it
    :param call: requests it of one job, so that each has a response of its own
    :param should_request: whether a job, as it is, needs the request
    :param is_applied: whether a job shows the effect of the request, given its snapshot from before
    :param skip_reason: for a job that does not need it, or not now
    :param conflict_codes: of refusals because of the job's status: then its status is read again
    :param becomes_ready: whether a job that cannot take the request now can do so later, by itself
    :param in_progress: whether somebody else has requested it
    :param transient: whether its effect may be visible for a short time only
    :param needs_savepoint: whether a job should show a new savepoint in the end
    :param warning: what to log of a job before it is requested; None if nothing
    :param wait_until_ready: whether the task waits for a job that cannot take the request yet
    :param grace_period: seconds in which a job may still show its previous status
    :param stop_on_kill: whether to stop the jobs that were requested if the task is killed
    """

    name: str
    target_state: TrackedState
    call: Callable[[int], Call[Ack]]
    should_request: Callable[[FlinkJob], bool]
    is_applied: Callable[[FlinkJob | None, JobSnapshot], bool]
    skip_reason: str
    conflict_codes: frozenset[str] = frozenset()
    becomes_ready: Callable[[FlinkJob], bool] = lambda _: False
    in_progress: Callable[[FlinkJob], bool] = lambda _: False
    transient: bool = False
    needs_savepoint: bool = False
    warning: Callable[[FlinkJob], str | None] = lambda _: None
    wait_until_ready: bool = False
    grace_period: float = 0.0
    stop_on_kill: bool = False


def action_of(options: NamedJobs) -> JobAction:
    """Return the action that the parameters of an operator describe."""
    match options:
        case RunParameters():
            # One that runs, or is on its way, is skipped: it must not run twice.
            return JobAction(
                "run",
                options.target_state,
                lambda job_id: flink.run_jobs([job_id], resume_savepoint=options.resume_savepoint),
                should_request=lambda job: may_run(job.status),
                is_applied=lambda job, before: (
                    job is not None and (not may_run(job.status) or snapshot_of(job) != before)
                ),
                skip_reason="runs already, or is on its way",
                warning=lambda job: _NO_SAVEPOINT if options.resume_savepoint and lacks_savepoint(job) else None,
                grace_period=options.status_grace_period,
                stop_on_kill=options.stop_on_kill,
            )
        case StopParameters():
            # One that does not run, and will not by itself, is skipped.
            return JobAction(
                "stop",
                "stopped",
                lambda job_id: flink.stop_jobs([job_id], trigger_savepoint=options.trigger_savepoint),
                should_request=is_stoppable,
                is_applied=lambda job, _: job is None or not is_stoppable(job),
                skip_reason="does not run",
                conflict_codes=_WRONG_STATUS,
                becomes_ready=lambda job: restarts_on_exception(job) and is_stoppable(job),
                in_progress=lambda job: job.status == CANCELING,
                needs_savepoint=options.trigger_savepoint,
                wait_until_ready=options.wait_for_completion,
                grace_period=options.status_grace_period,
            )
        case SavepointParameters():
            # One that is on its way, or of which another savepoint is being made, can take the request after that.
            path = str(options.savepoint_path) if options.savepoint_path else None
            return JobAction(
                "savepoint",
                "saved",
                lambda job_id: flink.trigger_savepoint(job_id, path),
                should_request=lambda job: not is_on_its_way(job),
                is_applied=lambda job, before: (
                    job is not None and (job.status == SAVEPOINTING or snapshot_of(job) != before)
                ),
                skip_reason="is on its way, or being saved already",
                conflict_codes=_WRONG_STATUS,
                becomes_ready=is_on_its_way,
                transient=True,
                wait_until_ready=options.wait_for_completion,
                grace_period=options.status_grace_period,
            )
        case _:
            return JobAction(
                "delete",
                "stopped",
                flink.delete_job,
                should_request=lambda _: True,
                is_applied=lambda job, _: job is None,
                skip_reason="is gone already",
                conflict_codes=_NO_SUCH_JOB,
            )
