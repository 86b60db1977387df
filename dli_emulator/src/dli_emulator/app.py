"""The HTTP side: receive requests, refuse those of web pages, call gateway and handlers, and apply faults."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address
from secrets import token_hex
from typing import TYPE_CHECKING
from wsgiref.handlers import format_date_time

from aiohttp import web

from dli_emulator.access import check
from dli_emulator.call import Archives, Call, blocking
from dli_emulator.control import Control
from dli_emulator.faults import Fault
from dli_emulator.gateway import identify, internal_error, scripted_reply, too_large, unknown_api
from dli_emulator.keys import User
from dli_emulator.request_log import record
from dli_emulator.routes import Route, find_route
from dli_emulator.s3_proxy import S3AuthProxy
from dli_emulator.state import State
from dli_emulator.wire import ConnectionDropped, Refusal, Reply, Request, drop_connection

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware


_LOG = logging.getLogger(__name__)

#: largest body that the gateway takes, in bytes
MAX_BODY = 12 * 1024 * 1024


@dataclass(frozen=True)
class Exchange:
    """One request on its way through.

    :param request: as it arrived
    :param is_complete: whether its body was within the limit
    :param route: the operation; None if the API is unknown
    :param path: placeholders of its path
    :param fault: the scripted fault it meets
    :param request_id: the ``X-Request-Id`` of the response
    """

    request: Request
    is_complete: bool
    route: Route | None
    path: dict[str, str]
    fault: Fault | None
    request_id: str = field(default_factory=lambda: token_hex(16))

    def meets(self, *kinds: str) -> bool:
        """Return whether the fault is of one of these kinds."""
        return self.fault is not None and self.fault.kind in kinds

    def number(self, kind: str, name: str) -> float:
        """Return a parameter of the fault if it is of that kind, else 0."""
        return float(self.fault[name]) if self.fault is not None and self.fault.kind == kind else 0.0


class Service:
    """DLI and IAM behind one gateway.

    :param state: what they act on
    :param archives: where exports go
    :param reset: makes state and bucket clean; may block
    :param s3_proxy: answers requests to the object store
    :param hosts: names, beside those of loopback, that it is reached by
    """

    def __init__(
        self,
        state: State,
        archives: Archives,
        reset: Callable[[], None],
        s3_proxy: S3AuthProxy,
        hosts: Iterable[str] = (),
    ) -> None:
        self._s3_proxy = s3_proxy
        self._browser_guard = BrowserGuard(hosts)
        self._state = state
        self._archives = archives
        self._control = Control(state, reset)
        self._tasks: set[asyncio.Task[None]] = set()

    def application(self) -> web.Application:
        """Return the application, to be served on one port."""
        app = web.Application(client_max_size=MAX_BODY, middlewares=[self._browser_guard.middleware()])
        app.router.add_route("*", "/_emulator/{what}", self._control.handle)
        app.router.add_route("*", "/{path:.*}", self._handle)
        return app

    async def _handle(self, incoming: web.Request) -> web.StreamResponse:
        if self._s3_proxy.is_for(incoming):
            return await self._s3_proxy.handle(incoming)
        exchange = self._arrived(*await _taken(incoming))
        try:
            reply = await self._answer(exchange)
        except ConnectionDropped:
            return drop_connection(incoming, hard=exchange.meets("reset_before", "reset_after"))
        self._state.log.answered(exchange.request_id, reply)
        return await self._send(incoming, exchange, reply)

    def _arrived(self, request: Request, is_complete: bool) -> Exchange:  # noqa: FBT001 - passed on as it comes
        route, path = find_route(request) or (None, {})
        fault = self._state.faults.take(route.operation) if route else None
        exchange = Exchange(request, is_complete, route, path, fault)
        operation = route.operation if route else None
        kind = fault.kind if fault else None
        self._state.log.arrived(record(request, operation, self._state.clock(), exchange.request_id, kind))
        return exchange

    async def _answer(self, exchange: Exchange) -> Reply:
        if exchange.meets("hang"):
            await asyncio.Event().wait()
        await asyncio.sleep(exchange.number("slow", "before"))
        try:
            reply = await self._carry_out(exchange)
        except ConnectionDropped:
            raise
        except Refusal as refusal:
            reply = refusal.reply(exchange.request_id)
        except Exception:  # noqa: BLE001 - whatever it is, the client gets a response
            _LOG.exception("request %s broke the emulator", exchange.request_id)
            reply = internal_error().reply(exchange.request_id)
        await asyncio.sleep(exchange.number("slow", "after"))
        if exchange.meets("cut_after", "reset_after"):
            raise ConnectionDropped
        return reply

    async def _carry_out(self, exchange: Exchange) -> Reply:
        route = exchange.route
        if not exchange.is_complete:
            raise too_large()
        if route is None:
            raise unknown_api()
        user = self._state.administrator
        if not route.is_open:
            skew = exchange.number("skewed_clock", "seconds")
            user = identify(self._state, exchange.request, exchange.path.get("project_id"), skew)
            check(self._state, user, route.action)
        if exchange.meets("cut_before", "reset_before"):
            raise ConnectionDropped
        fault = exchange.fault
        reply = await self._act(exchange, route, user) if fault is None or fault.acts else None
        if fault and (scripted := scripted_reply(fault, self._state, exchange.request)):
            return scripted
        return reply or await self._act(exchange, route, user)

    async def _act(self, exchange: Exchange, route: Route, user: User) -> Reply:
        call = Call(
            self._state,
            self._archives,
            exchange.request,
            exchange.path,
            exchange.fault,
            user,
            route.action,
            self._later,
        )
        reply = await route.handler(call)
        self._state.log.acted(exchange.request_id)
        return reply

    async def _send(self, incoming: web.Request, exchange: Exchange, reply: Reply) -> web.StreamResponse:
        payload, content_type = reply.payload()
        now = self._state.clock() + exchange.number("skewed_clock", "seconds")
        headers = {
            "Content-Type": content_type,
            "X-Request-Id": exchange.request_id,
            "Date": format_date_time(now),
        }
        headers |= reply.headers
        if not exchange.meets("cut_during"):
            return web.Response(status=reply.status, body=payload, headers=headers)
        response = web.StreamResponse(status=reply.status, headers=headers)
        response.content_length = len(payload)
        await response.prepare(incoming)
        await response.write(payload[: len(payload) // 2])
        drop_connection(incoming, hard=False)
        return response

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        task = asyncio.create_task(self._act_later(seconds, act, self._state.generation))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _act_later(self, seconds: float, act: Callable[[], None], generation: int) -> None:
        await asyncio.sleep(seconds)
        if self._state.generation == generation:
            await blocking(act)


async def _taken(incoming: web.Request) -> tuple[Request, bool]:
    try:
        body, is_complete = await incoming.read(), True
    except web.HTTPRequestEntityTooLarge:
        body, is_complete = b"", False
    headers = tuple((_text(name), _text(value)) for name, value in incoming.raw_headers)
    return Request(incoming.method, incoming.raw_path, headers, body), is_complete


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


_HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::[0-9]{1,5})?")
#: ``Sec-Fetch-Site`` of a request that somebody typed, or that a page of the emulator itself made
_HARMLESS = ("none", "same-origin")
#: addresses that one listens on, and that nobody is
_ANY = {"0.0.0.0", "::"}  # noqa: S104 - they are taken away # nosec B104


class BrowserGuard:
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
