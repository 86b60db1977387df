"""Several batches and archives at a time."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest

from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.operators.dli import (
    DliBackupFlinkJobsOperator,
    DliExportFlinkJobsOperator,
    DliVerifyFlinkExportOperator,
)
from airflow_provider_dli.services.concurrency import in_order
from airflow_provider_dli.task_state import RequestLog
from dli_emulator import Emulator
from tests.airflow.stores import TaskInstance
from tests.connections import forget_filesystems

#: seconds after which a test has hung
LONG = 20
NAME: ContextVar[str] = ContextVar("NAME", default="none")


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0, read_timeout=60))
    return dli_emulator


def export(emulator: Emulator, instance: TaskInstance, **parameters: Any) -> list[str]:
    given = {"obs_dir": f"{emulator.bucket}/night", "reconcile_timeout": 0.3, "batch_size": 2, **parameters}
    return DliExportFlinkJobsOperator(task_id="export", **given).execute(instance.context)


def requests(emulator: Emulator, operation: str = "ExportFlinkJobs") -> int:
    return sum(request.operation == operation for request in emulator.requests)


class Gauge:
    """Counts how many are at work, and lets them go on together."""

    def __init__(self, parties: int) -> None:
        self.barrier = threading.Barrier(parties)
        self._lock = threading.Lock()
        self.now = self.most = 0

    def work(self, item: int) -> int:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.barrier.wait(LONG)
        with self._lock:
            self.now -= 1
        return item * 10


def test_results_are_in_order_and_no_more_at_a_time() -> None:
    """Three threads meet each time, so that three are at work, and never four."""
    gauge = Gauge(3)
    assert list(in_order(gauge.work, range(9), 3)) == [number * 10 for number in range(9)]
    assert gauge.most == 3


@pytest.mark.parametrize(("items", "at_a_time"), [(5, 1), (1, 8), (0, 8)])
def test_one_at_a_time_is_the_callers_thread(items: int, at_a_time: int) -> None:
    """What only works there, such as a signal, goes on working."""
    threads = list(in_order(lambda _: threading.current_thread(), range(items), at_a_time))
    assert threads == [threading.current_thread()] * items


def test_until_it_is_ready_one_after_the_other() -> None:
    """The rest is worked on at the same time."""
    done: list[int] = []

    def work(item: int) -> str:
        done.append(item)
        return threading.current_thread().name

    names = list(in_order(work, range(6), 4, is_ready=lambda: len(done) >= 2))
    assert names[:2] == [threading.current_thread().name] * 2
    assert all(name.startswith("dli") for name in names[2:])


def test_threads_have_the_context_of_the_caller() -> None:
    """Airflow keeps in it what a log line is of."""
    NAME.set("task")
    assert list(in_order(lambda _: NAME.get(), range(4), 4)) == ["task"] * 4


class TaskTimeout(BaseException):
    """Ends a task, as Airflow's does."""


@pytest.mark.parametrize("error", [ValueError, TaskTimeout])
def test_nothing_begins_after_an_error(error: type[BaseException]) -> None:
    """What has begun may go on; an error of the work, or of whoever takes the results."""
    begun: list[int] = []
    goes_on = threading.Event()

    def work(item: int) -> int:
        begun.append(item)
        if item == 0:
            raise error(str(item))
        goes_on.wait(LONG if error is TaskTimeout else 0.2)
        return item

    with pytest.raises(error):
        list(in_order(work, range(50), 2))
    goes_on.set()
    assert len(begun) < 10


def test_nothing_begins_where_the_results_are_no_longer_taken() -> None:
    """As where a timeout ends the task between two batches."""
    begun: list[int] = []
    goes_on = threading.Event()

    def work(item: int) -> int:
        begun.append(item)
        if item:
            goes_on.wait(LONG)
        return item

    results = in_order(work, range(50), 2)
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]  # it is a generator
    goes_on.set()
    assert len(begun) < 10


@pytest.mark.parametrize("at_a_time", [1, 8])
def test_nothing_is_sent_after_the_end(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, at_a_time: int
) -> None:
    """Neither what waits since DLI throttles nor the next batch; the records are those of the next attempt."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", emulator.connection(retry_budget=60))
    emulator.fault("ExportFlinkJobs", "throttled", retry_after=3)
    instance = TaskInstance()

    def interrupt(*_: object) -> None:
        raise TaskTimeout

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 1.5)
    try:
        with pytest.raises(TaskTimeout):
            export(emulator, instance, selection={}, max_concurrency=at_a_time)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    sent, kept = requests(emulator), dict(instance.store.kept)
    time.sleep(4)
    assert (requests(emulator), instance.store.kept) == (sent, kept)
    archives = export(emulator, instance, selection={}, max_concurrency=at_a_time)
    there = emulator.s3.list_objects_v2(Bucket=emulator.bucket, Prefix="night/")["Contents"]
    assert len(there) == len(archives) == 13


@pytest.mark.parametrize("at_a_time", [1, 8])
def test_a_killed_task_sends_nothing_more(emulator: Emulator, at_a_time: int) -> None:
    """Airflow calls on_kill in a signal handler, and lets the task go on until it is killed for good."""
    emulator.fault("ExportFlinkJobs", "slow", times=None, before=0.3)
    instance = TaskInstance()
    operator = DliExportFlinkJobsOperator(
        task_id="export",
        obs_dir=f"{emulator.bucket}/night",
        selection={},
        batch_size=1,
        max_concurrency=at_a_time,
        reconcile_timeout=0.3,
    )
    killer = threading.Timer(1.0, operator.on_kill)
    killer.start()
    with pytest.raises(DliException, match="killed or has ended"):
        operator.execute(instance.context)
    killer.join()
    assert 0 < requests(emulator) < 26
    assert len(instance.pushed["zip_file"]) == requests(emulator)


@pytest.mark.parametrize("seconds", [0.6, 3.0])
def test_an_archive_that_comes_after_its_response_is_named(emulator: Emulator, seconds: float) -> None:
    """The next attempt waits for it; if it is later still, it is an extra one that a verification names."""
    emulator.fault("ExportFlinkJobs", "archive_late", seconds=seconds)
    emulator.fault("ExportFlinkJobs", "error", status=400, code="DLI.0008")
    instance = TaskInstance()
    parameters: dict[str, Any] = {"job_selected": [100, 101], "batch_size": 1, "max_concurrency": 1}
    with pytest.raises(DliFailException):
        export(emulator, instance, **parameters)
    first = instance.pushed["zip_file"]
    archives = export(emulator, instance, reconcile_timeout=1.5, **parameters)
    assert len(archives) == 2
    if seconds < 1:
        assert first[0] in archives
        assert "lost_requests" not in instance.pushed
    else:
        assert first[0] not in archives
        assert [lost["obs_dir"] for lost in instance.pushed["lost_requests"]] == [first[0].rpartition("/")[0]]


def test_records_of_many_threads_are_all_there() -> None:
    """Whatever their order: each record once, as it was changed last."""
    instance = TaskInstance()
    log = RequestLog(instance.context, "requests")

    def work(item: int) -> int:
        number = log.add({"item": item, "state": "open"})
        log.records[number] = log.records[number] | {"state": "done"}
        log.update(number)
        return number

    numbers = list(in_order(work, range(300), 16))
    assert sorted(numbers) == list(range(300))
    again = RequestLog(instance.context, "requests")
    assert again.records == log.records
    assert {each["item"]: each["state"] for each in again.records} == dict.fromkeys(range(300), "done")


class StoreInObs:
    """Airflow's task state store with its object storage backend, which keeps the values in OBS."""

    def __init__(self) -> None:
        from airflow.providers.common.io.state_store.backend import (  # noqa: PLC0415 -- Airflow 3.3
            StateStoreObjectStorageBackend,
        )
        from airflow.sdk.state import TaskScope  # noqa: PLC0415 -- likewise

        self._backend = StateStoreObjectStorageBackend()
        self._scope = TaskScope(dag_id="nightly", run_id="manual__2026-01-01T00:00:00+00:00", task_id="export")
        self.kept: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return self._backend.deserialize_task_state_store_from_ref(self.kept[key]) if key in self.kept else default

    def set(self, key: str, value: Any) -> None:
        stored = self._backend.serialize_task_state_store_to_ref(value=value, key=key, scope=self._scope)
        self.kept[key] = stored

    def delete(self, key: str) -> None:
        self._backend.delete(self._scope, key)
        self.kept.pop(key, None)


@pytest.mark.airflow
def test_the_state_of_a_task_may_be_in_obs(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """By obs:// and the connection of this provider, from several threads."""
    pytest.importorskip("airflow.providers.common.io.state_store.backend")
    place = f"obs://dli_default@{emulator.bucket}/state"
    monkeypatch.setenv("AIRFLOW__COMMON_IO__STATE_STORE_OBJECTSTORAGE_PATH", place)
    forget_filesystems()
    instance = TaskInstance()
    store: Any = StoreInObs()
    instance.context["task_state_store"] = store
    emulator.fault("ExportFlinkJobs", "error", status=400, code="DLI.0008")
    with pytest.raises(DliFailException, match="2 jobs not exported"):
        export(emulator, instance, selection={}, max_concurrency=8)
    assert store.kept
    assert all(value.startswith(place) for value in store.kept.values())
    before = requests(emulator)
    assert len(export(emulator, instance, selection={}, max_concurrency=8)) == 13
    assert requests(emulator) == before + 1


@pytest.mark.parametrize("at_a_time", [1, 4, 32])
def test_the_result_of_an_export_does_not_depend_on_it(emulator: Emulator, at_a_time: int) -> None:
    """Whichever batch is slow, archives and XComs are in the order of the batches."""
    for seconds in (0.3, 0.0, 0.2, 0.0, 0.1):
        emulator.fault("ExportFlinkJobs", "slow", before=seconds)
    instance = TaskInstance()
    archives = export(emulator, instance, selection={}, batch_size=5, max_concurrency=at_a_time)
    assert [archive.split("/")[2] for archive in archives] == [f"batch-{n:04}" for n in range(1, 7)]
    batches = instance.pushed["batches"]
    assert [batch["zip_file"] for batch in batches] == [[archive] for archive in archives]
    ids = [job_id for batch in batches for job_id in batch["job_ids"]]
    assert ids == sorted(emulator.state.jobs)
    assert requests(emulator) == 6


def test_a_failed_batch_does_not_stop_the_others(emulator: Emulator) -> None:
    """And the next attempt requests it alone."""
    instance = TaskInstance()
    emulator.fault("ExportFlinkJobs", "error", status=400, code="DLI.0008")
    with pytest.raises(DliFailException, match="2 jobs not exported"):
        export(emulator, instance, selection={}, max_concurrency=8)
    assert len(instance.pushed["zip_file"]) == 12
    assert len(instance.pushed["failed"]) == 2
    before = requests(emulator)
    assert len(export(emulator, instance, selection={}, max_concurrency=8)) == 13
    assert requests(emulator) == before + 1


def test_lost_responses_of_several_batches_at_a_time(emulator: Emulator) -> None:
    """Each is recovered from its own directory: no batch is exported twice, none is without its archive."""
    emulator.fault("ExportFlinkJobs", "cut_after", times=5)
    archives = export(emulator, TaskInstance(), selection={}, max_concurrency=5, reconcile_timeout=5)
    assert len(set(archives)) == 13
    there = emulator.s3.list_objects_v2(Bucket=emulator.bucket, Prefix="night/")["Contents"]
    assert sorted(f"{emulator.bucket}/{each['Key']}" for each in there) == archives
    assert requests(emulator) == 13


@pytest.mark.parametrize("given", [{"job_selected": range(100, 120)}, {"selection": {}}])
def test_refused_keys_are_sent_few_times(emulator: Emulator, given: dict[str, Any]) -> None:
    """Once, where nothing has shown yet that they are right: more than five failures lock them."""
    emulator.fault("*", "error", times=None, status=401, code="APIGW.0301")
    with pytest.raises(DliFailException, match=r"APIGW\.0301"):
        export(emulator, TaskInstance(), max_concurrency=32, **given)
    assert len([request for request in emulator.requests if request.status == 401]) == 1


def test_keys_that_are_refused_midway(emulator: Emulator) -> None:
    """Requests in progress fail; the others are not requested, and named."""
    instance = TaskInstance()
    emulator.fault("ExportFlinkJobs", "slow", before=0)
    emulator.fault("ExportFlinkJobs", "error", times=None, status=401, code="APIGW.0301")
    with pytest.raises(DliFailException, match="not requested: it would be refused as batch"):
        export(emulator, instance, selection={}, batch_size=1, max_concurrency=4)
    assert requests(emulator) <= 1 + 4
    assert len(instance.pushed["failed"]) == 25


def test_all_batches_wait_where_dli_throttles_one(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """For as long as Retry-After has it; and nothing fails."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", emulator.connection(retry_budget=60))
    emulator.fault("ExportFlinkJobs", "throttled", retry_after=1)
    archives = export(emulator, TaskInstance(), selection={}, max_concurrency=4, batch_size=5)
    assert len(archives) == 6
    assert caplog.text.count("Retrying in") == 1
    assert requests(emulator) <= 6 + 4


@pytest.mark.parametrize("at_a_time", [1, 4])
def test_the_result_of_a_verification_does_not_depend_on_it(emulator: Emulator, at_a_time: int) -> None:
    """Reports in the order of the archives; jobs are searched for in all of them."""
    archives = export(emulator, TaskInstance(), selection={}, batch_size=5)
    bucket, _, key = archives[2].partition("/")
    emulator.s3.put_object(Bucket=bucket, Key=key, Body=b"no archive")
    instance = TaskInstance()
    operator = DliVerifyFlinkExportOperator(
        task_id="verify",
        zip_file=archives,
        expected_jobs=[100, 125, 999],
        max_concurrency=at_a_time,
        timeout=0,
    )
    with pytest.raises(DliFailException, match=r"1 of 6 archives failed|of 6 archives failed"):
        operator.execute(instance.context)
    reports = instance.pushed["return_value"]
    assert [report["zip_file"] for report in reports] == archives
    assert [report["size"] for report in reports][2] == 10
    assert 999 in instance.pushed["missing_jobs"]


def test_a_store_that_fails_ends_a_verification(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the error of the first archive in order that could not be read; a retry may help."""
    archives = export(emulator, TaskInstance(), selection={}, batch_size=5)
    connection = emulator.connection(retry_budget=0, obs_endpoint=emulator.dli, read_timeout=5)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", connection)
    emulator.fault("GetObject", "error", times=None, status=503, code="SlowDown")
    with pytest.raises(DliException, match="SlowDown"):
        DliVerifyFlinkExportOperator(task_id="verify", zip_file=archives, timeout=0).execute({})


@pytest.mark.parametrize("at_a_time", [1, 4])
def test_a_backup_does_not_depend_on_it(emulator: Emulator, at_a_time: int) -> None:
    """Each batch has its jobs, and the manifest its archives in the order of the batches."""
    operator = DliBackupFlinkJobsOperator(
        task_id="backup", backup_dir=emulator.bucket, batch_size=5, max_concurrency=at_a_time
    )
    operator.execute(TaskInstance().context)
    listed = emulator.s3.list_objects_v2(Bucket=emulator.bucket)["Contents"]
    (key,) = [each["Key"] for each in listed if each["Key"].endswith("manifest.json")]
    manifest = json.loads(emulator.s3.get_object(Bucket=emulator.bucket, Key=key)["Body"].read())
    names = [archive["name"] for archive in manifest["archives"]]
    assert names == sorted(names)
    assert len(names) == 6


@pytest.mark.parametrize("value", [0, 33, "many", None, 2.5])
@pytest.mark.parametrize(
    "make",
    [
        lambda **given: DliExportFlinkJobsOperator(task_id="task", obs_dir="bucket/night", **given),
        lambda **given: DliBackupFlinkJobsOperator(task_id="task", backup_dir="bucket", **given),
        lambda **given: DliVerifyFlinkExportOperator(task_id="task", zip_file="bucket/a.zip", **given),
    ],
)
def test_a_wrong_number_is_refused(emulator: Emulator, make: Callable[..., Any], value: Any) -> None:
    """By its name, before anything is sent."""
    with pytest.raises(DliFailException, match=r"^max_concurrency: "):
        make(max_concurrency=value).execute({})
    assert len(emulator.requests) == 0
