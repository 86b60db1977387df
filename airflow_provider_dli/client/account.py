"""Where we are: one account in one project and region, with the hosts that serve it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from airflow_provider_dli.client.credentials import AccessKey
from airflow_provider_dli.client.errors import ConfigurationError

_REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")
_PROJECT = re.compile(r"[0-9A-Za-z_-]{1,64}")

# The sovereign European region stands under another top-level domain than every other one.
_EUROPEAN_REGION = "eu-west-101"


@dataclass(frozen=True, slots=True)
class Account:
    """Whose jobs, in which project of which region, reached through which hosts.

    :param region: region id, such as ``cn-north-4``
    :param project_id: id of the project in that region
    :param credentials: proof of identity
    :param endpoint: base URL of DLI
    :param obs_endpoint: base URL of OBS, without a bucket
    :param iam_endpoint: base URL of IAM
    """

    region: str
    project_id: str
    credentials: AccessKey
    endpoint: str
    obs_endpoint: str
    iam_endpoint: str


def default_endpoint(service: str, region: str) -> str:
    """Return the base URL of a service in a region of Huawei Cloud.

    Follows the cloud's *Regions and Endpoints* page.

    :param service: ``dli``, ``obs`` or ``iam``
    :param region: region id
    """
    domain = "myhuaweicloud.eu" if region == _EUROPEAN_REGION else "myhuaweicloud.com"
    return f"https://{service}.{region}.{domain}"


def checked_region(region: str) -> str:
    """Return ``region`` if it can be one.

    :raises ConfigurationError: if it is a URL, empty, or has characters that no region id has
    """
    if not _REGION.fullmatch(region):
        raise ConfigurationError("region", f"{region!r} is not a region id", "give one such as cn-north-4")
    return region


def checked_project(project_id: str) -> str:
    """Return ``project_id`` if it can be one.

    :raises ConfigurationError: if it has characters that no project id has
    """
    if not _PROJECT.fullmatch(project_id):
        raise ConfigurationError(
            "project_id",
            f"{project_id!r} is not a project id",
            "copy it from My Credentials in the console: 32 hexadecimal digits",
        )
    return project_id


def checked_endpoint(field: str, url: str) -> str:
    """Return the base URL without a slash at its end.

    :param field: the connection field it comes from, for the message
    :param url: what was given
    :raises ConfigurationError: if it has no scheme or host, or has a path, query or user of its own
    """
    remedy = "give scheme and host, such as https://dli.cn-north-4.myhuaweicloud.com"
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ConfigurationError(field, f"{url!r} has characters that no URL has", remedy)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(field, f"{url!r} is not a URL ({error})", remedy) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ConfigurationError(field, f"{url!r} has no scheme http:// or https:// and host", remedy)
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigurationError(field, f"{url!r} has more than scheme, host and port", remedy)
    return f"{parts.scheme}://{parts.netloc}"
