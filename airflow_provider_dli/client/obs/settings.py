"""A boto3 client set up for OBS.

Follows the OBS FAQ on boto3 (obs_faq_0274): virtual-host addressing, unsigned payload, checksums only when
required, and credentials given outright, so that boto's default chain is never asked.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from airflow_provider_dli.client.account import Account

_CONNECT_TIMEOUT = 10
_READ_TIMEOUT = 60


def make_client(account: Account) -> S3Client:
    """Make a boto3 client set up for OBS.

    :param account: whose keys, and which OBS endpoint
    """
    keys = account.credentials
    # A session of our own: the default one is shared by the whole process and not thread-safe.
    return boto3.session.Session().client(
        "s3",
        region_name=account.region,
        endpoint_url=account.obs_endpoint,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        aws_session_token=keys.security_token,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": addressing_style(account.obs_endpoint), "payload_signing_enabled": False},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"mode": "standard"},
            connect_timeout=_CONNECT_TIMEOUT,
            read_timeout=_READ_TIMEOUT,
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
