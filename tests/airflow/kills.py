"""Kill tasks at random moments: no result may be lost, and no request executed twice without a report.

``python -m tests.airflow.kills [RUNS] [FIRST_SEED]``: each run takes one of export, import, run and stop, kills
its process (SIGKILL) up to three times at random moments while the service is slow, lets the last attempt end, and
compares the emulator's state with what was requested. That many with a right clock, and a quarter of them again
with each clock of :data:`CLOCKS`: every second attempt is on a worker whose clock is off by so much, as
time-machine injects it into the process. One JSON line for each run that went wrong, and one for each clock.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dli_emulator import Emulator

ATTEMPTS = 4
#: seconds that clocks are off by
CLOCKS = (-600, -5, 5, 600)
LONGEST = 1.2
TIMEOUT = 1.5
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.airflow.kills", "airflow_provider_dli.operators.dli"])


class FileStore:
    """A task state store in a file: what is set is there, whenever the process dies."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _read(self) -> dict[str, Any]:
        return dict(json.loads(self._path.read_text())) if self._path.exists() else {}

    def _write(self, kept: dict[str, Any]) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(kept))
        fresh.replace(self._path)

    def get(self, key: str, default: Any = None) -> Any:
        return self._read().get(key, default)

    def set(self, key: str, value: Any) -> None:
        self._write({**self._read(), key: value})

    def delete(self, key: str) -> None:
        self._write({name: value for name, value in self._read().items() if name != key})


@dataclass
class Problem:
    """What went wrong.

    :param kind: ``doubled`` without a report, or ``lost``
    :param words: what there is, and the end of the log
    """

    kind: str
    words: str


@dataclass
class Chance:
    """What a seed decides.

    :param random: draws the moments
    :param skew: seconds that the clock of every second attempt is off by
    :param first_is_right: whether the first attempt has a right clock
    """

    random: random.Random
    skew: float = 0
    first_is_right: bool = False

    def clock(self, attempt: int) -> float:
        """Return the seconds that the clock of an attempt is off by."""
        return self.skew if (attempt % 2 == 0) is not self.first_is_right else 0


def run_attempt(
    kind: str, parameters: dict[str, Any], environment: dict[str, str], folder: Path, clock: float
) -> None:
    """Run a task once, in a process of its own; its result goes into a file."""
    os.environ.update(environment)
    if clock:
        import time_machine  # noqa: PLC0415 -- few runs want it

        time_machine.travel(datetime.now(UTC) + timedelta(seconds=clock), tick=True).start()
    with (folder / "log").open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    from airflow_provider_dli.operators import dli  # noqa: PLC0415 -- preloaded by the fork server

    operator = getattr(dli, kind)(task_id="task", **parameters)
    result = operator.execute({"task_state_store": FileStore(folder / "store.json")})
    (folder / "result.json").write_text(json.dumps(result))


def run_with_kills(
    kind: str, parameters: dict[str, Any], environment: dict[str, str], chance: Chance
) -> tuple[Any, str]:
    """Run a task to its end, killing all attempts but the last one; its result, and the log of all attempts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(ATTEMPTS):
            given = (kind, parameters, environment, folder, chance.clock(number))
            process = CONTEXT.Process(target=run_attempt, args=given)
            process.start()
            if number < ATTEMPTS - 1:
                process.join(chance.random.uniform(0, LONGEST))
                if process.is_alive() and process.pid:
                    os.kill(process.pid, signal.SIGKILL)
            process.join(180)
            if process.exitcode == 0:
                break
        result = folder / "result.json"
        return json.loads(result.read_text()) if result.exists() else None, (folder / "log").read_text()


def keys(emulator: Emulator) -> list[str]:
    """List the archives in the store."""
    found = emulator.s3.list_objects_v2(Bucket=emulator.bucket).get("Contents", [])
    return [f"{emulator.bucket}/{item['Key']}" for item in found if item["Key"].endswith(".zip")]


def slow(emulator: Emulator, operation: str, chance: Chance) -> None:
    """Make the service slow, so that many kills meet a request in progress."""
    for _ in range(8):
        before, after = chance.random.uniform(0, 0.25), chance.random.uniform(0, 0.25)
        emulator.fault(operation, "slow", before=before, after=after)


def export(emulator: Emulator, environment: dict[str, str], chance: Chance) -> Problem | None:
    """Export in batches: each is in the store once, and named in the result, or another is named in the log."""
    slow(emulator, "ExportFlinkJobs", chance)
    parameters = {
        "obs_dir": f"{emulator.bucket}/night",
        "selection": {},
        "batch_size": 7,
        "reconcile_timeout": TIMEOUT,
    }
    result, log = run_with_kills("DliExportFlinkJobsOperator", parameters, environment, chance)
    there = keys(emulator)
    words = f"the result is {result}, and in the store is {there}: {log[-2000:]}"
    silent = [archive for archive in set(there) - set(result or []) if archive not in log]
    if silent:
        return Problem("doubled", words)
    batches = {archive.rpartition("/")[0] for archive in result or []}
    return None if set(result or []) <= set(there) and len(batches) == 4 else Problem("lost", words)


def restore(emulator: Emulator, environment: dict[str, str], chance: Chance) -> Problem | None:
    """Import: each job is there once, and accounted for."""
    scratch = emulator.state.add_project("cn-north-4_scratch", "scratch")
    os.environ.update(environment)
    from airflow_provider_dli.hooks.dli import DliHook  # noqa: PLC0415 -- as above

    archive = DliHook().export_flink_jobs(emulator.bucket).zip_file[0]
    slow(emulator, "ImportFlinkJobs", chance)
    parameters = {
        "zip_file": archive,
        "dli_conn_id": "dli_scratch",
        "reconcile_timeout": TIMEOUT,
        "verify_archive": False,
    }
    result, log = run_with_kills("DliImportFlinkJobsOperator", parameters, environment, chance)
    names = Counter(job.name for job in scratch.jobs.values())
    words = f"{len(result or [])} reported, {len(names)} there: {log[-2000:]}"
    if names and max(names.values()) > 1:
        return Problem("doubled", words)
    return None if len(result or []) == len(names) == 26 else Problem("lost", words)


def run(emulator: Emulator, environment: dict[str, str], chance: Chance) -> Problem | None:
    """Run: each job runs, and was submitted once."""
    slow(emulator, "BatchRunFlinkJobs", chance)
    parameters = {"job_ids": [100, 114, 108, 113], "poll_interval": 0.05, "status_grace_period": TIMEOUT}
    result, log = run_with_kills("DliRunFlinkJobsOperator", parameters, environment, chance)
    jobs = [job for job_id in (100, 114, 108, 113) if (job := emulator.state.job(job_id))]
    words = f"{[(job.status, job.runs) for job in jobs]}: {log[-2000:]}"
    if any(job.runs > 1 for job in jobs):
        return Problem("doubled", words)
    return None if result and {job.status for job in jobs} == {"job_running"} else Problem("lost", words)


def stop(emulator: Emulator, environment: dict[str, str], chance: Chance) -> Problem | None:
    """Stop: each job is stopped."""
    slow(emulator, "BatchStopFlinkJobs", chance)
    parameters = {"job_ids": [103, 117, 106], "poll_interval": 0.05, "status_grace_period": TIMEOUT}
    result, log = run_with_kills("DliStopFlinkJobsOperator", parameters, environment, chance)
    jobs = [job for job_id in (103, 117, 106) if (job := emulator.state.job(job_id))]
    words = f"{[(job.status, job.stops) for job in jobs]}: {log[-2000:]}"
    if any(job.stops > 1 for job in jobs):
        return Problem("doubled", words)
    return None if result and {job.status for job in jobs} == {"job_cancel_success"} else Problem("lost", words)


TASKS: tuple[Callable[[Emulator, dict[str, str], Chance], Problem | None], ...] = (export, restore, run, stop)


def killed(emulator: Emulator, seed: int, skew: float = 0) -> Problem | None:
    """Make one run; what went wrong, or None."""
    chance = Chance(random.Random(seed), skew, first_is_right=bool(seed // len(TASKS) % 2))
    emulator.reset()
    emulator.state.settings.step_seconds = 0.2
    for job in emulator.state.jobs.values():
        job.queue_name = job.queue_name or "flink_prod"
    connection: dict[str, Any] = {"retry_budget": 0, "read_timeout": 5}
    environment = {
        "AIRFLOW_CONN_DLI_DEFAULT": emulator.connection(**connection),
        "AIRFLOW_CONN_DLI_SCRATCH": emulator.connection(project_id="scratch", **connection),
    }
    task = TASKS[seed % len(TASKS)]
    problem = task(emulator, environment, chance)
    return problem and Problem(problem.kind, f"{task.__name__}: {problem.words}")


def main() -> int:
    """Make runs; 1 if one went wrong."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    kinds: Counter[str] = Counter()
    with Emulator() as emulator:
        for skew, number in [(0, runs), *((skew, runs // 4) for skew in CLOCKS)]:
            began, found = time.monotonic(), Counter[str]()
            for seed in range(first, first + number):
                if problem := killed(emulator, seed, skew):
                    found[problem.kind] += 1
                    _print(seed=seed, clock=skew, **vars(problem))
            kinds += found
            _print(
                clock=skew,
                runs=number,
                first_seed=first,
                doubled=found["doubled"],
                lost=found["lost"],
                seconds=round(time.monotonic() - began),
            )
    return int(bool(kinds))


def _print(**values: Any) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
