"""``make estate``: Airflow as in production, on this machine, while its parts are killed; writes docs/estate.md.

``python estate/estate.py [--jobs N] [--batches N] [SCENARIO …]`` runs some scenarios; what is known of the others
is kept. All data is in ``.cache/estate``, and every process that it starts ends with it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "demo"))
from chaos_table import RESULTS, write
from components import Components
from counts import Counts, Xcom, count
from environment import ROOT, end_as_interrupted
from needs import MissingError, Programs, find_programs
from processes import NotInTimeError, kill, mark, still_running, stop, until
from scenarios import SCENARIOS, Scenario
from services import Broker, Cloud, Database, cloud

FOLDER = ROOT / ".cache" / "estate"
#: seconds that DLI takes for an export before and after it has written the archive: time to be killed in
SLOW = 1.5
#: most seconds of one run, and of all
_RUN_SECONDS, _ALL_SECONDS = 300, 38 * 60
_WAITS = 4
POD = "pod"


def main() -> int:
    """Run scenarios; 1 if something was lost, doubled without a name, failed, or still runs."""
    options = _options()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    end_as_interrupted()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    mark()
    failed = True
    try:
        failed = not _run_all(options.scenarios, find_programs(), (options.jobs, options.batches))
    except MissingError as missing:
        print(missing, file=sys.stderr)
    except (NotInTimeError, OSError, subprocess.SubprocessError) as failure:
        print(f"FAILED: {failure}; the logs are in {FOLDER.relative_to(ROOT)}", file=sys.stderr)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
    finally:
        left = still_running()
        kill(left)
        print(f"still running: {', '.join(map(str, left)) or 'nothing'}", flush=True)
    return int(failed or bool(left))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="*", default=[], metavar="SCENARIO", help=", ".join([*SCENARIOS, POD]))
    parser.add_argument("--jobs", type=int, default=300, help="jobs of the project; default %(default)s")
    parser.add_argument("--batches", type=int, default=12, help="exports of one run; default %(default)s")
    options = parser.parse_args()
    if unknown := set(options.scenarios) - {*SCENARIOS, POD}:
        parser.error(
            f"no scenario is called {', '.join(sorted(unknown))}; there are {', '.join([*SCENARIOS, POD])}"
        )
    options.scenarios = [name for name in (*SCENARIOS, POD) if name in (options.scenarios or (*SCENARIOS, POD))]
    return options


def _run_all(names: list[str], programs: Programs, fleet: tuple[int, int]) -> bool:
    """Run scenarios and write the page; return whether all is right."""
    began, right = time.monotonic(), True
    results: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    with estate(programs, fleet) as made:
        print(f"[{time.monotonic() - began:5.0f} s] PostgreSQL, Redis, DLI and OBS run", flush=True)
        for name in names:
            if time.monotonic() - began > _ALL_SECONDS:
                raise NotInTimeError(f"not within {_ALL_SECONDS / 60:.0f} minutes: {name} and what comes after it")
            found = pod() if name == POD else made.run(SCENARIOS[name]).as_dict()
            right &= not found["problems"]
            results[name] = {
                **found,
                "jobs": fleet[0],
                "batches": fleet[1],
                "when": f"{datetime.now(UTC):%Y-%m-%d}",
            }
            verdict = "; ".join(found["problems"]) or "right"
            print(f"[{time.monotonic() - began:5.0f} s] {name}: {verdict}, {found['seconds']} s", flush=True)
            write(results)
    print(f"[{time.monotonic() - began:5.0f} s] stopped", flush=True)
    return right


class Estate:
    """What runs: databases, DLI with its object store, and Airflow's components.

    :param database: of Airflow
    :param broker: of Celery
    :param cloud: DLI and OBS
    :param airflow: its components
    :param batches: exports of one run
    """

    def __init__(
        self, database: Database, broker: Broker, cloud: Cloud, airflow: Components, batches: int
    ) -> None:
        self.database, self.broker, self.cloud, self.airflow = database, broker, cloud, airflow
        self.batches = batches
        self._executor: str | None = None

    def run(self, scenario: Scenario) -> Counts:
        """Run the fleet once, while something happens; return what it has left."""
        if scenario.executor != self._executor:
            self.airflow.start(scenario.executor)
            self.airflow.api("PATCH", "/dags/fleet", {"is_paused": False})
            self._executor = scenario.executor
        self.cloud.control("DELETE", "requests")
        run = Run(self)
        if scenario.deferred:
            run.wait_until_deferred()
        else:
            run.wait_for_exports()
        scenario.happens(self, run)
        run.let_the_waits_end()
        return run.counts()


@contextmanager
def estate(programs: Programs, fleet: tuple[int, int]) -> Iterator[Estate]:
    """Start what Airflow stands on; stop all that runs in the end.

    :param programs: that this machine has
    :param fleet: jobs and batches
    """
    database, broker = Database(programs, FOLDER), Broker(programs, FOLDER)
    try:
        database.start()
        broker.start()
        with cloud(FOLDER, fleet[0]) as made:
            fault = {"operation": "ExportFlinkJobs", "kind": "slow", "times": None, "before": SLOW, "after": SLOW}
            made.control("POST", "faults", fault)
            airflow = Components(FOLDER, database, broker, made, fleet)
            airflow.migrate()
            try:
                yield Estate(database, broker, made, airflow, fleet[1])
            finally:
                airflow.stop()
    finally:
        stop([broker.server])
        stop([database.server])


class Run:
    """A run of the fleet, which it triggers.

    :param made: where it runs
    """

    def __init__(self, made: Estate) -> None:
        self._estate = made
        self._began = time.monotonic()
        self._ended: list[str] = []
        self._id = str(made.airflow.api("POST", "/dags/fleet/dagRuns", {"logical_date": None})["dag_run_id"])
        self._folder = self._id.replace(":", "").replace("+", "_")

    def wait_for_exports(self) -> None:
        """Wait until DLI works on an export, or all exports are over."""
        until(lambda: self._in_progress() or not self._unfinished("export"), _RUN_SECONDS, "an export is sent")

    def wait_until_deferred(self) -> None:
        """Wait until all waits are on the triggerer."""
        until(lambda: len(self._states("wait", "deferred")) == _WAITS, _RUN_SECONDS, "the waits are deferred")

    def let_the_waits_end(self) -> None:
        """Write the archives that the waits wait for."""
        bucket = self._estate.cloud.bucket
        (source, *_) = until(
            lambda: self._estate.cloud.archives(f"{self._folder}/export/"), _RUN_SECONDS, "an export"
        )
        for number in range(_WAITS):
            copied = {"Bucket": bucket.name, "Key": source.partition("/")[2]}
            bucket.client.copy_object(
                Bucket=bucket.name, Key=f"{self._folder}/wait/{number}.zip", CopySource=copied
            )

    def counts(self) -> Counts:
        """Wait for the end of the run, and count what it has left; one that does not end is failed then."""
        airflow, cloud = self._estate.airflow, self._estate.cloud
        try:
            state = until(self._end, _RUN_SECONDS, "the run ends", 1)
        except NotInTimeError:
            state = "running"
        seconds = round(time.monotonic() - self._began)
        until(lambda: not self._in_progress(), _RUN_SECONDS, "DLI has done all that was requested")
        instances = self._estate.database.query(
            "SELECT state, try_number FROM task_instance WHERE run_id = %s", self._id
        )
        xcoms = self._estate.database.query(
            "SELECT task_id, map_index, key, value FROM xcom WHERE run_id = %s", self._id
        )
        place = f"{cloud.bucket.name}/{self._folder}"
        run: dict[str, Any] = {"state": state, "seconds": seconds, "batches": self._estate.batches, "place": place}
        run["ended"] = sorted(set(self._ended))
        found = count(
            run,
            cloud.control("GET", "requests"),
            cloud.archives(f"{self._folder}/"),
            [(str(state), int(number or 0)) for state, number in instances],
            [Xcom(*row) for row in xcoms],
        )
        if state == "running":
            airflow.api("PATCH", f"/dags/fleet/dagRuns/{self._id.replace('+', '%2B')}", {"state": "failed"})
        return found

    def _end(self) -> str | None:
        self._ended += self._estate.airflow.start_ended()
        ((state,),) = self._estate.database.query("SELECT state FROM dag_run WHERE run_id = %s", self._id)
        return state if state in ("success", "failed") else None

    def _in_progress(self) -> bool:
        record = self._estate.cloud.control("GET", "requests")
        return any(each["operation"] == "ExportFlinkJobs" and each["status"] is None for each in record)

    def _unfinished(self, task: str) -> list[Any]:
        return self._states(task, None, "scheduled", "queued", "running", "deferred", "up_for_retry", "restarting")

    def _states(self, task: str, *states: str | None) -> list[Any]:
        sql = "SELECT coalesce(state, '') FROM task_instance WHERE run_id = %s AND task_id = %s"
        return [
            state for (state,) in self._estate.database.query(sql, self._id, task) if (state or None) in states
        ]


def pod() -> dict[str, Any]:
    """Run the test of a pod that is locked down."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n0", "tests/e2e/test_pod.py"],
        cwd=ROOT,
        env={**os.environ, "DLI_E2E": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    outcome = done.stdout.strip().rpartition("\n")[2].strip("= ")
    problems = [] if done.returncode == 0 else [f"the pod: {outcome}"]
    return {"outcome": outcome, "problems": problems, "seconds": round(time.monotonic() - began)}


if __name__ == "__main__":
    sys.exit(main())
