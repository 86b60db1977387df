"""What can be requested of a Flink job: when it is needed, how it is requested, and what its effect is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.flink.status import (
    CANCELING,
    SAVEPOINTING,
    is_on_its_way,
    is_stoppable,
    lacks_savepoint,
    may_run,
    restarts_on_exception,
    snapshot_of,
)
from airflow_provider_dli.parameters.models import NamedJobs, RunParameters, SavepointParameters, StopParameters

if TYPE_CHECKING:
    from airflow_provider_dli.client.call import Call
    from airflow_provider_dli.client.flink import Ack, FlinkJob
    from airflow_provider_dli.client.flink.status import JobSnapshot, TrackedState

#: the status of the job does not allow the request
_WRONG_STATUS = frozenset({"DLI.15002"})
_NO_SAVEPOINT = (
    "ran before and shows no savepoint: DLI deletes the one that a job was restarted from. It may start without "
    "its state; stop it with trigger_savepoint=True before each run."
)
#: there is no such job, when it is queried and when it is deleted
_NO_SUCH_JOB = frozenset({"DLI.16001", "DLI.17001"})


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
