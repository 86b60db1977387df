"""One open hook for all triggers of an event loop that wait on the same connection."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from airflow_provider_dli.client.errors import AuthenticationError
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.hooks.base import AccountHook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

Hook = TypeVar("Hook", bound=AccountHook)
_Key = tuple[type[AccountHook], str]
_Refusal = tuple[int | None, DliException, float]

#: seconds for which credentials that were refused are not tried again: for as long a key is locked
_REFUSED_FOR = 300.0
#: seconds after which the connection is read again, at the earliest, where polls fail: perhaps it was changed
_REREAD_AFTER = 10.0
#: seconds that the other polls wait for the response to the first one with new credentials
_FIRST_ALONE = 5.0
_HOOKS: dict[tuple[asyncio.AbstractEventLoop, _Key], SharedHook[Any]] = {}
#: the last refusal of a connection's credentials: their fingerprint, the failure, and when
_REFUSALS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_Key, _Refusal]] = WeakKeyDictionary()


@dataclass(eq=False)
class _Session(Generic[Hook]):
    """An open hook with one set of credentials.

    :param hook: the hook
    :param is_renewal: whether it replaces a session that failed
    :param users: how many polls are in progress
    :param is_answered: whether the service has responded, with anything but a refusal of the credentials
    :param refusal: how it has refused them; from then on nothing is sent with them
    """

    hook: Hook
    is_renewal: bool = False
    users: int = 0
    is_answered: bool = False
    refusal: DliException | None = None

    @property
    def alone_for(self) -> float:
        """Seconds that a poll which begins now is alone, at most."""
        return 0.0 if self.is_answered else _FIRST_ALONE

    @property
    def may_fetch_others(self) -> bool:
        """Whether other keys may be handed out; after two refusals in a row a third would lock them."""
        return self.hook.fetches_keys and (self.is_answered or not self.is_renewal)


class SharedHook(Generic[Hook]):
    """An open hook, whose users share the state of its credentials.

    Polls that run at the same time may all be refused when keys are rotated. The first of them renews the
    credentials, by reading the connection again or by fetching other temporary keys; the others that were refused
    with the same session go on with the new one.
    """

    def __init__(self, kind: type[Hook], dli_conn_id: str) -> None:
        self.users = 0
        self._kind = kind
        self._dli_conn_id = dli_conn_id
        self._key: _Key = (kind, dli_conn_id)
        self._session: _Session[Hook] | None = None
        self._opening, self._first = asyncio.Lock(), asyncio.Lock()
        self._reread = float("-inf")
        self._unread: tuple[float, DliException | None] = (0.0, None)

    @property
    def hook(self) -> Hook | None:
        """The open hook; None while no poll was made."""
        return self._session.hook if self._session else None

    async def poll(self, poll: Callable[[Hook], Awaitable[None]]) -> None:
        """Poll with the hook, unless its credentials were refused a while ago.

        :raises DliException: if it failed, or the credentials are refused
        """
        session = await self._current()
        try:
            await self._poll(session, poll)
        except DliException as error:
            if not await self._renew(session, error):
                raise
        else:
            return
        await self._poll(await self._current(), poll)

    async def close(self) -> None:
        """Close the connections, once no poll is in progress."""
        session, self._session = self._session, None
        if session and not session.users:
            await session.hook.__aexit__(None, None, None)

    async def _current(self) -> _Session[Hook]:
        async with self._opening:
            if self._session is None:
                self._session = await self._opened()
            return self._session

    async def _opened(self) -> _Session[Hook]:
        """Return a session on a new hook; raise at once if Airflow did not return the connection a moment ago."""
        moment, failure = self._unread
        if failure and time.monotonic() - moment < _REREAD_AFTER:
            raise type(failure)(str(failure)) from failure.__cause__
        try:
            return _Session(await self._kind(self._dli_conn_id).__aenter__())
        except DliException as error:
            if isinstance(error.__cause__, TimeoutError):
                self._unread = (time.monotonic(), error)
            raise

    async def _poll(self, session: _Session[Hook], poll: Callable[[Hook], Awaitable[None]]) -> None:
        session.users += 1
        try:
            await self._poll_in_turn(session, poll)
        finally:
            session.users -= 1
            if session is not self._session and not session.users:
                await session.hook.__aexit__(None, None, None)

    async def _poll_in_turn(self, session: _Session[Hook], poll: Callable[[Hook], Awaitable[None]]) -> None:
        """Poll; alone if it is the first time: a thousand triggers at once would lock a wrong key for everybody.

        A response that does not come holds the others up for a while only.
        """
        if session.is_answered:
            await self._poll_once(session, poll)
            return
        async with self._first:
            polling = asyncio.ensure_future(self._poll_once(session, poll))
            try:
                await asyncio.wait({polling}, timeout=session.alone_for)
            except BaseException:
                polling.cancel()
                raise
        await polling

    async def _poll_once(self, session: _Session[Hook], poll: Callable[[Hook], Awaitable[None]]) -> None:
        if refusal := session.refusal or self._refusal(session):
            raise type(refusal)(str(refusal)) from refusal.error
        try:
            await poll(session.hook)
        except DliException as error:
            if _is_refusal(error):
                session.refusal = error
            else:
                session.is_answered = True
            raise
        session.is_answered = True

    async def _renew(self, session: _Session[Hook], error: DliException) -> bool:
        """Replace a session that failed by one with other credentials, or settings; whether there are any."""
        if not isinstance(error, DliFailException) and time.monotonic() - self._reread < _REREAD_AFTER:
            return False
        async with self._opening:
            if self._session is not session:
                return True  # another poll has replaced it
            self._reread = time.monotonic()
            if not await session.hook.ahas_changed():
                if not _is_refusal(error):
                    return False
                if not session.may_fetch_others:
                    self._note_refusal(session, error)
                    return False
            # A hook of its own: nothing of what was refused is left in it.
            hook = await self._kind(self._dli_conn_id).__aenter__()
            self._session = _Session(hook, is_renewal=True)
            if not session.users:
                await session.hook.__aexit__(None, None, None)
            return True

    def _note_refusal(self, session: _Session[Hook], error: DliException) -> None:
        if self._refusal(session) is None:
            refusals = _REFUSALS.setdefault(asyncio.get_running_loop(), {})
            refusals[self._key] = (session.hook.fingerprint, error, time.monotonic())

    def _refusal(self, session: _Session[Hook]) -> DliException | None:
        """Return why these credentials were refused a while ago; None if they were not."""
        refused = _REFUSALS.get(asyncio.get_running_loop(), {}).get(self._key)
        if (
            refused is None
            or refused[0] != session.hook.fingerprint
            or time.monotonic() - refused[2] >= _REFUSED_FOR
        ):
            return None
        return refused[1]


def _is_refusal(error: DliException) -> bool:
    return isinstance(error.error, AuthenticationError)


@asynccontextmanager
async def shared_hook(kind: type[Hook], dli_conn_id: str) -> AsyncIterator[SharedHook[Hook]]:
    """Yield the hook that all users of this event loop and connection share; it is open as long as one uses it.

    A thousand waits so read the connection once, and share connections and tokens.
    """
    place = (asyncio.get_running_loop(), (kind, dli_conn_id))
    shared: SharedHook[Hook] = _HOOKS.setdefault(place, SharedHook(kind, dli_conn_id))
    shared.users += 1
    try:
        yield shared
    finally:
        shared.users -= 1
        if not shared.users:
            del _HOOKS[place]
            await shared.close()
