"""An S3 proxy that accepts temporary keys, which the object stores do not know.

OBS accepts a temporary access key with its security token; the local stores know only keys of their own. A request
to this port that is signed for S3 (``AWS4-HMAC-SHA256``) is verified here: key, token, expiry, signature. It is
then signed again with the store's own key and forwarded, and the response is returned unchanged, unless settings
make requests and responses more like those of OBS.
"""

from __future__ import annotations

import asyncio
import hmac
import io
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import md5
from typing import Any
from xml.sax.saxutils import escape

from aiohttp import ClientResponse, ClientSession, DummyCookieJar, web
from yarl import URL

from dli_emulator.access import may
from dli_emulator.bucket import SIGNING_REGION
from dli_emulator.etags import CONDITIONS, ETags, exchanged, exchanged_in
from dli_emulator.faults import S3_FAULTS, Fault
from dli_emulator.keys import AccessKey, User
from dli_emulator.s3_operations import S3Operation, operation_of
from dli_emulator.state import State
from dli_emulator.wire import drop_connection

ALGORITHM = "AWS4-HMAC-SHA256"
_PIECE = 64 * 1024
_PROOF = re.compile(
    rf"{ALGORITHM} +Credential=(?P<key>[^/,\s]+)/(?P<day>\d{{8}})/(?P<region>[^/,\s]+)/s3/aws4_request, *"
    r"SignedHeaders=(?P<headers>[^,\s]+), *Signature=(?P<signature>[0-9a-f]{64})"
)
# What belongs to this connection, or to the signature that is made again.
_NOT_FORWARDED = {
    "authorization",
    "connection",
    "content-length",
    "expect",
    "host",
    "transfer-encoding",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
}
_NOT_RETURNED = {"connection", "date", "keep-alive", "server", "transfer-encoding"}


@dataclass
class S3Refusal(Exception):  # noqa: N818 - a response, not an error of the emulator
    """The S3 interface refuses a request.

    :param code: S3's error code
    :param message: its message
    :param status: HTTP status
    """

    code: str
    message: str
    status: int = 403


class S3AuthProxy:
    """Lets requests through to the store.

    :param state: knows the keys
    :param endpoint: base URL of the store
    """

    def __init__(self, state: State, endpoint: str) -> None:
        self._state = state
        self._endpoint = endpoint

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Hold connections to the store open."""
        async with ClientSession(
            auto_decompress=False, cookie_jar=DummyCookieJar(), skip_auto_headers=("User-Agent", "Content-Type")
        ) as self._session:
            yield

    @staticmethod
    def is_for(incoming: web.Request) -> bool:
        """Return whether a request is for the store."""
        return incoming.headers.get("Authorization", "").startswith(ALGORITHM)

    async def handle(self, incoming: web.Request) -> web.StreamResponse:
        """Answer one request."""
        operation = operation_of(incoming.method, incoming.path, set(incoming.query))
        try:
            self._check(operation, self._authenticate(incoming))
            if self._state.settings.strict_obs:
                refuse_what_obs_refuses(operation, incoming.headers, await incoming.read())
        except S3Refusal as refused:
            return _error(refused.status, refused.code, refused.message)
        # A fault for each operation that the store cannot meet waits for a request to DLI.
        return await self._answer(incoming, operation, self._state.faults.take(operation.name, S3_FAULTS))

    def _etags(self) -> ETags:
        return ETags(self._state.settings.object_etags, self._state.encrypted)

    def _check(self, operation: S3Operation, user: User) -> None:
        if not may(user, operation.action, operation.resource):
            raise S3Refusal("AccessDenied", "Access Denied")

    async def _answer(
        self, incoming: web.Request, operation: S3Operation, fault: Fault | None
    ) -> web.StreamResponse:
        kind = fault.kind if fault else None
        if fault and kind == "slow":
            await asyncio.sleep(fault["before"] + fault["after"])
        if fault and kind in ("error", "html"):
            return _scripted(fault)
        if kind in ("cut_before", "reset_before"):
            return drop_connection(incoming, hard=kind == "reset_before")
        return await self._forward(incoming, operation, kind)

    def _authenticate(self, incoming: web.Request) -> User:
        proof = _PROOF.fullmatch(incoming.headers["Authorization"])
        key = self._state.keys.access_keys.get(proof["key"]) if proof else None
        if proof is None or key is None or incoming.headers.get("X-Amz-Security-Token") != key.security_token:
            raise S3Refusal("InvalidAccessKeyId", "The key is not known, or the security token is not its own.")
        if self._state.keys.is_expired(key):
            raise S3Refusal("ExpiredToken", "The provided token has expired.")
        names = proof["headers"].split(";")
        signed = {name: ",".join(incoming.headers.getall(name, ())) for name in names}
        expected = _signature(incoming, key, proof["region"], signed)
        if not hmac.compare_digest(expected, proof["signature"]):
            raise S3Refusal("SignatureDoesNotMatch", "The signature is not the one of this request and key.")
        return self._state.user_of(key.user)

    async def _forward(
        self, incoming: web.Request, operation: S3Operation, fault: str | None
    ) -> web.StreamResponse:
        url = URL(f"{self._endpoint}{incoming.raw_path}", encoded=True)
        rewriting = Rewriting(operation, self._etags(), is_strict=self._state.settings.strict_obs)
        body = rewriting.body_in(await incoming.read())
        dropped = _NOT_FORWARDED | ({"range"} if fault == "range_ignored" else set())
        kept = rewriting.headers_in({n: v for n, v in incoming.headers.items() if n.lower() not in dropped})
        headers = self._signed(incoming.method, str(url), kept, body)
        async with self._session.request(
            incoming.method, url, headers=headers, data=io.BytesIO(body) if body else None, allow_redirects=False
        ) as reply:
            response = web.StreamResponse(status=reply.status, reason=reply.reason)
            passed = [(name, value) for name, value in reply.headers.items() if name.lower() not in _NOT_RETURNED]
            for name, value in rewriting.headers_out(passed, reply.status):
                response.headers.add(name, value)
            if rewriting.changes_body(reply.content_type) and fault is None:
                page = rewriting.body_out(await reply.read())
                response.content_length = len(page)
                await response.prepare(incoming)
                await response.write(page)
                return response
            await response.prepare(incoming)
            return await _passed_on(incoming, response, reply, fault)

    def _signed(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        identity = self._state.identity
        request = _aws_request(method, url, headers, body)
        _signer(identity.access_key, identity.secret_key, SIGNING_REGION).add_auth(request)
        return dict(request.headers.items())


def refuse_what_obs_refuses(operation: S3Operation, headers: Mapping[str, str], body: bytes) -> None:
    """Refuse what the local stores take and OBS does not.

    The missing ``Content-MD5`` and the trailers were seen; INVENTED: the words for trailers and a wrong MD5,
    and that a lifecycle is refused in the words for a deletion.

    :param operation: what the request is for
    :param headers: those of the request
    :param body: as it was sent
    :raises S3Refusal: with the code of OBS
    """
    if "X-Amz-Trailer" in headers or headers.get("X-Amz-Content-Sha256", "").endswith("-TRAILER"):
        words = "The provided 'x-amz-content-sha256' header does not match what was computed."
        raise S3Refusal("XAmzContentSHA256Mismatch", words, 400)
    given = headers.get("Content-MD5")
    if given is None and operation.needs_md5:
        raise S3Refusal("InvalidRequest", "Missing required header for this request: Content-MD5", 400)
    if given is not None and given != b64encode(md5(body, usedforsecurity=False).digest()).decode():
        raise S3Refusal("BadDigest", "The Content-MD5 you specified did not match what we received.", 400)


@dataclass(frozen=True)
class Rewriting:
    """What is different in a request to the store and in its response, so that it is as one of OBS.

    :param operation: what the request is for
    :param etags: which objects have ETags that are not the MD5 of their content
    :param is_strict: whether checksums that OBS does not know are ignored, and a range without a start, as there
    """

    operation: S3Operation
    etags: ETags
    is_strict: bool

    @property
    def _place(self) -> str:
        kind, _, place = self.operation.resource.removeprefix("obs:").partition(":")
        return place if kind == "object" else ""

    @property
    def _is_other(self) -> bool:
        return bool(self._place) and self.etags.are_other(self._place)

    def headers_in(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return the headers for the store."""
        kept = dict(headers)
        if self.is_strict:
            kept = {name: value for name, value in kept.items() if not _is_unknown_to_obs(name, value)}
        if self._is_other:
            kept = {n: exchanged(v) if n.lower() in CONDITIONS else v for n, v in kept.items()}
        return kept

    def body_in(self, body: bytes) -> bytes:
        """Return the body for the store; that which completes an upload names the ETags of its parts."""
        if self._is_other and body.lstrip().startswith((b"<Complete", b"<?xml")) and b"<Part>" in body:
            return exchanged_in(body.decode()).encode()
        return body

    def headers_out(self, headers: list[tuple[str, str]], status: int) -> list[tuple[str, str]]:
        """Return the headers for the client."""
        kept = [(n, v) for n, v in headers if not (self.is_strict and n.lower().startswith("x-amz-checksum-"))]
        if self._is_other:
            kept = [(name, exchanged(value) if name.lower() == "etag" else value) for name, value in kept]
        is_done = status < 300  # noqa: PLR2004 - a success
        if is_done and self._place and self.etags.is_encrypted(self._place):
            kept.append(("x-amz-server-side-encryption", "aws:kms"))
        if is_done and self.operation.name == "HeadBucket" and self.etags.kind == "file_system":
            kept.append(("x-obs-fs-file-interface", "Enabled"))
        return kept

    def changes_body(self, content_type: str) -> bool:
        """Return whether the body of a response has ETags; that of an object itself is never changed."""
        is_page = content_type.endswith("/xml") and self.operation.name not in ("GetObject", "HeadObject")
        return is_page and bool(self.etags)

    def body_out(self, page: bytes) -> bytes:
        """Return an XML page for the client."""
        text = page.decode()
        if self._place:
            return (exchanged_in(text) if self._is_other else text).encode()
        return self.etags.in_list(text, self.operation.resource.rpartition(":")[2]).encode()


def _is_unknown_to_obs(name: str, value: str) -> bool:
    name = name.lower()
    if name == "range":  # OBS returns the whole object
        return value.replace(" ", "").startswith("bytes=-")
    return name.startswith("x-amz-checksum-") or name == "x-amz-sdk-checksum-algorithm"


async def _passed_on(
    incoming: web.Request, response: web.StreamResponse, reply: ClientResponse, fault: str | None
) -> web.StreamResponse:
    """Pass the body on, or only half of it."""
    left = (reply.content_length or 0) // 2 if fault == "cut_during" else None
    async for piece in reply.content.iter_chunked(_PIECE):
        await response.write(piece[:left])
        if left is not None:
            left -= len(piece)
            if left <= 0:
                return drop_connection(incoming, hard=False)
    return response


def _scripted(fault: Fault) -> web.Response:
    if fault.kind == "html":
        return web.Response(status=fault["status"], text="<html>load balancer</html>", content_type="text/html")
    return _error(fault["status"], fault["code"], fault["message"])


def _error(status: int, code: str, message: str) -> web.Response:
    page = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return web.Response(status=status, text=page, content_type="application/xml")


def _signature(incoming: web.Request, key: AccessKey, region: str, signed: Mapping[str, str]) -> str:
    """Compute, with botocore, what the signature over these headers must be."""
    request = _aws_request(incoming.method, f"http://{incoming.host}{incoming.raw_path}", signed, b"")
    request.context["timestamp"] = incoming.headers.get("X-Amz-Date", "")
    signer = _signer(key.access_key, key.secret_key, region)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return str(signer.signature(text, request))


def _aws_request(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Any:  # noqa: ANN401 - untyped there
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415 - takes long, and few requests need it

    return AWSRequest(method=method, url=url, headers=dict(headers), data=body)


def _signer(access_key: str, secret_key: str, region: str) -> Any:  # noqa: ANN401 - untyped there
    from botocore.auth import S3SigV4Auth  # noqa: PLC0415 - likewise
    from botocore.credentials import Credentials  # noqa: PLC0415 - likewise

    return S3SigV4Auth(Credentials(access_key, secret_key), "s3", region)
