"""Drive a flow with requests.

What requests raises does not show what was sent: urllib3 reports a proxy or TLS in the same way, whether the
connection failed or the response to a request that was read long ago. So it is recorded where it happens, in
``PROGRESS``, by connections of our own.

A timeout of a socket starts again with every byte: a response that drips would last for ever. So each wait for the
network gets what is left of the exchange, for the response of a proxy, for headers, and for a body.
"""

from __future__ import annotations

import io
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from functools import cache, cached_property
from http.client import HTTPException, HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from typing import Any, BinaryIO, TypeVar

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError, IncompleteRead, MaxRetryError
from urllib3.util import SKIP_HEADER

from airflow_provider_dli.client.call import Flow, Pause, Reply, Request
from airflow_provider_dli.client.errors import NoResponseError
from airflow_provider_dli.client.replies import UNREADABLE
from airflow_provider_dli.client.transport import (
    PIECE,
    Network,
    Proxy,
    ReplyBuilder,
    headers_of,
    no_response,
    proxy_of,
    ssl_context,
    too_long,
    trusted_certificates,
    uses_tls,
)

T = TypeVar("T")

#: bytes of a streamed body after which its time starts again: a large archive takes as long as it needs
RENEWED_BY = 1024 * 1024
# Raised before there is a connection, whatever the adapter; nothing else that requests raises is certain.
_BEFORE = (requests.exceptions.ConnectTimeout, requests.exceptions.InvalidSchema)
# Connections to one host that are kept open at most.
_MOST_CONNECTIONS = 256
# What urllib3 would add of its own: the two drivers send the same bytes.
_NOT_OURS = {"Accept-Encoding": SKIP_HEADER}
_WITHOUT_BODY = ("GET", "HEAD")
_LENGTHS = ("content-length", "transfer-encoding")
_SUCCESS = range(200, 300)
# What the libraries raise where the network, or what came from it, is at fault; their own mistakes over it too.
_THEIRS = (OSError, HTTPError, HTTPException, zlib.error, *UNREADABLE)


class Progress(threading.local):
    """How far this thread's request has got; threads share a session, and each has one request at a time."""

    #: whether anything of it may have left this machine
    maybe_sent = False
    #: what is left of its time; None where somebody else than a driver sends
    limit: TimeLimit | None = None
    #: what is read of the response; urllib3 forgets one whose headers it refuses, open as it is
    response: LimitedResponse | None = None


PROGRESS = Progress()


class SyncTransport:
    """Runs flows over kept-alive connections."""

    def __init__(self, network: Network | None = None) -> None:
        self._network = network = network or Network()
        self.session = _Session(network)
        # Threads share the session: no connection is thrown away, and no cookie passes from one call to another.
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, WatchedAdapter(pool_maxsize=_MOST_CONNECTIONS))

    def run(self, flow: Flow[T]) -> T:
        """Run a flow to its end.

        :raises DliClientError: whatever the flow raises
        """
        with closing(flow):
            try:
                step = next(flow)
                while True:
                    if isinstance(step, Pause):
                        time.sleep(step.seconds)
                        step = flow.send(None)
                        continue
                    try:
                        reply = self.fetch(step)
                    except NoResponseError as error:
                        step = flow.throw(error)
                    else:
                        step = flow.send(reply)
            except StopIteration as stop:
                result: T = stop.value
                return result

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def fetch(self, request: Request, data: BinaryIO | bytes | None = None) -> Reply:
        """Send a request and read the whole response, up to its bounds of time and size.

        :param request: what is to be sent
        :param data: a binary file to send as the body instead of the request's own
        :raises NotSentError: if nothing of it can have left
        :raises ResponseLostError: if it may have arrived
        :raises UnexpectedReplyError: if the response is too long
        """
        limit = TimeLimit(self._network.total, None if data is None else RENEWED_BY)
        sent = time.time()
        with self._translated(request, limit):
            prepared, options = self._prepared(request, data, limit)
            with self.session.send(prepared, **options) as response:
                return _read(request, response, sent)

    def stream(self, request: Request) -> Reply | Streamed:
        """Send a request; a success is left for the caller to read, and takes as long as it goes on.

        :raises NoResponseError: as :meth:`fetch` does
        """
        limit = TimeLimit(self._network.total, RENEWED_BY)
        sent = time.time()
        with self._translated(request, limit), ExitStack() as stack:
            prepared, options = self._prepared(request, None, limit)
            response = stack.enter_context(self.session.send(prepared, **options))
            if response.status_code not in _SUCCESS:
                return _read(request, response, sent)
            stack.pop_all()
            head = ReplyBuilder(request, response.status_code, response.headers, sent).reply()
            return Streamed(head, response.raw, limit, lambda: self._translated(request, limit))

    @contextmanager
    def _translated(self, request: Request, limit: TimeLimit) -> Iterator[None]:
        """Turn whatever a library raises into an error of ours, by whether anything may have been sent."""
        # The body of one exchange may be read out of another.
        around = PROGRESS.maybe_sent, PROGRESS.limit, PROGRESS.response
        PROGRESS.maybe_sent, PROGRESS.limit, PROGRESS.response = False, limit, None
        try:
            yield
        except _THEIRS as error:
            if PROGRESS.response:
                PROGRESS.response.close()
            maybe_sent = PROGRESS.maybe_sent and not isinstance(error, _BEFORE)
            raise no_response(request, error, _cause(error, limit), maybe_sent=maybe_sent) from error
        finally:
            PROGRESS.maybe_sent, PROGRESS.limit, PROGRESS.response = around

    def _prepared(
        self, request: Request, data: BinaryIO | bytes | None, limit: TimeLimit
    ) -> tuple[requests.PreparedRequest, dict[str, Any]]:
        """Return what the session sends, and how.

        The session would add headers of its own and the authorization of ~/.netrc, and requests would write the
        URL otherwise than it was signed.
        """
        prepared = requests.PreparedRequest()
        prepared.method, prepared.url = request.method, request.url
        prepared.headers = CaseInsensitiveDict({**headers_of(request), **_length_of(request), **_NOT_OURS})
        prepared.body = request.body or None if data is None else data  # type: ignore[assignment]  # files too
        proxy = proxy_of(request, self._network)
        trusted = self._trusted if uses_tls(request, proxy) else True
        # An adapter of another kind records nothing: then anything may have been sent.
        PROGRESS.maybe_sent = True
        return prepared, {
            "stream": True,
            "timeout": (self._network.connect_timeout, min(self._network.read_timeout, limit.seconds)),
            "allow_redirects": False,
            "proxies": self.session.authorized(request.url, proxy),
            "verify": trusted,
            "cert": None,
        }

    @cached_property
    def _trusted(self) -> bool | str:
        named = trusted_certificates(self._network.verify)
        if isinstance(named, str):
            ssl_context(named)  # read once here: requests would fail at each connection
        return named


class Streamed:
    """A successful response whose body is read as it comes."""

    def __init__(
        self,
        head: Reply,
        raw: Any,  # noqa: ANN401 -- urllib3's
        limit: TimeLimit,
        translated: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.head = head
        self._raw = raw
        self._limit = limit
        self._translated = translated

    @property
    def is_too_slow(self) -> bool:
        """Whether it was aborted for its slowness: another attempt would be no faster."""
        return self._limit.is_over

    def read(self, size: int | None = None) -> bytes:
        """Read at most ``size`` bytes; all the rest by default.

        :raises ResponseLostError: if the body is cut short or comes too slowly
        """
        with self._translated():
            PROGRESS.maybe_sent = True
            data: bytes = self._raw.read(size, decode_content=False)
        return data

    def close(self) -> None:
        """Return the connection to the pool, or close it where the body was not read to its end."""
        self._raw.close()


def _length_of(request: Request) -> dict[str, str]:
    has_length = request.method in _WITHOUT_BODY or any(name.lower() in _LENGTHS for name, _ in request.headers)
    return {} if has_length else {"Content-Length": str(len(request.body))}


def _read(request: Request, response: requests.Response, sent: float) -> Reply:
    builder = ReplyBuilder(request, response.status_code, response.headers, sent)
    for piece in response.iter_content(PIECE):
        builder.add(piece)
    # urllib3 1 takes the end of the connection for the end of the response.
    if missing := getattr(response.raw, "length_remaining", None):
        raise IncompleteRead(len(builder), missing)
    return builder.reply()


def _cause(error: Exception, limit: TimeLimit) -> object:
    if limit.is_over:
        return too_long(limit.seconds)
    inner = error.args[0] if error.args else None
    if isinstance(inner, MaxRetryError):
        return inner.reason
    return inner if isinstance(inner, Exception) else None


class _Session(requests.Session):
    """Follows no redirect: a signature is for one host.

    Whoever sends with it goes through the same proxy, so that requests never parses the URL of a proxy.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self._network = network
        self.verify = network.verify
        self.trust_env = False

    def authorized(self, url: str, proxy: Proxy | None) -> dict[str, str]:
        """Return what requests is to know of a proxy, and have its password sent to it."""
        adapter = self.get_adapter(url)
        if proxy and isinstance(adapter, WatchedAdapter):
            adapter.authorize(proxy)
        return {"all": proxy.url} if proxy else {}

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:  # noqa: ANN401 -- requests'
        """Return the settings of a request that is not one of ours."""
        if not proxies:
            proxies = self.authorized(url, proxy_of(Request("GET", url, ()), self._network))
        verify = trusted_certificates(self._network.verify) if verify is None else verify
        return super().merge_environment_settings(url, proxies, stream, verify, cert)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None: no redirect is followed."""
        del resp


class WatchedAdapter(HTTPAdapter):
    """Sends over connections that note in ``PROGRESS`` when they stand, and keep to its limit."""

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
