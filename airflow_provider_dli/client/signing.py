"""``SDK-HMAC-SHA256``: Huawei Cloud's request signature, one pure function for each step of its manual.

No clock and no I/O. Follows the *API Request Signing Guide* (``devg-apisign``); each golden case in
``tests/golden/signing`` names the first step that differs.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import quote, unquote

Pairs = Iterable[tuple[str, str]]

ALGORITHM = "SDK-HMAC-SHA256"
DATE_HEADER = "X-Sdk-Date"
CONTENT_HASH_HEADER = "x-sdk-content-sha256"


def sdk_date(moment: datetime) -> str:
    """Write ``moment`` as the signature does: UTC, ``YYYYMMDDTHHMMSSZ``."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def encode(text: str) -> str:
    """Percent-encode everything but RFC 3986's unreserved characters, as UTF-8 with upper-case hex."""
    return quote(text, safe="~")


def canonical_uri(path: str) -> str:
    """Decode the path, encode each segment again, and end it with a slash (the wire's path has none)."""
    encoded = "/".join(encode(segment) for segment in unquote(path).split("/"))
    return encoded if encoded.endswith("/") else f"{encoded}/"


def canonical_query(pairs: Pairs) -> str:
    """Sort by raw name and value, encode both, keep an empty value's ``=``. The wire carries the same."""
    return "&".join(f"{encode(name)}={encode(value)}" for name, value in sorted(pairs))


def signable(headers: Pairs) -> list[tuple[str, str]]:
    """Choose and sort the headers that are signed: lower-case names without ``_``, outer spaces trimmed."""
    return sorted((name.lower(), value.strip()) for name, value in headers if "_" not in name)


def canonical_headers(headers: Pairs) -> str:
    """One ``name:value`` line for each signed header."""
    return "".join(f"{name}:{value}\n" for name, value in signable(headers))


def signed_headers(headers: Pairs) -> str:
    """Names of the signed headers, joined with semicolons."""
    return ";".join(name for name, _ in signable(headers))


def body_hash(headers: Pairs, body: bytes) -> str:
    """Lower-case hex SHA-256 of the body, or the value of ``X-Sdk-Content-Sha256`` for a non-empty one."""
    stated = {name.lower(): value for name, value in headers}.get(CONTENT_HASH_HEADER)
    return stated if body and stated else hashlib.sha256(body).hexdigest()


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


def string_to_sign(date: str, canonical: str) -> str:
    """Name algorithm and date before the hash of the canonical request."""
    return f"{ALGORITHM}\n{date}\n{hashlib.sha256(canonical.encode()).hexdigest()}"


def signature(secret_key: str, text: str) -> str:
    """Hex HMAC-SHA256 with the secret key as it is: this scheme derives no key."""
    return hmac.new(secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()


def authorization(access_key: str, signed: str, signed_with: str) -> str:
    """Write the ``Authorization`` header; there is no comma after the algorithm."""
    return f"{ALGORITHM} Access={access_key}, SignedHeaders={signed}, Signature={signed_with}"
