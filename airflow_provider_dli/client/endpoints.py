"""Which hosts serve a region, and the checks of regions, projects, URLs and certificates of a connection."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.formatting import escaped, excerpt

# No region id known is longer than 16; a secret is.
_REGION = re.compile(r"(?=.{1,30}\Z)[a-z0-9]+(-[a-z0-9]+)+")
_PROJECT_LENGTH = 32
_PROJECT = re.compile(r"[0-9A-Za-z_-]{1,64}")

_LIKE_URL = re.compile(r"https?://(?=[^/]{1,100}\Z)[A-Za-z0-9-]+(\.[A-Za-z0-9-]*)+(:[0-9]{0,6})?")
# Of words in lower case, or with the ending of a certificate.
_LIKE_PATH = re.compile(r"(?=.{1,200}\Z)[~.]*(/[a-z0-9._-]{1,30})+/?|(?=.{1,200}\Z)[\w./~ -]+\.(pem|crt|cer)")

#: cloud -> the pattern of its hosts, as its *Regions and Endpoints* page gives them
CLOUDS: Mapping[str, str] = {
    "huaweicloud": "https://{service}.{region}.myhuaweicloud.com",
    "huaweicloud-eu": "https://{service}.{region}.myhuaweicloud.eu",
    # DLI's own host there follows the pattern of the others; no official list that names it was found.
    "open-telekom-cloud": "https://{service}.{region}.otc.t-systems.com",
}
DEFAULT_CLOUD = "huaweicloud"
# The one region of the European sovereign cloud that Huawei Cloud's own clients know.
_EUROPEAN_REGION = "eu-west-101"


#: cloud -> its console; no page was found that documents the addresses of the others
_CONSOLES: Mapping[str, str] = {DEFAULT_CLOUD: "https://console.huaweicloud.com"}


def default_console(region: str, cloud: str | None = None) -> str | None:
    """Return the base URL of the console of a cloud; None if it is not known."""
    return _CONSOLES.get(cloud or _cloud_of(region))


def default_endpoint(service: str, region: str, cloud: str | None = None) -> str:
    """Return the base URL of a service in a region.

    :raises ConfigurationError: if there is no such cloud
    """
    name = cloud or _cloud_of(region)
    if name not in CLOUDS:
        raise ConfigurationError(
            "cloud", f"{excerpt(name, secret=True)} is not a known cloud", f"give one of {', '.join(CLOUDS)}"
        )
    return CLOUDS[name].format(service=service, region=region)


def _cloud_of(region: str) -> str:
    return "huaweicloud-eu" if region == _EUROPEAN_REGION else DEFAULT_CLOUD


def checked_region(region: str) -> str:
    """Return ``region`` if it can be one.

    :raises ConfigurationError: if it is a URL, empty, or has characters that no region id has
    """
    if not _REGION.fullmatch(region):
        raise ConfigurationError(
            "region", f"{excerpt(region, secret=True)} is not a region id", "give one such as cn-north-4"
        )
    return region


def checked_project(project_id: str) -> str:
    """Return ``project_id`` if it can be one.

    :raises ConfigurationError: if it has characters that no project id has
    """
    # Ids have 32 characters at most and letters of one case; a secret key has 40, of both.
    is_secret = len(project_id) > _PROJECT_LENGTH and project_id not in (project_id.lower(), project_id.upper())
    if is_secret or not _PROJECT.fullmatch(project_id):
        raise ConfigurationError(
            "project_id",
            f"{excerpt(project_id, secret=True)} is not a project id",
            "copy it from My Credentials in the console: 32 hexadecimal digits",
        )
    return project_id


def checked_endpoint(field: str, url: str) -> str:
    """Return the base URL without a slash at its end.

    :raises ConfigurationError: if it has no scheme or host, or has a path, query or user of its own
    """
    remedy = "give scheme and host, such as https://dli.cn-north-4.myhuaweicloud.com"
    parts = _split(field, url, remedy, secret="@" in url)
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigurationError(field, "has more than scheme, host and port", remedy)
    return f"{parts.scheme}://{parts.netloc}"


def checked_ca_bundle(field: str, path: str) -> str:
    """Return the path of a file with certificates.

    :raises ConfigurationError: if there is no such file here, or no certificate in it
    """
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except OSError as error:
        raise ConfigurationError(
            field,
            f"{shown_path(path)} cannot be used ({error.strerror or type(error).__name__})",
            "give the path of a file with certificates in PEM form, on the machine that runs the task",
        ) from None
    return path


def _split(field: str, url: str, remedy: str, *, secret: bool) -> SplitResult:
    shown = "" if secret else f"{_shown_url(url)} "
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ConfigurationError(field, f"{shown}has characters that no URL has", remedy)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigurationError(field, f"{shown}is not a URL with a port from 1 to 65535", remedy) from None
    if port == 0:
        raise ConfigurationError(field, f"{shown}has port 0, which nothing listens on", remedy)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(field, f"{shown}has no scheme http:// or https:// and host", remedy)
    if not _encodable(parts.hostname):
        raise ConfigurationError(field, f"{shown}has a host with a part that is empty or too long", remedy)
    return parts


def _shown_url(url: str) -> str:
    """Quote what looks like scheme and host; of anything else only the beginning, for it may be a secret."""
    if _LIKE_URL.fullmatch(url):
        return f"'{url}'"
    scheme, slashes, rest = url.partition("://")
    return (
        f"{scheme}:// and then {excerpt(rest, secret=True)}"
        if slashes and scheme in ("http", "https")
        else excerpt(url, secret=True)
    )


def shown_path(path: str) -> str:
    """Quote what looks like the path of a file; of anything else only the beginning, for it may be a secret."""
    return f"'{escaped(path)}'" if _LIKE_PATH.fullmatch(path) else excerpt(path, secret=True)


def _encodable(host: str) -> bool:
    """Return whether a name can be looked up, whatever it is."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True
