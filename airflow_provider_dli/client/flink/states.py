"""The one table of job statuses: what each means for whoever waits.

The statuses are those of the manual's list and detail pages (dli_02_0234, dli_02_0235); what they mean for a wait
follows Huawei's own Terraform provider where that has an opinion.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Literal, get_args

#: what anybody may wait for, whoever asked
SeenGoal = Literal["running", "finished", "stopped"]
GOALS: tuple[SeenGoal, ...] = get_args(SeenGoal)
#: ``saved``: a savepoint was made; by its status alone a job does not tell, see
#: :mod:`~airflow_provider_dli.client.flink.watching`
Goal = Literal["running", "finished", "stopped", "saved"]


class Verdict(Enum):
    """What a status means for a wait."""

    REACHED = "reached"
    WAIT = "wait"
    FAILED = "failed"


class Phase(Enum):
    """What a status says of a job, whatever one waits for."""

    #: a draft, or never run since it was changed
    REST = "at rest"
    #: on its way into another status
    MOVING = "on its way"
    #: it runs, and costs
    RUNNING = "running"
    #: it ran, and does no longer
    ENDED = "ended"
    #: something went wrong
    BROKEN = "broken"


#: status -> what it says of the job
PHASES: Mapping[str, Phase] = {
    "job_init": Phase.REST,
    "job_submitting": Phase.MOVING,
    "job_submit_fail": Phase.BROKEN,
    "job_running": Phase.RUNNING,
    "job_running_exception": Phase.BROKEN,
    "job_downloading": Phase.MOVING,
    "job_idle": Phase.RUNNING,
    "job_canceling": Phase.MOVING,
    "job_cancel_success": Phase.ENDED,
    "job_cancel_fail": Phase.BROKEN,
    "job_savepointing": Phase.RUNNING,
    "job_arrearage_stopped": Phase.ENDED,
    "job_arrearage_recovering": Phase.MOVING,
    "job_finish": Phase.ENDED,
}
_REACHED: Mapping[Goal, frozenset[str]] = {
    "running": frozenset({"job_running", "job_finish"}),
    "finished": frozenset({"job_finish"}),
    "stopped": frozenset(
        {"job_init", "job_submit_fail", "job_running_exception", "job_cancel_success", "job_arrearage_stopped"}
        | {"job_finish"}
    ),
    "saved": frozenset(),
}
_FAILED: Mapping[Goal, frozenset[str]] = {
    "running": frozenset(
        {"job_submit_fail", "job_running_exception", "job_cancel_success", "job_cancel_fail"}
        | {"job_arrearage_stopped"}
    ),
    "finished": frozenset(
        {"job_submit_fail", "job_running_exception", "job_cancel_success", "job_cancel_fail"}
        | {"job_arrearage_stopped"}
    ),
    "stopped": frozenset({"job_cancel_fail"}),
    "saved": frozenset(
        {"job_init", "job_submit_fail", "job_running_exception", "job_cancel_success", "job_cancel_fail"}
        | {"job_arrearage_stopped", "job_finish"}
    ),
}
#: those that run, may come to run, or failed to stop
_STOPPABLE = frozenset(
    {"job_submitting", "job_running", "job_downloading", "job_idle", "job_savepointing"}
    | {"job_arrearage_recovering", "job_cancel_fail"}
)
#: what a job with ``restart_when_exception`` may leave by itself
RESTARTS = "job_running_exception"
#: in which a job is while its savepoint is made
SAVING = "job_savepointing"


def checked_status(job_id: int, status: object) -> str:
    """Return the status of a job, if it is one of the table.

    Whether a job runs, costs, or is to be stopped follows from it: of any other nobody knows, and a guess would be
    reported as a success.

    :param job_id: of the job, for the message
    :param status: what a response has in its place
    :raises ValueError: naming the job and the status, if the table has none like it
    """
    if not isinstance(status, str) or status not in PHASES:
        raise ValueError(f"status {str(status)[:80]!r} of job {job_id} is not one of {', '.join(PHASES)}")
    return status


def verdict(status: str, goal: Goal, *, restarts: bool = False) -> Verdict:
    """Tell what a status means for a wait.

    After a run there is a time in which a job still reads ``job_init``, or the status of its last end. That is
    :mod:`~airflow_provider_dli.client.flink.watching`'s to know.

    :param status: of a job
    :param goal: what is waited for
    :param restarts: whether the job has ``restart_when_exception``, and so may come back from an exception
    """
    # Before all else: such a job has come to no end. It may run again, and cost, whatever one waits for.
    if restarts and status == RESTARTS:
        return Verdict.WAIT
    if status in _REACHED[goal]:
        return Verdict.REACHED
    return Verdict.FAILED if status in _FAILED[goal] else Verdict.WAIT


def may_run(status: str) -> bool:
    """Tell whether a job of this status is to be submitted to run; False if it runs or is on its way.

    :param status: of a job
    """
    return PHASES[status] in (Phase.REST, Phase.ENDED, Phase.BROKEN)


def may_stop(status: str, *, restarts: bool = False) -> bool:
    """Tell whether a job of this status is to be asked to stop; False if it has ended, never ran, or is stopping.

    :param status: of a job
    :param restarts: whether the job has ``restart_when_exception``: then an exception is no end
    """
    return status in _STOPPABLE or (restarts and status == RESTARTS)
