"""Sensors for Huawei Cloud Data Lake Insight (DLI).

What a task needs is imported when it runs: this module is read with every DAG file that uses it.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from math import inf
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from airflow_provider_dli.compat import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)
from airflow_provider_dli.exceptions import DliException, ExecutionTimeoutError
from airflow_provider_dli.formatting import SafeLog, escaped, format_ids
from airflow_provider_dli.parameters import DEFAULT_CONN_ID, number_of
from airflow_provider_dli.triggers.deferral import (
    LONG_POLL,
    Deferrable,
    UnknownEventError,
    event_status,
    raise_unless_transient,
    seconds_left,
)

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow_provider_dli.client.flink.status import TargetState
    from airflow_provider_dli.compat import Context, XComArg
    from airflow_provider_dli.hooks.base import AccountHook
    from airflow_provider_dli.hooks.obs import ObsHook
    from airflow_provider_dli.parameters import Level
    from airflow_provider_dli.parameters.models import ArchiveSensorParameters
    from airflow_provider_dli.services.jobs import JobWait

__all__ = ["DliExportArchiveSensor", "DliFlinkJobSensor"]

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
    #: the hook that all polls of this task share, and so one token; None before the first
    hook: AccountHook | None = None
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
                self._failure = DliException(
                    "No response came to the poll before the execution_timeout was over. "
                    "Check whether DLI and OBS can be reached, or give the task a longer execution_timeout."
                )
            raise
        self._failure = None
        return polled

    def _poll_with_current_credentials(self, context: Context) -> PokeReturnValue:
        """Poll; once more if the credentials are refused and others can be had."""
        try:
            polled = self._poll(context)
        except DliException as failure:
            hook, self.hook = self.hook, None  # the next poll reads the connection again
            if not (failure.refuses_identity and hook and self._may_have_others(hook)):
                raise
            polled = self._poll(context)
        self._is_authenticated = True
        return polled

    def _may_have_others(self, hook: AccountHook) -> bool:
        """Return whether there may be other credentials than those of this hook."""
        return (self._is_authenticated and hook.fetches_keys) or hook.has_changed()

    def shared(self, hook: Hook) -> Hook:
        """Return the hook that all polls of this task share: this one, if there is none yet."""
        if not isinstance(self.hook, type(hook)):
            self.hook = hook
        return self.hook

    @abstractmethod
    def _poll(self, context: Context) -> PokeReturnValue:
        """Poll once."""

    @abstractmethod
    def _defer(self) -> NoReturn:
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
        except (AirflowSkipException, AirflowRescheduleException):
            raise
        except (Exception, AirflowTaskTimeout) as failure:
            is_final = isinstance(failure, _FINAL) and not isinstance(failure, UnknownEventError)
            if self.never_fail or (self.soft_fail and is_final):
                name = "soft_fail" if self.soft_fail else "never_fail"
                raise AirflowSkipException(
                    escaped(f"Skipping due to {name} is set to True: {failure}")
                ) from failure
            raise


class DliExportArchiveSensor(DliSensor):
    """Wait until archives of exported Flink jobs are in OBS, no longer change, and have an intact directory.

    For exports that somebody else makes. It reads two or three ranges of each archive and verifies its directory;
    every byte is verified by :class:`~airflow_provider_dli.operators.verify.DliVerifyFlinkExportOperator`.

    Pushes a list of reports as ``return_value``, in the form of that operator's.

    .. seealso::
        :doc:`Wait for archives </docs/sensors/archive>`: failures, deferrable mode, XComs, permissions.

    :param zip_file: the archives: one entry ``bucket/key``, a list of them, or ``export.output`` (templated)
    :param dli_conn_id: connection of type ``dli`` (templated)
    :param level: what is verified of each in the end: ``directory``, or ``exists`` for nothing but that it is
        there (templated)
    :param inactivity_period: seconds for which an archive must not have changed, by the time of its last write
        (templated)
    :param deferrable: wait on the triggerer; default: Airflow's ``[operators] default_deferrable``
    :raises DliFailException: if an archive is damaged, or a parameter, the connection or the bucket cannot be used
    :raises DliException: if OBS is in trouble
    :raises AirflowSensorTimeout: if an archive did not appear in time
    """

    template_fields: Sequence[str] = ("zip_file", "dli_conn_id", "level", "inactivity_period")
    ui_color = "#e6f1f2"

    def __init__(
        self,
        *,
        zip_file: Iterable[str | XComArg] | str | XComArg,
        dli_conn_id: str = DEFAULT_CONN_ID,
        level: Level | str = "directory",
        inactivity_period: float | str | timedelta = 0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,  # noqa: ANN401 -- BaseSensorOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.zip_file = zip_file
        self.dli_conn_id = dli_conn_id
        self.level = level
        self.inactivity_period = number_of(inactivity_period)
        self.deferrable = deferrable

    def _poll(self, context: Context) -> PokeReturnValue:
        """Poll once; verify the archives once all are there and no longer change."""
        del context
        from airflow_provider_dli.services import verify

        options, hook = self._prepared()
        if awaited := verify.find_changing(hook, options.zip_file, options.inactivity_period):
            self.log.info("Not there yet, or still changing: %s", format_ids([place.url for place in awaited]))
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=self._verified(options, hook))

    def _defer(self) -> NoReturn:
        from airflow_provider_dli.services import verify

        options, hook = self._prepared()
        self.log.info("Waiting on the triggerer for %s.", format_ids([place.url for place in options.zip_file]))
        others = {"inactivity_period": options.inactivity_period, **self.wait_limits(hook, self.timeout)}
        self.defer_to(verify.wait_trigger(options.zip_file, options.dli_conn_id, self.poke_interval, **others))

    def execute_complete(self, context: Context, event: Any = None) -> list[dict[str, Any]]:  # noqa: ANN401 -- the trigger's
        """Go on after the triggerer has waited."""
        del context
        if event_status(event) == "timeout":
            message = f"Not there, or still changing, after {self.timeout:.0f} s: {event.get('pending')}"
            raise AirflowSensorTimeout(escaped(message))
        return self._verified(*self._prepared(), seconds_left(event, "left") or 0.0)

    def _prepared(self) -> tuple[ArchiveSensorParameters, ObsHook]:
        """Check every parameter, before anything is sent."""
        from airflow_provider_dli.services import verify

        options, hook = verify.prepare_sensor(self)
        return options, self.shared(hook)

    def _verified(
        self, options: ArchiveSensorParameters, hook: ObsHook, left: float = 0.0
    ) -> list[dict[str, Any]]:
        from airflow_provider_dli.services import verify

        wanted = verify.VerifyOptions(options.level)
        interval = self.poke_interval
        reports = verify.verify_archives(
            hook, options.zip_file, wanted, self.log, timeout=left, poll_interval=interval
        )
        verify.raise_for_failures(reports)
        return [report.as_dict() for report in reports]


class DliFlinkJobSensor(DliSensor):
    """Wait until Flink jobs run, have finished, or are stopped, whoever has requested it.

    A job that can no longer reach the state fails the task, once ``status_grace_period`` is over: after a run
    request DLI goes on showing the end of the previous run for a while.

    Pushes the ids of the jobs as ``return_value``, and the jobs with their status as ``jobs``, unless they are
    many.

    .. seealso::
        :doc:`Wait for Flink jobs </docs/sensors/job>`: statuses, failures, deferrable mode, XComs, permissions.

    :param job_ids: the jobs: ids as a list or a string, one id, or the output of another task (templated)
    :param target_state: ``running``, ``finished`` or ``stopped`` (templated)
    :param status_grace_period: seconds, from the beginning of the task, in which a failed or stopped job may still
        show the end of its previous run (templated)
    :param dli_conn_id: connection of type ``dli`` (templated)
    :param deferrable: wait on the triggerer; default: Airflow's ``[operators] default_deferrable``
    :raises DliFailException: if a job has failed or does not exist, or a parameter or the connection cannot be
        used
    :raises DliException: if DLI is in trouble
    :raises AirflowSensorTimeout: if a job did not reach the state in time
    """

    template_fields: Sequence[str] = ("job_ids", "target_state", "status_grace_period", "dli_conn_id")
    ui_color = "#e6f1f2"

    def __init__(
        self,
        *,
        job_ids: Iterable[int | str] | int | str | XComArg,
        target_state: TargetState | str = "running",
        status_grace_period: float | str | timedelta = 60,
        dli_conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,  # noqa: ANN401 -- BaseSensorOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.job_ids = job_ids
        self.target_state = target_state
        self.status_grace_period = number_of(status_grace_period)
        self.dli_conn_id = dli_conn_id
        self.deferrable = deferrable
        self._began: float | None = None
        self._baseline: dict[int, list[Any]] = {}

    def _poll(self, context: Context) -> PokeReturnValue:
        """Poll once; once all jobs have reached the state, they are the result."""
        wait, elapsed = self._prepared(), self._elapsed(context)
        wait.poll()
        wait.tracker.requested_at = wait.hook.service_time() - elapsed
        if wait.pending():
            self.log.info("Not all %s: %s", wait.tracker.target_state, wait.status_counts())
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=self._result(wait, context))

    def _defer(self) -> NoReturn:
        wait = self._prepared()
        hook, tracker = wait.hook, wait.tracker
        # A clock of this machine that is minutes off must not end the grace period on the triggerer.
        began = None if hook.clock_offset is None else hook.service_time() - self._elapsed({})
        self.log.info(
            "Waiting on the triggerer until jobs %s are %s.", format_ids(tracker.job_ids), tracker.target_state
        )
        limits = self.wait_limits(hook, self.timeout)
        # Without the snapshots of this poll, which the trigger's first one takes again: they are most of its row.
        given: dict[str, Any] = {"requested_at": began, "must_move": False, "baseline": {}}
        self.defer_to(wait.trigger(self.poke_interval, limits, **given))

    def execute_complete(self, context: Context, event: Any = None) -> list[int]:  # noqa: ANN401 -- the trigger's
        """Go on after the triggerer has waited."""
        status, wait = event_status(event), self._prepared()
        if status == "done":
            wait.tracker.grace_period = 0  # the trigger has waited for it
        else:
            # A timeout may be shorter: then a job may still show the end of its previous run.
            began = event.get("requested_at")
            wait.tracker.requested_at = inf if began is None else began
        wait.until_over(0, self.poke_interval, seconds_left(event, "left") or 0.0)
        if wait.pending():
            state = wait.tracker.target_state
            message = f"Not all {state} within {self.timeout:.0f} s: {wait.status_counts()}"
            raise AirflowSensorTimeout(escaped(message))
        return self._result(wait, context)

    def _prepared(self) -> JobWait:
        """Check every parameter, before anything is sent."""
        from airflow_provider_dli.services import jobs

        tracker, hook = jobs.prepare_sensor(self)
        tracker.baseline = self._baseline
        return jobs.JobWait(self.shared(hook), tracker, self.log)

    def _result(self, wait: JobWait, context: Context) -> list[int]:
        from airflow_provider_dli.services.selection import push_jobs

        return push_jobs(self, context, wait.result(self.timeout))

    def _elapsed(self, context: Context) -> float:
        """Return the seconds since the task began; in mode ``reschedule`` it begins again for every poll."""
        if self._began is None:
            self._began = time.monotonic()
        since = _seconds_since_first_poll(self, context) if self.reschedule else None
        return time.monotonic() - self._began if since is None else since


def _seconds_since_first_poll(sensor: BaseSensorOperator, context: Context) -> float | None:
    """Return the seconds since the first poll of this attempt; None if there was none before this one."""
    instance: Any = context.get("ti")
    if instance is None:
        return None
    # A task instance of Airflow 3; that of Airflow 2 has no such method.
    get_date = getattr(instance, "get_first_reschedule_date", None)
    first: datetime | None = get_date(context) if get_date else _first_poll_in_airflow_2(sensor, instance)
    return None if first is None else max(0.0, (datetime.now(UTC) - first).total_seconds())


def _first_poll_in_airflow_2(sensor: BaseSensorOperator, instance: Any) -> datetime | None:  # noqa: ANN401 -- Airflow 2's
    """Query the database, as ``BaseSensorOperator.execute`` of Airflow 2 does."""
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
