r"""Escape what came from outside, in the place where a message, a log line or a report is made of it.

Names of jobs and objects, statuses, error messages, parameters: a newline in one forges a line of a log, an escape
sequence drives a terminal, a bidirectional mark shows another text than there is. Values stay as they came; only
what people read is escaped: messages of exceptions (:mod:`~airflow_provider_dli.client.errors`,
:mod:`~airflow_provider_dli.exceptions`), log lines (:func:`safe_logger`), tables and pages.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import MutableMapping
from typing import Any

#: characters of a value that a message shows whole; a longer one may be a secret in the wrong field
_SHORT = 6
_BEGINNING = 4


def escaped(text: str, longest: int | None = None) -> str:
    r"""Return a text in which every character can be seen, as Python would write it: ``\n``, ``\x1b``, ``\u202e``.

    Letters, signs and spaces of every script stay. What does not: controls, line and paragraph separators,
    bidirectional and zero-width marks, tags, half characters, and what Unicode has not assigned.

    :param text: anything
    :param longest: characters to keep, an ellipsis in place of the rest; None to keep all
    """
    if longest is not None and len(text) > longest:
        text = f"{text[:longest]}…"
    if text.isprintable():
        return text
    return "".join(each if _is_visible(each) else _written(each) for each in text)


def _is_visible(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _written(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def beginning(value: object) -> str:
    """Quote a value that is not of its field's kind, so that a secret in the wrong field is not repeated.

    :param value: what was given
    :returns: all of it where it is shorter than any secret, else its first characters and its length
    """
    text = str(value)
    if len(text) <= _SHORT:
        return f"'{escaped(text)}'" if isinstance(value, str) else escaped(text)
    return f"'{escaped(text[:_BEGINNING])}…' ({len(text):,} characters)"


class _Escaping(logging.Filter):
    """Escapes the records of a logger; lets every record pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Escape one record's line, its arguments included."""
        line = record.getMessage()
        safe = escaped(line)
        if safe != line:
            record.msg, record.args = safe, ()
        return True


_ESCAPING = _Escaping()


def safe_logger(name: str) -> logging.Logger:
    """Return the logger of a module, which from then on escapes what it logs.

    :param name: of the module
    """
    logger = logging.getLogger(name)
    logger.addFilter(_ESCAPING)
    return logger


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
