"""A boto3 client set up for OBS, that sends through our own transport.

Set up by the OBS FAQ on boto3 (obs_faq_0274): virtual-host addressing, unsigned payload, checksums only when
required. Credentials are passed explicitly, so that boto's default chain is never used; variables and files that
configure AWS clients are ignored, for they are meant for another cloud.

boto3 has an HTTP client of its own. It would follow redirects with signatures, read bodies without limit in size
or time, have its own proxies and certificate authorities, and not show whether a request has left. So all requests
go through the transport that DLI's calls go through, with the same limits and the same errors.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import re
from functools import cache, partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.configprovider import ConfigValueStore, ConstantProvider
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, HTTPClientError
from botocore.loaders import create_loader

from airflow_provider_dli.client.call import Request
from airflow_provider_dli.client.errors import ConfigurationError, NoResponseError
from airflow_provider_dli.client.obs.responses import check_reply
from airflow_provider_dli.client.transport.sync import Streamed, SyncTransport
from airflow_provider_dli.formatting import excerpt

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

    from airflow_provider_dli.client.credentials import AccessKey
    from airflow_provider_dli.client.exchange import Account
    from airflow_provider_dli.client.replies import ServiceClock

_OK = range(200, 300)
_LOGIN = re.compile(r"Credential=(.+?)/\d{8}/")
_SECRET_HEADERS = ("authorization", "x-amz-security-token")
# The access key id is not a secret, but the secret key is, if the two are swapped.
_LOGGED_SECRETS = re.compile(r"(?i)(x-amz-security-token'?:\s*|signature[=:]\s*|credential=)[^\s,}]+")
# The loggers of botocore that log a signed request, at DEBUG.
_LOGGERS = ("botocore.auth", "botocore.endpoint")


def make_client(
    account: Account, get_key: Callable[[], AccessKey], transport: SyncTransport | None = None
) -> S3Client:
    """Return a boto3 client set up for OBS.

    :param account: which OBS endpoint, and how it is reached
    :param get_key: returns the current access key; called for every request
    :param transport: sends the requests; by default one of its own, closed with the client
    :raises ConfigurationError: if boto3 does not accept the region or the endpoint
    """
    redact_logs()
    transport = transport or SyncTransport(account.network)
    session = boto3.session.Session(botocore_session=_session(CurrentCredentials(get_key)))
    try:
        client = session.client(
            "s3",
            region_name=account.region,
            endpoint_url=account.obs_endpoint,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": addressing_style(account.obs_endpoint), "payload_signing_enabled": False},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                retries={"mode": "standard"},
            ),
        )
    except (BotoCoreError, ValueError) as error:
        problem = f"boto3 makes no client of {excerpt(account.obs_endpoint, secret=True)} ({type(error).__name__})"
        raise ConfigurationError("obs_endpoint", problem, "check region and obs_endpoint") from None
    events = client.meta.events
    events.register("before-send.s3", partial(_send, transport, account.obs_clock))  # type: ignore[arg-type]  # its result counts
    events.register("before-parameter-build.s3", _disable_redirects)
    # boto3 never sends through it, but closes it with the client.
    client._endpoint.http_session = transport  # type: ignore[attr-defined]  # noqa: SLF001 -- botocore's
    return client


class RedactingFilter(logging.Filter):
    """Removes secrets from log records; lets every record pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact one record."""
        message = record.getMessage()
        redacted = _LOGGED_SECRETS.sub(r"\1***", message)
        if redacted != message:
            record.msg, record.args = redacted, ()
        return True


_REDACTING_FILTER = RedactingFilter()


def redact_logs() -> None:
    """Keep signatures, security tokens and logins out of botocore's logs from now on, in the whole process."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_REDACTING_FILTER)


class CurrentCredentials(Credentials):
    """Credentials that botocore reads at every request, so that renewed keys are used.

    :param get_key: returns the current access key
    """

    def __init__(self, get_key: Callable[[], AccessKey]) -> None:
        key = get_key()
        super().__init__(key.access_key, key.secret_key, key.security_token, method="explicit")
        self._get_key = get_key

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return the current key, for the signer."""
        key = self._get_key()
        return ReadOnlyCredentials(key.access_key, key.secret_key, key.security_token)


def _session(credentials: Credentials) -> Any:  # noqa: ANN401 -- its private parts are used
    # A session of our own: the default one is shared by the whole process and not thread-safe.
    session: Any = botocore.session.Session()
    session._credentials = credentials  # noqa: SLF001 -- botocore's only way to pass one's own
    # Every setting has botocore's own default, whatever the environment and ~/.aws have.
    settings = {name: default for name, (_, _, default, _) in session.SESSION_VARIABLES.items()}
    settings |= {"config_file": os.devnull, "credentials_file": os.devnull}
    store = ConfigValueStore({name: ConstantProvider(default) for name, default in settings.items()})
    session.register_component("config_store", store)
    session.register_component("data_loader", _models())
    return session


@cache
def _models() -> Any:  # noqa: ANN401 -- untyped there
    """Return the loader of botocore's service models: it caches what it has read, which takes longest of all."""
    return create_loader()


def addressing_style(endpoint: str) -> Literal["path", "virtual"]:
    """Return how buckets are addressed: OBS refuses path style, an IP address or localhost has no sub-domains.

    :param endpoint: base URL of OBS
    """
    host = urlsplit(endpoint).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "path" if host == "localhost" else "virtual"
    return "path"


def _disable_redirects(context: Any, **_: Any) -> None:  # noqa: ANN401 -- botocore's
    """Keep botocore from signing for any region or host that a response names, and sending there."""
    context.setdefault("s3_redirect", {})["redirected"] = True


def _send(transport: SyncTransport, clock: ServiceClock, request: Any, event_name: str, **_: Any) -> AWSResponse:  # noqa: ANN401 -- botocore's
    """Send a signed request of boto3, as the handler of its event ``before-send``.

    :raises HTTPClientError: with an error of ours in it, for botocore to retry the request
    :raises UnexpectedReplyError: if the response is not one of OBS
    """
    operation = event_name.rpartition(".")[2]
    ours = _request(operation, request)
    try:
        if operation == "GetObject":
            received = transport.stream(ours)
        else:
            received = transport.fetch(ours, request.body or None)
    except NoResponseError as error:
        raise HTTPClientError(error=error) from error
    reply = received.head if isinstance(received, Streamed) else received
    clock.observe(reply)
    if reply.status not in _OK:
        # Messages repeat its words, and those may repeat the request.
        reply = ours.redacted(reply)
    try:
        check_reply(operation, reply)
    except BaseException:
        if isinstance(received, Streamed):
            received.close()
        raise
    body = _Body(received) if isinstance(received, Streamed) else SimpleNamespace(stream=lambda: [reply.body])
    return AWSResponse(ours.url, reply.status, dict(reply.headers), body)  # type: ignore[arg-type]  # any mapping


def _request(operation: str, request: Any) -> Request:  # noqa: ANN401 -- botocore's
    headers = {
        str(name): value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        for name, value in request.headers.items()
    }
    # Makes the server wait for a body that is sent at once.
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


class _Body:
    """A streamed body as botocore reads one; a failure is botocore's, as its callers expect."""

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
