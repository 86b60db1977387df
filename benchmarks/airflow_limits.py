"""What Airflow stores, polls and reads for a night: sizes of XComs and of rows of triggers, polls, DAG files.

Nothing is estimated: each XCom is that of the service's own outcome, each row is one that Airflow's own model has
encrypted, the triggers run on an event loop whose time is virtual, and the DAGs are made and serialized.
"""

from __future__ import annotations

import asyncio
import json
import selectors
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import format_datetime
from functools import cache
from importlib import import_module
from typing import Any, ClassVar, TypeVar

from airflow.configuration import conf
from airflow.models.trigger import Trigger
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from in_process import backup_task, export_tasks

from airflow_provider_dli.client.call import Flow, Pause, Reply, Request
from airflow_provider_dli.client.credentials import AccessKey
from airflow_provider_dli.client.exchange import Account, Project, utc_now
from airflow_provider_dli.client.flink.status import snapshot_of
from airflow_provider_dli.client.obs.client import redact_logs
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.operators.dli import DliBackupFlinkJobsOperator
from airflow_provider_dli.services.export import Batch, ExportOutcome
from airflow_provider_dli.services.visibility import VisibleJobs
from airflow_provider_dli.triggers.base import _HEAVY
from airflow_provider_dli.triggers.flink import FlinkJobsTrigger
from airflow_provider_dli.triggers.obs import ArchivesTrigger
from dli_emulator.flink_job import FlinkJob
from dli_emulator.state import DEFAULT_PROJECT_ID

T = TypeVar("T")

#: bytes of a column TEXT of MySQL, in which Airflow keeps what a trigger is made of; and of the XCom that this
#: provider keeps within
LARGEST_ROW, LARGEST_XCOM = 65_535, 64_000
#: the least id of a job; seen in the manuals: 548,483
_FIRST_ID = 500_000
_MODIFIED = "Thu, 15 Jan 2026 01:00:00 GMT"


def archive(number: int) -> str:
    """Return the name of an archive of a nightly export."""
    run = "scheduled__2026-01-15T01-00-00"
    directory = f"flink-backups/nightly/{DEFAULT_PROJECT_ID}/{run}/batch-{number:04d}"
    return f"{directory}/aggregate_{1768438800000 + number}.zip"


def jobs(number: int) -> list[int]:
    """Return ids of jobs."""
    return list(range(_FIRST_ID, _FIRST_ID + number))


def of_export(number: int, batch_size: int) -> dict[str, Any]:
    """Return the XComs of an export of so many jobs by their ids."""
    ids = tuple(jobs(number))
    batches = [
        Batch(ids[start : start + batch_size], (archive(start // batch_size + 1),))
        for start in range(0, number, batch_size)
    ]
    archives = [each for batch in batches for each in batch.zip_file]
    outcome = ExportOutcome(batches, archives, [], VisibleJobs(DEFAULT_PROJECT_ID, ids, is_all=True), [])
    return {**outcome.xcoms, "return_value": archives}


def of_backup(number: int, batch_size: int) -> dict[str, Any]:
    """Return the XComs of a backup of so many jobs."""
    exported = of_export(number, batch_size)
    return {name: exported[name] for name in exported if name not in ("batches", "return_value")} | _summary()


@cache
def _summary() -> dict[str, Any]:
    pushed = backup_task(3, 3).xcoms
    return {name: pushed[name] for name in ("return_value", "backup_id", "not_included")}


def of_verification(archives: int) -> dict[str, Any]:
    """Return the XComs of a verification of so many archives."""
    return {"return_value": [_report()] * archives}


@cache
def _report() -> dict[str, Any]:
    report: dict[str, Any] = export_tasks(20, 20)[1].xcoms["return_value"][0]
    return report


def sizes(xcoms: Mapping[str, Any]) -> list[int]:
    """Return the bytes of XComs, as JSON."""
    return [len(json.dumps(value)) for value in xcoms.values()]


def largest(xcoms: Mapping[str, Any]) -> int:
    """Return the bytes of the largest of some XComs."""
    return max(sizes(xcoms))


def waiting_for_archives(number: int) -> ArchivesTrigger:
    """Return the trigger of a verification that waits for so many archives."""
    names = [archive(each + 1) for each in range(number)]
    return ArchivesTrigger(names, "dli_default", 10.0, 1768438800.5, timeout=600.0, directories=True)


def waiting_for_jobs(number: int) -> FlinkJobsTrigger:
    """Return the trigger of a sensor that waits for so many jobs."""
    limits: dict[str, Any] = {
        "deadline": 1768438800.5,
        "timeout": 3600.0,
        "must_move": False,
        "requested_at": None,
    }
    return FlinkJobsTrigger(jobs(number), "running", dli_conn_id="dli_default", poll_interval=30.0, **limits)


def stopping(number: int) -> FlinkJobsTrigger:
    """Return the trigger of a task that has stopped so many jobs with savepoints."""
    job = FlinkJob(1, "orders", status="job_running", start_time=1768438800000, savepoint_path="obs://b/savepoint")
    snapshot: Any = snapshot_of(job)  # type: ignore[arg-type]  # has what is read of it
    limits: dict[str, Any] = {"deadline": 1768438800.5, "timeout": 3600.0, "requested_at": 1768438800.5}
    known = {str(job_id): snapshot for job_id in jobs(number)}
    return FlinkJobsTrigger(
        jobs(number), "stopped", dli_conn_id="dli_default", poll_interval=30.0, baseline=known, **limits
    )


def row_size(trigger: ArchivesTrigger | FlinkJobsTrigger) -> int:
    """Return the bytes of a trigger in Airflow's database, encrypted if Airflow has a key."""
    return len(Trigger.from_object(trigger).encrypted_kwargs)


def most(size: Callable[[int], int], limit: int) -> int:
    """Return the largest number whose size is within a limit; sizes grow with it."""
    low, high = 1, 2
    while size(high) <= limit:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size(middle) <= limit else (low, middle)
    return low


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only while all its tasks wait."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_Selector(self))

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self.now


class _Selector(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._loop.now += max(timeout or 0.0, 0.0)
        return super().select(0)


@dataclass(frozen=True, slots=True)
class Polls:
    """What triggers have sent to OBS.

    :param mean: requests a second
    :param peak: most of a second
    """

    mean: float
    peak: int


def polls(triggers: int, archives: int, seconds: int) -> Polls:
    """Run triggers that wait for archives in vain, and count what they send, by virtual time.

    :param triggers: how many, each on a connection of its own
    :param archives: that each waits for
    """
    loop, sent = VirtualLoop(), Counter[int]()

    class Hook(ObsHook):
        """Has no such object, whatever is requested."""

        def __init__(self, dli_conn_id: str) -> None:
            super().__init__(dli_conn_id)
            key = AccessKey("AK", "SK")
            project = Project("0", "cn-north-4", "http://iam", key)
            self._account = Account("cn-north-4", project, key, "http://dli", "http://127.0.0.1:1", "http://iam")

        async def _arun(self, flow: Flow[T]) -> T:
            try:
                step: Request | Pause = next(flow)
                while True:
                    sent[int(loop.time())] += 1
                    status = 200 if isinstance(step, Request) and step.operation == "HeadBucket" else 404
                    date = format_datetime(utc_now(), usegmt=True)
                    step = flow.send(Reply(status, {"last-modified": _MODIFIED, "date": date}, b""))
            except StopIteration as end:
                result: T = end.value
                return result

    class Waiting(ArchivesTrigger):
        hook_class: ClassVar[Any] = Hook

    async def wait(number: int) -> None:
        names = [archive(each + 1) for each in range(archives)]
        async for _ in Waiting(names, f"dli_{number}", 10.0, timeout=1e6).run():
            pass

    async def wait_all() -> None:
        waiting = [asyncio.create_task(wait(each)) for each in range(triggers)]
        await asyncio.sleep(seconds)
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    # A trigger imports these in a thread, for which no virtual time would pass.
    for module in _HEAVY:
        import_module(module)
    redact_logs()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(wait_all())
    # All have polled once after the interval; what they send before is not their usual.
    usual = [sent[second] for second in range(20, seconds)]
    return Polls(sum(usual) / len(usual), max(usual))


@dataclass(frozen=True, slots=True)
class DagFile:
    """What it takes to read DAGs.

    :param seconds: of CPU, to make and serialize one DAG
    :param size: bytes of one, serialized
    """

    seconds: float
    size: int


def dag_file(dags: int) -> DagFile:
    """Make so many DAGs, each with a backup of a project, and serialize them as the DAG processor does."""
    began, size = time.process_time(), 0
    for number in range(dags):
        with DAG(f"back_up_{number}", schedule="@daily") as dag:
            DliBackupFlinkJobsOperator(task_id="back_up", backup_dir="flink-backups", dli_conn_id=f"dli_{number}")
        size = len(json.dumps(DagSerialization.to_dict(dag)))
    return DagFile((time.process_time() - began) / dags, size)


def setting(section: str, name: str) -> float:
    """Return a setting of this Airflow, its default unless it was changed."""
    return float(conf.get(section, name))
