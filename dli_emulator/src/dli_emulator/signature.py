"""``SDK-HMAC-SHA256`` as the receiving side sees it: one pure function for each step of the signing guide.

Both forms are known: ``Access=AK``, whose key is the secret as it is, and ``Credential=AK/date/region/service/
sdk_request``, whose key is derived from the secret and whose string to sign has a line more. What was signed is
read from the ``SignedHeaders`` list, since clients add headers after signing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from dli_emulator.wire import Request

ALGORITHM = "SDK-HMAC-SHA256"
DATE_HEADER = "X-Sdk-Date"
CONTENT_HEADER = "X-Sdk-Content-Sha256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
DATE_FORMAT = "%Y%m%dT%H%M%SZ"
_TERMINATOR = "sdk_request"
_SCOPE_PARTS = 5

_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} +(?P<form>Access|Credential)=(?P<who>[^,\s]+), *"
    r"SignedHeaders=(?P<headers>[^,\s]+), *Signature=(?P<signature>[0-9a-f]{64})"
)


class MalformedAuthorization(ValueError):  # noqa: N818 - named after what the header is
    """The header cannot be read; the message names the part of it."""


@dataclass(frozen=True, slots=True)
class Authorization:
    """The parts of an ``Authorization`` header.

    :param access_key: who claims to have signed
    :param signed_headers: names that were signed, in the order given
    :param signature: 64 hex digits
    :param scope: date, region, service and terminator of the ``Credential=`` form; None in the other
    """

    access_key: str
    signed_headers: tuple[str, ...]
    signature: str
    scope: tuple[str, ...] | None = None


def parse_authorization(authorization: str) -> Authorization:
    """Read an ``Authorization`` header.

    :param authorization: its value
    :raises MalformedAuthorization: if it is of neither form, or does not cover ``X-Sdk-Date``
    """
    match = _AUTHORIZATION.fullmatch(authorization.strip())
    if not match:
        raise MalformedAuthorization("the Authorization header is of no known form")
    names = tuple(match["headers"].lower().split(";"))
    if DATE_HEADER.lower() not in names:
        raise MalformedAuthorization("X-Sdk-Date is not among the signed headers")
    if match["form"] == "Access":
        return Authorization(match["who"], names, match["signature"])
    parts = match["who"].split("/")
    if len(parts) != _SCOPE_PARTS or parts[-1] != _TERMINATOR:
        raise MalformedAuthorization("the Credential is not AK/date/region/service/sdk_request")
    return Authorization(parts[0], names, match["signature"], tuple(parts[1:]))


def signing_time(request: Request) -> datetime:
    """Read ``X-Sdk-Date``.

    :param request: the request
    :raises MalformedAuthorization: if it is missing or no date
    """
    try:
        return datetime.strptime(request.header(DATE_HEADER) or "", DATE_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        raise MalformedAuthorization("X-Sdk-Date is missing or not of the form YYYYMMDDTHHMMSSZ") from None


def is_signed(request: Request, proof: Authorization, secret: str) -> bool:
    """Return whether the request is the one that was signed, with this secret.

    :param request: as it arrived
    :param proof: its ``Authorization``
    :param secret: of the access key that claims it
    """
    date = request.header(DATE_HEADER) or ""
    if not content_matches(request) or (proof.scope and proof.scope[0] != date[:8]):
        return False
    text = string_to_sign(date, proof.scope, canonical_request(request, proof.signed_headers))
    return hmac.compare_digest(_mac(signing_key(secret, proof.scope), text).hex(), proof.signature)


def canonical_request(request: Request, signed_headers: Sequence[str]) -> str:
    """Write the request in the one form that both sides hash.

    :param request: as it arrived
    :param signed_headers: lower-case names
    """
    lines = [f"{name}:{_header(request, name)}\n" for name in sorted(signed_headers)]
    return "\n".join(
        (
            request.method,
            canonical_path(request.path),
            canonical_query(request.query),
            "".join(lines),
            ";".join(signed_headers),
            content_hash(request),
        )
    )


def canonical_path(path: str) -> str:
    """Decode the path, encode each segment again, and end it with a slash.

    :param path: as it arrived
    """
    segments = unquote(path, errors="surrogateescape").split("/")
    encoded = "/".join(_encoded(segment) for segment in segments)
    return encoded if encoded.endswith("/") else f"{encoded}/"


def canonical_query(pairs: Sequence[tuple[str, str]]) -> str:
    """Sort by decoded key and value, then encode; an empty value keeps its ``=``.

    :param pairs: decoded
    """
    return "&".join(f"{_encoded(key)}={_encoded(value)}" for key, value in sorted(pairs))


def content_hash(request: Request) -> str:
    """Return the hash that was signed: the one in ``X-Sdk-Content-Sha256``, else that of the body.

    :param request: as it arrived
    """
    declared = request.header(CONTENT_HEADER)
    return declared if declared and request.body else hashlib.sha256(request.body).hexdigest()


def content_matches(request: Request) -> bool:
    """Return whether ``X-Sdk-Content-Sha256``, where given, is the body's hash or marks it as unsigned.

    :param request: as it arrived
    """
    declared = request.header(CONTENT_HEADER)
    return not declared or declared == UNSIGNED_PAYLOAD or declared == hashlib.sha256(request.body).hexdigest()


def string_to_sign(date: str, scope: Sequence[str] | None, canonical: str) -> str:
    """Put algorithm, date, scope (``Credential=`` form only) and the hash of the canonical request together.

    :param date: ``X-Sdk-Date``
    :param scope: see :class:`Authorization`
    :param canonical: see :func:`canonical_request`
    """
    hashed = hashlib.sha256(canonical.encode(errors="surrogateescape")).hexdigest()
    return "\n".join((ALGORITHM, date, *(["/".join(scope)] if scope else []), hashed))


def signing_key(secret: str, scope: Sequence[str] | None) -> bytes:
    """Return the key: the secret itself, or derived from it part by part of the scope.

    :param secret: secret access key
    :param scope: see :class:`Authorization`
    """
    if scope is None:
        return secret.encode()
    key = f"SDK{secret}".encode()
    for part in scope:
        key = _mac(key, part)
    return key


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _header(request: Request, name: str) -> str:
    return ",".join(value.strip() for key, value in request.headers if key.lower() == name)


def _encoded(text: str) -> str:
    return quote(text, safe="~", errors="surrogateescape")
