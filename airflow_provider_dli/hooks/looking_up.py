"""Look a connection up from an event loop, as each Airflow allows it.

``airflow.providers.common.compat.connection`` does the same as of 1.23.0 of October 2026. Before that it calls
what stops a triggerer of Airflow 3.1 to 3.3.1 for good, so it is done here, whichever provider is installed.
"""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast

from airflow.providers.common.compat.sdk import BaseHook, Connection

from airflow_provider_dli.exceptions import DliException

if TYPE_CHECKING:
    from airflow_provider_dli.connection.reading import AirflowConnection

#: seconds; a secrets backend that hangs must not hold a wait for good
_LONGEST = 60.0


async def alook_up(hook: BaseHook, conn_id: str) -> AirflowConnection:
    """Give a connection without blocking the event loop.

    :param hook: whose ``get_connection`` is asked
    :param conn_id: of the connection
    :raises AirflowNotFoundException: if there is none of that id
    :raises DliException: if Airflow does not give it in time
    """
    try:
        async with asyncio.timeout(_LONGEST):
            return await _looked_up(hook, conn_id)
    except TimeoutError as error:
        raise DliException(
            f"connection {conn_id!r} could not be read: Airflow, or its secrets backend, gave no response within "
            f"{_LONGEST:.0f} s"
        ) from error


async def _looked_up(hook: BaseHook, conn_id: str) -> AirflowConnection:
    # Came with Airflow 3.3.2, where aget_connection masks secrets without waiting for the supervisor.
    if hasattr(Connection, "aextra_dejson"):
        return cast("AirflowConnection", await hook.aget_connection(conn_id))
    if not has_supervisor():
        # A thread for each: one that hangs holds up no other.
        return cast("AirflowConnection", await asyncio.to_thread(hook.get_connection, conn_id))
    from asgiref.sync import sync_to_async

    # In asgiref's thread, which lets Airflow talk to its supervisor on this very loop.
    return cast("AirflowConnection", await sync_to_async(hook.get_connection)(conn_id))


def has_supervisor() -> bool:
    """Return whether this is Airflow 3, where triggers ask a supervisor for what is in the database."""
    return find_spec("airflow.sdk") is not None
