"""When to retry a task (Airflow 3.3 and later): soon after a lost connection, later after a 429."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy

from airflow_provider_dli.client.errors import NoResponseError, ThrottledError, UnavailableError
from airflow_provider_dli.exceptions import DliException

if TYPE_CHECKING:
    from airflow.sdk import Context


class DliRetryPolicy(RetryPolicy):
    """Retries transient errors, and decides how soon.

    Non-retryable errors are ``DliFailException``, for which Airflow consults no policy. Of the others, a request
    that DLI or a gateway refused as one too many is retried after the service's own ``Retry-After``, at least
    after ``throttled``; one without a response, or with that of a server in trouble, after ``trouble``. Both
    double with every attempt. Anything else, such as an archive that is not there yet, is retried as the task is
    configured.

    ::

        DliExportFlinkJobsOperator(task_id="export", obs_dir=…, retries=5, retry_policy=DliRetryPolicy())

    .. seealso::
        :doc:`Retries </docs/retries>`.

    :param throttled: delay after the first 429
    :param trouble: delay after the first request without a response, or with that of a server in trouble
    :param longest: the longest delay, whatever ``Retry-After`` is
    """

    def __init__(
        self,
        throttled: timedelta = timedelta(minutes=2),
        trouble: timedelta = timedelta(seconds=30),
        longest: timedelta = timedelta(minutes=30),
    ) -> None:
        self.throttled = throttled
        self.trouble = trouble
        self.longest = longest

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Return the decision, by the client's error."""
        del max_tries, context
        cause = exception.error if isinstance(exception, DliException) else None
        if isinstance(cause, ThrottledError):
            retry_after = timedelta(seconds=cause.retry_after or 0)
            delay = max(retry_after, self._grown(self.throttled, try_number))
            return RetryDecision.retry(min(delay, self.longest), "too many requests")
        if isinstance(cause, NoResponseError | UnavailableError):
            return RetryDecision.retry(self._grown(self.trouble, try_number), "no response, or server trouble")
        return RetryDecision.default()

    def _grown(self, delay: timedelta, try_number: int) -> timedelta:
        # The exponent is bounded before the power is taken: nobody needs a delay of centuries.
        factor = 1 << min(max(try_number, 1) - 1, 16)
        return min(self.longest, delay * factor)

    def serialize(self) -> dict[str, Any]:
        """Return the parameters, for :meth:`deserialize`."""
        names = ("throttled", "trouble", "longest")
        return {name: getattr(self, name).total_seconds() for name in names}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Self:
        """Return the policy with these parameters."""
        return cls(**{name: timedelta(seconds=seconds) for name, seconds in data.items()})
