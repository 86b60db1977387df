"""A triggerer whose clock is minutes off: waits are as long as they would be with a correct one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_dli.compat import TaskDeferred
from airflow_provider_dli.sensors.dli import DliExportArchiveSensor, DliFlinkJobSensor
from dli_emulator import Emulator
from tests.zipped import zipped

pytestmark = pytest.mark.slow

#: a triggerer: for each line of its input, its clock is so many seconds ahead of everybody else's
TRIGGERER = """
import asyncio, json, os, sys, time

ahead, right = 0.0, time.time
time.time = lambda: right() + ahead
from importlib import import_module

async def fire(trigger):
    async for event in trigger.run():
        return event.payload

for line in sys.stdin:
    ahead, connection, path, fields = json.loads(line)
    os.environ["AIRFLOW_CONN_DLI_DEFAULT"] = connection
    module, _, name = path.rpartition(".")
    began = time.monotonic()
    event = asyncio.run(fire(getattr(import_module(module), name)(**fields)))
    print("EVENT", json.dumps([event, time.monotonic() - began]), flush=True)
"""

Fire = Callable[..., tuple[dict[str, Any], float]]


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    dli_emulator.state.jobs[101].plan = []
    return dli_emulator


@pytest.fixture(scope="module")
def fired() -> Iterator[Fire]:
    """Return a function that defers a sensor, and has a triggerer wait whose clock is so many seconds ahead.

    It returns the event, and the seconds that it took.
    """
    with subprocess.Popen(
        [sys.executable, "-c", TRIGGERER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        given, output = process.stdin, process.stdout

        def fire(sensor: Any, ahead: float, **changed: Any) -> tuple[dict[str, Any], float]:
            with pytest.raises(TaskDeferred) as deferred:
                sensor.execute({})
            path, fields = deferred.value.trigger.serialize()
            order = [ahead, os.environ["AIRFLOW_CONN_DLI_DEFAULT"], path, {**fields, **changed}]
            given.write(json.dumps(order) + "\n")
            given.flush()
            # Airflow may print lines of its own.
            line = next(line for line in output if line.startswith("EVENT "))
            event, seconds = json.loads(line.removeprefix("EVENT "))
            return event, seconds

        yield fire
        given.close()


@pytest.mark.parametrize("ahead", [600, -600])
@pytest.mark.parametrize("kind", ["archive", "job"])
def test_a_wait_ends_by_the_service_s_clock(emulator: Emulator, fired: Fire, kind: str, ahead: float) -> None:
    """Not at once where the clock is ahead, nor ten minutes late where it is behind."""
    given: dict[str, Any] = {"deferrable": True, "poke_interval": 0.5, "timeout": 8}
    archive = f"{emulator.bucket}/never.zip"
    sensor: Any = (
        DliExportArchiveSensor(task_id="wait", zip_file=archive, **given)
        if kind == "archive"
        else DliFlinkJobSensor(task_id="wait", job_ids=[101], **given)
    )
    # As where this is the second triggerer of the wait: only the deadline shows how long it may be.
    event, seconds = fired(sensor, ahead, timeout=3600)
    assert event["status"] == "timeout"
    assert 0.5 < seconds < 60


def test_an_archive_is_inactive_by_the_clock_of_the_service(emulator: Emulator, fired: Fire) -> None:
    """It was written a moment ago, whatever this machine's clock shows."""
    emulator.s3.put_object(Bucket=emulator.bucket, Key="a.zip", Body=zipped())
    written = time.time()
    name = f"{emulator.bucket}/a.zip"
    sensor = DliExportArchiveSensor(
        task_id="wait", zip_file=name, deferrable=True, poke_interval=0.5, inactivity_period=9
    )
    event, _ = fired(sensor, 600)
    assert event["status"] == "done"
    assert time.time() - written > 7


def test_without_the_service_s_clock_the_timeout_counts(
    emulator: Emulator, fired: Fire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that is down shows no time: the wait is as long as it was promised."""
    nobody = "http://127.0.0.1:9"
    connection = emulator.connection(retry_budget=0, endpoint=nobody, obs_endpoint=nobody)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", connection)
    sensor = DliFlinkJobSensor(task_id="wait", job_ids=[103], deferrable=True, poke_interval=0.5, timeout=3)
    event, seconds = fired(sensor, 600)
    assert (event["status"], event["transient"]) == ("error", True)
    assert 2 < seconds < 60
