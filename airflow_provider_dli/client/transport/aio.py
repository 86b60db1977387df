"""Drive a conversation with aiohttp."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import closing
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from airflow_provider_dli.client.account import Network
from airflow_provider_dli.client.call import Conversation, Pause, Reply, Request
from airflow_provider_dli.client.errors import AnswerLostError, NoAnswerError, NotSentError
from airflow_provider_dli.client.transport import PIECE, Answer, reason

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

    :param network: how hosts are reached
    """

    def __init__(self, network: Network | None = None) -> None:
        network = network or Network()
        self._proxy = network.proxy
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=_tls(verify=network.verify)),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=network.connect_timeout, sock_read=network.read_timeout
            ),
            skip_auto_headers=_OWN_HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def arun(self, conversation: Conversation[T]) -> T:
        """Hold a conversation to its end.

        :param conversation: what to ask, and what to make of the answers
        :raises DliClientError: whatever the conversation raises
        """
        with closing(conversation):
            try:
                step = next(conversation)
                while True:
                    if isinstance(step, Pause):
                        await asyncio.sleep(step.seconds)
                        step = conversation.send(None)
                        continue
                    try:
                        reply = await self._send(step)
                    except (aiohttp.ClientError, TimeoutError) as error:
                        step = conversation.throw(_no_answer(step, error))
                    else:
                        step = conversation.send(reply)
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
            proxy=self._proxy or _environment_proxy(request.url),
        ) as response:
            answer = Answer(request, response.status, response.headers)
            async for piece in response.content.iter_chunked(PIECE):
                answer.add(piece)
            return answer.reply()


def _tls(*, verify: bool | str) -> ssl.SSLContext | bool:
    return ssl.create_default_context(cafile=verify) if isinstance(verify, str) else verify


def _environment_proxy(url: str) -> str | None:
    # Not through aiohttp's trust_env, which would also read ~/.netrc and refuse to mix it with our signature.
    target = urlsplit(url)
    if proxy_bypass(target.netloc):
        return None
    proxies = getproxies()
    return proxies.get(target.scheme) or proxies.get("all")


def _no_answer(request: Request, error: Exception) -> NoAnswerError:
    kind = NotSentError if isinstance(error, _BEFORE_SENDING) else AnswerLostError
    return kind(request.operation, urlsplit(request.url).netloc, reason(error))
