"""A boto3 client set up for OBS.

Follows the OBS FAQ on boto3 (obs_faq_0274): virtual-host addressing, unsigned payload, checksums only when
required, and credentials given outright, so that boto's default chain is never asked. Nor are variables and files
that set up AWS clients: they are meant for another cloud.
"""

from __future__ import annotations

import ipaddress
import os
from functools import cache
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config
from botocore.configprovider import ConfigValueStore, ConstantProvider
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import BotoCoreError
from botocore.loaders import create_loader

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.obs.quiet import hush
from airflow_provider_dli.client.obs.sending import Sender
from airflow_provider_dli.client.transport.sync import SyncTransport
from airflow_provider_dli.escaping import beginning

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

    from airflow_provider_dli.client.account import Account
    from airflow_provider_dli.client.credentials import AccessKey


class LivingCredentials(Credentials):
    """Credentials that botocore asks for at every request, so that keys which are renewed stay good.

    :param give: gives the access key of the moment
    """

    def __init__(self, give: Callable[[], AccessKey]) -> None:
        key = give()
        super().__init__(key.access_key, key.secret_key, key.security_token, method="explicit")
        self._give = give

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Give the key of the moment to the signer."""
        key = self._give()
        return ReadOnlyCredentials(key.access_key, key.secret_key, key.security_token)


def make_client(
    account: Account, give: Callable[[], AccessKey], transport: SyncTransport | None = None
) -> S3Client:
    """Make a boto3 client set up for OBS.

    :param account: which OBS endpoint, and how it is reached
    :param give: returns the access key of the moment; called for every request
    :param transport: sends the requests; by default one of its own, closed with the client
    :raises ConfigurationError: if boto3 does not take the region or the endpoint
    """
    hush()
    transport = transport or SyncTransport(account.network)
    session = boto3.session.Session(botocore_session=_session(LivingCredentials(give)))
    try:
        client = session.client(
            "s3",
            region_name=account.region,
            endpoint_url=account.obs_endpoint,
            config=_config(account),
        )
    except (BotoCoreError, ValueError) as error:
        problem = f"boto3 makes no client of {beginning(account.obs_endpoint)} ({type(error).__name__})"
        raise ConfigurationError("obs_endpoint", problem, "check region and obs_endpoint") from None
    events = client.meta.events
    events.register("before-send.s3", Sender(transport, account.obs_clock))  # type: ignore[arg-type]  # its result counts
    events.register("before-parameter-build.s3", _stay)
    # It is never asked to send; but it is what is closed with the client.
    client._endpoint.http_session = transport  # type: ignore[attr-defined]  # noqa: SLF001 -- botocore's
    return client


def _stay(context: Any, **_: Any) -> None:  # noqa: ANN401 -- botocore's
    """Keep botocore from signing for whatever region or host a response names, and sending there."""
    context.setdefault("s3_redirect", {})["redirected"] = True


def _session(credentials: Credentials) -> Any:  # noqa: ANN401 -- its private parts are used
    # Sessions of our own: the default one is shared by the whole process and not thread-safe.
    session: Any = botocore.session.Session()
    session._credentials = credentials  # noqa: SLF001 -- botocore's only way to bring one's own
    # Every setting has botocore's own default, whatever the environment and ~/.aws say.
    settings = {name: default for name, (_, _, default, _) in session.SESSION_VARIABLES.items()}
    settings |= {"config_file": os.devnull, "credentials_file": os.devnull}
    store = ConfigValueStore({name: ConstantProvider(default) for name, default in settings.items()})
    session.register_component("config_store", store)
    session.register_component("data_loader", _models())
    return session


@cache
def _models() -> Any:  # noqa: ANN401 -- untyped there
    """Return what reads botocore's models of services: it keeps what it has read, which takes longest of all."""
    return create_loader()


def _config(account: Account) -> Config:
    return Config(
        signature_version="s3v4",
        s3={"addressing_style": addressing_style(account.obs_endpoint), "payload_signing_enabled": False},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"mode": "standard"},
    )


def addressing_style(endpoint: str) -> Literal["path", "virtual"]:
    """Tell how buckets are addressed: OBS refuses path style, an IP address or localhost has no sub-domains.

    :param endpoint: base URL of OBS
    """
    host = urlsplit(endpoint).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "path" if host == "localhost" else "virtual"
    return "path"
