"""What it costs to compare all jobs of a project with their restored copies: time, requests and memory.

``python benchmarks/job_comparison.py [--jobs N]``: the emulator has the jobs in two projects, and the operator
runs in a process of its own: with all jobs equal, and with all in another queue. The
exit status is 1 above the limits.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from dli_emulator import Emulator

ROOT = Path(__file__).parents[1]
MOST_SECONDS, MOST_MB = 15, 250
SETTINGS = (
    *("name", "job_type", "desc", "queue_name", "run_mode"),
    *("sql_body", "main_class", "entrypoint_args", "job_config"),
)
TASK = """
import json, logging, sys, time
from airflow_provider_dli.operators.dli import DliCompareFlinkJobsOperator

def peak():
    # Not of getrusage, which counts the process that this one was started by.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024 / 1e6

mapping, verdict = json.load(sys.stdin), "all equal"
logging.disable()
operator = DliCompareFlinkJobsOperator(
    task_id="compare", job_mapping=mapping, source_conn_id="dli_default", dli_conn_id="dli_scratch"
)
idle, began, started = peak(), time.perf_counter(), time.process_time()
try:
    operator.execute({})
except Exception as error:
    verdict = str(error)[:60]
seconds, cpu = time.perf_counter() - began, time.process_time() - started
print(json.dumps({"seconds": seconds, "cpu": cpu, "idle": idle, "peak": peak(), "verdict": verdict}))
"""


def compare(emulator: Emulator, mapping: dict[int, int]) -> dict[str, Any]:
    """Compare the jobs in a process of its own; return what was measured."""
    before = len(emulator.requests)
    done = subprocess.run(
        [sys.executable, "-c", TASK],
        input=json.dumps(mapping),
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found | {"requests": dict(Counter(each.operation for each in emulator.requests[before:]))}


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=5000)
    options = parser.parse_args()
    slow = False
    with Emulator(jobs=options.jobs) as emulator:
        state = emulator.state
        scratch = state.add_project("cn-north-4_scratch")
        os.environ["AIRFLOW_CONN_DLI_DEFAULT"] = emulator.connection()
        os.environ["AIRFLOW_CONN_DLI_SCRATCH"] = emulator.connection(project_id=scratch.project_id)
        for what, changed in (("equal", {}), ("in another queue", {"queue_name": "scratch"})):
            scratch.jobs.clear()
            mapping = {}
            for job in list(state.jobs.values()):
                settings = {name: getattr(job, name) for name in SETTINGS} | changed
                mapping[job.job_id] = state.add_job(in_project=scratch.project_id, **settings).job_id
            found = compare(emulator, mapping)
            slow |= found["seconds"] > MOST_SECONDS or found["peak"] > MOST_MB
            print(
                f"{options.jobs:,} jobs, {what} ({found['verdict']}): "
                f"{found['seconds']:.1f} s ({found['cpu']:.1f} s of CPU), "
                f"{found['idle']:.0f} MB before, {found['peak']:.0f} MB at most, {found['requests']}",
                flush=True,
            )
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
