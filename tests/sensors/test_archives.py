"""The sensor against the emulator: it waits until archives no longer change, and verifies the directory."""

from __future__ import annotations

import time
from threading import Timer
from typing import Any

import pytest

from airflow_provider_dli.compat import AirflowSensorTimeout, AirflowSkipException, TaskDeferred
from airflow_provider_dli.exceptions import DliFailException
from airflow_provider_dli.sensors.dli import DliExportArchiveSensor
from tests.zipped import zipped


@pytest.fixture
def emulator(dli_emulator: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the emulator, connected."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.airflow_conn)
    return dli_emulator


def put(emulator: Any, key: str, data: bytes) -> str:
    """Write an object."""
    emulator.s3.put_object(Bucket=emulator.bucket, Key=key, Body=data)
    return f"{emulator.bucket}/{key}"


def sensor(zip_file: Any, **parameters: Any) -> DliExportArchiveSensor:
    """Make the task."""
    given = {"poke_interval": 0.1, "timeout": 120, **parameters}
    return DliExportArchiveSensor(task_id="wait", zip_file=zip_file, **given)


@pytest.mark.slow
@pytest.mark.parametrize(("level", "entries"), [("directory", 1), ("exists", None)])
def test_it_reports_what_is_there(emulator: Any, level: Any, entries: int | None) -> None:
    """In the form of the verification's reports."""
    name = put(emulator, "a.zip", zipped())
    (report,) = sensor(name, level=level).execute({})
    assert (report["zip_file"], report["level"], report["entries"]) == (name, level, entries)


def test_it_waits_for_all(emulator: Any) -> None:
    """Until the last is there."""
    names = [put(emulator, "a.zip", zipped()), f"{emulator.bucket}/b.zip"]
    assert sensor(names).poke({}).is_done is False
    Timer(0.5, put, [emulator, "b.zip", zipped()]).start()
    assert [report["zip_file"] for report in sensor(names).execute({})] == names


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_directory_is_named_as_such_at_once(emulator: Any, deferrable: bool) -> None:
    """Unless it is the name of an object as well."""
    put(emulator, "run/a.zip", zipped())
    with pytest.raises(DliFailException, match=r"obs://.*/run is a directory, not an archive.*in it"):
        sensor(f"{emulator.bucket}/run", deferrable=deferrable).execute({})
    name = put(emulator, "run", zipped())
    assert sensor(name, deferrable=deferrable).execute({})[0]["zip_file"] == name


@pytest.mark.slow
def test_it_waits_until_they_no_longer_change(emulator: Any) -> None:
    """Not written within the last seconds."""
    name = put(emulator, "a.zip", zipped())
    began = time.monotonic()
    assert sensor(name, inactivity_period=2.5).execute({})
    assert time.monotonic() - began > 1


def test_it_does_not_wait_for_ever(emulator: Any) -> None:
    """As any sensor: failed, or skipped with soft_fail."""
    with pytest.raises(AirflowSensorTimeout):
        sensor(f"{emulator.bucket}/never.zip", timeout=0.3).execute({})
    with pytest.raises(AirflowSkipException):
        sensor(f"{emulator.bucket}/never.zip", timeout=0.3, soft_fail=True).execute({})


def test_a_damaged_directory_fails_at_once(emulator: Any) -> None:
    """Waiting would not fix it."""
    name = put(emulator, "a.zip", zipped()[:-10])
    with pytest.raises(DliFailException, match=r"no-end-record|comment-cut"):
        sensor(name).execute({})


@pytest.mark.parametrize(
    ("zip_file", "parameters", "problem"),
    [
        ("no-bucket-here/a.zip", {}, "there is no bucket"),
        ("", {}, "zip_file: "),
        (
            "obs-test/a.zip",
            {"level": "full"},
            "level: 'full' is not possible; give 'exists' or 'directory'; DliVerify",
        ),
        ("obs-test/a.zip", {"level": "some"}, "level: 'some' is not possible"),
    ],
)
@pytest.mark.usefixtures("emulator")
def test_what_can_never_be_fails_at_once(zip_file: str, parameters: Any, problem: str) -> None:
    """Named."""
    with pytest.raises(DliFailException, match=problem):
        sensor(zip_file, **parameters).execute({})


def test_it_waits_on_the_triggerer(emulator: Any) -> None:
    """With its interval, its timeout and its inactivity period; what is there already is not waited for."""
    name = f"{emulator.bucket}/a.zip"
    waiting = sensor(name, deferrable=True, inactivity_period=1, poke_interval=7, timeout=70)
    with pytest.raises(TaskDeferred) as deferred:
        waiting.execute({})
    given = deferred.value.trigger.serialize()[1]
    assert (given["zip_file"], given["poll_interval"], given["inactivity_period"]) == ([name], 7, 1)
    assert 60 < given["deadline"] - time.time() <= 70
    put(emulator, "a.zip", zipped())
    assert waiting.execute_complete({}, {"status": "done", "pending": ""})[0]["verified"]
    assert sensor(name, deferrable=True).execute({})[0]["verified"]


def test_it_judges_what_the_trigger_reports(emulator: Any) -> None:
    """Time up is a sensor's timeout; an event that nobody knows is an error."""
    event = {"status": "timeout", "pending": f"{emulator.bucket}/a.zip"}
    with pytest.raises(AirflowSensorTimeout, match=r"Not there, or still changing, after 120 s: .*a\.zip"):
        sensor("obs-test/a.zip").execute_complete({}, event)
    with pytest.raises(AirflowSkipException):
        sensor("obs-test/a.zip", soft_fail=True).resume_execution("execute_complete", {"event": event}, {})
    with pytest.raises(DliFailException, match="not an event of this provider"):
        sensor("obs-test/a.zip").execute_complete({}, None)


def test_every_template_field_is_a_parameter() -> None:
    """And documented."""
    for name in DliExportArchiveSensor.template_fields:
        assert f":param {name}:" in (DliExportArchiveSensor.__doc__ or "")
        assert hasattr(sensor("x"), name)
