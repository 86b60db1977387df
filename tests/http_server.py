"""The server of a test that plays a service over HTTP/1.1, with a clock of its own."""

from __future__ import annotations

import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class HttpServer(ThreadingHTTPServer):
    """Serves on loopback while it is entered; ``ahead`` is how many seconds its clock is ahead."""

    scheme = "http"

    def __init__(self, handler: type[HttpHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.ahead = 0.0
        self.url = f"{self.scheme}://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """Keep quiet of clients that hang up, or do not trust it."""


class HttpHandler(BaseHTTPRequestHandler):
    server: Any
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate((timestamp or time.time()) + self.server.ahead, usegmt=True)

    def begin(self, status: int, headers: dict[str, str], length: int = 0) -> None:
        """Send all of a response but its body.

        :param length: of the body, unless the headers have another
        """
        self.send_response(status)
        for name, value in ({"Content-Length": str(length)} | headers).items():
            self.send_header(name, value)
        self.end_headers()
