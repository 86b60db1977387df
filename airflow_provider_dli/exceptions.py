"""Failures as a DAG author sees them.

::

    AirflowException
    └── DliException                 a retry of the task may help
        └── DliFailException           it cannot; also an AirflowFailException, so no retry is spent

What the client found is the ``__cause__``, and :attr:`DliException.error` for short.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_dli.client.errors import (
    AnswerLostError,
    ConfigurationError,
    DliClientError,
    UnavailableError,
    UnexpectedReplyError,
)

_REDIRECT = 300
_SERVER_ERROR = 500


class DliException(AirflowException):
    """Something went wrong with DLI or OBS, and a retry of the task may help.

    :param message: what went wrong
    :param advice: what to do about it; the last words of the message
    """

    def __init__(self, message: str = "", *, advice: str | None = None) -> None:
        self._advice = advice
        super().__init__(f"{message} {advice}" if advice else message)

    @property
    def advice(self) -> str | None:
        """What to do about it, if there is something; the last words of the message."""
        error = self.error
        if isinstance(error, ConfigurationError):
            return error.remedy
        return self._advice or getattr(error, "advice", None)

    @property
    def error(self) -> DliClientError | None:
        """What the client found: status, code, request id. None if nothing was asked."""
        return self.__cause__ if isinstance(self.__cause__, DliClientError) else None

    @property
    def outcome_unknown(self) -> bool:
        """Whether the service may have done what it was asked.

        No answer came, or one of a service in trouble, or one of success that cannot be read.
        """
        cause = self.error
        if isinstance(cause, UnexpectedReplyError):
            return cause.status < _REDIRECT
        return isinstance(cause, AnswerLostError | UnavailableError)

    @property
    def worth_repeating(self) -> bool:
        """Whether to ask again in the same try, where nothing shows that the service acted.

        Not after words of the service itself: those are for the log, and for Airflow's retry.
        """
        cause = self.error
        if isinstance(cause, UnavailableError):
            return cause.status >= _SERVER_ERROR
        return isinstance(cause, AnswerLostError)


class DliFailException(DliException, AirflowFailException):
    """Something is wrong that no retry of the task can mend; Airflow spends none."""


@contextmanager
def translated(conn_id: str | None = None) -> Iterator[None]:
    """Turn the client's errors into Airflow's, retryable where asking again can help.

    :param conn_id: the connection whose fields are read meanwhile, for messages about one of them
    :raises DliException: for an error that may pass
    :raises DliFailException: for one that will not
    """
    try:
        yield
    except DliClientError as error:
        kind = DliException if error.transient else DliFailException
        of_connection = conn_id and isinstance(error, ConfigurationError)
        raise kind(f"connection {conn_id!r}: {error}" if of_connection else str(error)) from error
