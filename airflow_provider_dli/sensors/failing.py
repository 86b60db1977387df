"""What the parameters of all sensors say of failures, for looks that are not made by ``BaseSensorOperator``.

What a task needs is imported when it runs: this module is read with every DAG file that uses a sensor.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, BaseSensorOperator

if TYPE_CHECKING:
    from airflow_provider_dli.triggers.patience import Patience


@contextmanager
def as_usual(sensor: BaseSensorOperator) -> Iterator[None]:
    """Skip the task where ``soft_fail`` or ``never_fail`` says so, as after a look on a worker.

    :param sensor: whose look it is
    :raises AirflowSkipException: in the place of a failure
    """
    try:
        yield
    except AirflowSkipException:
        raise
    except Exception as failure:
        hopeless = isinstance(failure, AirflowFailException)
        if sensor.never_fail or (sensor.soft_fail and hopeless):
            name = "soft_fail" if sensor.soft_fail else "never_fail"
            raise AirflowSkipException(f"Skipping due to {name} is set to True.") from failure
        raise


def patience_of(sensor: BaseSensorOperator, *, deferrable: bool) -> Patience:
    """Give the patience of a sensor: none in mode ``reschedule``, where nobody counts from one look to the next.

    :param sensor: whose looks may fail
    :param deferrable: whether all looks but the first are made on the triggerer
    """
    from airflow_provider_dli.triggers.patience import MOST_FAILURES, Patience

    return Patience(1 if sensor.reschedule and not deferrable else MOST_FAILURES)
