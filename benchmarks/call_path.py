"""How much of ours a task passes through: the files it enters, and the frames below which its request is sent.

``python benchmarks/call_path.py`` runs an export, a run and a stop through their operators against the emulator,
in this process, each once to load everything and once traced. A file is entered when a function of it is called.
The frames are counted where the bytes of the request go into the socket; with ``--list`` both are listed. The exit
status is 1 where one is over its limit.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import airflow_provider_dli
from airflow_provider_dli.operators.dli import (
    DliExportFlinkJobsOperator,
    DliRunFlinkJobsOperator,
    DliStopFlinkJobsOperator,
)
from dli_emulator import Emulator

MOST_FILES, MOST_FRAMES = 15, 9
PROJECT = "48cc2c48765f481480c7db940d6409d1"
OURS = f"{Path(airflow_provider_dli.__file__).parent}{os.sep}"


class TaskInstance:
    """What the operators use of Airflow's."""

    task_id, map_index, try_number = "task", -1, 1

    def xcom_push(self, key: str, value: object) -> None:
        """Take an XCom."""


class StateStore(dict[str, Any]):
    """Airflow's task state store, in memory."""

    set = dict.__setitem__

    def delete(self, key: str) -> None:
        """Drop a value."""
        self.pop(key, None)


class Trace:
    """A profile function that takes down the files of ours that are entered, and the stack at one request.

    :param request: how its first line begins
    """

    def __init__(self, request: bytes) -> None:
        self.files: dict[str, None] = {}
        self.stack: list[str] = []
        self._request = request

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:  # noqa: ANN401 -- as sys.setprofile has it
        """Take down one event."""
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(OURS) and frame.f_code.co_name != "<module>":
            self.files[name.removeprefix(OURS)] = None
        elif event == "c_call" and argument.__name__ == "sendall" and not self.stack:
            data = frame.f_locals.get("data")
            if isinstance(argument.__self__, socket.socket) and bytes(data or b"").startswith(self._request):
                self.stack = frames_of_ours(frame)


def frames_of_ours(frame: FrameType | None) -> list[str]:
    """Return the frames of ours on a stack, outermost first."""
    found: list[str] = []
    while frame:
        code = frame.f_code
        if code.co_filename.startswith(OURS):
            found.insert(0, f"{code.co_filename.removeprefix(OURS)}:{frame.f_lineno} {code.co_qualname}")
        frame = frame.f_back
    return found


def traced(execute: Callable[[], object], request: str) -> Trace:
    """Execute a task with a trace.

    :param execute: executes it
    :param request: the end of the path that it posts to
    """
    trace = Trace(f"POST /v1.0/{PROJECT}/streaming/jobs/{request} ".encode())
    threading.setprofile(trace)
    sys.setprofile(trace)
    try:
        execute()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return trace


def main() -> int:
    """Print a line for each task; 1 if one is over a limit."""
    over = False
    with Emulator(project_id=PROJECT, object_store="moto") as emulator:
        os.environ["AIRFLOW_CONN_DLI_DEFAULT"] = emulator.airflow_conn

        def context() -> Any:  # noqa: ANN401 -- in the place of Airflow's
            return {"ti": TaskInstance(), "run_id": "run", "task_state_store": StateStore()}

        def export() -> None:
            DliExportFlinkJobsOperator(
                task_id="task", obs_dir=f"{emulator.bucket}/run/task", job_selected=[100, 114]
            ).execute(context())

        def run() -> None:
            emulator.reset()
            DliRunFlinkJobsOperator(task_id="task", job_ids=[100], poll_interval=0.1).execute(context())

        def stop() -> None:
            DliStopFlinkJobsOperator(task_id="task", job_ids=[100], poll_interval=0.1).execute(context())

        tasks = (("export", export, "export"), ("run", run, "run"), ("stop", stop, "stop"))
        for _, task, _ in tasks:
            task()
        print(f"{'task':<8}{'files of ours entered':>24}{'frames of ours when sent':>28}{'in files':>12}")
        for name, task, request in tasks:
            if name == "stop":
                run()
            trace = traced(task, request)
            files, frames = len(trace.files), len(trace.stack)
            over |= not 0 < frames <= MOST_FRAMES or files > MOST_FILES
            in_files = len({line.partition(":")[0] for line in trace.stack})
            print(f"{name:<8}{files:>24}{frames:>28}{in_files:>12}")
            if "--list" in sys.argv:
                print(*(f"    {line}" for line in (*sorted(trace.files), "sent from", *trace.stack)), sep="\n")
    print(f"limits: {MOST_FILES} files, {MOST_FRAMES} frames: {'MISSED' if over else 'kept'}")
    return int(over)


if __name__ == "__main__":
    sys.exit(main())
