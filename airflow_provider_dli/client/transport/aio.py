"""Drive a conversation with aiohttp."""

from __future__ import annotations

from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from airflow_provider_dli.client.call import Reply, Request
from airflow_provider_dli.client.errors import AnswerLostError, NoAnswerError, NotSentError
from airflow_provider_dli.client.exchange import Exchange
from airflow_provider_dli.client.transport import CONNECT_TIMEOUT, READ_TIMEOUT

T = TypeVar("T")

# Raised before a byte of the request has left: no connection, no TLS, no such proxy, no such URL.
_BEFORE_SENDING = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
)
# What aiohttp would add of its own: the two drivers send the same bytes.
_OWN_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class AsyncTransport:
    """Runs conversations over kept-alive connections of one event loop; an async context manager.

    :param connect_timeout: seconds until a connection stands
    :param read_timeout: seconds without a byte of the answer
    """

    def __init__(self, connect_timeout: float = CONNECT_TIMEOUT, read_timeout: float = READ_TIMEOUT) -> None:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None, connect=connect_timeout, sock_read=read_timeout),
            skip_auto_headers=_OWN_HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def arun(self, operation: str, exchange: Exchange[T]) -> T:
        """Hold a conversation to its end.

        :param operation: what is asked, for messages
        :param exchange: the conversation
        :raises DliClientError: whatever the conversation raises
        """
        try:
            request = next(exchange)
            while True:
                try:
                    reply = await self._send(request)
                except (aiohttp.ClientError, TimeoutError) as error:
                    request = exchange.throw(_no_answer(operation, request, error))
                else:
                    request = exchange.send(reply)
        except StopIteration as stop:
            result: T = stop.value
            return result

    async def _send(self, request: Request) -> Reply:
        async with self._session.request(
            request.method,
            URL(request.url, encoded=True),
            headers=dict(request.headers),
            data=request.body or None,
            allow_redirects=False,
            proxy=_environment_proxy(request.url),
        ) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status, headers, await response.read())


def _environment_proxy(url: str) -> str | None:
    # Not through aiohttp's trust_env, which would also read ~/.netrc and refuse to mix it with our signature.
    target = urlsplit(url)
    if proxy_bypass(target.netloc):
        return None
    proxies = getproxies()
    return proxies.get(target.scheme) or proxies.get("all")


def _no_answer(operation: str, request: Request, error: Exception) -> NoAnswerError:
    kind = NotSentError if isinstance(error, _BEFORE_SENDING) else AnswerLostError
    return kind(operation, urlsplit(request.url).netloc, f"{type(error).__name__}: {error}".strip(": "))
