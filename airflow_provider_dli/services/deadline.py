"""The end of a wait on a worker. Time ends it, and never the number of polls that failed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from logging import Logger
from typing import TypeVar

from airflow_provider_dli.exceptions import DliException
from airflow_provider_dli.triggers.deferral import raise_unless_transient

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a wait ends, and how often it polls until then.

    :param end: by this machine's monotonic clock
    :param poll_interval: seconds between two polls
    :param log: of the task
    """

    end: float
    poll_interval: float
    log: Logger

    @classmethod
    def within(cls, seconds: float, poll_interval: float, log: Logger) -> Deadline:
        """Return the deadline of a wait that begins now.

        :param seconds: that it may take; without any, a poll that fails is not repeated
        :param poll_interval: seconds between two polls
        :param log: of the task
        """
        return cls(time.monotonic() + seconds, poll_interval, log)

    @property
    def left(self) -> float:
        """The seconds that are left; negative once it is over."""
        return self.end - time.monotonic()

    def poll(self, request: Callable[[], T]) -> T:
        """Return the result of a poll, which is repeated where it fails and the next one may succeed.

        :param request: polls once
        :raises DliException: if the poll fails that is the last in time, or in a way that will not pass
        """
        while True:
            try:
                return request()
            except DliException as failure:
                left = self.left
                raise_unless_transient(failure, left)
                self.log.warning("%s Polling again.", failure)
                time.sleep(min(self.poll_interval, left))

    def sleep(self) -> bool:
        """Wait for the next poll; return False at once if time is up."""
        if (left := self.left) <= 0:
            return False
        time.sleep(min(self.poll_interval, left))
        return True
