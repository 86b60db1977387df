"""Counts of the conformance tests, printed at the end; and how many cases: a few in ``make test``.

``make conformance`` sets ``DLI_CONFORMANCE``; what needs Node is collected only then.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable

import pytest

from api_client import ApiClient
from dli_emulator import Emulator

#: whether this is `make conformance`
THOROUGH = bool(os.environ.get("DLI_CONFORMANCE"))
#: what all that is drawn is drawn from
SEED = 20260115

collect_ignore_glob = [] if THOROUGH else ["test_node_signer.py"]

_COUNTS = pytest.StashKey[dict[str, Counter[str]]]()
Count = Callable[[str, int, int], None]


@pytest.fixture
def count_differences(pytestconfig: pytest.Config) -> Count:
    """Return a function that adds up comparisons: their kind, how many, and how many differ."""
    counts = pytestconfig.stash.setdefault(_COUNTS, {})

    def add(what: str, cases: int, different: int) -> None:
        counts.setdefault(what, Counter()).update(cases=cases, different=different)

    return add


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the counts."""
    counts = config.stash.get(_COUNTS, {})
    if counts:
        terminalreporter.section("conformance")
    for what, count in counts.items():
        terminalreporter.line(f"{count['different']:>5,} of {count['cases']:>6,}  {what}")


@pytest.fixture
def api(dli_emulator: Emulator) -> ApiClient:
    """Return a client of the session's emulator, which is clean."""
    return ApiClient(dli_emulator)
