"""The table of faults, row by row, through hook and both drivers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.call import Call
from airflow_provider_dli.exceptions import DliException
from airflow_provider_dli.hooks.dli import DliHook
from tests.faults import table

pytestmark = pytest.mark.slow

Connect = Callable[[Any], None]
DRIVERS: dict[str, Callable[[DliHook, Call[Any]], Any]] = {
    "sync": lambda hook, call: hook.run(call),
    "async": lambda hook, call: asyncio.run(hook.arun(call)),
}


@pytest.fixture
def connect(dli_emulator: Any, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Return a function that sets the connection as a row wants it."""

    def set_connection(row: Any) -> None:
        read_timeout = 3 if row.kind == "slow" else 60
        connection = dli_emulator.connection(row.auth_type, retry_budget=row.budget, read_timeout=read_timeout)
        monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", connection)

    return set_connection


def call_of(operation: str, bucket: str) -> Call[Any]:
    calls: dict[str, Call[Any]] = {
        "ExportFlinkJobs": flink.export_jobs(f"{bucket}/faults"),
        "ListFlinkJobs": flink.list_jobs({}),
        "ShowFlinkJob": flink.show_job(100),
    }
    return calls[operation]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("row", table.ROWS, ids=str)
def test_a_row(row: Any, driver: str, dli_emulator: Any, connect: Connect) -> None:
    """Outcome, requests seen, archives in the store, message: the same in both drivers."""
    connect(row)
    dli_emulator.fault(row.operation, row.kind, times=row.times, **row.parameters)
    call = call_of(row.operation, dli_emulator.bucket)
    outcome, message = table.RESULT, ""
    try:
        DRIVERS[driver](DliHook(), call)
    except DliException as error:
        outcome, message = type(error).__name__, str(error)
    assert outcome == row.outcome, message
    assert row.message in message
    assert "\n" not in message
    requests = [request for request in dli_emulator.requests if request.operation == row.operation]
    assert len(requests) == row.requests
    stored = dli_emulator.s3.list_objects_v2(Bucket=dli_emulator.bucket).get("KeyCount", 0)
    assert stored == row.exports


def test_the_page_is_made_from_the_table() -> None:
    """``python -m tests.faults.table`` writes it again."""
    assert table.PAGE.read_text(encoding="utf-8") == table.page()


def test_there_are_rows_enough() -> None:
    """No row twice."""
    assert len({str(row) + str(row.budget) for row in table.ROWS}) == len(table.ROWS) >= 25
