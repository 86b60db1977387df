"""How quickly the emulator starts, how quickly a test gets a clean state, and what it costs while idle.

``python benchmarks/emulator.py``. Before an emulator is reset, an object, a job and a fault are put into it.
"""

from __future__ import annotations

import statistics
import time

import psutil
from figures import note, seconds

from dli_emulator import Emulator

STARTS, RESETS = 5, 50
#: objects of a megabyte that are written and read before it is left alone
WORK = 100
#: seconds that it is watched while it rests
RESTING = 10.0


def measured(store: str) -> tuple[list[float], list[float]]:
    """Measure starts and resets with one kind of store."""
    starts, resets = [], []
    for _ in range(STARTS):
        emulator = Emulator(object_store=store)
        starts.append(seconds(emulator.start))
        for _ in range(RESETS // STARTS):
            emulator.s3.put_object(Bucket=emulator.bucket, Key="flink/a.zip", Body=b"x" * 20_000)
            emulator.state.add_job(name="of a test")
            emulator.fault("ExportFlinkJobs", "throttled", times=None)
            resets.append(seconds(emulator.reset))
        emulator.stop()
    return starts, resets


def resting(store: str) -> float:
    """Measure what share of a core the processes of a store take while no request comes, after some work."""
    with Emulator(object_store=store) as emulator:
        for number in range(WORK):
            emulator.s3.put_object(Bucket=emulator.bucket, Key=f"flink/{number}.zip", Body=b"x" * 1_000_000)
            emulator.s3.get_object(Bucket=emulator.bucket, Key=f"flink/{number}.zip")["Body"].read()
        children = psutil.Process().children(recursive=True)
        time.sleep(2)  # it is idle by then
        before = [sum(child.cpu_times()[:2]) for child in children]
        time.sleep(RESTING)
        after = [sum(child.cpu_times()[:2]) for child in children]
    return (sum(after) - sum(before)) / RESTING


def main() -> None:
    """Print a line for each store."""
    print(f"{'store':10} {'start, median':>14} {'slowest':>9} {'clean state':>13} {'slowest':>9} {'at rest':>9}")
    for store in ("seaweedfs", "moto"):
        starts, resets = measured(store)
        note(
            f"a clean state, {store}",
            statistics.median(resets) / statistics.median(starts),
            of="a new emulator, until all of it answers",
        )
        print(
            f"{store:10} {statistics.median(starts):12.2f} s {max(starts):7.2f} s "
            f"{1000 * statistics.median(resets):10.1f} ms {1000 * max(resets):6.1f} ms {resting(store):9.3f}"
        )


if __name__ == "__main__":
    main()
