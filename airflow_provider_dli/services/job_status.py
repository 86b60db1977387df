"""Read the status of Flink jobs, wait for them on a worker, and return them or raise for their failures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.flink import is_missing
from airflow_provider_dli.client.flink.status import RUNNING_EXCEPTION, Verdict
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.formatting import format_duration, format_ids, pluralize, text_table
from airflow_provider_dli.triggers.deferral import raise_unless_transient

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_dli.client.flink import FlinkJob
    from airflow_provider_dli.client.flink.status import JobTracker
    from airflow_provider_dli.hooks.dli import DliHook

_LOG_EVERY = 10.0
#: after a wait on the triggerer: for how many intervals a last poll that fails and may succeed later is repeated,
#: and the seconds between which that time lies
_LAST_POLLS, _SHORTEST_LAST, _LONGEST_LAST = 5, 5.0, 60.0
_MAX_ROWS = 20


def get_job_or_none(hook: DliHook, job_id: int) -> FlinkJob | None:
    """Return a job; None if the project has no job with this id.

    :param hook: of the project
    :param job_id: its id
    """
    try:
        return hook.get_flink_job(job_id)
    except DliException as error:
        if is_missing(error.error):
            return None
        raise


def get_jobs(hook: DliHook, job_ids: Sequence[int]) -> dict[int, FlinkJob]:
    """Return jobs that must all exist.

    :param hook: of the project
    :param job_ids: their ids
    :raises DliFailException: naming those that do not exist
    """
    jobs = {job_id: get_job_or_none(hook, job_id) for job_id in job_ids}
    if missing := [str(job_id) for job_id, job in jobs.items() if job is None]:
        raise DliFailException(
            f"job_ids: project {hook.project_id} has no job {', '.join(missing)}; name jobs that it has. "
            "No request was sent for the others."
        )
    return {job_id: job for job_id, job in jobs.items() if job is not None}


def wait_for_jobs(hook: DliHook, tracker: JobTracker, timeout: float, poll_interval: float, log: Logger) -> None:
    """Wait until all jobs have reached the state, one has failed or is ready for its request, or time is up.

    :param hook: of the project
    :param tracker: of the jobs
    :param timeout: seconds
    :param poll_interval: seconds between two polls
    :param log: of the task
    :raises DliException: if the poll fails that is the last in time, or in a way that will not pass
    """
    began, logged = time.monotonic(), 0.0
    # One poll must succeed, even if time is up already: without it nothing is known.
    tolerated = timeout or min(_LONGEST_LAST, max(_SHORTEST_LAST, _LAST_POLLS * poll_interval))
    while True:
        try:
            poll_jobs(hook, tracker)
        except DliException as failure:
            left = tolerated - (time.monotonic() - began)
            raise_unless_transient(failure, left)
            log.warning("%s Polling again.", failure)
            time.sleep(min(poll_interval, left))
            continue
        spent, now = time.monotonic() - began, hook.service_time()
        if not tracker.pending(now) or tracker.ready(now) or spent >= timeout:
            return
        if spent - logged >= _LOG_EVERY:
            logged = spent
            log.info("%s after %s: %s", tracker.target_state, format_duration(spent), status_counts(tracker))
        time.sleep(min(poll_interval, timeout - spent))


def poll_jobs(hook: DliHook, tracker: JobTracker) -> None:
    """Record the status of each job that is still pending.

    :param hook: of the project
    :param tracker: of the jobs
    :raises DliException: if a poll fails
    """
    for job_id in tracker.pending(hook.service_time()):
        tracker.record(job_id, get_job_or_none(hook, job_id))


def raise_for_failures(hook: DliHook, tracker: JobTracker, timeout: float, log: Logger) -> list[dict[str, Any]]:
    """Return the jobs if all have reached the state.

    :param hook: that has polled them
    :param tracker: of the jobs
    :param timeout: seconds that the task has waited, for the message
    :param log: of the task; gets the jobs as a table
    :returns: see :func:`job_rows`
    :raises DliFailException: naming each job that has failed and its status
    :raises DliException: naming each that is still pending
    """
    log_jobs(tracker, log)
    now, total = hook.service_time(), pluralize(len(tracker.job_ids), "job")
    if failures := tracker.failures(now):
        reasons = ", ".join(f"job {job_id} is {reason}" for job_id, reason in failures.items())
        raise DliFailException(
            f"{len(failures)} of {total} cannot be {tracker.target_state} any more: {reasons}. "
            "Check the job's log in the DLI console."
        )
    late = [job_id for job_id in tracker.job_ids if tracker.verdict(job_id, now) is Verdict.WAIT]
    if late:
        raise DliException(
            f"{len(late)} of {total} not {tracker.target_state} within {format_duration(timeout)}: "
            f"{format_ids(late)}. {_advice_on_restarts(tracker, late)}Check the job in the DLI console, or give "
            "the task a longer timeout."
        )
    return job_rows(tracker)


def _advice_on_restarts(tracker: JobTracker, late: list[int]) -> str:
    """Return what to do about jobs that cannot be stopped since they restart by themselves."""
    jobs = [job for job_id in late if tracker.target_state == "stopped" and (job := tracker.latest.get(job_id))]
    ids = [job.job_id for job in jobs if job.status == RUNNING_EXCEPTION]
    if not ids:
        return ""
    return (
        f"Job {format_ids(ids)} is {RUNNING_EXCEPTION} and may start again by itself; "
        "switch its restart_when_exception off. "
    )


def job_rows(tracker: JobTracker) -> list[dict[str, Any]]:
    """Return the jobs as plain JSON values, in the order of their ids.

    :param tracker: of the jobs
    """
    names = ("job_id", "name", "job_type", "status", "start_time", "savepoint_path")
    jobs = [job for job_id in tracker.job_ids if (job := tracker.latest.get(job_id))]
    return [{name: getattr(job, name) for name in names} for job in jobs]


def log_jobs(tracker: JobTracker, log: Logger) -> None:
    """Log the jobs as a table.

    :param tracker: of the jobs
    :param log: of the task
    """
    rows = [
        (job_id, job.name, job.status, job.status_desc or None) if job else (job_id, None, "gone", None)
        for job_id, job in list(tracker.latest.items())[:_MAX_ROWS]
    ]
    for line in text_table(("id", "name", "status", "description"), rows):
        log.info("  %s", line)
    if len(tracker.latest) > _MAX_ROWS:
        log.info("  … in all: %s", status_counts(tracker))


def status_counts(tracker: JobTracker) -> str:
    """Return how many jobs are in which status.

    :param tracker: of the jobs
    """
    statuses = [job.status if job else "gone" for job in tracker.latest.values()]
    return ", ".join(f"{pluralize(statuses.count(status), 'job')} {status}" for status in dict.fromkeys(statuses))
