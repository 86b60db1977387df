"""The comparison's page, written from its results: docs/quality/comparison.md, and the table in the README.

``python comparison/page.py`` writes both again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from mishaps import FAILED, MISHAPS, Mishap
from runs import is_right
from ways import ROOT, WAYS, Way

RESULTS = ROOT / "comparison" / "results.json"
TEMPLATE = ROOT / "comparison" / "template.md"
PAGE = ROOT / "docs" / "quality" / "comparison.md"
README = ROOT / "README.md"
BEGIN, END = "<!-- comparison: begin -->", "<!-- comparison: end -->"


def write(results: dict[str, Any]) -> None:
    """Write page and table."""
    PAGE.write_text(page(results), encoding="utf-8")
    README.write_text(with_table(README.read_text(encoding="utf-8"), results), encoding="utf-8")


def page(results: dict[str, Any]) -> str:
    """Return the page.

    :param results: as :mod:`compare` keeps them
    """
    tables = {
        "versions": _versions(results),
        "costs": _costs(results),
        "cells": _mishaps(results),
        "messages": _messages(results),
    }
    return TEMPLATE.read_text(encoding="utf-8").format(**_facts(results), **tables)


def with_table(readme: str, results: dict[str, Any]) -> str:
    """Put the short table between the README's markers."""
    filled = f"{BEGIN}\n{_short(results)}{END}"
    return re.sub(f"{BEGIN}.*{END}", lambda _: filled, readme, flags=re.DOTALL)


def _facts(results: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of the prose."""
    ways = results["ways"]
    modules = results["huawei_modules"]
    failing = sorted(name for name, outcome in modules["huawei-3"].items() if outcome != "ok")
    facts: dict[str, Any] = {
        "failing": len(failing),
        "failing_names": ", ".join(f"`{name}`" for name in failing),
        "modules": len(modules["huawei-3"]),
        "on_two": sum(outcome == "ok" for outcome in modules["huawei-2"].values()),
        "false": results["sdk_false"][0],
        "truth": "true" if results["sdk_false"][1] else "false",
        "mishaps": len(MISHAPS),
        "rounds": results["rounds"],
        "airflow_2": ways["huawei-2"]["versions"]["apache-airflow"],
        "airflow_3": ways["huawei-3"]["versions"]["apache-airflow"],
        "huawei_version": ways["huawei-3"]["versions"]["apache-airflow-providers-huawei"],
        "sdk_version": ways["sdk"]["versions"]["huaweicloudsdkdli"],
        "http_version": ways["http"]["versions"]["apache-airflow-providers-http"],
    }
    for name in ("ours", "sdk", "http"):
        known = ways[name]
        facts |= {f"{name}_lines": known["lines"]["dag"], f"{name}_below": f"{known['lines']['packages']:,}"}
        facts |= {f"{name}_file": f"{known['reading_ms']['file']:.0f}"}
        facts |= {f"{name}_unavailable": known["cells"]["unavailable"]["seconds"]}
    return facts


def _versions(results: dict[str, Any]) -> str:
    rows = [
        (
            way.title,
            f"[{way.dag}.py](../../comparison/dags/{way.dag}.py)",
            ", ".join(f"{package} {version}" for package, version in known["versions"].items()),
            known["when"],
        )
        for way, known in _known(results)
    ]
    return _table(("way", "DAG file", "versions", "run on"), rows)


def _costs(results: dict[str, Any]) -> str:
    ours = results["ways"]["ours"]["reading_ms"]
    rows = []
    for way, known in _known(results):
        times = known["reading_ms"]
        took = [f"{times[what]:.0f} ms, {times[what] / ours[what]:.1f}×" for what in ("file", "imports")]
        lines = known["lines"]
        rows.append((way.title, str(lines["dag"]), f"{lines['packages']:,}", *took))
    head = ("way", "lines of the DAG file", "lines below it", "reading the DAG file", "all its imports")
    return _table(head, rows)


def _mishaps(results: dict[str, Any]) -> str:
    rows = []
    for name, mishap in MISHAPS.items():
        cells = [_cell(mishap, known["cells"].get(name)) for _, known in _known(results)]
        rows.append((mishap.title, mishap.right, *cells))
    counts = []
    for way, known in _known(results):
        right, of = counted(known)
        counts.append(f"{right} of {of}" if way.name == "ours" or right == of else f"**{right} of {of}**")
    rows.append(("right in all", "", *counts))
    return _table(("what goes wrong", "right is", *(way.title for way, _ in _known(results))), rows)


def counted(known: dict[str, Any]) -> tuple[int, int]:
    """Count the cells of a way that are right, and all that it has."""
    cells = known["cells"]
    return sum(is_right(MISHAPS[name], found) for name, found in cells.items()), len(cells)


def _cell(mishap: Mishap, found: dict[str, Any] | None) -> str:
    if found is None:
        return "has no token"
    notes = [found["state"]]
    if found["exports"] > 1:
        notes.append(f"exported {found['exports']}×")
    if found["requests"] != 1:
        notes.append(f"{found['requests']} requests")
    sent = sorted({name for visit in found["foreign"] for name in visit})
    if sent:
        notes.append(f"`{'`, `'.join(sent)}` sent there")
    elif found["foreign"]:
        notes.append("went there, without credentials")
    notes += [f"{name} in the log" for name in found["secrets"]]
    text = ", ".join(notes)
    return text if is_right(mishap, found) else f"**{text}**"


def _messages(results: dict[str, Any]) -> str:
    parts = []
    for name, mishap in MISHAPS.items():
        messages = [
            f"- {way.title}, after {_times(found['tries'])}: {_quoted(found['message'])}"
            for way, known in _known(results)
            if (found := known["cells"].get(name)) and found["state"] == FAILED
        ]
        if messages:
            parts.append(f"**{mishap.title[0].upper()}{mishap.title[1:]}**\n\n" + "\n".join(messages) + "\n")
    return "\n".join(parts)


def _times(tries: int) -> str:
    return "1 attempt" if tries == 1 else f"{tries} attempts"


def _quoted(message: str) -> str:
    return f"`{message.replace('`', chr(39))}`" if message else "nothing"


def _short(results: dict[str, Any]) -> str:
    """Return the table for the README."""
    known = {way.name: found for way, found in _known(results) if way.name != "huawei-2"}
    times = [each["reading_ms"] for each in known.values()]
    rows = [
        ("lines of the DAG file", *(str(each["lines"]["dag"]) for each in known.values())),
        ("reading it", *(f"{each['file']:.0f} ms" for each in times)),
    ]
    for name in ("throttled", "lost", "flipped", "wrong_secret", "redirect"):
        cells = (_cell(MISHAPS[name], each["cells"][name]) for each in known.values())
        rows.append((MISHAPS[name].title, *cells))
    counts = (counted(each) for each in known.values())
    rows.append(("right, of all that was tried", *(f"{right} of {of}" for right, of in counts)))
    return _table(("", *(WAYS[name].title for name in known)), rows)


def _known(results: dict[str, Any]) -> list[tuple[Way, dict[str, Any]]]:
    return [(way, results["ways"][name]) for name, way in WAYS.items()]


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    written = [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in (head, *rows)]
    return "\n".join([written[0], "|" + "---|" * len(head), *written[1:], ""])


if __name__ == "__main__":
    write(json.loads(RESULTS.read_text(encoding="utf-8")))
