"""Tables for people: aligned text for logs, Markdown for XCom and files."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from airflow_provider_dli.escaping import escaped

_WIDE = ("W", "F")
_CUT = "…"


def text_table(head: Sequence[str], rows: Sequence[Sequence[object]], widest: int = 60) -> Iterator[str]:
    """Write a table as lines whose columns line up, also where characters are two columns wide.

    :param head: names of the columns
    :param rows: their values; None is a dash
    :param widest: most columns of text that one column of the table takes
    """
    cells = [[_cut(_shown(value), widest) for value in row] for row in (head, *rows)]
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    for number, row in enumerate(cells):
        yield "  ".join(text + " " * (wide - width(text)) for text, wide in zip(row, widths, strict=True)).rstrip()
        if number == 0:
            yield "  ".join("-" * wide for wide in widths)


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Write a table as Markdown.

    :param head: names of the columns
    :param rows: their values; None is a dash
    """
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_escaped(_shown(value)) for value in row)} |\n" for row in lines)


def width(text: str) -> int:
    """Tell how many columns a text takes.

    :param text: one line
    """
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in _WIDE else 1
        for character in text
    )


def _shown(value: object) -> str:
    return "-" if value is None else escaped(str(value))


def _cut(text: str, widest: int) -> str:
    if width(text) <= widest:
        return text
    while width(text) > widest - 1:
        text = text[:-1]
    return text + _CUT


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`")
