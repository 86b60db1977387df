"""A few tasks that are killed at random moments; ``python -m tests.airflow.kills`` makes hundreds."""

from __future__ import annotations

import pytest

from dli_emulator import Emulator
from tests.airflow.kills import killed

pytestmark = pytest.mark.airflow


@pytest.mark.parametrize("seed", range(5))
def test_no_result_is_lost_and_no_request_executed_twice(dli_emulator: Emulator, seed: int) -> None:
    """Export, import, run and stop, each killed up to three times while the service is slow."""
    assert killed(dli_emulator, seed) is None


@pytest.mark.parametrize(("seed", "skew"), [(0, -600), (0, 5), (4, -5), (4, 600)])
def test_wrong_clocks_of_workers_change_nothing(dli_emulator: Emulator, seed: int, skew: float) -> None:
    """An export, killed on workers of which the first, or the second, has a wrong clock."""
    assert killed(dli_emulator, seed, skew) is None
