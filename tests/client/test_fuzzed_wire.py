"""Junk on the wire: each response ends in a result or an error of ours, in bounded time, on every path that sends.

Seeded: a failure names its number, and ``response(number)`` makes the same bytes again.
"""

from __future__ import annotations

import asyncio
import gzip
import random
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.errors import DliClientError
from airflow_provider_dli.client.exchange import Account, request_flow, utc_now
from airflow_provider_dli.client.obs.objects import find_object_flow
from airflow_provider_dli.client.transport import Network
from airflow_provider_dli.client.transport.aio import AsyncTransport
from airflow_provider_dli.client.transport.sync import SyncTransport
from tests.client.obs.test_responses import ALL, PLACE, account_of
from tests.client.raw_server import RawServer

pytestmark = pytest.mark.slow

NETWORK = Network(connect_timeout=2, read_timeout=1, total_timeout=2)
RESPONSES = 240
LISTED = b'{"is_success": "true", "job_list": {"total_count": 0, "jobs": []}}'
ABOUT = b"<Name>obs-test</Name><Prefix>dir/</Prefix><IsTruncated>false</IsTruncated>"
XML = b"<ListBucketResult>" + ABOUT + b"</ListBucketResult>"

STATUS_LINES = [
    b"HTTP/1.1 200 OK", b"HTTP/1.1 206 Partial Content", b"HTTP/1.1 404 Not Found", b"HTTP/1.1 500 Trouble",
    b"HTTP/1.1 200", b"HTTP/1.1 ", b"HTTP/1.1 -1 x", b"HTTP/1.1 99999 x", b"HTTP/1.1 2OO OK", b"HTTP/9.9 200 OK",
    b"HTTP/0.9 200 OK", b"ICY 200 OK", b"\x00\xff\xfe", b"HTTP/1.1 200 \xff\x00\x1b[31m", b"200 OK", b"",
    b"HTTP/1.1 304 Not Modified", b"HTTP/1.1 302 Found\r\nLocation: http://[::1",
    b"HTTP/1.1 101 Switching Protocols",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK", b"HTTP/1.1 204 No Content", b"HTTP/1.1 401 x", b"x" * 70_000,
    b"HTTP/1.1 429 x\r\nRetry-After: " + b"9" * 5000, b"HTTP/1.1 307 x\r\nLocation: \xff\xfe\x00",
]  # fmt: skip
HEADERS = [
    b"Content-Length: 10", b"Content-Length: -1", b"Content-Length: 1e3", b"Content-Length: 99999999999999999999",
    b"Content-Length: 5\r\nContent-Length: 6", b"Content-Length: \xd9\xa7", b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: \x00",
    b"Content-Encoding: gzip", b"Content-Encoding: deflate", b"Content-Encoding: br", b"Content-Encoding: zstd",
    b"Content-Encoding: gzip, gzip, gzip", b"Content-Type: text/html; charset=utf-7", b"Content-Type: \xff",
    b"Content-Type: application/json; charset=no-such", b"X: " + b"y" * 100_000, b"no colon here", b": no name",
    b" folded", b"X\x00Y: 1", b"X: \x00\x1b[2J", b"X: a\rb", b"Set-Cookie: \xff=\x00; expires=never",
    b"Date: \xff",
    b"Date: Thu, 99 Foo 99999 99:99:99 GMT", b'ETag: "\xff"', b'ETag: "e1"', b"Connection: \xff", b"Age: -1",
    b"Last-Modified: Thu, 15 Jan 99999 12:00:00 GMT", b"Last-Modified: Thu, 15 Jan 2026 12:00:00 GMT",
    b"Location: http://\xff/", b"x-amz-version-id: \xff\n", b"Content-Range: bytes 0-3/4", b"x-amz-restore: \xff",
    b"x-amz-bucket-region: \xff", b"x-amz-checksum-crc32: AAAA", b"x-amz-server-side-encryption: \xff",
    b"Upgrade: h2c",
    *[b"X-%d: 1" % number for number in range(200)],
]  # fmt: skip
BOMB = gzip.compress(b"\x00" * 80_000_000)
BODIES = [
    LISTED, XML, b"", b"\x00" * 100, b"\xff\xfe" * 50, LISTED.decode().encode("utf-16"), b"[" * 100_000,
    b'{"is_success": "true", "job_list": {"total_count": 1e999, "jobs": [{}]}}', b"<" * 10_000, b"<a>" * 50_000,
    b'{"is_success": "true", "job_list": ' + b"1" * 5000 + b"}", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
    gzip.compress(LISTED), gzip.compress(LISTED)[:-9], zlib.compress(LISTED), b"\x1f\x8b" + b"\x00" * 50, BOMB,
    b"5\r\nhello\r\n0\r\n\r\n", b"FFFFFFFFFFFFFFFFF\r\n", b"-5\r\nhello\r\n", b"5\r\nhelloX\r\n", b"zz\r\n",
    b"5;ext=\xff\r\n",
    b"5\r\nhello\r\n0\r\nTrailer: \xff\r\nbad\r\n\r\n", b"4\r\n" + LISTED, XML[:-30], XML + b"<more/>",
    b"<Error/>",
    b"<Error><Code>\xff</Code></Error>", b"<Error><Code><Code>x</Code></Code></Error>", b"<Error>\x00</Error>",
    b'{"is_success": "true", "job_list": {"total_count": 1, "jobs": [{"job_id": "\\ud800", "name": "\\u202e"}]}}',
    XML.replace(b"</Name>", b"</Name><Contents><Key>dir/&#x1;</Key><Size>x</Size></Contents>"),
    XML.replace(b"</Name>", b"</Name><Contents><Key>dir/a</Key><LastModified>99999-9</LastModified></Contents>"),
    XML.replace(b"</Name>", b"</Name><EncodingType>url</EncodingType><Contents><Key>%FF%00</Key></Contents>"),
]  # fmt: skip


def response(number: int) -> bytes:
    """Make a response of valid and invalid parts."""
    chance = random.Random(number)
    line = chance.choice(STATUS_LINES) if chance.random() < 0.5 else b"HTTP/1.1 200 OK"
    headers = chance.sample(HEADERS, chance.choice([0, 1, 1, 2, 3, 4, 200]))
    body = chance.choice(BODIES)
    if chance.random() < 0.4:
        headers.append(b"Content-Length: %d" % (len(body) + chance.choice([0, 0, 0, -1, 7])))
    end = chance.choice([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"])
    whole = end.join([line, *headers, b"", b""]) + body
    if chance.random() < 0.15:
        place = chance.randrange(len(whole))
        whole = whole[:place] + bytes([chance.randrange(256)]) + whole[place + 1 :]
    return whole[: chance.randrange(1, len(whole) + 1)] if chance.random() < 0.15 else whole


@pytest.fixture(scope="module")
def junk() -> Iterator[RawServer]:
    with RawServer() as server:
        yield server


def by_requests(account: Account) -> None:
    transport = SyncTransport(account.network)
    try:
        transport.run(request_flow(flink.list_jobs({}), account))
    finally:
        transport.close()


def by_aiohttp(account: Account) -> None:
    async def main() -> None:
        async with AsyncTransport(account.network) as transport:
            for flow in (
                request_flow(flink.list_jobs({}), account),
                find_object_flow(PLACE, account, utc_now),
            ):
                with suppress(DliClientError):
                    await transport.arun(flow)

    asyncio.run(main())


# botocore repeats what it takes for trouble, with pauses of up to three seconds: each of its calls gets fewer.
WAYS: dict[str, tuple[Callable[[Account], Any], int]] = {
    "requests": (by_requests, 1),
    "aiohttp": (by_aiohttp, 1),
    **{f"boto3 {name}": (call, 12) for name, call in ALL.items() if name != "find_object_flow"},
}


@pytest.mark.parametrize("way", WAYS)
def test_junk_on_the_wire_is_an_error_of_ours(junk: RawServer, account_at: Any, way: str) -> None:
    """Or no error at all, where it happens to be no junk."""
    call, each = WAYS[way]
    account = account_of(account_at(junk.url), NETWORK)
    first = sum(map(ord, way)) % each
    for number in range(first, RESPONSES, each):
        junk.answer = response(number)
        began = time.monotonic()
        error = raised_by(call, account)
        assert error is None or isinstance(error, DliClientError), f"response({number}): {error!r}"
        assert str(error).isprintable(), number
        assert time.monotonic() - began < 60, number


def raised_by(call: Callable[[Account], Any], account: Account) -> Exception | None:
    """Return the error of a call."""
    try:
        call(account)
    except Exception as error:  # noqa: BLE001 -- whichever it is, is what is asserted
        return error
    return None
