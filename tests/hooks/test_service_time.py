"""Hooks return the time by the service's clock, whichever way the service was called."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_dli.client import flink
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.parameters.models import Selection
from airflow_provider_dli.services.selection import select_jobs
from tests.client.skewed_server import PLACE, SLACK, SkewedServer


@pytest.fixture
def skewed() -> Iterator[SkewedServer]:
    """Return a server that is ten minutes behind."""
    with SkewedServer(-600.0) as server:
        yield server


@pytest.mark.parametrize("kind", [DliHook, ObsHook])
@pytest.mark.parametrize("way", ["sync", "async"])
def test_the_time_is_the_service_s(kind: Any, way: str, connect: Any, skewed: SkewedServer) -> None:
    """And this machine's until a response has come."""
    connect(endpoint=skewed.url, obs_endpoint=skewed.url)
    hook = kind()
    assert hook.clock_offset is None
    assert hook.service_time() == pytest.approx(time.time(), abs=SLACK)
    if way == "async":
        asyncio.run(hook.arun(flink.list_jobs({})) if kind is DliHook else hook.afind(PLACE))
    elif kind is DliHook:
        hook.run(flink.list_jobs({}))
    else:
        hook.find(PLACE)
    assert hook.clock_offset == pytest.approx(-600, abs=SLACK)
    assert hook.service_time() == pytest.approx(time.time() - 600, abs=SLACK)


@pytest.mark.parametrize(("ahead", "meant"), [(0, [2, 3]), (-600, [1, 2, 3]), (600, [3])])
def test_changes_are_by_the_clock_of_dli(connect: Any, skewed: SkewedServer, ahead: int, meant: list[int]) -> None:
    """Which wrote their times; ``changed_since`` is of Airflow's clock. Margin: five seconds."""
    connect(endpoint=skewed.url)
    skewed.ahead = float(ahead)
    since = time.time() - 1800
    # By DLI's clock, half a minute to each side of the moment, and at once.
    times = [since + offset for offset in (-570, 30, 700)]
    jobs = [
        {"job_id": number, "name": f"n{number}", "job_type": "flink_sql_job", "status": "job_init",
         "create_time": 1, "update_time": int(moment * 1000)}
        for number, moment in enumerate(times, 1)
    ]  # fmt: skip
    skewed.listed = {"is_success": "true", "job_list": {"total_count": 3, "jobs": jobs}}
    selection = Selection(changed_since=datetime.fromtimestamp(since, UTC))
    assert [job.job_id for job in select_jobs(DliHook(), selection, logging.getLogger())] == meant
