"""What inflates: zlib, or the optional ISA-L, to the same end."""

from __future__ import annotations

import io
import sys
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_dli.archive import engine, inspect

from .zip_corpus.maker import Member, build


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    engine.fastest.cache_clear()
    yield
    engine.fastest.cache_clear()


def test_zlib_without_isal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package needs nothing but Python."""
    monkeypatch.setitem(sys.modules, "isal.isal_zlib", None)
    assert engine.fastest() is engine.ZLIB


def test_isal_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module with zlib's interface under that name is taken."""
    monkeypatch.setitem(sys.modules, "isal", zlib)
    monkeypatch.setitem(sys.modules, "isal.isal_zlib", zlib)
    assert engine.fastest() == engine.ZLIB._replace(name="isal")


def test_the_engine_that_is_given_inflates() -> None:
    """None other is looked for."""
    asked: list[int] = []

    def inflater(bits: int) -> Any:
        asked.append(bits)
        return zlib.decompressobj(bits)

    mine = engine.ZLIB._replace(name="mine", inflater=inflater)
    assert inspect(io.BytesIO(build(Member())), engine=mine).sound
    assert asked == [engine.RAW]
