"""Requests, replies and refusals as plain values, and connections that end without a reply."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from aiohttp import web


def query_pairs(query: str) -> list[tuple[str, str]]:
    """Take a raw query apart, in order; a ``+`` is a plus, as the signature's rules have it.

    :param query: what stands behind the question mark
    """
    pairs = [part.partition("=") for part in query.split("&") if part]
    return [(_decoded(key), _decoded(value)) for key, _, value in pairs]


def _decoded(text: str) -> str:
    return unquote(text, errors="surrogateescape")


@dataclass(frozen=True)
class Request:
    """A request as it arrived.

    :param method: in upper case
    :param target: path and query, still percent-encoded
    :param headers: name and value, in the order they came
    :param body: the bytes, empty if there are none
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @cached_property
    def path(self) -> str:
        """The path, still percent-encoded."""
        return self.target.partition("?")[0]

    @cached_property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The query's pairs, decoded."""
        return tuple(query_pairs(self.target.partition("?")[2]))

    def header(self, name: str) -> str | None:
        """Return a header's value, or None; of several with one name, the first.

        :param name: in any case
        """
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


@dataclass(frozen=True)
class Reply:
    """A reply to be sent.

    :param status: HTTP status
    :param body: JSON value; text and bytes go out as they are
    :param headers: beside those of every reply
    """

    status: int
    body: Any = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def payload(self) -> tuple[bytes, str]:
        """Return the bytes to send and their content type."""
        if isinstance(self.body, bytes):
            return self.body, "application/octet-stream"
        if isinstance(self.body, str):
            return self.body.encode(), "text/plain; charset=utf-8"
        return json.dumps(self.body, ensure_ascii=False).encode(), "application/json"

    @property
    def error_code(self) -> str | None:
        """The service's error code, if the body carries one."""
        body = self.body[0] if isinstance(self.body, list) and self.body else self.body
        code = body.get("error_code") if isinstance(body, dict) else None
        return code if isinstance(code, str) else None


class Refusal(Exception):  # noqa: N818 - a reply, not an error of the emulator
    """The service refuses a request.

    :param status: HTTP status
    :param code: the service's error code, such as ``DLI.16001`` or ``APIGW.0301``
    :param message: the service's message
    :param headers: beside those of every reply
    """

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}

    def reply(self, request_id: str) -> Reply:
        """Return the reply: the gateway and version 5 of IAM name the request in the body, DLI does not.

        :param request_id: of the request refused
        """
        if self.code.startswith(("APIGW.", "PAP5.", "STS5.")):
            body = {"error_msg": self.message, "error_code": self.code, "request_id": request_id}
        else:
            body = {"error_code": self.code, "error_msg": self.message}
        return Reply(self.status, body, self.headers)


class ConnectionDropped(Exception):  # noqa: N818 - what happens to the connection
    """The connection ends without a reply."""


def drop_connection(incoming: web.Request, *, hard: bool) -> web.Response:
    """Close the connection of a request.

    :param incoming: the request
    :param hard: send a reset
    :returns: something to return to the server, which can send it no more
    """
    transport = incoming.transport
    if transport is not None:
        if hard:  # closing a socket that lingers for no time sends a reset
            linger = struct.pack("ii", 1, 0)
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            transport.abort()
        else:
            transport.close()
    return web.Response()
