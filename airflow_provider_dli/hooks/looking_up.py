"""Look a connection up from an event loop, as each Airflow allows it.

``airflow.providers.common.compat.connection`` does the same as of 1.23.0 of October 2026. Before that it calls
what stops a triggerer of Airflow 3.1 to 3.3.1 for good, so it is done here, whichever provider is installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from airflow.providers.common.compat.sdk import BaseHook, Connection

if TYPE_CHECKING:
    from airflow_provider_dli.connection.reading import AirflowConnection


async def alook_up(hook: BaseHook, conn_id: str) -> AirflowConnection:
    """Give a connection without blocking the event loop.

    :param hook: whose ``get_connection`` is asked
    :param conn_id: of the connection
    :raises AirflowNotFoundException: if there is none of that id
    """
    # Came with Airflow 3.3.2, where aget_connection masks secrets without waiting for the supervisor.
    if hasattr(Connection, "aextra_dejson"):
        return cast("AirflowConnection", await hook.aget_connection(conn_id))
    from asgiref.sync import sync_to_async

    # In asgiref's thread, which lets Airflow talk to its supervisor on this very loop.
    return cast("AirflowConnection", await sync_to_async(hook.get_connection)(conn_id))
