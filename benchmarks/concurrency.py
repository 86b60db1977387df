"""How much faster exports and verifications are with several batches and archives at a time.

``python benchmarks/concurrency.py [--batches N] [--archives N]`` exports batches of one job while DLI takes half a
second for a request, and verifies archives while OBS takes 20 ms, in processes of their own. The exit status is 1
unless eight batches at a time are exported five times as fast, and four archives at a time verified 1.7 times as
fast, as one after the other; or if a task takes more than 250 MB.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from figures import note
from growth import MOST_MEMORY, task

from dli_emulator import Emulator

#: seconds that the emulator takes for a request
EXPORT, READ = 0.5, 0.02
#: at a time, and how many times as fast that must be
BATCHES, ARCHIVES = (8, 5.0), (4, 1.7)


def compare(what: str, runs: Sequence[dict[str, Any]], at_a_time: int, least: float) -> bool:
    """Print a row; return whether several at a time are as fast as they must be, and take no more memory."""
    alone, several = (run["seconds"] for run in runs)
    ratio, memory = alone / several, max(run["memory"] for run in runs)
    note(f"{what}, {at_a_time} at a time", ratio, of="one after the other", higher_is_better=True)
    print(
        f"| {what} | {alone:.1f} | {several:.1f} with {at_a_time} | {ratio:.1f} | {memory / 1e6:.0f} MB |",
        flush=True,
    )
    return ratio >= least and memory <= MOST_MEMORY and not any(run["failure"] for run in runs)


def main() -> int:
    """Print a row for each; 1 if something is over its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=50)
    parser.add_argument("--archives", type=int, default=200)
    given = parser.parse_args()
    print("| | seconds, one after the other | several at a time | times as fast | memory, peak |")
    print("|---|---|---|---|---|")
    with Emulator(jobs=given.batches, object_store="seaweedfs") as emulator:
        os.environ["AIRFLOW_CONN_DLI_DEFAULT"] = emulator.connection()
        emulator.fault("ExportFlinkJobs", "slow", times=None, before=EXPORT)
        export: dict[str, Any] = {"selection": {}, "batch_size": 1}
        runs = [
            task("ExportFlinkJobsOperator", obs_dir=f"{emulator.bucket}/{each}", max_concurrency=each, **export)
            for each in (1, BATCHES[0])
        ]
    is_fast = compare(f"export {given.batches} batches, 0.5 s each", runs, *BATCHES)
    with Emulator(jobs=given.archives, object_store="seaweedfs") as emulator:
        os.environ["AIRFLOW_CONN_DLI_DEFAULT"] = emulator.connection()
        export["max_concurrency"] = 32
        archives = task("ExportFlinkJobsOperator", obs_dir=f"{emulator.bucket}/all", **export)["result"]
        for seconds, least in ((0.0, 0.0), (READ, ARCHIVES[1])):
            for operation in ("GetObject", "HeadObject") if seconds else ():
                emulator.fault(operation, "slow", times=None, before=seconds)
            os.environ["AIRFLOW_CONN_DLI_DEFAULT"] = emulator.connection(obs_endpoint=emulator.dli)
            runs = [
                task("VerifyFlinkExportOperator", zip_file=archives, max_concurrency=each)
                for each in (1, ARCHIVES[0])
            ]
            what = f"verify {given.archives} archives, {1000 * seconds:.0f} ms a request"
            is_fast &= compare(what, runs, ARCHIVES[0], least)
    return int(not is_fast)


if __name__ == "__main__":
    sys.exit(main())
