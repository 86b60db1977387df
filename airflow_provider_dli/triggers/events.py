"""What a task makes of the event that a trigger fired."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_dli.exceptions import DliException, DliFailException


def checked(event: Any) -> str:  # noqa: ANN401 -- whatever the database gave back
    """Give the status of an event of a :class:`~airflow_provider_dli.triggers.waiting.WaitingTrigger`.

    :param event: as Airflow hands it to the task
    :returns: ``present`` if there is something to judge or to do, or ``timeout``
    :raises DliException: if the trigger failed in a way that may pass
    :raises DliFailException: if it failed otherwise, or the event is none that this version knows
    """
    status = event.get("status") if isinstance(event, Mapping) else None
    match status:
        case "present" | "timeout":
            return str(status)
    raise_failure(event)
    raise unknown(event)


def raise_failure(event: Any) -> None:  # noqa: ANN401 -- whatever the database gave back
    """Raise the failure that an event reports, if it reports one.

    :param event: as Airflow hands it to the task
    :raises DliException: if the trigger failed in a way that may pass
    :raises DliFailException: if it failed otherwise
    """
    if isinstance(event, Mapping) and event.get("status") == "error":
        kind = DliException if event.get("transient") else DliFailException
        raise kind(str(event.get("message")))


def seconds_left(event: Any, name: str) -> float | None:  # noqa: ANN401 -- whatever the database gave back
    """Return what an event says is left of a time; None if it does not say.

    :param event: as Airflow hands it to the task
    :param name: ``left``, of the wait, or ``execution_left``, of the task's ``execution_timeout``
    """
    left = event.get(name) if isinstance(event, Mapping) else None
    return float(left) if isinstance(left, int | float) else None


class UnknownEventError(DliFailException):
    """An event that this version does not know: not even ``soft_fail`` skips the task for it."""


def unknown(event: Any) -> UnknownEventError:  # noqa: ANN401 -- whatever the database gave back
    """Return the failure for an event that this version does not know; it never means success.

    :param event: as Airflow hands it to the task
    """
    return UnknownEventError(
        f"The trigger gave {event!r:.200}, which is no event of this provider. "
        "Check that the triggerer has the same version of it."
    )
