"""Build requests: headers in their order, the body serialised once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_dli import __version__
from airflow_provider_dli.client.call import Request

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
    """
    raw = b"" if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return plain_request(operation, method, url, [("Content-Type", CONTENT_TYPE), *headers], raw)


def plain_request(
    operation: str, method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes = b""
) -> Request:
    """Build a request of bytes.

    :param operation: what is asked, for messages
    :param method: HTTP method
    :param url: absolute URL, percent-encoded
    :param headers: headers but for ``Host`` and ``User-Agent``
    :param body: the bytes to send
    """
    ours = (("Host", urlsplit(url).netloc), *headers, ("User-Agent", USER_AGENT))
    return Request(method, url, ours, body, operation)
