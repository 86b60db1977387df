"""``make bench``: every benchmark in turn; ratios into ``results.json`` and docs/quality/benchmarks.md.

``python benchmarks/bench.py --check`` writes nothing and compares with what is written: 1 if a ratio has become
worse by more than a fifth. On a machine that does other things besides it proves nothing.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from figures import VARIABLE

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
PAGE = HERE.parent / "docs" / "quality" / "benchmarks.md"
MARKS = ("<!-- ratios: begin -->\n", "<!-- ratios: end -->\n")
SCRIPTS = (["imports"], ["calls"], ["listing"], ["archive"], ["archive", "--one-core"], ["memory"], ["emulator"])
#: a ratio may be worse by this part before it counts: the machine is noisy
SLACK = 0.2
#: and by this much: what is next to nothing doubles easily
LEAST = 0.003


def main() -> int:
    """Run all; 1 if one misses its own limit or, with ``--check``, a ratio has become worse."""
    failed, figures = run_all()
    if "--check" in sys.argv:
        worse = compare(json.loads(RESULTS.read_text(encoding="utf-8"))["figures"], figures)
        print(*worse or [f"no ratio is worse than in {RESULTS.name} by more than {SLACK:.0%}"], sep="\n")
        return int(failed or bool(worse))
    results = {"machine": machine(), "when": f"{datetime.now(UTC):%Y-%m-%d}", "figures": figures}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    PAGE.write_text(head + MARKS[0] + table(results) + MARKS[1] + rest.partition(MARKS[1])[2], encoding="utf-8")
    return int(failed)


def run_all() -> tuple[bool, list[dict[str, Any]]]:
    """Run the scripts; whether one failed, and the figures of all."""
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "figures")
        file.touch()
        for script, *arguments in SCRIPTS:
            print(f"== benchmarks/{script}.py {' '.join(arguments)}", flush=True)
            command: list[str | Path] = [sys.executable, HERE / f"{script}.py", *arguments]
            done = subprocess.run(command, env=os.environ | {VARIABLE: str(file)}, check=False)
            failed |= done.returncode != 0
        return failed, [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def compare(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[str]:
    """Name the ratios that have become worse.

    :param before: figures of the run that is written down
    :param now: figures of this run
    """
    known = {each["name"]: each["ratio"] for each in before}
    worse = []
    for each in now:
        old, new = known.get(each["name"]), each["ratio"]
        if old is None:
            continue
        print(f"{new / old - 1 if old else 0:+7.1%}  {each['name']}: {new:.3g}, was {old:.3g}")
        change = old - new if each["higher_is_better"] else new - old
        if change > max(SLACK * old, LEAST):
            worse.append(f"worse: {each['name']}: {new:.3g} of {each['of']}, was {old:.3g}")
    return worse


def machine() -> str:
    """Describe what was measured on, without its name."""
    cpus = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", cpus.read_text()) if cpus.exists() else None
    model = found[1] if found else platform.machine()
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    python = f"Python {platform.python_version()}, Airflow {version('apache-airflow')}"
    return f"{os.cpu_count()} cores ({model}), {system}, {python}"


def table(results: dict[str, Any]) -> str:
    """Write the table of the page.

    :param results: what is in ``results.json``
    """
    parts = [f"\nOn {results['machine']}; {results['when']}.\n"]
    for command, figures in groupby(results["figures"], key=itemgetter("command")):
        parts.append(f"\n`{command}`\n\n| | ratio | of | better is |\n|---|---|---|---|\n")
        for each in figures:
            better = "higher" if each["higher_is_better"] else "lower"
            parts.append(f"| {each['name']} | {_shown(each['ratio'])} | {each['of']} | {better} |\n")
    return "".join([*parts, "\n"])


def _shown(ratio: float) -> str:
    """Write a ratio so that it can be read; a small part as a percentage."""
    return f"{ratio:.2f}" if ratio >= 0.5 else f"{ratio:.2%}"


if __name__ == "__main__":
    sys.exit(main())
