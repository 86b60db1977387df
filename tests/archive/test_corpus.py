"""Every bad archive is named by its codes and no other; no good one is named at all."""

from __future__ import annotations

import io
from typing import Any

import pytest

from airflow_provider_dli.archive import inspect
from airflow_provider_dli.archive.report import ERRORS, WARNINGS

ELSEWHERE = {"cut-short", "changed-while-read", "job-unproven"}  # made by readers and levels, in test_reading.py


def codes(report: Any) -> set[str]:
    return {finding.code for finding in report.findings}


@pytest.mark.slow
def test_good_archives_have_no_finding(good: bytes) -> None:
    """There is no false alarm, at no level."""
    full = inspect(io.BytesIO(good))
    directory = inspect(io.BytesIO(good), "directory")
    assert (full.findings, directory.findings) == ((), ())
    assert full.verified
    assert full.entries == directory.entries


@pytest.mark.slow
def test_bad_archives_have_their_codes(bad: bytes, bad_case: Any) -> None:
    """Exactly the expected codes are found."""
    report = inspect(io.BytesIO(bad), limits=bad_case.limits, expect=bad_case.expect)
    assert codes(report) == bad_case.codes
    assert report.verified == bad_case.codes.issubset(WARNINGS)


@pytest.mark.slow
def test_the_directory_level_finds_nothing_else(bad: bytes, bad_case: Any) -> None:
    """What the directory gives away is what the whole file gives away."""
    report = inspect(io.BytesIO(bad), "directory", limits=bad_case.limits, expect=bad_case.expect)
    assert codes(report) - {"job-unproven"} <= bad_case.codes


def test_findings_can_be_printed(bad: bytes, bad_case: Any) -> None:
    """No name rules the terminal or the log."""
    report = inspect(io.BytesIO(bad), limits=bad_case.limits, expect=bad_case.expect)
    assert all(str(finding).isprintable() for finding in report.findings)


def test_every_code_is_in_the_corpus(corpus: dict[str, Any]) -> None:
    """No code is untested, and no code is used that is not listed."""
    used = set().union(*(case.codes for case in corpus.values()))
    assert used == (ERRORS.keys() | WARNINGS.keys()) - ELSEWHERE


def test_corpus_is_large(corpus: dict[str, Any]) -> None:
    """All cases were collected."""
    assert len(corpus) >= 160
