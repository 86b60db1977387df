"""The simulation against the emulator: the same tasks in a process of their own, with sockets and a real store.

How long a request takes here is measured with two small backups. With these figures the simulation runs other
tasks, and the emulator is sent the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from math import inf
from typing import Any

from figures import run
from in_process import CONNECTION, Recorded, backup_task, export_tasks, operations
from night import Assumed, Night

from dli_emulator import Emulator

BATCH, JOBS = 20, 1000
#: jobs of the backups with which is measured how long requests take
SMALL = (20, 200)
REPEATS = 4
#: seconds that each export is made to take
SERVICE = 0.5
#: executes an operator, and prints how long it took and what it has sent
TASK = """
import json, logging, sys, time
from collections import Counter
from airflow_provider_dli.client.transport.sync import SyncTransport
from airflow_provider_dli.operators import dli

counts, seconds = Counter(), Counter()

def timed(send):
    def sent(self, request, *others):
        began = time.perf_counter()
        try:
            return send(self, request, *others)
        finally:
            counts[request.operation] += 1
            seconds[request.operation] += time.perf_counter() - began
    return sent

SyncTransport.fetch, SyncTransport.stream = timed(SyncTransport.fetch), timed(SyncTransport.stream)
given = json.load(sys.stdin)
logging.disable()
operator = getattr(dli, given["operator"])(task_id="task", **given["parameters"])
started, began = time.process_time(), time.perf_counter()
operator.execute({})
wall = time.perf_counter() - began
print(json.dumps({"start": started, "wall": wall, "counts": counts, "seconds": seconds}))
"""


@dataclass(frozen=True, slots=True)
class Compared:
    """A task, simulated and executed.

    :param what: the task
    :param simulated: seconds
    :param measured: seconds
    :param start: of CPU that the process took before the operator began
    :param is_equal: whether both have sent the same requests, by number and operation
    """

    what: str
    simulated: float
    measured: float
    start: float
    is_equal: bool


def execute(operator: str, **parameters: object) -> dict[str, Any]:
    """Execute an operator in a process of its own; return what was measured."""
    return run(TASK, operator=f"Dli{operator}FlinkJobsOperator", parameters=parameters)


def back_up(emulator: Emulator, **parameters: object) -> list[dict[str, Any]]:
    """Back up fewer jobs, more, and all; return what the fastest backup of each has measured.

    The machine does other things: so each is made several times, in turn.
    """
    jobs, found = dict(emulator.state.jobs), []
    for turn in range(REPEATS):
        for number in (*SMALL, JOBS):
            emulator.state.jobs.clear()
            emulator.state.jobs.update(islice(jobs.items(), number))
            # Each into a catalogue of its own: a backup reads the one before it.
            place = f"{emulator.bucket}/flink-backups-{turn}-{number}"
            found.append(execute("Backup", backup_dir=place, **parameters))
    turns = [found[start :: len(SMALL) + 1] for start in range(len(SMALL) + 1)]
    return [min(each, key=lambda task: float(task["wall"])) for each in turns]


def measured(small: Mapping[str, Any], large: Mapping[str, Any]) -> Assumed:
    """Return how long requests take, of what two tasks of different sizes have measured."""
    counts, seconds = large["counts"], large["seconds"]
    means = {name: seconds[name] / counts[name] for name in counts}
    # What is not spent on requests grows with their number, but for what every task does once.
    own = [found["wall"] - sum(found["seconds"].values()) for found in (small, large)]
    numbers = [sum(found["counts"].values()) for found in (small, large)]
    client = (own[1] - own[0]) / (numbers[1] - numbers[0])
    start = own[0] - client * numbers[0]
    return Assumed(
        seconds=means,
        client_seconds=client,
        bytes_per_second=inf,
        start_seconds=start,
        starts_per_second=inf,
        quota=None,
    )


def compare() -> Iterator[Compared]:
    """Execute tasks against the emulator, and simulate them."""
    backing_up = backup_task(3 * BATCH, BATCH).scaled(JOBS, BATCH)
    exporting = export_tasks(3 * BATCH, BATCH)[0].scaled(JOBS, BATCH)
    given: dict[str, Any] = {"batch_size": BATCH, "max_concurrency": 1}
    with Emulator(jobs=JOBS) as emulator:
        os.environ[CONNECTION] = emulator.connection()
        small, large, done = back_up(emulator, **given)
        times = measured(small, large)
        yield _compared(f"a backup of {JOBS:,} jobs in batches of {BATCH}", backing_up, times, 1, done)
        emulator.fault("ExportFlinkJobs", "slow", times=None, before=SERVICE)
        exports = {**times.seconds, "ExportFlinkJobs": times.seconds["ExportFlinkJobs"] + SERVICE}
        times = replace(times, seconds=exports)
        for at_a_time in (1, 4, 8):
            given |= {"max_concurrency": at_a_time}
            places = [f"{emulator.bucket}/flink/{at_a_time}-{turn}" for turn in range(1 if at_a_time == 1 else 3)]
            exported = [execute("Export", obs_dir=place, selection={}, **given) for place in places]
            done = min(exported, key=lambda task: float(task["wall"]))
            what = f"{JOBS // BATCH} exports of {SERVICE} s, {at_a_time} at a time"
            yield _compared(what, exporting, times, at_a_time, done)


def _compared(
    what: str, task: Recorded, times: Assumed, max_concurrency: int, found: Mapping[str, Any]
) -> Compared:
    simulated = Night([[task]], 1, max_concurrency, times).run()
    is_equal = operations(task.sent()) == dict(sorted(found["counts"].items()))
    return Compared(what, simulated.seconds, found["wall"], found["start"], is_equal)
