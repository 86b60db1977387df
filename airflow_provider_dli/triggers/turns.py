"""The turns of the waits of an event loop: one timer for all, and a task of its own for each attempt.

A thousand waits that each slept between two polls would leave as many timers, futures and frames behind every ten
seconds. All live so long that Python's garbage collector takes them for permanent: once a minute it would search
everything that Airflow has imported, and stop the event loop for that time. Between two attempts a wait here keeps
what it had before, and nothing new.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from heapq import heapify, heappop, heappush
from math import ceil
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

#: seconds: attempts begin at multiples of it. With longer ones so many begin at once that their objects alone make
#: the garbage collector run
_TICK = 0.005


async def repeat(attempt: Callable[[], Coroutine[Any, Any, T | None]], pause: Callable[[], float]) -> T:
    """Repeat an attempt, the first at once, until it returns something; return that.

    Each runs in the context of the caller, for what is logged in it, and with a portal of greenback if the caller
    has one: Airflow gives each trigger one, by which a secret is reported to the triggerer's supervisor. If the
    caller is cancelled, so is an attempt that is in progress.

    :param pause: returns the seconds until the next attempt
    :raises BaseException: what an attempt raises
    """
    turns = _TURNS.setdefault(asyncio.get_running_loop(), _Turns())
    turn = _Turn(turns, attempt, pause)
    turn.begin()
    try:
        return await turn.outcome
    finally:
        turns.remove(turn)
        if task := turn.task:
            task.cancel()
            await asyncio.wait({task})


class _Turn(Generic[T]):
    """A wait, and when its next attempt begins, by the clock of the event loop."""

    __slots__ = ("_attempt", "_context", "_pause", "_portals", "_turns", "at", "outcome", "task")

    def __init__(
        self, turns: _Turns, attempt: Callable[[], Coroutine[Any, Any, T | None]], pause: Callable[[], float]
    ) -> None:
        self._turns, self._attempt, self._pause = turns, attempt, pause
        self._context = contextvars.copy_context()
        # Not imported: Airflow 2 does without it.
        greenback: Any = sys.modules.get("greenback")
        self._portals = greenback if greenback and greenback.has_portal() else None
        self.at = 0.0
        self.outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        #: the attempt that is in progress
        self.task: asyncio.Task[T | None] | None = None

    def __lt__(self, other: _Turn[Any]) -> bool:
        return self.at < other.at

    def begin(self) -> None:
        """Begin an attempt."""
        self.task = asyncio.get_running_loop().create_task(self._run(), context=self._context)
        self.task.add_done_callback(self._end)

    async def _run(self) -> T | None:
        if self._portals:
            await self._portals.ensure_portal()
        return await self._attempt()

    def _end(self, task: asyncio.Task[T | None]) -> None:
        """Pass on what came of an attempt, or wait for the next."""
        self.task = None
        if task.cancelled():
            self.outcome.cancel()
            return
        failure, result = task.exception(), None if task.exception() else task.result()
        if self.outcome.done():
            return
        if failure:
            self.outcome.set_exception(failure)
        elif result is not None:
            self.outcome.set_result(result)
        else:
            self.at = asyncio.get_running_loop().time() + self._pause()
            self._turns.add(self)


class _Turns:
    """The waits of an event loop that are between two attempts, the next first."""

    def __init__(self) -> None:
        self._waiting: list[_Turn[Any]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._context = contextvars.Context()

    def add(self, turn: _Turn[Any]) -> None:
        """Let a wait begin its next attempt when it is time."""
        heappush(self._waiting, turn)
        self._set_timer()

    def remove(self, turn: _Turn[Any]) -> None:
        """Forget a wait that is over."""
        if turn in self._waiting:
            self._waiting.remove(turn)
            heapify(self._waiting)
            self._set_timer()

    def _set_timer(self) -> None:
        """Set the timer for the first; it holds the event loop, and so there is none without a wait."""
        at = ceil(self._waiting[0].at / _TICK) * _TICK if self._waiting else None
        if self._timer:
            if self._timer.when() == at:
                return
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = None if at is None else loop.call_at(at, self._begin_due, context=self._context)

    def _begin_due(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._waiting and self._waiting[0].at <= now:
            heappop(self._waiting).begin()
        self._set_timer()


_TURNS: WeakKeyDictionary[asyncio.AbstractEventLoop, _Turns] = WeakKeyDictionary()
