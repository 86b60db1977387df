"""How hosts are reached, alike for both drivers of a flow: proxies, certificates, limits, and what went wrong.

:mod:`~airflow_provider_dli.client.transport.sync` drives a flow with requests,
:mod:`~airflow_provider_dli.client.transport.aio` with aiohttp; nothing else imports an HTTP library. They send
the same bytes: only what is in :class:`~airflow_provider_dli.client.call.Request`, and ``Content-Length``. Two
modules, so that a task does not import the library of the other one.

The proxy is that of the connection, or of the environment: the variables are those that requests reads, and its
rules for ``NO_PROXY`` hold. A library that is given ``http://user:pass/word@proxy`` shows the whole of it when it
cannot parse it, in a message or at DEBUG. So it is given scheme, host and port, and the password in a header that
is made here.
"""

from __future__ import annotations

import os
import re
import ssl
import time
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from pathlib import Path
from urllib.parse import SplitResult, unquote, unquote_to_bytes, urlsplit
from urllib.request import getproxies, proxy_bypass

from airflow_provider_dli.client.call import Reply, Request
from airflow_provider_dli.client.errors import ConfigurationError, NoResponseError, NotSentError, ResponseLostError
from airflow_provider_dli.client.replies import unexpected
from airflow_provider_dli.formatting import escaped, excerpt

#: bytes that are read or written at a time
PIECE = 64 * 1024
#: bytes of the longest response that is read; a page of 100 jobs with all their SQL stays far below
MAX_RESPONSE_BYTES = 64 * 1024 * 1024
# To the last at sign: a password may have one itself, or a slash.
_USER_INFO = re.compile(r"//\S*@")
# Of words in lower case, or with the ending of a certificate.
_LIKE_PATH = re.compile(r"(?=.{1,200}\Z)[~.]*(/[a-z0-9._-]{1,30})+/?|(?=.{1,200}\Z)[\w./~ -]+\.(pem|crt|cer)")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_PLACE = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/?#\[\]@%\\]+)(?::(?P<port>[0-9]{1,5}))?/?")
_REMEDY = "give http://host:port or http://user:password@host:port"
_HIGHEST_PORT = 65535
#: characters of a secret that is worth masking; shorter ones are in every text
_WORTH_MASKING = 5


@dataclass(frozen=True, slots=True)
class Network:
    """How hosts are reached.

    :param verify: True to check certificates against the system's authorities, a path to check them against
        others, False to check nothing
    :param proxy: URL of a proxy; None for the one in the environment, if any
    :param connect_timeout: seconds to establish a connection
    :param read_timeout: seconds without a byte of the response
    :param total_timeout: seconds that one request may take in all, its response included; None for
        ``connect_timeout`` and twice ``read_timeout``
    """

    verify: bool | str = True
    proxy: str | None = field(default=None, repr=False)
    connect_timeout: float = 10.0
    read_timeout: float = 120.0
    total_timeout: float | None = None

    @property
    def total(self) -> float:
        """Seconds that one request may take in all."""
        return self.total_timeout or self.connect_timeout + 2 * self.read_timeout


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


def trusted_certificates(verify: bool | str) -> bool | str:  # noqa: FBT001 -- as Network has it
    """Return what certificates are checked against: True for what the library knows, a path, False for nothing."""
    named = (os.environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")) if verify is True else ()
    return next((path for path in named if path), verify)


def checked_ca_bundle(field: str, path: str) -> str:
    """Return the path of a file with certificates.

    :raises ConfigurationError: if there is no such file here, or no certificate in it
    """
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except OSError as error:
        remedy = "give the path of a file with certificates in PEM form, on the machine that runs the task"
        raise _unusable(field, path, error, remedy) from None
    return path


def ssl_context(path: str) -> ssl.SSLContext:
    """Read the certificates that are to be trusted, of a file or a directory, which takes a while.

    :raises ConfigurationError: if they cannot be read
    """
    try:
        if Path(path).is_dir():
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except OSError as error:
        remedy = "correct ca_bundle of the connection, or REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE in the environment"
        raise _unusable("trusted certificates", path, error, remedy) from None


def _unusable(field: str, path: str, error: OSError, remedy: str) -> ConfigurationError:
    # A path is shown whole; of anything else only the beginning, for it may be a secret.
    shown = f"'{escaped(path)}'" if _LIKE_PATH.fullmatch(path) else excerpt(path, secret=True)
    problem = f"{shown} cannot be used ({error.strerror or type(error).__name__})"
    return ConfigurationError(field, problem, remedy)


class ReplyBuilder:
    """Collects a response piece by piece, up to :data:`MAX_RESPONSE_BYTES`."""

    def __init__(self, request: Request, status: int, headers: Mapping[str, str], sent: float) -> None:
        self._sent, self._received = sent, time.time()
        self._request = request
        self._status = status
        self._headers = {name.lower(): value for name, value in headers.items()}
        self._body = bytearray()

    def add(self, piece: bytes) -> None:
        """Add a piece of the body.

        :raises UnexpectedReplyError: if the body is too long
        """
        self._body += piece
        if len(self._body) > MAX_RESPONSE_BYTES:
            reply = Reply(self._status, self._headers, b"")
            problem = f"the response is longer than {MAX_RESPONSE_BYTES:,} bytes"
            raise unexpected(self._request.operation, reply, problem)

    def __len__(self) -> int:
        """Return the bytes of the body so far."""
        return len(self._body)

    def reply(self) -> Reply:
        """Return the whole reply."""
        return Reply(self._status, self._headers, bytes(self._body), self._sent, self._received)


def headers_of(request: Request) -> dict[str, str]:
    """Return the headers as a driver sends them.

    The libraries would refuse a value in words that show it, or write it each in another way.

    :raises ConfigurationError: naming the header, if its value is one that no header can carry
    """
    for name, value in request.headers:
        if not value.isascii() or not value.isprintable() or value != value.strip():
            raise ConfigurationError(
                f"header {name}", "has a value that no header can carry", "give it as issued, without line breaks"
            )
    return dict(request.headers)


def no_response(request: Request, error: Exception, cause: object = None, *, maybe_sent: bool) -> NoResponseError:
    """Return the error for a response that did not come."""
    kind = ResponseLostError if maybe_sent else NotSentError
    return kind(request.operation, urlsplit(request.url).netloc, reason(error, cause))


def reason(error: Exception, cause: object = None) -> str:
    """Return why no response came, without the user and password that a proxy's URL may carry."""
    return _USER_INFO.sub("//", f"{type(error).__name__}: {cause or error}".strip(": ").removesuffix("."))


def too_long(seconds: float) -> str:
    """Return why an exchange was aborted."""
    return f"the exchange took longer than {seconds:g} s (total_timeout of the connection)"
