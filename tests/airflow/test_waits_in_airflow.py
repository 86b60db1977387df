"""Waits of real task instances: the same on a worker, given back between polls, and on the triggerer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dli_emulator import Emulator
from tests.airflow_cli import migrate
from tests.processes import untraced
from tests.zipped import zipped

# One process runs the DAG for all tests of this file.
pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("waits_in_airflow")]

FOLDER = Path(__file__).with_name("waits")
MODES = ["poke", "reschedule", "deferred"]
#: what Airflow makes of each task; with ``soft_fail``, but for the first
OUTCOMES = {"ok": "success", "down": "failed", "no_connection": "failed", "late": "skipped"}

Run = tuple[dict[str, str], str]


@pytest.fixture(scope="module")
def finished(dli_emulator_session: Emulator, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run the DAG once; the state of each task, and what all have logged."""
    emulator = dli_emulator_session
    emulator.reset()
    emulator.s3.put_object(Bucket=emulator.bucket, Key="a.zip", Body=zipped())
    emulator.state.jobs[101].plan = []
    emulator.state.jobs[105].plan = []
    nobody = "http://127.0.0.1:9"
    home = tmp_path_factory.mktemp("waits")
    environment = {
        **untraced(),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(FOLDER),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_DLI_DEFAULT": emulator.connection(retry_budget=0),
        "AIRFLOW_CONN_DOWN": emulator.connection(retry_budget=0, endpoint=nobody, obs_endpoint=nobody),
        "WAITS_BUCKET": emulator.bucket,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    migrate(environment, shared_folder)
    done = subprocess.run(
        [sys.executable, str(FOLDER / "waits.py")], env=environment, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return json.loads(done.stdout.splitlines()[-1]), done.stdout + done.stderr


def test_every_mode_means_the_same(finished: Run) -> None:
    """Of a service that is down and a connection that is missing a retry may help: ``soft_fail`` skips neither."""
    run, log = finished
    outcomes = {
        f"{kind}-{mode}-{case}": run[f"{kind}-{mode}-{case}"]
        for kind in ("archive", "job")
        for mode in MODES
        for case in OUTCOMES
    }
    assert outcomes == {name: OUTCOMES[name.rpartition("-")[2]] for name in outcomes}, log[-20000:]


@pytest.mark.parametrize("task", ["verify", "archive", "job", "run"])
def test_execution_timeout_ends_a_wait_on_the_triggerer(finished: Run, task: str) -> None:
    """As on a worker: the task fails; its own timeout of an hour does not matter."""
    run, log = finished
    assert run[f"{task}-limited"] == "failed"
    assert log.count("The execution_timeout of 0:00:04 is over") >= 4


def test_jobs_are_run_and_stopped(finished: Run) -> None:
    """What the trigger has seen comes with its event, which is all that ``dag.test()`` hands over."""
    run, log = finished
    assert (run["run"], run["stop"]) == ("success", "success"), log[-20000:]
