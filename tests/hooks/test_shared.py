"""Triggers on one connection share whether its credentials are refused, and the look-up of the connection."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from typing import Any

import pytest

from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.triggers.flink import FlinkJobsTrigger
from airflow_provider_dli.triggers.obs import ArchivesTrigger
from dli_emulator import Emulator
from dli_emulator.keys import AccessKey
from tests.airflow.airflow_process import until
from tests.airflow.execution_modes import event_of


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return the emulator with a job that is on its way, connected with a wrong secret."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", wrong(dli_emulator))
    dli_emulator.state.jobs[101].plan = []
    return dli_emulator


def wrong(emulator: Emulator) -> str:
    return json.dumps(json.loads(emulator.connection(retry_budget=0)) | {"password": "wrong-secret"})


async def fired(
    job_id: int = 101, seconds: float = 60, *, kind: type[FlinkJobsTrigger] = FlinkJobsTrigger, **limits: Any
) -> dict[str, Any]:
    """Run a trigger to its event."""
    given: dict[str, Any] = {"dli_conn_id": "dli_default", "poll_interval": 0.1, **limits}
    return await event_of(kind([job_id], "running", deadline=time.time() + seconds, **given))


async def archive_fired(emulator: Emulator) -> dict[str, Any]:
    """Run a trigger for an archive to its event."""
    return await event_of(ArchivesTrigger([f"{emulator.bucket}/late.zip"], "dli_default", 0.1, time.time() + 60))


def refused(emulator: Emulator) -> int:
    return sum(request.status == 401 for request in emulator.requests)


def is_authentication_error(event: dict[str, Any]) -> bool:
    return (event["status"], event["transient"]) == ("error", False) and "HTTP 401 APIGW.0301" in event["message"]


async def test_a_wrong_key_is_sent_once_by_concurrent_triggers(emulator: Emulator) -> None:
    """More than five failures would lock it for five minutes, for everybody."""
    events = await asyncio.gather(*(fired() for _ in range(20)))
    assert all(map(is_authentication_error, events))
    assert (refused(emulator), len(emulator.requests)) == (1, 1)


async def test_a_wrong_key_is_sent_once_by_successive_triggers(emulator: Emulator) -> None:
    """Later triggers do not send it again."""
    assert [is_authentication_error(await fired()) for _ in range(3)] == [True, True, True]
    assert refused(emulator) == 1


async def test_a_key_that_goes_bad_while_all_wait(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests in progress may be refused too, and no trigger retries."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", emulator.connection(retry_budget=0))
    waiting = [asyncio.ensure_future(fired()) for _ in range(3)]
    await asyncio.sleep(0.5)
    assert refused(emulator) == 0
    emulator.fault("ShowFlinkJob", "locked", times=None)
    assert all(map(is_authentication_error, await asyncio.gather(*waiting)))
    assert refused(emulator) <= 3


@pytest.mark.slow
async def test_a_changed_key_is_used(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, by those who come and by those who wait."""
    assert is_authentication_error(await fired())
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", emulator.connection(retry_budget=0))
    assert (await fired(103))["status"] == "done"
    waiting = asyncio.ensure_future(fired(101, 2))
    await asyncio.sleep(0.4)
    other = emulator.connection("temporary", retry_budget=0)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", other)
    emulator.fault("ShowFlinkJob", "locked")
    assert (await waiting)["status"] == "timeout"
    assert refused(emulator) == 2


async def test_a_connection_that_is_deleted_meanwhile(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message reports that it does not exist."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", emulator.connection(retry_budget=0))
    waiting = asyncio.ensure_future(fired())
    await asyncio.sleep(0.4)
    monkeypatch.delenv("AIRFLOW_CONN_DLI_DEFAULT")
    emulator.fault("ShowFlinkJob", "locked")
    event = await waiting
    assert "connection 'dli_default' does not exist" in event["message"]


async def test_refused_issued_keys_are_fetched_again(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is the same, and the keys are others; but twice in a row is enough."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", emulator.connection("metadata", retry_budget=0))
    emulator.fault("ShowFlinkJob", "locked")
    assert (await fired(103))["status"] == "done"
    assert Counter(request.operation for request in emulator.requests)["GetSecurityKey"] == 2
    emulator.fault("ShowFlinkJob", "locked", times=None)
    assert is_authentication_error(await fired(103))
    assert refused(emulator) == 3


def revoke(emulator: Emulator) -> list[AccessKey]:
    """End all temporary keys that were issued; return them."""
    issued = [key for key in emulator.state.keys.access_keys.values() if key.security_token]
    for key in issued:
        key.expires = 0.0
    return issued


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["metadata", "agency", "temporary"])
@pytest.mark.parametrize("what", ["jobs", "archives"])
async def test_all_go_on_with_new_keys(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, kind: str, what: str
) -> None:
    """They poll at once while keys are rotated; one of them tests the new ones, and none is locked."""

    def connection() -> str:
        credentials: Any = ("access_key", True) if kind == "agency" else (kind, False)
        return emulator.connection(credentials[0], agency=credentials[1], retry_budget=0)

    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", connection())
    waiting = [asyncio.ensure_future(fired() if what == "jobs" else archive_fired(emulator)) for _ in range(5)]
    keys = emulator.state.keys.access_keys
    await asyncio.to_thread(until, lambda: any(key.security_token for key in keys.values()), 60)
    await asyncio.sleep(1)
    old = revoke(emulator)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", connection())
    await asyncio.sleep(1)
    assert [trigger for trigger in waiting if trigger.done()] == []
    emulator.state.jobs[101].begin(["job_running"], time.time(), 0)
    await asyncio.to_thread(emulator.s3.put_object, Bucket=emulator.bucket, Key="late.zip", Body=b"x")
    assert [(await trigger)["status"] for trigger in waiting] == ["done"] * 5
    assert old
    assert [key for key in keys.values() if key.failures or key.locked_until] == []


@pytest.mark.slow
async def test_one_slow_response_stalls_no_other_trigger(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even the first one, which the others leave alone for a few seconds."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", emulator.connection(retry_budget=0, read_timeout=600))
    emulator.fault("ShowFlinkJob", "hang")
    stalled = asyncio.ensure_future(fired(103))
    await asyncio.sleep(0.3)
    async with asyncio.timeout(60):
        events = await asyncio.gather(*(fired(103) for _ in range(5)))
    assert [event["status"] for event in events] == ["done"] * 5
    assert not stalled.done()
    stalled.cancel()


@pytest.mark.slow
async def test_a_lookup_that_hangs_stalls_no_other_connection(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is it waited for beyond the time that the task has."""
    hanging = threading.Event()

    class Hanging(DliHook):
        @classmethod
        def get_connection(cls, conn_id: str) -> Any:
            del conn_id
            hanging.wait(60)
            raise AssertionError("nobody waits for it any more")

        @classmethod
        async def aget_connection(cls, conn_id: str) -> Any:
            del conn_id
            await asyncio.sleep(3600)

    class HangingTrigger(FlinkJobsTrigger):
        hook_class = Hanging

    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", emulator.connection(retry_budget=0))
    stalled = [asyncio.ensure_future(fired(103, kind=HangingTrigger, execution_left=3)) for _ in range(3)]
    await asyncio.sleep(0.3)
    assert (await fired(103))["status"] == "done"
    assert [trigger for trigger in stalled if trigger.done()] == []
    async with asyncio.timeout(40):
        events = await asyncio.gather(*stalled)
    hanging.set()
    assert [(event["status"], event["execution_left"] <= 0) for event in events] == [("timeout", True)] * 3


@pytest.mark.slow
async def test_a_response_that_does_not_come_ends_with_the_time_of_the_task(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its execution timeout is over, whatever the service does."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", emulator.connection(retry_budget=0, read_timeout=600))
    emulator.fault("ShowFlinkJob", "hang")
    async with asyncio.timeout(60):
        event = await fired(103, 3600, execution_left=1.0)
    assert event["status"] == "timeout"
    assert event["execution_left"] <= 0


@pytest.mark.slow
async def test_corrected_settings_are_used(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait survives a wrong endpoint, once the connection is corrected."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_DLI_DEFAULT", emulator.connection(retry_budget=0, endpoint="http://127.0.0.1:9")
    )
    waiting = [asyncio.ensure_future(fired(103, 60)) for _ in range(3)]
    await asyncio.sleep(0.5)
    assert [trigger for trigger in waiting if trigger.done()] == []
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", emulator.connection(retry_budget=0))
    assert [(await trigger)["status"] for trigger in waiting] == ["done"] * 3
