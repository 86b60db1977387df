"""The log of operators, sensors, triggers and hooks, whichever library Airflow makes it with."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from airflow_provider_dli.escaping import escaped, safe_logger


class SafeLog:
    """Mixin whose ``log`` escapes what came from outside, so that no call can forget to."""

    @property
    def log(self) -> Any:  # noqa: ANN401 -- a logger of logging in Airflow 2, of structlog in Airflow 3
        """Airflow's own logger for this object; no line of it can pass for several."""
        own: Any = super().log  # type: ignore[misc]  # of the class that it is mixed into
        if isinstance(own, logging.Logger):
            return safe_logger(own.name)
        import structlog  # noqa: PLC0415 -- Airflow 2 has none

        # The first processor of all: it gets the line with its arguments in it.
        processors = [_escape, *structlog.get_config()["processors"]]
        return structlog.wrap_logger(None, processors, logger_factory_args=own._logger_factory_args)  # noqa: SLF001


def _escape(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["event"] = escaped(str(event["event"]))
    return event
