"""One conversation with the service, written once: build the request, prove it, judge the reply.

A generator without clock, sleep or sockets: it yields requests and is sent replies. If none comes, the
driver throws a :class:`~airflow_provider_dli.client.errors.NoAnswerError` into it. Both drivers in
:mod:`airflow_provider_dli.client.transport` run this one generator, so they cannot drift apart.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from airflow_provider_dli import __version__
from airflow_provider_dli.client import replies, signing
from airflow_provider_dli.client.account import Account
from airflow_provider_dli.client.call import Call, QueryValue, Reply, Request, Scalar

T = TypeVar("T")

Exchange = Generator[Request, Reply, T]
Clock = Callable[[], datetime]

CONTENT_TYPE = "application/json"
USER_AGENT = f"airflow-provider-dli/{__version__}"


def utc_now() -> datetime:
    """Tell the time, aware: the clock where no other is given."""
    return datetime.now(UTC)


def converse(call: Call[T], account: Account, clock: Clock = utc_now) -> Exchange[T]:
    """Hold the conversation that one call is.

    :param call: what to ask
    :param account: whom to ask, and as whom
    :param clock: tells the time of proof
    :returns: through ``StopIteration``, the parsed result
    :raises DliClientError: whatever goes wrong
    """
    request = build(call, account)
    proven = yield from account.credentials.prove(request, clock())
    reply = yield proven
    return judge(call, reply)


def build(call: Call[Any], account: Account) -> Request:
    """Address a call: everything but its proof. The query is sent exactly as it is signed."""
    values = {"project_id": account.project_id, **call.path_params}
    path = call.path.format_map({name: signing.encode(_text(value)) for name, value in values.items()})
    query = signing.canonical_query(_pairs(call.query))
    headers = (
        ("Host", urlsplit(account.endpoint).netloc),
        ("Content-Type", CONTENT_TYPE),
        ("User-Agent", USER_AGENT),
        ("X-Project-Id", account.project_id),
    )
    url = f"{account.endpoint}{path}{'?' if query else ''}{query}"
    return Request(call.method, url, headers, encode_body(call.body))


def encode_body(body: Mapping[str, Any] | None) -> bytes:
    """Serialise once, compactly, as UTF-8: what is hashed is what is sent."""
    if body is None:
        return b""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def judge(call: Call[T], reply: Reply) -> T:
    """Turn a reply into the call's result.

    :raises ServiceError: if the reply is no success, or not of the form that the manual promises
    """
    body = replies.decode(call.operation, reply)
    try:
        return call.parse(body)
    except (KeyError, TypeError, ValueError) as error:
        raise replies.unexpected(call.operation, reply, f"the reply cannot be read: {error}") from error


def _pairs(query: Mapping[str, QueryValue]) -> Iterator[tuple[str, str]]:
    for name, value in query.items():
        for element in value if isinstance(value, list) else [value]:
            yield name, _text(element)


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
