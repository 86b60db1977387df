"""Ask for what the service has no idempotency token for: never again without having looked, and not for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from airflow_provider_dli.exceptions import DliException
from airflow_provider_dli.wording import Logger

T = TypeVar("T")

MOST_ASKS = 3


def ask_until_known(
    ask: Callable[[], T],
    look: Callable[[DliException], T | None],
    log: Logger,
    *,
    worth_repeating: Callable[[DliException], bool] = lambda error: error.worth_repeating,
) -> T:
    """Ask until it is known what came of it; three times at most.

    :param ask: asks once
    :param look: after an answer was lost, looks for what became of the request; None where nothing shows
    :param log: where to tell that it is asked again
    :param worth_repeating: whether to ask again then; default: unless the service itself has spoken
    :returns: what was answered or found
    :raises DliException: the service's no, which tells if the response of an earlier request was lost; or the
        last lost answer, where asking again is of no use
    """
    is_open = False
    for asks_left in reversed(range(MOST_ASKS)):
        try:
            return ask()
        except DliException as error:
            if not error.outcome_unknown:
                # The outcome of this request is not that of the one before it.
                if not is_open:
                    raise
                raise beside_an_open_request(error) from error.__cause__
            is_open = True
            found = look(error)
            if found is not None:
                return found
            if not (asks_left and worth_repeating(error)):
                raise
            log.info("Asking again.")
    raise AssertionError("the last time returns or raises")


def beside_an_open_request(error: DliException) -> DliException:
    """Add to a refusal that an earlier request may have acted: the one says nothing of the other.

    :param error: the refusal
    """
    advice = error.advice
    refusal = str(error).removesuffix(advice or "").rstrip(" ;.")
    note = "An earlier request lost its response, and may have acted all the same."
    return type(error)(f"{refusal}. {note}", advice=advice)
