"""How hosts are reached: private authorities, proxies, endless responses; both drivers against real servers."""

from __future__ import annotations

import socket
import sys
from base64 import b64encode
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.errors import NotSentError, ResponseLostError, UnexpectedReplyError
from airflow_provider_dli.client.exchange import request_flow
from airflow_provider_dli.client.transport import MAX_RESPONSE_BYTES, Network, reason
from airflow_provider_dli.client.transport.sync import SyncTransport
from tests.client.conftest import LISTED
from tests.client.raw_server import RawServer

LIST = flink.list_jobs({}, limit=1)


def test_a_private_authority_is_trusted_where_it_is_named(
    drive: Any, account_at: Any, tls_url: str, bundle: str
) -> None:
    """Its file is the connection's ca_bundle."""
    page = drive(request_flow(LIST, account_at(tls_url)), Network(verify=bundle))
    assert page.total_count == 0


def test_an_unknown_authority_is_refused_before_anything_is_sent(
    drive: Any, account_at: Any, tls_url: str
) -> None:
    """The message names the certificate as the reason."""
    with pytest.raises(NotSentError, match=r"(?i)certificate"):
        drive(request_flow(LIST, account_at(tls_url)), Network())


def test_another_authority_is_refused(drive: Any, account_at: Any, tls_url: str, tmp_path: Path) -> None:
    """A bundle without our authority."""
    bundle = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(bundle))
    with pytest.raises(NotSentError, match=r"(?i)certificate"):
        drive(request_flow(LIST, account_at(tls_url)), Network(verify=str(bundle)))


# urllib3 warns at each request; ours warns once, see tests/hooks/test_dli.py.
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_certificates_are_not_verified_if_the_connection_skips_it(
    drive: Any, account_at: Any, tls_url: str
) -> None:
    """Only there."""
    assert drive(request_flow(LIST, account_at(tls_url)), Network(verify=False)).total_count == 0


def test_a_proxy_with_credentials_gets_them_and_the_host_does_not(
    drive: Any, account_at: Any, raw_server: Any
) -> None:
    """Percent-encoded in the URL, decoded in the header."""
    raw_server.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(LISTED), LISTED)
    proxy = raw_server.url.replace("http://", "http://ops:p%40ss@")
    drive(request_flow(LIST, account_at("http://dli.invalid")), Network(proxy=proxy))
    received = raw_server.received[0]
    assert received.startswith(b"GET http://dli.invalid/v1.0/")
    assert b"Proxy-Authorization: Basic " + b64encode(b"ops:p@ss") in received
    assert received.count(b"Proxy-Authorization") == 1
    assert b"\r\nAuthorization: SDK-HMAC-SHA256 " in received


def test_a_tunnel_through_a_proxy_shows_it_no_signature(drive: Any, account_at: Any, raw_server: Any) -> None:
    """It sees the host's name and its own credentials; the message of a refusal does not have them."""
    raw_server.answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    proxy = raw_server.url.replace("http://", "http://ops:p%40ss@")
    with pytest.raises(NotSentError) as caught:
        drive(request_flow(LIST, account_at("https://dli.invalid")), Network(proxy=proxy))
    received = raw_server.received[0]
    assert received.startswith(b"CONNECT dli.invalid:443 HTTP/1.")
    assert b"SDK-HMAC-SHA256" not in received
    assert "403" in str(caught.value)
    assert not [
        secret for secret in ("p%40ss", "p@ss", b64encode(b"ops:p@ss").decode()) if secret in str(caught.value)
    ]


def test_an_unreachable_proxy_is_named_without_its_password(drive: Any, account_at: Any) -> None:
    """Nothing was sent."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NotSentError) as caught:
        drive(
            request_flow(LIST, account_at("http://dli.invalid")),
            Network(proxy=f"http://ops:p%40ss@127.0.0.1:{port}"),
        )
    assert not [secret for secret in ("p%40ss", "p@ss") if secret in str(caught.value)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (b"200 OK", b""),
        (b"200 OK", b"Content-Length: 9999999999\r\n"),
        (b"302 Found", b"Location: /login\r\n"),
    ],
    ids=["without-length", "with-a-length", "redirect"],
)
def test_an_endless_response_is_aborted(drive: Any, account_at: Any, status: bytes, headers: bytes) -> None:
    """The call fails, and the message has the limit."""
    head = b"HTTP/1.1 " + status + b"\r\nConnection: close\r\n" + headers + b"\r\n"
    piece, sent = b"x" * 1024 * 1024, 0

    def play(server: RawServer, connection: socket.socket) -> None:
        nonlocal sent
        server.read(connection)
        connection.sendall(head)
        while sent < 2 * MAX_RESPONSE_BYTES:
            connection.sendall(piece)
            sent += len(piece)

    with RawServer(play) as server, pytest.raises(UnexpectedReplyError, match="longer than 67,108,864 bytes"):
        drive(request_flow(LIST, account_at(server.url)), Network(read_timeout=10))
    assert sent < 2 * MAX_RESPONSE_BYTES


def test_a_silent_server_times_out(drive: Any, account_at: Any) -> None:
    """After the read timeout of the connection; the outcome of the request is unknown."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        account = account_at(f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(ResponseLostError, match="imeout"):
            drive(request_flow(LIST, account), Network(connect_timeout=5, read_timeout=0.2))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse what waits in a full queue")
def test_a_server_that_does_not_accept_times_out(drive: Any, account_at: Any) -> None:
    """After the connect timeout; nothing was sent."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as busy, ExitStack() as waiting:
        for _ in range(4):
            first = waiting.enter_context(socket.socket())
            first.setblocking(False)
            first.connect_ex(busy.getsockname())
        account = account_at(f"http://127.0.0.1:{busy.getsockname()[1]}")
        with pytest.raises(NotSentError):
            drive(request_flow(LIST, account), Network(connect_timeout=0.2, read_timeout=5))


def test_no_cookie_passes_from_one_call_to_the_next(raw_server: Any, drive: Any, account_at: Any) -> None:
    """Of a service that sets one, though it is the same session."""
    head = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    raw_server.answer = head % len(LISTED) + LISTED
    account = account_at(f"http://localhost:{raw_server.port}")

    def both() -> Any:
        yield from request_flow(LIST, account)
        return (yield from request_flow(LIST, account))

    drive(both(), Network())
    assert len(raw_server.received) == 2
    assert b"cookie" not in raw_server.received[1].lower()


@pytest.mark.parametrize(
    ("error", "cause", "shown"),
    [
        (ValueError("why"), None, "ValueError: why"),
        (ValueError("why"), OSError("because"), "ValueError: because"),
        (ValueError(), None, "ValueError"),
        (ValueError("at http://someone:secret@host:1/x:"), None, "ValueError: at http://host:1/x"),
        (ValueError("at http://someone:se/cr@et@host"), None, "ValueError: at http://host"),
        (ValueError("It ends."), None, "ValueError: It ends"),
    ],
)
def test_the_reason_has_no_password(error: Exception, cause: object, shown: str) -> None:
    """The kind, and the words of the cause or its own."""
    assert reason(error, cause) == shown


@pytest.mark.parametrize("scheme", ["http://", "https://"])
def test_as_many_connections_are_kept_as_threads_may_share_a_transport(scheme: str) -> None:
    """Of either scheme: with the ten that requests keeps, most threads would connect again for each request."""
    transport = SyncTransport()
    adapter: Any = transport.session.get_adapter(f"{scheme}host")
    assert adapter.poolmanager.connection_pool_kw["maxsize"] == 256
    transport.close()


DRIPS = {
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n"),
    "header": (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "status": (b"", b"H"),
    "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


def dripping(head: bytes, piece: bytes) -> RawServer:
    """Return a server that sends the beginning of a response, and then a little at a time until it is closed."""

    def play(server: RawServer, connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(head)
        while not server.ended.wait(0.05):
            connection.sendall(piece)

    return RawServer(play)


@pytest.mark.slow
@pytest.mark.parametrize("fault", DRIPS)
def test_what_drips_is_given_up(drive: Any, account_at: Any, fault: str) -> None:
    """However slowly the bytes come, the exchange has an end; the message names the setting."""
    server = dripping(*DRIPS[fault])
    try:
        with pytest.raises((ResponseLostError, UnexpectedReplyError), match=r"total_timeout|(?i:status|http)"):
            drive(
                request_flow(LIST, account_at(f"http://{server.host}")), Network(read_timeout=5, total_timeout=0.6)
            )
    finally:
        server.close()


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["headers", "header", "tls"])
def test_a_proxy_or_a_handshake_that_drips_is_given_up(drive: Any, account_at: Any, fault: str) -> None:
    """Nothing of the request has left."""
    server = dripping(*DRIPS.get(fault, (b"\x16\x03\x03\x40\x00", b"\x00")))
    network = Network(connect_timeout=0.6, read_timeout=5, total_timeout=0.6)
    endpoint = "https://dli.invalid"
    if fault == "tls":
        endpoint = f"https://{server.host}"
    else:
        network = replace(network, proxy=f"http://{server.host}")
    try:
        with pytest.raises(NotSentError):
            drive(request_flow(LIST, account_at(endpoint)), network)
    finally:
        server.close()


def test_a_response_takes_twice_the_read_timeout_by_default() -> None:
    """And the time to connect."""
    assert Network().total == 250
    assert Network(connect_timeout=1, read_timeout=2).total == 5
    assert Network(total_timeout=7).total == 7
