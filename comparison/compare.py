"""``make compare``: the nightly export written in four ways, each run while things go wrong; writes the page.

``python comparison/compare.py [WAY[/MISHAP] …]`` runs some cells, ``-`` none; what is known of the others is kept.
Lines and reading times are measured for all ways each time. ``python comparison/page.py`` only writes the page.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from foreign import Foreign, foreign_host
from measuring import ROUNDS, false_in_sdk, importable, lines_below, lines_of, reading_times
from mishaps import MISHAPS
from page import RESULTS, write
from runs import cell, command_of, home_of, is_right
from ways import FOLDER, WAYS, Way

from dli_emulator import Emulator


def main() -> int:
    """Run and measure; the exit status is 0 if ours was right in every cell."""
    wanted = sys.argv[1:] or list(WAYS)
    results: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"ways": {}}
    _install()
    with Emulator() as emulator, foreign_host() as foreign:
        for way in WAYS.values():
            names = [name for name in _happening(way) if {way.name, f"{way.name}/{name}"} & set(wanted)]
            if names:
                known = results["ways"].setdefault(way.name, {"cells": {}})
                known["cells"].update(_run(way, names, emulator, foreign))
                known["when"] = f"{datetime.now(UTC):%Y-%m-%d}"
                _keep(results)
        _measure(results, emulator)
    _keep(results)
    write(results)
    ours = results["ways"]["ours"]["cells"]
    return int(not all(is_right(MISHAPS[name], found) for name, found in ours.items()))


def _install() -> None:
    for way in WAYS.values():
        print(f"{way.name}: environment", flush=True)
        way.install()


def _happening(way: Way) -> list[str]:
    """Name what can go wrong for a way."""
    return [name for name, mishap in MISHAPS.items() if not mishap.ways or way.name in mishap.ways]


def _run(way: Way, names: list[str], emulator: Emulator, foreign: Foreign) -> dict[str, Any]:
    """Run a way's DAG while things go wrong."""
    environment, command = home_of(way, _home(way)), command_of(way)
    command(["db", "migrate"], environment, _home(way) / "migrate")
    cells = {}
    for name in names:
        found = cell(way, MISHAPS[name], emulator, foreign, environment, command)
        right = "right" if is_right(MISHAPS[name], found) else "WRONG"
        print(f"{way.name}: {name}: {found['state']}, {right}, {found['seconds']} s", flush=True)
        cells[name] = found
    return cells


def _measure(results: dict[str, Any], emulator: Emulator) -> None:
    homes = {way.name: home_of(way, _home(way)) for way in WAYS.values()}
    times = reading_times(WAYS.values(), homes)
    for way in WAYS.values():
        lines = {"dag": lines_of(way.file.read_text(encoding="utf-8")), "packages": lines_below(way)}
        found = {"versions": way.versions(), "lines": lines, "reading_ms": times[way.name]}
        results["ways"].setdefault(way.name, {}).update(found)
    results["rounds"] = ROUNDS
    results["huawei_modules"] = {
        name: importable(WAYS[name], homes[name]) for name in WAYS if name.startswith("huawei")
    }
    results["sdk_false"] = false_in_sdk(WAYS["sdk"], homes["sdk"], emulator)


def _home(way: Way) -> Path:
    return FOLDER / way.name / "airflow"


def _keep(results: dict[str, Any]) -> None:
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
