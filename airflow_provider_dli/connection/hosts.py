"""Which hosts serve a region, and whether a URL given in their place is one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import urlsplit

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.connection.extras import Extras
from airflow_provider_dli.connection_form import CLOUDS, OTHER_HOSTS, STS_REGIONS
from airflow_provider_dli.formatting import excerpt

T = TypeVar("T")

# No region id known is longer than 16; a secret is.
_REGION = re.compile(r"(?=.{1,30}\Z)[a-z0-9]+(-[a-z0-9]+)+")
# Hosts are written in small letters; a secret key is not.
_LIKE_SECRET = re.compile(r"(?=[a-z0-9_+-]*[A-Z])[A-Za-z0-9_+-]{21,}")
_LIKE_URL = re.compile(r"https?://(?=[^/]{1,100}\Z)[A-Za-z0-9-]+(\.[A-Za-z0-9-]*)+(:[0-9]{0,6})?")
# The one region of the European sovereign cloud that Huawei Cloud's own clients know.
_EUROPEAN_REGION = "eu-west-101"
#: cloud -> its console; no page was found that documents the addresses of the others
_CONSOLES: Mapping[str, str] = {"huaweicloud": "https://console.huaweicloud.com"}


def endpoint(extras: Extras, name: str, default: T) -> str | T:
    """Return the base URL that is given, or the default."""
    given = extras.string(name)
    return checked_endpoint(name, given) if given else default


def host(
    extras: Extras, name: str, service: str, region: str, cloud: str | None, remedy: str = "give its URL"
) -> str:
    """Return the base URL of a service that is given, or else the one that follows from the region.

    :raises ConfigurationError: if it is not valid, or none is known
    """
    if given := extras.string(name):
        return checked_endpoint(name, given)
    found = default_endpoint(service, region, cloud)
    if found is None:
        raise ConfigurationError(
            name, f"is missing, and no source names the host of {service.upper()} in {region}", remedy
        )
    return found


def default_endpoint(service: str, region: str, cloud: str | None = None) -> str | None:
    """Return the base URL of a service in a region; of one of :data:`CLOUDS`, by default the region's.

    None if it does not follow the pattern and is not known.
    """
    cloud = cloud or _cloud_of(region)
    if service == "sts" and (cloud != "huaweicloud" or region not in STS_REGIONS):
        return None
    hosts = OTHER_HOSTS.get((cloud, region), {})
    return hosts[service] if service in hosts else CLOUDS[cloud].format(service=service, region=region)


def default_console(region: str, cloud: str | None = None) -> str | None:
    """Return the base URL of the console of a cloud; None if it is not known."""
    return _CONSOLES.get(cloud or _cloud_of(region))


def _cloud_of(region: str) -> str:
    return "huaweicloud-eu" if region == _EUROPEAN_REGION else "huaweicloud"


def checked_region(region: str) -> str:
    """Return ``region`` if it can be one.

    :raises ConfigurationError: if it is a URL, empty, or has characters that no region id has
    """
    if not _REGION.fullmatch(region):
        raise ConfigurationError(
            "region", f"{excerpt(region, secret=True)} is not a region id", "give one such as cn-north-4"
        )
    return region


def checked_endpoint(field: str, url: str) -> str:
    """Return the base URL without a slash at its end.

    :raises ConfigurationError: if it has no scheme or host, has a path, query or user of its own, or a host that
        looks like a secret
    """
    remedy = "give scheme and host, such as https://dli.cn-north-4.myhuaweicloud.com"
    shown = "" if "@" in url else f"{_shown_url(url)} "
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ConfigurationError(field, f"{shown}has characters that no URL has", remedy)
    if _LIKE_SECRET.search(url):
        raise ConfigurationError(field, f"{shown}has a long word with capitals, like a secret", remedy)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigurationError(field, f"{shown}is not a URL with a port from 1 to 65535", remedy) from None
    if port == 0:
        raise ConfigurationError(field, f"{shown}has port 0, which nothing listens on", remedy)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(field, f"{shown}has no scheme http:// or https:// and host", remedy)
    try:
        parts.hostname.encode("idna")
    except UnicodeError:
        problem = f"{shown}has a host with a part that is empty or too long"
        raise ConfigurationError(field, problem, remedy) from None
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigurationError(field, "has more than scheme, host and port", remedy)
    return f"{parts.scheme}://{parts.netloc}"


def _shown_url(url: str) -> str:
    """Quote what looks like scheme and host; of anything else only the beginning, for it may be a secret."""
    if _LIKE_URL.fullmatch(url) and not _LIKE_SECRET.search(url):
        return f"'{url}'"
    scheme, slashes, rest = url.partition("://")
    if slashes and scheme in ("http", "https"):
        return f"{scheme}:// and then {excerpt(rest, secret=True)}"
    return excerpt(url, secret=True)
