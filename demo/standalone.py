"""``airflow standalone``: scheduler, UI and all the rest, as one thing to start and stop."""

from __future__ import annotations

import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from environment import BIN, ROOT, StepFailedError, free_port

_START_SECONDS = 180
_STOP_SECONDS = 10


@dataclass(frozen=True)
class Standalone:
    """An Airflow that runs.

    :param url: of its UI and API
    :param process: the parent of all its processes
    :param log: what they print
    """

    url: str
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def standalone(environment: Mapping[str, str], log: Path) -> Iterator[Standalone]:
    """Run an Airflow on free ports of loopback, and stop all of it.

    :param environment: of its processes, ``AIRFLOW_HOME`` among it
    :param log: where its output goes
    :raises StepFailedError: if it does not start
    """
    url, ports = _ports()
    with log.open("w") as output:
        process = subprocess.Popen(
            [BIN / "airflow", "standalone"],
            env={**environment, **ports},
            cwd=ROOT,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait_until_it_answers(url, process, log)
        yield Standalone(url, process, log)
    finally:
        _stop(process)


def _ports() -> tuple[str, dict[str, str]]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    return url, {
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
    }


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/api/v2/monitor/health", timeout=5):  # noqa: S310 -- loopback
                return
        except OSError:
            time.sleep(1)
    raise StepFailedError("starting Airflow", log)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop it and every process it started, also those that left its session."""
    parent = psutil.Process(process.pid)
    family = [parent, *parent.children(recursive=True)] if process.poll() is None else []
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.terminate()
    deadline = time.monotonic() + _STOP_SECONDS
    while any(_alive(member) for member in family) and time.monotonic() < deadline:
        process.poll()
        time.sleep(0.1)
    for member in family:
        if _alive(member):
            member.kill()
    process.wait()


def _alive(process: psutil.Process) -> bool:
    """Return whether a process still does anything; one that only waits to be reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
