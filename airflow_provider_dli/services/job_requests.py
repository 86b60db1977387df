"""Request an action of Flink jobs: of each by a call of its own, and once, even if responses are lost.

DLI has no idempotency token for it. So, for each job:

1. :meth:`JobRequester.request` checks whether the job needs the request. If an earlier attempt has recorded one,
   the job is compared with the snapshot of that record: a job that has changed since needs none.
2. :meth:`JobRequester._send_once` records the job's snapshot (:class:`JobRequests`). Only then it sends the
   request.
3. If the response is lost, ``call_with_reconciliation`` in ``reconcile`` polls the job until it differs from the
   snapshot. If it does not within the grace period, the request is sent again.
4. If DLI refuses the request because of the job's status, the status is read again: the job may need none any
   more, or be ready only later.
5. The next attempt of the task finds the record, and begins with step 1.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.flink.status import snapshot_after, snapshot_of
from airflow_provider_dli.exceptions import DliException, DliFailException, group_by_reason, worst
from airflow_provider_dli.formatting import format_ids, pluralize
from airflow_provider_dli.services.deadline import Deadline
from airflow_provider_dli.services.reconcile import call_with_reconciliation, refused_after_lost_response
from airflow_provider_dli.services.selection import get_job_or_none
from airflow_provider_dli.task_state import RequestLog
from airflow_provider_dli.triggers.flink import STOP_WITHIN

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_dli.client.flink import FlinkJob
    from airflow_provider_dli.client.flink.status import JobSnapshot
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.services.job_actions import JobAction

#: seconds between two checks whether a request shows its effect
_CHECK_EVERY = 0.5


class JobRequests:
    """The requests of a task for jobs, over its attempts, each with the job's snapshot from before.

    The snapshot is that before the first request whose outcome is not known. The outcome of a later request ends
    nothing of an earlier one: a refusal takes back its own request alone.

    :param log: of the task, under a key of the action's own
    """

    def __init__(self, log: RequestLog) -> None:
        self._log = log
        #: by job: its snapshot, how many requests are open, and whether one was accepted
        self._jobs: dict[int, tuple[JobSnapshot, int, bool]] = {}
        #: jobs whose last request was accepted since the last record
        self._accepted: list[int] = []
        #: jobs of requests that are more than a day old and have no known outcome: they are reported, and dropped
        self.expired: list[int] = []
        for event, job_id, snapshot, accepted in log.records:
            for each in accepted:
                self._accept(each)
            self._apply(event, job_id, snapshot)
        if log.records and not log.is_recent:
            self.expired = [job_id for job_id in self._jobs if self.unresolved(job_id)]
            self._jobs = {}
            log.clear()

    @property
    def job_ids(self) -> set[int]:
        """The jobs that this or an earlier attempt has requested."""
        return set(self._jobs)

    def baseline(self, job_id: int) -> JobSnapshot | None:
        """Return the snapshot of a job from before its request; None if it was not requested."""
        return self._jobs[job_id][0] if job_id in self._jobs else None

    def unresolved(self, job_id: int) -> int:
        """Return the number of requests for a job whose outcome is not known."""
        return self._jobs[job_id][1] if job_id in self._jobs else 0

    def begin(self, job_id: int, snapshot: JobSnapshot) -> JobSnapshot:
        """Record that a request is about to be sent; return the snapshot to compare its outcome with."""
        self._record("begin", job_id, None if job_id in self._jobs else snapshot)
        return self._jobs[job_id][0]

    def finish(self, job_id: int) -> None:
        """Record that the last request was accepted; written with the next record."""
        self._accept(job_id)
        self._accepted.append(job_id)

    def cancel(self, job_id: int) -> None:
        """Record that the last request surely had no effect."""
        self._record("cancel", job_id)

    def update(self, job_id: int, snapshot: JobSnapshot) -> None:
        """Record what a later poll may no longer show, in the snapshot from before the request."""
        self._record("update", job_id, snapshot)

    def _record(self, event: str, job_id: int, snapshot: JobSnapshot | None = None) -> None:
        """Write a record, short since each is written twice, and apply it."""
        self._apply(event, job_id, snapshot)
        accepted, self._accepted = self._accepted, []
        self._log.add([event, job_id, snapshot, accepted])

    def _apply(self, event: str, job_id: int, snapshot: JobSnapshot | None) -> None:
        before, unresolved, is_accepted = self._jobs.get(job_id, (snapshot or [], 0, False))
        if event == "begin":
            unresolved += 1
        elif event == "cancel":
            unresolved -= 1
        self._jobs[job_id] = (snapshot or before, unresolved, is_accepted)
        if not unresolved and not is_accepted:
            del self._jobs[job_id]

    def _accept(self, job_id: int) -> None:
        snapshot, unresolved, _ = self._jobs[job_id]
        self._jobs[job_id] = (snapshot, unresolved - 1, True)


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
                format_ids(requests.expired),
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
        known = (job.job_id, job.name, self._action.name)
        if (before := self.recorded.baseline(job.job_id)) is not None:
            self._result.requested_at = max(self._result.requested_at, self.hook.service_time())
            if self.wait_until_applied(job.job_id, before, self._earlier_until):
                self._log.info("Job %d %s: %s was requested before.", *known)
                return False
            self._log.info("Job %d %s shows no effect of an earlier request for %s; sending it again.", *known)
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
        deadline = Deadline(until, _CHECK_EVERY, self._log)
        while True:
            job = deadline.poll(partial(get_job_or_none, self.hook, job_id))
            if self._action.is_applied(job, before):
                self._record_effect(job_id, before, job)
                return True
            if not deadline.sleep():
                return False

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
        failed = format_ids(
            [f"job{'s' * (len(ids) > 1)} {format_ids(ids)}: {reason}" for reason, ids in reasons], " | "
        )
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
        count = f"{len(errors):,} of {pluralize(len(job_ids), 'job')} failed"
        raise kind(f"{action}: {count}: {failed.rstrip('.')}. {rest}") from worst(errors)
