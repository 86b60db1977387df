"""Stop jobs for a task that is being killed: in bounded time, and without raising."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_dli.client.flink import stop_jobs
from airflow_provider_dli.formatting import format_ids
from airflow_provider_dli.triggers.flink import STOP_WITHIN
from airflow_provider_dli.wording import TaskLogger

if TYPE_CHECKING:
    from airflow_provider_dli.hooks.dli import DliHook


def stop_on_kill(hook: DliHook, job_ids: Sequence[int], log: TaskLogger) -> None:
    """Request that jobs stop, for a task that is being killed; the outcome is logged.

    In a thread and with connections of its own: a signal may have come in the middle of a request.

    :param hook: on the connection of the task
    :param job_ids: the jobs
    :param log: of the task
    """

    def stop() -> None:
        try:
            hook.sibling().run(stop_jobs(job_ids, trigger_savepoint=False))
        except Exception as error:  # noqa: BLE001 -- whatever it is, the task is being killed
            log.warning("Job %s could not be stopped: %s", format_ids(job_ids), error)
        else:
            log.warning("Job %s was requested to stop, since the task was killed.", format_ids(job_ids))

    thread = threading.Thread(target=stop, name="stop_on_kill", daemon=True)
    thread.start()
    thread.join(STOP_WITHIN)
    if thread.is_alive():
        log.warning(
            "Whether job %s stops is not known: no response within %.0f s.", format_ids(job_ids), STOP_WITHIN
        )
