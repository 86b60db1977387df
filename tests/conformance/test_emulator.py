"""The emulator holds to its description, whatever schemathesis sends, signed by our signer."""

from __future__ import annotations

import pytest

from dli_emulator import Emulator
from dli_emulator.routes import ROUTES
from tests.conformance.conftest import SEED, THOROUGH, Tell
from tests.conformance.explorer import Found, explore

#: some of its own constructions warn
pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")


def answered(found: Found, status: str) -> set[str]:
    """Give the operations that gave a status of this kind."""
    return {label.rpartition(" ")[0] for label in found.statuses if label.rpartition(" ")[2].startswith(status)}


@pytest.mark.slow
def test_it_holds_to_its_description(dli_emulator: Emulator, tell: Tell) -> None:
    """No 5xx, no status or form that is not described, nothing wrong that is taken; and all of it was tried."""
    if THOROUGH:
        found = explore(dli_emulator, SEED, most=60, phases=("examples", "coverage", "fuzzing", "stateful"))
    else:
        found = explore(dli_emulator, SEED, most=2, phases=("examples", "fuzzing"))
    cases = sum(found.cases.values())
    for phase, number in found.cases.items():
        failed = sum(name == phase for name in found.failed_in)
        tell(f"answers of the emulator are not as described: schemathesis, {phase}", number, failed)
    assert found.failures == {}
    assert found.errors == []
    every = {f"{route.method} {route.path}" for route in ROUTES}
    if THOROUGH:
        assert cases >= 2000
        assert answered(found, "2") == every
        assert not [label for label in answered(found, "401") if "/{project_id}/" in label]
    else:
        assert cases >= 60
        assert answered(found, "") == every
