"""Incremental backups: no job is omitted that no usable backup has as it is now."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.manifest import JOBS, SETTINGS
from airflow_provider_dli.backups.state import Backup, newest_usable
from airflow_provider_dli.compat import AirflowSkipException
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.operators.dli import (
    DliBackupFlinkJobsOperator,
    DliCheckBackupCoverageOperator,
    DliCopyBackupsOperator,
    DliExpireBackupsOperator,
    DliExportFlinkJobsOperator,
    DliListFlinkJobsOperator,
    DliRestoreFlinkJobsOperator,
)
from dli_emulator import Emulator
from tests.airflow.stores import TaskInstance
from tests.backups.made import catalogue_of, rot
from tests.backups.test_backup import at_export, with_steps

SINCE = {"changed_since": "last_backup"}


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return an emulator with six jobs, and a connection to it."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0, read_timeout=60))
    for job_id in [job_id for job_id in dli_emulator.state.jobs if job_id > 105]:
        del dli_emulator.state.jobs[job_id]
    return dli_emulator


@pytest.fixture
def catalogue(emulator: Emulator) -> Catalogue:
    """Return the catalogue, as another reader sees it."""
    return catalogue_of(emulator)


def attempt(emulator: Emulator, instance: TaskInstance | None = None, **parameters: Any) -> Any:
    """Run one attempt of an incremental backup; return its summary."""
    waits = {"reconcile_timeout": 0.3, "timeout": 0.3, "poll_interval": 0.1}
    given = {"backup_dir": f"{emulator.bucket}/flink-backups", "batch_size": 2, "selection": SINCE}
    _wait_for_another_second(emulator)
    operator = DliBackupFlinkJobsOperator(task_id="backup", **{**given, **waits, **parameters})
    return operator.execute((instance or TaskInstance()).context)


def _wait_for_another_second(emulator: Emulator) -> None:
    """Wait until a backup is younger than those that there are: their times have no fractions of seconds."""
    catalogue = catalogue_of(emulator)
    last = max((backup.exported_at for backup in catalogue.backups()), default=None)
    while last and catalogue.now() <= last:
        time.sleep(0.1)


def back_up(emulator: Emulator, **parameters: Any) -> list[int]:
    """Run a task to its end; return the jobs that it has backed up, none if nothing has changed."""
    summary = attempt(emulator, **parameters)
    if summary is None:
        return []
    catalogue = catalogue_of(emulator)
    made = catalogue.backup(summary["project_id"], summary["backup_id"])
    assert made
    return [job.job_id for job in catalogue.jobs(made)]


def change(emulator: Emulator, job_id: int) -> None:
    """Change a job as a user does, to settings that it never had."""
    job = emulator.state.jobs[job_id]
    job.desc, job.update_time = f"{job.desc}+", (job.update_time or 0) + 1


def uncovered(emulator: Emulator, **parameters: Any) -> set[int]:
    """Return the jobs that could not be brought back as they are."""
    check = DliCheckBackupCoverageOperator(
        task_id="check", backup_dir=f"{emulator.bucket}/flink-backups", write_page=False, **parameters
    )
    instance = TaskInstance()
    try:
        check.execute(instance.context)
    except DliFailException:
        return {job_id for ids in instance.pushed["uncovered"].values() for job_id in ids}
    return set()


# Which jobs.


def test_only_what_has_changed_is_backed_up(emulator: Emulator, catalogue: Catalogue) -> None:
    """The first backup is one of all jobs; where nothing changed there is none, and no failure."""
    assert back_up(emulator) == [100, 101, 102, 103, 104, 105]
    assert back_up(emulator) == []
    change(emulator, 103)
    new = emulator.state.add_job(name="new", sql_body="select 1")
    assert back_up(emulator) == [103, new.job_id]
    assert back_up(emulator) == []
    first, second = catalogue.backups()
    assert first.manifest
    assert second.manifest
    assert (first.manifest.is_all_jobs, first.manifest.bases) == (True, ())
    assert (second.manifest.is_all_jobs, second.manifest.bases) == (False, (first.backup_id,))
    assert second.manifest.selection == "changed_since=last_backup"
    assert uncovered(emulator) == set()


def _renamed(emulator: Emulator, _: Backup) -> None:
    emulator.state.jobs[103].name = "renamed"


def _changed_back(emulator: Emulator, _: Backup) -> None:
    emulator.state.jobs[103].update_time = 1_900_000_000_000


def _changed_within_a_millisecond(emulator: Emulator, _: Backup) -> None:
    emulator.state.jobs[103].desc = "other"


def _changed_by_a_slow_clock(emulator: Emulator, _: Backup) -> None:
    change(emulator, 103)
    emulator.state.jobs[103].update_time = 1


def _damaged(emulator: Emulator, made: Backup) -> None:
    (archive,) = [each for each in made.objects if "batch-0002" in each]
    emulator.s3.delete_object(Bucket=emulator.bucket, Key=made.place.below(archive).key)


def _verification_failed(emulator: Emulator, made: Backup) -> None:
    catalogue_of(emulator).record(made, "verification", {}, "failed")


def _is_deleted(emulator: Emulator, made: Backup) -> None:
    catalogue_of(emulator).record(made, "expiring", {})


def _drill_failed(emulator: Emulator, made: Backup) -> None:
    catalogue_of(emulator).record(made, "drill", {"jobs": [{"job_id": 103, "equal": False}]}, "failed")


def _rotten(name: str) -> Callable[[Emulator, Backup], None]:
    """Return what changes a list of the backup, which no listing shows."""
    return lambda emulator, made: rot(catalogue_of(emulator), made, name)


ALL = [100, 101, 102, 103, 104, 105]


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (_renamed, [103]),
        (_changed_back, [103]),
        (_changed_within_a_millisecond, [103]),
        (_changed_by_a_slow_clock, [103]),
        (_drill_failed, [103]),
        (_damaged, ALL),
        (_verification_failed, ALL),
        (_is_deleted, ALL),
        (_rotten(JOBS), ALL),
        (_rotten(SETTINGS), ALL),
    ],
)
def test_what_no_usable_backup_has_as_it_is(
    emulator: Emulator, catalogue: Catalogue, act: Callable[[Emulator, Backup], None], expected: list[int]
) -> None:
    """Is backed up, whatever the clocks show; then every job could be brought back."""
    back_up(emulator)
    (made,) = catalogue.backups()
    act(emulator, made)
    assert uncovered(emulator) <= set(expected)
    assert back_up(emulator) == expected


def test_a_backup_of_some_jobs_is_a_base_for_these_alone(emulator: Emulator) -> None:
    """Whatever its selection was."""
    back_up(emulator, selection={"exclude": [100, 101]})
    assert back_up(emulator) == [100, 101]
    assert back_up(emulator) == []


def test_the_youngest_backup_of_a_job_counts(emulator: Emulator) -> None:
    """A job that is again as an older backup has it is backed up: a restore would use the younger one."""
    job = emulator.state.jobs[103]
    before = (job.desc, job.update_time)
    back_up(emulator)
    change(emulator, 103)
    assert back_up(emulator) == [103]
    job.desc, job.update_time = before
    assert back_up(emulator) == [103]


@pytest.mark.parametrize("is_changed_back", [False, True])
def test_a_job_that_was_changed_while_it_was_backed_up(emulator: Emulator, *, is_changed_back: bool) -> None:
    """Is backed up the next time: its archive may have it as before or as after."""
    job = emulator.state.jobs[103]
    before = job.desc

    def act(new: str) -> None:
        job.desc, job.update_time = new, (job.update_time or 0) + 1

    with_steps(emulator, at_export(lambda: act("other"), which=2), TaskInstance(), selection=SINCE)
    if is_changed_back:
        act(before)
    assert back_up(emulator) == [103]
    assert back_up(emulator) == []


def test_what_changes_meanwhile_and_was_omitted(emulator: Emulator, catalogue: Catalogue) -> None:
    """Is named in the manifest, and backed up the next time; what is still unchanged is not named."""
    back_up(emulator)
    change(emulator, 100)
    steps = at_export(lambda: change(emulator, 105))
    _wait_for_another_second(emulator)
    with_steps(emulator, steps, TaskInstance(), selection=SINCE)
    last = catalogue.backups()[-1].manifest
    assert last
    assert (last.jobs.count, last.not_included) == (1, (105,))
    assert back_up(emulator) == [105]


def test_a_backup_of_another_project_does_not_count(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even of one whose jobs have the same ids and settings, in the same catalogue."""
    back_up(emulator)
    other = emulator.state.add_project("cn-north-4_other")
    other.jobs.update(emulator.state.jobs)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_OTHER", emulator.connection(project_id=other.project_id, retry_budget=0))
    assert back_up(emulator, dli_conn_id="dli_other") == ALL
    assert back_up(emulator) == []


def test_a_backup_must_be_verified_at_the_level_of_the_task(emulator: Emulator) -> None:
    """One of which less was read does not count."""
    back_up(emulator, level="directory")
    assert back_up(emulator, level="directory") == []
    assert back_up(emulator) == ALL


def test_other_filters_apply_too(emulator: Emulator, catalogue: Catalogue) -> None:
    """Of the jobs that they select, those that have changed."""
    back_up(emulator, selection={})
    change(emulator, 100)
    change(emulator, 103)
    assert back_up(emulator, selection={**SINCE, "exclude": [103]}) == [100]
    assert back_up(emulator, selection={**SINCE, "exclude": [103]}) == []
    assert back_up(emulator, selection=str(SINCE)) == [103]
    assert len(catalogue.backups()) == 3


# Nothing changed, and no job.


def test_nothing_has_changed(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """The task succeeds, or is skipped; a selection of no job is still a failure."""
    back_up(emulator)
    instance = TaskInstance()
    capsys.readouterr()
    assert attempt(emulator, instance) is None
    assert "6 selected Flink jobs are unchanged since the last backup: 6 of 20" in capsys.readouterr().out
    assert instance.pushed["visible_job_ids"] == ALL
    assert (instance.pushed["zip_file"], instance.store.left("dli_backup")) == ([], frozenset())
    with pytest.raises(AirflowSkipException, match="No Flink job has changed since its last backup"):
        attempt(emulator, if_empty="skip")
    with pytest.raises(DliFailException, match="No Flink job is selected by: name_pattern=none"):
        attempt(emulator, selection={**SINCE, "name_pattern": "none"})


def test_jobs_that_are_not_seen_any_more_are_missing(emulator: Emulator) -> None:
    """Also if no other has changed: a key that sees fewer jobs must not pass for a quiet night."""
    instance = TaskInstance()
    back_up(emulator)
    for job_id in (104, 105):
        del emulator.state.jobs[job_id]
    with pytest.raises(DliFailException, match=r"max_missing: 2 of the jobs .* has seen are missing"):
        attempt(emulator, instance, max_missing=1)
    assert instance.pushed["missing_since_last"] == [104, 105]
    with pytest.raises(DliFailException, match="expected_min_jobs: this key sees 4 Flink jobs"):
        attempt(emulator, expected_min_jobs=5)
    assert attempt(emulator, expected_min_jobs=4) is None
    emulator.state.jobs.clear()
    with pytest.raises(DliFailException, match="This key sees no Flink job"):
        attempt(emulator)


def test_a_later_attempt_continues(emulator: Emulator, catalogue: Catalogue) -> None:
    """With the jobs of the first list, and the same bases; all jobs are still those that are seen."""
    back_up(emulator)
    change(emulator, 101)
    instance = TaskInstance()
    emulator.fault("ExportFlinkJobs", "archive_late", seconds=3)
    with pytest.raises(DliException, match="missing: there is no such object"):
        attempt(emulator, instance, max_missing=0)
    change(emulator, 102)
    summary = attempt(emulator, instance, max_missing=0, timeout=10)
    first, second = catalogue.backups()
    assert second.manifest
    assert (summary["jobs"], second.manifest.bases) == (1, (first.backup_id,))
    assert second.manifest.not_included == (102,)
    assert instance.pushed["visible_job_ids"] == ALL
    assert back_up(emulator) == [102]


# What keeps, copies and refuses.


def test_an_expiry_keeps_what_an_incremental_backup_omits(emulator: Emulator, catalogue: Catalogue) -> None:
    """As long as that one is kept, and though younger backups have all these jobs."""
    back_up(emulator, batch_size=100)
    for job_id in (100, 101):
        change(emulator, job_id)
        back_up(emulator)
    back_up(emulator, selection={})
    full, first, second, last = catalogue.backups()
    given = {"backup_dir": str(catalogue.root)}
    expire = DliExpireBackupsOperator(task_id="expire", **given, keep_last=2)
    expire.execute(TaskInstance().context)
    kept = [backup.backup_id for backup in catalogue.backups() if not backup.is_deleted]
    assert kept == [full.backup_id, first.backup_id, second.backup_id, last.backup_id]
    DliExpireBackupsOperator(task_id="expire", **given, keep_last=1).execute(TaskInstance().context)
    assert [backup.backup_id for backup in catalogue.backups() if not backup.is_deleted] == [last.backup_id]
    assert back_up(emulator) == []


def test_an_expiry_keeps_the_bases_of_bases(emulator: Emulator, catalogue: Catalogue) -> None:
    """The last increment omits what the one before it has, and that one what the full backup has."""
    back_up(emulator)
    change(emulator, 100)
    back_up(emulator)
    for job_id in range(101, 106):
        change(emulator, job_id)
    assert back_up(emulator) == [101, 102, 103, 104, 105]
    assert [len(each.manifest.bases) for each in catalogue.backups() if each.manifest] == [0, 1, 1]
    expire = DliExpireBackupsOperator(task_id="expire", backup_dir=str(catalogue.root), keep_last=1)
    expire.execute(TaskInstance().context)
    assert len([backup for backup in catalogue.backups() if not backup.is_deleted]) == 3


def test_increments_take_the_place_of_no_full_backup(emulator: Emulator, catalogue: Catalogue) -> None:
    """Neither for the rules of an expiry nor for a copy of the newest backup."""
    back_up(emulator)
    back_up(emulator, selection={})
    named = {**SINCE, "name_pattern": emulator.state.jobs[100].name}
    for _ in range(2):
        change(emulator, 100)
        assert back_up(emulator, selection=named) == [100]
    full, newer, *increments = catalogue.backups()
    copied = f"{emulator.bucket}/copies"
    DliCopyBackupsOperator(task_id="copy", backup_dir=str(catalogue.root), target_dir=copied, newest=1).execute(
        TaskInstance().context
    )
    assert [each.backup_id for each in catalogue_of(emulator, "copies").backups()] == [
        newer.backup_id,
        increments[-1].backup_id,
    ]
    DliExpireBackupsOperator(task_id="expire", backup_dir=str(catalogue.root), keep_last=2).execute(
        TaskInstance().context
    )
    kept = [backup.backup_id for backup in catalogue.backups() if not backup.is_deleted]
    assert kept == [each.backup_id for each in (full, newer, *increments)]


def test_a_restore_takes_no_increment_for_the_project(emulator: Emulator, catalogue: Catalogue) -> None:
    """Where no full backup is usable it fails and names the bases, rather than restore a part."""
    back_up(emulator)
    change(emulator, 100)
    back_up(emulator)
    full, increment = catalogue.backups()
    assert full.manifest
    place = full.archive(full.manifest.archives[0])
    emulator.s3.delete_object(Bucket=place.bucket, Key=place.key)
    emulator.state.jobs.clear()
    given = {"task_id": "restore", "backup_dir": str(catalogue.root)}
    with pytest.raises(DliFailException, match=rf"no usable backup of all jobs .*{full.backup_id}.*backup_id"):
        DliRestoreFlinkJobsOperator(**given).execute(TaskInstance().context)
    DliRestoreFlinkJobsOperator(**given, backup_id=increment.backup_id).execute(TaskInstance().context)
    assert len(emulator.state.jobs) == 1


@pytest.mark.parametrize("which", range(1, 6))
def test_a_response_that_is_cut_can_be_retried(
    emulator: Emulator, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, which: int
) -> None:
    """Of any object of a backup: a retry may help, and no older backup is taken instead."""
    back_up(emulator)
    change(emulator, 100)
    back_up(emulator, selection={})
    newest = catalogue.backups()[-1].backup_id
    emulator.state.jobs.clear()
    connection = emulator.connection(retry_budget=0, read_timeout=60, obs_endpoint=emulator.dli)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", connection)
    if which > 1:
        emulator.fault("GetObject", "slow", times=which - 1)
    emulator.fault("GetObject", "cut_during")
    instance = TaskInstance()
    restore = DliRestoreFlinkJobsOperator(task_id="restore", backup_dir=str(catalogue.root))
    failures: list[DliException] = []
    try:
        restore.execute(instance.context)
    except DliException as failure:
        failures.append(failure)
    assert not any(isinstance(failure, DliFailException) for failure in failures)
    assert failures or instance.pushed["backup_id"] == newest


def test_a_copy_brings_what_an_incremental_backup_omits(emulator: Emulator, catalogue: Catalogue) -> None:
    """The newest backup is copied, and those that have its other jobs."""
    back_up(emulator)
    change(emulator, 105)
    back_up(emulator)
    change(emulator, 100)
    back_up(emulator)
    copied = f"{emulator.bucket}/copies"
    DliCopyBackupsOperator(task_id="copy", backup_dir=str(catalogue.root), target_dir=copied, newest=1).execute(
        TaskInstance().context
    )
    there = catalogue_of(emulator, "copies").backups()
    assert [each.backup_id for each in there] == [each.backup_id for each in catalogue.backups()]


def test_a_restore_uses_the_newest_backup_of_all_jobs(
    emulator: Emulator, catalogue: Catalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    """As all that shows or drills the newest does; its log names the increment, which brings the rest."""
    back_up(emulator)
    change(emulator, 100)
    assert back_up(emulator) == [100]
    full, increment = catalogue.backups()
    assert (newest_usable([full, increment]), newest_usable([increment])) == (full, increment)
    was = emulator.state.jobs[100].desc
    emulator.state.jobs.clear()
    given = {"task_id": "restore", "backup_dir": str(catalogue.root)}
    instance = TaskInstance()
    DliRestoreFlinkJobsOperator(**given).execute(instance.context)
    assert instance.pushed["backup_id"] == full.backup_id
    assert f"{increment.place.url} is newer and not used: it is incremental" in capsys.readouterr().out
    given["backup_id"] = increment.backup_id
    DliRestoreFlinkJobsOperator(**given, on_conflict="replace").execute(TaskInstance().context)
    assert len(emulator.state.jobs) == len(ALL)
    assert was in {job.desc for job in emulator.state.jobs.values()}


def test_without_a_catalogue_it_is_refused(emulator: Emulator) -> None:
    """By name, before anything is sent."""
    given = {"task_id": "task", "obs_dir": f"{emulator.bucket}/flink"}
    with pytest.raises(DliFailException, match=r"^selection.changed_since: is 'last_backup', and there is no cat"):
        DliExportFlinkJobsOperator(**given, selection=SINCE).execute(TaskInstance().context)
    with pytest.raises(DliFailException, match=r"^changed_since: is 'last_backup', .* DliBackupFlinkJobsOperator"):
        DliListFlinkJobsOperator(task_id="task", **SINCE).execute(TaskInstance().context)
    with pytest.raises(DliFailException, match=r"'last_backups' is not a time; .*, or 'last_backup'"):
        attempt(emulator, selection={"changed_since": "last_backups"})
    assert len(emulator.requests) == 0
