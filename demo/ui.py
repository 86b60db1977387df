"""`make ui`: the example DAGs in Airflow's own UI, connected to the emulator, until Ctrl-C.

Everything it writes is in ``.ui``; every process it starts ends with it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import psutil
from world import BIN, ROOT, StepFailedError, airflow_environment, emulator, free_port, fresh_folder

_START_SECONDS = 180
_STOP_SECONDS = 10


def main() -> int:
    """Run the UI until interrupted; the exit status."""
    # Both by name: a shell that starts us in the background has SIGINT ignored.
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    folder = fresh_folder(".ui")
    try:
        print("Starting the DLI emulator, an object store and Airflow; this takes about a minute.", flush=True)
        with emulator(folder) as world:
            port = free_port()
            environment = airflow_environment(folder / "airflow", world) | {
                "AIRFLOW__API__HOST": "127.0.0.1",
                "AIRFLOW__API__PORT": str(port),
                "AIRFLOW__API__WORKERS": "1",
                "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
                "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
                "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
                "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            }
            serve(port, environment, folder / "airflow.log")
    except StepFailedError as failure:
        print(f"\nFAILED: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.")
    return 0


def serve(port: int, environment: dict[str, str], log: Path) -> None:
    """Run ``airflow standalone`` until it ends or is interrupted, and stop all of it."""
    with log.open("w") as output:
        process = subprocess.Popen(
            [BIN / "airflow", "standalone"],
            env=environment,
            cwd=ROOT,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_until_it_answers(port, process, log)
        print(
            f"\nAirflow is at  http://127.0.0.1:{port}\n\n"
            "  1. Open the DAG  dli_export_flink_jobs  and press Trigger: export and verify turn green.\n"
            "     Last night's run comes along, as it is scheduled. Task verify, tab Storage, XCom: the report.\n"
            "  2. Open  dli_export_selected_flink_jobs , press Trigger, type the job ids 100, 101.\n"
            "  3. Admin, Connections shows the fields of a connection of type Huawei Cloud DLI.\n\n"
            f"Logs are in {log.parent.relative_to(ROOT)}. Ctrl-C ends everything.",
            flush=True,
        )
        process.wait()
        raise StepFailedError("Airflow", log)
    finally:
        stop(process)


def wait_until_it_answers(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for the UI.

    :raises StepFailedError: if Airflow ends, or does not answer in time
    """
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=5):
                return
        except OSError:
            time.sleep(1)
    raise StepFailedError("starting Airflow", log)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop Airflow and every process it started, also those that left its session."""
    parent = psutil.Process(process.pid)
    family = [parent, *parent.children(recursive=True)] if process.poll() is None else []
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.terminate()
    deadline = time.monotonic() + _STOP_SECONDS
    while any(alive(member) for member in family) and time.monotonic() < deadline:
        process.poll()
        time.sleep(0.1)
    for member in family:
        if alive(member):
            member.kill()
    process.wait()


def alive(process: psutil.Process) -> bool:
    """Tell whether a process still does anything; one that only waits to be reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
