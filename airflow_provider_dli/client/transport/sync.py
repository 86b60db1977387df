"""Drive a conversation with requests."""

from __future__ import annotations

import time
from contextlib import closing
from http.cookiejar import DefaultCookiePolicy
from typing import TypeVar
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError
from urllib3.util import SKIP_HEADER

from airflow_provider_dli.client.account import Network
from airflow_provider_dli.client.call import Conversation, Pause, Reply, Request
from airflow_provider_dli.client.errors import AnswerLostError, NoAnswerError, NotSentError
from airflow_provider_dli.client.transport import PIECE, Answer, reason

T = TypeVar("T")

# Raised before a byte of the request has left: no connection, no TLS, no such proxy, no such URL.
_BEFORE_SENDING = (
    requests.exceptions.ConnectTimeout,
    requests.exceptions.SSLError,
    requests.exceptions.ProxyError,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidProxyURL,
)
# Connections to one host that are kept open at most.
_MOST_CONNECTIONS = 256
# What urllib3 would add of its own: the two drivers send the same bytes.
_NOT_OURS = {"Accept-Encoding": SKIP_HEADER}


class SyncTransport:
    """Runs conversations over kept-alive connections.

    :param network: how hosts are reached
    """

    def __init__(self, network: Network | None = None) -> None:
        network = network or Network()
        self.session = requests.Session()
        self.session.verify = network.verify
        # Threads share the session: no connection is thrown away, and no cookie passes from one call to another.
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, requests.adapters.HTTPAdapter(pool_maxsize=_MOST_CONNECTIONS))
        if network.proxy:
            self.session.proxies = {"http": network.proxy, "https": network.proxy}
        self._timeout = (network.connect_timeout, network.read_timeout)

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
                    except requests.RequestException as error:
                        step = conversation.throw(_no_answer(step, error))
                    else:
                        step = conversation.send(reply)
            except StopIteration as stop:
                result: T = stop.value
                return result

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def _send(self, request: Request) -> Reply:
        # Prepared without the session, which would add headers of its own and ~/.netrc's authorization.
        headers = {**dict(request.headers), **_NOT_OURS}
        prepared = requests.Request(request.method, request.url, headers, data=request.body or None).prepare()
        settings = self.session.merge_environment_settings(
            request.url, dict(self.session.proxies), stream=True, verify=self.session.verify, cert=None
        )
        with self.session.send(prepared, timeout=self._timeout, allow_redirects=False, **settings) as response:
            answer = Answer(request, response.status_code, response.headers)
            for piece in response.iter_content(PIECE):
                answer.add(piece)
            return answer.reply()


def _no_answer(request: Request, error: requests.RequestException) -> NoAnswerError:
    unsent = isinstance(error, _BEFORE_SENDING) or isinstance(_cause(error), NewConnectionError)
    kind = NotSentError if unsent else AnswerLostError
    return kind(request.operation, urlsplit(request.url).netloc, reason(error, _cause(error)))


def _cause(error: requests.RequestException) -> object:
    inner = error.args[0] if error.args else None
    return inner.reason if isinstance(inner, MaxRetryError) else inner
