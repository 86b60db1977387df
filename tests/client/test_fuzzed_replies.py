"""Whatever comes back, of every operation: a result, or an error of our tree. Never anything else."""

from __future__ import annotations

import copy
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_dli.client.call import Reply
from airflow_provider_dli.client.errors import DliClientError
from airflow_provider_dli.client.exchange import parse_reply
from tests.operations import OPERATIONS, golden, make_call
from tests.sampling import tried_of

pytestmark = pytest.mark.slow

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["true", "false", "-1", "1e999", "0x10", "\ud800", "\x1b[2J", "9" * 5000, math.inf]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "date", "location", "x-request-id", "content-type"]),
    st.sampled_from(["", "0", "-5", "1e400", "soon", "Thu, 15 Jan 2026 08:30:45 -0000", "http://[", "é\x1b"]),
)
STATUSES = st.sampled_from([200, 201, 204, 302, 400, 401, 403, 404, 409, 413, 429, 500, 502, 503])


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path to each part of a reply."""
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, each in inner for place in places(each, (*path, name)))]


def altered(data: st.DataObject, body: Any) -> Any:
    """Replace or delete one to three parts of a reply."""
    changed = {"whole": copy.deepcopy(body)}
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places(changed)[1:]))
        parent: Any = changed
        for name in path[:-1]:
            parent = parent[name]
        if len(path) > 1 and data.draw(st.booleans()):
            del parent[path[-1]]
        else:
            parent[path[-1]] = data.draw(VALUES)
        if not places(changed)[1:]:
            break
    return changed["whole"]


def parse(operation: str, status: int, headers: dict[str, str], raw: bytes) -> None:
    """Parse it; the message of an error of ours is one short, printable line."""
    message = ""
    try:
        parse_reply(make_call(golden(operation)), Reply(status, headers, raw))
    except DliClientError as error:
        message = str(error)
    assert message.isprintable(), repr(message)
    assert len(message) < 3000


@pytest.mark.parametrize("operation", OPERATIONS)
@settings(max_examples=tried_of(60))
@given(data=st.data(), status=STATUSES, headers=HEADERS)
def test_altered_replies(operation: str, data: st.DataObject, status: int, headers: dict[str, str]) -> None:
    """Fields of a wrong type, missing fields, invalid numbers, unusual strings."""
    case = golden(operation)[data.draw(st.sampled_from(["ok", "refused"]))]
    body = json.dumps(altered(data, case["body"])).encode()
    parse(operation, data.draw(st.sampled_from([status, case["status"]])), headers, body)


@settings(max_examples=tried_of(300))
@given(operation=st.sampled_from(OPERATIONS), status=STATUSES, headers=HEADERS, raw=st.binary(max_size=200))
def test_random_replies(operation: str, status: int, headers: dict[str, str], raw: bytes) -> None:
    """Bytes that are not JSON."""
    parse(operation, status, headers, raw)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("opening", ["[", '{"a":', '{"error":'])
@pytest.mark.parametrize("depth", [500, 900, 1500, 100_000])
def test_deeply_nested_replies(operation: str, opening: str, depth: int) -> None:
    """As deep as a parser goes, and deeper."""
    closing = ("]" if opening == "[" else "}") * depth
    for status in (200, 400):
        parse(operation, status, {}, f"{opening * depth}1{closing}".encode())
