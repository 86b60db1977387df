"""Query the service and keep the raw response: through the client's own flows, signatures and drivers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Self

from guard import Guard
from masking import Mask

from airflow_provider_dli.client.call import Call, Flow, Pause, QueryValue, Reply, send
from airflow_provider_dli.client.errors import ServiceError
from airflow_provider_dli.client.exchange import Account, build_request, utc_now
from airflow_provider_dli.client.flink.fields import JOBS
from airflow_provider_dli.client.replies import is_success, json_object, retry_after
from airflow_provider_dli.client.transport.sync import SyncTransport

_TRIES = 4
_LONGEST_PAUSE = 30.0
_THROTTLED, _UNAVAILABLE = 429, 503


@dataclass(frozen=True)
class Response:
    """A response, whatever it is.

    :param status: HTTP status
    :param body: decoded JSON; None if it is none
    :param code: the service's own error code; None if it gave none
    :param message: the service's words, if it refused
    :param headers: names in lower case
    """

    status: int
    body: Any
    code: str | None
    message: str
    headers: Mapping[str, str] = field(repr=False)

    @property
    def time(self) -> float | None:
        """When it was sent, by the service's clock, in seconds since 1970."""
        date = self.headers.get("date")
        return parsedate_to_datetime(date).timestamp() if date else None

    @property
    def taken(self) -> bool:
        """Whether the service did what was requested."""
        first = self.body[0] if isinstance(self.body, list) and self.body else self.body
        succeeded = isinstance(first, Mapping) and bool(is_success(first) or "is_success" not in first)
        return self.code is None and self.status in range(200, 300) and succeeded


class Sender:
    """Sends to one account.

    :param account: whom, and as whom
    :param guard: what may be sent
    :param mask: learns from every response
    """

    def __init__(self, account: Account, guard: Guard, mask: Mask) -> None:
        self.account = account
        self.guard = guard
        self.mask = mask
        #: every response's status with its ``is_success``, and every header that speaks of rates
        self.seen: Counter[str] = Counter()
        self.rates: dict[str, str] = {}
        self._transport = SyncTransport(account.network)

    def __enter__(self) -> Self:
        """Keep the connections open until the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._transport.close()

    def send(self, call: Call[Any]) -> Response:
        """Send a call; a refusal is a response too.

        :param call: what to send
        :raises ForbiddenError: if the guard does not allow it
        :raises NoResponseError: if nothing came back
        """
        self.guard.check(call)
        reply = self._transport.run(_request_flow(call, self.account))
        response = _read(call.operation, reply)
        self.mask.learn_from(response.body)
        value = (
            response.body.get("is_success", "absent") if isinstance(response.body, Mapping) else "array or no JSON"
        )
        self.seen[f"{reply.status}, is_success {json.dumps(value)}"] += 1
        self.rates |= {
            name: self.mask.text(value) for name, value in reply.headers.items() if "ratelimit" in name.lower()
        }
        return response

    def get(self, path: str = "", **query: QueryValue) -> Response:
        """Read below the jobs' path.

        :param path: such as ``/100``
        :param query: parameters as they are sent
        """
        return self.send(Call("ListFlinkJobs", "GET", f"{JOBS}{path}", dict, query=query, repeatable=True))


def _request_flow(call: Call[Any], account: Account) -> Flow[Reply]:
    """Send until it is not throttled; what reads only, also while the service is away."""
    tries = 0
    while True:
        tries += 1
        project_id = yield from account.project.id(utc_now)
        request = build_request(call, account.endpoint, project_id)
        reply = yield from send((yield from account.credentials.authenticate(request, utc_now)))
        again = reply.status == _THROTTLED or (reply.status == _UNAVAILABLE and call.method == "GET")
        if not again or tries == _TRIES:
            return reply
        value = retry_after(reply)
        yield Pause(min(2.0**tries if value is None else value, _LONGEST_PAUSE))


def _read(operation: str, reply: Reply) -> Response:
    try:
        body: Any = json.loads(reply.body)
    except ValueError:
        body = None
    code, message = None, ""
    try:
        json_object(operation, reply)
    except ServiceError as error:
        array = isinstance(body, list) and reply.status in range(200, 300)
        code, message = (None, "") if array else (error.code or "no code", error.message)
    if isinstance(body, Mapping) and not message and "is_success" in body and not is_success(body):
        message = str(body.get("message", ""))
    return Response(reply.status, body, code, message, reply.headers)
