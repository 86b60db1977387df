"""Drive a flow with aiohttp."""

from __future__ import annotations

import asyncio
import ssl
import time
import zlib
from contextlib import closing
from dataclasses import dataclass
from types import SimpleNamespace, TracebackType
from typing import Self, TypeVar

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from airflow_provider_dli.client.call import Flow, Pause, Reply, Request
from airflow_provider_dli.client.errors import NoResponseError
from airflow_provider_dli.client.replies import UNREADABLE
from airflow_provider_dli.client.transport import (
    PIECE,
    Network,
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

# What aiohttp would add of its own: the two drivers send the same bytes.
_OWN_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
_READING = ("GET", "HEAD")
# What the library raises where the network, or what came from it, is at fault; its own mistakes over it too.
_THEIRS = (aiohttp.ClientError, HttpProcessingError, OSError, EOFError, zlib.error, *UNREADABLE)
# bytes, as the other driver. A token of IAM may be longer than aiohttp's eight thousand.
_MAX_HEADER_BYTES = 65536


class AsyncTransport:
    """Runs flows over kept-alive connections of one event loop; an async context manager."""

    def __init__(self, network: Network | None = None) -> None:
        self._network = network or Network()
        self._trusted: ssl.SSLContext | bool | None = None
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=self._network.connect_timeout, sock_read=self._network.read_timeout
            ),
            skip_auto_headers=_OWN_HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            max_field_size=_MAX_HEADER_BYTES,
            trace_configs=[watching()],
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def arun(self, flow: Flow[T]) -> T:
        """Run a flow to its end.

        :raises DliClientError: whatever the flow raises
        """
        with closing(flow):
            try:
                step = next(flow)
                while True:
                    if isinstance(step, Pause):
                        await asyncio.sleep(step.seconds)
                        step = flow.send(None)
                        continue
                    try:
                        reply = await self._send(step)
                    except NoResponseError as error:
                        step = flow.throw(error)
                    else:
                        step = flow.send(reply)
            except StopIteration as stop:
                result: T = stop.value
                return result

    async def _send(self, request: Request) -> Reply:
        headers, progress = headers_of(request), Progress(reading=request.method in _READING)
        limit: asyncio.Timeout | None = None
        try:
            proxy = proxy_of(request, self._network)
            ours, tunnelled = proxy.headers if proxy else {}, request.url.startswith("https:")
            trusted = await self._trust() if uses_tls(request, proxy) else True
            sent = time.time()
            # aiohttp's own timeouts start again with every byte.
            async with (
                asyncio.timeout(self._network.total) as limit,
                self._session.request(
                    request.method,
                    URL(request.url, encoded=True),
                    headers=headers if tunnelled else {**headers, **ours},
                    data=request.body or None,
                    allow_redirects=False,
                    proxy=proxy.url if proxy else None,
                    # aiohttp sends these to open a tunnel, and only then.
                    proxy_headers=ours if tunnelled else None,
                    ssl=trusted,
                    trace_request_ctx=progress,
                ) as response,
            ):
                return await _read(request, response, sent)
        except _THEIRS as error:
            cause = too_long(self._network.total) if limit and limit.expired() else None
            raise no_response(request, error, cause, maybe_sent=progress.maybe_sent) from error

    async def _trust(self) -> ssl.SSLContext | bool:
        if self._trusted is None:
            named = trusted_certificates(self._network.verify)
            # Other triggers go on while certificates are read.
            self._trusted = await asyncio.to_thread(ssl_context, named) if isinstance(named, str) else named
        return self._trusted


async def _read(request: Request, response: aiohttp.ClientResponse, sent: float) -> Reply:
    builder = ReplyBuilder(request, response.status, response.headers, sent)
    async for piece in response.content.iter_chunked(PIECE):
        builder.add(piece)
    return builder.reply()


@dataclass(slots=True)
class Progress:
    """How far a request has got.

    :param reading: whether it only reads, so that aiohttp may send it again on a connection that was kept too long
    :param maybe_sent: whether anything of it may have left this machine
    """

    reading: bool
    maybe_sent: bool = False


def watching() -> aiohttp.TraceConfig:
    """Make the configuration; each request brings its :class:`Progress` as ``trace_request_ctx``."""
    config = aiohttp.TraceConfig()
    config.on_connection_create_start.append(_once)
    config.on_connection_create_end.append(_stands)
    config.on_connection_reuseconn.append(_once)
    config.on_connection_reuseconn.append(_stands)
    return config


async def _once(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
    """End a second attempt before it begins."""
    progress: Progress = context.trace_request_ctx
    if progress.maybe_sent and not progress.reading:
        raise aiohttp.ServerDisconnectedError("the connection ended before the response came")


async def _stands(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
    progress: Progress = context.trace_request_ctx
    progress.maybe_sent = True
