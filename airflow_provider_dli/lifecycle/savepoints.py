"""Look whether a job that was stopped with a savepoint shows one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from airflow_provider_dli.client.flink.status import SAVEPOINTING, shows_new_savepoint
from airflow_provider_dli.exceptions import DliFailException

if TYPE_CHECKING:
    from airflow_provider_dli.client.flink.status import JobTracker


class Warner(Protocol):
    """What is used of a task's log."""

    def warning(self, msg: str, /, *args: object) -> object:
        """Log at WARNING."""
        ...


def prove(watch: JobTracker, log: Warner) -> None:
    """Pass if each job that was to be stopped with a savepoint may have one.

    A job that was asked for it and shows none is warned of only: that the savepoint is made, the manual says, and
    not where it shows. Of one whose stop somebody else had asked for, nobody knows whether with a savepoint.

    :param watch: what was seen of the jobs
    :param log: where to warn
    :raises DliFailException: naming each that was being stopped already, and shows no new savepoint
    """
    lacking = [job_id for job_id in watch.baseline if not _shown(watch, job_id)]
    foreign = [job_id for job_id in lacking if watch.baseline[job_id][0] == "job_canceling"]
    for job_id in [job_id for job_id in lacking if job_id not in foreign]:
        log.warning(
            "Job %d was asked to stop with a savepoint, and shows none: its savepoint_path is as before. Look at "
            "it in the DLI console before you run it on from its savepoint.",
            job_id,
        )
    if foreign:
        raise DliFailException(
            f"job {', '.join(map(str, foreign))} is stopped, but was being stopped before this task came, and "
            "shows no new savepoint. Look at it in the DLI console before you run it on from its savepoint."
        )


def _shown(watch: JobTracker, job_id: int) -> bool:
    job, mark = watch.latest.get(job_id), watch.baseline[job_id]
    return job is not None and (mark[0] == SAVEPOINTING or shows_new_savepoint(job, mark))
