"""A few tasks that are killed at random moments; ``python -m tests.airflow.kills`` makes hundreds."""

from __future__ import annotations

import pytest

from airflow_provider_dli.emulator import Emulator
from tests.airflow.kills import killed


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_lost_and_nothing_done_twice(dli_emulator: Emulator, seed: int) -> None:
    """Export, import, run and stop, each killed up to three times while the service is slow."""
    assert killed(dli_emulator, seed) is None
