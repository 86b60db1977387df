"""A thread with an event loop of its own, that serves until it is told to end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager


class Background:
    """Something that serves in the background.

    All of it happens on one thread, from start to end: the kernel takes the end of the thread that started a child
    for the end of its parent.

    :param serving: serves while it is open
    :param name: of the thread
    """

    def __init__(self, serving: Callable[[], AbstractAsyncContextManager[None]], name: str) -> None:
        self._serving = serving
        self._settled = threading.Event()
        self._failure: BaseException | None = None
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start; return when it serves, or raise what kept it from that."""
        self._loop = asyncio.new_event_loop()
        self._thread.start()
        self._settled.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def stop(self) -> None:
        """End; return when all is cleared up. Does nothing if that has been done."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        except BaseException as failure:  # noqa: BLE001 - raised again by start
            self._failure = failure
        finally:
            self._settled.set()

    async def _serve(self) -> None:
        async with self._serving():
            self._settled.set()
            await self._end.wait()
