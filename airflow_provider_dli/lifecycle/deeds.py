"""What can be done to a job: when it is needed, how it is asked for, and how one sees that it was done."""

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

if TYPE_CHECKING:
    from airflow_provider_dli.client.call import Call
    from airflow_provider_dli.client.flink import Ack, FlinkJob
    from airflow_provider_dli.client.flink.status import JobSnapshot

#: the state of the job does not allow it
_UNTIMELY = frozenset({"DLI.15002"})
#: there is no such job, to whom shows it and to whom deletes it
_GONE = frozenset({"DLI.16001", "DLI.17001"})


def _never(_: FlinkJob) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that can be done to a job.

    :param name: what it is called, and kept under
    :param call: asks for it; one job for each call, so that each has an answer of its own
    :param needed: whether it is to be asked for, as the job is
    :param happened: whether it shows that it was asked for, given the mark the job had before
    :param done: words for a job that does not need it, or not now
    :param refusals: codes by which the service says that the job is not in the state for it: it is looked at anew
    :param later: whether a job of which that is true comes into that state by itself
    :param patient: whether there will be somebody to ask it then
    :param under_way: whether somebody else has asked for it
    :param fleeting: whether what shows that it was asked for may be gone soon
    """

    name: str
    call: Callable[[int], Call[Ack]]
    needed: Callable[[FlinkJob], bool]
    happened: Callable[[FlinkJob | None, JobSnapshot], bool]
    done: str
    refusals: frozenset[str] = frozenset()
    later: Callable[[FlinkJob], bool] = _never
    patient: bool = False
    under_way: Callable[[FlinkJob], bool] = _never
    fleeting: bool = False


def run(*, resume_savepoint: bool) -> Deed:
    """Submit a job to run. One that runs, or is on its way, is left alone: it must not run twice.

    :param resume_savepoint: whether to start from the newest savepoint
    """
    return Deed(
        "run",
        lambda job_id: flink.run_jobs([job_id], resume_savepoint=resume_savepoint),
        lambda job: may_run(job.status),
        lambda job, mark: job is not None and (not may_run(job.status) or snapshot_of(job) != mark),
        "runs already, or is on its way",
    )


def stop(*, trigger_savepoint: bool, patient: bool) -> Deed:
    """Ask a job to stop. One that does not run, and will not by itself, is left alone.

    :param trigger_savepoint: whether to make a savepoint first
    :param patient: whether one that starts again by itself is waited for, where it cannot be stopped before
    """
    return Deed(
        "stop",
        lambda job_id: flink.stop_jobs([job_id], trigger_savepoint=trigger_savepoint),
        is_stoppable,
        lambda job, _: job is None or not is_stoppable(job),
        "does not run",
        refusals=_UNTIMELY,
        later=lambda job: restarts_on_exception(job) and is_stoppable(job),
        patient=patient,
        under_way=lambda job: job.status == "job_canceling",
    )


def save(savepoint_path: str | None, *, patient: bool) -> Deed:
    """Make a savepoint of a job. Where somebody else's is made, the job is asked after that.

    :param savepoint_path: directory for it; None leaves it to the service
    :param patient: whether the end of another savepoint is waited for
    """
    return Deed(
        "savepoint",
        lambda job_id: flink.trigger_savepoint(job_id, savepoint_path),
        lambda job: job.status != SAVEPOINTING,
        lambda job, mark: job is not None and (job.status == SAVEPOINTING or snapshot_of(job) != mark),
        "is being saved already",
        refusals=_UNTIMELY,
        later=lambda job: job.status == SAVEPOINTING,
        patient=patient,
        fleeting=True,
    )


def delete() -> Deed:
    """Delete a job, in whatever state."""
    return Deed(
        "delete",
        flink.delete_job,
        lambda _: True,
        lambda job, _: job is None,
        "is gone already",
        refusals=_GONE,
    )
