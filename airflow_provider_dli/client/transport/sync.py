"""Drive a conversation with requests."""

from __future__ import annotations

import time
from contextlib import closing
from functools import cached_property
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from typing import TypeVar

import requests
from urllib3.exceptions import HTTPError, IncompleteRead, MaxRetryError
from urllib3.util import SKIP_HEADER

from airflow_provider_dli.client.account import Network
from airflow_provider_dli.client.call import Conversation, Pause, Reply, Request
from airflow_provider_dli.client.errors import NoAnswerError
from airflow_provider_dli.client.transport import PIECE, Answer, headers_of, no_answer
from airflow_provider_dli.client.transport.watched import PROGRESS, WatchedAdapter
from airflow_provider_dli.client.transport.ways import authorities, context_of, encrypted, proxy_of

T = TypeVar("T")

# What these say has come before a connection, whosever the adapter is; nothing else that requests raises is sure.
_BEFORE = (requests.exceptions.ConnectTimeout, requests.exceptions.InvalidSchema)
# Connections to one host that are kept open at most.
_MOST_CONNECTIONS = 256
# What urllib3 would add of its own: the two drivers send the same bytes.
_NOT_OURS = {"Accept-Encoding": SKIP_HEADER}


class _Session(requests.Session):
    """Follows no redirect, nor looks where one would lead: a signature is for one host."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Give none."""
        del resp


class SyncTransport:
    """Runs conversations over kept-alive connections.

    :param network: how hosts are reached
    """

    def __init__(self, network: Network | None = None) -> None:
        self._network = network = network or Network()
        self.session: requests.Session = _Session()
        self.session.verify = network.verify
        # Threads share the session: no connection is thrown away, and no cookie passes from one call to another.
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, WatchedAdapter(pool_maxsize=_MOST_CONNECTIONS))
        if network.proxy:
            self.session.proxies = {"http": network.proxy, "https": network.proxy}

    def run(self, conversation: Conversation[T]) -> T:
        """Hold a conversation to its end.

        :param conversation: what to ask, and what to make of the answers
        :raises DliClientError: whatever the conversation raises
        """
        with closing(conversation):
            try:
                step = next(conversation)
                while True:
                    if isinstance(step, Pause):
                        time.sleep(step.seconds)
                        step = conversation.send(None)
                        continue
                    try:
                        reply = self._send(step)
                    except NoAnswerError as error:
                        step = conversation.throw(error)
                    else:
                        step = conversation.send(reply)
            except StopIteration as stop:
                result: T = stop.value
                return result

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def _send(self, request: Request) -> Reply:
        headers = headers_of(request)
        PROGRESS.left = False
        try:
            return self._asked(request, {**headers, **_NOT_OURS})
        except (OSError, ValueError, HTTPError, HTTPException) as error:
            left = PROGRESS.left and not isinstance(error, _BEFORE)
            raise no_answer(request, error, _cause(error), left=left) from error

    def _asked(self, request: Request, headers: dict[str, str]) -> Reply:
        # Prepared without the session, which would add headers of its own and ~/.netrc's authorization.
        prepared = requests.Request(request.method, request.url, headers, data=request.body or None).prepare()
        proxy = proxy_of(request, self._network)
        trusted = self._trusted if encrypted(request, proxy) else True
        # Who has mounted an adapter of another kind is told of nothing: then anything may have left.
        PROGRESS.left = True
        sent = time.time()
        with self.session.send(
            prepared,
            stream=True,
            timeout=(self._network.connect_timeout, self._network.read_timeout),
            allow_redirects=False,
            proxies={"all": proxy} if proxy else {},
            verify=trusted,
            cert=None,
        ) as response:
            return _read(request, response, sent)

    @cached_property
    def _trusted(self) -> bool | str:
        named = authorities(self._network.verify)
        if isinstance(named, str):
            context_of(named)  # tried once: of what cannot be read, requests would speak anew for each connection
        return named


def _read(request: Request, response: requests.Response, sent: float) -> Reply:
    answer = Answer(request, response.status_code, response.headers, sent)
    for piece in response.iter_content(PIECE):
        answer.add(piece)
    # urllib3 1 takes the end of the connection for the end of the answer.
    if missing := getattr(response.raw, "length_remaining", None):
        raise IncompleteRead(len(answer), missing)
    return answer.reply()


def _cause(error: Exception) -> object:
    inner = error.args[0] if error.args else None
    if isinstance(inner, MaxRetryError):
        return inner.reason
    return inner if isinstance(inner, Exception) else None
