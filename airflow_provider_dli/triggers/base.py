"""What all triggers share: poll until it is over or time is up, then fire once, with plain facts."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from abc import abstractmethod
from contextlib import asynccontextmanager
from importlib import import_module
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from weakref import WeakKeyDictionary

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.formatting import SafeLog, format_ids
from airflow_provider_dli.hooks.shared import shared_hook
from airflow_provider_dli.triggers.deferral import LONG_POLL, raise_unless_transient
from airflow_provider_dli.triggers.turns import repeat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from airflow_provider_dli.hooks.base import AccountHook
    from airflow_provider_dli.hooks.shared import SharedHook

T = TypeVar("T")

_JITTER = 0.25
#: seconds that the last poll of a wait may take, and any poll
_LAST_POLL, _LEAST = 30.0, 0.1
_HEAVY = (
    "airflow_provider_dli.connection",
    "airflow_provider_dli.client.transport.aio",
    "airflow_provider_dli.client.obs.objects",
)
_LOADING: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


class PollingTrigger(SafeLog, BaseTrigger):
    """Polls until nothing is pending, or time is up.

    All triggers of a triggerer on one connection share one client. Fires once, with plain facts from which the
    task draws its conclusions: ``status`` is ``done``, ``timeout`` or ``error``; ``pending`` names what is still
    waited for; ``message`` and ``transient`` describe the error.

    A triggerer's clock may be minutes ahead of the worker's, or behind: the wait ends by the service's clock, as
    its responses show it to both, and no wait of one triggerer is longer than ``timeout``. The limits, and what
    happens at each:

    ================== ======================================================================================
    ``deadline``       a last poll, and the event ``timeout``. By the service's clock, so the same on every
                       triggerer; ignored until that clock is known, unless there is no ``timeout``
    ``timeout``        the same, by this triggerer's monotonic clock, from when it began with the trigger
    ``execution_left`` the same, but that the last poll is cut off too: the task fails at that moment
    last poll          30 s, where ``deadline`` or ``timeout`` is over
    a request          the retry budget and the network timeouts of the connection
    backstop           60 s after ``timeout`` or ``execution_left`` Airflow fails the task by itself
    ================== ======================================================================================

    :param dli_conn_id: connection of type ``dli``
    :param poll_interval: seconds between two polls, a quarter more or less by chance
    :param deadline: epoch seconds, by the service's clock, at which to stop waiting; None where it is not known
    :param timeout: seconds to wait, at most; None where there is a ``deadline`` alone
    :param execution_left: seconds that are left of the task's ``execution_timeout``; None if it has none
    """

    #: which hook to poll with
    hook_class: ClassVar[type[AccountHook]]
    #: names of the parameters, which are attributes as well
    parameters: ClassVar[tuple[str, ...]] = (
        "dli_conn_id",
        "poll_interval",
        "deadline",
        "timeout",
        "execution_left",
    )

    def __init__(
        self,
        dli_conn_id: str,
        poll_interval: float,
        deadline: float | None = None,
        *,
        timeout: float | None = None,
        execution_left: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's has no types
        self.dli_conn_id = dli_conn_id
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.timeout = timeout
        self.execution_left = execution_left
        self._began = time.monotonic()
        self._shared: SharedHook[Any] | None = None
        #: of the last poll
        self._failure: DliException | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what it takes to create it again on another triggerer."""
        kind = type(self)
        return f"{kind.__module__}.{kind.__name__}", {name: getattr(self, name) for name in self.parameters}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire once."""
        # The task has just polled. A triggerer may start a thousand at once: each begins at a moment of its own.
        await asyncio.sleep(min(self._left(), random.uniform(0, self.poll_interval)))  # noqa: S311 -- no secret
        await _load()
        try:
            async with shared_hook(self.hook_class, self.dli_conn_id) as shared:
                self._shared = shared
                event = await repeat(lambda: self._attempt(shared), self._pause)
        except DliException as error:
            is_transient = not isinstance(error, DliFailException)
            event = {"status": "error", "message": str(error), "transient": is_transient}
        yield TriggerEvent({**event, **self._times()})  # type: ignore[no-untyped-call]  # likewise

    async def _attempt(self, shared: SharedHook[AccountHook]) -> dict[str, Any] | None:
        """Poll once; return the event, None to poll again."""
        bound = self._bound()
        try:
            async with _bounded(bound, "the poll"):
                await shared.poll(self.poll)
        except DliException as error:
            # Cut off as it began, by the end of execution_timeout: what the poll before it found holds.
            if bound < LONG_POLL and isinstance(error.__cause__, TimeoutError) and self._left_of_execution() <= 0:
                if self._failure is None:
                    return self._event("timeout")
                raise self._failure from self._failure.__cause__
            raise_unless_transient(error, self._left())
            self._failure = error
            self.log.warning("%s Polling again in %.0f s.", error, self.poll_interval)
            return None
        self._failure = None
        if self.is_over():
            return self._event("done")
        return self._event("timeout") if self._left() <= 0 else None

    def _pause(self) -> float:
        """Return the seconds until the next poll."""
        pause = max(self.poll_interval, _LEAST) * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 -- no secret
        return min(pause, self._left())

    @abstractmethod
    async def poll(self, hook: Any) -> None:  # noqa: ANN401 -- of ``hook_class``
        """Poll once, with that hook."""

    @abstractmethod
    def pending(self) -> list[Any]:
        """Return what is still waited for; the wait ends when there is nothing left."""

    def is_over(self) -> bool:
        """Return whether the wait is over, whatever is still pending."""
        return not self.pending()

    def payload(self) -> dict[str, Any]:
        """Return what else the task needs to know."""
        return {}

    async def request(self, hook: AccountHook, response: Awaitable[T]) -> T:
        """Await the response to one request of a poll, in bounded time whatever the service does.

        :param hook: that sends it
        :param response: to await
        :raises DliException: if it does not come in time
        """
        account = hook.account
        limit = account.retry.budget + account.network.connect_timeout + account.network.read_timeout
        async with _bounded(limit, "a request"):
            return await response

    def service_time(self) -> float:
        """Return epoch seconds by the service's clock; by this machine's where it has shown none."""
        hook = self._shared and self._shared.hook
        return hook.service_time() if hook else time.time()

    def _event(self, status: str) -> dict[str, Any]:
        return {"status": status, "pending": format_ids(self.pending()), **self.payload()}

    def _times(self) -> dict[str, float]:
        """Return what is left of the limits that the task has given, for it to go on with."""
        left = {} if self.timeout is None else {"left": max(0.0, self._left_of_timeout())}
        if self.execution_left is not None:
            left["execution_left"] = self._left_of_execution()
        return left

    def _bound(self) -> float:
        """Return the seconds that a poll which begins now may take: the last one is given a little time."""
        return max(min(max(self._left_of_timeout(), _LAST_POLL), self._left_of_execution()), _LEAST)

    def _left(self) -> float:
        """Return the seconds that are left to wait."""
        return max(0.0, min(self._left_of_timeout(), self._left_of_execution()))

    def _left_of_timeout(self) -> float:
        ends = []
        if self.timeout is not None:
            ends.append(self.timeout - (time.monotonic() - self._began))
        # Without the service's time, this machine's would not do: the timeout counts alone until it is known.
        hook = self._shared and self._shared.hook
        if self.deadline is not None and (self.timeout is None or (hook and hook.clock_offset is not None)):
            ends.append(self.deadline - self.service_time())
        return min(ends, default=0.0)

    def _left_of_execution(self) -> float:
        return inf if self.execution_left is None else self.execution_left - (time.monotonic() - self._began)


@asynccontextmanager
async def _bounded(seconds: float, what: str) -> AsyncIterator[None]:
    """End what takes longer as a failure that may pass.

    :raises DliException: if it takes longer
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        problem = f"No response came to {what} within {seconds:,.0f} s."
        raise DliException(
            problem, advice="Check whether DLI and OBS can be reached from the triggerer."
        ) from error


async def _load() -> None:
    """Import what is heavy, once, and not on the event loop, where it would stop every other trigger."""
    async with _LOADING.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        if not all(name in sys.modules for name in _HEAVY):
            for name in _HEAVY:
                await asyncio.to_thread(import_module, name)
