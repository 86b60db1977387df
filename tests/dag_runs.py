"""DAGs run from the command line, as a user would run them, and what came of them."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.airflow_cli import AirflowCli
from tests.connections import connected

EXAMPLES = Path(__file__).parents[1] / "example_dags"


@dataclass
class Run:
    """The state of a DAG run in Airflow's own database, and what the tasks logged."""

    run_id: str
    states: dict[str, str]
    xcoms: dict[tuple[str, str], Any]
    log: str


@dataclass(frozen=True)
class DagRunner:
    """Runs DAGs.

    :param cli: Airflow's command line
    :param environment: of each command
    :param home: of the Airflow whose database has the runs
    :param log: file that each command writes to
    :param file: that has the DAGs; None for that in ``example_dags``
    """

    cli: AirflowCli
    environment: Mapping[str, str]
    home: Path
    log: Path
    file: Path | None = None

    def test(self, dag_id: str, conf: dict[str, Any] | None = None, **changed: str) -> None:
        """Run a DAG to its end; its output is in the log.

        :param dag_id: its id
        :param conf: what the trigger form has
        :param changed: variables of the environment, such as connections
        """
        arguments = ["dags", "test", dag_id, *(["--conf", json.dumps(conf)] if conf else [])]
        file = self.file or EXAMPLES / f"{dag_id}.py"
        if version("apache-airflow").startswith("2."):
            arguments += ["--subdir", str(file)]
        elif self.file or not version("apache-airflow").startswith("3.0."):
            # Airflow would read all DAGs of a folder, twice: half of the time that a run takes. But 3.0 knows an
            # asset by the DAG that it schedules, which is in another file.
            folder = self.log.parent / f"only-{dag_id}"
            folder.mkdir(exist_ok=True)
            if not (link := folder / file.name).exists():
                link.symlink_to(file)
            changed["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = json.dumps([_bundle(folder)])
        self.cli.run(arguments, {**self.environment, **changed}, self.log)

    def __call__(self, dag_id: str, conf: dict[str, Any] | None = None, **changed: str) -> Run:
        """Run a DAG as :meth:`test` does; return what came of it."""
        self.test(dag_id, conf, **changed)
        with closing(sqlite3.connect(self.home / "airflow.db")) as database:
            (run_id,) = database.execute("SELECT run_id FROM dag_run ORDER BY id DESC LIMIT 1").fetchone()
            states = database.execute("SELECT task_id, state FROM task_instance WHERE run_id = ?", (run_id,))
            xcoms = database.execute("SELECT task_id, key, value FROM xcom WHERE run_id = ?", (run_id,))
            return Run(
                run_id,
                dict(states.fetchall()),
                # SQLite makes a number of the text of one; Airflow 2.11 writes bytes.
                {
                    (task, key): json.loads(value if isinstance(value, bytes) else str(value))
                    for task, key, value in xcoms.fetchall()
                },
                _plain(self.log.read_text(encoding="utf-8")),
            )


def _bundle(folder: Path) -> dict[str, Any]:
    """Return a bundle of DAGs, as Airflow's settings have it."""
    path = "airflow.dag_processing.bundles.local.LocalDagBundle"
    return {"name": "dags-folder", "classpath": path, "kwargs": {"path": str(folder)}}


def _plain(log: str) -> str:
    """Take colours and line breaks out of a log: Airflow 3.0 wraps what it prints of an exception."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", log).split())


@dataclass
class Scratch:
    """A second project: its id, its jobs and a connection to it."""

    project_id: str
    jobs: dict[int, Any]
    connection: str


def exported(emulator: Any, directory: str) -> str:
    """Export all jobs, as somebody did before the DAG runs; give the archive."""
    from airflow_provider_dli.hooks.dli import DliHook  # noqa: PLC0415 - once the tests' Airflow is set up

    with connected({"dli_default": emulator.airflow_conn}):
        (archive,) = DliHook().export_flink_jobs(f"{emulator.bucket}/{directory}").zip_file
    return archive
