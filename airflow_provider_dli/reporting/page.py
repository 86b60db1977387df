"""A report as one HTML file that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from airflow_provider_dli.escaping import escaped
from airflow_provider_dli.reporting.trend import Point, picture

_MARKS = ('<script type="application/json" id="report">', "</script>")
_STYLE = """
:root { color-scheme: light dark; --good: #176f2c; --bad: #b3261e; --line: #c4c7cc; --soft: #f4f5f7;
  --page: #fff; --text: #1b1b1f; }
@media (prefers-color-scheme: dark) {
  :root { --good: #7ddb92; --bad: #ffb4ab; --line: #4a4d52; --soft: #26282c; --page: #121212; --text: #ececee; } }
html { background: var(--page); color: var(--text); }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.verdict { border-left: .4rem solid; padding: .5rem 1rem; background: var(--soft); font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .6rem; text-align: left; vertical-align: top; }
td, tbody th { overflow-wrap: anywhere; max-width: 40rem; } thead th { white-space: nowrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; } dt { font-weight: 600; } dd {
margin: 0; }
"""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a report.

    :param title: its heading
    :param head: names of the columns
    :param rows: their values; None is a dash
    :param bad: numbers of the rows that are not as they should be; their first cell says so in words
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    bad: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Report:
    """What a report says.

    :param title: its first line
    :param good: whether all is as it should be
    :param verdict: one sentence
    :param facts: name to value: when, which project
    :param tables: the rest
    :param data: plain JSON values, for the reports that come later
    """

    title: str
    good: bool
    verdict: str
    facts: Mapping[str, object]
    tables: Sequence[Table]
    data: Mapping[str, Any] = field(default_factory=dict)

    def html(self, trend: Sequence[Point] = ()) -> str:
        """Write the page.

        :param trend: of the last runs, this one at the end; without at least two there is no picture
        """
        facts = "".join(f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in self.facts.items())
        body = [
            f"<h1>{_text(self.title)}</h1>",
            f'<p class="verdict {"good" if self.good else "bad"}">{_sign(self.good)} {_text(self.verdict)}</p>',
            f"<dl>{facts}</dl>",
            picture(trend) if len(trend) > 1 else "",
            *(_table(table) for table in self.tables),
        ]
        # Inside a script element "</" would end it, and "<!--" would open a comment.
        data = json.dumps(dict(self.data), ensure_ascii=True).replace("<", "\\u003c")
        return (
            f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{_text(self.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
            + "\n".join(part for part in body if part)
            + f"\n</main>\n{_MARKS[0]}{data}{_MARKS[1]}\n</body>\n</html>\n"
        )


def data_of(html: str) -> dict[str, Any] | None:
    """Give what a report keeps for those that come later; None if it is none of ours.

    :param html: a page
    """
    inside = html.partition(_MARKS[0])[2].partition(_MARKS[1])[0]
    try:
        data = json.loads(inside)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in table.head)
    rows = "".join(_row(row, bad=number in table.bad) for number, row in enumerate(table.rows))
    title = _text(table.title)
    # What scrolls must be reachable by keyboard, and have a name.
    return (
        f'<h2>{title}</h2>\n<div class="scroll" tabindex="0" role="region" aria-label="{title}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(row: Sequence[object], *, bad: bool) -> str:
    first, *rest = row
    sign = f'<span class="{"bad" if bad else "good"}">{_sign(not bad)}</span> '
    return (
        f'<tr><th scope="row">{sign}{_text(first)}</th>{"".join(f"<td>{_text(each)}</td>" for each in rest)}</tr>'
    )


def _sign(good: bool) -> str:  # noqa: FBT001 -- one word or the other
    return "✓ good:" if good else "✗ bad:"


def _text(value: object) -> str:
    return "-" if value is None else escape(escaped(str(value)), quote=True)
