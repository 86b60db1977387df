"""A host that DLI has nothing to do with; it notes what it is sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: headers that let their reader act as the sender
CREDENTIALS = ("authorization", "x-auth-token", "x-security-token", "cookie")


@dataclass
class Foreign:
    """What came to the foreign host.

    :param url: of it
    :param visits: for each request, the names of the credentials in it
    """

    url: str
    visits: list[list[str]] = field(default_factory=list)


@contextmanager
def foreign_host() -> Iterator[Foreign]:
    """Run it on a free port of loopback, under another name than the emulator's."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            names = {name.lower() for name in self.headers}
            seen.visits.append([name for name in CREDENTIALS if name in names])
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            page = b"<html>welcome</html>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        seen = Foreign(f"http://localhost:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield seen
        finally:
            server.shutdown()
