"""Wait for jobs here, and judge where they have come to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.flink.status import RUNNING_EXCEPTION, Verdict
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.lifecycle.looking import find
from airflow_provider_dli.tables import text_table
from airflow_provider_dli.triggers.deferral import raise_unless_transient
from airflow_provider_dli.wording import Logger, counted, lasting

if TYPE_CHECKING:
    from airflow_provider_dli.client.flink.status import JobTracker
    from airflow_provider_dli.hooks.dli import DliHook

_TELL_EVERY = 10.0
#: after a wait on the triggerer: for how many intervals a last poll that fails and may go better is repeated, and
#: the seconds between which that time lies
_LAST_POLLS, _SHORTEST_LAST, _LONGEST_LAST = 5, 5.0, 60.0
_FEW = 20


def look(hook: DliHook, watch: JobTracker) -> DliException | None:
    """Look at each job that is on its way still.

    :param hook: asks the service
    :param watch: takes down what is seen
    :returns: what went wrong, where another look may go better
    :raises DliFailException: if none can
    """
    for job_id in watch.pending(hook.service_time()):
        try:
            watch.record(job_id, find(hook, job_id))
        except DliFailException:
            raise
        except DliException as error:
            hook.log.warning("%s Polling again.", error)
            return error
    return None


def wait(hook: DliHook, watch: JobTracker, timeout: float, poll_interval: float, log: Logger) -> None:
    """Wait until all have come to the goal, one has failed or is due to be asked, or time is up.

    :param hook: asks the service
    :param watch: takes down what is seen
    :param timeout: seconds
    :param poll_interval: seconds between two looks
    :param log: where to tell how it stands, now and then
    :raises DliException: if the poll fails that is the last in time, or in a way that will not pass
    """
    began, told = time.monotonic(), 0.0
    # One poll must have gone well, even if time is up already: without it there is nothing to judge.
    bearable = timeout or min(_LONGEST_LAST, max(_SHORTEST_LAST, _LAST_POLLS * poll_interval))
    while True:
        failure = look(hook, watch)
        spent = time.monotonic() - began
        if failure:
            raise_unless_transient(failure, bearable - spent)
            time.sleep(min(poll_interval, bearable - spent))
            continue
        now = hook.service_time()
        if not watch.pending(now) or watch.ready(now) or spent >= timeout:
            return
        if spent - told >= _TELL_EVERY:
            told = spent
            log.info("%s after %s: %s", watch.target_state, lasting(spent), standing(watch))
        time.sleep(min(poll_interval, timeout - spent))


def standing(watch: JobTracker) -> str:
    """Say how many jobs are in which status.

    :param watch: what was seen
    """
    seen = [job.status if job else "gone" for job in watch.latest.values()]
    return ", ".join(f"{counted(seen.count(status), 'job')} {status}" for status in dict.fromkeys(seen))


def judge(hook: DliHook, watch: JobTracker, timeout: float, log: Logger) -> list[dict[str, Any]]:
    """Pass if all have come to the goal.

    :param hook: has made the polls
    :param watch: what was seen
    :param timeout: seconds that were waited, for the message
    :param log: where to tell, as a table
    :returns: id, name, status, and start time of each job
    :raises DliFailException: naming each job that failed and how
    :raises DliException: naming each that is on its way still
    """
    tell(watch, log)
    now = hook.service_time()
    if failures := watch.failures(now):
        listed = ", ".join(f"job {job_id} is {how}" for job_id, how in failures.items())
        raise DliFailException(
            f"{len(failures)} of {counted(len(watch.job_ids), 'job')} cannot be {watch.target_state} any more: "
            f"{listed}. "
            "Look at the job's log in the DLI console."
        )
    late = [job_id for job_id in watch.job_ids if watch.verdict(job_id, now) is Verdict.WAIT]
    if late:
        listed = ", ".join(map(str, late[:_FEW]))
        raise DliException(
            f"{len(late)} of {counted(len(watch.job_ids), 'job')} not {watch.target_state} "
            f"within {lasting(timeout)}: {listed}{' …' if len(late) > _FEW else ''}. "
            f"{_restarting(watch, late)}Look at the job in the DLI "
            "console, or give the task a longer timeout."
        )
    return shown(watch)


def _restarting(watch: JobTracker, late: list[int]) -> str:
    """Say what may be done about jobs that cannot be stopped since they come back by themselves."""
    jobs = [job for job_id in late if watch.target_state == "stopped" and (job := watch.latest.get(job_id))]
    ids = [str(job.job_id) for job in jobs if job.status == RUNNING_EXCEPTION]
    if not ids:
        return ""
    listed = ", ".join(ids[:_FEW])
    return (
        f"Job {listed} is {RUNNING_EXCEPTION} and may start again by itself; "
        "switch its restart_when_exception off. "
    )


def shown(watch: JobTracker) -> list[dict[str, Any]]:
    """Give what was seen as plain JSON values, in the order of the ids.

    :param watch: what was seen
    """
    names = ("job_id", "name", "job_type", "status", "start_time", "savepoint_path")
    jobs = [job for job_id in watch.job_ids if (job := watch.latest.get(job_id))]
    return [{name: getattr(job, name) for name in names} for job in jobs]


def tell(watch: JobTracker, log: Logger) -> None:
    """Tell as a table where jobs have come to.

    :param watch: what was seen
    :param log: where to tell
    """
    rows = [
        (
            job_id,
            job.name if job else None,
            job.status if job else "gone",
            (job.status_desc or None) if job else None,
        )
        for job_id, job in list(watch.latest.items())[:_FEW]
    ]
    for line in text_table(("id", "name", "status", "words"), rows):
        log.info("  %s", line)
    if len(watch.latest) > _FEW:
        log.info("  … in all: %s", standing(watch))
