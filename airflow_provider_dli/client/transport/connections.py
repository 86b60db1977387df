"""Connections of urllib3 that record whether a request may have been sent, and keep within an exchange's time.

What requests raises does not show what was sent: urllib3 reports a proxy or TLS in the same way, whether the
connection failed or the response to a request that was read long ago. So it is recorded where it happens.

A timeout of a socket starts again with every byte: a response that drips would last for ever. So each wait for the
network gets what is left of the exchange, for the response of a proxy, for headers, and for a body.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from functools import cache
from http.client import HTTPResponse
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection

from airflow_provider_dli.client.proxies import Proxy
from airflow_provider_dli.client.transport import PIECE, too_long

#: bytes of a streamed body after which its time starts again: a large archive takes as long as it needs
RENEWED_BY = 1024 * 1024


class Progress(threading.local):
    """How far this thread's request has got; threads share a session, and each has one request at a time."""

    #: whether anything of it may have left this machine
    maybe_sent = False
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
        """Have the password of a proxy sent to it, from its next connection on."""
        with self._authorizing:
            if self._authorized.get(proxy.url) != proxy.authorization:
                self.proxy_manager.pop(proxy.url, None)
                self._authorized[proxy.url] = proxy.authorization

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        """Return what is sent to a proxy: requests would read it out of the URL."""
        return Proxy(proxy, self._authorized.get(proxy)).headers

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- requests'
        """Return the pool of a host, of whatever kind it is, with watched connections."""
        PROGRESS.maybe_sent = False
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
        PROGRESS.maybe_sent = True

    def putrequest(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 -- urllib3's
        """Begin a request: on a connection that was kept there is nothing to connect."""
        if self.sock is not None:
            PROGRESS.maybe_sent = True
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
    # The name stays: it is in messages.
    named = {"__module__": kind.__module__}
    return kind if issubclass(kind, _Watched) else type(kind.__name__, (_Watched, kind), named)


class LimitedResponse(HTTPResponse):
    """A response of ``http.client`` whose every wait is limited, headers and body alike."""

    def limit(self, sock: socket.socket, limit: TimeLimit) -> LimitedResponse:
        """Limit it from now on."""
        self.fp: Any = io.BufferedReader(_LimitedReader(self.fp.detach(), sock, limit))
        return self


class _LimitedReader(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, sock: socket.socket, limit: TimeLimit) -> None:
        super().__init__()
        self._raw, self._sock, self._limit = raw, sock, limit
        self._most = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 -- a writable buffer has no type before 3.12
        self._sock.settimeout(self._limit.timeout(self._most))
        began, count = time.monotonic(), 0
        try:
            count = self._raw.readinto(buffer) or 0
        finally:
            self._limit.waited(time.monotonic() - began, count)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class TimeLimit:
    """What is left of the seconds that an exchange may wait for the network.

    :param seconds: how many there are
    :param renewed_by: bytes after which they start again; None for never
    """

    def __init__(self, seconds: float, renewed_by: int | None = None) -> None:
        self.seconds = seconds
        self._renewed_by = renewed_by
        self._waited = 0.0
        self._moved = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing is left."""
        return self._waited >= self.seconds

    def timeout(self, most: float | None) -> float:
        """Return how long the next wait may last.

        :param most: seconds that a single wait may last; None for no such bound
        :raises TimeoutError: if nothing is left
        """
        if self.is_over:
            raise TimeoutError(too_long(self.seconds))
        left = self.seconds - self._waited
        return left if most is None else min(most, left)

    def waited(self, seconds: float, moved: int) -> None:
        """Record a wait."""
        self._waited += seconds
        self._moved += moved
        if self._renewed_by is not None and self._moved >= self._renewed_by:
            self._waited, self._moved = 0.0, 0
