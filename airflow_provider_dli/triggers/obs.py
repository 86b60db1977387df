"""Wait on the triggerer for archives in OBS."""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_dli.client.errors import AuthenticationError
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.hooks.shared import forget_shared, shared_obs_hook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from airflow_provider_dli.client.obs.objects import ObjectFacts
    from airflow_provider_dli.hooks.obs import ObsHook

#: looks that may fail one after the other before the task is told
_MOST_FAILURES = 5
_JITTER = 0.25
_HEAVY = (
    "airflow_provider_dli.connection.account",
    "airflow_provider_dli.client.transport.aio",
    "airflow_provider_dli.client.obs.head",
)


_LOADING: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


class ArchivesTrigger(BaseTrigger):
    """Waits until archives are in OBS and no longer change.

    All triggers of a triggerer on one connection share one client. Fires with plain facts, for the task to judge:
    ``status`` is ``present``, ``timeout`` or ``error``; ``missing`` lists what is not there or has not
    settled; ``message`` and ``transient`` tell of the error.

    :param zip_file: the archives, each ``bucket/key``
    :param dli_conn_id: connection of type ``dli``
    :param poll_interval: seconds between two looks, a quarter more or less by chance
    :param deadline: epoch seconds at which to stop waiting
    :param settle_time: seconds for which an archive must not have changed
    """

    def __init__(
        self,
        zip_file: Sequence[str],
        dli_conn_id: str,
        poll_interval: float,
        deadline: float,
        settle_time: float = 0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's has no types
        self.zip_file = list(zip_file)
        self.dli_conn_id = dli_conn_id
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.settle_time = settle_time

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what it takes to make it again on another triggerer."""
        names = ("zip_file", "dli_conn_id", "poll_interval", "deadline", "settle_time")
        return "airflow_provider_dli.triggers.obs.ArchivesTrigger", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire once."""
        yield TriggerEvent(await self._outcome())  # type: ignore[no-untyped-call]  # likewise

    async def _outcome(self) -> dict[str, Any]:
        # The task has just looked. A triggerer may start a thousand at once: each begins at a moment of its own.
        await asyncio.sleep(min(self._left(), random.uniform(0, self.poll_interval)))  # noqa: S311 -- no secret
        await _load()
        watch = _Watch(self.zip_file, self.settle_time)
        for tries_left in (1, 0):
            try:
                async with shared_obs_hook(self.dli_conn_id) as hook:
                    return await self._wait(hook, watch)
            except DliException as error:
                forget_shared(self.dli_conn_id)
                # A connection with temporary keys may have got fresh ones since: it is read once more.
                if not tries_left or not isinstance(error.error, AuthenticationError):
                    return _failed(error)
        raise AssertionError("the last try returns")

    async def _wait(self, hook: ObsHook, watch: _Watch) -> dict[str, Any]:
        """Look until all is there, or time is up."""
        failures = 0
        while True:
            try:
                await watch.look(hook)
            except DliFailException:
                raise
            except DliException as error:
                failures += 1
                if failures >= _MOST_FAILURES:
                    raise
                self.log.warning("%s Looking again in %.0f s.", error, self.poll_interval)
            else:
                failures = 0
                if watch.settled():
                    return {"status": "present", "missing": []}
            if self._left() <= 0:
                return {"status": "timeout", "missing": watch.unsettled()}
            pause = self.poll_interval * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 -- no secret
            await asyncio.sleep(min(pause, self._left()))

    def _left(self) -> float:
        return max(0.0, self.deadline - time.time())


async def _load() -> None:
    """Import what is heavy, once, and not on the event loop, where it would stop every other trigger."""
    if all(name in sys.modules for name in _HEAVY):
        return
    async with _LOADING.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        for name in _HEAVY:
            if name not in sys.modules:
                await asyncio.to_thread(import_module, name)
        # What is imported stays for good. Left to the garbage collector, it is gone through every other minute
        # while many triggers wait, and the event loop stands still for a fifth of a second each time.
        gc.freeze()


class _Watch:
    """What has been seen of some archives."""

    def __init__(self, archives: Sequence[str], settle_time: float) -> None:
        self._settle_time = settle_time
        self._archives = archives
        self._buckets: set[str] = set()
        #: each archive that is there, and since when it is as it is
        self._seen: dict[str, tuple[ObjectFacts, float]] = {}

    async def look(self, hook: ObsHook) -> None:
        """Look each one up that is not settled yet."""
        for archive in self._archives:
            if not self._is_settled(archive):
                await self._look_at(hook, archive)

    async def _look_at(self, hook: ObsHook, archive: str) -> None:
        bucket = archive.partition("/")[0]
        facts = await hook.afind(archive, bucket_known=bucket in self._buckets)
        self._buckets.add(bucket)
        if facts is None:
            self._seen.pop(archive, None)
        elif archive not in self._seen or self._seen[archive][0] != facts:
            self._seen[archive] = (facts, time.monotonic())

    def settled(self) -> bool:
        """Tell whether all are there and have not changed for long enough."""
        return not self.unsettled()

    def unsettled(self) -> list[str]:
        """Give those that are not there, or have changed a moment ago."""
        return [archive for archive in self._archives if not self._is_settled(archive)]

    def _is_settled(self, archive: str) -> bool:
        seen = self._seen.get(archive)
        return seen is not None and time.monotonic() - seen[1] >= self._settle_time


def _failed(error: Exception) -> dict[str, Any]:
    return {"status": "error", "message": str(error), "transient": not isinstance(error, DliFailException)}
