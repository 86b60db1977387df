"""The two drivers of a conversation, the only modules that import an HTTP library.

:mod:`~airflow_provider_dli.client.transport.sync` drives it with requests,
:mod:`~airflow_provider_dli.client.transport.aio` with aiohttp. They send the same bytes: only what
:class:`~airflow_provider_dli.client.call.Request` says, and ``Content-Length``. Two modules, so that a
task does not pay for the import of the other half's library. They reach a host by the same way, see
:mod:`~airflow_provider_dli.client.transport.ways`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from airflow_provider_dli.client.call import Reply, Request
from airflow_provider_dli.client.errors import AnswerLostError, ConfigurationError, NoAnswerError, NotSentError
from airflow_provider_dli.client.replies import unexpected

#: bytes of the longest answer that is read; a page of 100 jobs with all their SQL stays far below
LONGEST_ANSWER = 64 * 1024 * 1024
# To the last at sign: a password may have one itself, or a slash.
_USER_INFO = re.compile(r"//\S*@")


class Answer:
    """Collects an answer piece by piece, up to a bound.

    :param request: what was asked
    :param status: HTTP status of the answer
    :param headers: of the answer, names in any case
    :param sent: epoch seconds when the request was sent
    """

    def __init__(self, request: Request, status: int, headers: Mapping[str, str], sent: float) -> None:
        self._sent, self._received = sent, time.time()
        self._request = request
        self._status = status
        self._headers = {name.lower(): value for name, value in headers.items()}
        self._body = bytearray()

    def add(self, piece: bytes) -> None:
        """Take a piece of the body.

        :raises UnexpectedReplyError: if the answer gets longer than :data:`LONGEST_ANSWER`
        """
        self._body += piece
        if len(self._body) > LONGEST_ANSWER:
            reply = Reply(self._status, self._headers, b"")
            problem = f"the answer is longer than {LONGEST_ANSWER:,} bytes"
            raise unexpected(self._request.operation, reply, problem)

    def __len__(self) -> int:
        """Give the bytes of the body so far."""
        return len(self._body)

    def reply(self) -> Reply:
        """Give the whole."""
        return Reply(self._status, self._headers, bytes(self._body), self._sent, self._received)


def headers_of(request: Request) -> dict[str, str]:
    """Return the headers as a driver sends them.

    The libraries would refuse a value in words that show it, or write it each in another way.

    :param request: what is to be sent
    :raises ConfigurationError: naming the header, if its value is one that no header can carry
    """
    for name, value in request.headers:
        if not value.isascii() or not value.isprintable() or value != value.strip():
            raise ConfigurationError(
                f"header {name}", "cannot carry what is given for it", "give it as issued, without line breaks"
            )
    return dict(request.headers)


def no_answer(request: Request, error: Exception, cause: object = None, *, left: bool) -> NoAnswerError:
    """Make the error for an answer that did not come.

    :param request: what was asked
    :param error: what the library raised
    :param cause: what says more than the error, if anything does
    :param left: whether anything of the request may have left this machine
    """
    kind = AnswerLostError if left else NotSentError
    return kind(request.operation, urlsplit(request.url).netloc, reason(error, cause))


def reason(error: Exception, cause: object = None) -> str:
    """Say why no answer came, without the user and password that a proxy's URL may carry.

    :param error: what the library raised
    :param cause: what says more than the error, if anything does
    """
    return _USER_INFO.sub("//", f"{type(error).__name__}: {cause or error}".strip(": ").removesuffix("."))
