"""The request log: what arrived, and what was returned."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dli_emulator.wire import Reply, Request

#: how many requests are kept; the oldest go first
_KEPT = 10_000
_HIDDEN = "***"
_SECRET_HEADERS = {
    "authorization",
    "x-auth-token",
    "x-subject-token",
    "x-security-token",
    "x-metadata-token",
    "cookie",
    "proxy-authorization",
}
_SECRET_FIELDS = {"password", "token", "secret", "securitytoken"}


@dataclass(frozen=True)
class Recorded:
    """One request and its response. Signature, tokens and passwords are redacted.

    :param operation: such as ``ExportFlinkJobs``; None if the API is unknown
    :param method: in upper case
    :param path: percent-encoded, as it arrived
    :param query: pairs, decoded, in the order they came
    :param headers: lower-case name to value
    :param body: text
    :param time: epoch seconds of the arrival
    :param request_id: the ``X-Request-Id`` of the response
    :param access_key: who claimed to have signed it; None with a token
    :param fault: kind of the scripted fault it met, if any
    :param acted: whether the operation was carried out
    :param status: HTTP status of the response; None until it is sent
    :param error_code: the service's code, if it refused
    """

    operation: str | None
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: str
    time: float
    request_id: str
    access_key: str | None = None
    fault: str | None = None
    acted: bool = False
    status: int | None = None
    error_code: str | None = None

    def json(self) -> Any:  # noqa: ANN401 - whatever was sent
        """Read the body as JSON."""
        return json.loads(self.body)


def record(request: Request, operation: str | None, moment: float, request_id: str, fault: str | None) -> Recorded:
    """Write down a request that has just arrived.

    :param request: as it arrived
    :param operation: its operation; None if that is unknown
    :param moment: epoch seconds
    :param request_id: that the response will have
    :param fault: kind of the fault it meets
    """
    named = re.search(r"(?:Access|Credential)=([^,/\s]+)", request.header("Authorization") or "")
    return Recorded(
        operation=operation,
        method=request.method,
        path=request.path,
        query=request.query,
        headers={name.lower(): _shown(name.lower(), value) for name, value in request.headers},
        body=_shown_body(request.body),
        time=moment,
        request_id=request_id,
        access_key=named[1] if named else None,
        fault=fault,
    )


class RequestLog:
    """The requests in the order they arrived. Safe to read while the server writes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[str, Recorded] = {}

    def __iter__(self) -> Iterator[Recorded]:
        with self._lock:
            return iter(list(self._records.values()))

    def arrived(self, entry: Recorded) -> None:
        """Add a request that has arrived."""
        with self._lock:
            self._records[entry.request_id] = entry
            if len(self._records) > _KEPT:
                del self._records[next(iter(self._records))]

    def answered(self, request_id: str, reply: Reply) -> None:
        """Add the response, unless the log was cleared meanwhile."""
        self._change(request_id, status=reply.status, error_code=reply.error_code)

    def acted(self, request_id: str) -> None:
        """Note that the operation was carried out."""
        self._change(request_id, acted=True)

    def clear(self) -> None:
        """Forget all requests."""
        with self._lock:
            self._records.clear()

    def _change(self, request_id: str, **changes: Any) -> None:  # noqa: ANN401 - fields of Recorded
        with self._lock:
            if request_id in self._records:
                self._records[request_id] = replace(self._records[request_id], **changes)


def _shown(name: str, value: str) -> str:
    if name == "authorization" and "Signature=" in value:
        return re.sub(r"(Signature=)\w+", rf"\1{_HIDDEN}", value)
    return _HIDDEN if name in _SECRET_HEADERS else value


def _shown_body(body: bytes) -> str:
    text = body.decode(errors="replace")
    if not any(field in text for field in _SECRET_FIELDS):
        return text
    try:
        return json.dumps(_redacted(json.loads(text)), ensure_ascii=False)
    except ValueError:
        return text


def _redacted(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {key: _redacted_field(key, item) for key, item in value.items()}
    return [_redacted(item) for item in value] if isinstance(value, list) else value


def _redacted_field(key: str, value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict) and key == "token" and "id" in value:
        return {**value, "id": _HIDDEN}
    return _HIDDEN if key in _SECRET_FIELDS and isinstance(value, str) else _redacted(value)
