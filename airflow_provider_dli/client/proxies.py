"""Through which proxy a host is reached: that of the connection, or of the environment, for both transports alike.

The variables are those that requests reads, and its rules for ``NO_PROXY`` hold. A library that is given
``http://user:pass/word@proxy`` shows the whole of it when it cannot parse it, in a message or at DEBUG. So it is
given scheme, host and port, and the password in a header that is made here.
"""

from __future__ import annotations

import re
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, unquote, unquote_to_bytes, urlsplit
from urllib.request import getproxies, proxy_bypass

from airflow_provider_dli.client.account import Network
from airflow_provider_dli.client.call import Request
from airflow_provider_dli.client.errors import ConfigurationError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_PLACE = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/?#\[\]@%\\]+)(?::(?P<port>[0-9]{1,5}))?/?")
_REMEDY = "give http://host:port or http://user:password@host:port"
_HIGHEST_PORT = 65535
#: characters of a secret that is worth masking; shorter ones are in every text
_WORTH_MASKING = 5


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and the authorization that it wants.

    :param url: scheme, host and port
    :param authorization: value of the header ``Proxy-Authorization``; None for none
    """

    url: str
    authorization: str | None = field(default=None, repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """What to send to the proxy, and to nobody else."""
        return {"Proxy-Authorization": self.authorization} if self.authorization else {}


def proxy_of(request: Request, network: Network) -> Proxy | None:
    """Return the proxy that a request goes through; None for none.

    :raises ConfigurationError: naming the variable of the environment that is not the URL of a proxy
    """
    if request.direct:
        return None
    return parse_proxy("proxy", network.proxy) if network.proxy else _of_environment(urlsplit(request.url))


def _of_environment(target: SplitResult) -> Proxy | None:
    # Not through the libraries, which would also read ~/.netrc, or want another form than each other.
    proxies = getproxies()
    name = next((each for each in (target.scheme, "all") if proxies.get(each)), None)
    if not name or _is_exempt(target, proxies.get("no", "")):
        return None
    return parse_proxy(f"environment variable {name}_proxy", proxies[name])


def _is_exempt(target: SplitResult, listed: str) -> bool:
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


def uses_tls(request: Request, proxy: Proxy | None) -> bool:
    """Return whether TLS is used on the way, and so whether certificates matter."""
    return "https" in (urlsplit(request.url).scheme, urlsplit(proxy.url if proxy else "").scheme)


def parse_proxy(name: str, text: str) -> Proxy:
    """Return the proxy of a URL, as people write it: the scheme may be missing, and the password be anything.

    User and password end at the last ``@``, and the user at the first ``:``; either may be percent-encoded.

    :param name: where it comes from, for the message, which never shows the URL
    :param text: what was given
    :raises ConfigurationError: if it is not the URL of a proxy, or of a kind that is not supported
    """
    scheme, user, place = _parts(text.strip())
    if scheme.startswith("socks"):
        kind = re.sub(r"[^a-z0-9]", "", scheme)[:8]
        raise ConfigurationError(name, f"is a proxy of {kind}://, which is not supported", _REMEDY)
    if scheme not in ("http", "https"):
        raise ConfigurationError(name, "has no scheme http:// or https://", _REMEDY)
    found = _PLACE.fullmatch(place)
    if not found:
        known = _PLACE.match(place)
        is_more = known is not None and place[known.end() - place[: known.end()].endswith("/") :][:1] in "/?#"
        problem = "has more than scheme, user, host and port" if is_more else "is not the URL of a proxy"
        raise ConfigurationError(name, problem, _REMEDY)
    host, port = found["host"], found["port"]
    if port is not None and not 0 < int(port) <= _HIGHEST_PORT:
        raise ConfigurationError(name, f"has a port that is not from 1 to {_HIGHEST_PORT}", _REMEDY)
    if not _SCHEME.match(text.strip()) and port is None and "." not in host and host != "localhost":
        # One word may be anything, a password too.
        raise ConfigurationError(name, "has neither scheme nor port", _REMEDY)
    return Proxy(f"{scheme}://{_checked_host(name, host)}{f':{int(port)}' if port else ''}", _basic(name, user))


def proxy_secrets(text: str) -> list[str]:
    """Return what of a proxy's URL no log may show: the password in each of its forms."""
    _, user, _ = _parts(text.strip())
    password = (user or "").partition(":")[2]
    secrets = [text.strip(), password, unquote(password)] if password else []
    if user and password:
        with suppress(UnicodeEncodeError):
            secrets.append(b64encode(_decoded(user)).decode())
    return [each for each in dict.fromkeys(secrets) if len(each) >= _WORTH_MASKING]


def _parts(text: str) -> tuple[str, str | None, str]:
    """Take scheme, user with password, and host with port apart."""
    found = _SCHEME.match(text)
    scheme, rest = (found[1].lower(), text[found.end() :]) if found else ("http", text)
    user, at, place = rest.rpartition("@")
    return scheme, user if at else None, place


def _checked_host(name: str, host: str) -> str:
    try:
        if host.startswith("["):
            return f"[{IPv6Address(host[1:-1])}]"
        return host.encode("idna").decode("ascii")
    except ValueError:
        raise ConfigurationError(name, "has a host that is not a valid name", _REMEDY) from None


def _basic(name: str, user: str | None) -> str | None:
    if user is None:
        return None
    try:
        return f"Basic {b64encode(_decoded(user)).decode()}"
    except UnicodeEncodeError:
        raise ConfigurationError(name, "is not valid Unicode", _REMEDY) from None


def _decoded(user: str) -> bytes:
    login, _, password = user.partition(":")
    return unquote_to_bytes(login) + b":" + unquote_to_bytes(password)
