"""DLI, OBS and IAM behind one port, with a clock of their own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from airflow_provider_dli.client.locations import ObsLocation

PLACE = ObsLocation("obs-test", "a.zip")
# What a loaded machine may take between two lines.
SLACK = 30.0


class SkewedServer(ThreadingHTTPServer):
    """Its clock is ``ahead`` seconds ahead."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ahead = 0.0
        self.headers: dict[str, str] = {}
        self.tokens = 0
        self.listed: Any = {"is_success": "true", "job_list": {"total_count": 0, "jobs": []}}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: SkewedServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate((timestamp or time.time()) + self.server.ahead, usegmt=True)

    def respond(self, body: bytes, **headers: str) -> None:
        self.send_response(200)
        for name, value in ({"Content-Length": str(len(body))} | headers | self.server.headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.respond(json.dumps(self.server.listed).encode())

    def do_HEAD(self) -> None:
        self.respond(b"", ETag='"e"', Last_Modified=self.date_time_string())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.tokens += 1
        ends = datetime.fromtimestamp(time.time() + self.server.ahead + 3600, UTC)
        body = b'{"token": {"expires_at": "%b"}}' % ends.isoformat().encode()
        self.respond(body, X_Subject_Token=f"token-{self.server.tokens}")


@contextmanager
def skewed_server(ahead: float = 0.0) -> Iterator[SkewedServer]:
    """Serve in a thread."""
    server = SkewedServer()
    server.ahead = ahead
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
