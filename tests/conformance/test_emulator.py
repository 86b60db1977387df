"""The emulator holds to its description, whatever schemathesis sends, signed by our signer."""

from __future__ import annotations

import pytest

from dli_emulator import Emulator
from dli_emulator.routes import ROUTES
from tests.conformance.conftest import SEED, THOROUGH, Count
from tests.conformance.explorer import Found, explore

#: some of its own constructions warn
pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")


def operations_with(found: Found, status: str) -> set[str]:
    """Return the operations that responded with a status of this kind."""
    return {label.rpartition(" ")[0] for label in found.statuses if label.rpartition(" ")[2].startswith(status)}


@pytest.mark.slow
def test_it_holds_to_its_description(dli_emulator: Emulator, count_differences: Count) -> None:
    """No 5xx, no undescribed status or form, no invalid request accepted; and every operation was tested."""
    if THOROUGH:
        found = explore(dli_emulator, SEED, most=60, phases=("examples", "coverage", "fuzzing", "stateful"))
    else:
        found = explore(dli_emulator, SEED, most=2, phases=("examples", "fuzzing"))
    cases = sum(found.cases.values())
    for phase, number in found.cases.items():
        failed = sum(name == phase for name in found.failed_in)
        count_differences(f"responses of the emulator are not as described: schemathesis, {phase}", number, failed)
    assert found.failures == {}
    assert found.errors == []
    every = {f"{route.method} {route.path}" for route in ROUTES}
    if THOROUGH:
        assert cases >= 2000
        assert operations_with(found, "2") == every
        assert not [label for label in operations_with(found, "401") if "/{project_id}/" in label]
    else:
        assert cases >= 60
        assert operations_with(found, "") == every
