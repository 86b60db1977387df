"""Waiting on the triggerer: what is handed over, what the trigger reports, what the task makes of it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from airflow.configuration import conf

from airflow_provider_dli.compat import TaskDeferred
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.hooks import shared
from airflow_provider_dli.operators.dli import DliVerifyFlinkExportOperator
from airflow_provider_dli.triggers.obs import ArchivesTrigger
from tests.airflow.airflow_process import AirflowProcess, until
from tests.airflow.execution_modes import event_of
from tests.zipped import zipped


def archive(*jobs: int) -> bytes:
    """Make an archive of jobs."""
    return zipped({f"{job}.json": "{}" for job in jobs})


@pytest.fixture
def emulator(dli_emulator: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the emulator, connected through the proxy that scripts faults."""
    connection = dli_emulator.connection("access_key", obs_endpoint=dli_emulator.dli, retry_budget=0)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", connection)
    return dli_emulator


def put(emulator: Any, key: str, *jobs: int) -> str:
    """Write an archive to the store."""
    emulator.s3.put_object(Bucket=emulator.bucket, Key=key, Body=archive(*jobs))
    return f"{emulator.bucket}/{key}"


def verify(zip_file: Any, **parameters: Any) -> DliVerifyFlinkExportOperator:
    """Make the task."""
    given = {"timeout": 120, "poll_interval": 0.1, "deferrable": True, **parameters}
    return DliVerifyFlinkExportOperator(task_id="verify", zip_file=zip_file, **given)


def trigger(zip_file: list[str], **parameters: Any) -> ArchivesTrigger:
    """Make a trigger that does not wait long."""
    given = {"poll_interval": 0.1, "deadline": time.time() + 120, **parameters}
    return ArchivesTrigger(zip_file, "dli_default", **given)


def test_what_is_there_is_verified_at_once(emulator: Any) -> None:
    """No detour through the triggerer."""
    (report,) = verify(put(emulator, "a.zip", 1)).execute({})
    assert report["verified"]


@pytest.mark.slow
def test_what_is_not_there_is_handed_to_the_triggerer(emulator: Any) -> None:
    """With plain values and no secret; only what is missing is waited for."""
    there = put(emulator, "a.zip", 1)
    with pytest.raises(TaskDeferred) as deferred:
        verify([there, f"{emulator.bucket}/b.zip"]).execute({})
    path, given = deferred.value.trigger.serialize()
    assert path == "airflow_provider_dli.triggers.obs.ArchivesTrigger"
    assert given["zip_file"] == [f"{emulator.bucket}/b.zip"]
    assert given["dli_conn_id"] == "dli_default"
    assert abs(given["deadline"] - time.time() - 120) < 60
    assert emulator.secret_key not in repr(given)
    assert ArchivesTrigger(**given).serialize() == (path, given)
    assert deferred.value.method_name == "execute_complete"


@pytest.mark.slow
def test_airflows_configuration_decides_whether_to_defer() -> None:
    """As for any operator that can; Airflow's default is not to."""
    assert conf.getboolean("operators", "default_deferrable") is False
    assert DliVerifyFlinkExportOperator(task_id="verify", zip_file="x").deferrable is False
    code = (
        "from airflow_provider_dli.operators.dli import DliVerifyFlinkExportOperator as Operator\n"
        "print(Operator(task_id='verify', zip_file='x').deferrable)"
    )
    environment = os.environ | {"AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "True"


@pytest.mark.slow
async def test_the_trigger_fires_when_all_is_there(emulator: Any) -> None:
    """And not before."""
    first, second = put(emulator, "a.zip", 1), f"{emulator.bucket}/b.zip"
    waiting = asyncio.ensure_future(event_of(trigger([first, second])))
    await asyncio.sleep(0.5)
    assert not waiting.done()
    await asyncio.to_thread(put, emulator, "b.zip", 2)
    assert await waiting == {"status": "done", "pending": ""}


@pytest.mark.parametrize("name", ["late", "late/"])
async def test_the_trigger_waits_for_a_directory_to_fill(emulator: Any, name: str) -> None:
    """Another object does not end the wait, and the row of an older trigger can be read."""
    put(emulator, "late/notes.txt", 1)
    with pytest.raises(TaskDeferred) as deferred:
        verify(f"{emulator.bucket}/{name}").execute({})
    _, given = deferred.value.trigger.serialize()
    waiting = asyncio.ensure_future(event_of(ArchivesTrigger(**given)))
    await asyncio.sleep(0.5)
    assert not waiting.done()
    await asyncio.to_thread(put, emulator, "late/deep/a.zip", 1)
    event = await asyncio.wait_for(waiting, 20)
    assert event["status"] == "done"
    (report,) = await asyncio.to_thread(verify(f"{emulator.bucket}/{name}").execute_complete, {}, event)
    assert report["zip_file"] == f"{emulator.bucket}/late/deep/a.zip"
    older = {key: value for key, value in given.items() if key != "directories"}
    assert not ArchivesTrigger(**older).directories


@pytest.mark.slow
async def test_the_trigger_waits_until_an_archive_no_longer_changes(emulator: Any) -> None:
    """One that is written again starts over; OBS reports whole seconds."""
    name = put(emulator, "a.zip", 1)
    began = time.monotonic()
    waiting = asyncio.ensure_future(event_of(trigger([name], inactivity_period=6)))
    await asyncio.sleep(1.5)
    await asyncio.to_thread(put, emulator, "a.zip", 1, 2)
    assert (await waiting)["status"] == "done"
    assert time.monotonic() - began > 6.3


@pytest.mark.slow
async def test_an_archive_that_is_old_no_longer_changes(emulator: Any) -> None:
    """By the time of its last write, and not since the trigger saw it."""
    name = put(emulator, "a.zip", 1)
    await asyncio.sleep(12)  # OBS reports whole seconds
    waiting = trigger([name], inactivity_period=10, deadline=time.time() + 9)
    assert (await event_of(waiting))["status"] == "done"


async def test_the_trigger_ends_in_time(emulator: Any) -> None:
    """And reports what was not there."""
    names = [put(emulator, "a.zip", 1), f"{emulator.bucket}/b.zip"]
    event = await event_of(trigger(names, deadline=time.time() + 0.5))
    assert event == {"status": "timeout", "pending": names[1]}


@pytest.mark.slow
async def test_the_trigger_goes_on_after_what_passes(emulator: Any) -> None:
    """Some polls may fail; too many in a row are reported."""
    name = put(emulator, "a.zip", 1)
    emulator.fault("HeadObject", "error", times=3, status=503, code="SlowDown")
    emulator.fault("GetObject", "error", times=3, status=503, code="SlowDown")
    assert (await event_of(trigger([name])))["status"] == "done"
    emulator.fault("HeadObject", "error", times=None, status=503, code="SlowDown")
    emulator.fault("GetObject", "error", times=None, status=503, code="SlowDown")
    event = await event_of(trigger([name], deadline=time.time() + 8))
    assert (event["status"], event["transient"]) == ("error", True)
    assert "HTTP 503 SlowDown" in event["message"]


@pytest.mark.parametrize(
    ("bucket", "expected"), [("no-such-bucket", "there is no bucket 'no-such-bucket'"), ("X", "zip_file|place")]
)
@pytest.mark.usefixtures("emulator")
async def test_the_trigger_does_not_wait_for_what_cannot_come(bucket: str, expected: str) -> None:
    """A bucket that is missing is reported at once."""
    event = await event_of(trigger([f"{bucket}/a.zip"]))
    assert (event["status"], event["transient"]) == ("error", False)
    assert any(each in event["message"] for each in expected.split("|"))


async def test_the_trigger_reports_why_it_was_refused(emulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """HEAD has no message, so a byte is requested; the next trigger reads the connection again."""
    good = emulator.connection("access_key", obs_endpoint=emulator.dli)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", good.replace(emulator.secret_key, "wrong-secret"))
    name = put(emulator, "a.zip", 1)
    event = await event_of(trigger([name]))
    assert (event["status"], event["transient"]) == ("error", False)
    assert "HTTP 403 SignatureDoesNotMatch" in event["message"]
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", good)
    assert (await event_of(trigger([name])))["status"] == "done"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["temporary", "password", "token", "metadata", "oidc"])
async def test_the_trigger_waits_with_every_kind_of_credentials(
    dli_emulator: Any, monkeypatch: pytest.MonkeyPatch, kind: str, tmp_path: Path
) -> None:
    """Longer than they live."""
    dli_emulator.state.keys.key_seconds = 1.0 if kind != "temporary" else None
    extra = {"id_token_file": str(tmp_path / "token")} if kind == "oidc" else {}
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(kind, **extra))
    waiting = asyncio.ensure_future(event_of(trigger([f"{dli_emulator.bucket}/a.zip"])))
    await asyncio.sleep(1.6)
    await asyncio.to_thread(put, dli_emulator, "a.zip", 1)
    assert await waiting == {"status": "done", "pending": ""}


@pytest.mark.slow
async def test_the_trigger_takes_fresh_keys_from_a_connection_that_was_renewed(
    dli_emulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where somebody writes new temporary keys into it every hour; the old ones have ended meanwhile."""
    keys = dli_emulator.state.keys
    keys.key_seconds = 1.0
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection("temporary"))
    waiting = asyncio.ensure_future(event_of(trigger([f"{dli_emulator.bucket}/a.zip"])))
    await asyncio.sleep(0.7)
    keys.key_seconds = None
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection("temporary"))
    await asyncio.sleep(0.8)
    await asyncio.to_thread(put, dli_emulator, "a.zip", 1)
    assert await waiting == {"status": "done", "pending": ""}


@pytest.mark.slow
async def test_many_triggers_share_one_hook(dli_emulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One token for all, and nothing is left when the last has fired."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection("password"))
    waiting = [asyncio.ensure_future(event_of(trigger([f"{dli_emulator.bucket}/{n}.zip"]))) for n in range(50)]
    await asyncio.sleep(0.7)
    for number in range(50):
        await asyncio.to_thread(put, dli_emulator, f"{number}.zip", number)
    assert {event["status"] for event in await asyncio.gather(*waiting)} == {"done"}
    seen = Counter(request.operation for request in dli_emulator.requests)
    assert seen == {"KeystoneCreateUserTokenByPassword": 1, "CreateTemporaryAccessKey": 1}
    assert shared._HOOKS == {}  # noqa: SLF001 -- nothing else shows that nothing is kept


def test_the_task_judges_what_the_trigger_reports(emulator: Any) -> None:
    """Present: it reads. Time up: what is missing is missing. Error: as it was reported."""
    name = put(emulator, "a.zip", 1)
    assert verify(name).execute_complete({}, {"status": "done", "pending": ""})[0]["verified"]
    with pytest.raises(DliException, match="missing: there is no such object") as caught:
        verify(f"{emulator.bucket}/b.zip").execute_complete({}, {"status": "timeout", "pending": "x"})
    assert not isinstance(caught.value, DliFailException)
    with pytest.raises(DliFailException, match="no such bucket"):
        verify(name).execute_complete({}, {"status": "error", "message": "no such bucket", "transient": False})
    with pytest.raises(DliException, match="slow down") as caught:
        verify(name).execute_complete({}, {"status": "error", "message": "slow down", "transient": True})
    assert not isinstance(caught.value, DliFailException)


@pytest.mark.parametrize("event", [None, {}, [], "done", {"status": "whole"}, {"status": None}], ids=repr)
def test_an_event_that_nobody_knows_is_an_error(emulator: Any, event: Any) -> None:
    """It is never taken for success."""
    with pytest.raises(DliFailException, match="not an event of this provider"):
        verify(put(emulator, "a.zip", 1)).execute_complete({}, event)


def test_in_a_whole_airflow(airflow_process: AirflowProcess, dli_emulator: Any) -> None:
    """A real triggerer waits, and the task goes on when the archive is there."""
    name = f"{dli_emulator.bucket}/deferred.zip"
    run = airflow_process.trigger("deferred_verify", {"zip_file": name})
    until(lambda: airflow_process.tasks("deferred_verify", run)["verify"]["state"] == "deferred", 60)
    put(dli_emulator, "deferred.zip", 1)
    task = airflow_process.finish("deferred_verify", run)["verify"]
    log = "".join(
        airflow_process.log("deferred_verify", run, "verify", attempt + 1) for attempt in range(task["try_number"])
    )
    assert task["state"] == "success", log
    assert "Waiting on the triggerer for" in log
    assert "The wait on the triggerer is over: all exist" in log
