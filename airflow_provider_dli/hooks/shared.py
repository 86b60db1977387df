"""One open hook for all triggers of an event loop that wait on the same connection."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_dli.client.errors import AuthenticationError
from airflow_provider_dli.connection.fields import KEY_VARIABLES
from airflow_provider_dli.exceptions import DliException
from airflow_provider_dli.hooks.base import AccountHook
from airflow_provider_dli.hooks.looking_up import alook_up

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

Hook = TypeVar("Hook", bound=AccountHook)
_Key = tuple[type[AccountHook], str]
_Refusal = tuple[int, DliException, float]

#: seconds for which credentials that were refused are not tried again: for as long a key is locked
_REFUSED_FOR = 300.0
_HOOKS: dict[tuple[asyncio.AbstractEventLoop, _Key], SharedHook[Any]] = {}
#: the last refusal of a connection's credentials: their fingerprint, the failure, and when
_REFUSALS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_Key, _Refusal]] = WeakKeyDictionary()


class SharedHook(Generic[Hook]):
    """An open hook, whose users share what becomes of its credentials.

    :param kind: which hook
    :param dli_conn_id: the connection
    """

    def __init__(self, kind: type[Hook], dli_conn_id: str) -> None:
        self.hook = kind(dli_conn_id)
        self.users = 0
        self._key: _Key = (kind, dli_conn_id)
        self._fingerprint: int | None = None
        self._identifying, self._looking = asyncio.Lock(), asyncio.Lock()
        self._is_answered = self._is_renewed = False

    async def identify(self) -> None:
        """Take down which credentials these are, once, and before the hook reads them."""
        async with self._identifying:
            if self._fingerprint is None:
                self._fingerprint = await _fingerprint(self.hook)

    async def look(self, look: Callable[[Hook], Awaitable[None]]) -> None:
        """Look with the hook, unless its credentials were refused a while ago.

        The first look is made alone: a thousand triggers that begin together would lock a wrong key for everybody.

        :param look: looks once
        :raises DliException: if it failed, or another's was refused
        """
        async with self._looking:
            if not self._is_answered:
                await self._look(look)
                return
        await self._look(look)

    async def _look(self, look: Callable[[Hook], Awaitable[None]]) -> None:
        self._check()
        try:
            await look(self.hook)
        except DliException as error:
            if not isinstance(error.error, AuthenticationError):
                self._is_answered = True
                raise
            if not self._fetches_others():
                refusals = _REFUSALS.setdefault(asyncio.get_running_loop(), {})
                refusals[self._key] = (self._fingerprint or 0, error, time.monotonic())
                raise
            await self._look(look)
        self._is_answered, self._is_renewed = True, False

    def _check(self) -> None:
        fingerprint, error, moment = _refusal(self._key) or (None, None, 0.0)
        if error and fingerprint == self._fingerprint and time.monotonic() - moment < _REFUSED_FOR:
            raise type(error)(str(error)) from error.error

    def _fetches_others(self) -> bool:
        """Tell whether the next look is made with other keys: those that somebody hands out are fetched anew."""
        from airflow_provider_dli.client.credentials.temporary import TemporaryKeys

        was_renewed, self._is_renewed = self._is_renewed, True
        return isinstance(self.hook.account.credentials, TemporaryKeys) and not was_renewed


@asynccontextmanager
async def shared_hook(kind: type[Hook], dli_conn_id: str) -> AsyncIterator[SharedHook[Hook]]:
    """Give the hook that all others of this event loop on this connection have; open as long as anybody uses it.

    A thousand waits so read the connection once, and share connections and tokens.

    :param kind: which hook
    :param dli_conn_id: the connection
    """
    place = (asyncio.get_running_loop(), (kind, dli_conn_id))
    shared: SharedHook[Hook] = _HOOKS.setdefault(place, SharedHook(kind, dli_conn_id))
    shared.users += 1
    try:
        await shared.identify()
        async with shared.hook:
            yield shared
    finally:
        shared.users -= 1
        if not shared.users and _HOOKS.get(place) is shared:
            del _HOOKS[place]


def forget_shared(kind: type[AccountHook], dli_conn_id: str) -> None:
    """Have the next one read the connection anew: it could not be used, perhaps it was changed.

    Those who use the old hook keep it.

    :param kind: which hook
    :param dli_conn_id: the connection
    """
    _HOOKS.pop((asyncio.get_running_loop(), (kind, dli_conn_id)), None)


async def has_other_credentials(kind: type[AccountHook], dli_conn_id: str) -> bool:
    """Tell whether a connection whose credentials were refused has others by now.

    :param kind: which hook was refused
    :param dli_conn_id: the connection
    """
    refusal = _refusal((kind, dli_conn_id))
    return refusal is None or refusal[0] != await _fingerprint(kind(dli_conn_id))


def _refusal(key: _Key) -> _Refusal | None:
    return _REFUSALS.get(asyncio.get_running_loop(), {}).get(key)


async def _fingerprint(hook: AccountHook) -> int:
    """Give a number that is another for other credentials, and tells nothing of them."""
    try:
        connection: Any = await alook_up(hook, hook.dli_conn_id)
    except AirflowNotFoundException:
        return 0  # the hook says so when it reads it
    return hash((connection.login, connection.password, connection.extra, *map(os.environ.get, KEY_VARIABLES)))
