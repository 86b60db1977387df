"""When to ask again: what surely did not happen always, what perhaps did only if it does no harm."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_provider_dli.client.errors import (
    DliClientError,
    NoAnswerError,
    NotSentError,
    ThrottledError,
    UnavailableError,
)

#: longest wait that a service is granted through ``Retry-After``, in seconds
LONGEST_ASKED_FOR = 60.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient a call is.

    :param budget: seconds that one call may take in all, its waits included; 0 asks once
    :param first_pause: seconds that the first wait lasts at most; each further one up to twice as long
    :param longest_pause: seconds that no wait exceeds
    :param chance: draws from 0 to 1, for full jitter: each wait is that part of what it may last
    """

    budget: float = 120.0
    first_pause: float = 1.0
    longest_pause: float = 30.0
    chance: Callable[[], float] = random.random


class Retries:
    """The attempts of one call.

    :param policy: how patient it is
    :param started: when the call began
    """

    def __init__(self, policy: RetryPolicy, started: datetime) -> None:
        self._policy = policy
        self._deadline = started + timedelta(seconds=policy.budget)
        # Whatever the clock does meanwhile. The pauses that grow make far fewer of it.
        self._most = 10 + policy.budget / max(policy.first_pause, 0.001)
        self.attempts = 0

    def pause_after(self, error: DliClientError, *, harmless: bool, now: datetime) -> float | None:
        """Say how many seconds to wait before asking again, or None to give up.

        :param error: what went wrong
        :param harmless: True where asking twice does no more than asking once
        :param now: the time, on the clock of ``started``
        """
        self.attempts += 1
        if self.attempts >= self._most or not _may_repeat(error, harmless=harmless):
            return None
        pause = self._pause(error)
        return pause if now + timedelta(seconds=pause) < self._deadline else None

    def _pause(self, error: DliClientError) -> float:
        # 2**30 s is beyond every longest_pause; more would overflow.
        longest = self._policy.first_pause * 2.0 ** min(self.attempts - 1, 30)
        ours = self._policy.chance() * min(longest, self._policy.longest_pause)
        if isinstance(error, ThrottledError) and error.retry_after is not None:
            # A service may say 0, or a time that has passed, for good: its wish lengthens a pause of ours only.
            return max(ours, min(error.retry_after, LONGEST_ASKED_FOR))
        return ours


def _may_repeat(error: DliClientError, *, harmless: bool) -> bool:
    if isinstance(error, (NotSentError, ThrottledError)):
        return True
    return harmless and isinstance(error, (NoAnswerError, UnavailableError))
