"""The plugin that adds the page of backups to Airflow 3.1.1 and later; to an older Airflow it adds nothing.

Every process of Airflow loads plugins, so what serves the page is imported with its first request.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow import __version__
from airflow.plugins_manager import AirflowPlugin

from airflow_provider_dli.compat import conf

if TYPE_CHECKING:
    from fastapi import FastAPI

PREFIX = "dli-backups"
#: of Airflow's configuration: the catalogues, ``connection=bucket/directory``, with commas between them
SECTION, OPTION = "dli", "backup_catalogues"
_FIRST = (3, 1, 1)
_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Scope]]
_Send = Callable[[_Scope], Awaitable[None]]


@cache
def _app() -> FastAPI:
    from airflow_provider_dli.plugins.app import create_app

    return create_app()


async def serve(scope: _Scope, receive: _Receive, send: _Send) -> None:
    """Serve the page, as ASGI wants it."""
    app = await asyncio.to_thread(_app)
    await app(scope, receive, send)


def shows_pages(version: str = __version__) -> bool:
    """Return whether an Airflow shows pages of plugins, and knows there who is logged in.

    3.1.0 has such pages, but takes no login from their requests and reads no connection for them.
    """
    return tuple(map(int, re.findall(r"\d+", version)[:3])) >= _FIRST


class BackupsPlugin(AirflowPlugin):
    """The page of backups, in Airflow's menu."""

    name = "dli_backups"

    @classmethod
    def on_load(cls, *_args: Any, **_kwargs: Any) -> None:  # noqa: ANN401 -- Airflow's
        """Add the page where this Airflow shows such pages, and there is a catalogue to show."""
        if not shows_pages() or not conf.get(SECTION, OPTION, fallback="").strip():
            return
        cls.fastapi_apps = [{"app": serve, "url_prefix": f"/{PREFIX}", "name": "DLI backups"}]
        cls.external_views = [
            {
                "name": "DLI backups",
                "href": f"{PREFIX}/",
                "url_route": PREFIX,
                "destination": "nav",
                "category": "browse",
            }
        ]
