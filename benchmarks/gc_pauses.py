"""How long Python's garbage collector stops an event loop on which triggers wait, in seconds of CPU.

``python benchmarks/gc_pauses.py [WAITS] [SECONDS]``. What a triggerer imports is imported; no Airflow runs. CPU
time, and not time on the clock: so other work on the machine does not count.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import time
from importlib import import_module
from typing import Any

import greenback

from airflow_provider_dli.triggers.obs import ArchivesTrigger
from dli_emulator import Emulator

INTERVAL = 10.0


def main() -> int:
    """Run it, the emulator in this process and the triggers in another."""
    waits, seconds = (*sys.argv[1:], "1000", "90")[:2]
    with Emulator() as emulator:
        environment = os.environ | {
            "AIRFLOW_CONN_DLI_DEFAULT": emulator.airflow_conn,
            "WAITS": json.dumps([f"{emulator.bucket}/{number}.zip" for number in range(int(waits))]),
            "SECONDS": seconds,
        }
        return subprocess.run([sys.executable, __file__, "triggers"], env=environment, check=False).returncode


async def wait(name: str) -> None:
    """Let a trigger wait, as a triggerer does."""
    await greenback.ensure_portal()
    await anext(ArchivesTrigger([name], "dli_default", INTERVAL, time.time() + 3600).run())


async def measure() -> None:
    """Let triggers wait, and time each collection."""
    import_module("airflow.jobs.triggerer_job_runner")
    gc.collect()
    report: dict[str, Any] = {"objects_of_airflow": len(gc.get_objects())}
    waiting = [asyncio.ensure_future(wait(name)) for name in json.loads(os.environ["WAITS"])]
    await asyncio.sleep(2.5 * INTERVAL)
    began, full = 0.0, []

    def note(phase: str, info: dict[str, int]) -> None:
        nonlocal began
        if info["generation"] == 2:
            if phase == "start":
                began = time.thread_time()
            else:
                full.append(round(time.thread_time() - began, 3))

    gc.callbacks.append(note)
    spent, seconds = time.process_time(), float(os.environ["SECONDS"])
    await asyncio.sleep(seconds)
    gc.callbacks.remove(note)
    share = round((time.process_time() - spent) / seconds, 3)
    report |= {"objects": len(gc.get_objects()), "full_collections": full, "core": share}
    sys.stdout.write(json.dumps({"waits": len(waiting), "seconds": seconds, **report}) + "\n")
    for task in waiting:
        task.cancel()


if __name__ == "__main__":
    if sys.argv[1:] == ["triggers"]:
        asyncio.run(measure())
    else:
        sys.exit(main())
