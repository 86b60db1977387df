"""Which failed polls are repeated; the same on a worker and on the triggerer."""

from __future__ import annotations

from airflow_provider_dli.exceptions import DliException, DliFailException

#: seconds after which a poll that an ``execution_timeout`` cuts off counts as failed; a shorter one tells nothing
LONG_POLL = 5.0


def raise_unless_transient(failure: DliException, left: float = 1.0) -> None:
    """Raise the failure of a poll, unless the next one may go better and there is time for it.

    A wait promises to last for its timeout, so what counts is time, and not the number of polls that failed: a
    service that is down for a while ends no wait.

    :param failure: why the poll failed
    :param left: seconds that are left to wait
    :raises DliException: the same
    """
    # What neither the client nor the time has ended will stay: the connection does not exist, say.
    may_pass = failure.error is not None or isinstance(failure.__cause__, TimeoutError)
    if isinstance(failure, DliFailException) or not may_pass or left <= 0:
        raise failure
