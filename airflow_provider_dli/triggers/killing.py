"""Stop jobs for a task that is being killed: in bounded time, and without raising."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_dli.client.flink import stop_jobs
from airflow_provider_dli.wording import TaskLogger

if TYPE_CHECKING:
    from airflow_provider_dli.hooks.dli import DliHook

#: seconds; Airflow kills a task for good a minute after it has asked it to end, by default
_LONGEST = 20.0
_FEW = 20


def stop_killed(hook: DliHook, job_ids: Sequence[int], log: TaskLogger) -> None:
    """Request that jobs stop; the outcome is logged.

    In a thread and with connections of its own: a signal may have come in the middle of a request.

    :param hook: on the connection of the task
    :param job_ids: the jobs
    :param log: of the task
    """

    def stop() -> None:
        try:
            hook.sibling().run(stop_jobs(job_ids, trigger_savepoint=False))
        except Exception as error:  # noqa: BLE001 -- whatever it is, the task is being killed
            log.warning("Job %s could not be stopped: %s", listed(job_ids), error)
        else:
            log.warning("Job %s was requested to stop, since the task was killed.", listed(job_ids))

    thread = threading.Thread(target=stop, name="stop_on_kill", daemon=True)
    thread.start()
    thread.join(_LONGEST)
    if thread.is_alive():
        log.warning("Whether job %s stops is not known: no response within %.0f s.", listed(job_ids), _LONGEST)


async def astop_killed(hook: DliHook, job_ids: Sequence[int], log: TaskLogger) -> None:
    """Do the same on an event loop.

    :param hook: on the connection of the task
    :param job_ids: the jobs
    :param log: of the trigger
    """
    try:
        async with asyncio.timeout(_LONGEST), hook:
            await hook.arun(stop_jobs(job_ids, trigger_savepoint=False))
    except Exception as error:  # noqa: BLE001 -- whatever it is, the task is being killed
        problem = str(error) or type(error).__name__
        log.warning("Job %s could not be stopped: %s", listed(job_ids), problem)
    else:
        log.warning("Job %s was requested to stop, since the task was killed.", listed(job_ids))


def listed(job_ids: Sequence[int]) -> str:
    """Name the first jobs.

    :param job_ids: all of them
    """
    return ", ".join(map(str, job_ids[:_FEW])) + (" …" if len(job_ids) > _FEW else "")
