"""The pytest fixture ``dli_emulator``: a DLI with an object store, clean for each test.

pytest loads this in every test suite of an environment that has the package, so nothing else is imported here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from dli_emulator import Emulator


@pytest.fixture(scope="session")
def dli_emulator_options() -> dict[str, Any]:
    """Return arguments to the session's emulator; override it in a ``conftest.py`` to choose jobs or store."""
    return {}


@pytest.fixture(scope="session")
def dli_emulator_session(dli_emulator_options: dict[str, Any]) -> Iterator[Emulator]:
    """One emulator for all tests of the session (of each worker under xdist); tests share its state."""
    from dli_emulator import Emulator  # noqa: PLC0415 - costs only those who use it

    with Emulator(**dli_emulator_options) as emulator:
        yield emulator


@pytest.fixture
def dli_emulator(dli_emulator_session: Emulator) -> Emulator:
    """Return the session's emulator in its initial state: sample jobs, no faults, no requests, an empty bucket."""
    dli_emulator_session.reset()
    return dli_emulator_session
