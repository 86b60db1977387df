"""What all triggers share: look, now and then, until it is over; then fire once, with plain facts."""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import time
from abc import abstractmethod
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_dli.client.errors import AuthenticationError
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.hooks.shared import forget_shared, has_other_credentials, shared_hook
from airflow_provider_dli.triggers.patience import Patience

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_dli.hooks.base import AccountHook
    from airflow_provider_dli.hooks.shared import SharedHook

_JITTER = 0.25
_HEAVY = (
    "airflow_provider_dli.connection.account",
    "airflow_provider_dli.client.transport.aio",
    "airflow_provider_dli.client.obs.head",
)
_LOADING: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


class WaitingTrigger(BaseTrigger):
    """Looks until what is waited for is there.

    All triggers of a triggerer on one connection share one client. Fires with plain facts, for the task to judge:
    ``status`` is ``present``, ``timeout`` or ``error``; ``missing`` lists what is waited for still; ``message``
    and ``transient`` tell of the error.

    :param dli_conn_id: connection of type ``dli``
    :param poll_interval: seconds between two looks, a quarter more or less by chance
    :param deadline: epoch seconds at which to stop waiting
    """

    #: which hook to look with
    hook_class: ClassVar[type[AccountHook]]

    def __init__(self, dli_conn_id: str, poll_interval: float, deadline: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's has no types
        self.dli_conn_id = dli_conn_id
        self.poll_interval = poll_interval
        self.deadline = deadline

    @abstractmethod
    async def look(self, hook: Any) -> None:  # noqa: ANN401 -- of ``hook_class``
        """Look once, with that hook."""

    @abstractmethod
    def missing(self) -> list[Any]:
        """Give what is waited for still; nothing ends the wait."""

    def is_over(self) -> bool:
        """Tell whether the task is to be told, whatever is missing still."""
        return not self.missing()

    def facts(self) -> dict[str, Any]:
        """Give what else the task is told."""
        return {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire once."""
        yield TriggerEvent(await self._outcome())  # type: ignore[no-untyped-call]  # likewise

    async def _outcome(self) -> dict[str, Any]:
        # The task has just looked. A triggerer may start a thousand at once: each begins at a moment of its own.
        await asyncio.sleep(min(self._left(), random.uniform(0, self.poll_interval)))  # noqa: S311 -- no secret
        await _load()
        for tries_left in (1, 0):
            try:
                async with shared_hook(self.hook_class, self.dli_conn_id) as shared:
                    return await self._wait(shared)
            except DliException as error:
                forget_shared(self.hook_class, self.dli_conn_id)
                # A connection with temporary keys may have got fresh ones since: it is read once more. With the
                # same ones nothing is asked again: a key that is refused a few times is locked for everybody.
                if not (tries_left and await self._may_go_on(error)):
                    return _failed(error)
        raise AssertionError("the last try returns")

    async def _may_go_on(self, error: DliException) -> bool:
        refused = isinstance(error.error, AuthenticationError)
        return refused and await has_other_credentials(self.hook_class, self.dli_conn_id)

    async def _wait(self, shared: SharedHook[AccountHook]) -> dict[str, Any]:
        """Look until it is over, or time is up."""
        patience = Patience()
        while True:
            try:
                await shared.look(self.look)
            except DliException as error:
                patience.bear(error)
                self.log.warning("%s Looking again in %.0f s.", error, self.poll_interval)
            else:
                patience.recover()
                if self.is_over():
                    return {"status": "present", "missing": self.missing(), **self.facts()}
            if self._left() <= 0:
                return {"status": "timeout", "missing": self.missing(), **self.facts()}
            pause = self.poll_interval * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 -- no secret
            await asyncio.sleep(min(pause, self._left()))

    def _left(self) -> float:
        return max(0.0, self.deadline - time.time())


async def _load() -> None:
    """Import what is heavy, once, and not on the event loop, where it would stop every other trigger."""
    if _is_loaded():
        return
    async with _LOADING.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        if _is_loaded():  # by one that had the lock before
            return
        for name in _HEAVY:
            await asyncio.to_thread(import_module, name)
        # What is imported stays for good. Left to the garbage collector, it is gone through every other minute
        # while many triggers wait, and the event loop stands still for a fifth of a second each time.
        gc.freeze()


def _is_loaded() -> bool:
    return all(name in sys.modules for name in _HEAVY)


def _failed(error: Exception) -> dict[str, Any]:
    return {"status": "error", "message": str(error), "transient": not isinstance(error, DliFailException)}
