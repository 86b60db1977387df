"""Decode a reply: the success, or the error that it is; and the time by the service's clock.

The shapes an error comes in: DLI's object, the *array* of such objects that a failed batch returns, the API
gateway's object, IAM's nested one, and the HTML page or nothing at all of a load balancer.

What a service wrote down (the time of an object, the end of a token) is compared with the clock of the service,
never with this machine's: the two may differ by minutes.
"""

from __future__ import annotations

import html
import json
import re
import threading
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from airflow_provider_dli.client.call import Reply
from airflow_provider_dli.client.errors import (
    AuthenticationError,
    PermissionDeniedError,
    RefusedError,
    ServiceError,
    ThrottledError,
    UnavailableError,
    UnexpectedReplyError,
)
from airflow_provider_dli.formatting import escaped

# Codes that are more specific than their HTTP status, which is 400 for most of DLI's: its page "Error Codes".
_BY_CODE: Mapping[str, type[ServiceError]] = {
    "DLI.0003": PermissionDeniedError,
    "DLI.0011": PermissionDeniedError,
    "DLI.0012": UnavailableError,
    "DLI.0013": AuthenticationError,
    "DLI.0014": AuthenticationError,
    "DLI.0015": AuthenticationError,
    "DLI.0016": PermissionDeniedError,
    "DLI.0019": UnavailableError,
    "DLI.0999": UnavailableError,
    "DLI.10001": UnavailableError,
}
_BY_STATUS: Mapping[int, type[ServiceError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    # Somebody on the way gave up waiting, or hung up: the request may have taken effect all the same.
    408: UnavailableError,
    499: UnavailableError,
    429: ThrottledError,
}
#: what code raises on values of another kind, size or depth than it was made for
UNREADABLE = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError)
_EXCERPT = 300
_PROBLEM = 1000
_OK = range(200, 300)
_REDIRECT = range(300, 400)
_SERVER_ERROR = 500
# seconds below which clocks count as equal: ``Date`` has whole seconds, and responses take their time
_EQUAL = 2.0
# A date that is further away comes from a page that was kept, or from no clock at all. TLS and signatures would
# have failed long before.
_FURTHEST = 24 * 3600.0
# The status of a proxy or a gateway, which has a clock of its own.
_NOT_THE_SERVICE = (*range(300, 400), 407, 502, 503, 504)

Interval = tuple[float, float]


def decode(operation: str, reply: Reply) -> Mapping[str, Any]:
    """Return the JSON object of a success of DLI.

    Where a batch returns an array, every element must be a success; the first is returned, with the messages of
    all. How many there are, and which belongs to which id, is not established.

    :raises ServiceError: the kind that fits, if this is an error, ``is_success`` included
    """
    envelopes = _envelopes(operation, reply)
    if len(envelopes) == 1 and "is_success" not in envelopes[0] and not _of_object(envelopes[0])[0]:
        # The manual does not promise is_success. What it does promise shows the success then: see each parser.
        return envelopes[0]
    read = [_unfolded(each) for each in envelopes]
    if strange := [each.get("is_success") for each in read if is_success(each) is None]:
        raise unexpected(operation, reply, f"is_success should be true or false and is {strange[0]!r}")
    failed = [each for each in read if is_success(each) is False]
    # A response that contradicts itself is neither a success nor a refusal.
    if not failed and (codes := [code for each in read if (code := _text_of(each, "error_code"))]):
        raise unexpected(operation, reply, f"the reply has is_success true and error_code {codes[0]}")
    if failed:
        code, message = _code_and_message(failed)
        raise _class(reply.status, code, RefusedError)(
            operation, reply.status, code, message or "is_success is false", request_id(reply)
        )
    return read[0] if len(read) == 1 else {**read[0], "message": _joined(each.get("message") for each in read)}


def _envelopes(operation: str, reply: Reply) -> list[Mapping[str, Any]]:
    body = _json(reply.body) if reply.status in _OK else None
    if isinstance(body, list) and body and all(isinstance(each, Mapping) for each in body):
        return body
    return [json_object(operation, reply)]


def _unfolded(envelope: Mapping[str, Any]) -> Mapping[str, Any]:
    """Put the envelope that a savepoint's ``message`` is, as JSON text, in the place of that text."""
    text = envelope.get("message")
    inner = _json(text.encode()) if isinstance(text, str) and text.lstrip().startswith("{") else None
    if not isinstance(inner, Mapping) or "is_success" not in inner or not is_success(envelope):
        return envelope
    return {**envelope, **inner}


def json_object(operation: str, reply: Reply) -> Mapping[str, Any]:
    """Return the JSON object of a reply whose status is success.

    :raises ServiceError: the kind that fits, if the status is another or the body is not an object
    """
    body = _json(reply.body)
    if reply.status not in _OK:
        raise _refusal(operation, reply, body)
    if not isinstance(body, Mapping):
        what = body_excerpt(reply.body) or "an empty body"
        raise unexpected(operation, reply, f"a JSON object was expected, not: {what}")
    return body


def is_success(envelope: Mapping[str, Any]) -> bool | None:
    """Return ``is_success``, a boolean in some editions of the manual and a string in others; None if neither."""
    value = envelope.get("is_success")
    return (
        {"true": True, "false": False}.get(str(value).strip().lower()) if isinstance(value, bool | str) else None
    )


def request_id(reply: Reply) -> str | None:
    """Return the id that the service gave this request, from the header."""
    # The latter is OBS's.
    return _text_of(reply.headers, "x-request-id") or _text_of(reply.headers, "x-amz-request-id")


def unexpected(operation: str, reply: Reply, problem: str) -> UnexpectedReplyError:
    """Return the error for a reply that is not what the manual promises."""
    return UnexpectedReplyError(operation, reply.status, None, one_line(problem, _PROBLEM), request_id(reply))


def _refusal(operation: str, reply: Reply, body: object) -> ServiceError:
    if reply.status in _REDIRECT:
        target = reply.headers.get("location", "nowhere")[:_EXCERPT]
        return unexpected(operation, reply, f"redirected to {target!r}, which is not followed")
    code, message = _code_and_message(body)
    if code == str(reply.status):  # IAM's errors repeat the status where others have a code
        code = None
    message = message or body_excerpt(reply.body) or "no body"
    request = request_id(reply) or _text_of(body, "request_id")
    fallback = UnavailableError if reply.status >= _SERVER_ERROR else RefusedError
    error = _class(reply.status, code, fallback)(operation, reply.status, code, message, request)
    if isinstance(error, ThrottledError):
        error.retry_after = retry_after(reply)
    return error


def retry_after(reply: Reply) -> float | None:
    """Read ``Retry-After``: seconds, or a date that is compared with the reply's own ``Date``.

    :returns: seconds, or None if there is none that can be read
    """
    text = reply.headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    until, now = moment(text), moment(reply.headers.get("date", ""))
    return max(0.0, (until - now).total_seconds()) if until and now else None


def moment(text: str) -> datetime | None:
    """Read a date of a header, in UTC where it names no zone.

    :returns: an aware time, or None if it is not a date
    """
    try:
        read = parsedate_to_datetime(text)
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def _class(status: int, code: str | None, fallback: type[ServiceError]) -> type[ServiceError]:
    return _BY_CODE.get(code or "") or _BY_STATUS.get(status) or fallback


def _code_and_message(body: object) -> tuple[str | None, str | None]:
    # What is nested deeper than any error is may be nested beyond what can be walked.
    found = [
        _of_object(each) for each in (body if isinstance(body, list) else [body]) if isinstance(each, Mapping)
    ]
    return next((code for code, _ in found if code), None), _joined(message for _, message in found) or None


def _joined(messages: Iterable[object]) -> str:
    return "; ".join(dict.fromkeys(str(message) for message in messages if message))


def _of_object(body: Mapping[str, Any]) -> tuple[str | None, str | None]:
    nested = body.get("error")
    body = nested if isinstance(nested, Mapping) else body
    code = _text_of(body, "error_code") or _text_of(body, "errorCode") or _text_of(body, "code")
    message = _text_of(body, "error_msg") or _text_of(body, "errorMsg") or _text_of(body, "message")
    detail = body.get("error_json_opt")
    if isinstance(detail, Mapping) and (more := _text_of(detail, "error")):
        message = f"{message} ({more})" if message else more
    return code, message


def _text_of(body: object, name: str) -> str | None:
    value = body.get(name) if isinstance(body, Mapping) else None
    return one_line(str(value)) if isinstance(value, str | int | float) and value != "" else None


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def body_excerpt(body: bytes) -> str:
    """Return the readable beginning of a body: text as it is, a page without its tags."""
    text = body[: 20 * _EXCERPT].decode("utf-8", "replace")
    if "<" in text:
        text = html.unescape(re.sub(r"(?is)<(script|style)\b.*?</\1>|<[^>]*>", " ", text))
    return one_line(text)


def one_line(text: str, longest: int = _EXCERPT) -> str:
    """Fold white space, escape and cut."""
    return escaped(" ".join(text.split()), longest)


class ServiceClock:
    """How far a service's clock is from this machine's. Threads and event loops may share it.

    Each response narrows it down, until one contradicts: then one of the clocks was set, and the newest counts.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._interval: Interval | None = None

    def observe(self, reply: Reply) -> None:
        """Learn from a response of the service."""
        new = offset_in(reply)
        if new is None:
            return
        with self._lock:
            known = self._interval or new
            common = max(known[0], new[0]), min(known[1], new[1])
            self._interval = common if common[0] <= common[1] else new

    @property
    def offset(self) -> float | None:
        """Seconds by which the service's clock is ahead; 0 if they are equal, None if nothing is known."""
        return None if self._interval is None else _middle(self._interval)

    def time(self) -> float:
        """Return epoch seconds by the service's clock; by this machine's while nothing is known."""
        return time.time() + (self.offset or 0.0)


def local(moment_there: datetime, reply: Reply) -> datetime:
    """Return, by this machine's clock, a time that a response names by the service's clock."""
    return moment_there - timedelta(seconds=_middle(offset_in(reply)))


def offset_in(reply: Reply) -> Interval | None:
    """Return the least and the greatest difference that a response allows, in seconds, service minus this machine.

    :returns: None where the response has no date of the service: none that can be read, one of a cache or a
        gateway, one more than a day away, or if it is not known when it came
    """
    sent, received = reply.sent, reply.received
    date = moment(reply.headers.get("date", ""))
    # A cache adds Age, and leaves the date as it was.
    if sent is None or received is None or date is None or "age" in reply.headers:
        return None
    if reply.status in _NOT_THE_SERVICE or "html" in reply.headers.get("content-type", ""):
        return None
    # The date was written between the sending and the receiving, and then cut to whole seconds.
    least, greatest = date.timestamp() - received, date.timestamp() + 1 - sent
    is_usable = least <= greatest and max(abs(least), abs(greatest)) < _FURTHEST
    return (least, greatest) if is_usable else None


def _middle(interval: Interval | None) -> float:
    """Return the difference in the middle of an interval; 0 where clocks may be equal, or nothing is known."""
    if interval is None or interval[0] <= 0 <= interval[1]:
        return 0.0
    between = (interval[0] + interval[1]) / 2
    return 0.0 if abs(between) < _EQUAL else between
