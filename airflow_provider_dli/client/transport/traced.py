"""Traces of aiohttp that note whether anything of a request may have left, and that what changes is asked once.

The kind of what aiohttp raises does not always say it: a proxy that hangs up on the request for a tunnel looks
like a host that hangs up on the request. And aiohttp asks again by itself where it takes a method for idempotent,
PUT and DELETE too; whether that does harm is the conversation's to know.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import aiohttp


@dataclass(slots=True)
class Progress:
    """How far a request has got.

    :param reading: whether it only reads, so that aiohttp may ask once more on a connection that was kept too long
    :param left: whether anything of it may have left this machine
    """

    reading: bool
    left: bool = False


def watching() -> aiohttp.TraceConfig:
    """Make the configuration; each request brings its :class:`Progress` as ``trace_request_ctx``."""
    config = aiohttp.TraceConfig()
    config.on_connection_create_start.append(_once)
    config.on_connection_create_end.append(_stands)
    config.on_connection_reuseconn.append(_once)
    config.on_connection_reuseconn.append(_stands)
    return config


async def _once(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
    """End a second attempt before it begins."""
    progress: Progress = context.trace_request_ctx
    if progress.left and not progress.reading:
        raise aiohttp.ServerDisconnectedError("the connection ended before the answer came")


async def _stands(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
    progress: Progress = context.trace_request_ctx
    progress.left = True
