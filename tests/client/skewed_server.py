"""DLI, OBS and IAM behind one port, with a clock of their own."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

from airflow_provider_dli.client.locations import ObsLocation
from tests.http_server import HttpHandler, HttpServer

PLACE = ObsLocation("obs-test", "a.zip")
# What a loaded machine may take between two lines.
SLACK = 30.0


class SkewedServer(HttpServer):
    """Its clock is ``ahead`` seconds ahead."""

    def __init__(self, ahead: float = 0.0) -> None:
        super().__init__(Handler)
        self.ahead = ahead
        self.headers: dict[str, str] = {}
        self.tokens = 0
        self.listed: Any = {"is_success": "true", "job_list": {"total_count": 0, "jobs": []}}


class Handler(HttpHandler):
    server: SkewedServer

    def respond(self, body: bytes, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in (headers | self.server.headers).items()}
        self.begin(200, named, len(body))
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
