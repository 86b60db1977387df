"""The task's side of a deferred wait: hand over to the triggerer, read its event, resume within the time left.

What a task needs is imported when it runs: this module is read with every DAG file.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, cast

from airflow_provider_dli.compat import BaseOperator
from airflow_provider_dli.exceptions import DliException, DliFailException, ExecutionTimeoutError

if TYPE_CHECKING:
    from airflow_provider_dli.compat import Context
    from airflow_provider_dli.hooks.base import AccountHook
    from airflow_provider_dli.triggers.base import PollingTrigger

#: what Airflow calls instead of a method of the task where its trigger failed or did not report in time
_FAILED = "__fail__"
#: seconds after the end of a wait in which the triggerer may report it, before Airflow fails the task by itself
_REPORT_WITHIN = 60.0
#: seconds; the latest end of a wait that every database can store
_LONGEST = timedelta(days=3650).total_seconds()
#: seconds after which a poll that an ``execution_timeout`` cuts off counts as failed; a shorter one proves nothing
LONG_POLL = 5.0


class Deferrable:
    """A task that may wait on the triggerer; mixed into an operator or a sensor.

    ``execution_timeout`` is one budget for the whole attempt. Airflow 3 starts it again on each worker and
    does not count the time on the triggerer; Airflow 2 does. So what is left of it goes with the trigger and comes
    back with its event: several waits of one attempt share one budget.
    """

    timeout: Any
    execution_timeout: timedelta | None

    def wait_limits(self, hook: AccountHook, timeout: float) -> dict[str, Any]:
        """Return until when the trigger may wait, as its parameters.

        :param hook: has measured the service's clock, which worker and triggerer share; their own may differ
        :raises ExecutionTimeoutError: if nothing of ``execution_timeout`` is left
        """
        left = _execution_left(self.execution_timeout)
        if left is not None and left <= 0:
            raise _timed_out(self.execution_timeout, {})
        deadline = None if hook.clock_offset is None else hook.service_time() + timeout
        return {"deadline": deadline, "timeout": timeout, "execution_left": left}

    def defer_to(self, trigger: PollingTrigger) -> NoReturn:
        """Defer the task; ``execute_complete`` goes on after the wait.

        :param trigger: waits, with the limits of :meth:`wait_limits`
        :raises TaskDeferred: always; it is Airflow's way to suspend a task
        """
        limits = [limit for limit in (trigger.timeout, trigger.execution_left, _LONGEST) if limit is not None]
        # Without it, a task whose triggerer is down would wait for ever.
        backstop = timedelta(seconds=min(limits) + _REPORT_WITHIN)
        cast("BaseOperator", self).defer(trigger=trigger, method_name="execute_complete", timeout=backstop)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:  # noqa: ANN401 -- BaseOperator's
        """Go on after a wait; Airflow calls it in place of ``execute``.

        :param next_method: the method of the task
        :param next_kwargs: its arguments, among them the trigger's event
        :param context: of the task
        :raises ExecutionTimeoutError: if ``execution_timeout`` is over
        :raises DliException: if it is, and the last poll failed
        """
        event = (next_kwargs or {}).get("event")
        left = seconds_left(event, "execution_left")
        if left is not None:
            if left <= 0:
                raise_reported_failure(event)  # of what was waited for nothing is known then
                raise _timed_out(self.execution_timeout, event or {})
            _shorten_alarm(left)
        if next_method == _FAILED and "timeout" in str((next_kwargs or {}).get("error", "")).lower():
            raise self._unreported()
        # BaseSensorOperator's own would skip the task after any failure, with soft_fail.
        return BaseOperator.resume_execution(cast("BaseOperator", self), next_method, next_kwargs, context)

    def _unreported(self) -> DliException:
        """Return the failure of a task whose trigger reported nothing within the time of the wait."""
        problem = f"The trigger reported nothing within the timeout of {self.timeout} s"
        if self.execution_timeout is not None:
            problem += f", or the execution_timeout of {self.execution_timeout}"
            return ExecutionTimeoutError(f"{problem}. Check that a triggerer runs.")
        return DliException(f"{problem}. Check that a triggerer runs.")


def _execution_left(limit: timedelta | None) -> float | None:
    """Return the seconds that are left of an ``execution_timeout``; None if there is none.

    Airflow enforces it on the worker by an alarm, which knows what is left whatever has happened before.
    """
    if limit is None:
        return None
    return min(signal.getitimer(signal.ITIMER_REAL)[0] or limit.total_seconds(), limit.total_seconds())


def _shorten_alarm(left: float) -> None:
    """Let Airflow's alarm for ``execution_timeout`` ring after ``left`` seconds, if it would ring later."""
    if signal.getitimer(signal.ITIMER_REAL)[0] > left:
        signal.setitimer(signal.ITIMER_REAL, left)


def _timed_out(limit: timedelta | None, event: Mapping[str, Any]) -> DliException:
    pending = event.get("pending")
    waited = f" while the task waited on the triggerer for {pending}" if pending else ""
    return ExecutionTimeoutError(
        f"The execution_timeout of {limit} is over{waited}.", advice="Give the task a longer execution_timeout."
    )


def event_status(event: Any) -> str:  # noqa: ANN401 -- whatever the database gave back
    """Return the status of an event of a :class:`~airflow_provider_dli.triggers.base.PollingTrigger`.

    :returns: ``done`` if the wait is over, with whatever outcome, or ``timeout``
    :raises DliException: if the trigger failed in a way that may pass
    :raises DliFailException: if it failed otherwise, or this version does not know such an event
    """
    status = event.get("status") if isinstance(event, Mapping) else None
    if status in ("done", "timeout"):
        return str(status)
    raise_reported_failure(event)
    raise unknown_event(event)


def raise_reported_failure(event: Any) -> None:  # noqa: ANN401 -- whatever the database gave back
    """Raise the failure that an event reports, if it reports one.

    :raises DliException: if the trigger failed in a way that may pass
    :raises DliFailException: if it failed otherwise
    """
    if isinstance(event, Mapping) and event.get("status") == "error":
        kind = DliException if event.get("transient") else DliFailException
        raise kind(str(event.get("message")))


def seconds_left(event: Any, name: str) -> float | None:  # noqa: ANN401 -- whatever the database gave back
    """Return the seconds that an event reports as left of a time; None if it reports none.

    :param name: ``left``, of the wait, or ``execution_left``, of the task's ``execution_timeout``
    """
    left = event.get(name) if isinstance(event, Mapping) else None
    return float(left) if isinstance(left, int | float) else None


def unknown_event(event: Any) -> UnknownEventError:  # noqa: ANN401 -- whatever the database gave back
    """Return the failure for an event that this version does not know; it never means success."""
    return UnknownEventError(
        f"The trigger sent {event!r:.200}, which is not an event of this provider. "
        "Check that the triggerer has the same version of it."
    )


def raise_unless_transient(failure: DliException, left: float = 1.0) -> None:
    """Raise the failure of a poll, unless the next one may succeed and there is time for it.

    The same on a worker and on the triggerer. A wait promises to last for its timeout, so what counts is time, and
    not the number of polls that failed: a service that is down for a while ends no wait.

    :param left: seconds that are left to wait
    """
    # What neither the client nor the time has ended will stay: a connection that does not exist, for instance.
    may_pass = failure.error is not None or isinstance(failure.__cause__, TimeoutError)
    if isinstance(failure, DliFailException) or not may_pass or left <= 0:
        raise failure


class UnknownEventError(DliFailException):
    """An event that this version does not know: not even ``soft_fail`` skips the task for it."""
