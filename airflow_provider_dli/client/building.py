"""Build requests: headers in their order, the body serialised once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_dli import __version__
from airflow_provider_dli.client.call import Request
from airflow_provider_dli.client.errors import ConfigurationError

CONTENT_TYPE = "application/json"
USER_AGENT = f"airflow-provider-dli/{__version__}"


def json_request(
    operation: str,
    method: str,
    url: str,
    body: Mapping[str, Any] | None,
    headers: Iterable[tuple[str, str]] = (),
) -> Request:
    """Build a request with a JSON body, or with none.

    :param operation: what is asked, for messages
    :param method: HTTP method
    :param url: absolute URL, percent-encoded
    :param body: what to serialise: compactly, as UTF-8; what is hashed is what is sent
    :param headers: further headers
    :raises ConfigurationError: naming the field of the body that no UTF-8 can write
    """
    raw = b"" if body is None else _serialised(body)
    return plain_request(operation, method, url, [("Content-Type", CONTENT_TYPE), *headers], raw)


def encodable(field: str, text: str) -> str:
    """Return ``text`` if UTF-8 can write it.

    :param field: where it stands, for the message
    :param text: what is to be sent
    :raises ConfigurationError: if it has half a character, as a text cut in two has
    """
    if not _writable(text):
        raise ConfigurationError(field, "is not valid Unicode", "give a text that is")
    return text


def _writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _serialised(body: Mapping[str, Any]) -> bytes:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    if not _writable(text):
        for field, each in _texts("the body", body):
            encodable(field, each)
    return text.encode()


def _texts(field: str, value: object) -> Iterator[tuple[str, str]]:
    """Give each text of a body, and each name, with the field that it stands in."""
    if isinstance(value, str):
        yield field, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield f"a name in {field}", str(name)
            yield from _texts(str(name), inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from _texts(field, inner)


def plain_request(
    operation: str,
    method: str,
    url: str,
    headers: Iterable[tuple[str, str]],
    body: bytes = b"",
    *,
    direct: bool = False,
) -> Request:
    """Build a request of bytes.

    :param operation: what is asked, for messages
    :param method: HTTP method
    :param url: absolute URL, percent-encoded
    :param headers: headers but for ``Host`` and ``User-Agent``
    :param body: the bytes to send
    :param direct: True where no proxy may come between
    """
    ours = (("Host", urlsplit(url).netloc), *headers, ("User-Agent", USER_AGENT))
    return Request(method, url, ours, body, operation, direct=direct)
