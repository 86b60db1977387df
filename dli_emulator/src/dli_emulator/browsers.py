"""Refuse what a web page in somebody's browser can send to this machine.

A page that is open on a developer's machine reaches loopback too: it may POST without reading the response
(cross-site request forgery), and read as well once the name of its own host resolves to 127.0.0.1 (DNS rebinding).
Programs send neither ``Origin`` nor the ``Host`` of somebody else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

_HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::[0-9]{1,5})?")
#: what a browser says of a request that somebody typed, or that a page of the emulator's own made
_HARMLESS = ("none", "same-origin")
#: addresses that one listens on, and that nobody is
_ANY = {"0.0.0.0", "::"}  # noqa: S104 - they are taken away # nosec B104


class Browsers:
    """Middleware that refuses the requests of web pages, whatever they are for.

    :param hosts: names and addresses, beside those of loopback, that the emulator is reached by
    """

    def __init__(self, hosts: Iterable[str]) -> None:
        self._hosts = {host.strip("[]").rstrip(".").lower() for host in hosts} - _ANY

    def middleware(self) -> Middleware:
        """Return it as aiohttp wants it."""

        @web.middleware
        async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
            problem = self._problem(request)
            return web.json_response({"error": problem}, status=403) if problem else await handler(request)

        return refuse

    def _problem(self, incoming: web.Request) -> str | None:
        given = incoming.headers.getall("Host", [])
        if len(given) != 1 or not self._is_ours(given[0], incoming):
            return (
                "the Host header must name this emulator: 127.0.0.1, localhost, [::1], the address it is "
                "reached at, or a name given as --allow-host"
            )
        if "Origin" in incoming.headers:
            return "a request with an Origin header comes from a web page; the emulator answers programs only"
        if incoming.headers.get("Sec-Fetch-Site", "none").lower() not in _HARMLESS:
            return "a request with this Sec-Fetch-Site comes from a web page; the emulator answers programs only"
        return None

    def _is_ours(self, given: str, incoming: web.Request) -> bool:
        found = _HOST.fullmatch(given)
        if not found:
            return False
        name = (found["v6"] or found["name"]).rstrip(".").lower()
        # Buckets may be sub-domains: of localhost, which no page can be served from elsewhere.
        if name in self._hosts or name == "localhost" or name.endswith(".localhost"):
            return True
        try:
            address = ip_address(name)
        except ValueError:
            return False
        local = incoming.transport.get_extra_info("sockname") if incoming.transport else None
        return address.is_loopback or (local is not None and str(address) == local[0].removeprefix("::ffff:"))
