"""What can be done to a job: when it is needed, how it is asked for, and how one sees that it was done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.flink.states import may_run, may_stop
from airflow_provider_dli.client.flink.watching import mark_of

if TYPE_CHECKING:
    from airflow_provider_dli.client.call import Call
    from airflow_provider_dli.client.flink import Done, FlinkJob

Mark = list[Any]


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that can be done to a job.

    :param name: what it is called, and kept under
    :param call: asks for it; one job for each call, so that each has an answer of its own
    :param needed: whether it is to be asked for, as the job is
    :param happened: whether it shows that it was asked for, given the mark the job had before
    :param done: words for a job that needs it no more
    """

    name: str
    call: Callable[[int], Call[Done]]
    needed: Callable[[FlinkJob], bool]
    happened: Callable[[FlinkJob | None, Mark], bool]
    done: str


def run(*, resume_savepoint: bool) -> Deed:
    """Submit a job to run. One that runs, or is on its way, is left alone: it must not run twice.

    :param resume_savepoint: whether to start from the newest savepoint
    """
    return Deed(
        "run",
        lambda job_id: flink.run_jobs([job_id], resume_savepoint=resume_savepoint),
        lambda job: may_run(job.status),
        lambda job, mark: job is not None and (not may_run(job.status) or mark_of(job) != mark),
        "runs already, or is on its way",
    )


def stop(*, trigger_savepoint: bool) -> Deed:
    """Ask a job to stop. One that does not run is left alone.

    :param trigger_savepoint: whether to make a savepoint first
    """
    return Deed(
        "stop",
        lambda job_id: flink.stop_jobs([job_id], trigger_savepoint=trigger_savepoint),
        lambda job: may_stop(job.status),
        lambda job, _: job is None or not may_stop(job.status),
        "does not run",
    )


def save(savepoint_path: str | None) -> Deed:
    """Make a savepoint of a job.

    :param savepoint_path: directory for it; None leaves it to the service
    """
    return Deed(
        "savepoint",
        lambda job_id: flink.trigger_savepoint(job_id, savepoint_path),
        lambda job: job.status != "job_savepointing",
        lambda job, mark: job is not None and (job.status == "job_savepointing" or mark_of(job) != mark),
        "is making one already",
    )


def delete() -> Deed:
    """Delete a job, in whatever state."""
    return Deed(
        "delete",
        flink.delete_job,
        lambda _: True,
        lambda job, _: job is None,
        "is gone",
    )
