"""Histories of a catalogue; ``python -m tests.backups.histories 1000`` runs more of them."""

from __future__ import annotations

import pytest

from dli_emulator import Emulator
from tests.backups.histories import run

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("first", range(0, 10, 5))
def test_a_history(first: int, dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """No job loses its last verified backup, whatever is deleted, killed, damaged, held or read, in what order."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    seen = run(range(first, first + 5), dli_emulator.bucket)
    assert seen["deleted"]
    assert seen["killed"]
