"""JSON is what RFC 8259 defines, with msgspec and without."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dli.archive import jsontext
from airflow_provider_dli.archive.jsontext import JsonError, UnreadableError, is_json, parse

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=9,
)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "Expecting value at line 1, column 1"),
        (b'{"a": 1,}', "at line 1, column"),
        (b'{"a"\n: tru}', "Expecting value at line 2, column 3"),
        (b"[NaN]", "NaN is not a JSON value"),
        (b"-Infinity", "-Infinity is not a JSON value"),
        (b'"\xff"', "byte 1 is not utf-8"),
        (b'"\xed\xa0\x80"', "byte 1 is not utf-8"),
        (b'"\t"', "Invalid control character"),
        (b"01", "Extra data"),
        (b"1 2", "Extra data at line 1, column 3"),
    ],
)
def test_what_is_not_json(data: bytes, why: str) -> None:
    """The message has the reason and the place."""
    assert not is_json(data)
    with pytest.raises(JsonError, match=why):
        parse(data)


def test_json_that_is_nested_too_deeply_is_not_called_invalid() -> None:
    """The parser cannot decide."""
    assert not is_json(b"[" * 100_000)
    with pytest.raises(UnreadableError, match="nested too deeply to examine"):
        parse(b"[" * 100_000)


@pytest.mark.slow
@given(VALUES)
def test_all_json_is_accepted(value: Any) -> None:
    """The quick check knows it, and the parser does."""
    data = json.dumps(value).encode()
    assert is_json(data) or find_spec("msgspec") is None
    parse(data)


@pytest.mark.slow
@given(VALUES, st.integers(0, 200), st.sampled_from([*b'{}[]",:0e.-\\u tn\x00\x80\xff']), st.booleans())
def test_quick_check_is_as_strict(value: Any, at: int, byte: int, insert: bool) -> None:
    """It accepts nothing that the parser refuses."""
    data = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    at %= len(data)
    mutated = data[:at] + bytes([byte]) + data[at + (not insert) :]
    if is_json(mutated):
        parse(mutated)


def test_without_msgspec(monkeypatch: pytest.MonkeyPatch) -> None:
    """The quick check is optional: without it the parser decides."""
    monkeypatch.setitem(sys.modules, "msgspec", None)
    jsontext.quick_check.cache_clear()
    try:
        assert not is_json(b"{}")
        assert parse(b'{"a": [1.5, 9]}') == {"a": ["1.5", "9"]}
    finally:
        jsontext.quick_check.cache_clear()
