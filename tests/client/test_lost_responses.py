"""Whether a request was sent: what may have arrived is sent once, what was never sent has its own error."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import requests
from requests.adapters import BaseAdapter

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.errors import NotSentError, ResponseLostError
from airflow_provider_dli.client.exchange import RetryPolicy, request_flow
from airflow_provider_dli.client.transport import Network
from airflow_provider_dli.client.transport.sync import SyncTransport
from tests.client.conftest import QUICK
from tests.client.raw_server import RawServer, read_request

if TYPE_CHECKING:
    import trustme

EXPORT = flink.export_jobs("obs-test", [100])
#: would retry at once, if it may
EAGER = RetryPolicy(budget=1, first_pause=0.01)
OPENED = b"HTTP/1.1 200 Connection established\r\n\r\n"
PLAIN = b"HTTP/1.1 502 Plain text where TLS is due\r\n\r\n"
BEGUN = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
TWO_LENGTHS = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"
YES = b'{"is_success": "true", "message": "yes"}'
DONE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(YES), YES)


class Peer(RawServer):
    """Speaks TLS too, and opens tunnels."""

    def __init__(self, authority: trustme.CA) -> None:
        self.tunnels = 0
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(self._context)
        super().__init__(hang_up)

    def tunnel(self, connection: socket.socket) -> None:
        assert read_request(connection).startswith(b"CONNECT ")
        self.tunnels += 1
        connection.sendall(OPENED)

    def wrap_tls(self, connection: socket.socket) -> ssl.SSLSocket:
        return self._context.wrap_socket(connection, server_side=True)


def hang_up(peer: Peer, connection: socket.socket) -> None:
    """Read the request and close."""
    peer.read(connection)


def reset(peer: Peer, connection: socket.socket) -> None:
    """Read the request and reset."""
    peer.read(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def contradict(peer: Peer, connection: socket.socket) -> None:
    """Answer with two lengths."""
    peer.read(connection)
    connection.sendall(TWO_LENGTHS)


def tls_hang_up(peer: Peer, connection: socket.socket) -> None:
    """Read the request over TLS and close."""
    with peer.wrap_tls(connection) as inner:
        peer.read(inner)


def tls_bad_record(peer: Peer, connection: socket.socket) -> None:
    """Answer over TLS with bytes that are not TLS."""
    inner = peer.wrap_tls(connection)
    peer.read(inner)
    with socket.socket(fileno=inner.detach()) as bare:
        bare.sendall(PLAIN)


def tls_bad_record_in_the_response(peer: Peer, connection: socket.socket) -> None:
    """Begin the response over TLS and go on with bytes that are not TLS."""
    inner = peer.wrap_tls(connection)
    peer.read(inner)
    inner.sendall(BEGUN)
    with socket.socket(fileno=inner.detach()) as bare:
        bare.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)


def tunnelled(part: Callable[[Peer, socket.socket], None]) -> Callable[[Peer, socket.socket], None]:
    """Play the part at the end of a tunnel."""

    def play(peer: Peer, connection: socket.socket) -> None:
        peer.tunnel(connection)
        part(peer, connection)

    play.__name__ = f"tunnel_{part.__name__}"
    return play


def tls_reset(peer: Peer, connection: socket.socket) -> None:
    """Read the request over TLS and reset."""
    inner = peer.wrap_tls(connection)
    peer.read(inner)
    with socket.socket(fileno=inner.detach()) as bare:
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def no_tls(_peer: Peer, connection: socket.socket) -> None:
    """Answer the handshake with plain text."""
    connection.recv(65536)
    connection.sendall(PLAIN)


def no_handshake(_peer: Peer, connection: socket.socket) -> None:
    """Hang up on the handshake, or on the proxy's request for a tunnel."""
    connection.recv(65536)


@pytest.fixture
def peer(authority: trustme.CA) -> Iterator[Peer]:
    """Return a peer; the test sets its part."""
    peer = Peer(authority)
    yield peer
    peer.close()


def routes(peer: Peer, bundle: str) -> dict[str, tuple[str, Network]]:
    """Return endpoint and network for each route to the peer."""
    trusting = replace(QUICK, verify=bundle)
    proxy = f"http://127.0.0.1:{peer.port}"
    return {
        "direct": (proxy, QUICK),
        "proxy": ("http://dli.invalid", replace(QUICK, proxy=proxy)),
        "tls": (f"https://localhost:{peer.port}", trusting),
        "tunnel": ("https://localhost", replace(trusting, proxy=proxy)),
    }


ARRIVED = [
    ("direct", hang_up),
    ("direct", reset),
    ("direct", contradict),
    ("proxy", hang_up),
    ("proxy", reset),
    ("proxy", contradict),
    ("tls", tls_hang_up),
    ("tls", tls_reset),
    ("tls", tls_bad_record),
    ("tls", tls_bad_record_in_the_response),
    ("tunnel", tunnelled(tls_hang_up)),
    ("tunnel", tunnelled(tls_reset)),
    ("tunnel", tunnelled(tls_bad_record)),
    ("tunnel", tunnelled(tls_bad_record_in_the_response)),
]


@pytest.mark.parametrize(("route", "part"), ARRIVED, ids=lambda each: getattr(each, "__name__", each))
def test_a_request_that_may_have_arrived_is_sent_once(
    route: str, part: Any, peer: Peer, bundle: str, drive: Any, account_at: Any
) -> None:
    """However the response is lost, on any route: an export may have been done."""
    peer.play = part
    endpoint, network = routes(peer, bundle)[route]
    with pytest.raises(ResponseLostError, match="Whether the request took effect is unknown"):
        drive(request_flow(EXPORT, replace(account_at(endpoint), retry=EAGER)), network)
    assert [request.split(b" ")[0] for request in peer.received] == [b"POST"]


@pytest.mark.parametrize(
    ("route", "part"),
    [
        ("tls", no_tls),
        ("tls", no_handshake),
        ("tunnel", no_handshake),
        ("tunnel", tunnelled(no_tls)),
        ("tunnel", tunnelled(no_handshake)),
    ],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_what_was_never_written_is_not_sent(
    route: str, part: Any, peer: Peer, bundle: str, drive: Any, account_at: Any
) -> None:
    """Where no connection came about, up to its TLS, nothing can have been done."""
    peer.play = part
    endpoint, network = routes(peer, bundle)[route]
    with pytest.raises(NotSentError, match="Nothing was sent"):
        drive(request_flow(EXPORT, account_at(endpoint)), network)
    assert peer.received == []


def test_a_certificate_that_is_not_trusted_at_the_end_of_a_tunnel(peer: Peer, drive: Any, account_at: Any) -> None:
    """Nothing was sent; the message names the certificate as the reason."""
    peer.play = tunnelled(tls_hang_up)
    network = replace(QUICK, proxy=f"http://127.0.0.1:{peer.port}")
    with pytest.raises(NotSentError, match=r"(?i)certificate"):
        drive(request_flow(EXPORT, account_at("https://localhost")), network)
    assert (peer.received, peer.tunnels) == ([], 1)


@pytest.mark.parametrize("call", [flink.delete_job(1), flink.update_sql_job(1, name="a")])
def test_no_driver_retries_a_change_by_itself(call: Any, peer: Peer, drive: Any, account_at: Any) -> None:
    """A library may think its method harmless; the flow knows."""
    with pytest.raises(ResponseLostError):
        drive(request_flow(call, account_at(f"http://127.0.0.1:{peer.port}")), QUICK)
    assert len(peer.received) == 1


def keep(peer: Peer, connection: socket.socket) -> None:
    """Answer the first request, keep the connection, read another and close."""
    peer.read(connection)
    connection.sendall(DONE)
    peer.read(connection)


def twice(account: Any) -> Any:
    """Delete a job and another."""
    first = yield from request_flow(flink.delete_job(1), account)
    assert first.message == "yes"
    return (yield from request_flow(flink.delete_job(2), account))


def test_a_request_on_a_kept_connection_may_have_arrived(peer: Peer, drive: Any, account_at: Any) -> None:
    """There was nothing to connect, and the request was read."""
    peer.play = keep
    with pytest.raises(ResponseLostError):
        drive(twice(account_at(f"http://127.0.0.1:{peer.port}")), QUICK)
    assert len(peer.received) == 2


def test_a_closed_connection_is_replaced(peer: Peer, drive: Any, account_at: Any) -> None:
    """And if that fails, the second request was not sent, whatever the outcome of the first."""

    def answer_and_leave(peer: Peer, connection: socket.socket) -> None:
        peer.read(connection)
        peer.stop()
        connection.sendall(DONE.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"))

    peer.play = answer_and_leave
    with pytest.raises(NotSentError):
        drive(twice(account_at(f"http://127.0.0.1:{peer.port}")), QUICK)
    assert len(peer.received) == 1


def test_threads_that_share_a_transport_get_the_outcome_of_their_own_request(peer: Peer, account_at: Any) -> None:
    """A failed connection of one thread does not change the error of another's request."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"
    transport = SyncTransport(QUICK)

    def kind(endpoint: str) -> type[Exception]:
        try:
            transport.run(request_flow(EXPORT, account_at(endpoint)))
        except (ResponseLostError, NotSentError) as error:
            return type(error)
        raise AssertionError("got a response")

    endpoints = [nowhere, f"http://127.0.0.1:{peer.port}"] * 20
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(kind, endpoints)) == [NotSentError, ResponseLostError] * 20
    transport.close()
    assert len(peer.received) == 20


class Foreign(BaseAdapter):
    """An adapter that somebody else has mounted."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def send(self, *_: object, **__: object) -> Any:
        raise self.error

    def close(self) -> None:
        """Hold nothing."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (requests.ConnectTimeout("slow"), NotSentError),
        (requests.exceptions.InvalidSchema("no SOCKS"), NotSentError),
        (requests.exceptions.ProxyError("closed"), ResponseLostError),
        (requests.exceptions.SSLError("bad record"), ResponseLostError),
        (requests.ConnectionError("refused"), ResponseLostError),
        (requests.exceptions.InvalidHeader("two lengths"), ResponseLostError),
        (ValueError("of its own"), ResponseLostError),
    ],
)
def test_of_an_adapter_that_is_not_ours_nothing_is_known(
    error: Exception, kind: type[Exception], account_at: Any
) -> None:
    """Its errors may come after the request was sent, except those that mean a connection never existed."""
    transport = SyncTransport(QUICK)
    transport.session.mount("http://", Foreign(error))
    with pytest.raises(kind):
        transport.run(request_flow(EXPORT, account_at("http://dli.invalid")))
    transport.close()
