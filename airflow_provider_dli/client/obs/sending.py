"""Send what boto3 has signed the way DLI is called, and see that what comes back is a response of OBS.

boto3 brings an HTTP client of its own. It would follow redirects with signatures, read bodies without end and for
ever, have proxies and authorities of its own, and not say whether anything has left. So it does not send: all
requests go through the transport that DLI's calls go through, with the same bounds and the same errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import HTTPClientError

from airflow_provider_dli.client.call import Request
from airflow_provider_dli.client.errors import NoResponseError
from airflow_provider_dli.client.obs.responses import check
from airflow_provider_dli.client.transport.sync import Streamed, SyncTransport

if TYPE_CHECKING:
    from airflow_provider_dli.client.clocks import ServiceClock

_OK = range(200, 300)
_LOGIN = re.compile(r"Credential=(.+?)/\d{8}/")
_SECRET_HEADERS = ("authorization", "x-amz-security-token")


class Sender:
    """Sends for a boto3 client, as its handler of the event ``before-send``.

    :param transport: sends
    :param clock: learns the time of OBS from each response
    """

    def __init__(self, transport: SyncTransport, clock: ServiceClock) -> None:
        self._transport = transport
        self._clock = clock

    def __call__(self, request: Any, event_name: str, **_: Any) -> AWSResponse:  # noqa: ANN401 -- botocore's
        """Send a signed request.

        :param request: botocore's
        :param event_name: ends in the name of the operation
        :raises HTTPClientError: with an error of ours in it, for botocore to repeat the request
        :raises UnexpectedReplyError: if what comes back is no response of OBS
        """
        operation = event_name.rpartition(".")[2]
        ours = _request(operation, request)
        try:
            if operation == "GetObject":
                got = self._transport.stream(ours)
            else:
                got = self._transport.fetch(ours, request.body or None)
        except NoResponseError as error:
            raise HTTPClientError(error=error) from error
        reply = got.head if isinstance(got, Streamed) else got
        self._clock.observe(reply)
        if reply.status not in _OK:
            # Its words are repeated in messages, and may repeat the request.
            reply = ours.redacted(reply)
        try:
            check(operation, reply)
        except BaseException:
            if isinstance(got, Streamed):
                got.close()
            raise
        body = _Body(got) if isinstance(got, Streamed) else _Whole(reply.body)
        return AWSResponse(ours.url, reply.status, dict(reply.headers), body)  # type: ignore[arg-type]  # any mapping


def _request(operation: str, request: Any) -> Request:  # noqa: ANN401 -- botocore's
    headers = {
        str(name): value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        for name, value in request.headers.items()
    }
    # Would have the server wait for a body that is sent at once.
    headers.pop("Expect", None)
    proofs = [value for name, value in headers.items() if name.lower() in _SECRET_HEADERS]
    return Request(
        request.method,
        request.url,
        tuple(headers.items()),
        operation=operation,
        secrets=tuple(proof.rpartition("Signature=")[2] for proof in proofs),
        logins=tuple(found[1] for proof in proofs if (found := _LOGIN.search(proof))),
    )


class _Whole:
    """A body that is there, in the form in which botocore reads one."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> Iterator[bytes]:
        yield self._body


class _Body:
    """A body that is still to be read, in that form; a failure is botocore's, as its callers expect."""

    def __init__(self, streamed: Streamed) -> None:
        self._streamed = streamed

    def read(self, size: int | None = None) -> bytes:
        try:
            return self._streamed.read(size)
        except NoResponseError as error:
            if self._streamed.is_too_slow:
                raise
            raise HTTPClientError(error=error) from error

    def close(self) -> None:
        self._streamed.close()
