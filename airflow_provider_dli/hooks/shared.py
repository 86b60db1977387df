"""One open hook for all triggers of an event loop that wait on the same connection."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from airflow_provider_dli.hooks.obs import ObsHook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_HOOKS: dict[tuple[asyncio.AbstractEventLoop, str], list[ObsHook]] = {}


@asynccontextmanager
async def shared_obs_hook(dli_conn_id: str) -> AsyncIterator[ObsHook]:
    """Give the hook that all others of this event loop on this connection have; open as long as anybody uses it.

    A thousand waits so read the connection once, and share connections and tokens.

    :param dli_conn_id: the connection
    """
    key = (asyncio.get_running_loop(), dli_conn_id)
    users = _HOOKS.setdefault(key, [])
    hook = users[0] if users else ObsHook(dli_conn_id)
    users.append(hook)
    try:
        async with hook:
            yield hook
    finally:
        users.remove(hook)
        if not users and _HOOKS.get(key) is users:
            del _HOOKS[key]


def forget_shared(dli_conn_id: str) -> None:
    """Have the next one read the connection anew: its credentials were refused, perhaps they were changed.

    Those who use the old hook keep it.

    :param dli_conn_id: the connection
    """
    _HOOKS.pop((asyncio.get_running_loop(), dli_conn_id), None)
