"""Kill tasks at random moments and see that nothing is lost, and nothing done twice in silence.

``python -m tests.airflow.kills [RUNS] [FIRST_SEED]``: each run takes one of export, import, run and stop, kills
its process (SIGKILL) up to three times at random moments while the service is slow, lets the last try end, and
compares the emulator's world with what was asked for. One JSON line for each that went wrong, and one at the end.
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
from pathlib import Path
from typing import Any

from airflow_provider_dli.emulator import Emulator

TRIES = 4
LONGEST = 1.2
SETTLING = 1.5
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


def one_try(kind: str, parameters: dict[str, Any], environment: dict[str, str], folder: Path) -> None:
    """Run a task once, in a process of its own; its result goes into a file."""
    os.environ.update(environment)
    with (folder / "log").open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    from airflow_provider_dli.operators import dli  # noqa: PLC0415 -- preloaded by the fork server

    operator = getattr(dli, kind)(task_id="task", **parameters)
    result = operator.execute({"task_state_store": FileStore(folder / "store.json")})
    (folder / "result.json").write_text(json.dumps(result))


def tried(
    kind: str, parameters: dict[str, Any], environment: dict[str, str], chance: random.Random
) -> tuple[Any, str]:
    """Run a task to its end, killing all tries but the last one; its result, and the log of all tries."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(TRIES):
            process = CONTEXT.Process(target=one_try, args=(kind, parameters, environment, folder))
            process.start()
            if number < TRIES - 1:
                process.join(chance.uniform(0, LONGEST))
                if process.is_alive() and process.pid:
                    os.kill(process.pid, signal.SIGKILL)
            process.join(60)
            if process.exitcode == 0:
                return json.loads((folder / "result.json").read_text()), (folder / "log").read_text()
        return None, ""


def keys(world: Emulator) -> list[str]:
    """List the archives in the store."""
    found = world.s3.list_objects_v2(Bucket=world.bucket).get("Contents", [])
    return [f"{world.bucket}/{item['Key']}" for item in found if item["Key"].endswith(".zip")]


def slow(world: Emulator, operation: str, chance: random.Random) -> None:
    """Make the service slow, so that many kills meet a request that is under way."""
    for _ in range(8):
        before, after = chance.uniform(0, 0.25), chance.uniform(0, 0.25)
        world.fault(operation, "slow", before=before, after=after)


def export(world: Emulator, environment: dict[str, str], chance: random.Random) -> str | None:
    """Export in batches: each lies in the store once, and is named in the result, or in the log as superseded."""
    slow(world, "ExportFlinkJobs", chance)
    parameters = {
        "obs_dir": f"{world.bucket}/night",
        "selection": {},
        "batch_size": 7,
        "settling_time": SETTLING,
    }
    result, told = tried("DliExportFlinkJobsOperator", parameters, environment, chance)
    extra = set(keys(world)) - set(result or [])
    silent = [archive for archive in extra if archive not in told]
    if silent or not set(result or []) <= set(keys(world)):
        return f"the result is {result}, and in the store is {keys(world)}"
    return None if len(result or []) == 4 else f"{len(result or [])} archives"


def restore(world: Emulator, environment: dict[str, str], chance: random.Random) -> str | None:
    """Import: each job is there once, and accounted for."""
    scratch = world.world.add_project("cn-north-4_scratch", "scratch")
    os.environ.update(environment)
    from airflow_provider_dli.hooks.dli import DliHook  # noqa: PLC0415 -- as above

    archive = DliHook().export_flink_jobs(world.bucket).zip_file[0]
    slow(world, "ImportFlinkJobs", chance)
    parameters = {"zip_file": archive, "dli_conn_id": "dli_scratch", "settling_time": SETTLING, "verify": False}
    result, _ = tried("DliImportFlinkJobsOperator", parameters, environment, chance)
    names = Counter(job.name for job in scratch.jobs.values())
    if result is None or len(result) != 26 or len(names) != 26 or max(names.values()) > 1:
        return f"{len(result or [])} told, {len(names)} there"
    return None


def run(world: Emulator, environment: dict[str, str], chance: random.Random) -> str | None:
    """Run: each job runs, and was submitted once."""
    slow(world, "BatchRunFlinkJobs", chance)
    parameters = {"job_ids": [100, 114, 108, 113], "poll_interval": 0.05, "settling_time": SETTLING}
    result, _ = tried("DliRunFlinkJobsOperator", parameters, environment, chance)
    jobs = [world.world.job(job_id) for job_id in (100, 114, 108, 113)]
    told = [(job.status, job.runs) for job in jobs if job]
    return None if result and told == [("job_running", 1)] * 4 else f"{told}"


def stop(world: Emulator, environment: dict[str, str], chance: random.Random) -> str | None:
    """Stop: each job is stopped."""
    slow(world, "BatchStopFlinkJobs", chance)
    parameters = {"job_ids": [103, 117, 106], "poll_interval": 0.05, "settling_time": SETTLING}
    result, _ = tried("DliStopFlinkJobsOperator", parameters, environment, chance)
    jobs = [world.world.job(job_id) for job_id in (103, 117, 106)]
    told = [(job.status, job.stops) for job in jobs if job]
    return None if result and told == [("job_cancel_success", 1)] * 3 else f"{told}"


DEEDS: tuple[Callable[[Emulator, dict[str, str], random.Random], str | None], ...] = (export, restore, run, stop)


def killed(world: Emulator, seed: int) -> str | None:
    """Make one run; what went wrong, or None."""
    chance = random.Random(seed)
    world.reset()
    world.world.settings.step_seconds = 0.2
    for job_id in (113, 117):
        world.world.jobs[job_id].queue_name = "flink_prod"
    connection: dict[str, Any] = {"retry_budget": 0, "read_timeout": 5}
    environment = {
        "AIRFLOW_CONN_DLI_DEFAULT": world.connection(**connection),
        "AIRFLOW_CONN_DLI_SCRATCH": world.connection(project_id="scratch", **connection),
    }
    deed = DEEDS[seed % len(DEEDS)]
    flaw = deed(world, environment, chance)
    return None if flaw is None else f"{deed.__name__}: {flaw}"


def main() -> int:
    """Make runs; 1 if one went wrong."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    began, flaws = time.monotonic(), {}
    with Emulator() as world:
        for seed in range(first, first + runs):
            if flaw := killed(world, seed):
                flaws[seed] = flaw
                sys.stdout.write(json.dumps({"seed": seed, "flaw": flaw}) + "\n")
    told = {"runs": runs, "first_seed": first, "flaws": len(flaws), "seconds": round(time.monotonic() - began)}
    sys.stdout.write(json.dumps(told) + "\n")
    return int(bool(flaws))


if __name__ == "__main__":
    sys.exit(main())
