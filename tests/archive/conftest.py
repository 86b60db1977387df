"""The corpus of archives, good and bad, as parameters; deeper fuzzing with ``--hypothesis-profile=deep``."""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# The corpus is a package beside the tests; in importlib mode nothing else puts it on the path.
sys.path.insert(0, str(Path(__file__).parent))
GOOD = import_module("zip_corpus.good").GOOD
BAD = import_module("zip_corpus.bad_structure").STRUCTURE | import_module("zip_corpus.bad_entries").ENTRIES

settings.register_profile("deep", max_examples=20_000, deadline=None)


@cache
def made(make: Any) -> bytes:
    """Make an archive once for all tests."""
    return bytes(make())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes ``good_name`` or ``bad_name`` with each of them."""
    for name, values in (("good_name", GOOD), ("bad_name", BAD)):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, list(values))


@pytest.fixture
def good(good_name: str) -> bytes:
    """Return one good archive."""
    return made(GOOD[good_name])


@pytest.fixture
def bad_case(bad_name: str) -> Any:
    """Return one bad archive's case."""
    return BAD[bad_name]


@pytest.fixture
def bad(bad_case: Any) -> bytes:
    """Return one bad archive."""
    return made(bad_case.make)


@pytest.fixture(scope="session")
def corpus() -> Any:
    """Return the cases of all bad archives."""
    return BAD


class Archives(dict[str, bytes]):
    """Archives by name; not shown when a test fails."""

    def __repr__(self) -> str:
        return "Archives"


@pytest.fixture(scope="session")
def small_good() -> Archives:
    """Return the good archives that are small enough to be mutated many times."""
    # Those of more entries than two bytes count take seconds to make.
    archives = {name: made(make) for name, make in GOOD.items() if not name.startswith("65 53")}
    return Archives((name, data) for name, data in archives.items() if len(data) < 4000)


@pytest.fixture(scope="session")
def maker() -> Any:
    """Return the module that writes archives field by field."""
    return import_module("zip_corpus.maker")


@pytest.fixture(scope="session")
def writers() -> Any:
    """Return the module of the good archives, for its writers."""
    return import_module("zip_corpus.good")
