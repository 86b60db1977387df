"""What the sensors share: where they poll, and what a failure makes of the task.

What a task needs is imported when it runs: this module is read with every DAG file that uses a sensor.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
)

from airflow_provider_dli.exceptions import DliException
from airflow_provider_dli.formatting import SafeLog, escaped
from airflow_provider_dli.triggers.deferral import (
    LONG_POLL,
    Deferrable,
    ExecutionTimeoutError,
    UnknownEventError,
    raise_unless_transient,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_dli.hooks.base import AccountHook

Hook = TypeVar("Hook", bound="AccountHook")

#: for what ``soft_fail`` is: time is up, or no retry of the task can help
_FINAL = (AirflowSensorTimeout, AirflowTaskTimeout, ExecutionTimeoutError, AirflowFailException)


class DliSensor(Deferrable, SafeLog, BaseSensorOperator):
    """A sensor that polls on a worker, in mode ``poke`` or ``reschedule``, or on the triggerer.

    Whatever the mode, a poll that fails and may succeed the next time is repeated until ``timeout``, and a failure
    makes the same of the task.
    """

    deferrable: bool
    dli_conn_id: str
    #: why the last poll failed; None if it did not
    _failure: DliException | None = None
    _hook: AccountHook | None = None
    #: whether a poll has succeeded, and so the credentials were accepted
    _is_authenticated = False

    def execute(self, context: Context) -> Any:  # noqa: ANN401 -- BaseSensorOperator's
        """Wait here, or on the triggerer."""
        with self._skipping():
            if not self.deferrable:
                return self._wait_here(context)
            polled = self.poke(context)
            if not polled.is_done:
                self._defer()
            return polled.xcom_value

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:  # noqa: ANN401 -- BaseOperator's
        """Go on after the wait on the triggerer; a failure makes of the task what it does on a worker."""
        with self._skipping():
            return super().resume_execution(next_method, next_kwargs, context)

    def _wait_here(self, context: Context) -> Any:  # noqa: ANN401 -- BaseSensorOperator's
        try:
            return super().execute(context)
        except (AirflowSensorTimeout, AirflowSkipException, AirflowTaskTimeout):
            # Nothing is known of what was waited for: the service did not respond to the end.
            if self._failure and not self.silent_fail:
                raise self._failure  # noqa: B904 -- the same one, with its own cause
            raise

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll once; a failure that may pass is a poll that found nothing."""
        began = time.monotonic()
        try:
            polled = self._poll_with_current_credentials(context)
        except DliException as failure:
            raise_unless_transient(failure)
            self._failure = failure
            self.log.warning("%s Polling again in %.0f s.", failure, self.poke_interval)
            return PokeReturnValue(is_done=False)
        except AirflowTaskTimeout:
            # One that has just begun proves nothing: what the one before it found holds.
            if self._failure is None and time.monotonic() - began > LONG_POLL:
                self._failure = DliException("No response came to the poll before the execution_timeout was over.")
            raise
        self._failure = None
        return polled

    def _poll_with_current_credentials(self, context: Context) -> PokeReturnValue:
        """Poll; once more if the credentials are refused and others can be had."""
        try:
            polled = self._poll(context)
        except DliException as failure:
            hook, self._hook = self._hook, None  # the next poll reads the connection again
            if not (failure.refuses_identity and hook and self._may_have_others(hook)):
                raise
            polled = self._poll(context)
        self._is_authenticated = True
        return polled

    def _may_have_others(self, hook: AccountHook) -> bool:
        """Return whether there may be other credentials than those of this hook."""
        return (self._is_authenticated and hook.fetches_keys) or hook.has_changed()

    def open_hook(self, kind: type[Hook]) -> Hook:
        """Return the hook that all polls of this task share, and so one token.

        :param kind: of which class
        """
        if not isinstance(self._hook, kind):
            self._hook = kind(self.dli_conn_id)
        return self._hook

    @abstractmethod
    def _poll(self, context: Context) -> PokeReturnValue:
        """Poll once."""

    @abstractmethod
    def _defer(self) -> None:
        """Hand the wait over to the triggerer."""

    @contextmanager
    def _skipping(self) -> Iterator[None]:
        """Skip the task in place of a failure, as ``soft_fail`` or ``never_fail`` requires.

        ``BaseSensorOperator`` applies these to polls on a worker in one way, and to what comes after a wait on the
        triggerer in another, which depends on the version of Airflow. This is the one for polls: ``soft_fail`` is
        for what no retry can help: time is up, or a :class:`~airflow_provider_dli.exceptions.DliFailException`.
        Where a retry may help (a service is down, the connection does not exist yet) the task fails.
        ``never_fail`` is for any failure.

        :raises AirflowSkipException: in place of the failure
        """
        try:
            yield
        except (AirflowSkipException, _reschedule_exception()):
            raise
        except (Exception, AirflowTaskTimeout) as failure:
            is_final = isinstance(failure, _FINAL) and not isinstance(failure, UnknownEventError)
            if self.never_fail or (self.soft_fail and is_final):
                name = "soft_fail" if self.soft_fail else "never_fail"
                raise AirflowSkipException(
                    escaped(f"Skipping due to {name} is set to True: {failure}")
                ) from failure
            raise


def _reschedule_exception() -> type[Exception]:
    """Return what a sensor in mode ``reschedule`` raises to be called again; it is not a failure."""
    try:
        from airflow.sdk.exceptions import AirflowRescheduleException
    except ImportError:  # Airflow 2
        from airflow.exceptions import AirflowRescheduleException
    kind: type[Exception] = AirflowRescheduleException
    return kind
