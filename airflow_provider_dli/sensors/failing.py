"""What a failure makes of a sensor's task: one rule, whether it polls on a worker or on the triggerer.

``BaseSensorOperator`` applies ``soft_fail`` and ``never_fail`` to polls on a worker in one way, and to what comes
after a wait on the triggerer in another, which depends on the version of Airflow. This is the one for polls.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
)

from airflow_provider_dli.escaping import escaped
from airflow_provider_dli.triggers.deferral import ExecutionTimeoutError
from airflow_provider_dli.triggers.events import UnknownEventError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseSensorOperator

#: for what ``soft_fail`` is: time is up, or no retry of the task can make it better
_FINAL = (AirflowSensorTimeout, AirflowTaskTimeout, ExecutionTimeoutError, AirflowFailException)


@contextmanager
def skipping(sensor: BaseSensorOperator) -> Iterator[None]:
    """Skip the task in place of a failure where ``soft_fail`` or ``never_fail`` says so.

    ``soft_fail`` is for what no retry can make better: time is up, or a
    :class:`~airflow_provider_dli.exceptions.DliFailException`. Where a retry may help (a service is down, the
    connection does not exist yet) the task fails. ``never_fail`` is for any failure.

    :param sensor: whose task it is
    :raises AirflowSkipException: in place of the failure
    """
    try:
        yield
    except (AirflowSkipException, _reschedule()):
        raise
    except (Exception, AirflowTaskTimeout) as failure:
        is_final = isinstance(failure, _FINAL) and not isinstance(failure, UnknownEventError)
        if sensor.never_fail or (sensor.soft_fail and is_final):
            name = "soft_fail" if sensor.soft_fail else "never_fail"
            raise AirflowSkipException(escaped(f"Skipping due to {name} is set to True: {failure}")) from failure
        raise


def _reschedule() -> type[Exception]:
    """Return what a sensor in mode ``reschedule`` raises to be called again; it is no failure."""
    try:
        from airflow.sdk.exceptions import AirflowRescheduleException
    except ImportError:  # Airflow 2
        from airflow.exceptions import AirflowRescheduleException
    kind: type[Exception] = AirflowRescheduleException
    return kind
