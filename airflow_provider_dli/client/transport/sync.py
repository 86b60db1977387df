"""Drive a conversation with requests."""

from __future__ import annotations

from typing import TypeVar
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError
from urllib3.util import SKIP_HEADER

from airflow_provider_dli.client.call import Reply, Request
from airflow_provider_dli.client.errors import AnswerLostError, NoAnswerError, NotSentError
from airflow_provider_dli.client.exchange import Exchange
from airflow_provider_dli.client.transport import CONNECT_TIMEOUT, READ_TIMEOUT

T = TypeVar("T")

# Raised before a byte of the request has left: no connection, no TLS, no such proxy, no such URL.
_BEFORE_SENDING = (
    requests.exceptions.ConnectTimeout,
    requests.exceptions.SSLError,
    requests.exceptions.ProxyError,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidHeader,
)

# What urllib3 would add of its own: the two drivers send the same bytes.
_NOT_OURS = {"Accept-Encoding": SKIP_HEADER}


class SyncTransport:
    """Runs conversations one after the other over kept-alive connections.

    :param session: a requests session to send through; by default one of its own
    :param connect_timeout: seconds until a connection stands
    :param read_timeout: seconds without a byte of the answer
    """

    def __init__(
        self,
        session: requests.Session | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
        read_timeout: float = READ_TIMEOUT,
    ) -> None:
        self.session = session or requests.Session()
        self._timeout = (connect_timeout, read_timeout)

    def run(self, operation: str, exchange: Exchange[T]) -> T:
        """Hold a conversation to its end.

        :param operation: what is asked, for messages
        :param exchange: the conversation
        :raises DliClientError: whatever the conversation raises
        """
        try:
            request = next(exchange)
            while True:
                try:
                    reply = self._send(request)
                except requests.RequestException as error:
                    request = exchange.throw(_no_answer(operation, request, error))
                else:
                    request = exchange.send(reply)
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
        settings = self.session.merge_environment_settings(request.url, {}, None, None, None)
        response = self.session.send(prepared, timeout=self._timeout, allow_redirects=False, **settings)
        received = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status_code, received, response.content)


def _no_answer(operation: str, request: Request, error: requests.RequestException) -> NoAnswerError:
    unsent = isinstance(error, _BEFORE_SENDING) or isinstance(_cause(error), NewConnectionError)
    kind = NotSentError if unsent else AnswerLostError
    return kind(operation, urlsplit(request.url).netloc, _reason(error))


def _cause(error: requests.RequestException) -> object:
    inner = error.args[0] if error.args else None
    return inner.reason if isinstance(inner, MaxRetryError) else inner


def _reason(error: requests.RequestException) -> str:
    return f"{type(error).__name__}: {_cause(error) or error}"
