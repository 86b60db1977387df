"""Old place of :mod:`airflow_provider_dli.formatting`; goes at the end of issue 21."""

from __future__ import annotations

from typing import Protocol

from airflow_provider_dli.formatting import format_duration as lasting
from airflow_provider_dli.formatting import pluralize as counted

__all__ = ["Logger", "TaskLogger", "counted", "lasting"]


class Logger(Protocol):
    """What is used of a task's log; write ``logging.Logger`` in new code."""

    def info(self, msg: str, /, *args: object) -> object:
        """Log at INFO."""
        ...

    def warning(self, msg: str, /, *args: object) -> object:
        """Log at WARNING."""
        ...


TaskLogger = Logger
