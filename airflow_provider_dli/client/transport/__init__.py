"""The two drivers of a flow, the only modules that import an HTTP library.

:mod:`~airflow_provider_dli.client.transport.sync` drives it with requests,
:mod:`~airflow_provider_dli.client.transport.aio` with aiohttp. They send the same bytes: only what is in
:class:`~airflow_provider_dli.client.call.Request`, and ``Content-Length``. Two modules, so that a
task does not import the library of the other one. Proxies and certificates are the same for both, see
:mod:`~airflow_provider_dli.client.proxies`.
"""

from __future__ import annotations

import os
import re
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from airflow_provider_dli.client.call import Reply, Request
from airflow_provider_dli.client.endpoints import shown_path
from airflow_provider_dli.client.errors import ConfigurationError, NoResponseError, NotSentError, ResponseLostError
from airflow_provider_dli.client.replies import unexpected

#: bytes that are read or written at a time
PIECE = 64 * 1024
#: bytes of the longest response that is read; a page of 100 jobs with all their SQL stays far below
MAX_RESPONSE_BYTES = 64 * 1024 * 1024
# To the last at sign: a password may have one itself, or a slash.
_USER_INFO = re.compile(r"//\S*@")


class ReplyBuilder:
    """Collects a response piece by piece, up to :data:`MAX_RESPONSE_BYTES`."""

    def __init__(self, request: Request, status: int, headers: Mapping[str, str], sent: float) -> None:
        self._sent, self._received = sent, time.time()
        self._request = request
        self._status = status
        self._headers = {name.lower(): value for name, value in headers.items()}
        self._body = bytearray()

    def add(self, piece: bytes) -> None:
        """Add a piece of the body.

        :raises UnexpectedReplyError: if the body is too long
        """
        self._body += piece
        if len(self._body) > MAX_RESPONSE_BYTES:
            reply = Reply(self._status, self._headers, b"")
            problem = f"the response is longer than {MAX_RESPONSE_BYTES:,} bytes"
            raise unexpected(self._request.operation, reply, problem)

    def __len__(self) -> int:
        """Return the bytes of the body so far."""
        return len(self._body)

    def reply(self) -> Reply:
        """Return the whole reply."""
        return Reply(self._status, self._headers, bytes(self._body), self._sent, self._received)


def headers_of(request: Request) -> dict[str, str]:
    """Return the headers as a driver sends them.

    The libraries would refuse a value in words that show it, or write it each in another way.

    :raises ConfigurationError: naming the header, if its value is one that no header can carry
    """
    for name, value in request.headers:
        if not value.isascii() or not value.isprintable() or value != value.strip():
            raise ConfigurationError(
                f"header {name}", "has a value that no header can carry", "give it as issued, without line breaks"
            )
    return dict(request.headers)


def no_response(request: Request, error: Exception, cause: object = None, *, maybe_sent: bool) -> NoResponseError:
    """Return the error for a response that did not come.

    :param request: what was sent
    :param error: what the library raised
    :param cause: a more specific cause than the error, if there is one
    :param maybe_sent: whether anything of the request may have left this machine
    """
    kind = ResponseLostError if maybe_sent else NotSentError
    return kind(request.operation, urlsplit(request.url).netloc, reason(error, cause))


def reason(error: Exception, cause: object = None) -> str:
    """Return why no response came, without the user and password that a proxy's URL may carry."""
    return _USER_INFO.sub("//", f"{type(error).__name__}: {cause or error}".strip(": ").removesuffix("."))


def too_long(seconds: float) -> str:
    """Return why an exchange was aborted."""
    return f"the exchange took longer than {seconds:g} s (total_timeout of the connection)"


def trusted_certificates(verify: bool | str) -> bool | str:  # noqa: FBT001 -- as Network has it
    """Return what certificates are checked against: True for what the library knows, a path, False for nothing.

    :param verify: of the connection; True gives way to what the environment names
    """
    named = (os.environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")) if verify is True else ()
    return next((path for path in named if path), verify)


def ssl_context(path: str) -> ssl.SSLContext:
    """Read the certificates that are to be trusted, which takes a while.

    :raises ConfigurationError: if they cannot be read
    """
    try:
        if Path(path).is_dir():
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except OSError as error:
        raise ConfigurationError(
            "trusted certificates",
            f"{shown_path(path)} cannot be used ({error.strerror or type(error).__name__})",
            "correct ca_bundle of the connection, or REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE in the environment",
        ) from None
