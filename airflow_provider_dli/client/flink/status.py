"""The statuses of jobs, what each means for a wait, and the tracking of jobs on their way. No clock, no I/O.

The statuses are those of the manual's list and detail pages (dli_02_0234, dli_02_0235); what they mean for a wait
follows Huawei's own Terraform provider where that has an opinion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from airflow_provider_dli.client.flink.jobs import FlinkJob

#: what can be waited for, without a request before it
TargetState = Literal["running", "finished", "stopped"]
#: ``saved``: a savepoint was made; the status alone does not show it, see :func:`shows_new_savepoint`
TrackedState = Literal["running", "finished", "stopped", "saved"]
_TRACKED_STATES: tuple[TrackedState, ...] = get_args(TrackedState)

#: what of a job changes when it is run, stopped or saved: status, start time, hash of savepoint path; plain JSON
JobSnapshot = list[Any]

RUNNING = "job_running"
#: a job with ``restart_when_exception`` may leave it by itself
RUNNING_EXCEPTION = "job_running_exception"
#: a request has stopped it, or dynamic scaling, after which it is submitted again
CANCELING = "job_canceling"
#: while a savepoint is made, on request or by dynamic scaling
SAVEPOINTING = "job_savepointing"


#: why a job fails a wait that does not exist, or that the key may not see
NOT_SEEN = "not a job that this key sees"


class Verdict(Enum):
    """What a status means for a wait."""

    REACHED = "reached"
    WAIT = "wait"
    FAILED = "failed"


class Phase(Enum):
    """What a status means, independent of any wait."""

    #: a draft, or not run since its last change
    REST = "at rest"
    #: on its way to another status
    MOVING = "on its way"
    #: it runs, and costs
    RUNNING = "running"
    #: it ran, and does no longer
    ENDED = "ended"
    #: something went wrong
    BROKEN = "broken"


_W, _R, _F = Verdict.WAIT, Verdict.REACHED, Verdict.FAILED
#: status -> its phase; its verdict for running, finished, stopped, saved; whether it can be stopped
_STATUSES: Mapping[str, tuple[Phase, tuple[Verdict, Verdict, Verdict, Verdict], bool]] = {
    "job_init": (Phase.REST, (_W, _W, _R, _F), False),
    "job_submitting": (Phase.MOVING, (_W, _W, _W, _W), True),
    "job_submit_fail": (Phase.BROKEN, (_F, _F, _R, _F), False),
    RUNNING: (Phase.RUNNING, (_R, _W, _W, _W), True),
    RUNNING_EXCEPTION: (Phase.BROKEN, (_F, _F, _R, _F), False),
    "job_downloading": (Phase.MOVING, (_W, _W, _W, _W), True),
    "job_idle": (Phase.RUNNING, (_W, _W, _W, _W), True),
    CANCELING: (Phase.MOVING, (_W, _W, _W, _W), False),
    "job_cancel_success": (Phase.ENDED, (_F, _F, _R, _F), False),
    "job_cancel_fail": (Phase.BROKEN, (_F, _F, _F, _F), True),
    SAVEPOINTING: (Phase.RUNNING, (_W, _W, _W, _W), True),
    "job_arrearage_stopped": (Phase.ENDED, (_F, _F, _R, _F), False),
    "job_arrearage_recovering": (Phase.MOVING, (_W, _W, _W, _W), True),
    "job_finish": (Phase.ENDED, (_R, _R, _R, _F), False),
}
PHASES: Mapping[str, Phase] = {status: phase for status, (phase, _, _) in _STATUSES.items()}


def checked_status(job_id: int, status: object) -> str:
    """Return the status of a job if it is a known one.

    Whether a job runs, costs, or can be stopped follows from its status. A guess about an unknown one could report
    a success that is none.

    :raises ValueError: naming the job and the status, if it is unknown
    """
    if not isinstance(status, str) or status not in PHASES:
        raise ValueError(f"status {str(status)[:80]!r} of job {job_id} is not one of {', '.join(PHASES)}")
    return status


def status_verdict(status: str, target_state: TrackedState, *, restarts: bool = False) -> Verdict:
    """Return what a status means for a wait.

    After a run request a job shows ``job_init``, or the status of its last end, for a while:
    :class:`JobTracker` takes that into account.
    """
    # It has not ended, whatever is waited for: it may run again, and cost.
    if restarts and status == RUNNING_EXCEPTION:
        return Verdict.WAIT
    return _STATUSES[status][1][_TRACKED_STATES.index(target_state)]


def may_run(status: str) -> bool:
    """Return whether a job of this status can be submitted to run; False if it runs or is on its way."""
    return PHASES[status] in (Phase.REST, Phase.ENDED, Phase.BROKEN)


def may_stop(status: str, *, restarts: bool = False) -> bool:
    """Return whether a job of this status can be stopped; False if it has ended, never ran, or is stopping."""
    return _STATUSES[status][2] or (restarts and status == RUNNING_EXCEPTION)


def restarts_on_exception(job: FlinkJob) -> bool:
    """Return whether a job restarts by itself after an exception."""
    config = job.raw.get("job_config")
    return isinstance(config, Mapping) and bool(config.get("restart_when_exception"))


def is_stoppable(job: FlinkJob) -> bool:
    """Return whether a job can be stopped: it runs, may come to run by itself, or failed to stop."""
    return may_stop(job.status, restarts=restarts_on_exception(job))


def lacks_savepoint(job: FlinkJob) -> bool:
    """Return whether a job has run and shows no savepoint, by which it would start without its state."""
    return bool(job.start_time) and not job.savepoint_path and not job.raw.get("has_savepoint")


def is_on_its_way(job: FlinkJob) -> bool:
    """Return whether a job cannot be saved now, and may be so later by itself."""
    return job.status == SAVEPOINTING or PHASES[job.status] is Phase.MOVING


@dataclass
class JobTracker:
    """Jobs on their way to a target state.

    :param job_ids: the jobs
    :param target_state: the state they are to reach
    :param baseline: snapshots of jobs before their requests. While a job still equals its baseline it has not
        moved: DLI goes on showing the previous status for a while
    :param requested_at: epoch seconds of the requests
    :param grace_period: seconds after that in which a job may still equal its baseline
    :param must_move: whether the jobs were requested to move, and fail if they still equal their baseline after
        the grace period, even in a harmless status. If not, the first status recorded of a job is its baseline: it
        may be the end of the previous run
    """

    job_ids: Sequence[int]
    target_state: TrackedState
    baseline: dict[int, JobSnapshot] = field(default_factory=dict)
    requested_at: float = 0.0
    grace_period: float = 0.0
    must_move: bool = True
    latest: dict[int, FlinkJob | None] = field(default_factory=dict)

    def record(self, job_id: int, job: FlinkJob | None) -> None:
        """Record the current state of a job."""
        self.latest[job_id] = job
        if job is None:
            return
        if not self.must_move:
            self.baseline.setdefault(job_id, snapshot_of(job))
        elif self.target_state in ("stopped", "saved") and job_id in self.baseline:
            self.baseline[job_id] = snapshot_after(self.baseline[job_id], job)

    def pending(self, now: float) -> list[int]:
        """Return the jobs that are still on their way; none as soon as one has failed, which ends the wait."""
        verdicts = {job_id: self.verdict(job_id, now) for job_id in self.job_ids}
        if Verdict.FAILED in verdicts.values():
            return []
        return [job_id for job_id, each in verdicts.items() if each is Verdict.WAIT]

    def ready(self, now: float) -> list[int]:
        """Return the jobs that were not ready for a request, or have restarted since it, and are ready now."""
        jobs = [self.latest.get(job_id) for job_id in self.pending(now) if self.must_move]
        return [job.job_id for job in jobs if job and self._is_ready(job)]

    def failures(self, now: float) -> dict[int, str]:
        """Return the reason for each job that has failed."""
        failed = [job_id for job_id in self.job_ids if self.verdict(job_id, now) is Verdict.FAILED]
        return {job_id: self._reason(job_id) for job_id in failed}

    def verdict(self, job_id: int, now: float) -> Verdict:
        """Return whether a job has reached the target state, failed, or is on its way."""
        if job_id not in self.latest:
            return Verdict.WAIT
        job = self.latest[job_id]
        if job is None:
            return Verdict.FAILED
        is_tracked_save = self.target_state == "saved" and job_id in self.baseline
        if is_tracked_save and shows_new_savepoint(job, self.baseline[job_id]):
            return Verdict.REACHED
        if self._is_unmoved(job):
            if now < self.requested_at + self.grace_period:
                return Verdict.WAIT
            if self.must_move:
                return Verdict.FAILED
        return status_verdict(job.status, self.target_state, restarts=restarts_on_exception(job))

    def _is_unmoved(self, job: FlinkJob) -> bool:
        baseline = self.baseline.get(job.job_id)
        if baseline is None or self.target_state == "stopped":
            return False
        if self.target_state == "saved":
            return job.status == RUNNING
        if baseline != snapshot_of(job):
            return False
        # Without a request of ours a job need not move: it may be in the target state already.
        return self.must_move or status_verdict(job.status, self.target_state) is not Verdict.REACHED

    def _is_ready(self, job: FlinkJob) -> bool:
        baseline = self.baseline.get(job.job_id)
        if self.target_state == "saved":
            return baseline is None and job.status == RUNNING
        if self.target_state != "stopped" or not may_stop(job.status):
            return False
        # One that was being stopped without a request of this task was dynamically scaled if it is back.
        if baseline and baseline[0] == CANCELING:
            return True
        # A stop request ends with the run that the exception ended.
        return restarts_on_exception(job) and (baseline is None or baseline[0] == RUNNING_EXCEPTION)

    def _reason(self, job_id: int) -> str:
        job = self.latest[job_id]
        if job is None:
            return NOT_SEEN
        described = f"{job.status} ({job.status_desc})" if job.status_desc else job.status
        unsaved = ", and shows no new savepoint" if self.target_state == "saved" else ""
        if self.must_move and self._is_unmoved(job):
            return f"still {described} after {self.grace_period:.0f} s{unsaved}"
        return f"{described}{unsaved}"


def snapshot_of(job: FlinkJob) -> JobSnapshot:
    """Return the snapshot of a job, which is short: thousands of them are kept."""
    return [job.status, job.start_time or None, _hash(job.savepoint_path)]


def snapshot_after(snapshot: JobSnapshot, job: FlinkJob) -> JobSnapshot:
    """Return the snapshot with what later polls no longer show: an exception, or that the job was being saved."""
    return [job.status, *snapshot[1:]] if job.status in (RUNNING_EXCEPTION, SAVEPOINTING) else snapshot


def shows_new_savepoint(job: FlinkJob, snapshot: JobSnapshot) -> bool:
    """Return whether a job shows that a savepoint was made of it.

    Its ``savepoint_path`` is another one; or it was being saved and runs on: the manual does not document what the
    path becomes if a savepoint is made in the same directory again.
    """
    status, _, path = snapshot
    if job.status == SAVEPOINTING:
        return False
    return _hash(job.savepoint_path) not in (None, path) or (status == SAVEPOINTING and job.status == RUNNING)


def _hash(path: str | None) -> str | None:
    return sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:12] if path else None
