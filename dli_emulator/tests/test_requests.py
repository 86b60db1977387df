"""The request log and the gateway's general answers: ids, unknown APIs, large bodies, secrets."""

from __future__ import annotations

import dataclasses
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

from api_client import ApiClient
from dli_emulator.request_log import RequestLog, record
from dli_emulator.wire import Reply, Request


def test_the_log_shows_what_arrived_and_what_was_answered(api: ApiClient) -> None:
    """In order, with operation, query, body, headers, status and code."""
    api.jobs(name="a ü+b", limit=3)
    api.show(1)
    api.export(100)
    listed, shown, exported = api.emulator.requests
    assert (listed.operation, listed.method, listed.status) == ("ListFlinkJobs", "GET", 200)
    assert listed.query == (("name", "a ü+b"), ("limit", "3"))
    assert (shown.operation, shown.status, shown.error_code) == ("ShowFlinkJob", 400, "DLI.16001")
    assert shown.path.endswith("/streaming/jobs/1")
    assert exported.json() == {"obs_dir": "obs-test", "is_selected": True, "job_selected": [100]}
    assert exported.headers["content-type"] == "application/json"
    assert exported.access_key == api.emulator.access_key
    assert exported.acted
    assert exported.time == pytest.approx(time.time(), abs=60)
    with pytest.raises(dataclasses.FrozenInstanceError):
        exported.status = 1  # type: ignore[misc]


def test_every_response_has_its_own_request_id(api: ApiClient) -> None:
    """On success and refusal alike; the log and the gateway's body have the same."""
    answers = [api.jobs(), api.show(1), api.request("GET", "/nothing")]
    ids = [reply.headers["x-request-id"] for reply in answers]
    assert len(set(ids)) == 3
    assert [entry.request_id for entry in api.emulator.requests] == ids
    assert answers[2].body["request_id"] == ids[2]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v1.0"),
        ("PUT", "/v1.0/{p}/streaming/jobs"),
        ("GET", "/v1.0/{p}/streaming/jobs/export/more"),
        ("GET", "/v1.0/{p}/streaming/jobs/"),
        ("DELETE", "/v3/projects"),
    ],
)
def test_an_unknown_api_is_not_found(api: ApiClient, method: str, path: str) -> None:
    """404 APIGW.0101 for a path or a method that nothing answers to."""
    reply = api.request(method, path.format(p=api.emulator.project_id))
    assert reply.error == (404, "APIGW.0101")
    assert api.emulator.requests[-1].operation is None


def test_a_foreign_project_is_refused(api: ApiClient) -> None:
    """The key's own project only."""
    assert api.request("GET", "/v1.0/another/streaming/jobs").error == (403, "APIGW.0302")


def test_a_wrong_secret_is_refused_and_then_locked(api: ApiClient) -> None:
    """Over the wire as in the rules: five times the one text, then the other; a reset unlocks."""
    path = f"/v1.0/{api.emulator.project_id}/streaming/jobs"
    texts = [api.request("GET", path, key=(api.emulator.access_key, "x")).body["error_msg"] for _ in range(6)]
    assert ["limit" in text for text in texts] == [False] * 5 + [True]
    assert api.jobs().error == (401, "APIGW.0301")
    api.emulator.reset()
    assert api.jobs().status == 200


def test_a_body_over_the_gateways_limit_is_refused(api: ApiClient) -> None:
    """12 MB pass the gateway, more do not."""
    path = f"/v1.0/{api.emulator.project_id}/streaming/jobs/export"
    assert api.send("POST", path, body=b" " * (12 * 1024 * 1024 + 1)).error == (413, "APIGW.0201")
    assert api.export_body({"obs_dir": "x" * (11 * 1024 * 1024)}).error == (400, "DLI.29001")


def test_a_long_request_line_passes(api: ApiClient) -> None:
    """The gateway takes 32 K."""
    assert api.jobs(tags="k=" + "v" * 30_000).status == 200


def test_headers_that_are_not_unicode_are_signed_as_they_came(api: ApiClient) -> None:
    """Latin-1 and UTF-8 both reach the log as text."""
    place = urlsplit(api.emulator.dli)
    with socket.create_connection((place.hostname, place.port)) as connection:
        connection.sendall(
            b"GET /v1 HTTP/1.1\r\nHost: localhost\r\nX-A: \xfc\r\nX-B: \xc3\xbc\r\nConnection: close\r\n\r\n"
        )
        while connection.recv(4096):
            pass
    headers = api.emulator.requests[-1].headers
    assert (headers["x-a"], headers["x-b"]) == ("ü", "ü")


def test_many_at_once(api: ApiClient) -> None:
    """Two hundred requests from thirty threads: each is answered and logged."""
    with ThreadPoolExecutor(30) as pool:
        statuses = list(pool.map(lambda _: api.jobs().status, range(200)))
    assert statuses == [200] * 200
    assert len(api.emulator.requests) == 200


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Authorization": "SDK-HMAC-SHA256 Access=A, SignedHeaders=host, Signature=SECRET"}, {}),
        ({"Authorization": "Bearer SECRET"}, {}),
        ({"X-Auth-Token": "SECRET", "x-security-token": "SECRET", "X-Subject-Token": "SECRET"}, {}),
        ({}, {"auth": {"identity": {"password": {"user": {"name": "n", "password": "SECRET"}}}}}),
        ({}, {"auth": {"identity": {"methods": ["token"], "token": {"id": "SECRET", "duration_seconds": 900}}}}),
        ({}, [{"secret": "SECRET"}]),
    ],
)
def test_no_secret_gets_into_the_log(headers: dict[str, str], body: Any) -> None:
    """Signatures, tokens and passwords are redacted; the rest stays."""
    request = Request("POST", "/", tuple(headers.items()), json.dumps(body).encode())
    entry = record(request, None, 0.0, "id", None)
    assert "SECRET" not in repr(entry)
    assert "***" in repr(entry)


def test_what_only_resembles_a_secret_stays() -> None:
    """Bytes that are no JSON, and JSON without secrets."""
    assert record(Request("POST", "/", (), b"token \xff"), None, 0.0, "id", None).body == "token �"
    assert record(Request("POST", "/", (), b'{"token": 1}'), None, 0.0, "id", None).json() == {"token": 1}


def test_the_log_does_not_grow_without_end() -> None:
    """The oldest go first; a response to a forgotten request is ignored."""
    log = RequestLog()
    for number in range(10_005):
        log.arrived(record(Request("GET", "/"), None, 0.0, str(number), None))
    assert [entry.request_id for entry in log][:1] == ["5"]
    log.answered("0", Reply(200))
    log.acted("0")
    assert len(list(log)) == 10_000


def test_bytes_go_out_as_they_are() -> None:
    """For a fault that is set in Python."""
    assert Reply(200, b"\x00").payload() == (b"\x00", "application/octet-stream")
