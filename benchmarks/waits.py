"""A thousand deferred waits on one real triggerer: what they cost, and whether each wakes up.

A whole Airflow runs. A DAG run has a thousand mapped tasks in a pool without slots, so that none takes a
worker; each is put into the database as deferred, with a trigger of ours that waits for an archive of its own.
The triggerer's CPU time is read from the kernel while all of them wait; then the archives are written, and each
task must go back to the scheduler. ``python benchmarks/waits.py [WAITS] [MINUTES] [ours|asleep]``; with
``asleep`` they are triggers of Airflow's own that do nothing, for comparison. ``make bench`` omits it, for
it takes a quarter of an hour.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "demo"), str(ROOT)]

from environment import airflow_environment  # noqa: E402 -- likewise
from standalone import standalone  # noqa: E402 -- found on the path above

from dli_emulator import Emulator  # noqa: E402 -- likewise
from tests.airflow.airflow_process import AirflowProcess, until  # noqa: E402 -- likewise

INTERVAL = 10
MOST_OF_A_CORE = 0.3
DAG = """
from airflow.sdk import DAG
from airflow_provider_dli.sensors.dli import DliExportArchiveSensor

with DAG("waits", schedule=None, max_active_tasks=2000):
    DliExportArchiveSensor.partial(task_id="wait", pool="nobody").expand(zip_file=NAMES)
"""
#: what waits: ours, or for comparison one of Airflow's own that does nothing but sleep
TRIGGERS = {
    "ours": 'ArchivesTrigger([names[task.map_index]], "dli_default", INTERVAL, time.time() + 7200)',
    "asleep": "DateTimeTrigger(datetime.now(UTC) + timedelta(hours=2))",
}
DEFER = """
import json, sys, time
from datetime import UTC, datetime, timedelta
from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.models import TaskInstance, Trigger
from airflow.utils.session import create_session
from airflow_provider_dli.triggers.obs import ArchivesTrigger

names = json.load(sys.stdin)
with create_session() as session:
    for task in session.query(TaskInstance).filter_by(dag_id="waits").all():
        waiting = TRIGGER
        row = Trigger.from_object(waiting)
        session.add(row)
        session.flush()
        task.state, task.trigger_id = "deferred", row.id
        task.next_method, task.next_kwargs = "execute_complete", {}
"""


def main() -> int:
    """Run it; 1 if a wake-up was missed, it cost more than it may, or the event loop was blocked meanwhile."""
    waits = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 10
    which = sys.argv[3] if len(sys.argv) > 3 else "ours"
    home = Path(tempfile.mkdtemp(prefix="waits-"))
    try:
        with Emulator() as emulator:
            measured = measure(emulator, home, waits, minutes, which)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print(json.dumps({"waits": waits, "minutes": minutes, "interval": INTERVAL, **measured}))
    return int(
        measured.get("woken", waits) != waits
        or measured["core"] >= MOST_OF_A_CORE
        or any(measured["loop_warnings"][each] for each in ("wait", "wake"))
    )


def measure(emulator: Emulator, home: Path, waits: int, minutes: float, which: str) -> dict[str, Any]:
    """Wait, wake, count."""
    names = [f"{emulator.bucket}/{number}.zip" for number in range(waits)]
    (home / "dags").mkdir()
    (home / "dags" / "waits.py").write_text(DAG.replace("NAMES", repr(names)))
    environment = airflow_environment(home, emulator.describe()) | {
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__MAX_MAP_LENGTH": str(waits + 1),
        "AIRFLOW__TRIGGERER__CAPACITY": str(2 * waits),
    }
    log = home / "airflow.log"
    with standalone(environment, log) as running:
        airflow = AirflowProcess(running, home)
        airflow.create_pool("nobody", 0)
        airflow.trigger("waits")
        until(lambda: states(home).get("scheduled", 0) == waits, 600)
        code = DEFER.replace("TRIGGER", TRIGGERS[which]).replace("INTERVAL", str(INTERVAL))
        subprocess.run(
            [sys.executable, "-c", code], env=environment, input=json.dumps(names), text=True, check=True
        )
        time.sleep(6 * INTERVAL)
        started = warnings_in(log)
        measured = watch(triggerer(running.process.pid), minutes * 60)
        measured["waiting"] = states(home).get("deferred", 0)
        waited = warnings_in(log)
        if which == "ours":
            measured |= wake(emulator, home, names)
        measured["loop_warnings"] = {
            "start": started,
            "wait": waited[len(started) :],
            "wake": warnings_in(log)[len(waited) :],
        }
    return measured


def warnings_in(log: Path) -> list[float]:
    """Read for how many seconds the triggerer reports a blocked event loop, each time."""
    return [float(found) for found in re.findall(r"async thread was blocked for ([0-9.]+) s", log.read_text())]


def states(home: Path) -> dict[str, int]:
    """Count the tasks in each state."""
    with closing(sqlite3.connect(f"file:{home / 'airflow.db'}?mode=ro", uri=True, timeout=30)) as database:
        query = "SELECT state, count(*) FROM task_instance WHERE map_index >= 0 GROUP BY state"
        return dict(database.execute(query).fetchall())


def triggerer(pid: int) -> list[psutil.Process]:
    """Find the triggerer and its children below this process."""
    family = psutil.Process(pid).children(recursive=True)
    parents = [each for each in family if each.cmdline()[-1:] == ["triggerer"]]
    return list({each for parent in parents for each in [parent, *parent.children(recursive=True)]})


def watch(processes: list[psutil.Process], seconds: float) -> dict[str, Any]:
    """Read how much of a core they take."""

    def spent() -> float:
        return sum(sum(process.cpu_times()[:2]) for process in processes)

    began, before = time.monotonic(), spent()
    time.sleep(seconds)
    share = (spent() - before) / (time.monotonic() - began)
    return {
        "processes": len(processes),
        "core": round(share, 3),
        "resident_mb": round(max(process.memory_info().rss for process in processes) / 1e6),
    }


def wake(emulator: Emulator, home: Path, names: list[str]) -> dict[str, Any]:
    """Write every archive; count the tasks that were given back."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        made.writestr("100.json", "{}")
    for name in names:
        emulator.s3.put_object(Bucket=emulator.bucket, Key=name.partition("/")[2], Body=content.getvalue())
    began = time.monotonic()
    until(lambda: states(home).get("deferred", 0) == 0, 600)
    seconds = time.monotonic() - began
    return {"woken": states(home).get("scheduled", 0), "seconds_to_wake": round(seconds, 1)}


if __name__ == "__main__":
    sys.exit(main())
