"""Connections of urllib3 that note whether anything of a request may have left.

What requests raises does not say it: urllib3 tells of a proxy or of TLS in the same way, whether the connection
failed or the answer to a request that has long been read. So it is noted where it happens.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection


class Progress(threading.local):
    """How far this thread's request has got; threads share a session, and each has one request at a time."""

    #: whether anything of it may have left this machine
    left = False


PROGRESS = Progress()


class WatchedAdapter(HTTPAdapter):
    """Sends over connections that note in :data:`PROGRESS` when they stand."""

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- requests'
        """Give the pool of a host, of whatever kind it is, with watched connections."""
        PROGRESS.left = False
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = _watched(pool.ConnectionCls)
        return pool


class _Watched(HTTPConnection):
    def connect(self) -> None:
        """Connect, up to a tunnel and TLS: from then on anything may have left."""
        super().connect()
        PROGRESS.left = True

    def putrequest(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 -- urllib3's
        """Begin a request: on a connection that was kept there is nothing to connect."""
        if self.sock is not None:
            PROGRESS.left = True
        super().putrequest(*args, **kwargs)


@cache
def _watched(kind: type[HTTPConnection]) -> type[HTTPConnection]:
    # The name stays: it stands in messages.
    named = {"__module__": kind.__module__}
    return kind if issubclass(kind, _Watched) else type(kind.__name__, (_Watched, kind), named)
