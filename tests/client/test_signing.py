"""The signature against golden vectors, a file each; the first step that differs is named."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from airflow_provider_dli.client import credentials
from airflow_provider_dli.client.call import Reply, Request
from airflow_provider_dli.client.credentials import AccessKey, sign

CASES = sorted((Path(__file__).parents[1] / "golden" / "signing").glob("*.json"))
_SCALARS = {True: "true", False: "false"}


def load(path: Path) -> dict[str, Any]:
    case: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return case


def query_pairs(case: dict[str, Any]) -> list[tuple[str, str]]:
    """Flatten as a call does: a list becomes a pair for each element, a boolean is in lower case."""
    return [
        (name, _SCALARS[element] if isinstance(element, bool) else str(element))
        for name, value in case["input"]["query"]
        for element in (value if isinstance(value, list) else [value])
    ]


def test_there_are_golden_cases() -> None:
    """The suite must not pass because the folder is missing."""
    assert len(CASES) == 13


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_step_equals_the_golden_case(path: Path) -> None:
    """Canonical request, string to sign, signature and header are those of the official signer."""
    case = load(path)
    given, headers = case["input"], list(case["headers_sent"].items())
    body = given["body"].encode()
    canonical = credentials.canonical_request(given["method"], given["path"], query_pairs(case), headers, body)
    if "canonical_request" in case:
        for number, (ours, golden) in enumerate(
            zip(canonical.split("\n"), case["canonical_request"].split("\n"), strict=True)
        ):
            assert ours == golden, f"canonical request, line {number}"
    else:
        assert hashlib.sha256(canonical.encode()).hexdigest() == case["canonical_request_sha256"]
    to_sign = credentials.string_to_sign(case["x_sdk_date"], canonical)
    assert to_sign == case.get("string_to_sign", to_sign)
    signed = credentials.signature(case["credentials"]["sk"], to_sign)
    assert signed == case["signature"]
    header = credentials.authorization(case["credentials"]["ak"], credentials.signed_headers(headers), signed)
    assert header == case.get("authorization", header)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_golden_cases_pass_through_both_drivers(path: Path, raw_server: Any, drive: Any) -> None:
    """What arrives on the socket carries the golden signature and the golden request target."""
    case = load(path)
    target = case.get("request_uri") or f"{case['input']['path']}?{credentials.canonical_query(query_pairs(case))}"
    target = quote(target, safe="/%?=&+~")  # the wire has no raw spaces or non-ASCII
    automatic = ("X-Sdk-Date", "X-Security-Token")
    request = Request(
        case["input"]["method"],
        raw_server.url + target,
        tuple((k, v.strip()) for k, v in case["headers_sent"].items() if k not in automatic),
        case["input"]["body"].encode(),
    )
    key = AccessKey(case["credentials"]["ak"], case["credentials"]["sk"], case["input"].get("security_token"))

    def flow() -> Any:
        reply: Reply = yield sign(request, key, case["x_sdk_date"])
        return reply.status

    assert drive(flow()) == 200
    (raw,) = raw_server.received
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert first == f"{case['input']['method']} {target} HTTP/1.1"
    assert body == case["input"]["body"].encode()
    assert headers["Host"] == case["input"]["host"]
    assert headers["Authorization"].endswith(f"Signature={case['signature']}")
    assert headers["Authorization"] == case.get("authorization", headers["Authorization"])


def test_the_date_is_in_utc_whatever_zone_is_given() -> None:
    """A worker's time zone does not matter."""
    shanghai = timezone(timedelta(hours=8))
    assert credentials.sdk_date(datetime(2026, 1, 15, 16, 30, 45, tzinfo=shanghai)) == "20260115T083045Z"
    assert credentials.sdk_date(datetime(2026, 1, 15, 8, 30, 45, tzinfo=UTC)) == "20260115T083045Z"


def test_secrets_are_in_no_repr() -> None:
    """A traceback that prints them shows neither key nor token nor header."""
    key = AccessKey("AK", "the-secret", "the-token")
    request = sign(Request("GET", "https://host/x", (("Host", "host"),), b"the-body"), key, "20260115T083045Z")
    shown = repr(key) + repr(request)
    assert "the-secret" not in shown
    assert "the-token" not in shown
    assert "the-body" not in shown
    assert "Signature" not in shown


@pytest.mark.usefixtures("abroad")
def test_the_date_is_in_utc_wherever_the_machine_stands() -> None:
    """Neither the machine's zone nor the moment's is written."""
    assert time.localtime().tm_gmtoff == 8 * 3600
    lima = timezone(timedelta(hours=-5))
    assert credentials.sdk_date(datetime(2026, 1, 15, 3, 30, 45, tzinfo=lima)) == "20260115T083045Z"


def test_what_needs_no_encoding() -> None:
    """RFC 3986's unreserved characters, the tilde among them, and nothing else."""
    assert credentials.encode("aZ09-._~") == "aZ09-._~"
    assert credentials.encode("/+ *%夜") == "%2F%2B%20%2A%25%E5%A4%9C"
