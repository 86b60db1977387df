"""ObsHook: copies of what another hook may read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.client.obs.objects import MAX_COPY
from airflow_provider_dli.hooks.obs import ObsHook
from dli_emulator import Emulator

if TYPE_CHECKING:
    import pytest


def test_what_is_too_large_to_copy_passes_through_this_machine(
    dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the keys could copy within OBS; each piece is counted."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    obs, counted = ObsHook(), list[int]()
    source, target = ObsLocation(dli_emulator.bucket, "a"), ObsLocation(dli_emulator.bucket, "b")
    obs.put(source, b"12345", "text/plain")
    facts = obs.find(source)
    assert facts
    assert obs.copy_from(obs, source, facts, target)
    assert obs.read(target, 10) == b"12345"

    class Small(ObsHook):
        """A hook that is only read from."""

        def open(self, place: Any, facts: Any) -> Any:
            """Return the object as it is, whatever size it should have."""
            return super().open(place, replace(facts, size=5))

    obs.delete(target)
    large = replace(facts, size=MAX_COPY + 1)
    assert not obs.copy_from(Small(), source, large, target, counted.append)
    assert obs.read(target, 10) == b"12345"
    assert sum(counted) == 5
