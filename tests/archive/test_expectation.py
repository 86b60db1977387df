"""Expected jobs are found wherever a DLI archive may keep them, and nowhere else."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from airflow_provider_dli.archive import Expectation, inspect


def missing(archive: bytes, expect: Expectation, level: Any = "full") -> list[tuple[str, str]]:
    report = inspect(io.BytesIO(archive), level, expect=expect)
    return [(finding.code, finding.message) for finding in report.findings]


@pytest.mark.parametrize(
    "name",
    ["101", "101.json", "jobs/101.json", "job_101/config.json", "export-101-2026.txt", "101.tar.gz", "a/101/b"],
)
def test_ids_are_found_in_names(writers: Any, name: str) -> None:
    """A number that stands for itself anywhere in the path is an id."""
    assert missing(writers.zipped({name: b"{}"}), Expectation((101,))) == []


@pytest.mark.parametrize("name", ["1010.json", "x101.json", "101b", "jobs/10/1.json"])
def test_parts_of_other_words_are_no_ids(writers: Any, name: str) -> None:
    """Job 101 is not job 1010."""
    archive = writers.zipped({name: b"{}"})
    assert missing(archive, Expectation((101,))) == [("missing-job", "job '101' was found nowhere")]


@pytest.mark.parametrize(("name", "found"), [("orders", True), ("a/orders.json", True), ("orders-2.json", False)])
def test_names_are_found_as_parts_of_the_path(writers: Any, name: str, found: bool) -> None:
    """A job's name is a whole part of the path, with or without its extension."""
    assert (missing(writers.zipped({name: b"1"}), Expectation(("orders",))) == []) is found


@pytest.mark.parametrize(
    "document",
    [
        {"job_id": 101},
        {"job_id": "101"},
        {"name": "101"},
        [{"x": 1}, {"jobs": [{"detail": {"job_id": 101}}]}],
    ],
)
def test_jobs_are_found_in_json(writers: Any, document: Any) -> None:
    """Members named ``job_id`` or ``name`` count at any depth."""
    archive = writers.zipped({"all.json": json.dumps(document).encode()})
    assert missing(archive, Expectation((101,))) == []


@pytest.mark.parametrize(
    "document", [{"id": 101}, {"job_id": 1010}, {"job_id": [101]}, {"job_id": True}, [101], None]
)
def test_other_json_is_not_taken_for_a_job(writers: Any, document: Any) -> None:
    """A number somewhere is not a job."""
    archive = writers.zipped({"all.json": json.dumps(document).encode()})
    assert [code for code, _ in missing(archive, Expectation((101,)))] == ["missing-job"]


def test_other_members_can_be_asked_for(writers: Any) -> None:
    """Where the layout is known, the keys can be."""
    archive = writers.zipped({"all.json": b'{"id": 7}', "8.json": b"{}"})
    assert missing(archive, Expectation((7,), json_keys=("id",))) == []
    assert [code for code, _ in missing(archive, Expectation((7,), json_keys=()))] == ["missing-job"]


def test_names_can_be_matched_by_a_pattern(writers: Any) -> None:
    """Where the layout is known, the pattern can be; an empty one leaves the names alone."""
    archive = writers.zipped({"jobs/a-b.conf": b"", "8/x": b""})
    pattern = r"^jobs/(?P<job>[^/]+)\.conf$"
    assert missing(archive, Expectation(("a-b",), entry_pattern=pattern)) == []
    assert [code for code, _ in missing(archive, Expectation((8,), entry_pattern=pattern))] == ["missing-job"]
    assert [code for code, _ in missing(archive, Expectation((8,), entry_pattern=""))] == ["missing-job"]


def test_pattern_without_a_job_is_refused() -> None:
    """It could never find one."""
    with pytest.raises(ValueError, match="has no group named 'job'"):
        inspect(io.BytesIO(), expect=Expectation(("x",), entry_pattern="x"))


def test_every_missing_job_is_named(writers: Any) -> None:
    """One finding each, in order, with the job's name made harmless."""
    found = missing(writers.zipped({"2.json": b"{}"}), Expectation(("9\n", 2, 1)))
    assert [message for _, message in found] == ["job '1' was found nowhere", "job '9\\n' was found nowhere"]


def test_broken_json_holds_no_job(writers: Any) -> None:
    """It is reported by itself, and its job is missing."""
    archive = writers.zipped({"all.json": b'{"job_id": 101'})
    assert [code for code, _ in missing(archive, Expectation((101,)))] == ["bad-json", "missing-job"]


def test_directory_level_does_not_accuse(writers: Any) -> None:
    """It cannot look into contents, and says so; with names alone it can tell."""
    archive = writers.zipped({"all.json": b'{"job_id": 101}', "102.json": b"{}"})
    report = inspect(io.BytesIO(archive), "directory", expect=Expectation((101, 102)))
    assert [(finding.code, finding.severity) for finding in report.findings] == [("job-unproven", "warning")]
    assert missing(archive, Expectation((101,), json_keys=()), "directory")[0][0] == "missing-job"


def test_entries_are_counted_without_directories(maker: Any) -> None:
    """A directory is no job."""
    archive = maker.build(maker.Member(b"jobs/", b"", 0), maker.Member())
    assert missing(archive, Expectation(min_entries=1)) == []
    assert missing(archive, Expectation(min_entries=2)) == [
        ("too-few-entries", "1 files, at least 2 are expected")
    ]
