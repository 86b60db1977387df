"""Credentials: what authenticates a request. Each kind has the same three methods.

Authentication is a flow, because some credentials must be fetched first (IAM issues tokens, the metadata service
keys): it yields requests of its own and returns the authenticated request. Access keys fetch nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar
from urllib.parse import parse_qsl, urlsplit

from airflow_provider_dli.client import signing
from airflow_provider_dli.client.call import Clock, Flow, Request, pause

T = TypeVar("T")

_RENEW_BEFORE = timedelta(minutes=5)
_RENEW_FRACTION = 0.2
#: seconds between two attempts at a lock that another flow holds
_LOCK_INTERVAL = 0.01


class Credentials(Protocol):
    """Anything that can authenticate a request."""

    @property
    def identity(self) -> str:
        """The identity, for messages; it contains no secret."""
        ...

    def authenticate(self, request: Request, clock: Clock) -> Flow[Request]:
        """Return ``request`` authenticated, after fetching what that takes."""
        ...

    def keys(self, clock: Clock) -> Flow[AccessKey]:
        """Return access keys for OBS, which takes nothing else."""
        ...

    def invalidate(self, refused: Request) -> bool:
        """Drop the credentials that were refused; return whether others can be fetched for the same request.

        :param refused: the request that they authenticated
        """
        ...


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A permanent access key, or a temporary one with its security token.

    :param access_key: access key id (AK)
    :param secret_key: secret access key (SK)
    :param security_token: token of a temporary access key; None for a permanent one
    """

    access_key: str
    secret_key: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)

    @property
    def identity(self) -> str:
        """The access key id, which is not secret."""
        return f"{'temporary ' if self.security_token else ''}access key {self.access_key}"

    def authenticate(self, request: Request, clock: Clock) -> Flow[Request]:
        """Sign the request with ``SDK-HMAC-SHA256``, the security token included."""
        yield from ()
        return sign(request, self, signing.sdk_date(clock()))

    def keys(self, clock: Clock) -> Flow[AccessKey]:
        """Return itself."""
        del clock
        yield from ()
        return self

    def invalidate(self, refused: Request) -> bool:
        """Return False: there are no others, and a refused key that is sent again gets locked."""
        del refused
        return False


def sign(request: Request, key: AccessKey, date: str) -> Request:
    """Add date, security token and signature to a request."""
    headers = [*request.headers, (signing.DATE_HEADER, date)]
    if key.security_token:
        headers.append(("X-Security-Token", key.security_token))
    url = urlsplit(request.url)
    query = parse_qsl(url.query, keep_blank_values=True)
    canonical = signing.canonical_request(request.method, url.path, query, headers, request.body)
    signature = signing.signature(key.secret_key, signing.string_to_sign(date, canonical))
    authorization = signing.authorization(key.access_key, signing.signed_headers(headers), signature)
    secrets = (*request.secrets, signature, *([key.security_token] if key.security_token else []))
    signed = (*headers, ("Authorization", authorization))
    return replace(request, headers=signed, secrets=secrets, logins=(key.access_key,))


class TemporaryKeys:
    """Access keys that are fetched, and fetched again before they expire."""

    def __init__(self, identity: str, fetch: Callable[[Clock], Flow[Expiring[AccessKey]]]) -> None:
        self.identity = identity
        self._cached = Cached(fetch)

    def authenticate(self, request: Request, clock: Clock) -> Flow[Request]:
        """Sign with the current keys."""
        key = yield from self._cached.get(clock)
        return (yield from key.authenticate(request, clock))

    def keys(self, clock: Clock) -> Flow[AccessKey]:
        """Return the current keys."""
        return (yield from self._cached.get(clock))

    def invalidate(self, refused: Request) -> bool:
        """Drop the refused keys, so that the next call fetches others.

        Return False, so that this request is not retried: a key that is refused repeatedly gets locked.
        """
        authorization = dict(refused.headers).get("Authorization", "")
        self._cached.invalidate(lambda key: key.access_key in authorization)
        return False


@dataclass(frozen=True, slots=True)
class Expiring(Generic[T]):
    """A value with its expiry.

    :param value: the value
    :param expires_at: when it expires; None for never
    """

    value: T
    expires_at: datetime | None


class Cached(Generic[T]):
    """A value that is fetched once for all threads and event loops, and again before it expires.

    One flow fetches, the others wait for it. The lock is never waited for in the operating system, which would
    stop an event loop: a flow that finds it taken pauses.
    """

    def __init__(self, fetch: Callable[[Clock], Flow[Expiring[T]]]) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._held: tuple[T, datetime | None] | None = None

    def get(self, clock: Clock) -> Flow[T]:
        """Return the value, fetched if there is none or it is about to expire."""
        if (held := self._fresh(clock)) is not None:
            return held[0]
        while not self._lock.acquire(blocking=False):
            yield from pause(_LOCK_INTERVAL)
        try:
            if (held := self._fresh(clock)) is None:
                fetched = yield from self._fetch(clock)
                held = (fetched.value, _renew_at(fetched.expires_at, clock()))
                self._held = held
        finally:
            self._lock.release()
        return held[0]

    def invalidate(self, refused: Callable[[T], bool]) -> None:
        """Drop the value, so that the next flow fetches another.

        :param refused: whether a value is the one that was refused; another may have been fetched since
        """
        held = self._held
        if held and refused(held[0]):
            self._held = None

    def _fresh(self, clock: Clock) -> tuple[T, datetime | None] | None:
        held = self._held
        return held if held and (held[1] is None or clock() < held[1]) else None


def _renew_at(expires_at: datetime | None, now: datetime) -> datetime | None:
    """Return when to renew: five minutes before the expiry, or a fifth of a short life before it."""
    if expires_at is None:
        return None
    return expires_at - min(_RENEW_BEFORE, (expires_at - now) * _RENEW_FRACTION)
