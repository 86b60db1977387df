"""Sensors and failures: a poll on a worker and one before or on the triggerer mean the same."""

from __future__ import annotations

import copy
import pickle
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_dli.compat import AirflowSensorTimeout, AirflowSkipException, AirflowTaskTimeout
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.sensors.dli import DliExportArchiveSensor, DliFlinkJobSensor
from dli_emulator import Emulator
from tests.airflow.execution_modes import both_modes, jobs_of, run_to_completion
from tests.zipped import zipped


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return the emulator, connected through the proxy that scripts faults."""
    connection = dli_emulator.connection("temporary", obs_endpoint=dli_emulator.dli, retry_budget=0)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", connection)
    return dli_emulator


def put(emulator: Emulator, data: bytes | None = None) -> str:
    """Write an archive of one job, or something else."""
    emulator.s3.put_object(Bucket=emulator.bucket, Key="a.zip", Body=data or zipped())
    return f"{emulator.bucket}/a.zip"


def archives(zip_file: str, **parameters: Any) -> DliExportArchiveSensor:
    return DliExportArchiveSensor(
        task_id="wait", zip_file=zip_file, **{"poke_interval": 0.05, "timeout": 120, **parameters}
    )


def jobs(*job_ids: int, **parameters: Any) -> DliFlinkJobSensor:
    given = {"poke_interval": 0.05, "timeout": 120, "status_grace_period": 0.2, **parameters}
    return DliFlinkJobSensor(task_id="wait", job_ids=list(job_ids), **given)


@pytest.mark.slow
@both_modes
@pytest.mark.parametrize("parameter", ["soft_fail", "never_fail"])
def test_what_can_never_be_is_skipped_with_soft_fail_or_never_fail(
    emulator: Emulator, deferrable: bool, parameter: str
) -> None:
    """A damaged archive, a job that does not exist, a parameter that makes no sense: at the first poll."""
    given: dict[str, Any] = {"deferrable": deferrable, parameter: True}
    bad = put(emulator, b"no archive at all" * 9)
    for sensor in (
        archives(bad, **given),
        archives("", **given),
        jobs(9, **given),
        jobs(103, target_state="x", **given),
    ):
        with pytest.raises(AirflowSkipException, match=parameter) as skipped:
            sensor.execute({})
        assert isinstance(skipped.value.__cause__, DliFailException)


@pytest.mark.slow
@both_modes
def test_what_may_pass_is_skipped_by_never_fail_only(emulator: Emulator, deferrable: bool) -> None:
    """With ``soft_fail`` a retry is what helps, as with any sensor; time that is up does not change that."""
    emulator.fault("GetObject", "error", times=None, status=503, code="ServiceUnavailable")
    name, given = put(emulator), {"deferrable": deferrable, "timeout": 0.5}
    with pytest.raises(AirflowSkipException, match="never_fail"):
        run_to_completion(archives(name, never_fail=True, **given))
    with pytest.raises(DliException, match="503"):
        run_to_completion(archives(name, soft_fail=True, **given))


@pytest.mark.slow
@both_modes
def test_polls_may_fail_as_long_as_there_is_time(emulator: Emulator, deferrable: bool) -> None:
    """On a worker as on the triggerer, for archives and for jobs: a wait promises seconds, and not polls."""
    name = put(emulator)
    for sensor in (archives(name, deferrable=deferrable), jobs(103, deferrable=deferrable)):
        emulator.faults.clear()
        # A status that boto does not retry.
        emulator.fault("HeadObject", "error", times=12, status=501, code="NotNow")
        emulator.fault("ShowFlinkJob", "html", times=12, status=503)
        assert run_to_completion(sensor)
    emulator.fault("HeadObject", "error", times=3, status=501, code="NotNow")
    assert archives(name).execute_complete({}, {"status": "done", "pending": "", "left": 60.0})


@pytest.mark.slow
@both_modes
def test_the_last_failure_is_reported(emulator: Emulator, deferrable: bool) -> None:
    """Not that an archive, or a job, did not come in time: of that nothing is known."""
    name, given = put(emulator), {"deferrable": deferrable, "timeout": 0.5}
    emulator.fault("HeadObject", "error", times=None, status=501, code="NotNow")
    emulator.fault("ShowFlinkJob", "html", times=None, status=503)
    for sensor in (archives(name, **given), jobs(103, **given)):
        with pytest.raises(DliException, match=r"HTTP 50\d") as failed:
            run_to_completion(sensor)
        assert not isinstance(failed.value, DliFailException)


@pytest.mark.slow
@both_modes
def test_a_first_poll_that_fails_knows_nothing_of_the_previous_run(emulator: Emulator, deferrable: bool) -> None:
    """What the second shows may be its end still, and is not taken for the end of this one."""
    emulator.fault("ShowFlinkJob", "html", status=503)
    emulator.state.jobs[108].begin(("job_cancel_success", "job_submitting", "job_running"), time.time(), 0.4)
    assert jobs_of(jobs(108, deferrable=deferrable, status_grace_period=60))[0]["status"] == "job_running"


@both_modes
def test_a_timeout_within_the_grace_period_is_a_timeout(emulator: Emulator, deferrable: bool) -> None:
    """A job that still shows the end of its previous run has not failed."""
    with pytest.raises(AirflowSensorTimeout):
        run_to_completion(jobs(108, deferrable=deferrable, timeout=0.5, status_grace_period=60))
    del emulator


@pytest.mark.slow
@both_modes
def test_an_archive_no_longer_changes_by_the_time_of_its_last_write(emulator: Emulator, deferrable: bool) -> None:
    """Not since somebody saw it: one that is old is not waited for, and all count from the same moment."""
    name = put(emulator)
    written = time.time()
    run_to_completion(archives(name, inactivity_period=3, deferrable=deferrable))
    assert time.time() - written >= 2
    # One that were waited for would not be there before the sensor's own time is over.
    run_to_completion(archives(name, inactivity_period=2, poke_interval=20, timeout=10, deferrable=deferrable))


def test_polls_share_one_token(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sensor in mode ``poke`` signs in once, and a copy of its task for itself, with nothing of the first."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", emulator.connection("password", retry_budget=0))
    emulator.state.jobs[101].plan = []
    waiting: list[Any] = [jobs(101), archives(f"{emulator.bucket}/late.zip")]
    for number, sensor in enumerate(waiting, 1):
        for _ in range(3):
            assert not sensor.poke({})
        operations = [each.operation for each in emulator.requests]
        assert operations.count("KeystoneCreateUserTokenByPassword") == number
        pickled = pickle.dumps(sensor.hook)
        for hook in (copy.deepcopy(sensor).hook, pickle.loads(pickled)):  # noqa: S301 -- our own
            assert hook is not sensor.hook
            assert hook.dli_conn_id == "dli_default"
            assert hook.fingerprint is None


@pytest.mark.parametrize("kind", ["metadata", "temporary"])
def test_polls_go_on_with_new_keys(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Where the old ones were refused while the sensor waited on a worker."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", emulator.connection(kind, retry_budget=0))
    emulator.state.jobs[101].plan = []
    waiting = (jobs(101), archives(f"{emulator.bucket}/late.zip"))
    for sensor in waiting:
        assert not sensor.poke({})
    for key in emulator.state.keys.access_keys.values():
        key.expires = 0.0 if key.security_token else None
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", emulator.connection(kind, retry_budget=0))
    for sensor in waiting:
        assert not sensor.poke({})


@pytest.mark.parametrize(
    "event",
    [None, {}, [], "done", {"status": "whole"}, {"status": None}, {"execution_left": "much"}],
    ids=repr,
)
@pytest.mark.usefixtures("emulator")
def test_an_event_that_nobody_knows_fails_the_task(event: Any) -> None:
    """It is neither success nor a reason to skip."""
    for sensor in (jobs(103, soft_fail=True), archives("obs-test/a.zip", soft_fail=True)):
        with pytest.raises(DliFailException, match="not an event of this provider"):
            sensor.resume_execution("execute_complete", {"event": event}, {})


@pytest.mark.usefixtures("emulator")
def test_what_an_event_reports_is_judged_as_on_a_worker() -> None:
    """Errors that may pass fail the task, with ``soft_fail`` too; final ones, and time that is up, skip it."""
    passing = {"status": "error", "message": "OBS is down", "transient": True}
    final = {"status": "error", "message": "no such bucket", "transient": False}
    late = {"status": "timeout", "pending": "x", "execution_left": -0.1}
    limit = timedelta(seconds=9)
    sensor = archives("obs-test/a.zip", soft_fail=True, execution_timeout=limit)
    for event, outcome in ((passing, DliException), (final, AirflowSkipException), (late, AirflowSkipException)):
        with pytest.raises(outcome):
            sensor.resume_execution("execute_complete", {"event": event}, {})
    with pytest.raises(DliException, match=r"execution_timeout of 0:00:09 is over .* for x"):
        archives("obs-test/a.zip", execution_timeout=limit).resume_execution(
            "execute_complete", {"event": late}, {}
        )


@pytest.mark.parametrize("error", ["Trigger timeout", "Trigger/execution timeout"])
def test_a_trigger_that_reports_nothing_is_a_failure(error: str) -> None:
    """As Airflow 3 and Airflow 2 put it; a retry may help, so ``soft_fail`` does not skip."""
    with pytest.raises(DliException, match="Check that a triggerer runs"):
        jobs(103, soft_fail=True).resume_execution("__fail__", {"error": error}, {})


# An alarm interrupts whatever runs; of a connection being opened the garbage collector closes the socket.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@both_modes
@pytest.mark.parametrize("is_down", [True, False], ids=["down", "up"])
def test_an_execution_timeout_hides_no_service_that_is_down(
    emulator: Emulator, deferrable: bool, is_down: bool
) -> None:
    """As the sensor's own ``timeout``: failed where the last poll failed, skipped where nothing was there yet."""
    if is_down:
        for operation in ("HeadObject", "GetObject"):
            emulator.fault(operation, "error", times=None, status=501, code="NotNow")
        emulator.fault("ShowFlinkJob", "html", times=None, status=503)
    emulator.state.jobs[101].plan = []
    given: dict[str, Any] = {
        "soft_fail": True,
        "deferrable": deferrable,
        "execution_timeout": timedelta(seconds=3),
    }
    for sensor in (archives(f"{emulator.bucket}/late.zip", **given), jobs(101, **given)):
        with (
            pytest.raises(DliException if is_down else AirflowSkipException, match=r"HTTP 50\d|soft_fail"),
            execution_timeout_of(sensor),
        ):
            run_to_completion(sensor)


@contextmanager
def execution_timeout_of(sensor: Any) -> Iterator[None]:
    """End a task as Airflow's workers do: by an alarm; not while it is deferred, where the trigger sees to it."""

    def ring(*_: Any) -> None:
        raise AirflowTaskTimeout("Timeout")

    if sensor.deferrable:
        yield
        return
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, sensor.execution_timeout.total_seconds())
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
