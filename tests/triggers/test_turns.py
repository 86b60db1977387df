"""The turns of waits: when attempts begin, what comes of them, and what is left behind."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import time
from typing import Any

import pytest

from airflow_provider_dli.triggers.turns import repeat

_NAME: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="none")


class Attempts:
    """Attempts that return something the third time, and note when they began and in which context."""

    def __init__(self, last: int = 3) -> None:
        self.last = last
        self.began: list[float] = []
        self.names: list[str] = []

    async def __call__(self) -> str | None:
        self.began.append(time.monotonic())
        self.names.append(_NAME.get())
        await asyncio.sleep(0)
        return "done" if len(self.began) == self.last else None


async def test_attempts_are_repeated_after_each_pause() -> None:
    """Each in the context of its wait, whichever wait has set the timer."""
    found: dict[str, Attempts] = {}

    async def wait(name: str, pause: float) -> str:
        _NAME.set(name)
        found[name] = Attempts()
        return await repeat(found[name], lambda: pause)

    assert {*await asyncio.gather(wait("slow", 0.3), wait("fast", 0.1))} == {"done"}
    for name, pause in (("slow", 0.3), ("fast", 0.1)):
        first, second, third = found[name].began
        assert second - first >= pause <= third - second
        assert found[name].names == [name] * 3
    assert found["fast"].began[-1] < found["slow"].began[-1]


async def test_an_attempt_may_call_what_waits_for_the_supervisor() -> None:
    """As a trigger may, which has a portal of greenback; without one nor has the attempt."""
    greenback: Any = pytest.importorskip("greenback")

    async def attempt() -> bool:
        return bool(greenback.has_portal())

    assert not await repeat(attempt, lambda: 0)
    await greenback.ensure_portal()
    assert await repeat(attempt, lambda: 0)


async def test_what_an_attempt_raises_ends_the_wait() -> None:
    """Of that wait alone."""
    other = asyncio.ensure_future(repeat(Attempts(5), lambda: 0.05))

    async def fails() -> str | None:
        raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        await repeat(fails, lambda: 0.01)
    assert await other == "done"


@pytest.mark.parametrize("is_in_progress", [False, True])
async def test_a_cancelled_wait_ends_at_once(*, is_in_progress: bool) -> None:
    """Also its attempt, before the caller goes on: what it uses is closed then. No timer is left."""
    began, ended = asyncio.Event(), asyncio.Event()

    async def attempt() -> str | None:
        began.set()
        try:
            await asyncio.sleep(60 if is_in_progress else 0)
        finally:
            ended.set()
        return None

    waiting = asyncio.ensure_future(repeat(attempt, lambda: 60))
    await began.wait()
    if not is_in_progress:
        await ended.wait()
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.is_set()
    timers = [each for each in gc.get_objects() if type(each) is asyncio.TimerHandle]
    loop = asyncio.get_running_loop()
    # Other loops of this process have their own.
    assert all(timer.cancelled() for timer in timers if timer._loop is loop)  # type: ignore[attr-defined]  # noqa: SLF001 -- there is no other way


async def test_a_wait_leaves_nothing_behind_between_attempts() -> None:
    """However long it takes: else the garbage collector would search all of Airflow, and stop the event loop."""
    waits = [asyncio.ensure_future(repeat(Attempts(1000), lambda: 0.2)) for _ in range(100)]
    await asyncio.sleep(0.3)

    # Referred to, so that no later object has the address of one of them.
    before = gc.get_objects()
    known = {*map(id, before)}
    await asyncio.sleep(1)
    new = [each for each in gc.get_objects() if id(each) not in known]
    assert len(new) < len(waits)
    for wait in waits:
        wait.cancel()
    await asyncio.wait(waits)
