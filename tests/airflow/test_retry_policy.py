"""When a task is tried again."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction

from airflow_provider_dli.client.errors import NotSentError, ResponseLostError, ThrottledError, UnavailableError
from airflow_provider_dli.exceptions import DliException
from airflow_provider_dli.operators.dli import DliExportFlinkJobsOperator
from airflow_provider_dli.retry_policy import DliRetryPolicy
from dli_emulator import Emulator


def caused_by(cause: Exception) -> DliException:
    """Make the error that a DAG author sees."""
    error = DliException(str(cause))
    error.__cause__ = cause
    return error


def throttled(retry_after: float | None) -> ThrottledError:
    error = ThrottledError("Export", 429, "APIGW.0308", "slow", None)
    error.retry_after = retry_after
    return error


@pytest.mark.parametrize(
    ("cause", "attempt", "seconds"),
    [
        (throttled(None), 1, 120),
        (throttled(None), 2, 240),
        (throttled(600), 1, 600),
        (throttled(999_999_999), 1, 1800),
        (throttled(None), 9, 1800),
        (throttled(None), 100_000, 1800),
        (NotSentError("Export", "host", "refused"), 1, 30),
        (ResponseLostError("Export", "host", "cut"), 3, 120),
        (UnavailableError("Export", 502, None, "bad gateway", None), 1, 30),
    ],
)
def test_transient_errors_are_retried_after_a_delay(cause: Exception, attempt: int, seconds: float) -> None:
    """Later after too many requests, and later with every attempt, but not for ever."""
    decision = DliRetryPolicy().evaluate(caused_by(cause), attempt, 5)
    assert (decision.action, decision.retry_delay) == (RetryAction.RETRY, timedelta(seconds=seconds))
    assert decision.reason


@pytest.mark.parametrize("error", [DliException("not there yet"), ValueError("somebody else's")])
def test_other_errors_are_retried_as_the_task_is_configured(error: Exception) -> None:
    """An archive that is not there yet, or an error that is not ours."""
    assert DliRetryPolicy().evaluate(error, 1, 5).action is RetryAction.DEFAULT


def test_it_survives_being_written_down() -> None:
    """Airflow keeps it as JSON."""
    policy = DliRetryPolicy(throttled=timedelta(seconds=5), longest=timedelta(hours=1))
    again = DliRetryPolicy.deserialize(json.loads(json.dumps(policy.serialize())))
    assert vars(again) == vars(policy)


def test_it_reads_what_a_task_really_raises(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's own ``Retry-After``."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    dli_emulator.fault("ExportFlinkJobs", "throttled", retry_after=300)
    given: dict[str, Any] = {"retries": 3, "retry_policy": DliRetryPolicy()}
    operator = DliExportFlinkJobsOperator(task_id="export", obs_dir=dli_emulator.bucket, **given)
    with pytest.raises(DliException) as caught:
        operator.execute({})
    assert operator.retry_policy is not None
    assert operator.retry_policy.evaluate(caught.value, 1, 3).retry_delay == timedelta(seconds=300)


@pytest.mark.parametrize("before", [[], ["cut_before"], ["html"], ["error"]])
def test_it_reads_the_worst_of_several_batches(
    dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch, before: list[str]
) -> None:
    """The longest ``Retry-After`` of them, whatever else went wrong."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    for kind in before:
        dli_emulator.fault("ExportFlinkJobs", kind, times=1 if kind == "error" else 3)
    for seconds in (300, 600, 20):
        dli_emulator.fault("ExportFlinkJobs", "throttled", retry_after=seconds)
    operator = DliExportFlinkJobsOperator(
        task_id="export", obs_dir=dli_emulator.bucket, job_selected=[100, 101, 102, 103], batch_size=1,
        reconcile_timeout=0,
    )  # fmt: skip
    with pytest.raises(DliException, match="jobs not exported") as caught:
        operator.execute({})
    assert DliRetryPolicy().evaluate(caught.value, 1, 3).retry_delay == timedelta(seconds=600)


def test_a_non_retryable_error_does_not_hide_a_retryable_one(
    dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job is refused for good, another for now: the retry comes for that, and when that may have passed."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    dli_emulator.fault("ExportFlinkJobs", "error", code="DLI.0001")
    dli_emulator.fault("ExportFlinkJobs", "error", code="DLI.0999")
    operator = DliExportFlinkJobsOperator(
        task_id="export", obs_dir=dli_emulator.bucket, job_selected=[100, 101], batch_size=1, reconcile_timeout=0
    )
    with pytest.raises(DliException, match=r"DLI\.0001.*DLI\.0999") as caught:
        operator.execute({})
    assert DliRetryPolicy().evaluate(caught.value, 1, 3).retry_delay == timedelta(seconds=30)
