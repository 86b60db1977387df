"""Words for people, in logs and messages."""

from __future__ import annotations

from typing import Protocol

#: seconds below which tenths are told
_SHORT = 10


class Logger(Protocol):
    """What is used of a task's log, whichever library Airflow makes it with."""

    def info(self, msg: str, /, *args: object) -> object:
        """Log at INFO."""
        ...

    def warning(self, msg: str, /, *args: object) -> object:
        """Log at WARNING."""
        ...


class TaskLogger(Logger, Protocol):
    """The same, with what a person must read."""


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Write a number with its noun: ``1 archive``, ``2 archives``, ``1,024 entries``.

    :param number: how many
    :param noun: in the singular
    :param plural: where it is not the singular with an ``s``
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def lasting(seconds: float) -> str:
    """Write a length of time: ``0.8 s``, ``42 s``, ``3 min 20 s``, ``2 h 5 min``.

    :param seconds: how long
    """
    if seconds < _SHORT:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    if not minutes:
        return f"{whole} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
