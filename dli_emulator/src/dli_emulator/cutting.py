"""End a connection in the middle."""

from __future__ import annotations

import socket
import struct

from aiohttp import web


class Cut(Exception):  # noqa: N818 - what happens to the connection
    """The connection ends without an answer."""


def cut(incoming: web.Request, *, hard: bool) -> web.Response:
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
