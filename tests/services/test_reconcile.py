"""A request that has no idempotency token is sent again only if there is no sign of its result."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_dli.client.errors import DliClientError, ResponseLostError, ThrottledError
from airflow_provider_dli.exceptions import DliException, translated
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.operators.dli import (
    DliDeleteFlinkJobsOperator,
    DliExportFlinkJobsOperator,
    DliImportFlinkJobsOperator,
    DliRunFlinkJobsOperator,
    DliSavepointFlinkJobsOperator,
    DliStopFlinkJobsOperator,
)
from airflow_provider_dli.services.reconcile import MAX_REQUESTS, call_with_reconciliation
from dli_emulator import Emulator
from tests.airflow.stores import TaskInstance

LOG = logging.getLogger(__name__)


def failing(errors: list[DliClientError]) -> Callable[[], str]:
    """Return a function that raises each of the errors in turn, and then returns a response."""

    def send() -> str:
        with translated():
            if errors:
                raise errors.pop(0)
        return "response"

    return send


def lost() -> DliClientError:
    return ResponseLostError("ExportFlinkJobs", "dli.example.com", "the connection ended")


def find_nothing(_: DliException) -> None:
    """Find no result of the request."""


def test_a_response_is_returned_without_a_check() -> None:
    assert call_with_reconciliation(failing([]), lambda _: pytest.fail("checked"), LOG) == "response"


def test_a_result_that_is_found_is_not_requested_again() -> None:
    """Even if the result is falsy."""
    errors = [lost(), lost()]
    assert call_with_reconciliation(failing(errors), lambda _: "", LOG) == ""
    assert len(errors) == 1


def test_without_a_result_the_request_is_sent_three_times(caplog: pytest.LogCaptureFixture) -> None:
    """The error of the last request is raised."""
    caplog.set_level(logging.INFO)
    assert call_with_reconciliation(failing([lost(), lost()]), find_nothing, LOG) == "response"
    assert caplog.messages == ["Sending the request again."] * 2
    checks: list[DliException] = []
    with pytest.raises(DliException) as caught:
        call_with_reconciliation(failing([lost() for _ in range(MAX_REQUESTS)]), checks.append, LOG)
    assert (len(checks), caught.value) == (MAX_REQUESTS, checks[-1])


def test_a_refusal_is_raised_without_a_check() -> None:
    """DLI did nothing: there is no result to find."""
    refused = failing([ThrottledError("ExportFlinkJobs", 429, "APIGW.0308", "too many", None)])
    with pytest.raises(DliException, match="too many"):
        call_with_reconciliation(refused, lambda _: pytest.fail("checked"), LOG)


def test_a_refusal_after_a_lost_response_mentions_it() -> None:
    """The refusal of the second request proves nothing about the first."""
    refused = failing([lost(), ThrottledError("ExportFlinkJobs", 429, "APIGW.0308", "too many", None)])
    with pytest.raises(DliException, match=r"too many.*An earlier request lost its response"):
        call_with_reconciliation(refused, find_nothing, LOG)


def test_the_caller_may_decide_whether_to_retry() -> None:
    with pytest.raises(DliException, match="the connection ended"):
        call_with_reconciliation(failing([lost()]), find_nothing, LOG, should_retry=lambda _: False)


#: operation -> the task that requests it, of a job or of an archive
TASKS: dict[str, Callable[[Emulator, str], Any]] = {
    "ExportFlinkJobs": lambda emulator, _: DliExportFlinkJobsOperator(
        task_id="export", obs_dir=f"{emulator.bucket}/d", job_selected=[100]
    ),
    "ImportFlinkJobs": lambda _, archive: DliImportFlinkJobsOperator(
        task_id="import", zip_file=archive, on_conflict="keep"
    ),
    "BatchRunFlinkJobs": lambda *_: DliRunFlinkJobsOperator(
        task_id="run", job_ids=100, status_grace_period=5, wait_for_completion=False
    ),
    "BatchStopFlinkJobs": lambda *_: DliStopFlinkJobsOperator(
        task_id="stop", job_ids=103, wait_for_completion=False
    ),
    "ExecuteFlinkJobSavepoint": lambda *_: DliSavepointFlinkJobsOperator(
        task_id="save", job_ids=103, wait_for_completion=False
    ),
    "DeleteFlinkJob": lambda *_: DliDeleteFlinkJobsOperator(task_id="delete", job_ids=100),
}


@pytest.mark.parametrize("operation", TASKS)
def test_a_token_that_cannot_be_renewed_is_not_a_lost_response(
    dli_emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    operation: str,
) -> None:
    """DLI has refused the request for its token, so it did nothing, whatever IAM did."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection("access_key"))
    (archive,) = DliHook().export_flink_jobs(f"{dli_emulator.bucket}/there", [100]).zip_file
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection("password", retry_budget=0))
    instance, token = TaskInstance(), "KeystoneCreateUserTokenByPassword"
    # Of DLI, and of OBS where its keys are needed.
    dli_emulator.fault(
        token, "slow", before=0, times=2 if operation in ("ExportFlinkJobs", "ImportFlinkJobs") else 1
    )
    dli_emulator.fault(token, "cut_after", times=None)
    dli_emulator.fault(operation, "expired_token")
    with pytest.raises(DliException, match=f"^{token}: lost the response"):
        TASKS[operation](dli_emulator, archive).execute(instance.context)
    dli_emulator.faults.clear()
    TASKS[operation](dli_emulator, archive).execute(instance.context)
    log = capsys.readouterr().out
    assert not re.search("for (the|its) (outcome|archive)|earlier|no effect", log)
    sent = [request for request in dli_emulator.requests if request.operation == operation]
    assert [request.acted for request in sent[-2:]] == [False, True]
