"""A server on a raw socket: it plays whatever part a test gives it, and keeps the requests that it has read."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def read_request(connection: socket.socket) -> bytes:
    """Read one request to its end, by its Content-Length, or as much as came."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (piece := connection.recv(65536)):
            return data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while len(body) < length and (piece := connection.recv(65536)):
        body += piece
    return head + b"\r\n\r\n" + body


class RawServer:
    """Accepts connections on loopback, one after the other, and plays its part on each; a context manager.

    :param play: the part, on the server and a connection; by default it reads one request and sends :attr:`answer`
    :param concurrent: True to give each connection a thread of its own
    """

    def __init__(
        self, play: Callable[[Any, socket.socket], object] | None = None, *, concurrent: bool = False
    ) -> None:
        self.received: list[bytes] = []
        self.answer = OK
        self.play = play or type(self).respond
        self.ended = threading.Event()
        self._concurrent = concurrent
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def respond(self, connection: socket.socket) -> None:
        if self.read(connection):
            connection.sendall(self.answer)

    def read(self, connection: socket.socket) -> bytes:
        if request := read_request(connection):
            self.received.append(request)
        return request

    def stop(self) -> None:
        """Accept no more; what waits to be accepted is refused."""
        self._socket.close()

    def close(self) -> None:
        self.ended.set()
        with suppress(OSError):  # it may have stopped
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            if self._concurrent:
                self._threads.append(threading.Thread(target=self._serve_one, args=(connection,)))
                self._threads[-1].start()
            else:
                self._serve_one(connection)

    def _serve_one(self, connection: socket.socket) -> None:
        with suppress(OSError):  # the client had enough
            connection.settimeout(10)
            self.play(self, connection)
        connection.close()
