"""The example DAGs, whole, in real Airflow against the emulator."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
AIRFLOW = Path(sys.executable).parent / "airflow"


@dataclass
class Run:
    """What Airflow's own database says of a DAG run, and what the tasks logged."""

    states: dict[str, str]
    xcoms: dict[tuple[str, str], Any]
    log: str


@pytest.fixture(scope="session")
def environment(airflow_home: Path) -> dict[str, str]:
    """Migrate the tests' own Airflow, once."""
    environment = os.environ | {
        "AIRFLOW_HOME": str(airflow_home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "example_dags"),
    }
    subprocess.run([AIRFLOW, "db", "migrate"], env=environment, check=True, capture_output=True)
    return environment


@pytest.fixture
def run_dag(environment: dict[str, str], airflow_home: Path, dli_emulator: Any) -> Callable[..., Run]:
    """Return a function that runs a DAG from the command line, as a user would."""
    connected = environment | {
        "AIRFLOW_CONN_DLI_DEFAULT": dli_emulator.airflow_conn,
        "AIRFLOW_VAR_DLI_BACKUP_BUCKET": dli_emulator.bucket,
    }

    def run(dag_id: str, conf: dict[str, Any] | None = None, **changed: str) -> Run:
        done = subprocess.run(
            [AIRFLOW, "dags", "test", dag_id, *(["--conf", json.dumps(conf)] if conf else [])],
            env=connected | changed,
            capture_output=True,
            text=True,
            check=False,
        )
        with closing(sqlite3.connect(airflow_home / "airflow.db")) as database:
            (run_id,) = database.execute("SELECT run_id FROM dag_run ORDER BY id DESC LIMIT 1").fetchone()
            states = database.execute("SELECT task_id, state FROM task_instance WHERE run_id = ?", (run_id,))
            xcoms = database.execute("SELECT task_id, key, value FROM xcom WHERE run_id = ?", (run_id,))
            return Run(
                dict(states.fetchall()),
                {(task, key): json.loads(value) for task, key, value in xcoms.fetchall()},
                done.stdout + done.stderr,
            )

    return run


def test_nightly(run_dag: Callable[..., Run], dli_emulator: Any) -> None:
    """Green: all jobs exported into a directory of the run's own, the archive proven whole."""
    run = run_dag("dli_export_flink_jobs")
    assert run.states == {"export": "success", "verify": "success"}, run.log
    (archive,) = run.xcoms["export", "return_value"]
    assert run.xcoms["export", "zip_file"] == [archive]
    assert archive.startswith(f"{dli_emulator.bucket}/flink/")
    (report,) = run.xcoms["verify", "return_value"]
    assert (report["zip_file"], report["sound"], report["entries"]) == (archive, True, 26)


def test_selected(run_dag: Callable[..., Run]) -> None:
    """Green: the jobs named in the form, and no others."""
    run = run_dag("dli_export_selected_flink_jobs", {"job_selected": "100, 101"})
    assert run.states == {"export": "success", "verify": "success"}, run.log
    assert run.xcoms["verify", "return_value"][0]["entries"] == 2


def test_damage_is_red(run_dag: Callable[..., Run], dli_emulator: Any) -> None:
    """Red without a retry, with the archive and the defect in the log."""
    dli_emulator.fault("ExportFlinkJobs", "archive_flipped")
    run = run_dag("dli_export_flink_jobs")
    assert run.states == {"export": "success", "verify": "failed"}, run.log
    assert "1 of 1 archive not proven whole: obs://" in run.log
    assert "What to do: Keep what is there as evidence, and export again." in run.log
    assert not run.xcoms["verify", "return_value"][0]["sound"]


def test_a_wrong_connection_is_red(run_dag: Callable[..., Run], dli_emulator: Any) -> None:
    """The field is named in the log, no retry is spent, and nothing was sent."""
    connection = json.loads(dli_emulator.airflow_conn)
    connection["extra"] = {"project_id": dli_emulator.project_id}
    run = run_dag("dli_export_flink_jobs", AIRFLOW_CONN_DLI_DEFAULT=json.dumps(connection))
    assert run.states == {"export": "failed", "verify": "upstream_failed"}, run.log
    assert "connection 'dli_default': region: is missing" in run.log
    assert len(dli_emulator.requests) == 0
