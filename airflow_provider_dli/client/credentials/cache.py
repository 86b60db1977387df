"""A value that is fetched once for all who want it, and again before it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from airflow_provider_dli.client.call import Clock, Conversation, wait

T = TypeVar("T")

_EARLY = timedelta(minutes=5)
_EARLY_PART = 0.2
_GLANCE = 0.01


@dataclass(frozen=True, slots=True)
class Lasting(Generic[T]):
    """A value with its time.

    :param value: the value
    :param expires_at: when it ends; None for never
    """

    value: T
    expires_at: datetime | None


class Cached(Generic[T]):
    """Holds a value for threads and event loops alike: one fetches, the others wait for it.

    The lock is never waited for in the operating system, which would stop an event loop: who finds it taken
    lets its own conversation pause.

    :param fetch: the conversation that fetches the value
    """

    def __init__(self, fetch: Callable[[Clock], Conversation[Lasting[T]]]) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._held: tuple[T, datetime | None] | None = None

    def get(self, clock: Clock) -> Conversation[T]:
        """Give the value, fetched if there is none or it is about to end.

        :param clock: tells the time
        """
        if (held := self._fresh(clock)) is not None:
            return held[0]
        while not self._lock.acquire(blocking=False):
            yield from wait(_GLANCE)
        try:
            if (held := self._fresh(clock)) is None:
                fetched = yield from self._fetch(clock)
                held = (fetched.value, _renew_at(fetched.expires_at, clock()))
                self._held = held
        finally:
            self._lock.release()
        return held[0]

    def forget(self, refused: Callable[[T], bool]) -> None:
        """Drop the value, so that the next one to want it fetches it.

        :param refused: whether this value is the one that was refused; another may have been fetched since
        """
        held = self._held
        if held and refused(held[0]):
            self._held = None

    def _fresh(self, clock: Clock) -> tuple[T, datetime | None] | None:
        held = self._held
        return held if held and (held[1] is None or clock() < held[1]) else None


def _renew_at(expires_at: datetime | None, now: datetime) -> datetime | None:
    """Before the end by five minutes, or by a fifth of a short life."""
    if expires_at is None:
        return None
    return expires_at - min(_EARLY, (expires_at - now) * _EARLY_PART)
