"""Our signature compared with Huawei Cloud's own signer, and checked by the emulator's verifier."""

from __future__ import annotations

import asyncio
import random
import string
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from huaweicloudsdkcore.sdk_request import SdkRequest  # type: ignore[import-untyped]  # it has no types
from huaweicloudsdkcore.signer.signer import Signer  # type: ignore[import-untyped]  # likewise
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.call import Call, Request
from airflow_provider_dli.client.credentials import AccessKey, canonical_query, sign
from airflow_provider_dli.client.errors import ServiceError
from airflow_provider_dli.client.exchange import Account, Project, build_request, request_flow
from airflow_provider_dli.client.transport.aio import AsyncTransport
from airflow_provider_dli.client.transport.sync import SyncTransport
from dli_emulator.signature import is_signed, parse_authorization
from dli_emulator.wire import Request as Arrived

DATE = "20260115T083045Z"
NOON = datetime(2026, 1, 15, 8, 30, 45, tzinfo=UTC)
ALPHABET = string.ascii_letters + string.digits + "-_.~!*'();:@&=+$,/?#[]% \t\"<>\\^`{|}äßéñ作业夜🙂\u200d\u00a0"
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD")
Pairs = list[tuple[str, str]]


def text(chance: random.Random, longest: int = 12) -> str:
    """Draw a string, sometimes empty."""
    return "".join(chance.choices(ALPHABET, k=chance.randrange(longest)))


def path_of(chance: random.Random) -> str:
    """Draw a path: encoded in one way or another, with empty, dotted and slashed segments."""
    kinds = [
        lambda: quote(text(chance), safe=""),
        lambda: quote(text(chance), safe="!*'();:@&=+$,~"),
        lambda: chance.choice(["", ".", "..", "%2F", "%2f", "%25", "%E4%BD%9C", "%e4%bd%9c", "+", "a%20b"]),
    ]
    path = "/" + "/".join(chance.choice(kinds)() for _ in range(chance.randrange(6)))
    return path + chance.choice(["", "/"])


def pairs_of(chance: random.Random) -> Pairs:
    """Draw a query: names repeated, values empty."""
    names = [text(chance) or "a" for _ in range(chance.randrange(5))]
    return [(chance.choice(names), text(chance, 20)) for _ in range(chance.randrange(8) if names else 0)]


def headers_of(chance: random.Random, host: str) -> Pairs:
    """Draw headers: more than necessary, with spaces around values and names that are not signed."""
    value = "".join(chance.choices(string.ascii_letters + string.digits + " ;=,/é", k=chance.randrange(1, 30)))
    more = [
        ("X-Project-Id", "p" * 32),
        ("X_Not_Signed", value),
        ("x-lower", f"  {value} "),
        ("X-Language", "en-us"),
    ]
    chosen = [header for header in more if chance.random() < 0.5]
    return [
        ("Host", host),
        ("Content-Type", chance.choice(["application/json", "application/json;charset=utf8"])),
        *chosen,
    ]


def requests(count: int) -> Iterator[tuple[Request, Pairs, AccessKey]]:
    """Draw requests, their queries, and keys; the same ones at each run."""
    chance = random.Random(20260115)
    for _ in range(count):
        host = chance.choice(["dli.cn-north-4.myhuaweicloud.com", "127.0.0.1:8080", "dli.example:8443"])
        pairs = pairs_of(chance)
        query = canonical_query(pairs)
        url = f"https://{host}{path_of(chance)}{'?' if query else ''}{query}"
        body = chance.choice([b"", b"{}", text(chance, 200).encode(), chance.randbytes(chance.randrange(5000))])
        token = text(chance, 400).replace(" ", "").replace("\t", "").strip() if chance.random() < 0.3 else None
        key = AccessKey(f"AK{chance.randrange(10**18)}", text(chance, 60) or "s", token or None)
        yield Request(chance.choice(METHODS), url, tuple(headers_of(chance, host)), body), pairs, key


def official(request: Request, pairs: Pairs, key: AccessKey) -> Any:
    """Sign the same with Huawei Cloud's own signer."""
    parts = urlsplit(request.url)
    headers = dict([*request.headers, ("X-Sdk-Date", DATE)])
    if key.security_token:
        headers["X-Security-Token"] = key.security_token
    theirs = SdkRequest(
        request.method, "https", parts.netloc, parts.path, None, list(pairs), headers, request.body
    )
    return Signer(SimpleNamespace(ak=key.access_key, sk=key.secret_key)).sign(theirs)


def test_a_thousand_requests_are_signed_as_the_official_signer_does() -> None:
    """Signature, signed headers and query are equal: 0 differences."""
    drawn = list(requests(1000))
    differences = []
    for request, pairs, key in drawn:
        ours, theirs = sign(request, key, DATE), official(request, pairs, key)
        target = urlsplit(ours.url)
        same_query = theirs.uri == target.path + (f"?{target.query}" if target.query else "")
        if dict(ours.headers)["Authorization"] != theirs.header_params["Authorization"] or not same_query:
            differences.append((ours, theirs.uri))
    assert differences == []
    # What the sample must have, for the line above to mean something.
    assert sum(1 for _, pairs, _ in drawn if len({name for name, _ in pairs}) < len(pairs)) > 100
    assert sum(1 for _, pairs, _ in drawn if any(not value for _, value in pairs)) > 50
    assert sum(1 for request, _, _ in drawn if not request.body) > 100
    assert sum(1 for request, _, _ in drawn if "%2F" in request.url.split("?")[0]) > 50
    assert sum(1 for _, _, key in drawn if key.security_token) > 100


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10)
VALUES = ANY_TEXT | st.integers() | st.booleans() | st.lists(ANY_TEXT, max_size=3)
BODIES = st.none() | st.dictionaries(ANY_TEXT, ANY_TEXT | st.integers() | st.lists(st.integers()), max_size=4)
TOKENS = st.none() | st.text(string.ascii_letters + string.digits + "+/=-_.", min_size=1, max_size=200)
PATH_VALUES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)

CALLS = st.builds(
    Call,
    operation=st.just("Any"),
    method=st.sampled_from(METHODS),
    path=st.just("/v1.0/{project_id}/streaming/jobs/{job_id}"),
    parse=st.just(dict),
    path_params=st.fixed_dictionaries({"job_id": PATH_VALUES}),
    query=st.dictionaries(NAMES, VALUES, max_size=4),
    body=BODIES,
)


def signed(call: Call[Any], token: str | None) -> tuple[Arrived, AccessKey]:
    """Build and sign a call, and see it as the service does."""
    key = AccessKey("AK", "secret", token)
    request = sign(build_request(call, "https://dli.example", "p1"), key, DATE)
    return arrived(request), key


def arrived(request: Request) -> Arrived:
    """Take the target and headers off the wire."""
    parts = urlsplit(request.url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    return Arrived(request.method, target, request.headers, request.body)


def is_accepted(request: Arrived, secret: str = "secret") -> bool:
    """Return whether the emulator's verifier accepts the signature."""
    return is_signed(request, parse_authorization(request.header("Authorization") or ""), secret)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(CALLS, TOKENS)
def test_whatever_a_call_holds_the_emulators_verifier_takes_it(call: Call[Any], token: str | None) -> None:
    """It was written from the signing guide alone, and shares no code with the signer."""
    request, key = signed(call, token)
    assert is_accepted(request, key.secret_key)
    assert not is_accepted(request, key.secret_key + "x")


def changed(request: Arrived, what: str) -> Arrived:
    """Change one thing of a signed request."""
    headers = {name.lower(): value for name, value in request.headers}
    method, target, body = request.method, request.target, request.body
    path, mark, query = target.partition("?")
    if what == "method":
        method = "PUT" if method == "POST" else "POST"
    elif what == "path":
        target = f"{path}x{mark}{query}"
    elif what == "query":
        target = f"{target}{'&' if mark else '?'}x=1"
    elif what == "body":
        body = body + b" "
    else:
        headers[what] = headers[what][:-1] + ("0" if headers[what][-1] != "0" else "1")
    return Arrived(method, target, tuple(headers.items()), body)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    CALLS,
    st.text(string.ascii_letters, min_size=1),
    st.sampled_from(
        [
            "method",
            "path",
            "query",
            "body",
            "host",
            "content-type",
            "user-agent",
            "x-project-id",
            "x-sdk-date",
            "x-security-token",
        ]
    ),
)
def test_any_change_on_the_way_breaks_the_signature(call: Call[Any], token: str, what: str) -> None:
    """Method, path, query, body and every header that we send."""
    request, _ = signed(call, token)
    assert not is_accepted(changed(request, what))


@settings(max_examples=60, deadline=None)
@given(
    name=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=57),
    tags=ANY_TEXT,
    driver=st.sampled_from(["sync", "async"]),
)
def test_over_the_wire_too(wire: Any, name: str, tags: str, driver: str) -> None:
    """Real sockets between: no library on the way rewrites the query or a header."""
    status, code = wire(driver, {"name": name, "tags": tags})
    assert (status, code) in [(200, None), (400, "DLI.0001")]


@pytest.fixture(scope="module")
def wire(dli_emulator_session: Any) -> Any:
    """Return a function that lists jobs through a driver and returns the response's status and code."""
    emulator = dli_emulator_session
    emulator.reset()
    key = AccessKey(emulator.access_key, emulator.secret_key)
    project = Project(emulator.project_id, emulator.region, emulator.iam, key)
    account = Account(emulator.region, project, key, emulator.dli, emulator.obs, emulator.iam)

    def in_turn(flow: Any) -> None:
        with closing(SyncTransport()) as transport:
            transport.run(flow)

    async def in_loop(flow: Any) -> Any:
        async with AsyncTransport() as transport:
            return await transport.arun(flow)

    def list_jobs(driver: str, filters: dict[str, Any]) -> tuple[int, str | None]:
        flow = request_flow(flink.list_jobs(filters, limit=1), account)
        try:
            if driver == "sync":
                in_turn(flow)
            else:
                asyncio.run(in_loop(flow))
        except ServiceError as error:
            return error.status, error.code
        return 200, None

    return list_jobs
