"""Figures of one run. A ratio can be compared from run to run and from machine to machine; a time cannot."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

#: where a script of ``make bench`` leaves its figures; nowhere if it is run alone
VARIABLE = "DLI_BENCH_FIGURES"


def seconds(what: Callable[[], object]) -> float:
    """Measure one call.

    :param what: is called
    """
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


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
