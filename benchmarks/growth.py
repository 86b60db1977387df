"""How memory, task state, XComs and triggers of a task grow with the number of jobs.

``python benchmarks/growth.py [--jobs N ...] [verify] [others] [waits] [actions]`` executes operators against the
emulator, each in a process of its own. The exit status is 1 where one is over its limit: memory with up to 10,000
jobs, task state and each XCom with up to 5,000.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from figures import run

from dli_emulator import Emulator

MOST_MEMORY, MOST_STATE, MOST_XCOM = 250_000_000, 1_000_000, 64_000
#: bytes of the report on an archive, of which a verification pushes one each
REPORT = 640
#: jobs of an archive: many small ones, and the default
BATCH, LARGE_BATCH = 20, 100
PATH = "obs://obs-test/savepoints/flink/{}/savepoint-4af3d1-b1c2d3e4f5a6"
#: executes an operator and prints what it has measured as JSON
TASK = """
import json, logging, sys, time
from airflow_provider_dli.compat import TaskDeferred
from airflow_provider_dli.operators import dli
from airflow_provider_dli.sensors import dli as sensors

class Store:
    kept, written, writes = {}, 0, 0
    def get(self, key, default=None):
        return json.loads(self.kept[key]) if key in self.kept else default
    def set(self, key, value):
        self.kept[key] = json.dumps(value)
        self.written += len(self.kept[key])
        self.writes += 1
    def delete(self, key):
        self.kept.pop(key, None)

class TaskInstance:
    task_id, map_index, try_number, pushed = "task", -1, 1, {}
    def xcom_push(self, key, value):
        self.pushed[key] = value
    def xcom_pull(self, **_):
        return None

given = json.load(sys.stdin)
store, instance, failure, trigger = Store(), TaskInstance(), "", None
logging.disable(logging.CRITICAL)
kind = getattr(dli, given["operator"], None) or getattr(sensors, given["operator"])
operator = kind(task_id="task", **given["parameters"])
began = time.perf_counter()
try:
    result = operator.execute({"ti": instance, "run_id": "run", "task_state_store": store})
    instance.pushed.setdefault("return_value", result)
except TaskDeferred as waiting:
    trigger = waiting.trigger
except Exception as error:
    failure = str(error)
seconds = time.perf_counter() - began
with open("/proc/self/status") as status:
    # Not of getrusage, which counts the process that this one was started by.
    memory = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
print(json.dumps({
    "seconds": seconds, "memory": memory, "state": store.written, "writes": store.writes, "failure": failure,
    "trigger": trigger and [len(json.dumps(each)) for each in (trigger.serialize()[1], trigger.payload())],
    "xcoms": {key: len(json.dumps(value)) for key, value in instance.pushed.items()},
    "result": instance.pushed.get("return_value") if given["operator"] == "DliExportFlinkJobsOperator" else None,
}))
"""


def task(operator: str, **parameters: object) -> dict[str, Any]:
    """Execute an operator in a process of its own; return what was measured."""
    return run(TASK, operator=f"Dli{operator}", parameters=parameters)


def verifications(emulator: Emulator, ids: list[int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Verify archives that must have all jobs, and such that have none of the expected ones."""
    absent = [job_id + 1_000_000 for job_id in ids]
    for size in (len(ids), BATCH):
        export = {"obs_dir": f"{emulator.bucket}/{size}", "job_selected": ids, "batch_size": size}
        archives = task("ExportFlinkJobsOperator", **export)["result"]
        what = f"verify, {len(archives):,} archive{'s' * (len(archives) > 1)}"
        for more, expected in (("", ids), (", no job found", absent)):
            found = task("VerifyFlinkExportOperator", zip_file=archives, expected_jobs=expected)
            yield f"{what}{more}", found | {"most_xcom": max(MOST_XCOM, REPORT * len(archives))}


def actions(_emulator: Emulator, ids: list[int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Stop, run, save and delete all jobs."""
    for action in ("Stop", "Run", "Savepoint"):
        yield action.lower(), task(f"{action}FlinkJobsOperator", job_ids=ids, poll_interval=1)
    yield "delete", task("DeleteFlinkJobsOperator", job_ids=ids)


def others(emulator: Emulator, ids: list[int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """List, export and back up all jobs, and check the coverage."""
    place = f"{emulator.bucket}/backups"
    yield "list", task("ListFlinkJobsOperator")
    yield (
        "export",
        task(
            "ExportFlinkJobsOperator", obs_dir=f"{emulator.bucket}/all", job_selected=ids, batch_size=LARGE_BATCH
        ),
    )
    yield "backup", task("BackupFlinkJobsOperator", backup_dir=place, batch_size=LARGE_BATCH)
    yield "restore", task("RestoreFlinkJobsOperator", backup_dir=place)
    yield "verify the backup again", task("VerifyBackupsOperator", backup_dir=place)
    yield "coverage", task("CheckBackupCoverageOperator", backup_dir=place)


def waits(emulator: Emulator, ids: list[int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Wait for all jobs on the triggerer."""
    given: dict[str, Any] = {"job_ids": ids, "deferrable": True}
    yield "sensor, deferred", task("FlinkJobSensor", target_state="stopped", **given)
    emulator.state.settings.step_seconds = 3600.0
    yield "stop, deferred", task("StopFlinkJobsOperator", **given)
    emulator.state.settings.step_seconds = 0.0
    for job in emulator.state.jobs.values():
        job.status, job.plan = "job_running", []


CASES = {"verify": verifications, "others": others, "waits": waits, "actions": actions}


def largest(found: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return the key and size of the largest XCom of a task, if it has pushed any."""
    return sorted(found["xcoms"].items(), key=lambda each: int(each[1]))[-1:]


def row(what: str, jobs: int, found: Mapping[str, Any]) -> str:
    """Return a row of the table."""
    state = f"{found['state']:,} B in {found['writes']:,}" if found["state"] else "none"
    xcom = ", ".join(f"{size / 1000:,.0f} kB, {key}" for key, size in largest(found))
    trigger = " + ".join(f"{size / 1000:,.0f} kB" for size in found["trigger"] or ())
    failure = f"{len(found['failure']):,} characters" if found["failure"] else ""
    memory = f"{found['memory'] / 1e6:.0f} MB"
    cells = (what, f"{jobs:,}", f"{found['seconds']:.1f}", memory, state, xcom, trigger, failure)
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Print a row for each task; 1 if one is over a limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=[*CASES], metavar="|".join(CASES))
    parser.add_argument("--jobs", type=int, nargs="+", default=[1000, 5000])
    options = parser.parse_args()
    is_over = False
    print("| | jobs | seconds | memory, peak | task state written | largest XCom | trigger, event | failed with |")
    print("|---|---|---|---|---|---|---|---|")
    for jobs in options.jobs:
        with Emulator(jobs=0, object_store="seaweedfs") as emulator:
            emulator.state.settings.step_seconds = 0.0
            for number in range(jobs):
                emulator.state.add_job(
                    name=f"orders_{number}",
                    job_id=100_000 + number,
                    status="job_running",
                    queue_name="q",
                    run_mode="exclusive_cluster",
                    start_time=1_582_677_879_475 + number,
                    savepoint_path=PATH.format(number),
                )
            os.environ["AIRFLOW_CONN_DLI_DEFAULT"] = emulator.connection()
            for case in options.cases:
                for what, found in CASES[case](emulator, list(range(100_000, 100_000 + jobs))):
                    is_over |= found["memory"] > MOST_MEMORY and jobs <= 10_000
                    most = found.get("most_xcom", MOST_XCOM)
                    is_over |= jobs <= 5_000 and (
                        found["state"] > MOST_STATE or any(size > most for _, size in largest(found))
                    )
                    print(row(what, jobs, found), flush=True)
    return int(is_over)


if __name__ == "__main__":
    sys.exit(main())
