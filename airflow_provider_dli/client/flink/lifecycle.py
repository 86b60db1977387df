"""Run, stop and delete jobs.

The service answers for a batch with an array of envelopes whose length and order are not established (the manual's
examples contradict each other), or, in editions up to 2022, with one object. So the array is never held against
the ids: every element must be a success. For exact results, give one id per call.
"""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_dli.client.call import Call
from airflow_provider_dli.client.flink.values import JOBS, Done, checked_id, checked_job_ids


def run_jobs(job_ids: Iterable[int], *, resume_savepoint: bool = False) -> Call[Done]:
    """Submit Flink jobs to run (dli_02_0233). Submitting is all that is done: look at their status.

    :param job_ids: ids of the jobs
    :param resume_savepoint: True to start from the newest savepoint
    :raises ConfigurationError: if there is no id, or one is none
    """
    body = {"job_ids": checked_job_ids("job_ids", job_ids), "resume_savepoint": resume_savepoint}
    return Call("BatchRunFlinkJobs", "POST", f"{JOBS}/run", Done.read, body=body)


def stop_jobs(job_ids: Iterable[int], *, trigger_savepoint: bool = False) -> Call[Done]:
    """Ask Flink jobs to stop (dli_02_0241). Look at their status to see them stopped.

    :param job_ids: ids of the jobs, each submitting or running
    :param trigger_savepoint: True to make a savepoint first
    :raises ConfigurationError: if there is no id, or one is none
    """
    body = {"job_ids": checked_job_ids("job_ids", job_ids), "trigger_savepoint": trigger_savepoint}
    return Call("BatchStopFlinkJobs", "POST", f"{JOBS}/stop", Done.read, body=body)


def delete_job(job_id: int) -> Call[Done]:
    """Delete one Flink job, in whatever state; a running one is stopped (dli_02_0242).

    :param job_id: its id
    :raises ConfigurationError: if it cannot be one
    """
    path = f"{JOBS}/{{job_id}}"
    return Call("DeleteFlinkJob", "DELETE", path, Done.read, path_params={"job_id": checked_id("job_id", job_id)})


def delete_jobs(job_ids: Iterable[int]) -> Call[Done]:
    """Delete Flink jobs, in whatever state (dli_02_0243).

    :param job_ids: ids of the jobs
    :raises ConfigurationError: if there is no id, or one is none
    """
    body = {"job_ids": checked_job_ids("job_ids", job_ids)}
    return Call("BatchDeleteFlinkJobs", "POST", f"{JOBS}/delete", Done.read, body=body)
