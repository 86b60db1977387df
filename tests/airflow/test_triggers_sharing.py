"""Triggers on one connection share what becomes of its credentials, and what they import."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from typing import Any

import pytest

from airflow_provider_dli.emulator import Emulator
from airflow_provider_dli.triggers.flink import FlinkJobsTrigger


@pytest.fixture
def world(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return the emulator with a job that is on its way, connected with a wrong secret."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", wrong(dli_emulator))
    dli_emulator.world.jobs[101].plan = []
    return dli_emulator


def wrong(world: Emulator) -> str:
    return json.dumps(json.loads(world.connection(retry_budget=0)) | {"password": "wrong-secret"})


async def fired(job_id: int = 101, seconds: float = 20) -> dict[str, Any]:
    """Run a trigger to its event."""
    given: dict[str, Any] = {"dli_conn_id": "dli_default", "poll_interval": 0.1}
    waiting = FlinkJobsTrigger([job_id], "running", deadline=time.time() + seconds, **given)
    async for event in waiting.run():
        payload: dict[str, Any] = event.payload
        return payload
    raise AssertionError("it ended without an event")


def refused(world: Emulator) -> int:
    return sum(request.status == 401 for request in world.requests)


def is_red(event: dict[str, Any]) -> bool:
    return (event["status"], event["transient"]) == ("error", False) and "HTTP 401 APIGW.0301" in event["message"]


async def test_a_wrong_key_is_tried_once_by_all_together(world: Emulator) -> None:
    """More than five failures would lock it for five minutes, for everybody."""
    events = await asyncio.gather(*(fired() for _ in range(20)))
    assert all(map(is_red, events))
    assert (refused(world), len(world.requests)) == (1, 1)


async def test_a_wrong_key_is_tried_once_by_one_after_the_other(world: Emulator) -> None:
    """Who comes later does not try it anew."""
    assert [is_red(await fired()) for _ in range(3)] == [True, True, True]
    assert refused(world) == 1


async def test_a_key_that_goes_bad_while_all_wait(world: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who are under way may meet it too, and nobody tries twice."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", world.connection(retry_budget=0))
    waiting = [asyncio.ensure_future(fired()) for _ in range(3)]
    await asyncio.sleep(0.5)
    assert refused(world) == 0
    world.fault("ShowFlinkJob", "locked", times=None)
    assert all(map(is_red, await asyncio.gather(*waiting)))
    assert refused(world) <= 3


async def test_a_key_that_was_changed_is_tried(world: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, by those who come and by those who wait."""
    assert is_red(await fired())
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", world.connection(retry_budget=0))
    assert (await fired(103))["status"] == "present"
    waiting = asyncio.ensure_future(fired(101, 2))
    await asyncio.sleep(0.4)
    other = world.connection("temporary", retry_budget=0)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", other)
    world.fault("ShowFlinkJob", "locked")
    assert (await waiting)["status"] == "timeout"
    assert refused(world) == 2


async def test_a_connection_that_is_deleted_meanwhile(world: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says that it does not exist."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", world.connection(retry_budget=0))
    waiting = asyncio.ensure_future(fired())
    await asyncio.sleep(0.4)
    monkeypatch.delenv("AIRFLOW_CONN_DLI_DEFAULT")
    world.fault("ShowFlinkJob", "locked")
    event = await waiting
    assert "connection 'dli_default' does not exist" in event["message"]


async def test_keys_that_somebody_hands_out_are_fetched_anew(
    world: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is the same, and the keys are others; but twice in a row is enough."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", world.connection("metadata", retry_budget=0))
    world.fault("ShowFlinkJob", "locked")
    assert (await fired(103))["status"] == "present"
    assert Counter(request.operation for request in world.requests)["GetSecurityKey"] == 2
    world.fault("ShowFlinkJob", "locked", times=None)
    assert is_red(await fired(103))
    assert refused(world) == 3


FREEZES = """
import asyncio, gc
from airflow_provider_dli.triggers import waiting

freezes, freeze = [], gc.freeze
gc.freeze = lambda: (freezes.append(1), freeze())

async def main():
    await asyncio.gather(*(waiting._load() for _ in range(50)))

asyncio.run(main())
print(len(freezes))
"""


def test_what_is_imported_is_frozen_once() -> None:
    """Not once for each that waited for it: what is alive by then would never be collected."""
    done = subprocess.run([sys.executable, "-c", FREEZES], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "1"
