"""Requests on the wire: those of the manual, the same from both drivers; and lost responses."""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any

import pytest

from airflow_provider_dli.client import flink, iam
from airflow_provider_dli.client.call import USER_AGENT, Call, Flow, Pause
from airflow_provider_dli.client.errors import (
    ConfigurationError,
    NotSentError,
    ResponseLostError,
    UnexpectedReplyError,
)
from airflow_provider_dli.client.exchange import request_flow
from airflow_provider_dli.client.transport import Network

EXPORTED = b'{"is_success": true, "message": "The job is successfully exported.", "zip_file": ["obs-test/a.zip"]}'

CALLS: list[Call[Any]] = [
    flink.export_jobs("obs-test", [100]),
    flink.export_jobs("obs-test/夜/ü"),
    flink.list_jobs({"name": "作业 é🙂+&", "show_detail": True, "tags": "a=1,b=2", "status": ""}, limit=100),
    flink.show_job(104),
]


def answer(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def test_the_export_is_the_request_of_the_manual(raw_server: Any, drive: Any, account_at: Any, clock: Any) -> None:
    """Method, path, headers and body are those of the page, read raw from a socket."""
    raw_server.answer = answer(EXPORTED)
    account = account_at(raw_server.url)
    result = drive(request_flow(flink.export_jobs("obs-test", [100]), account, clock))
    assert result.zip_file == ("obs-test/a.zip",)
    head, _, body = raw_server.received[0].partition(b"\r\n\r\n")
    assert head.decode().split("\r\n")[:-2] == [
        "POST /v1.0/48cc2c48765f481480c7db940d6409d1/streaming/jobs/export HTTP/1.1",
        f"Host: 127.0.0.1:{raw_server.port}",
        "Content-Type: application/json",
        "X-Project-Id: 48cc2c48765f481480c7db940d6409d1",
        f"User-Agent: {USER_AGENT}",
        "X-Sdk-Date: 20260115T083045Z",
    ]
    proof, length = head.decode().split("\r\n")[-2:]
    assert proof.startswith(
        "Authorization: SDK-HMAC-SHA256 Access=EXAMPLEAK00000000001, "
        "SignedHeaders=content-type;host;user-agent;x-project-id;x-sdk-date, Signature="
    )
    assert length == f"Content-Length: {len(body)}"
    assert json.loads(body) == {"obs_dir": "obs-test", "is_selected": True, "job_selected": [100]}


def test_without_a_selection_all_jobs_are_exported() -> None:
    """Without ids the manual's flag is false and the list is absent."""
    assert flink.export_jobs("obs://obs-test/dir/").body == {"obs_dir": "obs-test/dir", "is_selected": False}


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.operation)
@pytest.mark.parametrize("token", [None, "a/token+with=signs"])
def test_both_drivers_send_the_same_bytes(
    call: Any, token: str | None, raw_server: Any, both_drivers: Any, account_at: Any, clock: Any
) -> None:
    """With the same clock the two requests are equal byte for byte."""
    for drive in both_drivers.values():
        with pytest.raises(UnexpectedReplyError):
            drive(request_flow(call, account_at(raw_server.url, token), clock))
    first, second = raw_server.received
    assert first == second


def test_nothing_listens(drive: Any, account_at: Any) -> None:
    """A refused connection has its own error: nothing was sent."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NotSentError, match=f"ExportFlinkJobs: could not reach 127.0.0.1:{port}.*Nothing was sent"):
        drive(request_flow(CALLS[0], account_at(f"http://127.0.0.1:{port}")))


def test_no_such_host(drive: Any, account_at: Any) -> None:
    """Nothing is sent to a name that DNS does not know."""
    with pytest.raises(NotSentError, match=r"could not reach dli\.invalid"):
        drive(request_flow(CALLS[0], account_at("http://dli.invalid")))


def test_a_server_without_tls_where_tls_is_required(raw_server: Any, drive: Any, account_at: Any) -> None:
    """The request was never sent."""
    raw_server.answer = b""
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def hang_up() -> None:
            connection, _ = plain.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(NotSentError):
            drive(request_flow(CALLS[2], account_at(f"https://127.0.0.1:{plain.getsockname()[1]}")))
        thread.join()


@pytest.mark.parametrize(
    "cut",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    ],
    ids=["before-status", "in-body", "in-chunk"],
)
def test_a_response_cut_short_is_an_unknown_outcome(
    cut: bytes, raw_server: Any, drive: Any, account_at: Any
) -> None:
    """The request arrived; the error reports that its outcome is unknown."""
    raw_server.answer = cut
    with pytest.raises(ResponseLostError, match="Whether the request took effect is unknown"):
        drive(request_flow(CALLS[0], account_at(raw_server.url)))
    assert len(raw_server.received) == 1


def test_a_server_that_never_responds(drive: Any, account_at: Any) -> None:
    """A read timeout is an unknown outcome too."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ResponseLostError, match="imeout"):
            drive(request_flow(CALLS[0], account_at(url)), Network(read_timeout=0.5))


def test_a_redirect_is_refused(raw_server: Any, drive: Any, account_at: Any) -> None:
    """The signature is never carried to another host."""
    raw_server.answer = answer(b"", "302 Found", "Location: http://elsewhere.invalid/\r\n")
    with pytest.raises(UnexpectedReplyError, match=r"redirected to 'http://elsewhere.invalid/'"):
        drive(request_flow(CALLS[3], account_at(raw_server.url)))
    assert len(raw_server.received) == 1


def test_a_long_token_of_iam_arrives(raw_server: Any, drive: Any) -> None:
    """A header of many thousand bytes is accepted."""
    body = b'{"token": {"expires_at": "2099-01-16T12:00:00Z"}}'
    raw_server.answer = answer(body, "201 Created", f"X-Subject-Token: {'t' * 40_000}\r\n")
    user, scope = iam.User("ann", "pass-word", "acme"), iam.Scope(None, "cn-north-4")
    assert drive(iam.create_token(raw_server.url, user, scope)).value == "t" * 40_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "place", [b"http://[", b"http://a b:xx/", b"\xff\xfe://", b"http://host:99999999/", b"x" * 9999]
)
def test_a_redirect_to_a_place_that_is_none_is_refused(
    place: bytes, raw_server: Any, drive: Any, account_at: Any
) -> None:
    """It is not followed; the message is printable and short."""
    raw_server.answer = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + place + b"\r\n\r\n"
    with pytest.raises(UnexpectedReplyError, match=r"redirected to .*, which is not followed") as caught:
        drive(request_flow(CALLS[3], account_at(raw_server.url)))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "token", ["to\nken", "token\r\nX: y", "tok\u20acn", "tok\xe9n", " token", "token\n", "to\x00ken"]
)
def test_what_no_header_can_carry_is_named_by_its_header(
    token: str, raw_server: Any, drive: Any, account_at: Any
) -> None:
    """Before anything is sent; the message has no part of the value."""
    with pytest.raises(
        ConfigurationError, match=r"^header X-Security-Token: has a value that no header"
    ) as caught:
        drive(request_flow(CALLS[0], account_at(raw_server.url, token)))
    assert "tok" not in str(caught.value)
    assert raw_server.received == []


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.invalid", "."])
def test_an_invalid_host_is_never_reached(host: str, drive: Any, account_at: Any) -> None:
    """Each library has an error of its own for it."""
    with pytest.raises(NotSentError, match="Nothing was sent"):
        drive(request_flow(CALLS[0], account_at(f"http://{host}")))


def test_a_netrc_file_takes_no_part(
    raw_server: Any, drive: Any, account_at: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its password for this very host neither replaces the signature nor breaks the call."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login someone password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with pytest.raises(UnexpectedReplyError):
        drive(request_flow(CALLS[3], account_at(raw_server.url)))
    assert b"Authorization: SDK-HMAC-SHA256 " in raw_server.received[0]


def test_the_proxy_of_the_environment_is_used(
    raw_server: Any, drive: Any, account_at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless NO_PROXY names the host."""
    monkeypatch.setenv("http_proxy", raw_server.url)
    with pytest.raises(UnexpectedReplyError):
        drive(request_flow(CALLS[3], account_at("http://dli.invalid")))
    assert raw_server.received[0].startswith(b"GET http://dli.invalid/v1.0/")
    monkeypatch.setenv("no_proxy", "dli.invalid")
    with pytest.raises(NotSentError):
        drive(request_flow(CALLS[3], account_at("http://dli.invalid")))


def test_a_pause_is_kept_and_the_flow_goes_on(drive: Any) -> None:
    """For the given time, each time."""

    def pausing() -> Flow[str]:
        yield Pause(0.05)
        yield Pause(0.05)
        return "done"

    began = time.monotonic()
    assert drive(pausing()) == "done"
    assert time.monotonic() - began >= 0.1


def test_a_flow_without_requests(drive: Any) -> None:
    """Its result is returned, and its error is raised."""

    def silent() -> Flow[int]:
        yield from ()
        return 7

    def failing() -> Flow[int]:
        yield Pause(0)
        raise ConfigurationError("field", "is wrong", "fix it")

    assert drive(silent()) == 7
    with pytest.raises(ConfigurationError, match="field: is wrong; fix it"):
        drive(failing())


def test_a_flow_is_always_closed(drive: Any) -> None:
    """So that it releases its resources."""
    closed = []

    def holding(problem: Exception | None) -> Flow[None]:
        try:
            yield Pause(0)
            if problem:
                raise problem
        finally:
            closed.append(problem)

    problem = ConfigurationError("field", "is wrong", "fix it")
    drive(holding(None))
    with pytest.raises(ConfigurationError):
        drive(holding(problem))
    assert closed == [None, problem]
