"""What `make demo` and `make ui` share: an emulator, and an Airflow of its own that is connected to it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
_STOP_SECONDS = 10


class StepFailedError(Exception):
    """A step failed; the reason is in its log."""

    def __init__(self, step: str, log: Path) -> None:
        super().__init__(f"{step} failed; see {log}")
        self.log = log


def fresh_folder(name: str) -> Path:
    """Empty a folder of the checkout; everything a demo leaves behind is in it."""
    folder = ROOT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


@contextmanager
def run_emulator(folder: Path, *options: str) -> Iterator[dict[str, Any]]:
    """Run the emulator as a stranger would, from its command line; return what its first line describes."""
    log = folder / "emulator.log"
    with log.open("w") as errors, started("--json", *options, errors=errors) as process:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise StepFailedError("starting the emulator", log)
        yield json.loads(line)


@contextmanager
def started(*arguments: str, errors: IO[str]) -> Iterator[subprocess.Popen[str]]:
    """Start the emulator's command line, and stop it with everything it started."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dli_emulator", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def end_as_interrupted() -> None:
    """Have SIGTERM and SIGINT end this process as Ctrl-C does, so that what it started ends too.

    Both by name: a shell that starts us in the background has SIGINT ignored.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def airflow_environment(
    home: Path, emulator: dict[str, Any], environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return an Airflow of its own in ``home``, with the example DAGs and the connection in place."""
    inherited = {name: value for name, value in environ.items() if not name.startswith("AIRFLOW")}
    return {
        **inherited,
        "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "example_dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        # A small machine may take longer than the 5 s that a task waits; it would fail, and wait for its retry.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        "AIRFLOW_CONN_DLI_DEFAULT": emulator["airflow_conn"],
        "AIRFLOW_VAR_DLI_BACKUP_BUCKET": emulator["bucket"],
    }


def run_airflow(step: str, arguments: list[str], environment: dict[str, str], log: Path) -> None:
    """Run an Airflow command with its output in a log.

    :raises StepFailedError: naming the log, if the command fails
    """
    with log.open("a") as output:
        done = subprocess.run(
            [BIN / "airflow", *arguments], env=environment, cwd=ROOT, stdout=output, stderr=output, check=False
        )
    if done.returncode:
        raise StepFailedError(step, log)


def free_port() -> int:
    """Find a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
