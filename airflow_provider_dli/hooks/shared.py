"""One open hook for all triggers of an event loop that wait on the same connection."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_dli.hooks.base import AccountHook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Hook = TypeVar("Hook", bound=AccountHook)

_HOOKS: dict[tuple[asyncio.AbstractEventLoop, type[AccountHook], str], list[Any]] = {}


@asynccontextmanager
async def shared_hook(kind: type[Hook], dli_conn_id: str) -> AsyncIterator[Hook]:
    """Give the hook that all others of this event loop on this connection have; open as long as anybody uses it.

    A thousand waits so read the connection once, and share connections and tokens.

    :param kind: which hook
    :param dli_conn_id: the connection
    """
    key = (asyncio.get_running_loop(), kind, dli_conn_id)
    users: list[Hook] = _HOOKS.setdefault(key, [])
    hook = users[0] if users else kind(dli_conn_id)
    users.append(hook)
    try:
        async with hook:
            yield hook
    finally:
        users.remove(hook)
        if not users and _HOOKS.get(key) is users:
            del _HOOKS[key]


def forget_shared(kind: type[AccountHook], dli_conn_id: str) -> None:
    """Have the next one read the connection anew: its credentials were refused, perhaps they were changed.

    Those who use the old hook keep it.

    :param kind: which hook
    :param dli_conn_id: the connection
    """
    _HOOKS.pop((asyncio.get_running_loop(), kind, dli_conn_id), None)
