"""A boto3 client set up for OBS.

Follows the OBS FAQ on boto3 (obs_faq_0274): virtual-host addressing, unsigned payload, checksums only when
required, and credentials given outright, so that boto's default chain is never asked.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import Credentials, ReadOnlyCredentials

from airflow_provider_dli.client.obs.quiet import hush

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


def make_client(account: Account, give: Callable[[], AccessKey]) -> S3Client:
    """Make a boto3 client set up for OBS.

    :param account: which OBS endpoint, and how it is reached
    :param give: gives the access key of the moment; asked at every request
    """
    hush()
    # Sessions of our own: the default one is shared by the whole process and not thread-safe.
    session: Any = botocore.session.Session()
    session._credentials = LivingCredentials(give)  # noqa: SLF001 -- botocore's only way to bring one's own
    proxy = account.network.proxy
    return boto3.session.Session(botocore_session=session).client(
        "s3",
        region_name=account.region,
        endpoint_url=account.obs_endpoint,
        verify=account.network.verify,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": addressing_style(account.obs_endpoint), "payload_signing_enabled": False},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"mode": "standard"},
            connect_timeout=account.network.connect_timeout,
            read_timeout=account.network.read_timeout,
            proxies={"http": proxy, "https": proxy} if proxy else None,
        ),
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
