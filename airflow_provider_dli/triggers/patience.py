"""How many looks may fail, one after the other, before a wait is given up; the same here and on the triggerer."""

from __future__ import annotations

from airflow_provider_dli.exceptions import DliException, DliFailException

#: the one that is told
MOST_FAILURES = 5


class Patience:
    """Bears what may pass.

    :param most: the failure in a row that is borne no more
    """

    def __init__(self, most: int = MOST_FAILURES) -> None:
        self._most = most
        self._failures = 0

    def bear(self, failure: DliException) -> None:
        """Bear a look that failed.

        :param failure: why
        :raises DliException: the same, if no other look can go better, or too many have failed
        """
        self._failures += 1
        if isinstance(failure, DliFailException) or self._failures >= self._most:
            raise failure

    def recover(self) -> None:
        """Begin to count anew, after a look that went well."""
        self._failures = 0
