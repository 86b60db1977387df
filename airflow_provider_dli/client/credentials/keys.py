"""Access keys: permanent, or temporary with a security token."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, urlsplit

from airflow_provider_dli.client import signing
from airflow_provider_dli.client.call import Clock, Conversation, Request


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
    def who(self) -> str:
        """Name the access key, which is no secret."""
        return f"{'temporary ' if self.security_token else ''}access key {self.access_key}"

    def prove(self, request: Request, clock: Clock) -> Conversation[Request]:
        """Sign the request with ``SDK-HMAC-SHA256``; the token, where there is one, is signed too."""
        yield from ()
        return sign(request, self, signing.sdk_date(clock()))

    def keys(self, clock: Clock) -> Conversation[AccessKey]:
        """Give itself."""
        del clock
        yield from ()
        return self

    def forget(self, refused: Request) -> bool:
        """Say that there is no other proof: repeating a refused key would lock it."""
        del refused
        return False


def sign(request: Request, key: AccessKey, date: str) -> Request:
    """Add date, security token and signature to a request.

    :param request: the request; all its headers are signed
    :param key: the key to sign with
    :param date: ``X-Sdk-Date``, see :func:`~airflow_provider_dli.client.signing.sdk_date`
    """
    headers = [*request.headers, (signing.DATE_HEADER, date)]
    if key.security_token:
        headers.append(("X-Security-Token", key.security_token))
    url = urlsplit(request.url)
    query = parse_qsl(url.query, keep_blank_values=True)
    canonical = signing.canonical_request(request.method, url.path, query, headers, request.body)
    signed_with = signing.signature(key.secret_key, signing.string_to_sign(date, canonical))
    proof = signing.authorization(key.access_key, signing.signed_headers(headers), signed_with)
    secrets = (*request.secrets, signed_with, *([key.security_token] if key.security_token else []))
    proven = (*headers, ("Authorization", proof))
    return replace(request, headers=proven, secrets=secrets, logins=(key.access_key,))
