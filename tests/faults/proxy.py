"""A proxy that breaks HTTP exchanges on purpose, at the level of bytes; one stands before DLI, one before OBS.

It forwards requests unchanged, so that signatures hold, and knows nothing of the client that it is between.
"""

from __future__ import annotations

import json
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from http.client import HTTPException, HTTPResponse
from typing import Any, Self
from urllib.parse import urlsplit

#: seconds after which an exchange that a fault holds open is given up, should the client never hang up
LONGEST = 60.0
_NO_BODY = (204, 304)


@dataclass(frozen=True)
class Response:
    """A response as the service gave it, or as a fault changed it.

    :param status: HTTP status
    :param headers: name and value, in their order
    :param body: its bytes
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def without(self, *names: str) -> Response:
        dropped = {name.lower() for name in names}
        return replace(self, headers=tuple(each for each in self.headers if each[0].lower() not in dropped))

    def having(self, **values: str) -> Response:
        """Set headers; underscores stand for hyphens."""
        given = {name.replace("_", "-"): value for name, value in values.items()}
        return replace(self, headers=(*self.without(*given).headers, *given.items()))

    def with_body(self, body: Any) -> Response:
        """Set another body: bytes, text, or JSON."""
        data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        return replace(self.without("content-length"), body=data)

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Exchange:
    """One request on its way through the proxy.

    :param proxy: that it goes through
    :param client: connection to whoever sent it
    :param method: HTTP method
    :param target: path and query
    :param head: the request line and the headers, as they came
    :param body: of the request
    :param operation: its name, see :class:`FaultProxy`
    :param turn: how many requests the fault has struck before
    """

    proxy: FaultProxy
    client: socket.socket
    method: str
    target: str
    head: bytes
    body: bytes
    operation: str
    turn: int = 0

    def forward(self) -> Response:
        """Have the service act, and take its response."""
        with socket.create_connection(self.proxy.upstream, LONGEST) as service:
            service.sendall(self.head + self.body)
            response = HTTPResponse(service, method=self.method)
            response.begin()
            # Of a HEAD, the length is of a body that is not sent.
            dropped = {"connection", "transfer-encoding", *(() if self.method == "HEAD" else ("content-length",))}
            headers = [each for each in response.getheaders() if each[0].lower() not in dropped]
            return Response(response.status, tuple(headers), response.read())

    def answer(self, response: Response, *, keep: bool = False) -> None:
        """Send a response, whole."""
        self.send(self.written(response, keep=keep))

    def written(self, response: Response, *, keep: bool = False) -> bytes:
        """Return the bytes of a response."""
        headers = list(response.headers)
        has_length = any(name.lower() in ("content-length", "transfer-encoding") for name, _ in headers)
        if not has_length and response.status not in _NO_BODY and self.method != "HEAD":
            headers.append(("Content-Length", str(len(response.body))))
        if not keep:
            headers.append(("Connection", "close"))
        lines = [f"HTTP/1.1 {response.status} Scripted", *(f"{name}: {value}" for name, value in headers)]
        body = b"" if self.method == "HEAD" else response.body
        return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body

    def send(self, data: bytes) -> None:
        self.client.sendall(data)

    def drip(self, data: bytes, pause: float = 0.1) -> None:
        """Send byte after byte, as long as the client listens."""
        end = time.monotonic() + LONGEST
        for byte in data:
            if time.monotonic() > end or self.has_hung_up(pause):
                return
            self.send(bytes([byte]))

    def flood(self, piece: bytes) -> None:
        """Send the same again and again, until the client hangs up."""
        end = time.monotonic() + LONGEST
        with suppress(OSError):
            while time.monotonic() < end:
                self.send(piece)

    def stall(self) -> None:
        """Send nothing more, until the client hangs up."""
        self.has_hung_up(LONGEST)

    def reset(self) -> None:
        """End the connection by a reset."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def has_hung_up(self, seconds: float) -> bool:
        """Wait for the client to close the connection, or for the time to pass."""
        self.client.settimeout(seconds)
        try:
            return not self.client.recv(1)
        except TimeoutError:
            return False
        except OSError:
            return True
        finally:
            self.client.settimeout(LONGEST)


Fault = Callable[[Exchange], None]


@dataclass
class Rule:
    """What is to go wrong, and with which requests.

    :param operations: their names
    :param fault: breaks the exchange
    :param times: how many requests it strikes; None for all
    """

    operations: frozenset[str]
    fault: Fault
    times: int | None = None
    struck: int = 0


class FaultProxy:
    """Stands before a service; a context manager.

    :param upstream: base URL of the service
    :param name_of: names the operation of a request, by method and target
    """

    #: what faults may read or change beside the exchange
    context: Any = None

    def __init__(self, upstream: str, name_of: Callable[[str, str], str]) -> None:
        place = urlsplit(upstream)
        self.upstream = (place.hostname or "", place.port or 80)
        self.name_of = name_of
        #: the operations that were requested, in their order
        self.requests: list[str] = []
        #: what proves identity in these requests: it must be in no log
        self.secrets: set[str] = set()
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def clear(self) -> None:
        """Break nothing, and forget the requests."""
        with self._lock:
            self._rules.clear()
            self.requests.clear()

    def strike(self, operations: frozenset[str], fault: Fault, times: int | None = None) -> Rule:
        """Break the next exchanges of these operations."""
        rule = Rule(operations, fault, times)
        with self._lock:
            self._rules.append(rule)
        return rule

    def rule_for(self, exchange: Exchange) -> Rule | None:
        with self._lock:
            self.requests.append(exchange.operation)
            for rule in self._rules:
                if exchange.operation in rule.operations and (rule.times is None or rule.struck < rule.times):
                    exchange.turn = rule.struck
                    rule.struck += 1
                    return rule
        return None


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    proxy: FaultProxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing: a client that hangs up is what many faults are about."""


class _Handler(socketserver.StreamRequestHandler):
    server: _Server
    disable_nagle_algorithm = True

    def handle(self) -> None:
        while exchange := self._read():
            rule = self.server.proxy.rule_for(exchange)
            if rule is not None:
                rule.fault(exchange)
                return
            try:
                response = exchange.forward()
            except (OSError, HTTPException):
                return
            exchange.answer(response, keep=True)

    def _read(self) -> Exchange | None:
        lines = []
        while (line := self.rfile.readline(65536)) not in (b"\r\n", b""):
            lines.append(line)
        if not lines:
            return None
        method, target, _ = lines[0].decode("latin-1").split(" ", 2)
        headers = _headers(lines[1:])
        self._take_secret(headers)
        if headers.get("expect"):
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            lines = [line for line in lines if not line.lower().startswith(b"expect:")]
        body = self.rfile.read(int(headers.get("content-length", 0)))
        proxy = self.server.proxy
        head = b"".join(lines) + b"\r\n"
        return Exchange(proxy, self.connection, method, target, head, body, proxy.name_of(method, target))

    def _take_secret(self, headers: Mapping[str, str]) -> None:
        signature = headers.get("authorization", "").rpartition("Signature=")[2]
        if signature:
            self.server.proxy.secrets.add(signature)


def _headers(lines: list[bytes]) -> dict[str, str]:
    pairs = (line.decode("latin-1").partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
