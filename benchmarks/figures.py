"""Figures of one run. A ratio can be compared from run to run and from machine to machine; a time cannot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: where a script of ``make bench`` leaves its figures; nowhere if it is run alone
VARIABLE = "DLI_BENCH_FIGURES"


def seconds(what: Callable[[], object]) -> float:
    """Measure one call.

    :param what: is called
    """
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def run(script: str, **given: object) -> dict[str, Any]:
    """Run a script in a process of its own; return what it has measured.

    :param script: Python, which reads what is given as JSON from its input, and prints a JSON object last
    """
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def note(name: str, ratio: float, *, of: str, higher_is_better: bool = False) -> None:
    """Keep a ratio.

    :param name: what was measured
    :param ratio: how it stands to ``of``
    :param of: what it is compared with, measured in the same run
    :param higher_is_better: as of a speed; False as of a time
    """
    if file := os.environ.get(VARIABLE):
        command = " ".join([f"python benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
        line = {"name": name, "ratio": ratio, "of": of, "higher_is_better": higher_is_better, "command": command}
        with Path(file).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(line) + "\n")
