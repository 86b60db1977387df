"""How long an exchange may take in all, however slowly its bytes come.

A timeout of a socket starts again with every byte: a response that drips would last for ever. So each wait for the
network gets what is left of the exchange, be it for the answer of a proxy, for headers, or for a body.
"""

from __future__ import annotations

import io
import socket
import time
from http.client import HTTPResponse
from typing import Any

#: bytes that are read or written at a time
PIECE = 64 * 1024
#: bytes of a streamed body after which its time starts again: a large archive takes as long as it needs
RENEWED_BY = 1024 * 1024


class TimeLimit:
    """What is left of the seconds that an exchange may wait for the network.

    :param seconds: how many there are
    :param renewed_by: bytes after which they start again; None for never
    """

    def __init__(self, seconds: float, renewed_by: int | None = None) -> None:
        self.seconds = seconds
        self._renewed_by = renewed_by
        self._waited = 0.0
        self._moved = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing is left."""
        return self._waited >= self.seconds

    def timeout(self, most: float | None) -> float:
        """Return how long the next wait may last.

        :param most: seconds that a single wait may last; None for no such bound
        :raises TimeoutError: if nothing is left
        """
        if self.is_over:
            raise TimeoutError(too_long(self.seconds))
        left = self.seconds - self._waited
        return left if most is None else min(most, left)

    def waited(self, seconds: float, moved: int) -> None:
        """Take down a wait.

        :param seconds: how long it lasted
        :param moved: bytes that were read or written
        """
        self._waited += seconds
        self._moved += moved
        if self._renewed_by is not None and self._moved >= self._renewed_by:
            self._waited, self._moved = 0.0, 0


def too_long(seconds: float) -> str:
    """Say why an exchange was given up.

    :param seconds: that it had
    """
    return f"the exchange took longer than {seconds:g} s (total_timeout of the connection)"


class LimitedResponse(HTTPResponse):
    """A response of ``http.client`` whose every wait is limited, headers and body alike."""

    def limit(self, sock: socket.socket, limit: TimeLimit) -> LimitedResponse:
        """Limit it from now on.

        :param sock: where it is read from, with the timeout of a single wait
        :param limit: of the exchange
        """
        self.fp: Any = io.BufferedReader(_LimitedReader(self.fp.detach(), sock, limit))
        return self


class _LimitedReader(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, sock: socket.socket, limit: TimeLimit) -> None:
        super().__init__()
        self._raw, self._sock, self._limit = raw, sock, limit
        self._most = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 -- a writable buffer has no type before 3.12
        self._sock.settimeout(self._limit.timeout(self._most))
        began, count = time.monotonic(), 0
        try:
            count = self._raw.readinto(buffer) or 0
        finally:
            self._limit.waited(time.monotonic() - began, count)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
