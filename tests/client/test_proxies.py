"""Proxies with passwords of every kind: usable or refused, and the password in nothing that anybody reads."""

from __future__ import annotations

import logging
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote, quote_plus, unquote

import pytest
import requests

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.call import Request
from airflow_provider_dli.client.credentials import AccessKey
from airflow_provider_dli.client.errors import (
    ConfigurationError,
    DliClientError,
)
from airflow_provider_dli.client.exchange import Account, request_flow
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.client.obs.client import make_client
from airflow_provider_dli.client.obs.objects import find_object, find_object_flow
from airflow_provider_dli.client.transport import Network, Proxy, parse_proxy, proxy_secrets, uses_tls
from airflow_provider_dli.client.transport.sync import SyncTransport
from airflow_provider_dli.exceptions import DliException, translated
from tests.client.conftest import DRIVERS, NOON
from tests.client.raw_server import RawServer

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
#: passwords as they are; each is put into a URL as it is, and percent-encoded
PASSWORDS = [
    "plain-secret",
    "sec/ret-word",
    "sec@ret-word",
    "sec:ret:word",
    "sec#ret-word",
    "sec?ret=word",
    "sec%ret-word",
    "sec ret word",
    "sécret-日本語",
    "/@:#?% secret",
    "//secret//",
    "[secret-word]",
    "sec\\ret-word",
    "'\"secret-word<>",
    "://secret-word",
]
PLACE = ObsLocation("bucket", "key.zip")


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without proxies of the machine."""
    for name in (*VARIABLES, *(name.upper() for name in VARIABLES), "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("scheme", ["http://", "https://", "HTTP://", ""])
@pytest.mark.parametrize("host", ["proxy:3128", "[::1]:3128", "127.0.0.1:3128"])
def test_any_password_is_taken_apart(password: str, scheme: str, host: str) -> None:
    """As it is or percent-encoded, with and without a scheme."""
    # After a colon without a scheme, what begins with slashes looks like a scheme: that is refused.
    as_is = {password} if scheme or not password.startswith("//") else set()
    for written in as_is | {quote(password, safe="")}:
        for end in ("", "/"):
            proxy = parse_proxy("proxy", f" {scheme}ops:{written}@{host}{end}\n")
            assert proxy.url == f"{scheme.lower() or 'http://'}{host}"
            assert proxy.authorization == basic("ops", password)
            assert password not in repr(proxy)


@pytest.mark.parametrize(
    ("text", "url", "authorization"),
    [
        ("http://proxy", "http://proxy", None),
        ("proxy.corp", "http://proxy.corp", None),
        ("localhost", "http://localhost", None),
        ("http://ops@proxy:1", "http://proxy:1", basic("ops", "")),
        ("http://:pass@proxy:1", "http://proxy:1", basic("", "pass")),
        ("http://a%3Ab:c%40d@proxy:01", "http://proxy:1", basic("a:b", "c@d")),
        ("http://müller.example:1", "http://xn--mller-kva.example:1", None),
        ("http://[FE80:0::1]:1", "http://[fe80::1]:1", None),
    ],
)
def test_a_proxy_in_other_forms(text: str, url: str, authorization: str | None) -> None:
    """Scheme, port, user and password are optional."""
    assert parse_proxy("proxy", text) == Proxy(url, authorization)


@pytest.mark.parametrize(
    "text",
    [
        "hunter2-secret",
        "http://",
        "ops:hunter2-secret",
        "http://ops:hunter2-secret",
        "http://ops:x@proxy:0",
        "http://ops:x@proxy:65536",
        "http://ops:x@proxy:port",
        "http://ops:x@proxy:1/path",
        "http://ops:x@proxy:1?query",
        "http://ops:x@pro xy:1",
        "http://ops:x@[::1:1",
        "http://ops:x@[nonsense]:1",
        "http://ops:x@a..b:1",
        f"http://ops:x@{'a' * 64}:1",
        "http://ops:\ud800@proxy:1",
        "hunter2-secret://proxy:1",
        "socks5h://ops:hunter2-secret@proxy:1",
    ],
)
def test_an_invalid_proxy_is_refused_and_not_shown(text: str) -> None:
    """The message names the field that it came from."""
    with pytest.raises(ConfigurationError, match=r"^the field: .*; give http://host:port or ") as caught:
        parse_proxy("the field", text)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None or "hunter2" not in str(caught.value.__context__)


def test_every_form_of_a_password_is_masked() -> None:
    """As given, decoded, and in the header; nothing without a password."""
    assert proxy_secrets("http://ops:p%40ss-word@proxy:1") == [
        "http://ops:p%40ss-word@proxy:1",
        "p%40ss-word",
        "p@ss-word",
        basic("ops", "p@ss-word").removeprefix("Basic "),
    ]
    assert proxy_secrets("http://proxy:1") == proxy_secrets("http://ops@proxy:1") == []


FAULTS: dict[str, bytes] = {
    "hangs up": b"",
    "wants another password": b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n"
    b"Content-Length: 0\r\nConnection: close\r\n\r\n",
    "speaks something else": b"220 smtp.example ESMTP\r\n",
}


def reached(account_at: Any, scheme: str, network: Network) -> Account:
    account: Account = account_at(f"{scheme}://dli.invalid")
    return replace(account, network=network, obs_endpoint=f"{scheme}://obs.invalid")


def _listed(account: Account, driver: str) -> None:
    DRIVERS[driver](request_flow(flink.list_jobs({}, limit=1), account), account.network)


def _head(account: Account, driver: str) -> None:
    DRIVERS[driver](find_object_flow(PLACE, account, lambda: NOON), account.network)


def _boto3(account: Account, driver: str) -> None:
    del driver
    client = make_client(account, lambda: AccessKey("AK", "SK"))
    find_object(client, PLACE)


def _own(account: Account, driver: str) -> None:
    """Have a user send something with the session, as ``hook.get_conn()`` returns it."""
    del driver
    transport = SyncTransport(account.network)
    try:
        transport.session.get(f"{account.endpoint}/x", timeout=60)
    finally:
        transport.close()


PATHS: list[tuple[Callable[[Account, str], None], str]] = [
    (_listed, "requests"),
    (_listed, "aiohttp"),
    (_head, "requests"),
    (_head, "aiohttp"),
    (_boto3, ""),
    (_own, ""),
]


def every_form(password: str) -> set[str]:
    """Return the forms in which the password may be written, and parts of it."""
    encoded = quote(password, safe="")
    whole = {password, encoded, quote(password), quote_plus(password), unquote(password), repr(password)[1:-1]}
    whole.add(basic("ops", password).removeprefix("Basic "))
    return whole | {"ret-word", "ret%2D"}


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, its causes and contexts, suppressed or not."""
    seen: set[int] = set()
    pending = [error]
    while pending:
        each = pending.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            yield each
            pending += [each.__cause__, each.__context__]


@pytest.mark.slow
@pytest.mark.parametrize("fault", [*FAULTS, "is not there"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(("act", "driver"), PATHS, ids=lambda each: getattr(each, "__name__", each))
def test_the_password_is_in_nothing_that_is_written(  # noqa: PLR0917 -- fixtures
    act: Callable[[Account, str], None],
    driver: str,
    scheme: str,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    account_at: Any,
) -> None:
    """Of the environment or of the connection: messages, causes, and everything that any library logs at DEBUG."""
    caplog.set_level(logging.DEBUG)
    for number, password in enumerate(("/@:#?%sécret/ret-word", quote("sec/ret-word", safe=""))):
        caplog.clear()
        with RawServer() as faulty:
            faulty.answer = FAULTS.get(fault, b"")
            port = faulty.port if fault in FAULTS else 9
            url = f"http://ops:{password}@127.0.0.1:{port}"
            if number:
                monkeypatch.delenv("ALL_PROXY", raising=False)
            else:
                monkeypatch.setenv("ALL_PROXY", url)
            network = Network(connect_timeout=60, read_timeout=60, proxy=url if number else None)
            account = reached(account_at, scheme, network)
            failure: BaseException | None = None
            try:
                with translated():
                    act(account, driver)
            except (DliException, requests.RequestException) as error:
                failure = error
        # A user's own request gets the proxy's reply as a response.
        assert failure or act is _own
        written = "".join(traceback.format_exception(failure) if failure else [])
        written += "".join(f"{each} {each!r} {each.__dict__}" for each in chain(failure))
        written += caplog.text
        assert [form for form in every_form(unquote(password)) if form in written.replace(__file__, "")] == []
        if fault in FAULTS:
            assert basic("ops", unquote(password)).encode() in faulty.received[-1]
            assert faulty.received[0].startswith(b"CONNECT " if scheme == "https" else (b"GET http", b"HEAD http"))


@pytest.mark.parametrize(("act", "driver"), PATHS, ids=lambda each: getattr(each, "__name__", each))
def test_an_invalid_proxy_is_refused_on_every_path(
    act: Callable[[Account, str], None], driver: str, monkeypatch: pytest.MonkeyPatch, account_at: Any
) -> None:
    """Before anything is sent; the message names the variable."""
    monkeypatch.setenv("HTTPS_PROXY", "http://ops:sec/ret-word@proxy:no")
    account = reached(account_at, "https", Network())
    with pytest.raises(DliClientError, match=r"environment variable https_proxy: is not the URL") as caught:
        act(account, driver)
    assert "ret-word" not in "".join(f"{each} {each!r}" for each in chain(caught.value))


@pytest.mark.parametrize(("act", "driver"), PATHS[:5], ids=lambda each: getattr(each, "__name__", each))
def test_no_proxy_is_honoured_on_every_path(
    act: Callable[[Account, str], None], driver: str, monkeypatch: pytest.MonkeyPatch, account_at: Any
) -> None:
    """A host that is named there is reached directly, so here not at all."""
    with RawServer() as faulty:
        monkeypatch.setenv("ALL_PROXY", f"http://ops:secret@127.0.0.1:{faulty.port}")
        monkeypatch.setenv("NO_PROXY", "other,.invalid")
        account = reached(account_at, "http", Network())
        with pytest.raises(DliClientError):
            act(account, driver)
    assert faulty.received == []


def test_a_new_password_is_used_at_once(monkeypatch: pytest.MonkeyPatch, account_at: Any) -> None:
    """It changes in the environment of a process that goes on."""
    transport = SyncTransport(Network())
    with RawServer() as faulty:
        faulty.answer = FAULTS["wants another password"]
        for password in ("first-secret", "second-secret"):
            monkeypatch.setenv("ALL_PROXY", f"http://ops:{password}@127.0.0.1:{faulty.port}")
            with pytest.raises(DliClientError):
                transport.run(request_flow(flink.list_jobs({}, limit=1), account_at("http://dli.invalid")))
            assert basic("ops", password).encode() in faulty.received[-1]
    transport.close()


@pytest.mark.parametrize(
    ("url", "proxy", "tls"),
    [
        ("http://a", None, False),
        ("https://a", None, True),
        ("http://a", "http://p", False),
        ("http://a", "https://p", True),
    ],
)
def test_tls_is_spoken_to_a_host_or_to_a_proxy(url: str, proxy: str | None, tls: bool) -> None:
    """So certificates matter for a proxy too."""
    request = Request("GET", url, ())
    assert uses_tls(request, Proxy(proxy) if proxy else None) is tls


def test_the_message_about_an_invalid_proxy_shows_no_secret() -> None:
    """A port that is none, after the user and password."""
    with pytest.raises(ConfigurationError, match=r"^proxy: is not the URL of a proxy; give"):
        parse_proxy("proxy", "http://ops:hunter2@proxy:no")
    with pytest.raises(ConfigurationError, match=r"^proxy: is not the URL of a proxy; give"):
        parse_proxy("proxy", "http://ops:hunter2")
