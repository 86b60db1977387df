"""Metrics of the operators, in Airflow's own Stats: StatsD or OpenTelemetry, as Airflow is configured.

They cost nothing where Airflow has no metrics, and never fail a task.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client import errors
from airflow_provider_dli.compat import AirflowSkipException, AirflowTaskTimeout
from airflow_provider_dli.exceptions import DliException, ExecutionTimeoutError
from airflow_provider_dli.formatting import format_duration, safe_logger

if TYPE_CHECKING:
    from airflow_provider_dli.compat import Context

#: what operators do, in names of metrics
ACTIONS = (
    "backup",
    "export",
    "verify",
    "import",
    "restore",
    "compare",
    "coverage",
    "promote",
    "list",
    "run",
    "stop",
    "savepoint",
    "delete",
    "verify_backups",
    "expire",
    "copy",
    "drill",
)
_TIMEOUT = ("timeout", "`execution_timeout` ended the task")
#: of an error of the client, or of what else fails a task: the last part of a metric's name, and what it means
KINDS: Mapping[type[BaseException], tuple[str, str]] = {
    errors.ConfigurationError: ("configuration", "a parameter or the connection cannot be used; nothing was sent"),
    errors.NotSentError: ("unreachable", "the service cannot be reached"),
    errors.ResponseLostError: ("response_lost", "the response of a request was lost"),
    errors.AuthenticationError: ("authentication", "the credentials are refused"),
    errors.PermissionDeniedError: ("permission", "the key lacks a permission"),
    errors.ThrottledError: ("throttled", "too many requests"),
    errors.RefusedError: ("refused", "the service refuses the request"),
    errors.UnavailableError: ("unavailable", "the service is in trouble"),
    errors.UnexpectedReplyError: ("unexpected_reply", "the response is not what the manual promises"),
    ExecutionTimeoutError: _TIMEOUT,
    DliException: ("result", "an archive is damaged or missing, a job is not as required, or a wait timed out"),
    AirflowTaskTimeout: _TIMEOUT,
    Exception: ("other", "something else: a bug of the provider, or of Airflow"),
}
#: name -> type in StatsD, and what it means
METRICS: Mapping[str, tuple[str, str]] = {
    "dli.{action}.succeeded": ("counter", "tasks that succeeded"),
    "dli.{action}.failed.{kind}": ("counter", "attempts of tasks that failed, by the kind of failure"),
    "dli.{action}.duration": ("timer", "from the start of the attempt to its end, with waits on the triggerer"),
    "dli.backup.jobs": ("counter", "jobs in backups that were made"),
    "dli.backup.archives": ("counter", "archives of these backups"),
    "dli.backup.bytes": ("counter", "bytes of these archives"),
    "dli.export.archives": ("counter", "archives that were exported"),
    "dli.export.jobs": ("counter", "jobs that were exported"),
    "dli.verify.archives": ("counter", 'archives that were verified, and are intact; not with `level="exists"`'),
    "dli.verify.bytes": ("counter", 'bytes of these archives, with `level="full"` only'),
    "dli.verify.defective": ("counter", "archives that are missing, damaged or not as required"),
    "dli.coverage.problems.{problem}": (
        "counter",
        "problems of jobs and backups, by [kind](operators/coverage.md)",
    ),
    "dli.last_backup.{project_id}": ("gauge", "when the youngest usable backup was exported, in epoch seconds"),
    "dli.oldest_backup_age.{project_id}": (
        "gauge",
        "seconds since the last usable backup of the job with the oldest one; without jobs that have none",
    ),
    "dli.import.jobs": ("counter", "jobs that were imported"),
    "dli.restore.jobs": ("counter", "jobs that were restored"),
    "dli.drill.jobs": ("counter", "jobs that a drill has restored, and that equal their sources"),
    "dli.drill.unequal": ("counter", "jobs that a drill could not restore as they were"),
    "dli.verify_backups.backups": ("counter", "backups that were verified again, and are intact"),
    "dli.verify_backups.bytes": ("counter", "bytes of archives that were read for it"),
    "dli.verify_backups.damaged": ("counter", "backups that are damaged, each in every run until it is deleted"),
    "dli.expire.backups": ("counter", "backups that were deleted"),
    "dli.expire.bytes": ("counter", "bytes of their archives"),
}

_log = safe_logger(__name__)


@contextmanager
def observing(operator: Any, context: Context) -> Iterator[None]:  # noqa: ANN401 -- any of ours
    """Count the outcome of a task, and log how long it took.

    A task that is skipped or deferred is not counted. A failure is not logged: Airflow does that.
    """
    began, action = time.monotonic(), operator.action
    try:
        yield
    except BaseException as failure:
        if kind := kind_of(failure):
            count(context, f"dli.{action}.failed.{kind}")
            _time(context, action, began)
        raise
    count(context, f"dli.{action}.succeeded")
    operator.log.info("%s succeeded in %s.", named(action), format_duration(_time(context, action, began)))


def named(action: str) -> str:
    """Return an action as the first words of a line of the log."""
    return action.replace("_", " ").capitalize()


def kind_of(failure: BaseException) -> str | None:
    """Return the kind of a failure, as in :data:`KINDS`; None for what is none, such as a deferral."""
    if isinstance(failure, AirflowSkipException):
        return None
    if isinstance(failure, DliException) and failure.is_configuration:
        return KINDS[errors.ConfigurationError][0]
    found = (failure.error if isinstance(failure, DliException) else None) or failure
    return next((name for kind, (name, _) in KINDS.items() if isinstance(found, kind)), None)


def count(context: Context, name: str, number: int = 1) -> None:
    """Add to a counter."""
    if number:
        _emit(context, "incr", name, number)


def gauge(context: Context, name: str, value: float) -> None:
    """Send what has a value at any time."""
    _emit(context, "gauge", name, value)


def _time(context: Context, action: str, began: float) -> float:
    """Return the seconds since the attempt began, on whichever worker, and send them as a metric."""
    started: Any = getattr(context.get("ti"), "start_date", None)
    seconds = time.monotonic() - began
    if isinstance(started, datetime) and started.tzinfo:
        seconds = max(seconds, (datetime.now(UTC) - started).total_seconds())
    _emit(context, "timing", f"dli.{action}.duration", timedelta(seconds=seconds))
    return seconds


def _emit(context: Context, kind: str, name: str, value: float | timedelta) -> None:
    task_instance: Any = context.get("ti")
    names = {key: getattr(task_instance, key, None) for key in ("dag_id", "task_id")}
    try:
        from airflow_provider_dli.compat import Stats  # noqa: PLC0415 -- not when a DAG file is read

        getattr(Stats, kind)(name, value, tags={key: each for key, each in names.items() if each})
    except Exception as error:  # noqa: BLE001 -- whatever a backend of metrics raises, the task goes on
        _log.warning("The metric %s was not sent: %s", name, error)
