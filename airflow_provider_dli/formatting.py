r"""How values appear where people read them: in messages, log lines, tables and reports.

What came from outside (names of jobs and objects, statuses, error messages, parameters) is escaped: a newline in
it forges a line of a log, an escape sequence drives a terminal, a bidirectional mark shows another text than there
is. Values stay as they came; only what people read is escaped.
"""

from __future__ import annotations

import logging
import re
import reprlib
import unicodedata
from collections.abc import Collection, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size

#: seconds below which a duration has a decimal
_SHORT = 10
_THOUSAND = 1000
#: ids or problems that a message names, and the characters beyond which it names no further one
_MAX_IDS, _MAX_LIST = 20, 3000
#: the longest excerpt, the longest word in it, and what is read of a longer text for it
_LENGTH, _WORD_LENGTH, _READ_LENGTH = 80, 20, 320
_LONG_WORD = re.compile(rf"\S{{{_WORD_LENGTH + 1},}}")
_NAMED_SECRET = re.compile(
    r"(?i)((?:pass(?:word|wd)?|pwd|secret\w*|token|credential\w*|(?:access_?)?key)['\"]?\s*[=:]\s*['\"]?)[^\s'\"&,]+"
)
_USER_INFO = re.compile(r"://[^/\s@]*@")
#: a value that may be a secret is shown whole up to this length; of a longer one, the first characters
_HARMLESS_LENGTH, _PREFIX_LENGTH = 6, 4


def escaped(text: str, max_length: int | None = None) -> str:
    r"""Return a string whose every character is visible, as Python would write it: ``\n``, ``\x1b``, ``\u202e``.

    Letters, signs and spaces of every script stay. Escaped are controls, line and paragraph separators,
    bidirectional and zero-width marks, tags, unpaired surrogates, and what Unicode has not assigned.

    :param max_length: characters to keep, an ellipsis in place of the rest; None to keep all
    """
    if max_length is not None and len(text) > max_length:
        text = f"{text[:max_length]}…"
    if text.isprintable():
        return text
    return "".join(
        each
        if each.isprintable() or unicodedata.category(each) == "Zs"
        else each.encode("unicode_escape").decode("ascii")
        for each in text
    )


def excerpt(value: object, *, secret: bool = False) -> str:
    """Return a value as a message shows it: escaped, on one line, short, and without secrets.

    Of a word longer than 20 characters at most the first half is shown, and never more than 20: it may be a secret
    in the wrong field. What follows ``password=`` and the like is omitted, and so is a user before a host.

    :param secret: True to show of a value longer than 6 characters only the first 4 and the length, for
        fields next to which a secret is entered
    """
    if secret and len(whole := str(value)) > _HARMLESS_LENGTH:
        return f"'{escaped(whole[:_PREFIX_LENGTH])}…' ({len(whole):,} characters)"
    text = escaped(_EXCERPT.repr(value))
    text = _USER_INFO.sub("://…", _NAMED_SECRET.sub(r"\1…", text))
    text = _LONG_WORD.sub(lambda word: f"{word[0][: min(_WORD_LENGTH, len(word[0]) // 2)]}…", text)
    return text if len(text) <= _LENGTH else f"{text[: _LENGTH - 1]}…"


class _Excerpt(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = _READ_LENGTH
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdict = 4
        self.maxlevel = 3

    def repr_str(self, x: str, level: int) -> str:
        del level
        return repr(x[:_READ_LENGTH])

    def repr_int(self, x: int, level: int) -> str:
        try:
            return super().repr_int(x, level)
        except ValueError:  # more digits than Python writes
            return "<int>"

    def repr_instance(self, x: object, level: int) -> str:
        text = super().repr_instance(x, level)
        # An address in memory helps nobody.
        return f"<{type(x).__name__}>" if " at 0x" in text else text


_EXCERPT = _Excerpt()


def safe_logger(name: str) -> logging.Logger:
    """Return the logger of a module, which from then on escapes what it logs."""
    logger = logging.getLogger(name)
    logger.addFilter(_escape_record)
    return logger


def _escape_record(record: logging.LogRecord) -> bool:
    line = record.getMessage()
    if (safe := escaped(line)) != line:
        record.msg, record.args = safe, ()
    return True


class SafeLog:
    """Mixin of operators, sensors, triggers and hooks: ``log`` escapes every line, so that no call can forget.

    Airflow 2 makes it with logging, Airflow 3 with structlog.
    """

    @property
    def log(self) -> Any:  # noqa: ANN401 -- a logger of logging or of structlog
        """Airflow's own logger of this object; no line of it can pass for several."""
        own: Any = super().log  # type: ignore[misc]  # of the class that it is mixed into
        if isinstance(own, logging.Logger):
            return safe_logger(own.name)
        import structlog  # noqa: PLC0415 -- Airflow 2 has none

        # The first processor of all: it gets the line with its arguments in it.
        processors = [_escape_event, *structlog.get_config()["processors"]]
        return structlog.wrap_logger(None, processors, logger_factory_args=own._logger_factory_args)  # noqa: SLF001


def _escape_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["event"] = escaped(str(event["event"]))
    return event


def pluralize(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: ``1 archive``, ``2 archives``, ``1,024 entries``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def format_duration(seconds: float) -> str:
    """Return a duration as ``0.8 s``, ``42 s``, ``3 min 20 s`` or ``2 h 5 min``."""
    if seconds < _SHORT:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def format_size(size: int) -> str:
    """Return a number of bytes as ``812 B``, ``1.2 KB``, ``340 MB`` or ``5.0 GB``."""
    amount, units = float(size), iter(("B", "KB", "MB", "GB"))
    unit = next(units)
    # What would be rounded to 1,000 belongs to the next unit.
    while amount >= _THOUSAND - 0.5 and (larger := next(units, None)):
        amount, unit = amount / _THOUSAND, larger
    without_decimal = unit == "B" or amount >= _SHORT
    return f"{amount:,.0f} {unit}" if without_decimal else f"{amount:.1f} {unit}"


def format_ids(ids: Collection[object], separator: str = ", ") -> str:
    """Return the first 20 ids, names or problems, fewer if they are long, and how many more there are.

    :param ids: however many, and however long each: a message stays one that people can read
    :param separator: between two of them; that of problems, which have commas, is another
    """
    shown: list[str] = []
    length = 0
    for each in ids:
        length += len(text := str(each))
        if shown and (len(shown) == _MAX_IDS or length > _MAX_LIST):
            break
        shown.append(text)
    rest = [f"and {len(ids) - len(shown):,} more"] if len(ids) > len(shown) else []
    return separator.join(shown + rest)


def format_jobs(jobs: Mapping[int, str]) -> str:
    """Return id and name of the first 20 jobs, and how many more there are."""
    return format_ids([f"{job_id} {name}" for job_id, name in jobs.items()])


def log_table(
    log: logging.Logger, head: Sequence[str], rows: Sequence[Sequence[object]], max_rows: int = 50
) -> None:
    """Log a table, and how many rows there are beyond those that are shown."""
    for line in text_table(head, rows[:max_rows]):
        log.info("  %s", line)
    if len(rows) > max_rows:
        log.info("  … and %s more", pluralize(len(rows) - max_rows, "row"))


def text_table(head: Sequence[str], rows: Sequence[Sequence[object]], max_width: int = 60) -> Iterator[str]:
    """Yield the lines of a table whose columns line up, also where characters are two columns wide.

    None is a dash; values longer than ``max_width`` are cut.
    """
    cells = [[_cut(_cell(value), max_width) for value in row] for row in (head, *rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * width for width in widths])
    for row in cells:
        yield "  ".join(map(set_cell_size, row, widths)).rstrip()


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table as Markdown; None is a dash."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_markdown(_cell(value)) for value in row)} |\n" for row in lines)


def _cell(value: object) -> str:
    return "-" if value is None else escaped(str(value))


def _cut(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"


def _markdown(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`")
