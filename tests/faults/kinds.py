"""The faults of the lab: what goes wrong with an exchange with DLI or with OBS.

Each is a function with a docstring, which docs/quality/faults.md shows. Unless stated otherwise, the service has
acted on the request, every request is struck, and what breaks is the response.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import formatdate, parsedate_to_datetime
from functools import cache
from typing import Any

from tests.faults.proxy import Exchange, Fault, Response

_PAGE = "<html><head><title>Sign in</title></head><body><form>user password</form></body></html>"
_FOREIGN = "elsewhere-bucket"
_MIB = 1 << 20


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    :param service: ``dli``, ``obs``, or both of them
    :param strike: breaks an exchange
    :param times: how many requests it strikes; None for all
    :param operations: the only ones that it can strike; None for any
    :param is_slow: whether it holds an exchange open, so that short timeouts are given
    :param ends: whether tasks that wait for something come to their timeout with it
    """

    service: str
    strike: Fault
    times: int | None
    operations: frozenset[str] | None
    is_slow: bool
    ends: bool

    @property
    def meaning(self) -> str:
        """What it is, in a line."""
        return (self.strike.__doc__ or "").strip().rstrip(".")

    def __str__(self) -> str:
        name: str = self.strike.__name__
        return name.replace("_", "-")


KINDS: list[Kind] = []


def kind(
    service: str,
    *only: str,
    times: int | None = None,
    is_slow: bool = False,
    ends: bool = False,
) -> Callable[[Fault], Fault]:
    """Decorate a function that breaks an exchange."""

    def register(strike: Fault) -> Fault:
        KINDS.append(Kind(service, strike, times, frozenset(only) or None, is_slow, ends))
        return strike

    return register


def made(status: int, body: Any = b"", content_type: str = "application/json", **headers: str) -> Response:
    """Make a response that no service has given."""
    own = (("Content-Type", content_type), ("Date", formatdate(usegmt=True)))
    return Response(status, own).having(**headers).with_body(body)


def _refuse(x: Exchange, status: int, code: str, message: str, **headers: str) -> None:
    """Refuse as the service does that is behind."""
    if "Object" in x.operation or "Bucket" in x.operation:
        page = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
        x.answer(made(status, page, "application/xml", **headers))
    else:
        x.answer(made(status, {"error_code": code, "error_msg": message}, **headers))


def _throttle(x: Exchange, **headers: str) -> None:
    _refuse(x, 429, "APIGW.0308", "too many requests", **headers)


# --- connections


@kind("dli obs")
def cut_before_acting(x: Exchange) -> None:
    """The connection ends before the service has acted."""


@kind("dli obs")
def cut_after_acting(x: Exchange) -> None:
    """The connection ends without a response."""
    x.forward()


@kind("dli obs", times=1)
def cut_once_after_acting(x: Exchange) -> None:
    """The same, with one request alone."""
    x.forward()


@kind("dli obs")
def cut_in_the_headers(x: Exchange) -> None:
    """The connection ends in the middle of the headers."""
    whole = x.written(x.forward())
    x.send(whole[: whole.index(b"\r\n\r\n") // 2])


@kind("dli obs")
def cut_in_the_body(x: Exchange) -> None:
    """The connection ends in the middle of the body."""
    whole = x.written(x.forward())
    start = whole.index(b"\r\n\r\n") + 4
    x.send(whole[: start + (len(whole) - start) // 2])


@kind("dli obs")
def reset_before_acting(x: Exchange) -> None:
    """The connection is reset before the service has acted."""
    x.reset()


@kind("dli obs", times=1)
def reset_once_after_acting(x: Exchange) -> None:
    """The connection is reset; with one request alone."""
    x.forward()
    x.reset()


@kind("dli obs", is_slow=True)
def stalled(x: Exchange) -> None:
    """Nothing comes, and the connection stays open."""
    x.forward()
    x.stall()


@kind("dli obs", is_slow=True)
def stalled_in_the_body(x: Exchange) -> None:
    """Headers and a part of the body come, and then nothing."""
    whole = x.written(x.forward().having(X_Filler="filler-of-the-headers"))
    x.send(whole[: max(whole.index(b"\r\n\r\n") - 9, len(whole) - 20)])
    x.stall()


@kind("dli obs", is_slow=True)
def dripping_headers(x: Exchange) -> None:
    """The response comes byte by byte from its first on."""
    x.drip(x.written(x.forward().having(X_Long="x" * 4000)))


@kind("dli obs", is_slow=True)
def dripping_body(x: Exchange) -> None:
    """The body comes byte by byte, and is long."""
    response = x.forward()
    whole = x.written(response.with_body(response.body.ljust(4000)))
    start = whole.index(b"\r\n\r\n") + 4
    x.send(whole[:start])
    x.drip(whole[start:])


@kind("dli obs")
def no_http(x: Exchange) -> None:
    """Something that is not HTTP at all; nothing was done."""
    x.send(b"SSH-2.0-OpenSSH_9.6\r\n" * 3)


@kind("dli obs")
def a_status_that_is_none(x: Exchange) -> None:
    """A status line whose status is not a number."""
    x.forward()
    x.send(b"HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\n{}")


@kind("dli obs")
def broken_chunks(x: Exchange) -> None:
    """A chunked body whose chunks have no length."""
    x.forward()
    x.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nnothing\r\n0\r\n\r\n")


@kind("dli obs")
def endless_headers(x: Exchange) -> None:
    """Headers that never end."""
    x.forward()
    x.send(b"HTTP/1.1 200 OK\r\n")
    x.flood(b"X-Filler: " + b"x" * 4000 + b"\r\n")


@kind("dli obs")
def a_length_that_is_none(x: Exchange) -> None:
    """A ``Content-Length`` that is not a number."""
    x.answer(x.forward().having(Content_Length="many"))


# --- what is in between


@kind("dli obs")
def login_page(x: Exchange) -> None:
    """A login page answers 200 in the service's place; nothing was done."""
    x.answer(made(200, _PAGE, "text/html"))


@kind("dli obs", times=1)
def login_page_after_acting(x: Exchange) -> None:
    """A login page answers 200; with one request alone."""
    x.forward()
    x.answer(made(200, _PAGE, "text/html"))


@kind("dli obs")
def redirected_to_itself(x: Exchange) -> None:
    """302 to the same address; nothing was done."""
    x.answer(made(302, Location=f"{x.proxy.url}{x.target}"))


@kind("dli obs")
def redirected_elsewhere(x: Exchange) -> None:
    """302 to another host; nothing was done."""
    x.answer(made(302, Location="http://login.invalid/sso"))


@kind("dli obs")
def moved(x: Exchange) -> None:
    """301 to another address of the same host; nothing was done."""
    x.answer(made(301, Location=f"{x.proxy.url}/elsewhere"))


@kind("dli obs")
def redirected_with_its_method(x: Exchange) -> None:
    """307 to the same address; nothing was done."""
    x.answer(made(307, Location=f"{x.proxy.url}{x.target}"))


@kind("dli obs")
def wrong_encoding(x: Exchange) -> None:
    """``Content-Encoding: gzip`` with a body that is not."""
    x.answer(x.forward().having(Content_Encoding="gzip"))


@kind("dli obs")
def unknown_encoding(x: Exchange) -> None:
    """``Content-Encoding`` of a kind that nobody knows."""
    x.answer(x.forward().having(Content_Encoding="zstd-x").with_body(b"\x00\xff" * 50))


@kind("dli obs")
def a_bomb(x: Exchange) -> None:
    """A few bytes of gzip that become 100 MB."""
    x.forward()
    x.answer(made(200, _bomb(), Content_Encoding="gzip"))


@kind("dli obs")
def endless_body(x: Exchange) -> None:
    """A body that never ends."""
    x.forward()
    x.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    x.flood(b" " * _MIB)


@cache
def _bomb() -> bytes:
    return gzip.compress(b" " * (100 * _MIB), 1)


# --- refusals


@kind("dli obs", times=1)
def internal_error_once(x: Exchange) -> None:
    """500, once; nothing was done."""
    _refuse(x, 500, "InternalError", "try again")


@kind("dli obs")
def internal_error(x: Exchange) -> None:
    """500 for good, although the service has acted."""
    x.forward()
    _refuse(x, 500, "InternalError", "try again")


@kind("dli obs", times=1)
def bad_gateway_after_acting(x: Exchange) -> None:
    """502 with an HTML page, once, although the service has acted."""
    x.forward()
    x.answer(made(502, "<html>bad gateway</html>", "text/html"))


@kind("dli obs")
def unavailable(x: Exchange) -> None:
    """503 for good; nothing was done."""
    _refuse(x, 503, "ServiceUnavailable", "busy")


@kind("dli obs", times=1)
def gateway_timeout_after_acting(x: Exchange) -> None:
    """504, once, although the service has acted."""
    x.forward()
    x.answer(made(504, "<html>timeout</html>", "text/html"))


@kind("dli obs")
def throttled_without_a_time(x: Exchange) -> None:
    """429 for good, without ``Retry-After``."""
    _throttle(x)


@kind("dli obs")
def throttled_for_no_time(x: Exchange) -> None:
    """429 for good, with ``Retry-After: 0``."""
    _throttle(x, Retry_After="0")


@kind("dli obs")
def throttled_until_the_past(x: Exchange) -> None:
    """429 for good, with a ``Retry-After`` that is over."""
    _throttle(x, Retry_After="Wed, 01 Jan 2020 00:00:00 GMT")


@kind("dli obs")
def throttled_for_years(x: Exchange) -> None:
    """429 for good, with ``Retry-After: 99999999``."""
    _throttle(x, Retry_After="99999999")


@kind("dli obs")
def throttled_for_nonsense(x: Exchange) -> None:
    """429 for good, with a ``Retry-After`` that nobody can read."""
    _throttle(x, Retry_After="soon; -1")


@kind("dli obs", times=1)
def throttled_once(x: Exchange) -> None:
    """429, once."""
    _throttle(x, Retry_After="0")


@kind("dli")
def unproven(x: Exchange) -> None:
    """401: the key is not known."""
    _refuse(x, 401, "APIGW.0301", "ak not exist")


@kind("dli")
def clock_refused(x: Exchange) -> None:
    """401: the signature is of another time."""
    _refuse(x, 401, "APIGW.0303", "signature expired")


@kind("dli")
def not_let_in(x: Exchange) -> None:
    """403 of the gateway."""
    _refuse(x, 403, "APIGW.0302", "not allowed")


@kind("dli")
def no_right(x: Exchange) -> None:
    """403 of DLI."""
    _refuse(x, 403, "DLI.0003", "permission denied")


@kind("obs")
def access_denied(x: Exchange) -> None:
    """403 ``AccessDenied``."""
    _refuse(x, 403, "AccessDenied", "denied")


@kind("obs")
def unknown_key(x: Exchange) -> None:
    """403 ``InvalidAccessKeyId``."""
    _refuse(x, 403, "InvalidAccessKeyId", "no such key")


@kind("obs")
def time_skewed(x: Exchange) -> None:
    """403 ``RequestTimeTooSkewed``."""
    _refuse(x, 403, "RequestTimeTooSkewed", "clocks")


@kind("obs")
def slow_down(x: Exchange) -> None:
    """503 ``SlowDown`` for good."""
    _refuse(x, 503, "SlowDown", "slow down")


@kind("obs", ends=True)
def no_such_bucket(x: Exchange) -> None:
    """404 ``NoSuchBucket``."""
    _refuse(x, 404, "NoSuchBucket", "no such bucket")


@kind("obs", ends=True)
def no_such_object(x: Exchange) -> None:
    """404 for an object that is there."""
    _refuse(x, 404, "NoSuchKey", "no such key")


@kind("obs")
def an_odd_refusal(x: Exchange) -> None:
    """418 without a body."""
    x.answer(made(418))


# --- shapes of DLI


def _json(x: Exchange, change: Callable[[Any], Any]) -> None:
    response = x.forward()
    x.answer(response.with_body(change(response.json())))


@kind("dli")
def empty_body(x: Exchange) -> None:
    """200 without a body."""
    x.answer(x.forward().with_body(b""))


@kind("dli obs")
def no_content(x: Exchange) -> None:
    """204."""
    x.forward()
    x.answer(Response(204))


@kind("dli")
def accepted(x: Exchange) -> None:
    """202 without a body; nothing was done."""
    x.answer(made(202))


@kind("dli")
def truncated(x: Exchange) -> None:
    """JSON that ends too soon."""
    response = x.forward()
    x.answer(response.with_body(response.body[: len(response.body) // 2]))


@kind("dli")
def an_empty_list(x: Exchange) -> None:
    """``[]`` in the place of the object."""
    _json(x, lambda _: [])


@kind("dli")
def a_list_of_lists(x: Exchange) -> None:
    """The response in two more lists."""
    _json(x, lambda body: [[body]])


@kind("dli")
def null(x: Exchange) -> None:
    """``null`` in the place of the object."""
    _json(x, lambda _: None)


@kind("dli")
def not_a_number(x: Exchange) -> None:
    """``NaN`` in the place of the object."""
    x.answer(x.forward().with_body("NaN"))


@kind("dli")
def nulls(x: Exchange) -> None:
    """Every value null, but for ``is_success``."""
    _json(x, lambda body: _each(body, lambda _: None))


@kind("dli")
def wrong_types(x: Exchange) -> None:
    """Every value of another type, but for ``is_success``."""
    _json(x, lambda body: _each(body, lambda value: [value] if isinstance(value, str) else "x"))


@kind("dli")
def objects_as_text(x: Exchange) -> None:
    """Every object and list within the response as text."""
    _json(x, _as_text)


@kind("dli")
def success_is_missing(x: Exchange) -> None:
    """Without ``is_success``."""
    _json(x, lambda body: _envelope(body, None))


@kind("dli")
def success_is_false(x: Exchange) -> None:
    """``is_success`` false; nothing was done."""
    x.answer(made(200, {"is_success": "false", "message": "The job failed."}))


@kind("dli")
def success_is_odd(x: Exchange) -> None:
    """``is_success`` is neither true nor false."""
    _json(x, lambda body: _envelope(body, "perhaps"))


@kind("dli", ends=True)
def a_success_with_an_error(x: Exchange) -> None:
    """``is_success`` true beside an ``error_code``; nothing was done."""
    x.answer(made(200, {"is_success": "true", "error_code": "DLI.0999", "error_msg": "server-side error"}))


@kind("dli")
def deep_nesting(x: Exchange) -> None:
    """A hundred thousand lists in one another."""
    x.answer(x.forward().with_body('{"is_success": "true", "job_detail": ' + "[" * 100_000))


@kind("dli")
def no_text(x: Exchange) -> None:
    """Bytes that are not UTF-8."""
    x.answer(x.forward().with_body(b'{"is_success": "true", "message": "\xff\xfe\x00"}'))


@kind("dli")
def another_charset(x: Exchange) -> None:
    """The same JSON in UTF-16."""
    response = x.forward()
    x.answer(response.with_body(response.body.decode().encode("utf-16")))


@kind("dli")
def the_request_in_the_message(x: Exchange) -> None:
    """An error message with newlines, escapes and the request's own headers; nothing was done."""
    head = x.head.decode("latin-1")
    _refuse(x, 400, "DLI.0001", f"\x1b[31mERROR\n\u202e{head}")


def _each(body: Any, change: Callable[[Any], Any]) -> Any:
    """Change every value of a response but ``is_success``."""
    if isinstance(body, list):
        return [_each(value, change) for value in body]
    if isinstance(body, dict):
        return {name: value if name == "is_success" else _each(value, change) for name, value in body.items()}
    return change(body)


def _as_text(body: Any) -> Any:
    if isinstance(body, list):
        return [_as_text(each) for each in body]
    return {name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in body.items()}


def _envelope(body: Any, is_success: str | None) -> Any:
    """Set ``is_success``, or drop it; in each envelope where there are several, and in one within another."""
    if isinstance(body, list):
        return [_envelope(each, is_success) for each in body]
    rest = {key: each for key, each in body.items() if key != "is_success"}
    if isinstance(message := rest.get("message"), str) and message.startswith("{"):
        rest["message"] = json.dumps(_envelope(json.loads(message), is_success))
    return rest if is_success is None else {**rest, "is_success": is_success}


# --- subjects and counts of DLI


def _detail(x: Exchange, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    _json(x, lambda body: {**body, "job_detail": change(body["job_detail"])} if "job_detail" in body else body)


@kind("dli", "ShowFlinkJob")
def another_jobs_detail(x: Exchange) -> None:
    """The detail of another job, which runs."""
    other = x.proxy.context.other_job()
    _detail(x, lambda _: other.detail())


@kind("dli", "ShowFlinkJob")
def a_detail_without_its_id(x: Exchange) -> None:
    """The detail of another job, without its id."""
    other = x.proxy.context.other_job().detail()
    _detail(x, lambda _: {name: value for name, value in other.items() if name != "job_id"})


@kind("dli", "ShowFlinkJob")
def an_unknown_status(x: Exchange) -> None:
    """A status that is in no manual."""
    _detail(x, lambda job: {**job, "status": "job_dreaming"})


@kind("dli", "ShowFlinkJob")
def a_status_of_another_type(x: Exchange) -> None:
    """A status that is a number."""
    _detail(x, lambda job: {**job, "status": 3})


@kind("dli", "ShowFlinkJob")
def no_status(x: Exchange) -> None:
    """A status that is null."""
    _detail(x, lambda job: {**job, "status": None})


@kind("dli", "ExportFlinkJobs")
def an_archive_of_another_directory(x: Exchange) -> None:
    """An archive of another directory."""
    bucket = x.proxy.context.emulator.bucket
    _json(x, lambda body: {**body, "zip_file": [f"{bucket}/elsewhere/aggregate_1.zip"]})


@kind("dli", "ExportFlinkJobs")
def an_archive_of_another_bucket(x: Exchange) -> None:
    """An archive of another bucket."""
    _json(x, lambda body: {**body, "zip_file": [f"{_FOREIGN}/{body['zip_file'][0].partition('/')[2]}"]})


@kind("dli", "ExportFlinkJobs")
def a_bucket_alone(x: Exchange) -> None:
    """A ``zip_file`` that names a bucket alone."""
    _json(x, lambda body: {**body, "zip_file": [x.proxy.context.emulator.bucket]})


@kind("dli", "ExportFlinkJobs")
def no_archive(x: Exchange) -> None:
    """An empty ``zip_file``."""
    _json(x, lambda body: {**body, "zip_file": []})


@kind("dli", "ImportFlinkJobs")
def another_imports_mapping(x: Exchange) -> None:
    """A ``job_mapping`` of jobs that are in no archive of this request."""
    mapping = [{"old_job_id": 7, "new_job_id": 8, "remark": "Job successfully created"}]
    _json(x, lambda body: {**body, "job_mapping": mapping})


@kind("dli", "ImportFlinkJobs")
def one_new_id_for_all(x: Exchange) -> None:
    """A ``job_mapping`` with one new id for every job."""
    _json(x, lambda body: {**body, "job_mapping": [{**each, "new_job_id": 999} for each in body["job_mapping"]]})


@kind("dli", "CreateFlinkSqlJob", "UpdateFlinkSqlJob")
def another_job_was_written(x: Exchange) -> None:
    """A response that names another job."""
    other = x.proxy.context.other_job()
    _json(x, lambda body: {**body, "job": {"job_id": other.job_id, "status": "job_init"}})


def _list(x: Exchange, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    _json(x, lambda body: {**body, "job_list": {**body["job_list"], **change(body["job_list"])}})


@kind("dli", "ListFlinkJobs")
def a_count_that_is_too_low(x: Exchange) -> None:
    """A ``total_count`` that is that of the page."""
    _list(x, lambda page: {"total_count": len(page["jobs"])})


@kind("dli", "ListFlinkJobs")
def a_count_that_is_too_high(x: Exchange) -> None:
    """A ``total_count`` of a thousand more."""
    _list(x, lambda page: {"total_count": page["total_count"] + 1000})


@kind("dli", "ListFlinkJobs")
def no_count(x: Exchange) -> None:
    """A ``total_count`` of 0 beside jobs."""
    _list(x, lambda _: {"total_count": 0})


@kind("dli", "ListFlinkJobs")
def repeated_pages(x: Exchange) -> None:
    """Every page is the first one."""
    context, response = x.proxy.context, x.forward()
    if context.first_page is None:
        context.first_page = response
    x.answer(context.first_page)


@kind("dli", "ListFlinkJobs")
def an_empty_page(x: Exchange) -> None:
    """A page without jobs, and the right count."""
    _list(x, lambda _: {"jobs": []})


# --- clocks


def _shifted(x: Exchange, seconds: float, *names: str) -> Response:
    """Move every time that a response of OBS, or the header of one of DLI, shows."""
    response, headers = x.forward(), []
    for name, value in response.headers:
        if name.lower() in names:
            moment = parsedate_to_datetime(value).timestamp() + seconds
            headers.append((name, formatdate(moment, usegmt=True)))
        else:
            headers.append((name, value))
    moved = Response(response.status, tuple(headers), response.body)
    if x.operation != "ListObjects":
        return moved

    def later(found: re.Match[bytes]) -> bytes:
        moment = datetime.fromisoformat(found[1].decode()) + timedelta(seconds=seconds)
        return b"<LastModified>" + moment.strftime("%Y-%m-%dT%H:%M:%S.000Z").encode() + b"</LastModified>"

    return moved.with_body(re.sub(rb"<LastModified>([^<]+)</LastModified>", later, moved.body))


@kind("dli obs")
def a_clock_ten_minutes_ahead(x: Exchange) -> None:
    """The service's clock is ten minutes ahead of the worker's."""
    x.answer(_shifted(x, 600, "date", "last-modified"))


@kind("dli obs")
def a_clock_ten_minutes_behind(x: Exchange) -> None:
    """The service's clock is ten minutes behind the worker's."""
    x.answer(_shifted(x, -600, "date", "last-modified"))


@kind("dli obs")
def no_date(x: Exchange) -> None:
    """Without a ``Date`` header."""
    x.answer(x.forward().without("date"))


@kind("dli obs")
def a_date_that_is_none(x: Exchange) -> None:
    """A ``Date`` header that is not a date."""
    x.answer(x.forward().having(Date="yesterday"))


@kind("obs", "HeadObject")
def written_ten_minutes_ago(x: Exchange) -> None:
    """The object is ten minutes old; the tasks want no older than five."""
    x.proxy.context.is_old = True
    x.answer(_shifted(x, -600, "last-modified"))


# --- shapes of OBS


@kind("obs", "HeadObject")
def no_etag(x: Exchange) -> None:
    """Without an ``ETag``."""
    x.answer(x.forward().without("etag"))


@kind("obs", "HeadObject")
def an_empty_etag(x: Exchange) -> None:
    """An ``ETag`` with nothing in it."""
    x.answer(x.forward().having(ETag='""'))


@kind("obs", "HeadObject")
def no_time_of_the_last_write(x: Exchange) -> None:
    """Without ``Last-Modified``."""
    x.answer(x.forward().without("last-modified"))


@kind("obs", "HeadObject")
def a_time_that_is_none(x: Exchange) -> None:
    """A ``Last-Modified`` that is not a date."""
    x.answer(x.forward().having(Last_Modified="long ago"))


@kind("obs", "HeadObject")
def no_length(x: Exchange) -> None:
    """Without ``Content-Length``."""
    x.answer(x.forward().without("content-length"))


@kind("obs", "HeadObject")
def a_negative_length(x: Exchange) -> None:
    """A negative ``Content-Length``."""
    x.answer(x.forward().having(Content_Length="-5"))


@kind("obs", "HeadObject")
def a_length_of_nothing(x: Exchange) -> None:
    """A ``Content-Length`` of 0."""
    x.answer(x.forward().having(Content_Length="0"))


@kind("obs", "HeadObject")
def a_shorter_length(x: Exchange) -> None:
    """A ``Content-Length`` of half the object."""
    response = x.forward()
    x.answer(response.having(Content_Length=str(int(response.header("content-length") or 0) // 2)))


@kind("obs", "HeadObject")
def no_headers(x: Exchange) -> None:
    """200 without any header."""
    x.forward()
    x.send(b"HTTP/1.1 200 OK\r\n\r\n")


@kind("obs", "GetObject")
def another_etag(x: Exchange) -> None:
    """The bytes come with the ``ETag`` of another object."""
    x.answer(x.forward().having(ETag=f'"{"0" * 32}"'))


@kind("obs", "GetObject")
def range_ignored(x: Exchange) -> None:
    """200 where a range was requested."""
    response = x.forward().without("content-range")
    x.answer(Response(200, response.headers, response.body))


@kind("obs", "GetObject")
def another_range(x: Exchange) -> None:
    """206 with bytes of another range."""
    x.answer(x.forward().having(Content_Range="bytes 1-9/10"))


@kind("obs", "GetObject")
def more_than_was_requested(x: Exchange) -> None:
    """206 with the right range and more bytes than it has."""
    response = x.forward()
    x.answer(response.with_body(response.body + b"more"))


@kind("obs", "GetObject")
def less_than_was_requested(x: Exchange) -> None:
    """206 with the right range and one byte less than it has."""
    response = x.forward()
    x.answer(response.with_body(response.body[:-1]))


@kind("obs", "GetObject", times=1)
def a_flipped_byte_once(x: Exchange) -> None:
    """One byte of the object is another, once."""
    x.answer(_flipped(x.forward()))


@kind("obs", "GetObject")
def a_flipped_byte(x: Exchange) -> None:
    """One byte of the object is another, whenever it is read."""
    x.answer(_flipped(x.forward()))


@kind("obs", "GetObject", times=1)
def replaced_while_read(x: Exchange) -> None:
    """The object is replaced while it is read."""
    response = x.forward()
    x.proxy.context.replace_archive()
    x.answer(response)


@kind("obs", "GetObject", times=1, ends=True)
def deleted_while_read(x: Exchange) -> None:
    """The object is deleted while it is read."""
    response = x.forward()
    x.proxy.context.delete_archive()
    x.answer(response)


def _flipped(response: Response) -> Response:
    body = bytearray(response.body)
    if body:
        body[len(body) // 3] ^= 1
    return response.with_body(bytes(body))


@kind("obs", "ListObjects")
def an_empty_listing(x: Exchange) -> None:
    """200 without a body."""
    x.answer(x.forward().with_body(b""))


@kind("obs", "ListObjects")
def a_truncated_listing(x: Exchange) -> None:
    """XML that ends too soon."""
    response = x.forward()
    x.answer(response.with_body(response.body[: len(response.body) // 2]))


@kind("obs", "ListObjects")
def another_root(x: Exchange) -> None:
    """XML with another root element."""
    x.forward()
    page = '<?xml version="1.0"?><ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>'
    x.answer(made(200, page, "application/xml"))


@kind("obs", "ListObjects")
def an_error_that_is_200(x: Exchange) -> None:
    """200 with an ``Error``."""
    x.answer(made(200, "<Error><Code>InternalError</Code><Message>no</Message></Error>", "application/xml"))


@kind("obs", "ListObjects")
def another_buckets_listing(x: Exchange) -> None:
    """The listing of another bucket, which is empty."""
    x.answer(_emptied(x, b"Name", b"elsewhere-bucket"))


@kind("obs", "ListObjects")
def another_directorys_listing(x: Exchange) -> None:
    """The listing of another directory, which is empty."""
    x.answer(_emptied(x, b"Prefix", b"elsewhere/"))


def _emptied(x: Exchange, name: bytes, value: bytes) -> Response:
    """Return a listing with nothing in it, and with another subject."""
    response = x.forward()
    body = re.sub(rb"<Contents>.*</Contents>", b"", response.body, flags=re.DOTALL)
    body = re.sub(rb"<CommonPrefixes>.*</CommonPrefixes>", b"", body, flags=re.DOTALL)
    return response.with_body(
        re.sub(rb"<%b>[^<]*</%b>" % (name, name), b"<%b>%b</%b>" % (name, value, name), body)
    )


@kind("obs", "ListObjects")
def endless_pages(x: Exchange) -> None:
    """A listing that goes on and on with the same page."""
    response = x.forward()
    body = re.sub(rb"<IsTruncated>[^<]*</IsTruncated>", b"<IsTruncated>true</IsTruncated>", response.body)
    token = b"<NextContinuationToken>again</NextContinuationToken></ListBucketResult>"
    x.answer(response.with_body(body.replace(b"</ListBucketResult>", token)))


@kind("obs", "ListObjects")
def an_entity_bomb(x: Exchange) -> None:
    """XML whose entities grow without bounds."""
    x.forward()
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    page = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "aaaaaaaaaa">{entities}]><ListBucketResult>&a11;'
    x.answer(made(200, page + "</ListBucketResult>", "application/xml"))
