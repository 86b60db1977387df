"""Numbers, durations and tables as text for logs, messages and reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len, set_cell_size

from airflow_provider_dli.escaping import escaped

#: seconds below which a duration has a decimal
_SHORT = 10
#: ids that a message names
_MAX_IDS = 20


def pluralize(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: ``1 archive``, ``2 archives``, ``1,024 entries``.

    :param number: how many
    :param noun: in the singular
    :param plural: where it is not the singular with an ``s``
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def format_duration(seconds: float) -> str:
    """Return a duration as ``0.8 s``, ``42 s``, ``3 min 20 s`` or ``2 h 5 min``.

    :param seconds: how long
    """
    if seconds < _SHORT:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def format_ids(ids: Sequence[int]) -> str:
    """Return the first 20 ids, with an ellipsis if there are more.

    :param ids: all of them
    """
    return ", ".join(map(str, ids[:_MAX_IDS])) + (" …" if len(ids) > _MAX_IDS else "")


def text_table(head: Sequence[str], rows: Sequence[Sequence[object]], max_width: int = 60) -> Iterator[str]:
    """Yield the lines of a table whose columns line up, also where characters are two columns wide.

    :param head: names of the columns
    :param rows: their values; None is a dash
    :param max_width: of one column; longer values are cut
    """
    cells = [[_cut(_cell(value), max_width) for value in row] for row in (head, *rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * width for width in widths])
    for row in cells:
        yield "  ".join(map(set_cell_size, row, widths)).rstrip()


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table as Markdown.

    :param head: names of the columns
    :param rows: their values; None is a dash
    """
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_markdown(_cell(value)) for value in row)} |\n" for row in lines)


def _cell(value: object) -> str:
    return "-" if value is None else escaped(str(value))


def _cut(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"


def _markdown(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`")
