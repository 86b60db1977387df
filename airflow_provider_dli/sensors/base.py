"""What the sensors share: where they poll, and what a failure makes of the task.

What a task needs is imported when it runs: this module is read with every DAG file that uses a sensor.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
)

from airflow_provider_dli.escaping import SafeLog
from airflow_provider_dli.exceptions import DliException
from airflow_provider_dli.sensors.failing import skipping
from airflow_provider_dli.triggers.deferral import Deferrable
from airflow_provider_dli.triggers.failures import LONG_POLL, raise_unless_transient

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_dli.hooks.base import AccountHook

Hook = TypeVar("Hook", bound="AccountHook")


class DliSensor(Deferrable, SafeLog, BaseSensorOperator):
    """A sensor that polls on a worker, in mode ``poke`` or ``reschedule``, or on the triggerer.

    Whatever the mode, a poll that fails and may go better the next time is repeated until ``timeout``; a failure
    makes the same of the task (see :mod:`airflow_provider_dli.sensors.failing`).
    """

    deferrable: bool
    dli_conn_id: str
    #: why the last poll failed; None if it did not
    _failure: DliException | None = None
    _hook: AccountHook | None = None
    #: whether a poll went well, and so the credentials were accepted
    _is_answered = False

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
            # One that has just begun says nothing: what the one before it found holds.
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
            if not (failure.refuses_identity and hook and self._has_others(hook)):
                raise
            polled = self._poll(context)
        self._is_answered = True
        return polled

    def _has_others(self, hook: AccountHook) -> bool:
        """Return whether there may be other credentials than those of this hook."""
        return (self._is_answered and hook.fetches_keys) or hook.has_changed()

    def execute(self, context: Context) -> Any:  # noqa: ANN401 -- BaseSensorOperator's
        """Wait here, or on the triggerer."""
        with skipping(self):
            if not self.deferrable:
                return self._wait_here(context)
            polled = self.poke(context)
            if not polled.is_done:
                self._defer()
            return polled.xcom_value

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:  # noqa: ANN401 -- BaseOperator's
        """Go on after the wait on the triggerer; a failure makes of the task what it does on a worker."""
        with skipping(self):
            return super().resume_execution(next_method, next_kwargs, context)

    def _wait_here(self, context: Context) -> Any:  # noqa: ANN401 -- BaseSensorOperator's
        try:
            return super().execute(context)
        except (AirflowSensorTimeout, AirflowSkipException, AirflowTaskTimeout):
            # Nothing is known of what was waited for: the service did not answer to the end.
            if self._failure and not self.silent_fail:
                raise self._failure  # noqa: B904 -- the same one, with its own cause
            raise
