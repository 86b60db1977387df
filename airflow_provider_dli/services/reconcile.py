"""Send a request that has no idempotency token: it is not sent again before its outcome has been checked."""

from __future__ import annotations

from collections.abc import Callable
from logging import Logger
from typing import Any, TypeVar

from airflow_provider_dli.exceptions import DliException

T = TypeVar("T")

MAX_REQUESTS = 3


def call_with_reconciliation(
    send: Callable[..., T],
    reconcile: Callable[[DliException], T | None],
    log: Logger,
    *,
    prepare: Callable[[], tuple[Any, ...]] = tuple,
    should_retry: Callable[[DliException], bool] = lambda error: error.should_resend,
) -> T:
    """Send a request until its outcome is known, at most three times.

    :param send: sends the request once and returns its result; takes what ``prepare`` returns
    :param reconcile: returns the result of a request whose response was lost; None if there is none
    :param prepare: what comes before each request: a failure of it is raised, since nothing was sent
    :param should_retry: whether to send the request again if there is none; by default where no response came, or
        a 5xx of a service in trouble
    :returns: the result, from the response or as ``reconcile`` has found it
    :raises DliException: if DLI refuses the request, with a note if an earlier request lost its response; or if
        the outcome is still unknown
    """
    has_open_request = False
    for requests_left in reversed(range(MAX_REQUESTS)):
        is_prepared = False
        try:
            prepared = prepare()
            is_prepared = True
            return send(*prepared)
        except DliException as error:
            if not (is_prepared and error.outcome_unknown):
                # The outcome of this request is not that of the one before it.
                if not has_open_request:
                    raise
                raise refused_after_lost_response(error) from error.__cause__
            has_open_request = True
            result = reconcile(error)
            if result is not None:
                return result
            if not (requests_left and should_retry(error)):
                raise
            log.info("Sending the request again.")
    raise AssertionError("the last request returns or raises")


def refused_after_lost_response(refusal: DliException) -> DliException:
    """Return the refusal of a later request with the note that an earlier one may have been executed."""
    note = "An earlier request lost its response and may have been executed."
    return type(refusal)(f"{refusal.problem}. {note}", advice=refusal.advice)
