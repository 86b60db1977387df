"""Which archives an import takes: those in zip_file, all of them verified, and no others."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_dli.exceptions import DliFailException
from dli_emulator import Emulator
from tests.services.two_projects import count_requests, exported, restore, scratch_jobs, two_projects

ACROSS: dict[str, Any] = {"source_conn_id": "dli_default"}


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return the emulator with two projects, each with a connection."""
    return two_projects(dli_emulator, monkeypatch)


def directory(archive: str) -> str:
    return archive.rpartition("/")[0]


@pytest.mark.slow
@pytest.mark.parametrize("single", [True, False])
def test_the_copies_of_another_day_are_not_imported(emulator: Emulator, single: bool) -> None:
    """Though all days use the same staging_dir: each set of archives has a subdirectory of its own."""
    first, second = exported(emulator, [100], "day1"), exported(emulator, [103], "day2")
    given = {"staging_dir": f"{emulator.bucket}/copies", **ACROSS}
    for archive, job_id in ((first, 100), (second, 103)):
        (job,) = restore(archive if single else directory(archive), **given)
        assert job["old_job_id"] == job_id
    assert len(scratch_jobs(emulator)) == 2


@pytest.mark.slow
def test_a_directory_that_changed_is_copied_to_another(emulator: Emulator) -> None:
    """The copy of an archive that was deleted since is not imported."""
    first = exported(emulator, [100])
    exported(emulator, [103])
    given = {"staging_dir": f"{emulator.bucket}/copies", "is_cover": True, **ACROSS}
    assert len(restore(directory(first), **given)) == 2
    emulator.s3.delete_object(Bucket=emulator.bucket, Key=first.partition("/")[2])
    assert [job["old_job_id"] for job in restore(directory(first), **given)] == [103]


@pytest.mark.slow
def test_archives_may_be_copied_into_a_bucket(emulator: Emulator) -> None:
    """Several of them too: DLI refuses a whole bucket, and gets a directory."""
    emulator.s3.create_bucket(Bucket="scratch-bucket")
    exported(emulator, [100])
    archive = exported(emulator, [103])
    assert len(restore(directory(archive), staging_dir="scratch-bucket", **ACROSS)) == 2


def test_a_slash_at_the_end_is_a_directory(emulator: Emulator) -> None:
    """DLI gets the name without it: one that is an object as well is refused."""
    archive = exported(emulator, [100])
    assert restore(f"{directory(archive)}/", plan_only=True) == []
    with pytest.raises(DliFailException, match="is neither an archive nor a directory that contains archives"):
        restore(f"{archive}/", plan_only=True)
    emulator.s3.put_object(Bucket=emulator.bucket, Key=directory(archive).partition("/")[2], Body=b"")
    for place in (directory(archive), f"{directory(archive)}/"):
        with pytest.raises(DliFailException, match="is both an object and a directory"):
            restore(place, plan_only=True)


def test_the_placeholder_of_a_directory_is_ignored(emulator: Emulator) -> None:
    """OBS's console creates it with a directory."""
    archive = exported(emulator, [100])
    emulator.s3.put_object(Bucket=emulator.bucket, Key="night/", Body=b"")
    assert restore(directory(archive), plan_only=True) == []
    (job,) = restore(directory(archive), staging_dir=f"{emulator.bucket}/copies", **ACROSS)
    assert job["old_job_id"] == 100
    emulator.s3.put_object(Bucket=emulator.bucket, Key="made-by-hand/", Body=b"")
    with pytest.raises(DliFailException, match="is neither an archive nor a directory that contains archives"):
        restore(f"{emulator.bucket}/made-by-hand")


@pytest.mark.slow
@pytest.mark.parametrize("below", ["s/b.zip", "s/readme.txt", "s/"])
@pytest.mark.parametrize(
    "given", [{}, {"verify_archive": False}, {"plan_only": True}, {"staging_dir": "obs-test/copies", **ACROSS}]
)
def test_directories_in_a_directory_are_refused(emulator: Emulator, given: dict[str, Any], below: str) -> None:
    """What is in them is not verified and not copied, and DLI might import it."""
    archive = exported(emulator, [100])
    emulator.s3.put_object(Bucket=emulator.bucket, Key=f"night/{below}", Body=b"")
    with pytest.raises(DliFailException, match=r"contains other objects than archives: night/s/; .*directories"):
        restore(directory(archive), **given)
    assert count_requests(emulator, "ImportFlinkJobs") == 0


def test_a_directory_of_batches_is_refused_by_name(emulator: Emulator) -> None:
    """An export in batches leaves no archive in obs_dir itself."""
    exported(emulator, [100], "night/batch-0001")
    with pytest.raises(DliFailException, match="contains other objects than archives: night/batch-0001/;"):
        restore(f"{emulator.bucket}/night")


@pytest.mark.parametrize("plan_only", [True, False])
def test_a_whole_bucket_is_refused(emulator: Emulator, plan_only: bool) -> None:
    """As DLI does; also with plan_only."""
    exported(emulator, [100], "")
    before = count_requests(emulator, "ListFlinkJobs")
    with pytest.raises(DliFailException, match=r"^zip_file: 'obs-test' is a whole bucket; give bucket/key of"):
        restore(emulator.bucket, plan_only=plan_only)
    assert count_requests(emulator, "ListFlinkJobs") == before
