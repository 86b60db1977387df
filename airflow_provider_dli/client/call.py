"""A call, the request that it becomes, and the reply to it, as plain frozen values; and how requests are built.

A flow is a generator of steps: it yields a :class:`Request` and is sent the :class:`Reply`, or yields a
:class:`Pause` and is sent None once the time has passed. If no reply comes, the driver throws a
:class:`~airflow_provider_dli.client.errors.NoResponseError` into it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from airflow_provider_dli import __version__
from airflow_provider_dli.client.errors import ConfigurationError

T = TypeVar("T")

CONTENT_TYPE = "application/json"
USER_AGENT = f"airflow-provider-dli/{__version__}"
_REDACTED = "***"
_OK = range(200, 300)
#: characters of a login that may be a secret; a shorter one may be part of any word
_LIKE_SECRET = 8

Scalar = str | int | bool

#: returns the current time, aware; passed in, so that a test can set it
Clock = Callable[[], datetime]
QueryValue = Scalar | list[str] | list[int]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One operation of the service, with its arguments, before it is addressed or signed.

    :param operation: name in the manual and the official SDKs, for messages: ``ExportFlinkJobs``
    :param method: HTTP method
    :param path: path as the manual writes it, ``{project_id}`` and all
    :param parse: turns the decoded JSON body of a success into the result
    :param path_params: values for the names in ``path`` other than ``project_id``
    :param query: query parameters; a list gives one pair per element
    :param body: JSON body, or None for a request without one
    :param repeatable: True where sending it twice has the effect of sending it once
    """

    operation: str
    method: str
    path: str
    parse: Callable[[Mapping[str, Any]], T]
    path_params: Mapping[str, Scalar] = field(default_factory=dict)
    query: Mapping[str, QueryValue] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request, byte for byte as a driver sends it; drivers add ``Content-Length`` and nothing else.

    :param method: HTTP method
    :param url: absolute URL, already percent-encoded
    :param headers: name and value of each header, ``Host`` first
    :param body: the bytes that were hashed for the signature
    :param operation: what is requested, for messages
    :param secrets: strings in it that no message may show, should a reply repeat them
    :param logins: its identity, which may be a secret in the wrong field; a refusal may repeat it
    :param direct: True where no proxy may come between: the host is one that only this machine reaches
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    # A body or a header may carry a secret (a password, a token): never in a repr, and so in no traceback.
    body: bytes = field(default=b"", repr=False)
    operation: str = "the request"
    secrets: tuple[str, ...] = field(default=(), repr=False)
    logins: tuple[str, ...] = field(default=(), repr=False)
    direct: bool = False

    def __repr__(self) -> str:
        """Name operation, method and URL; header values are omitted."""
        return f"Request({self.operation}: {self.method} {self.url})"

    def redacted(self, reply: Reply) -> Reply:
        """Return the response without what no message may show.

        Logins only in an error: a job may have an access key of its own in its SQL, which stays.
        """
        logins = self.logins if reply.status not in _OK else ()
        return reply.redact((*self.secrets, *(login for login in logins if len(login) >= _LIKE_SECRET)))


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP reply as a driver received it.

    :param status: HTTP status code
    :param headers: header fields, names in lower case
    :param body: raw bytes of the body
    :param sent: epoch seconds, by this machine, when the request was sent; None if it is not known
    :param received: epoch seconds, by this machine, when the headers were there
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    sent: float | None = field(default=None, repr=False, compare=False)
    received: float | None = field(default=None, repr=False, compare=False)

    def redact(self, secrets: Iterable[str]) -> Reply:
        """Return the reply without some strings, as they are and as JSON writes them."""
        body, headers = self.body, self.headers
        for secret in secrets:
            for form in {secret, json.dumps(secret)[1:-1]}:
                body = body.replace(form.encode(), _REDACTED.encode())
            if any(secret in value for value in headers.values()):
                headers = {name: value.replace(secret, _REDACTED) for name, value in headers.items()}
        return self if body is self.body and headers is self.headers else replace(self, headers=headers, body=body)


@dataclass(frozen=True, slots=True)
class Pause:
    """Time that passes before the flow goes on."""

    seconds: float


Flow = Generator[Request | Pause, Reply | None, T]


def send(request: Request) -> Flow[Reply]:
    """Send one request; return its reply, redacted: it may repeat secrets of the request."""
    reply = yield request
    if reply is None:
        raise TypeError("a driver must send the reply to a request")
    return request.redacted(reply)


def json_request(
    operation: str,
    method: str,
    url: str,
    body: Mapping[str, Any] | None,
    headers: Iterable[tuple[str, str]] = (),
) -> Request:
    """Build a request with a JSON body, or with none.

    :param operation: what is requested, for messages
    :param method: HTTP method
    :param url: absolute URL, percent-encoded
    :param body: what to serialise: compactly, as UTF-8; what is hashed is what is sent
    :param headers: further headers
    :raises ConfigurationError: naming the field of the body that no UTF-8 can write
    """
    raw = b"" if body is None else _serialised(body)
    return plain_request(operation, method, url, [("Content-Type", CONTENT_TYPE), *headers], raw)


def plain_request(
    operation: str,
    method: str,
    url: str,
    headers: Iterable[tuple[str, str]],
    body: bytes = b"",
    *,
    direct: bool = False,
) -> Request:
    """Return a request of bytes, with ``Host`` and ``User-Agent``; ``direct`` where no proxy may come between."""
    ours = (("Host", urlsplit(url).netloc), *headers, ("User-Agent", USER_AGENT))
    return Request(method, url, ours, body, operation, direct=direct)


def _serialised(body: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        for field, each in _texts("the body", body):
            encodable(field, each)
        raise


def _texts(field: str, value: object) -> Iterator[tuple[str, str]]:
    """Yield each string of a body, and each name, with its field."""
    if isinstance(value, str):
        yield field, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield f"a name in {field}", str(name)
            yield from _texts(str(name), inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from _texts(field, inner)


def encodable(field: str, text: str) -> str:
    """Return ``text`` if UTF-8 can write it.

    :raises ConfigurationError: if it has half a character, as a string cut in two has
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(field, "is not valid Unicode", "give a string that is") from None
    return text
