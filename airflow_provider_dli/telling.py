"""Say why a task is red so that it can be read in Airflow's log view, which does not wrap lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any, ClassVar, ParamSpec, TypeVar

from airflow_provider_dli.exceptions import DliException

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

#: numbers and ids of requests, and lists of them; neither a status nor what follows the dot of a code
_NUMBER = re.compile(r"(?<!HTTP )(?<![.\w-])(?=[\w-]*[0-9])[\w-]+(, (?=[\w-]*[0-9])[\w-]+)*")

#: columns that the view shows on a screen of usual width, and lines after which a message is cut off
_WIDTH, _MOST_LINES = 84, 12


def tells_failures(method: Callable[P, R]) -> Callable[P, R]:
    """Decorate what a task executes: a failure of ours is told in short lines, then raised on.

    The exception is the same, without the frames below the task: of a refusal or a wrong parameter they tell a
    user nothing, and push the reason out of sight. At DEBUG the log has them.

    :param method: of an operator or a sensor
    """

    @wraps(method)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except DliException as failure:
            log: Any = args[0].log  # type: ignore[attr-defined]  # of the operator
            log.debug("Where it came about:", exc_info=True)
            for line in lines_of(failure):
                log.error("%s", line)  # noqa: TRY400 -- Airflow logs the exception itself
            if failure.__cause__ is not None:
                failure.__cause__.__traceback__ = None
            raise failure.with_traceback(None)  # noqa: B904 -- the same one, with the same cause

    return told


def lines_of(failure: DliException) -> Iterator[str]:
    """Write what a failure says in lines that can be read without scrolling.

    :param failure: of a task
    """
    advice = failure.advice
    problem = str(failure)
    if advice:
        problem = problem.removesuffix(advice).rstrip(" ;")
    lines = _wrapped(problem)
    yield from lines[:_MOST_LINES]
    if len(lines) > _MOST_LINES:
        yield "  … the rest stands in the exception below, and in the XCom of the task"
    if advice:
        yield from _wrapped(f"What to do: {advice}")


def by_reason(failures: Iterable[tuple[T, str]]) -> list[tuple[str, list[T]]]:
    """Group what failed by its reason, so that each reason is logged once.

    Reasons that differ in numbers and request ids only are one: the first is given.

    :param failures: what failed, and why
    """
    groups: dict[str, tuple[str, list[T]]] = {}
    for what, reason in failures:
        groups.setdefault(kind_of(reason), (reason, []))[1].append(what)
    return list(groups.values())


def kind_of(reason: str) -> str:
    """Return what reasons have in common that differ in numbers and request ids only.

    :param reason: why something failed
    """
    return _NUMBER.sub("#", reason)


def _wrapped(text: str) -> list[str]:
    import textwrap  # noqa: PLC0415 -- only when something is wrong

    # A word stays whole, however long: Airflow's masker does not know half a secret.
    return textwrap.wrap(text, _WIDTH, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)


class LogsKill:
    """An operator that cannot call back what it has requested: when it is killed it logs what goes on."""

    log: Any
    #: what goes on in the service, and what to do about it
    left_behind: ClassVar[str]

    def on_kill(self) -> None:
        """Log what goes on; Airflow calls it where the task is killed."""
        self.log.warning("The task was killed. %s", self.left_behind)
