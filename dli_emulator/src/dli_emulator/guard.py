"""Runs a child of the emulator and outlives the emulator just long enough to clear up after both.

Started as a process of its own, with nothing but the standard library. When its standard input ends or the
emulator dies, however that happens, it kills the child and removes the directory and the files named. If the
child ends by itself, it leaves all in place, so that the log can be read, and ends with the child's code.

    python guard.py DIRECTORY [--remove FILE]... -- COMMAND ARGUMENT...
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def die_with_parent(how: signal.Signals) -> None:
    """Have the kernel send this process a signal when its parent dies; only Linux can.

    :param how: the signal
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, how)


def _die_with_guard() -> None:
    die_with_parent(signal.SIGKILL)


def main() -> int:
    """Run the command that the arguments name until it ends or is to end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--remove", type=Path, action="append", default=[])
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    die_with_parent(signal.SIGTERM)
    with (options.directory / "log").open("wb") as log:
        child = subprocess.Popen(  # noqa: S603 - the emulator's own command
            options.command,
            cwd=options.directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_guard if sys.platform == "linux" else None,  # noqa: PLW1509 - no thread runs yet
        )
    stopping = threading.Event()

    def stop(*_: object) -> None:
        stopping.set()
        child.kill()

    def stop_at_end_of_input() -> None:
        os.read(0, 1)
        stop()

    signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=stop_at_end_of_input, daemon=True).start()
    code = child.wait()
    for file in options.remove if stopping.is_set() else []:
        file.unlink(missing_ok=True)
    if stopping.is_set():
        shutil.rmtree(options.directory, ignore_errors=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
