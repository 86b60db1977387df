"""The report that may be sent back, checked for what must not be in it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from masking import Mask
from points import MEANINGS, POINTS, Finding

from airflow_provider_dli.formatting import escaped


class LeakError(Exception):
    """The report holds something that is somebody's own, so it is not written."""


def summary(findings: list[Finding]) -> str:
    """Count the findings by outcome."""
    counts = Counter(finding.outcome.value for finding in findings)
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))


def table(findings: list[Finding]) -> list[str]:
    """Return the lines of one table: what was open, what was seen, what it means, and the row of sources.md.

    :param findings: in any order
    """
    lines = ["| fact | what was seen | what it means for us | row of sources.md |", "|---|---|---|---|"]
    for each in sorted(findings, key=lambda finding: finding.point):
        meaning, row = MEANINGS[each.point]
        seen = escaped(f"{each.outcome}: {each.question}: {each.result}").replace("|", "/")
        lines.append(f"| {each.point}. {POINTS[each.point]} | {seen} | {meaning} | {row} |")
    return lines


def as_markdown(about: dict[str, Any], findings: list[Finding]) -> str:
    """Write the report for people.

    :param about: what was run, and against what
    :param findings: in any order
    """
    lines = ["# What a DLI account shows about what the manual leaves open", ""]
    lines += [f"- {name}: {value}" for name, value in about.items()]
    lines += ["", *table(findings)]
    for number, title in POINTS.items():
        lines += ["", f"## {number}. {title}", ""]
        own = [finding for finding in findings if finding.point == number]
        result = [escaped(f"- **{each.outcome}** - {each.question}: {each.result}") for each in own]
        lines += result or ["- not sent"]
        shown = {each.question: each.evidence for each in own if each.evidence}
        if shown:
            lines += ["", "```json", json.dumps(shown, indent=1, default=str), "```"]
    return "\n".join([*lines, ""])


def write(folder: Path, about: dict[str, Any], findings: list[Finding], mask: Mask) -> list[Path]:
    """Write ``report.json`` and ``report.md``.

    :param folder: is made if it is not there
    :param about: what was run, and against what
    :param findings: in any order
    :param mask: knows what must not be in it
    :returns: the files
    :raises LeakError: naming what would be given away, by its place-holder; nothing is written
    """
    data = {"about": about, "findings": [finding.as_json() for finding in findings]}
    texts = {
        "report.json": json.dumps(data, indent=1, default=str) + "\n",
        "report.md": as_markdown(about, findings),
    }
    own_words = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("*.py"))
    if leaks := sorted({name for text in texts.values() for name in mask.leaks(text, own_words)}):
        raise LeakError(f"the report would give away {', '.join(leaks)}")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
        written.append(folder / name)
    return written
