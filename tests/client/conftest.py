"""Servers, and both transports to send through: the tests check the bytes on the wire."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
import trustme
from botocore.stub import Stubber

from airflow_provider_dli.client.credentials import AccessKey
from airflow_provider_dli.client.exchange import Account, Project, RetryPolicy
from airflow_provider_dli.client.transport import Network
from airflow_provider_dli.client.transport.aio import AsyncTransport
from airflow_provider_dli.client.transport.sync import SyncTransport
from tests.client.raw_server import RawServer
from tests.http_server import HttpHandler, HttpServer

NOON = datetime(2026, 1, 15, 8, 30, 45, tzinfo=UTC)
LISTED = b'{"is_success": "true", "job_list": {"total_count": 0, "jobs": []}}'

Driver = Callable[..., Any]
QUICK = Network(connect_timeout=60, read_timeout=60)


@pytest.fixture
def raw_server() -> Iterator[RawServer]:
    with RawServer() as server:
        yield server


class Handler(HttpHandler):
    """Responds with a page of jobs."""

    def do_GET(self) -> None:
        self.begin(200, {}, len(LISTED))
        self.wfile.write(LISTED)


class TlsServer(HttpServer):
    """Serves over TLS."""

    scheme = "https"

    def __init__(self, authority: trustme.CA, handler: type[HttpHandler] = Handler) -> None:
        super().__init__(handler)
        self.received: Any = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self.socket = context.wrap_socket(self.socket, server_side=True)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Return a private certificate authority."""
    return trustme.CA()


@pytest.fixture(scope="session")
def bundle(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the path of its certificate."""
    path: Path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture(scope="session")
def tls_url(authority: trustme.CA) -> Iterator[str]:
    """Return the address of a server with a certificate of that authority."""
    with TlsServer(authority) as server:
        yield server.url


def run_sync(flow: Any, network: Network = QUICK) -> Any:
    transport = SyncTransport(network)
    try:
        return transport.run(flow)
    finally:
        transport.close()


def run_async(flow: Any, network: Network = QUICK) -> Any:
    async def main() -> Any:
        async with AsyncTransport(network) as transport:
            return await transport.arun(flow)

    return asyncio.run(main())


DRIVERS: dict[str, Driver] = {"requests": run_sync, "aiohttp": run_async}


@pytest.fixture(params=DRIVERS)
def drive(request: pytest.FixtureRequest) -> Driver:
    return DRIVERS[request.param]


@pytest.fixture
def both_drivers() -> dict[str, Driver]:
    return DRIVERS


@pytest.fixture
def clock() -> Callable[[], datetime]:
    return lambda: NOON


@pytest.fixture
def account_at() -> Callable[..., Account]:
    def make(endpoint: str, security_token: str | None = None) -> Account:
        key = AccessKey("EXAMPLEAK00000000001", "ExampleSecretKey0000000000000000000000001", security_token)
        return Account(
            region="cn-north-4",
            project=Project("48cc2c48765f481480c7db940d6409d1", "cn-north-4", endpoint, key),
            credentials=key,
            endpoint=endpoint,
            obs_endpoint=endpoint,
            iam_endpoint=endpoint,
            retry=RetryPolicy(budget=0),
        )

    return make


@pytest.fixture
def s3_client() -> Any:
    """Return a boto3 client for stubbed responses."""
    return boto3.client("s3", region_name="r-1", aws_access_key_id="AK", aws_secret_access_key="SK")


@pytest.fixture
def s3_script(s3_client: Any) -> Iterator[Stubber]:
    """Return its script; all of it must be played."""
    with Stubber(s3_client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def abroad(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Live in a zone that is not UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "CST-8")
        time.tzset()
        yield
    time.tzset()
