"""Connections of urllib3 that note whether anything of a request may have left, and keep to an exchange's time.

What requests raises does not say what has left: urllib3 tells of a proxy or of TLS in the same way, whether the
connection failed or the response to a request that has long been read. So it is noted where it happens.
"""

from __future__ import annotations

import threading
import time
from functools import cache
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection

from airflow_provider_dli.client.proxies import Proxy
from airflow_provider_dli.client.transport.limits import PIECE, LimitedResponse, TimeLimit


class Progress(threading.local):
    """How far this thread's request has got; threads share a session, and each has one request at a time."""

    #: whether anything of it may have left this machine
    left = False
    #: what is left of its time; None where somebody else than a driver sends
    limit: TimeLimit | None = None
    #: what is read of the response; urllib3 forgets one whose headers it refuses, open as it is
    response: LimitedResponse | None = None


PROGRESS = Progress()


class WatchedAdapter(HTTPAdapter):
    """Sends over connections that note in :data:`PROGRESS` when they stand, and keep to its limit."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 -- HTTPAdapter's
        super().__init__(**kwargs)
        self._authorized: dict[str, str | None] = {}
        self._authorizing = threading.Lock()

    def authorize(self, proxy: Proxy) -> None:
        """Have the password of a proxy sent to it, from its next connection on.

        :param proxy: whose URL requests is given
        """
        with self._authorizing:
            if self._authorized.get(proxy.url) != proxy.authorization:
                self.proxy_manager.pop(proxy.url, None)
                self._authorized[proxy.url] = proxy.authorization

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        """Return what is sent to a proxy: requests would read it out of the URL.

        :param proxy: its URL
        """
        return Proxy(proxy, self._authorized.get(proxy)).headers

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- requests'
        """Return the pool of a host, of whatever kind it is, with watched connections."""
        PROGRESS.left = False
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = _watched(pool.ConnectionCls)
        return pool

    def request_url(self, request: Any, proxies: Any) -> str:  # noqa: ANN401 -- requests'
        """Return the path as it was signed: requests would fold the slashes that a key begins with."""
        url: str = super().request_url(request, proxies)
        return request.path_url if url.startswith("/") else url


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

    def send(self, data: Any) -> None:  # noqa: ANN401 -- urllib3's
        """Send a piece, in what is left of the exchange."""
        limit, sock = PROGRESS.limit, self.sock
        if limit is None or sock is None or not isinstance(data, bytes):
            # Without a socket the first piece, which is the headers, connects.
            super().send(data)
            return
        most = sock.gettimeout()
        for start in range(0, len(data), PIECE):
            sock.settimeout(limit.timeout(None))
            piece = data[start : start + PIECE]
            began = time.monotonic()
            super().send(piece)
            limit.waited(time.monotonic() - began, len(piece))
        sock.settimeout(most)

    def response_class(self, sock: Any, *args: Any, **kwargs: Any) -> LimitedResponse:  # type: ignore[override]  # noqa: ANN401 -- http.client's
        """Make a response, of the host or of a proxy that opens a tunnel, in what is left of the exchange."""
        response, limit = LimitedResponse(sock, *args, **kwargs), PROGRESS.limit
        PROGRESS.response = response
        return response if limit is None else response.limit(sock, limit)


@cache
def _watched(kind: type[HTTPConnection]) -> type[HTTPConnection]:
    # The name stays: it stands in messages.
    named = {"__module__": kind.__module__}
    return kind if issubclass(kind, _Watched) else type(kind.__name__, (_Watched, kind), named)
