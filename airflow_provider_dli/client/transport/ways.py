"""By which way a host is reached: the proxy and the authorities of the connection, or those of the environment.

Both drivers ask here, so that a trigger reaches what its task reaches. The variables are those that requests
knows; its rules for ``NO_PROXY`` are kept.
"""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from airflow_provider_dli.client.account import Network
from airflow_provider_dli.client.call import Request
from airflow_provider_dli.client.endpoints import shown_path
from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.proxies import Proxy, parse_proxy


def proxy_of(request: Request, network: Network) -> Proxy | None:
    """Return the proxy that a request goes through; None for none.

    :param request: what is to be sent
    :param network: of the connection, whose proxy comes before that of the environment
    :raises ConfigurationError: naming the variable of the environment that is no URL of a proxy
    """
    if request.direct:
        return None
    return parse_proxy("proxy", network.proxy) if network.proxy else _of_environment(urlsplit(request.url))


def _of_environment(target: SplitResult) -> Proxy | None:
    # Not through the libraries, which would also read ~/.netrc, or want another form than each other.
    proxies = getproxies()
    name = next((each for each in (target.scheme, "all") if proxies.get(each)), None)
    if not name or _spared(target, proxies.get("no", "")):
        return None
    return parse_proxy(f"environment variable {name}_proxy", proxies[name])


def _spared(target: SplitResult, listed: str) -> bool:
    if proxy_bypass(target.hostname or "") or proxy_bypass(target.netloc):
        return True
    return any(_covers(name, target) for name in listed.replace(" ", "").split(",") if name)


def _covers(name: str, target: SplitResult) -> bool:
    host = target.hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return host.endswith(name) or target.netloc.endswith(name)
    with suppress(ValueError):  # a name among the networks
        return address in ip_network(name, strict=False)
    return False


def encrypted(request: Request, proxy: Proxy | None) -> bool:
    """Say whether TLS is spoken on the way, and so whether certificates matter.

    :param request: what is to be sent
    :param proxy: through which proxy
    """
    return "https" in (urlsplit(request.url).scheme, urlsplit(proxy.url if proxy else "").scheme)


def authorities(verify: bool | str) -> bool | str:  # noqa: FBT001 -- as Network has it
    """Return what certificates are checked against: True for what the library knows, a path, False for nothing.

    :param verify: of the connection; True gives way to what the environment names
    """
    named = (os.environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")) if verify is True else ()
    return next((path for path in named if path), verify)


def context_of(path: str) -> ssl.SSLContext:
    """Read the certificates that are to be trusted, which takes a while.

    :param path: of a file or a directory
    :raises ConfigurationError: if they cannot be read
    """
    try:
        if Path(path).is_dir():
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except OSError as error:
        raise ConfigurationError(
            "trusted certificates",
            f"{shown_path(path)} cannot be used ({error.strerror or type(error).__name__})",
            "correct ca_bundle of the connection, or REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE in the environment",
        ) from None
