"""When a sensor in mode ``reschedule`` polled first, where each Airflow tells it."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseSensorOperator, Context


def seconds_since_first_poll(sensor: BaseSensorOperator, context: Context) -> float | None:
    """Return the seconds since the first poll of this attempt; None if there was none before this one.

    :param sensor: in mode ``reschedule``
    :param context: of the task
    """
    instance: Any = context.get("ti")
    if instance is None:
        return None
    # A task instance of Airflow 3; that of Airflow 2 has no such method.
    ask = getattr(instance, "get_first_reschedule_date", None)
    first: datetime | None = ask(context) if ask else _of_airflow_2(sensor, instance)
    return None if first is None else max(0.0, (datetime.now(UTC) - first).total_seconds())


def _of_airflow_2(sensor: BaseSensorOperator, instance: Any) -> datetime | None:  # noqa: ANN401 -- Airflow 2's
    """Ask the database, as ``BaseSensorOperator.execute`` of Airflow 2 does."""
    base = import_module("airflow.sensors.base")
    first_attempt = (instance.max_tries or 0) - (sensor.retries or 0) + 1
    query: Any = base._orig_start_date  # noqa: SLF001 -- there is no public one
    began: datetime | None = query(
        dag_id=instance.dag_id,
        task_id=instance.task_id,
        run_id=instance.run_id,
        map_index=instance.map_index,
        try_number=first_attempt,
    )
    return began
