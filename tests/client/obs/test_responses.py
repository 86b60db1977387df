"""Responses of OBS, or of a gateway before it: by boto3's path and by our own, from raw sockets."""

from __future__ import annotations

import asyncio
import io
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_dli.client.errors import (
    DliClientError,
    NotSentError,
    ResponseLostError,
    UnavailableError,
    UnexpectedReplyError,
)
from airflow_provider_dli.client.exchange import Account, utc_now
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.client.obs.client import make_client
from airflow_provider_dli.client.obs.objects import (
    ObjectFacts,
    copy_object,
    delete_object,
    find_object,
    find_object_flow,
    has_objects,
    list_entries,
    list_keys,
    list_objects,
    put_object,
    upload,
)
from airflow_provider_dli.client.obs.reader import ObjectReader
from airflow_provider_dli.client.transport import Network
from airflow_provider_dli.client.transport.aio import AsyncTransport
from tests.client.raw_server import RawServer

PLACE = ObsLocation("obs-test", "dir/a.zip")
DIRECTORY = ObsLocation("obs-test", "dir")
FACTS = ObjectFacts(4, "e1", "2026-01-15T12:00:00+00:00")
# One request without botocore's retries would be quicker; these keep it short.
SHORT = Network(connect_timeout=1, read_timeout=1, total_timeout=1.5)
HEADER = b'ETag: "e1"\r\nLast-Modified: Thu, 15 Jan 2026 12:00:00 GMT\r\n'
PAGE = b"<!DOCTYPE html><html><body><form action='/login'>Log in</form></body></html>"


def response(body: bytes = b"", status: bytes = b"200 OK", headers: bytes = b"", head: bool = False) -> bytes:
    length = b"Content-Length: %d\r\n" % len(body)
    return (
        b"HTTP/1.1 " + status + b"\r\n" + length + headers + b"Connection: close\r\n\r\n" + (b"" if head else body)
    )


def listing(
    inner: bytes = b"", name: bytes = b"obs-test", prefix: bytes = b"dir/", last: bytes = b"false"
) -> bytes:
    about = b"<Name>%b</Name><Prefix>%b</Prefix><IsTruncated>%b</IsTruncated>" % (name, prefix, last)
    return b"<?xml version='1.0'?><ListBucketResult>" + about + inner + b"</ListBucketResult>"


TRUNCATED = listing()[:-20]


def entry(key: bytes) -> bytes:
    return (
        b'<Contents><Key>%b</Key><LastModified>2026-01-15T12:00:00.000Z</LastModified><ETag>"e"</ETag>'
        b"<Size>1</Size></Contents>" % key
    )


@pytest.fixture(scope="module")
def one_server() -> Iterator[RawServer]:
    with RawServer(concurrent=True) as server:
        yield server


@pytest.fixture
def server(one_server: RawServer) -> Iterator[RawServer]:
    """Return the server of this module: the clients of one address are made once, which takes a while."""
    one_server.received.clear()
    one_server.play, one_server.answer = RawServer.respond, response()
    one_server.ended.clear()
    yield one_server
    one_server.ended.set()


def account_of(account: Account, network: Network = SHORT) -> Account:
    return replace(account, network=network)


def find_async(account: Account, place: ObsLocation = PLACE) -> Any:
    async def main() -> Any:
        async with AsyncTransport(account.network) as transport:
            return await transport.arun(find_object_flow(place, account, utc_now))

    return asyncio.run(main())


CLIENTS: dict[tuple[str, Network], Any] = {}


def client_of(account: Account) -> Any:
    place = account.obs_endpoint, account.network
    if place not in CLIENTS:
        CLIENTS[place] = make_client(account, lambda: account.credentials)  # type: ignore[arg-type, return-value]
    return CLIENTS[place]


def by_boto3(call: Callable[[Any], Any]) -> Callable[[Account], Any]:
    return lambda account: call(client_of(account))


def read(client: Any) -> bytes:
    with ObjectReader(client, PLACE, FACTS) as reader:
        return reader.read()


LISTINGS: dict[str, Callable[[Account], Any]] = {
    "list_objects": by_boto3(lambda client: list_objects(client, DIRECTORY)),
    "list_entries": by_boto3(lambda client: list_entries(client, DIRECTORY)),
    "list_keys": by_boto3(lambda client: list_keys(client, DIRECTORY)),
    "has_objects": by_boto3(lambda client: has_objects(client, DIRECTORY)),
}
FINDS: dict[str, Callable[[Account], Any]] = {
    "find_object": by_boto3(lambda client: find_object(client, PLACE)),
    "find_object_flow": find_async,
}
WRITES: dict[str, Callable[[Account], Any]] = {
    "put_object": by_boto3(lambda client: put_object(client, PLACE, b"x", "text/plain")),
    "upload": by_boto3(lambda client: upload(client, io.BytesIO(b"x" * 100_000), PLACE)),
    "copy_object": by_boto3(lambda client: copy_object(client, PLACE, FACTS, ObsLocation("obs-test", "b.zip"))),
    "delete_object": by_boto3(lambda client: delete_object(client, PLACE)),
}
READS: dict[str, Callable[[Account], Any]] = {"read": by_boto3(read)}
ALL = {**LISTINGS, **FINDS, **WRITES, **READS}


@pytest.mark.parametrize(
    "answer",
    [
        response(PAGE, headers=b"Content-Type: text/html\r\n"),
        response(PAGE),
        response(b"", b"204 No Content"),
        response(b""),
        response(b'{"is_success": true}'),
        response(b"OK"),
        response(b"<html/>"),
        response(b"<ListAllMyBucketsResult/>"),
        response(b"<ListBucketResult/>"),
        response(b"<ListBucketResult><Name>obs-test</Name><Prefix>dir/</Prefix></ListBucketResult>"),
        response(listing(name=b"obs-other")),
        response(listing(prefix=b"other/")),
        response(listing(prefix=b"")),
        response(listing(entry(b"other/a.zip"))),
        response(listing(b"<Contents><Key>dir/a</Key></Contents>")),
        response(listing(b"<Contents><LastModified>2026-01-15T12:00:00Z</LastModified></Contents>")),
        response(listing(b"<Contents><Key>dir/a</Key><LastModified>soon</LastModified></Contents>")),
        response(TRUNCATED),
        response(listing(last=b"true")),
        *[response(listing(last=last)) for last in (b"", b"TRUE", b"True", b"1", b"yes", b" true ", b"null")],
        response(listing(b"<NextMarker>dir/b</NextMarker>", last=b"true")),
        response(listing(entry(b"dir/a"), last=b"true")),
        response(b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + listing()),
        response(b"<a>" * 5000),
        response(listing(), b"302 Found", b"Location: /login\r\n"),
        response(listing(), b"301 Moved", b"x-amz-bucket-region: eu-west-1\r\n"),
        response(listing(), b"300 Multiple Choices"),
        response(listing(), b"304 Not Modified", head=True),
        response(PAGE, b"404 Not Found", b"Content-Type: text/html\r\n"),
    ],
    ids=lambda answer: answer.replace(b"\r\n", b" ")[9:90].decode(),
)
def test_an_invalid_listing_is_never_an_empty_one(server: RawServer, account_at: Any, answer: bytes) -> None:
    """Nor one of another bucket or prefix, nor one that does not end."""
    server.answer = answer
    with pytest.raises((UnexpectedReplyError, UnavailableError)) as caught:
        LISTINGS["list_keys"](account_of(account_at(server.url)))
    # botocore itself takes XML that is cut for trouble of the service.
    assert isinstance(caught.value, UnavailableError) is answer.endswith(TRUNCATED)
    assert caught.value.operation == "ListObjects"
    assert len(server.received) <= 3


@pytest.mark.parametrize("call", LISTINGS.values(), ids=LISTINGS)
@pytest.mark.parametrize("answer", [response(PAGE), response(listing(name=b"obs-other"))])
def test_every_listing_is_checked(
    server: RawServer, account_at: Any, call: Callable[[Account], Any], answer: bytes
) -> None:
    """In each function that lists."""
    server.answer = answer
    with pytest.raises(UnexpectedReplyError):
        call(account_of(account_at(server.url)))


def test_a_listing_that_is_one_is_read(server: RawServer, account_at: Any) -> None:
    """With comments, a byte order mark, a name space."""
    body = b"\xef\xbb\xbf" + listing(entry(b"dir/a")).replace(
        b"<ListBucketResult>", b"<!-- x -->\n<ListBucketResult xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>"
    )
    server.answer = response(body)
    account = account_of(account_at(server.url))
    assert LISTINGS["list_keys"](account) == ["dir/a"]
    assert LISTINGS["has_objects"](account)


def test_a_listing_is_walked_to_its_end(server: RawServer, account_at: Any) -> None:
    """From marker to marker."""

    def play(server: RawServer, connection: socket.socket) -> None:
        request = server.read(connection)
        is_first = b"marker" not in request.split(b"\r\n")[0]
        connection.sendall(
            response(listing(entry(b"dir/a"), last=b"true") if is_first else listing(entry(b"dir/b")))
        )

    server.play = play
    assert LISTINGS["list_keys"](account_of(account_at(server.url))) == ["dir/a", "dir/b"]


@pytest.mark.parametrize("call", FINDS.values(), ids=FINDS)
@pytest.mark.parametrize(
    "answer",
    [
        response(PAGE, headers=b"Content-Type: text/html\r\n", head=True),
        response(PAGE, b"404 Not Found", b"Content-Type: text/html; charset=utf-8\r\n", head=True),
        response(headers=b'ETag: "e1"\r\n'),
        response(headers=b"Last-Modified: Thu, 15 Jan 2026 12:00:00 GMT\r\n"),
        response(headers=HEADER.replace(b"Thu, 15 Jan 2026 12:00:00 GMT", b"soon")),
        response(headers=HEADER.replace(b"2026", b"99999")),
        response(headers=HEADER.replace(b'"e1"', b'""')),
        b"HTTP/1.1 200 OK\r\n" + HEADER + b"Connection: close\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
        response(b"", b"302 Found", b"Location: http://127.0.0.1:1/\r\n"),
        response(b"", b"307 Temporary Redirect", HEADER + b"Location: http://127.0.0.1:1/\r\n"),
        response(b"", b"301 Moved Permanently", b"x-amz-bucket-region: eu-west-1\r\n"),
    ],
    ids=lambda answer: answer.replace(b"\r\n", b" ")[9:110].decode(),
)
def test_what_describes_no_object_is_neither_one_nor_none(
    server: RawServer, account_at: Any, call: Callable[[Account], Any], answer: bytes
) -> None:
    """HEAD without an ETag, a time, a length; a page of a proxy."""
    server.answer = answer
    with pytest.raises(DliClientError) as caught:
        call(account_of(account_at(server.url)))
    assert isinstance(caught.value, UnexpectedReplyError), caught.value
    assert len(server.received) <= 2


@pytest.mark.parametrize("call", FINDS.values(), ids=FINDS)
def test_a_bucket_is_not_shown_by_a_page(
    server: RawServer, account_at: Any, call: Callable[[Account], Any]
) -> None:
    """An object is missing only from a bucket that is there."""

    def play(server: RawServer, connection: socket.socket) -> None:
        request = server.read(connection)
        is_object = b"a.zip" in request.split(b"\r\n")[0]
        page = response(PAGE, headers=b"Content-Type: text/html\r\n", head=True)
        connection.sendall(response(status=b"404 Not Found") if is_object else page)

    server.play = play
    with pytest.raises(UnexpectedReplyError, match="HeadBucket"):
        call(account_of(account_at(server.url)))


@pytest.mark.parametrize("name", [*WRITES, *READS])
@pytest.mark.parametrize(
    "answer",
    [
        response(PAGE, headers=b"Content-Type: text/html\r\n"),
        response(),
        response(b"<CopyObjectResult/>"),
        response(PAGE, b"201 Created"),
        response(b"", b"302 Found", b"Location: http://127.0.0.1:1/\r\n"),
        response(b"", b"307 Temporary Redirect", b"Location: http://127.0.0.1:1/\r\n"),
    ],
    ids=lambda answer: answer.replace(b"\r\n", b" ")[9:90].decode(),
)
def test_a_foreign_response_is_an_error(server: RawServer, account_at: Any, name: str, answer: bytes) -> None:
    """A write has an ETag, a deletion no content."""
    server.answer = answer
    with pytest.raises(DliClientError) as caught:
        ALL[name](account_of(account_at(server.url)))
    is_copied_without_tag = name == "copy_object" and b"<CopyObjectResult/>" in answer
    assert isinstance(caught.value, UnavailableError if is_copied_without_tag else UnexpectedReplyError)


def test_writes_succeed(server: RawServer, account_at: Any) -> None:
    """With the responses of OBS."""
    account = account_of(account_at(server.url))
    server.answer = response(headers=HEADER)
    WRITES["put_object"](account)
    WRITES["upload"](account)
    assert server.received[-1].count(b"x" * 100_000) == 1
    server.answer = b"HTTP/1.1 204 No Content\r\n\r\n"
    WRITES["delete_object"](account)
    server.answer = response(b"<?xml version='1.0'?>\n\n  <CopyObjectResult><ETag>\"e\"</ETag></CopyObjectResult>")
    WRITES["copy_object"](account)


def drip(head: bytes, piece: bytes) -> Callable[[RawServer, socket.socket], None]:
    """Send a head, and then a piece again and again, until the server ends or the client has had enough."""

    def play(server: RawServer, connection: socket.socket) -> None:
        server.read(connection)
        connection.sendall(head)
        while not server.ended.wait(0.1):
            connection.sendall(piece)

    return play


DRIPS = {
    "body": (b"HTTP/1.1 200 OK\r\n" + HEADER + b"Content-Length: 1000000\r\n\r\n<", b"x"),
    "chunks": (b"HTTP/1.1 200 OK\r\n" + HEADER + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n"),
    "header": (b"HTTP/1.1 200 OK\r\nX-More: ", b"x"),
    "status": (b"HTTP/1.1 ", b"2"),
    "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "partial": (
        b"HTTP/1.1 206 Partial Content\r\n" + HEADER + b"Content-Range: bytes 0-3/4\r\nContent-Length: 4\r\n\r\n",
        b"",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "fault"),
    [
        *[("list_keys", fault) for fault in DRIPS],
        ("find_object", "header"),
        ("find_object_flow", "headers"),
        ("put_object", "status"),
        ("copy_object", "body"),
        ("read", "headers"),
        ("read", "partial"),
    ],
)
def test_what_drips_is_given_up(server: RawServer, account_at: Any, name: str, fault: str) -> None:
    """Each exchange has a time in all, however slowly its bytes come."""
    server.play = drip(*DRIPS[fault])
    began = time.monotonic()
    with pytest.raises((ResponseLostError, UnexpectedReplyError)):
        ALL[name](account_of(account_at(server.url), replace(SHORT, total_timeout=0.5)))
    # Three attempts, or six of the reader; with botocore's pauses.
    assert time.monotonic() - began < 90


def test_an_archive_that_drips_is_given_up_at_once(server: RawServer, account_at: Any) -> None:
    """It is not resumed again and again: another attempt would come no sooner."""
    facts = ObjectFacts(1000, "e1", "2026-01-15T12:00:00+00:00")
    head = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-999/1000\r\nContent-Length: 1000\r\n"
    server.play = drip(head + HEADER + b"\r\n", b"x")
    client = client_of(account_of(account_at(server.url), replace(SHORT, total_timeout=0.7)))
    with ObjectReader(client, PLACE, facts) as reader, pytest.raises(ResponseLostError, match="total_timeout"):
        reader.read()
    assert len(server.received) == 1


@pytest.mark.parametrize("name", ALL)
def test_a_redirect_leads_nowhere(server: RawServer, account_at: Any, name: str) -> None:
    """One error, and no signature for another host: the redirecting server gets one request."""
    with RawServer() as other:
        server.answer = response(b"", b"302 Found", b"Location: %b/\r\n" % other.url.encode())
        with pytest.raises(UnexpectedReplyError, match=r"redirected to .*which is not followed"):
            ALL[name](account_of(account_at(server.url)))
        assert (len(server.received), other.received) == (1, [])


@pytest.mark.parametrize("name", ALL)
def test_a_region_that_a_response_names_is_not_used(server: RawServer, account_at: Any, name: str) -> None:
    """Signatures are for the region of the connection."""
    error = (
        b"<Error><Code>AuthorizationHeaderMalformed</Code><Message>x</Message><Region>eu-west-1</Region></Error>"
    )
    server.answer = response(error, b"400 Bad Request", b"x-amz-bucket-region: eu-west-1\r\n")
    with pytest.raises(DliClientError):
        ALL[name](account_of(account_at(server.url)))
    assert all(b"eu-west-1" not in request for request in server.received)
    assert len(server.received) <= 2


@pytest.mark.parametrize("name", ["list_keys", "read"])
def test_a_body_without_end_is_not_read_to_its_end(server: RawServer, account_at: Any, name: str) -> None:
    """Of an error neither."""

    def play(server: RawServer, connection: socket.socket) -> None:
        server.read(connection)
        connection.sendall(b"HTTP/1.1 409 Conflict\r\n" + HEADER + b"\r\n<Error>")
        for _piece in range(160):
            connection.sendall(b"x" * 1024 * 1024)

    server.play = play
    with pytest.raises(UnexpectedReplyError, match="longer than 67,108,864 bytes"):
        ALL[name](account_of(account_at(server.url), Network(read_timeout=30)))


@pytest.mark.parametrize("name", ["list_keys", "find_object_flow"])
@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_private_authority_of_the_environment_is_trusted(
    monkeypatch: pytest.MonkeyPatch, account_at: Any, tls_url: str, bundle: str, name: str, variable: str
) -> None:
    """For OBS as for DLI: the response is not one of OBS, so the host was reached."""
    for each in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(each, raising=False)
    CLIENTS.clear()
    with pytest.raises(NotSentError, match=r"(?i)certificate"):
        ALL[name](account_of(account_at(tls_url)))
    monkeypatch.setenv(variable, bundle)
    CLIENTS.clear()
    with pytest.raises(DliClientError) as caught:
        ALL[name](account_of(account_at(tls_url)))
    assert not isinstance(caught.value, NotSentError)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["list_keys", "find_object_flow", "put_object", "read"])
@pytest.mark.parametrize(
    "way", ["handshake cut", "plain text", "proxy refuses", "proxy cuts", "no proxy", "no host"]
)
def test_tls_and_proxies_that_fail_have_sent_nothing(account_at: Any, name: str, way: str) -> None:
    """Whatever the request."""

    def play(_: RawServer, connection: socket.socket) -> None:
        connection.recv(65536)
        if way == "plain text":
            connection.sendall(response(b"no TLS"))
        elif way == "proxy refuses":
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    listener = RawServer(play)
    network = SHORT
    endpoint = f"https://{listener.host}"
    if "proxy" in way:
        endpoint, network = "https://obs.invalid", replace(SHORT, proxy=f"http://ops:s3cret@{listener.host}")
    if way in ("no proxy", "no host"):
        network = replace(SHORT, proxy="http://ops:s3cret@127.0.0.1:1") if way == "no proxy" else SHORT
        endpoint = "https://obs.invalid"
    try:
        with pytest.raises(NotSentError) as caught:
            ALL[name](account_of(account_at(endpoint), network))
        assert "s3cret" not in str(caught.value)
    finally:
        listener.close()


@pytest.mark.slow
def test_who_does_not_read_is_not_written_to_for_ever(account_at: Any) -> None:
    """An upload has an end, too: of its time, and of each wait."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    account = account_of(account_at(f"http://127.0.0.1:{listener.getsockname()[1]}"))
    try:
        with pytest.raises(ResponseLostError, match=r"total_timeout|timed out"):
            by_boto3(lambda client: put_object(client, PLACE, b"x" * 30_000_000, "text/plain"))(account)
    finally:
        listener.close()
