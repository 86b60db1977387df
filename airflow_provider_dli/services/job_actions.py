"""What can be requested of a job: when it is needed, how it is sent, and how one sees that it was executed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.flink.status import (
    SAVEPOINTING,
    is_stoppable,
    may_run,
    restarts_on_exception,
    snapshot_of,
)
from airflow_provider_dli.exceptions import read_parameters
from airflow_provider_dli.parameters.models import (
    DeleteParameters,
    RunParameters,
    SavepointParameters,
    StopParameters,
)

if TYPE_CHECKING:
    from airflow_provider_dli.client.call import Call
    from airflow_provider_dli.client.flink import Ack, FlinkJob
    from airflow_provider_dli.client.flink.status import JobSnapshot, TrackedState

#: the status of the job does not allow the request
_WRONG_STATUS = frozenset({"DLI.15002"})
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
    wait_until_ready: bool = False
    grace_period: float = 0.0
    stop_on_kill: bool = False


def prepare_run(operator: object) -> tuple[RunParameters, JobAction]:
    """Submit jobs to run. One that runs, or is on its way, is skipped: it must not run twice.

    :param operator: with its templates rendered
    :raises DliFailException: naming each parameter that cannot be used
    """
    options = read_parameters(RunParameters, operator)
    return options, JobAction(
        "run",
        options.target_state,
        lambda job_id: flink.run_jobs([job_id], resume_savepoint=options.resume_savepoint),
        should_request=lambda job: may_run(job.status),
        is_applied=lambda job, before: job is not None and (not may_run(job.status) or snapshot_of(job) != before),
        skip_reason="runs already, or is on its way",
        grace_period=options.status_grace_period,
        stop_on_kill=options.stop_on_kill,
    )


def prepare_stop(operator: object) -> tuple[StopParameters, JobAction]:
    """Stop jobs. One that does not run, and will not by itself, is skipped.

    :param operator: with its templates rendered
    :raises DliFailException: naming each parameter that cannot be used
    """
    options = read_parameters(StopParameters, operator)
    return options, JobAction(
        "stop",
        "stopped",
        lambda job_id: flink.stop_jobs([job_id], trigger_savepoint=options.trigger_savepoint),
        should_request=is_stoppable,
        is_applied=lambda job, _: job is None or not is_stoppable(job),
        skip_reason="does not run",
        conflict_codes=_WRONG_STATUS,
        becomes_ready=lambda job: restarts_on_exception(job) and is_stoppable(job),
        in_progress=lambda job: job.status == "job_canceling",
        needs_savepoint=options.trigger_savepoint,
        wait_until_ready=options.wait_for_completion,
        grace_period=options.status_grace_period,
    )


def prepare_savepoint(operator: object) -> tuple[SavepointParameters, JobAction]:
    """Make savepoints of jobs. One of which another savepoint is being made can take the request after that.

    :param operator: with its templates rendered
    :raises DliFailException: naming each parameter that cannot be used
    """
    options = read_parameters(SavepointParameters, operator)
    path = str(options.savepoint_path) if options.savepoint_path else None
    return options, JobAction(
        "savepoint",
        "saved",
        lambda job_id: flink.trigger_savepoint(job_id, path),
        should_request=lambda job: job.status != SAVEPOINTING,
        is_applied=lambda job, before: (
            job is not None and (job.status == SAVEPOINTING or snapshot_of(job) != before)
        ),
        skip_reason="is being saved already",
        conflict_codes=_WRONG_STATUS,
        becomes_ready=lambda job: job.status == SAVEPOINTING,
        transient=True,
        wait_until_ready=options.wait_for_completion,
        grace_period=options.status_grace_period,
    )


def prepare_deletion(operator: object) -> tuple[DeleteParameters, JobAction]:
    """Delete jobs, in whatever state.

    :param operator: with its templates rendered
    :raises DliFailException: naming each parameter that cannot be used
    """
    options = read_parameters(DeleteParameters, operator)
    return options, JobAction(
        "delete",
        "stopped",
        flink.delete_job,
        should_request=lambda _: True,
        is_applied=lambda job, _: job is None,
        skip_reason="is gone already",
        conflict_codes=_NO_SUCH_JOB,
    )
