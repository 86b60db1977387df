"""Failures as a DAG author sees them."""

from __future__ import annotations

import pytest

from airflow_provider_dli.exceptions import group_by_reason


@pytest.mark.parametrize(
    ("reasons", "groups"),
    [
        (["job 100 does not exist", "job 101 does not exist"], 1),
        (["no (request id a1b2c3)", "no (request id ffee00)"], 1),
        (["jobs 1, 2 are gone", "jobs 7, 8, 9 are gone"], 1),
        (["HTTP 500: trouble", "HTTP 503: trouble"], 2),
        (["HTTP 400 DLI.0003: no", "HTTP 400 DLI.0011: no"], 2),
        (["no bucket a", "no bucket b"], 2),
    ],
)
def test_reasons_that_differ_in_numbers_are_one(reasons: list[str], groups: int) -> None:
    """Statuses and codes are not such numbers."""
    found = group_by_reason(list(enumerate(reasons)))
    assert len(found) == groups
    assert found[0][0] == reasons[0]
    assert [each for _, members in found for each in members] == [0, 1]
