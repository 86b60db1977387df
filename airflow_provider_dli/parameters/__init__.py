"""From what a DAG author, a template, a mapping or a form passes to what a call takes.

This package alone knows what Airflow does to values. :mod:`.values` reads them in every form, :mod:`.types` has
one type for each kind of parameter, :mod:`.models` one model for each operator and sensor. This module is imported
with every DAG file, so it is small.
"""

from __future__ import annotations

from enum import Enum
from math import isfinite
from typing import Final, Literal, TypeVar

DEFAULT_CONN_ID = "dli_default"
#: what to do where no job is selected or named
IfEmpty = Literal["fail", "skip", "succeed"]
#: ``exists``: OBS has it · ``directory``: its directory was read and is intact · ``full``: every byte was
Level = Literal["exists", "directory", "full"]

T = TypeVar("T")


class NotGiven(Enum):
    """The default of a parameter whose absence widens what a task does, or drops a check.

    None is not that default: a template, a row of a mapping or a form that comes out as None must not turn "these
    jobs" into "all jobs".
    """

    NOT_GIVEN = "not given"

    def __repr__(self) -> str:
        """As the docs write it."""
        return self.value


NOT_GIVEN: Final = NotGiven.NOT_GIVEN


def value_of(given: T | NotGiven) -> T | None:
    """Return what an operator keeps of such a parameter: None, which templates leave alone, if not given."""
    return None if given is NOT_GIVEN else given


def number_of(given: T) -> T | str:
    """Return what an operator keeps of a number: a string where it is not finite.

    Airflow cannot write such a number into a DAG, and its error does not name the parameter. The check of the
    string does.
    """
    return str(given) if isinstance(given, float) and not isfinite(given) else given


def names_of(**given: object) -> tuple[str, ...]:
    """Return the names of the arguments that were given, whatever their values."""
    return tuple(name for name, value in given.items() if value is not NOT_GIVEN)
