"""Airflow's command line without its start-up: a process that has imported Airflow runs one after another.

``python tests/airflow_cli.py`` takes a line of JSON for each command on standard input: ``arguments``,
``environment``, and ``output``, the file that its output goes to; it answers with the exit status.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from importlib.metadata import version
from pathlib import Path


class AirflowCli:
    """Runs ``airflow`` commands, all in one process: the first of a kind takes seconds, the others a tenth of it.

    :param environment: of the process; Airflow reads most of it again for each command
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, arguments: list[str], environment: Mapping[str, str], output: Path) -> int:
        """Run a command; its exit status.

        :param arguments: after ``airflow``
        :param environment: all of it
        :param output: file that standard output and error go to
        """
        assert self._process.stdin
        assert self._process.stdout
        order = {"arguments": arguments, "environment": dict(environment), "output": str(output)}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()


def migrate(environment: Mapping[str, str], shared: Path) -> None:
    """Make the database of an Airflow, with the DAGs of its folder where ``dags test`` needs them.

    :param environment: of the Airflow
    :param shared: folder of all workers; the first to come here migrates a database, of which each has a copy
    """
    airflow = Path(sys.executable).parent / "airflow"
    made = shared / "airflow.db"
    database = Path(environment["AIRFLOW_HOME"]) / "airflow.db"
    with (shared / "airflow.db.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        if not made.exists():
            subprocess.run([airflow, "db", "migrate"], env=environment, check=True, capture_output=True)
            shutil.copy(database, made)
    if not database.exists():
        shutil.copy(made, database)
    # What a scheduler does and `dags test` does not: store asset aliases (Airflow 2) and activate assets (3.0,
    # apache/airflow issue 51644).
    if version("apache-airflow").startswith(("2.", "3.0.")):
        subprocess.run([airflow, "dags", "reserialize"], env=environment, check=True, capture_output=True)


@contextmanager
def airflow_cli(environment: Mapping[str, str]) -> Iterator[AirflowCli]:
    """Return the command line of an Airflow until the end of the block."""
    cli = AirflowCli(environment)
    try:
        yield cli
    finally:
        cli.close()


def serve() -> None:
    """Import Airflow, then run each command."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import airflow.cli.commands.dag_command  # noqa: PLC0415 -- after standard output is out of its way
    import airflow.models  # noqa: F401, PLC0415

    for line in sys.stdin:
        order = json.loads(line)
        answers.write(f"{command(order['arguments'], order['environment'], order['output'])}\n")
        answers.flush()


def command(arguments: list[str], environment: dict[str, str], output: str) -> int:
    """Run one command; its exit status."""
    from airflow.__main__ import main  # noqa: PLC0415 -- see above

    os.environ.clear()
    os.environ.update(environment)
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    sys.argv = ["airflow", *arguments]
    try:
        main()  # type: ignore[no-untyped-call]  # Airflow's
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 -- printed as Python would
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    serve()
    os._exit(0)  # Airflow's threads may still wait for something
