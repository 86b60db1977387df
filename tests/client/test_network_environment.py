"""How a host is reached: both drivers take the same proxy and trust the same authorities."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from airflow_provider_dli.client import flink, iam
from airflow_provider_dli.client.call import Request
from airflow_provider_dli.client.errors import ConfigurationError, NotSentError, UnexpectedReplyError
from airflow_provider_dli.client.exchange import request_flow
from airflow_provider_dli.client.transport import Network, proxy_of, ssl_context, trusted_certificates
from tests.client.conftest import QUICK

SHOW = flink.show_job(104)
LIST = flink.list_jobs({}, limit=1)
PROXY = "http://proxy:3128"
VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without proxies and authorities of the machine."""
    for name in (*VARIABLES, *(name.upper() for name in VARIABLES), "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def proxy_for(url: str, network: Network | None = None, *, direct: bool = False) -> str | None:
    """Return the proxy for a URL."""
    proxy = proxy_of(Request("GET", url, (), direct=direct), network or Network())
    return proxy.url if proxy else None


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("form", ["http://127.0.0.1:{}", "127.0.0.1:{}", "http://127.0.0.1:{}/"])
def test_the_environments_proxy_is_used_in_all_its_forms(
    name: str, form: str, drive: Any, raw_server: Any, account_at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a scheme or without, for one scheme or for all, by both drivers."""
    monkeypatch.setenv(name, form.format(raw_server.port))
    with pytest.raises(UnexpectedReplyError):
        drive(request_flow(SHOW, account_at("http://dli.invalid")))
    assert raw_server.received[0].startswith(b"GET http://dli.invalid/v1.0/")


def test_a_schemes_own_proxy_comes_before_that_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the connection's before both."""
    monkeypatch.setenv("all_proxy", "http://all:1")
    monkeypatch.setenv("https_proxy", "http://tls:1")
    assert proxy_for("https://dli.test") == "http://tls:1"
    assert proxy_for("http://dli.test") == "http://all:1"
    assert proxy_for("https://dli.test", Network(proxy=PROXY)) == PROXY


def test_without_a_proxy_there_is_none() -> None:
    """Nothing is made up."""
    assert proxy_for("https://dli.test") is None


@pytest.mark.parametrize(
    ("listed", "spared", "not_spared"),
    [
        ("dli.test", "https://dli.test", "https://obs.test"),
        (".test", "https://dli.test:8443", "https://dli.testing"),
        ("test", "https://dli.test", "https://dli.testing"),
        ("dli.test:8443", "https://dli.test:8443", "https://dli.test"),
        ("other, dli.test ,", "https://dli.test", "https://other.test"),
        ("10.0.0.0/8", "http://10.1.2.3:80", "http://11.1.2.3:80"),
        ("10.1.2.3", "http://10.1.2.3:80", "http://10.1.2.30:80"),
        ("dli.test,10.0.0.0/8", "http://10.1.2.3", "http://11.1.2.3"),
        ("fd00::/8", "http://[fd00::1]", "http://[fe00::1]"),
        ("3", "http://dli3", "http://10.1.2.33"),
        ("*", "https://dli.test", None),
    ],
)
def test_hosts_that_no_proxy_names_are_spared(
    listed: str, spared: str, not_spared: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names, their ends, ports, addresses and networks, as requests has it; not the connection's own proxy."""
    monkeypatch.setenv("all_proxy", PROXY)
    monkeypatch.setenv("no_proxy", listed)
    assert proxy_for(spared) is None
    assert not_spared is None or proxy_for(not_spared) == PROXY
    assert proxy_for(spared, Network(proxy="http://own:1")) == "http://own:1"


@pytest.mark.parametrize("scheme", ["socks4", "socks4a", "socks5", "socks5h", "SOCKS5"])
def test_a_socks_proxy_is_not_supported(
    scheme: str, drive: Any, raw_server: Any, account_at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its kind is named, and nothing is sent to it."""
    monkeypatch.setenv("all_proxy", f"{scheme}://ops:hunter2@127.0.0.1:{raw_server.port}")
    with pytest.raises(ConfigurationError, match=rf"is a proxy of {scheme.lower()}://, which is not supported"):
        drive(request_flow(SHOW, account_at("http://dli.invalid")))
    assert raw_server.received == []


@pytest.mark.parametrize(
    "proxy",
    [
        "http://ops:hunter2@proxy:3128#x",
        "ftp://ops:hunter2@proxy:3128",
        "hunter2://proxy:3128",
        "ops:hunter2@proxy:3128/ter2",
        "http://ops:hun/ter2@proxy:no",
        "http://ops:hunter2@[::g]:1",
        "http://ops:hunter2@proxy:70000",
        "http://ops:hunter2",
        "hunter2",
        "http://ops:hunter2@pro xy",
        "http://",
    ],
)
def test_an_invalid_proxy_url_is_refused_without_its_password(
    proxy: str, drive: Any, account_at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable is named, and nothing was sent."""
    monkeypatch.setenv("all_proxy", proxy)
    with pytest.raises(ConfigurationError, match=r"^environment variable all_proxy: ") as caught:
        drive(request_flow(SHOW, account_at("http://dli.invalid")))
    assert not [part for part in ("hun", "ter2") if part in str(caught.value)]


def test_a_direct_request_goes_through_no_proxy(
    drive: Any, raw_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the connection's nor the environment's: the metadata are those of this very machine."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    raw_server.answer = b"HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n"
    for network in (Network(), Network(proxy="http://127.0.0.1:9")):
        with pytest.raises(Exception, match="GetMetadataToken: HTTP 400"):
            drive(iam.security_key(raw_server.url), network)
    assert [request.split(b" ")[1] for request in raw_server.received] == [b"/meta-data/latest/api/token"] * 2
    assert proxy_for("http://169.254.169.254", Network(proxy=PROXY), direct=True) is None


@pytest.fixture
def other(tmp_path: Path) -> str:
    """Return the path of another authority's certificate."""
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    return str(tmp_path / "other.pem")


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_environments_authorities_are_trusted(  # noqa: PLR0917 -- fixtures
    name: str, drive: Any, tls_url: str, bundle: str, other: str, account_at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By both drivers; those of the connection come before them."""
    with pytest.raises(NotSentError, match=r"(?i)certificate"):
        drive(request_flow(LIST, account_at(tls_url)))
    monkeypatch.setenv(name, bundle)
    assert drive(request_flow(LIST, account_at(tls_url))).total_count == 0
    with pytest.raises(NotSentError, match=r"(?i)certificate"):
        drive(request_flow(LIST, account_at(tls_url)), Network(verify=other))


def test_whose_authorities_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection's, then those for requests, then curl's; False checks nothing."""
    assert trusted_certificates(verify=True) is True
    monkeypatch.setenv("CURL_CA_BUNDLE", "/curl")
    assert trusted_certificates(verify=True) == "/curl"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/requests")
    assert trusted_certificates(verify=True) == "/requests"
    assert trusted_certificates(verify="/own") == "/own"
    assert trusted_certificates(verify=False) is False


@pytest.mark.parametrize("content", [None, "no certificate"], ids=["missing", "of-something-else"])
def test_authorities_that_cannot_be_read(
    content: str | None, drive: Any, account_at: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names them before anything is sent, and the settings to check; it is not retried."""
    path = tmp_path / "authorities.pem"
    if content:
        path.write_text(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    with pytest.raises(ConfigurationError) as caught:
        drive(request_flow(SHOW, account_at("https://dli.invalid")))
    assert caught.value.field == "trusted certificates"
    assert caught.value.problem.startswith(f"{str(path)!r} cannot be used (")
    assert "REQUESTS_CA_BUNDLE" in caught.value.remedy
    with pytest.raises(ConfigurationError):
        drive(request_flow(SHOW, account_at("https://dli.invalid")), Network(verify=str(path)))


def test_authorities_play_no_part_without_tls(
    drive: Any, raw_server: Any, account_at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An emulator is reached, whatever they are."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file")
    with pytest.raises(UnexpectedReplyError):
        drive(request_flow(SHOW, account_at(raw_server.url)), QUICK)


def test_authorities_may_be_a_directory(tmp_path: Path) -> None:
    """As OpenSSL has them."""
    context = ssl_context(str(tmp_path))
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.cert_store_stats()["x509"] == 0  # nobody else is trusted
