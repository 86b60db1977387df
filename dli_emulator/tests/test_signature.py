"""The verifier against golden vectors, published ones, and the official signer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials  # type: ignore[import-untyped]
from huaweicloudsdkcore.sdk_request import SdkRequest  # type: ignore[import-untyped]
from huaweicloudsdkcore.signer.signer import Signer  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from dli_emulator.signature import (
    MalformedAuthorization,
    canonical_path,
    canonical_request,
    is_signed,
    parse_authorization,
    signing_time,
    string_to_sign,
)
from dli_emulator.wire import Request

CASES = sorted((Path(__file__).parents[2] / "tests" / "golden" / "signing").glob("*.json"))
AK, SK = "EXAMPLEAK00000000001", "ExampleSecretKey0000000000000000000000001"


def load(path: Path) -> dict[str, Any]:
    case: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return case


def arrived(case: dict[str, Any]) -> Request:
    """Return the golden case as a server would receive it."""
    given = case["input"]
    pairs = "&".join(f"{name}={value}" for name, value in given["query"])
    target = case.get("request_uri") or f"{given['path']}?{pairs}"
    return Request(given["method"], target, tuple(case["headers_sent"].items()), given["body"].encode())


def proof_of(case: dict[str, Any]) -> str:
    names = ";".join(sorted(name.lower() for name in case["headers_sent"] if "_" not in name))
    given = f"Access={case['credentials']['ak']}, SignedHeaders={names}, Signature={case['signature']}"
    return str(case.get("authorization") or f"SDK-HMAC-SHA256 {given}")


def test_there_are_golden_cases() -> None:
    """A folder that went missing must not let the suite pass."""
    assert len(CASES) >= 13


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_golden_requests_are_accepted_step_by_step(path: Path) -> None:
    """Canonical request, string to sign and verdict are those of the official signer."""
    case = load(path)
    request, proof = arrived(case), parse_authorization(proof_of(case))
    canonical = canonical_request(request, proof.signed_headers)
    assert canonical == case.get("canonical_request", canonical)
    given = string_to_sign(case["x_sdk_date"], None, canonical)
    assert given == case.get("string_to_sign", given)
    assert is_signed(request, proof, case["credentials"]["sk"])


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_change_of_anything_signed_is_noticed(path: Path) -> None:
    """Method, path, query, each signed header, body and secret: one changed, and the signature holds no more."""
    case = load(path)
    request, proof, secret = arrived(case), parse_authorization(proof_of(case)), case["credentials"]["sk"]
    separator = "&" if "?" in request.target else "?"
    changed = [
        replace(request, method="PATCH"),
        replace(request, target=f"/x{request.target}"),
        replace(request, target=f"{request.target}{separator}x=1"),
        *(
            replace(request, headers=tuple((k, v + "x" if k.lower() == name else v) for k, v in request.headers))
            for name in proof.signed_headers
        ),
    ]
    if "UNSIGNED" not in str(request.headers):
        changed.append(replace(request, body=request.body + b"x"))
    assert [is_signed(other, proof, secret) for other in changed] == [False] * len(changed)
    assert not is_signed(request, proof, f"{secret}x")


@pytest.mark.parametrize(
    ("scope", "signature"),
    [
        ("//sdk_request", "ec385090522c25504a5b574c7195ac56bf37081d90f74fc093a2676f906cb057"),
        ("/service/sdk_request", "1feb87f00aa9a1ff67e17b7166f9e3f599ae8e134e38817bdf3135efa5317535"),
        ("region//sdk_request", "0fc9c2559c07ac70d086fa9bef16f34273b7886b3d1b57f5b5af8e88769f2c8e"),
        ("region/service/sdk_request", "8bdb0e44341d71482390afe6536fa5f3ecfa6da7956ee95d1f8a60b7ab871240"),
    ],
)
def test_published_vectors_of_the_credential_form(scope: str, signature: str) -> None:
    """Signatures that clients of Open Telekom Cloud publish hold, and only for their scope and day."""
    headers = (("Host", "example.com"), ("X-Project-Id", "project"), ("X-Sdk-Date", "19700101T000001Z"))
    request = Request("GET", "/", headers)
    given = f"Credential=ak/19700101/{scope}, SignedHeaders=host;x-project-id;x-sdk-date, Signature={signature}"
    proof = parse_authorization(f"SDK-HMAC-SHA256 {given}")
    assert is_signed(request, proof, "sk")
    assert not is_signed(request, replace(proof, scope=("19700102", *scope.split("/"))), "sk")
    assert not is_signed(request, replace(proof, scope=None), "sk")
    assert not is_signed(request, proof, "other")


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_VALUE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=12)


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    segments=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8), max_size=4),
    query=st.lists(st.tuples(_TEXT.filter(bool), _TEXT), max_size=5),
    headers=st.dictionaries(st.from_regex(r"X-[A-Z][a-z]{1,7}", fullmatch=True), _VALUE, max_size=4),
    body=st.binary(max_size=40),
)
def test_whatever_the_official_signer_signs_is_accepted(
    method: str, segments: list[str], query: list[tuple[str, str]], headers: dict[str, str], body: bytes
) -> None:
    """Random requests with unicode, repeated and empty values: our verifier takes what their signer gives."""
    path = "/" + "/".join(quote(segment, safe="") for segment in segments)
    theirs = SdkRequest(
        method=method,
        schema="https",
        host="dli.cn-north-4.myhuaweicloud.com",
        resource_path=path,
        query_params=list(query),
        header_params={"Content-Type": "application/json", **headers},
        body=body,
    )
    theirs.uri = ""
    Signer(BasicCredentials(AK, SK, "project")).sign(theirs)
    sent = theirs.header_params
    request = Request(method, theirs.uri, tuple(sent.items()), body)
    assert is_signed(request, parse_authorization(sent["Authorization"]), SK)
    assert not is_signed(request, parse_authorization(sent["Authorization"]), SK[:-1])


def test_the_content_header_counts_only_if_it_is_correct() -> None:
    """A hash of other bytes is refused even though it was signed; UNSIGNED-PAYLOAD lets any body pass."""
    case = load(next(path for path in CASES if path.stem == "unsigned_payload_header_rules"))
    request, proof, secret = arrived(case), parse_authorization(proof_of(case)), case["credentials"]["sk"]
    assert is_signed(replace(request, body=b"any other body"), proof, secret)
    lying = tuple((k, "0" * 64 if k == "X-Sdk-Content-Sha256" else v) for k, v in request.headers)
    assert not is_signed(replace(request, headers=lying), proof, secret)


def test_headers_added_after_signing_do_no_harm() -> None:
    """Only the headers of the list count."""
    case = load(CASES[0])
    request = arrived(case)
    later = replace(request, headers=(*request.headers, ("X-Added", "later")))
    assert is_signed(later, parse_authorization(proof_of(case)), case["credentials"]["sk"])


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        ("Basic dTpw", "no known form"),
        ("SDK-HMAC-SHA256 Access=a, SignedHeaders=x-sdk-date", "no known form"),
        ("V11-HMAC-SHA256 Access=a, SignedHeaders=x-sdk-date, Signature=" + "0" * 64, "no known form"),
        ("SDK-HMAC-SHA256 Access=a, SignedHeaders=x-sdk-date, Signature=" + "0" * 63, "no known form"),
        ("SDK-HMAC-SHA256 Access=a, SignedHeaders=host, Signature=" + "0" * 64, "X-Sdk-Date is not among"),
        ("SDK-HMAC-SHA256 Credential=a/b, SignedHeaders=x-sdk-date, Signature=" + "0" * 64, "Credential"),
        (
            "SDK-HMAC-SHA256 Credential=a/1/2/3/aws4_request, SignedHeaders=x-sdk-date, Signature=" + "0" * 64,
            "Credential",
        ),
    ],
)
def test_what_cannot_be_read_is_named(authorization: str, expected: str) -> None:
    """Each problem of the header has its message."""
    with pytest.raises(MalformedAuthorization, match=expected):
        parse_authorization(authorization)


@pytest.mark.parametrize("date", [None, "", "2026-01-15T08:30:45Z", "20261315T083045Z"])
def test_a_date_that_is_none_is_refused(date: str | None) -> None:
    """The date must be there and be one."""
    headers = (("X-Sdk-Date", date),) if date is not None else ()
    with pytest.raises(MalformedAuthorization, match="X-Sdk-Date"):
        signing_time(Request("GET", "/", headers))


def test_a_slash_that_was_encoded_is_one_in_the_canonical_path() -> None:
    """The path is decoded before it is cut into segments."""
    assert canonical_path("/a%2Fb/%C3%BC+~") == "/a/b/%C3%BC%2B~/"
