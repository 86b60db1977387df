"""Ask again: jobs that could not be asked when the task began, or came back after they were asked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from airflow_provider_dli.lifecycle.doing import Doing, checked
from airflow_provider_dli.lifecycle.waiting import wait

if TYPE_CHECKING:
    from airflow_provider_dli.client.flink.status import JobTracker
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.lifecycle.deeds import Deed
    from airflow_provider_dli.task_state import RequestLog
    from airflow_provider_dli.wording import TaskLogger


class Again:
    """Asks jobs as soon as they can be asked.

    :param hook: asks the service
    :param deed: what is asked
    :param memory: of the task
    :param settling_time: seconds in which a job may still show no sign that it was asked
    :param log: where to tell
    """

    def __init__(
        self, hook: DliHook, deed: Deed, memory: RequestLog, settling_time: float, log: TaskLogger
    ) -> None:
        self._hook = hook
        self._deed = deed
        self._memory = memory
        self._settling_time = settling_time
        self._log = log

    def wait(self, watch: JobTracker, timeout: float, poll_interval: float) -> None:
        """Wait, as :func:`~airflow_provider_dli.lifecycle.waiting.wait` does, and ask on the way.

        :param watch: takes down what is seen
        :param timeout: seconds
        :param poll_interval: seconds between two looks
        """
        end = time.monotonic() + timeout
        while True:
            wait(self._hook, watch, max(0.0, end - time.monotonic()), poll_interval, self._log)
            left = end - time.monotonic()
            if left <= 0 or not self.ask(watch):
                return
            if watch.ready(self._hook.service_time()):
                time.sleep(min(poll_interval, left))

    def ask(self, watch: JobTracker) -> bool:
        """Send the request to the jobs that can take it now; whether there were any.

        :param watch: what was seen
        :raises DliException: if one could not be asked
        """
        jobs = {job_id: job for job_id in watch.ready(self._hook.service_time()) if (job := watch.latest[job_id])}
        if not jobs:
            return False
        doing = Doing(self._hook, self._deed, self._memory, self._settling_time, self._log, recalls=False)
        done = doing.do(jobs)
        checked(done, watch.job_ids, self._deed)
        watch.baseline |= done.marks
        watch.requested_at = max(watch.requested_at, done.asked)
        for job_id in done.marks:
            del watch.latest[job_id]  # what was seen before it was asked tells nothing any more
        return True
