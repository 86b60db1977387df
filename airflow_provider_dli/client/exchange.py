"""One conversation with the service, written once: build, prove, judge, perhaps ask again.

A generator without clock, sleep or sockets (see :mod:`airflow_provider_dli.client.call`). Both drivers in
:mod:`airflow_provider_dli.client.transport` run this one generator, so they cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from airflow_provider_dli.client import replies, signing
from airflow_provider_dli.client.account import Account
from airflow_provider_dli.client.building import encodable, json_request
from airflow_provider_dli.client.call import (
    Call,
    Clock,
    Conversation,
    QueryValue,
    Reply,
    Request,
    Scalar,
    ask,
    wait,
)
from airflow_provider_dli.client.errors import AuthenticationError, DliClientError
from airflow_provider_dli.client.retry import Retries, RetryPolicy
from airflow_provider_dli.escaping import safe_logger

T = TypeVar("T")

_log = safe_logger(__name__)

# "App authentication", which is also what a signature with another time gets.
_CLOCK_CODE = "APIGW.0303"


def utc_now() -> datetime:
    """Tell the time, aware: the clock where no other is given."""
    return datetime.now(UTC)


def converse(
    call: Call[T], account: Account, clock: Clock = utc_now, policy: RetryPolicy | None = None
) -> Conversation[T]:
    """Hold the conversation that one call is.

    What surely did not happen is asked again; what perhaps happened only if the call is repeatable; a refused
    proof once, if other proof can be had. Every attempt is proven anew.

    :param call: what to ask
    :param account: whom to ask, and as whom
    :param clock: tells the time of proof, and how long it has taken
    :param policy: how patient to be; by default as the account says
    :returns: through ``StopIteration``, the parsed result
    :raises DliClientError: whatever goes wrong in the end
    """
    retries = Retries(policy or account.retry, clock())
    renewed = False
    while True:
        sent, reply = None, None
        try:
            sent = yield from _proven(call, account, clock)
            reply = yield from ask(sent)
            account.dli_clock.observe(reply)
            return judge(call, reply)
        except DliClientError as error:
            _tell_clocks(error, reply, clock())
            if (
                sent
                and not renewed
                and isinstance(error, AuthenticationError)
                and account.credentials.forget(sent)
            ):
                renewed = True
                _log.info("%s The proof of identity is renewed once.", error)
                continue
            harmless = call.repeatable or sent is None
            pause = retries.pause_after(error, harmless=harmless, now=clock())
            if pause is None:
                raise
            _log.warning("%s Asking again in %.1f s (attempt %d).", error, pause, retries.attempts + 1)
        yield from wait(pause)


def _tell_clocks(error: DliClientError, reply: Reply | None, now: datetime) -> None:
    """Where a signature is refused for its time, say what both clocks show."""
    if not isinstance(error, AuthenticationError) or error.code != _CLOCK_CODE or reply is None:
        return
    theirs = replies.moment(reply.headers.get("date", ""))
    if theirs is None:
        return
    apart, now = (now - theirs).total_seconds(), now.astimezone(UTC)
    error.advice += (
        f" This machine's clock says {now:%Y-%m-%d %H:%M:%S} UTC, the service's {theirs:%Y-%m-%d %H:%M:%S} UTC: "
        f"{abs(apart):.0f} s {'ahead' if apart > 0 else 'behind'}."
    )


def _proven(call: Call[Any], account: Account, clock: Clock) -> Conversation[Request]:
    project_id = yield from account.project.id(clock)
    request = build(call, account.endpoint, project_id)
    return (yield from account.credentials.prove(request, clock))


def build(call: Call[Any], endpoint: str, project_id: str) -> Request:
    """Address a call: everything but its proof. The query is sent exactly as it is signed.

    :param call: what to ask
    :param endpoint: base URL of DLI
    :param project_id: the project to ask about
    :raises ConfigurationError: naming the parameter or field that no UTF-8 can write
    """
    values = {"project_id": project_id, **call.path_params}
    path = call.path.format_map({name: signing.encode(_text(name, value)) for name, value in values.items()})
    query = signing.canonical_query(_pairs(call.query))
    url = f"{endpoint}{path}{'?' if query else ''}{query}"
    return json_request(call.operation, call.method, url, call.body, [("X-Project-Id", project_id)])


def judge(call: Call[T], reply: Reply) -> T:
    """Turn a reply into the call's result.

    :param call: what was asked
    :param reply: what came back
    :raises ServiceError: if the reply is no success, or not of the form that the manual promises
    """
    try:
        return call.parse(replies.decode(call.operation, reply))
    except replies.UNREADABLE as error:
        raise replies.unexpected(call.operation, reply, f"the reply cannot be read: {error}") from error


def _pairs(query: Mapping[str, QueryValue]) -> Iterator[tuple[str, str]]:
    for name, value in query.items():
        for element in value if isinstance(value, list) else [value]:
            yield name, _text(name, element)


def _text(name: str, value: Scalar) -> str:
    return encodable(name, str(value).lower() if isinstance(value, bool) else str(value))
