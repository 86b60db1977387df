"""A web page that is open on a developer's machine cannot use the emulator: over real sockets."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from api_client import ApiClient, Response

JSON = {"Content-Type": "application/json"}
FAULT = json.dumps({"kind": "html"}).encode()
#: each with the port of the emulator in place of {}
FOREIGN = [
    "evil.example",
    "evil.example:{}",
    "127.0.0.1.evil.example:{}",
    "localhost.evil.example:{}",
    "127-0-0-1.nip.io:{}",
    "notlocalhost:{}",
    "0.0.0.0:{}",
    "[::]:{}",
    "2130706433:{}",
    "0x7f.0.0.1:{}",
    "10.1.2.3:{}",
    "[::ffff:10.1.2.3]:{}",
    "localhost:{}@evil.example",
    "evil.example@127.0.0.1:{}",
    "localhost,evil.example",
    "localhost/evil",
    "",
]
OURS = ["127.0.0.1:{}", "127.0.0.1", "localhost:{}", "LOCALHOST:{}", "localhost.:{}", "[::1]:{}", "b.localhost:{}"]


def named(api: ApiClient, host: str) -> dict[str, str]:
    return {"Host": host.format(api.emulator.dli.rpartition(":")[2])}


def refused(reply: Response, word: str) -> bool:
    return reply.status == 403 and word in reply.body["error"]


@pytest.mark.parametrize("host", FOREIGN)
def test_a_foreign_host_is_refused(api: ApiClient, host: str) -> None:
    """Control endpoint, API and object store: a name may have been made to resolve to this machine."""
    head = named(api, host)
    assert refused(api.send("POST", "/_emulator/faults", head | JSON, FAULT), "Host")
    assert refused(api.send("POST", "/_emulator/reset", head), "Host")
    assert refused(api.send("GET", "/_emulator/requests", head), "Host")
    assert refused(api.send("GET", "/v1.0/x/streaming/jobs", head), "Host")
    store = {"Authorization": "AWS4-HMAC-SHA256 Credential=x"}
    assert refused(api.send("GET", f"/{api.emulator.bucket}", head | store), "Host")
    assert list(api.emulator.faults) == []


@pytest.mark.parametrize("host", OURS)
def test_its_own_names_are_accepted(api: ApiClient, host: str) -> None:
    """With the port and without, and a bucket as a sub-domain."""
    assert api.send("POST", "/_emulator/faults", named(api, host) | JSON, FAULT).status == 201


def test_a_name_may_be_allowed(made: Any) -> None:
    """Such as that of a container."""
    ours = made(allow_hosts=["dli-emulator"])
    assert ours.send("GET", "/_emulator/faults", {"Host": "dli-emulator:8080"}).status == 200
    assert ours.send("GET", "/_emulator/faults", {"Host": "evil.example"}).status == 403


@pytest.mark.parametrize(
    "head",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://localhost:3000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "Cross-Site"},
    ],
)
def test_a_page_in_a_browser_is_refused(api: ApiClient, head: dict[str, str]) -> None:
    """Whatever the request is for, a preflight too; nothing is set, nothing allows it to go on."""
    word = next(iter(head))
    for method, what in [("POST", "faults"), ("POST", "reset"), ("GET", "requests"), ("DELETE", "faults")]:
        reply = api.send(method, f"/_emulator/{what}", head | JSON, FAULT if method == "POST" else b"")
        assert refused(reply, word)
        assert not [name for name in reply.headers if name.startswith("access-control")]
    assert refused(api.send("OPTIONS", "/_emulator/faults", head), word)
    assert refused(api.send("GET", "/v1.0/x/streaming/jobs", head), word)
    assert list(api.emulator.faults) == []


def test_a_typed_address_is_accepted(api: ApiClient) -> None:
    """A developer may read the request log in a browser."""
    for site in ("none", "same-origin"):
        assert api.send("GET", "/_emulator/requests", {"Sec-Fetch-Site": site}).status == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", None]
)
def test_only_json_controls(api: ApiClient, kind: str | None) -> None:
    """What a form can send is refused, and so is a body without its type."""
    head = {} if kind is None else {"Content-Type": kind}
    assert api.send("POST", "/_emulator/faults", head, FAULT).status == 415
    assert list(api.emulator.faults) == []
    if kind:
        assert api.send("POST", "/_emulator/reset", head).status == 415
    json_head = {"Content-Type": "application/json; charset=utf-8"}
    assert api.send("POST", "/_emulator/faults", json_head, FAULT).status == 201
    assert api.send("POST", "/_emulator/reset").status == 204


def test_a_request_without_a_host_or_with_two_is_refused(api: ApiClient) -> None:
    """HTTP/1.0 needs none, and two may be read in two ways."""
    port = int(api.emulator.dli.rpartition(":")[2])
    for head in (b"GET /_emulator/faults HTTP/1.0\r\n", b"GET /_emulator/faults HTTP/1.1\r\nHost: localhost\r\n"):
        extra = b"Host: evil.example\r\n" if b"1.1" in head else b""
        with socket.create_connection(("127.0.0.1", port), 10) as plain:
            plain.sendall(head + extra + b"Connection: close\r\n\r\n")
            status = plain.makefile("rb").readline().split()[1]
        assert status in (b"400", b"403")
