"""The catalogue: what its objects show of each backup, whatever is missing, changed or unreadable."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.manifest import EXPIRED, JOBS, MANIFEST, Content, Run
from airflow_provider_dli.backups.state import Backup, newest_usable
from airflow_provider_dli.exceptions import DliFailException
from dli_emulator import Emulator
from tests.backups.made import PROJECT, catalogue_of, make_backup

NIGHT = datetime(2026, 11, 1, 2, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def catalogue(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """Return an empty catalogue in the emulator's bucket."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    return catalogue_of(dli_emulator)


def again(catalogue: Catalogue, backup: Backup) -> Backup:
    """Return a backup as another reader sees it now."""
    found = Catalogue(catalogue.obs, catalogue.root).backup(backup.project_id, backup.backup_id)
    assert found
    return found


def test_the_run_of_a_task_is_known() -> None:
    """Of a mapped one too; a bare call of ``execute`` is of none."""
    names: Any = {"dag_id": "nightly", "run_id": "manual", "task_id": "backup"}
    assert Run.of({"ti": SimpleNamespace(**names, map_index=3)}) == Run(**names, map_index=3)
    assert Run.of({"ti": SimpleNamespace(**names)}) == Run(**names)
    assert Run.of({"ti": object()}) is Run.of({}) is None


def test_an_empty_catalogue_has_no_backups(catalogue: Catalogue) -> None:
    """A directory that does not exist is an empty catalogue; a project in it has nothing either."""
    assert catalogue.backups() == []
    assert catalogue.backups(PROJECT) == []
    assert catalogue.backup(PROJECT, catalogue.new_id(NIGHT)) is None


def test_what_was_written_is_read(catalogue: Catalogue) -> None:
    """Manifest, jobs and settings come back as they were written, oldest backup first."""
    late = make_backup(catalogue, NIGHT + DAY, [100])
    early = make_backup(catalogue, NIGHT, [100, 101])
    found = Catalogue(catalogue.obs, catalogue.root).backups()
    assert [each.manifest for each in found] == [early.manifest, late.manifest]
    assert [each.state for each in found] == ["verified", "verified"]
    assert [job.job_id for job in catalogue.jobs(found[0])] == [100, 101]
    assert [job.job_id for job in catalogue.jobs(found[0], {101, 999})] == [101]
    assert [each.detail["job_config"] for each in catalogue.settings(found[0])] == [
        {"cu_number": 100},
        {"cu_number": 101},
    ]


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize("root", ["", "a/deep/directory"])
def test_a_catalogue_may_be_anywhere_in_a_bucket(dli_emulator: Emulator, root: str) -> None:
    """Also at its root; other objects beside the backups are not taken for any."""
    there = catalogue_of(dli_emulator, root)
    made = make_backup(there, NIGHT)
    for name in (f"{PROJECT}/notes.txt", "readme.txt", f"{PROJECT}/2026/archive.zip"):
        there.obs.put(there.root.below(name), b"x", "text/plain")
    assert [each.backup_id for each in there.backups()] == [made.backup_id]


def test_a_directory_without_manifest_does_not_count_as_a_backup(catalogue: Catalogue) -> None:
    """Archives alone, as a killed task leaves them, are incomplete, and named."""
    made = make_backup(catalogue, NIGHT)
    catalogue.obs.delete(made.place.below(MANIFEST))
    found = again(catalogue, made)
    assert (found.state, found.manifest, found.last_verified) == ("incomplete", None, None)
    assert found.unnamed == ["archives/batch-0001/aggregate_1.zip"]
    assert newest_usable([found]) is None


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "Expecting value"),
        (b"[]", "schema_version is None"),
        (b'{"schema_version": 2}', "schema_version is 2, and this provider reads 1"),
        (b'{"schema_version": 1}', "backup_id: Field required"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_an_unreadable_manifest_is_named(catalogue: Catalogue, data: bytes, problem: str) -> None:
    """It stops nobody: the other backups are read."""
    made, other = make_backup(catalogue, NIGHT), make_backup(catalogue, NIGHT + DAY)
    catalogue.obs.put(made.place.below(MANIFEST), data, "application/json")
    found = Catalogue(catalogue.obs, catalogue.root).backups()
    assert [each.state for each in found] == ["unreadable", "verified"]
    assert problem in (found[0].problem or "")
    assert newest_usable(found) == found[1]
    assert found[1].backup_id == other.backup_id


def test_a_manifest_that_was_copied_by_hand_is_not_believed(catalogue: Catalogue) -> None:
    """It is that of another backup."""
    made, other = make_backup(catalogue, NIGHT), make_backup(catalogue, NIGHT + DAY)
    data = catalogue.obs.read(made.place.below(MANIFEST), 1 << 20)
    assert data
    catalogue.obs.put(other.place.below(MANIFEST), data, "application/json")
    found = again(catalogue, other)
    assert found.state == "unreadable"
    assert made.backup_id in (found.problem or "")


def test_changed_archives_are_seen_in_the_listing(catalogue: Catalogue) -> None:
    """Gone, of another size, or of the same size with other bytes: the backup is damaged."""
    made = make_backup(catalogue, NIGHT, [100])
    archive = made.place.below("archives/batch-0001/aggregate_1.zip")
    size = made.objects["archives/batch-0001/aggregate_1.zip"].size
    for data, change in ((b"x" * size, "ETag differs"), (b"x", "has 1 bytes and had"), (None, "is gone")):
        if data is None:
            catalogue.obs.delete(archive)
        else:
            catalogue.obs.put(archive, data, "application/zip")
        found = again(catalogue, made)
        assert found.state == "damaged"
        assert [change in each for each in found.changes] == [True]


def test_an_archive_that_appears_later_is_named(catalogue: Catalogue) -> None:
    """It is not of the backup, and does not damage it."""
    made = make_backup(catalogue, NIGHT, [100])
    catalogue.obs.put(made.place.below("archives/batch-0001/aggregate_9.zip"), b"x", "application/zip")
    found = again(catalogue, made)
    assert (found.state, found.unnamed) == ("verified", ["archives/batch-0001/aggregate_9.zip"])


def test_the_newest_verification_decides(catalogue: Catalogue) -> None:
    """By the time in its name, whenever it was written."""
    made = make_backup(catalogue, NIGHT)
    catalogue.record(made, "verification", {}, "passed", at=NIGHT + 2 * DAY)
    catalogue.record(made, "verification", {}, "failed", at=NIGHT + DAY)
    found = again(catalogue, made)
    assert (found.state, found.last_verified) == ("verified", NIGHT + 2 * DAY)
    catalogue.record(made, "verification", {"findings": ["x"]}, "failed", at=NIGHT + 3 * DAY)
    found = again(catalogue, made)
    assert (found.state, found.last_verified) == ("damaged", None)
    assert catalogue.read_record(found, found.records[-1]) == {"findings": ["x"]}


def test_of_two_verifications_in_one_second_the_failed_one_counts(catalogue: Catalogue) -> None:
    """Whatever their names: their random parts decide nothing."""
    made = make_backup(catalogue, NIGHT)
    for outcome in ("passed", "failed", "passed"):
        catalogue.record(made, "verification", {}, outcome, at=NIGHT + DAY)
    assert again(catalogue, made).state == "damaged"
    catalogue.record(made, "verification", {}, "passed", at=NIGHT + 2 * DAY)
    assert again(catalogue, made).state == "verified"


def test_a_backup_whose_own_verification_failed_is_damaged(catalogue: Catalogue) -> None:
    """Until one passes."""
    made = make_backup(catalogue, NIGHT, passed=False)
    assert (made.state, made.last_verified) == ("damaged", None)
    catalogue.record(made, "verification", {}, "passed", at=NIGHT + DAY)
    assert again(catalogue, made).state == "verified"


def test_the_newest_usable_backup_is_found(catalogue: Catalogue) -> None:
    """Of those that were complete by then, verified at the level or above, and not damaged since."""
    first = make_backup(catalogue, NIGHT)
    shallow = make_backup(catalogue, NIGHT + DAY, level="directory")
    last = make_backup(catalogue, NIGHT + 2 * DAY)
    catalogue.record(last, "verification", {}, "failed")
    found = catalogue.backups()
    assert [newest_usable(found, as_of=at) for at in (NIGHT - DAY, NIGHT)] == [None, found[0]]
    newest, full = newest_usable(found), newest_usable(found, level="full")
    assert newest
    assert full
    assert (newest.backup_id, full.backup_id) == (shallow.backup_id, first.backup_id)


def test_jobs_that_are_not_those_of_the_manifest_are_refused(catalogue: Catalogue) -> None:
    """Whoever changes the list of jobs is found out."""
    made = make_backup(catalogue, NIGHT)
    catalogue.write_content(made.place, JOBS, [])
    with pytest.raises(DliFailException, match="SHA-256 differs"):
        list(catalogue.jobs(made))
    catalogue.obs.delete(made.place.below(JOBS))
    with pytest.raises(DliFailException, match="no longer exists"):
        list(catalogue.jobs(made))


def test_a_manifest_is_never_written_again(catalogue: Catalogue) -> None:
    """Not even with the same content."""
    made = make_backup(catalogue, NIGHT)
    assert made.manifest
    with pytest.raises(DliFailException, match="never written again"):
        catalogue.write_manifest(made.manifest)


def test_readers_and_expiries_meet(catalogue: Catalogue) -> None:
    """A reader leaves a record for as long as it reads, and does not begin where an expiry has."""
    made = make_backup(catalogue, NIGHT)
    with catalogue.reading(made, {"run": "restore"}):
        assert again(catalogue, made).is_read(catalogue.now())
    assert not again(catalogue, made).of_kind("reading")
    catalogue.record(made, "expiring", {})
    with pytest.raises(DliFailException, match="is being deleted"), catalogue.reading(made, {}):
        pytest.fail("it must not be read")
    assert not again(catalogue, made).of_kind("reading")


def test_a_reader_that_was_killed_is_forgotten_after_a_day(catalogue: Catalogue) -> None:
    """By the store's clock."""
    made = make_backup(catalogue, NIGHT)
    now = catalogue.now()
    catalogue.record(made, "reading", {}, at=now - timedelta(hours=25))
    assert not again(catalogue, made).is_read(catalogue.now())
    catalogue.record(made, "reading", {}, at=now - timedelta(hours=23))
    assert again(catalogue, made).is_read(catalogue.now())


def test_a_deleted_backup_leaves_a_document(catalogue: Catalogue) -> None:
    """With it the backup is expired, whatever else is still there."""
    made = make_backup(catalogue, NIGHT)
    catalogue.obs.put(made.place.below(EXPIRED), b"{}", "application/json")
    assert again(catalogue, made).state == "expired"


def test_names_with_impossible_times_are_not_those_of_backups_and_records(catalogue: Catalogue) -> None:
    """Anybody may write into a bucket; nothing of it stops who reads."""
    made = make_backup(catalogue, NIGHT)
    for name in (
        f"{PROJECT}/20261399T250000Z-00000000/manifest.json",
        f"{PROJECT}/00000101T000000Z-00000000/manifest.json",
        f"{PROJECT}/{made.backup_id}/records/hold-20261399T250000Z-none-00000000.json",
    ):
        catalogue.obs.put(catalogue.root.below(name), b"{}", "application/json")
    (found,) = Catalogue(catalogue.obs, catalogue.root).backups()
    assert (found.backup_id, found.records) == (made.backup_id, ())


@pytest.mark.parametrize(
    "data",
    [b"", b"no gzip", gzip.compress(b"{}\n")[:-9], gzip.compress(b'{"job_id": 1}\n'), gzip.compress(b"\xff\n")],
    ids=["empty", "not gzip", "truncated", "another document", "not UTF-8"],
)
def test_jobs_that_cannot_be_read_are_refused(catalogue: Catalogue, data: bytes) -> None:
    """Whatever they are, if the manifest is as wrong as they are."""
    made = make_backup(catalogue, NIGHT)
    assert made.manifest
    catalogue.obs.put(made.place.below(JOBS), data, "application/gzip")
    content = Content(count=1, size=len(data), sha256=sha256(data).hexdigest(), etag="")
    wrong = replace(made, manifest=made.manifest.model_copy(update={"jobs": content}))
    with pytest.raises(DliFailException, match=r"jobs.jsonl.gz cannot be read: "):
        list(catalogue.jobs(wrong))


def test_jobs_that_are_written_otherwise_are_found_by_their_ids(catalogue: Catalogue) -> None:
    """Whoever has written them, with fields in whatever order."""
    made = make_backup(catalogue, NIGHT, [100, 101])
    rows = [json.dumps(dict(reversed(job.model_dump(exclude_none=True).items()))) for job in catalogue.jobs(made)]
    data = gzip.compress("\n".join(rows).encode())
    catalogue.obs.put(made.place.below(JOBS), data, "application/gzip")
    content = Content(count=2, size=len(data), sha256=sha256(data).hexdigest(), etag="")
    assert made.manifest
    other = replace(made, manifest=made.manifest.model_copy(update={"jobs": content}))
    assert [job.job_id for job in catalogue.jobs(other, {101})] == [101]
