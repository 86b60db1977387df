"""Failures as a DAG author sees them.

::

    AirflowException
    └── DliException                 a retry of the task may help
        └── DliFailException           it cannot; also an AirflowFailException, so no retry is spent

The client's error is the ``__cause__``, and :attr:`DliException.error` for short. The message is one line that
ends with what to do; Airflow logs it once, with the traceback.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_dli.client.errors import (
    ConfigurationError,
    DliClientError,
    NoResponseError,
    ThrottledError,
    UnavailableError,
    rebuilt,
)
from airflow_provider_dli.compat import AirflowException, AirflowFailException
from airflow_provider_dli.formatting import escaped

if TYPE_CHECKING:
    from airflow_provider_dli.parameters.models import Parameters

#: numbers and ids of requests, and lists of them; neither a status nor what follows the dot of a code
_NUMBERS = re.compile(r"(?<!HTTP )(?<![.\w-])(?=[\w-]*[0-9])[\w-]+(, (?=[\w-]*[0-9])[\w-]+)*")

T = TypeVar("T")
P = TypeVar("P", bound="Parameters")


class DliException(AirflowException):
    """Something went wrong with DLI or OBS, and a retry of the task may help.

    :param message: what went wrong
    :param advice: what to do about it; the last words of the message
    """

    #: whether the connection is at fault though no error of the client shows it; for metrics
    is_configuration = False

    def __init__(self, message: str = "", *, advice: str | None = None) -> None:
        self._advice = advice
        stop = "" if not message or message.endswith((".", "!", "?", ":", ";")) else "."
        super().__init__(escaped(f"{message}{stop} {advice}" if advice else message))

    def __reduce__(self) -> tuple[Any, ...]:
        """Return all that it keeps, the client's error included, for pickle and copy."""
        return rebuilt, (type(self), self.args, self.error), self.__dict__

    @property
    def advice(self) -> str | None:
        """What to do about it, if there is something; the last words of the message."""
        error = self.error
        if isinstance(error, ConfigurationError):
            return escaped(error.remedy)
        advice = self._advice or getattr(error, "advice", None)
        return advice and escaped(advice)

    @property
    def problem(self) -> str:
        """What went wrong: the message without its advice, which is the client error's where it has one."""
        return str(self).removesuffix(self.advice or "").rstrip(" ;.")

    @property
    def error(self) -> DliClientError | None:
        """The client's error, with status, code and request id; None if nothing was sent."""
        return self.__cause__ if isinstance(self.__cause__, DliClientError) else None

    @property
    def outcome_unknown(self) -> bool:
        """Whether the request may have taken effect; see the table of ``client.errors``."""
        return self.error is not None and self.error.may_have_acted

    @property
    def should_resend(self) -> bool:
        """Whether to send the request again in the same attempt, where nothing shows that it took effect."""
        return self.error is not None and self.error.should_resend

    @property
    def refuses_identity(self) -> bool:
        """Whether the identity was refused, so that every other request would be refused too."""
        return self.error is not None and self.error.refuses_identity


class DliFailException(DliException, AirflowFailException):
    """Something is wrong that no retry of the task can fix; it fails without further retries."""


class ExecutionTimeoutError(DliException):
    """The ``execution_timeout`` of a task has ended while it was deferred.

    Not Airflow's ``AirflowTaskTimeout``, which is not an ``Exception``: it would end ``dag.test()`` of Airflow 2.
    """


def worst(failures: Iterable[DliException]) -> DliClientError | None:
    """Return, of several failures, the error that decides when to retry and what to do; None if nothing was sent.

    Of transient errors, if there are some, the one that takes longest: throttled with the longest ``Retry-After``,
    then a service in trouble.
    """
    return max((error for each in failures if (error := each.error)), key=_weight, default=None)


def _weight(error: DliClientError) -> tuple[bool, int, float]:
    if isinstance(error, ThrottledError):
        return True, 2, error.retry_after or 0.0
    return error.transient, int(isinstance(error, NoResponseError | UnavailableError)), 0.0


def group_by_reason(failures: Iterable[tuple[T, str]]) -> list[tuple[str, list[T]]]:
    """Group failures by their reason, so that each reason is logged once.

    Reasons that differ in numbers and request ids only are one; the first of them is returned.
    """
    groups: dict[str, tuple[str, list[T]]] = {}
    for what, reason in failures:
        groups.setdefault(without_numbers(reason), (reason, []))[1].append(what)
    return list(groups.values())


def without_numbers(reason: str) -> str:
    """Return a reason without its numbers and request ids, to compare it with others."""
    return _NUMBERS.sub("#", reason)


@contextmanager
def translated(conn_id: str | None = None) -> Iterator[None]:
    """Turn the client's errors into Airflow's, retryable where the same request can succeed later.

    :param conn_id: the connection whose fields are read meanwhile, for messages about one of them
    :raises DliException: for a transient error
    :raises DliFailException: for any other
    """
    try:
        yield
    except DliClientError as error:
        # Airflow logs the whole chain. A library's message may hold what the service sent, as it came, or the URL
        # of a proxy with its password; what matters of it is in our own message, escaped.
        error.__cause__ = error.__context__ = None
        kind = DliException if error.transient else DliFailException
        of_connection = conn_id and isinstance(error, ConfigurationError)
        raise kind(f"connection {conn_id!r}: {error}" if of_connection else str(error)) from error


def read_parameters(model: type[P], operator: object) -> P:
    """Return the parameters of an operator or sensor whose templates are rendered, all of them checked.

    :raises DliFailException: naming each parameter that cannot be used
    """
    with translated():
        return model.from_operator(operator)
