"""Coverage: every kind of problem is found, alone and together, and nothing hides another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.coverage import Coverage, newest_coverage, write_coverage
from dli_emulator import Emulator
from tests.backups.made import PROJECT, catalogue_of

NIGHT = datetime(2026, 11, 1, 2, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def catalogue(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """Return an empty catalogue in the emulator's bucket."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    return catalogue_of(dli_emulator)


def result(at: datetime, *, passed: bool = True) -> Coverage:
    """Return the result of a check at some time."""
    return Coverage(checked_at=at, project_id=PROJECT, passed=passed, level="full", max_age=93_600)


def test_the_newest_result_is_read(catalogue: Catalogue) -> None:
    """Whatever else lies beside it; one that cannot be read is passed over."""
    assert newest_coverage(catalogue, PROJECT) is None
    places = [write_coverage(catalogue, result(NIGHT + number * DAY)) for number in range(3)]
    assert places[0].key.endswith(f"{PROJECT}/reports/coverage-20261101T020000Z.json")
    catalogue.obs.put(places[2], b'{"schema_version": 2}', "application/json")
    catalogue.obs.put(places[2].directory.below("notes.txt"), b"x", "text/plain")
    assert newest_coverage(catalogue, PROJECT) == result(NIGHT + DAY)
    assert catalogue.backups() == []


def test_a_result_is_never_written_again(catalogue: Catalogue) -> None:
    """A second check of the same second leaves the first one's."""
    write_coverage(catalogue, result(NIGHT))
    write_coverage(catalogue, result(NIGHT, passed=False))
    assert newest_coverage(catalogue, PROJECT) == result(NIGHT)
