"""The chaos table of docs/estate.md, written from the results.

``python estate/chaos_table.py`` writes it again.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "demo"))
from scenarios import SCENARIOS

RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).resolve().parents[1] / "docs" / "estate.md"
BEGIN, END = "<!-- estate: begin -->", "<!-- estate: end -->"
_COLUMNS = ("requests", "exported", "archives", "without a name", "lost", "retries", "ended by itself", "seconds")


def write(results: Mapping[str, Any]) -> None:
    """Keep results, and write the table into the page."""
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")


def with_table(text: str, results: Mapping[str, Any]) -> str:
    """Return a page with the table between its markers."""
    return re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{table(results)}{END}", text, flags=re.DOTALL)


def table(results: Mapping[str, Any]) -> str:
    """Return the table, a part for each executor.

    :param results: of the scenarios, by name
    """
    parts = []
    for executor in dict.fromkeys(scenario.executor for scenario in SCENARIOS.values()):
        names = [name for name in SCENARIOS if SCENARIOS[name].executor == executor and name in results]
        rows = [_row(SCENARIOS[name].title, results[name]) for name in names]
        if rows:
            parts.append("\n".join([_line([executor, *_COLUMNS]), "|" + "---|" * (len(_COLUMNS) + 1), *rows, ""]))
    if found := results.get("pod"):
        parts.append(f"A backup in a pod that is locked down: {found['outcome'].partition(' in ')[0]}.\n")
    return "\n".join(parts)


def _row(title: str, found: Mapping[str, Any]) -> str:
    figures = [found["requested"], found["acted"], found["archives"], len(found["orphans"]), len(found["lost"])]
    cells = [title, *figures, found["attempts"], _names(found["ended"]), found["seconds"]]
    return _line([f"**{cell}**" if found["problems"] else cell for cell in cells])


def _names(components: list[str]) -> str:
    """Return components without their numbers."""
    return ", ".join(dict.fromkeys(name.rstrip("-12") for name in components)) or "-"


def _line(cells: list[Any]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    write(json.loads(RESULTS.read_text(encoding="utf-8")))
