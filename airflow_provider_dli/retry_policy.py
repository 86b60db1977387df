"""When to try a task again (Airflow 3.3 and later): soon after a lost connection, later after a 429."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy

from airflow_provider_dli.client.errors import NoResponseError, ThrottledError, UnavailableError
from airflow_provider_dli.exceptions import DliException

if TYPE_CHECKING:
    from airflow.sdk import Context


class DliRetryPolicy(RetryPolicy):
    """Knows which of our errors pass, and how soon.

    Errors that cannot pass are ``DliFailException``: no policy is asked, and no retry is spent. Of the others,
    what DLI or a gateway refuses for too many requests is tried again after what the service asks for, at least
    after ``throttled``; what got no answer, or that of a server in trouble, after ``trouble``. Both double with
    every try. Anything else, such as an archive that is not there yet, is tried again as the task says.

    ::

        DliExportFlinkJobsOperator(task_id="export", obs_dir=…, retries=5, retry_policy=DliRetryPolicy())

    :param throttled: delay after the first 429
    :param trouble: delay after the first answer that did not come, or came from a server in trouble
    :param longest: most that is waited, whatever the service asks for
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
        """Decide by what the client found."""
        del max_tries, context
        cause = exception.error if isinstance(exception, DliException) else None
        if isinstance(cause, ThrottledError):
            asked = timedelta(seconds=cause.retry_after or 0)
            delay = max(asked, self._grown(self.throttled, try_number))
            return RetryDecision.retry(min(delay, self.longest), "too many requests")
        if isinstance(cause, NoResponseError | UnavailableError):
            return RetryDecision.retry(self._grown(self.trouble, try_number), "no answer, or a server in trouble")
        return RetryDecision.default()

    def _grown(self, delay: timedelta, try_number: int) -> timedelta:
        # The exponent is bounded before the power is taken: nobody needs a delay of centuries.
        factor = 1 << min(max(try_number, 1) - 1, 16)
        return min(self.longest, delay * factor)

    def serialize(self) -> dict[str, Any]:
        """Give what it takes to make it again."""
        names = ("throttled", "trouble", "longest")
        return {name: getattr(self, name).total_seconds() for name in names}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Self:
        """Make it again."""
        return cls(**{name: timedelta(seconds=seconds) for name, seconds in data.items()})
