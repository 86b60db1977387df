"""What is known of DLI, OBS and IAM, and from where: ``facts.csv`` and ``bibliography.csv``.

``python -m tests.sources.page`` writes both into docs/quality/sources.md.
"""

from __future__ import annotations

import csv
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from tests.pages import with_section

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "quality" / "sources.md"


class Fact(NamedTuple):
    """One row of the page.

    :param area: the heading above it
    :param fact: what holds, with codes and fields in backquotes
    :param where: modules of the package, with spaces between
    :param source: ids of the bibliography, likewise
    :param sure: begins with *established*, *one source* or *assumed*
    :param test: ``file::function`` below ``tests``
    """

    area: str
    fact: str
    where: str
    source: str
    sure: str
    test: str


def _rows(name: str) -> list[list[str]]:
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


FACTS = [Fact(*row) for row in _rows("facts.csv")]
SOURCES = {name: (title, date) for name, title, date in _rows("bibliography.csv")}


def page() -> str:
    """Return the page with today's facts and sources."""
    lines: list[str] = []
    for area, facts in groupby(FACTS, key=lambda fact: fact.area):
        lines += [f"## {area}", "", "| fact | where | source | how sure | test |", "|---|---|---|---|---|"]
        lines += [
            f"| {each.fact} | {_quoted(each.where)} | {_quoted(each.source)} | {each.sure} | `{each.test}` |"
            for each in facts
        ]
        lines.append("")
    lines += [
        "## The sources",
        "",
        "| id | title | date |",
        "|---|---|---|",
        *(f"| `{name}` | {title} | {date} |" for name, (title, date) in SOURCES.items()),
    ]
    return with_section(PAGE.read_text(encoding="utf-8"), "sources", "\n".join(lines) + "\n")


def _quoted(names: str) -> str:
    return " ".join(f"`{name}`" for name in names.split())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
