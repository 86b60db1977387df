"""How hosts are reached: private authorities, proxies, answers without end; both drivers against real servers."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.account import Network
from airflow_provider_dli.client.errors import AnswerLostError, NotSentError, UnexpectedReplyError
from airflow_provider_dli.client.exchange import converse
from airflow_provider_dli.client.transport import LONGEST_ANSWER, reason
from airflow_provider_dli.client.transport.aio import AsyncTransport
from airflow_provider_dli.client.transport.sync import SyncTransport

LIST = flink.list_jobs({}, limit=1)
LISTED = b'{"is_success": "true", "job_list": {"total_count": 0, "jobs": []}}'


def run_sync(conversation: Any, network: Network) -> Any:
    transport = SyncTransport(network)
    try:
        return transport.run(conversation)
    finally:
        transport.close()


def run_async(conversation: Any, network: Network) -> Any:
    async def main() -> Any:
        async with AsyncTransport(network) as transport:
            return await transport.arun(conversation)

    return asyncio.run(main())


@pytest.fixture(params=[run_sync, run_async], ids=["requests", "aiohttp"])
def drive(request: pytest.FixtureRequest) -> Any:
    """Return a driver that takes a network."""
    return request.param


class Handler(BaseHTTPRequestHandler):
    """Answers with a page of jobs."""

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(LISTED)))
        self.end_headers()
        self.wfile.write(LISTED)


class TlsServer(HTTPServer):
    """Serves over TLS."""

    def __init__(self, authority: trustme.CA) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, *_: object) -> None:
        """Keep quiet of clients that do not trust us."""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return a private certificate authority."""
    return trustme.CA()


@pytest.fixture(scope="module")
def tls_url(authority: trustme.CA) -> Iterator[str]:
    """Return the address of a server with a certificate of that authority."""
    server = TlsServer(authority)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_private_authority_is_trusted_where_it_is_named(
    drive: Any, account_at: Any, tls_url: str, authority: trustme.CA, tmp_path: Path
) -> None:
    """Its file is the connection's ca_bundle."""
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    page = drive(converse(LIST, account_at(tls_url)), Network(verify=str(bundle)))
    assert page.total_count == 0


def test_an_unknown_authority_is_refused_before_anything_is_sent(
    drive: Any, account_at: Any, tls_url: str
) -> None:
    """The message says that it is the certificate."""
    with pytest.raises(NotSentError, match=r"(?i)certificate"):
        drive(converse(LIST, account_at(tls_url)), Network())


def test_another_authority_is_refused(drive: Any, account_at: Any, tls_url: str, tmp_path: Path) -> None:
    """A bundle that has not ours."""
    bundle = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(bundle))
    with pytest.raises(NotSentError, match=r"(?i)certificate"):
        drive(converse(LIST, account_at(tls_url)), Network(verify=str(bundle)))


# urllib3 warns at each request; ours warns once, see tests/airflow/test_dli_hook.py.
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_certificates_are_not_checked_where_the_connection_says_so(
    drive: Any, account_at: Any, tls_url: str
) -> None:
    """Only there."""
    assert drive(converse(LIST, account_at(tls_url)), Network(verify=False)).total_count == 0


def test_a_proxy_with_credentials_gets_them_and_the_host_does_not(
    drive: Any, account_at: Any, raw_server: Any
) -> None:
    """Percent-encoded in the URL, decoded in the header."""
    raw_server.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(LISTED), LISTED)
    proxy = raw_server.url.replace("http://", "http://ops:p%40ss@")
    drive(converse(LIST, account_at("http://dli.invalid")), Network(proxy=proxy))
    received = raw_server.received[0]
    assert received.startswith(b"GET http://dli.invalid/v1.0/")
    assert b"Proxy-Authorization: Basic " + b64encode(b"ops:p@ss") in received
    assert received.count(b"Proxy-Authorization") == 1
    assert b"\r\nAuthorization: SDK-HMAC-SHA256 " in received


def test_a_tunnel_through_a_proxy_shows_it_no_signature(drive: Any, account_at: Any, raw_server: Any) -> None:
    """It sees the host's name and its own credentials; a refusal is told without them."""
    raw_server.answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    proxy = raw_server.url.replace("http://", "http://ops:p%40ss@")
    with pytest.raises(NotSentError) as caught:
        drive(converse(LIST, account_at("https://dli.invalid")), Network(proxy=proxy))
    received = raw_server.received[0]
    assert received.startswith(b"CONNECT dli.invalid:443 HTTP/1.")
    assert b"SDK-HMAC-SHA256" not in received
    assert "403" in str(caught.value)
    assert not [
        secret for secret in ("p%40ss", "p@ss", b64encode(b"ops:p@ss").decode()) if secret in str(caught.value)
    ]


def test_a_proxy_that_is_not_there_is_told_without_its_password(drive: Any, account_at: Any) -> None:
    """Nothing was sent."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NotSentError) as caught:
        drive(
            converse(LIST, account_at("http://dli.invalid")), Network(proxy=f"http://ops:p%40ss@127.0.0.1:{port}")
        )
    assert not [secret for secret in ("p%40ss", "p@ss") if secret in str(caught.value)]


class Endless:
    """Answers with more than anybody wants to read."""

    def __init__(self, head: bytes) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.sent = 0
        self._head = head
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        piece = b"x" * 1024 * 1024
        with connection:
            connection.recv(65536)
            connection.sendall(self._head)
            try:
                while self.sent < 2 * LONGEST_ANSWER:
                    connection.sendall(piece)
                    self.sent += len(piece)
            except OSError:  # the client has had enough
                pass

    def close(self) -> None:
        self._thread.join()
        self._socket.close()


@pytest.mark.parametrize(
    "length", [b"", b"Content-Length: 9999999999\r\n"], ids=["without-length", "with-a-length"]
)
def test_an_answer_without_end_is_not_read_to_its_end(drive: Any, account_at: Any, length: bytes) -> None:
    """It is no success, and the message says how much is too much."""
    server = Endless(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + length + b"\r\n")
    try:
        with pytest.raises(UnexpectedReplyError, match="longer than 67,108,864 bytes"):
            drive(converse(LIST, account_at(server.url)), Network(read_timeout=10))
    finally:
        server.close()
    assert server.sent < 2 * LONGEST_ANSWER


def test_who_does_not_answer_is_given_up(drive: Any, account_at: Any) -> None:
    """After the read timeout of the connection; what became of the request is not known."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        account = account_at(f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(AnswerLostError, match="imeout"):
            drive(converse(LIST, account), Network(connect_timeout=5, read_timeout=0.2))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse what waits in a full queue")
def test_who_does_not_accept_is_given_up(drive: Any, account_at: Any) -> None:
    """After the connect timeout; nothing was sent."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as busy, ExitStack() as waiting:
        for _ in range(4):
            first = waiting.enter_context(socket.socket())
            first.setblocking(False)
            first.connect_ex(busy.getsockname())
        account = account_at(f"http://127.0.0.1:{busy.getsockname()[1]}")
        with pytest.raises(NotSentError):
            drive(converse(LIST, account), Network(connect_timeout=0.2, read_timeout=5))


def test_no_cookie_passes_from_one_call_to_the_next(raw_server: Any, drive: Any, account_at: Any) -> None:
    """Of a service that sets one, though it is the same session."""
    body = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: %d\r\n\r\n%b" % (len(LISTED), LISTED)
    raw_server.answer = body
    account = account_at(f"http://localhost:{raw_server.port}")

    def both() -> Any:
        yield from converse(LIST, account)
        return (yield from converse(LIST, account))

    drive(both(), Network())
    assert len(raw_server.received) == 2
    assert b"cookie" not in raw_server.received[1].lower()


@pytest.mark.parametrize(
    ("error", "cause", "told"),
    [
        (ValueError("why"), None, "ValueError: why"),
        (ValueError("why"), OSError("because"), "ValueError: because"),
        (ValueError(), None, "ValueError"),
        (ValueError("at http://someone:secret@host:1/x:"), None, "ValueError: at http://host:1/x"),
    ],
)
def test_the_reason_is_told_without_passwords(error: Exception, cause: object, told: str) -> None:
    """The kind, and the words of the cause or its own."""
    assert reason(error, cause) == told
