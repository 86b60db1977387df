"""What authenticates a request: access keys, which sign it. Each kind of credentials has the same three methods.

Authentication is a flow, because some credentials must be fetched first: it yields requests of its own (those of
:mod:`airflow_provider_dli.client.iam`) and returns the authenticated request. Access keys fetch nothing.

``SDK-HMAC-SHA256`` is Huawei Cloud's request signature, one pure function for each step of its manual, the *API
Request Signing Guide* (``devg-apisign``); each golden case in ``tests/golden/signing`` names the first step that
differs.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Generic, Protocol, TypeVar
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from airflow_provider_dli.client.call import Clock, Flow, Pause, Request

T = TypeVar("T")

Pairs = Iterable[tuple[str, str]]

_ALGORITHM = "SDK-HMAC-SHA256"
_DATE_HEADER = "X-Sdk-Date"
_CONTENT_HASH_HEADER = "x-sdk-content-sha256"
_RENEW_BEFORE = timedelta(minutes=5)
_RENEW_FRACTION = 0.2
#: seconds between two attempts at a lock that another flow holds
_LOCK_INTERVAL = 0.01
#: most bytes of a file with credentials: a token and two keys of 32 KiB each, and more
_MAX_BYTES = 131072


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
        """Drop the credentials that were refused; return whether others can be fetched for the same request."""
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
        return sign(request, self, sdk_date(clock()))

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
    headers = [*request.headers, (_DATE_HEADER, date)]
    if key.security_token:
        headers.append(("X-Security-Token", key.security_token))
    url = urlsplit(request.url)
    query = parse_qsl(url.query, keep_blank_values=True)
    canonical = canonical_request(request.method, url.path, query, headers, request.body)
    signed_with = signature(key.secret_key, string_to_sign(date, canonical))
    authorized = authorization(key.access_key, signed_headers(headers), signed_with)
    secrets = (*request.secrets, signed_with, *([key.security_token] if key.security_token else []))
    signed = (*headers, ("Authorization", authorized))
    return replace(request, headers=signed, secrets=secrets, logins=(key.access_key,))


def sdk_date(moment: datetime) -> str:
    """Write ``moment`` as the signature does: UTC, ``YYYYMMDDTHHMMSSZ``."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def canonical_request(method: str, path: str, query: Pairs, headers: Pairs, body: bytes) -> str:
    """Join the six parts; the header block ends in a newline of its own, hence the empty line after it."""
    headers = list(headers)
    return "\n".join(
        (
            method,
            canonical_uri(path),
            canonical_query(query),
            canonical_headers(headers),
            signed_headers(headers),
            body_hash(headers, body),
        )
    )


def canonical_uri(path: str) -> str:
    """Decode the path, encode each segment again, and end it with a slash (the wire's path has none)."""
    encoded = "/".join(encode(segment) for segment in unquote(path).split("/"))
    return encoded if encoded.endswith("/") else f"{encoded}/"


def canonical_query(pairs: Pairs) -> str:
    """Sort by raw name and value, encode both, keep an empty value's ``=``. The wire carries the same."""
    return "&".join(f"{encode(name)}={encode(value)}" for name, value in sorted(pairs))


def canonical_headers(headers: Pairs) -> str:
    """One ``name:value`` line for each signed header."""
    return "".join(f"{name}:{value}\n" for name, value in _signable(headers))


def signed_headers(headers: Pairs) -> str:
    """Names of the signed headers, joined with semicolons."""
    return ";".join(name for name, _ in _signable(headers))


def _signable(headers: Pairs) -> list[tuple[str, str]]:
    """Choose and sort the headers that are signed: lower-case names without ``_``, outer spaces trimmed."""
    return sorted((name.lower(), value.strip()) for name, value in headers if "_" not in name)


def body_hash(headers: Pairs, body: bytes) -> str:
    """Lower-case hex SHA-256 of the body, or the value of ``X-Sdk-Content-Sha256`` for a non-empty one."""
    stated = {name.lower(): value for name, value in headers}.get(_CONTENT_HASH_HEADER)
    return stated if body and stated else hashlib.sha256(body).hexdigest()


def string_to_sign(date: str, canonical: str) -> str:
    """Name algorithm and date before the hash of the canonical request."""
    return f"{_ALGORITHM}\n{date}\n{hashlib.sha256(canonical.encode()).hexdigest()}"


def signature(secret_key: str, text: str) -> str:
    """Hex HMAC-SHA256 with the secret key as it is: this scheme derives no key."""
    return hmac.new(secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()


def authorization(access_key: str, signed: str, signed_with: str) -> str:
    """Write the ``Authorization`` header; there is no comma after the algorithm."""
    return f"{_ALGORITHM} Access={access_key}, SignedHeaders={signed}, Signature={signed_with}"


def encode(text: str) -> str:
    """Percent-encode everything but RFC 3986's unreserved characters, as UTF-8 with upper-case hex."""
    return quote(text, safe="~")


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
            yield Pause(_LOCK_INTERVAL)
        try:
            if (held := self._fresh(clock)) is None:
                fetched = yield from self._fetch(clock)
                held = (fetched.value, _renew_at(fetched.expires_at, clock()))
                self._held = held
        finally:
            self._lock.release()
        return held[0]

    def invalidate(self, refused: Callable[[T], bool]) -> None:
        """Drop the value, so that the next flow fetches another."""
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


def read_small_file(path: str | Path) -> tuple[str, str]:
    """Return the text of a small file with credentials, and what is wrong with it; one of the two is empty.

    It may be a pipe, which is not waited for, or of any size. Nothing of it is shown.
    """
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return "", "is not a regular file"
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            return "", f"has more than {_MAX_BYTES:,} bytes"
        return content.decode(), ""
    except (OSError, ValueError) as error:
        return "", f"cannot be read ({type(error).__name__})"


def _open_at_once(path: str, flags: int) -> int:
    """Open a file without waiting: the writer of a pipe may never come, and all triggers would wait with it."""
    return os.open(path, flags | os.O_NONBLOCK)
