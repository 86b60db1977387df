"""Restores to a point in time: what is restored, what is not touched, and what a later attempt goes on with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.state import Backup
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.operators.dli import DliBackupFlinkJobsOperator, DliRestoreFlinkJobsOperator
from dli_emulator import Emulator
from tests.airflow.stores import StateStore, TaskInstance
from tests.backups.made import catalogue_of, rot
from tests.backups.real import back_up
from tests.hostile import HOSTILE, is_clean_output
from tests.services.two_projects import count_requests, scratch_jobs, two_projects

NIGHT = datetime(2026, 11, 1, 2, tzinfo=UTC)
DAY = timedelta(days=1)
#: the sample jobs, in two archives
BATCHES = ([100, 101, 102], [103, 104])
#: requests that change a project
_CHANGING = ("ImportFlinkJobs", "DeleteFlinkJob", "BatchDeleteFlinkJobs")


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return the emulator with five jobs, a second project, and a connection for each."""
    two_projects(dli_emulator, monkeypatch)
    for job_id in [job_id for job_id in dli_emulator.state.jobs if job_id > 104]:
        del dli_emulator.state.jobs[job_id]
    return dli_emulator


@pytest.fixture
def catalogue(emulator: Emulator) -> Catalogue:
    """Return an empty catalogue."""
    return catalogue_of(emulator)


def restore(catalogue: Catalogue, instance: TaskInstance | None = None, **parameters: Any) -> list[dict[str, Any]]:
    given = {"backup_dir": str(catalogue.root), "reconcile_timeout": 1.5, **parameters}
    operator = DliRestoreFlinkJobsOperator(task_id="restore", **given)
    return operator.execute((instance or TaskInstance()).context) or []


def names(emulator: Emulator) -> dict[str, int]:
    return {job.name: job_id for job_id, job in emulator.state.jobs.items()}


def changes(emulator: Emulator) -> int:
    return sum(count_requests(emulator, operation) for operation in _CHANGING)


def test_all_jobs_of_a_lost_project(emulator: Emulator, catalogue: Catalogue) -> None:
    """Each is created and compared; restoring again does nothing."""
    backup = back_up(catalogue, NIGHT, batches=BATCHES)
    before = names(emulator)
    emulator.state.jobs.clear()
    instance = TaskInstance()
    rows = restore(catalogue, instance)
    assert names(emulator).keys() == before.keys()
    assert [each["old_job_id"] for each in rows] == [100, 101, 102, 103, 104]
    assert {(each["action"], each["equal"]) for each in rows} == {("create", True)}
    assert {each["name"]: each["new_job_id"] for each in rows} == names(emulator)
    assert instance.pushed["backup_id"] == backup.backup_id
    assert instance.pushed["plan"]["counts"] == {"create": 5}
    assert len(instance.pushed["plan"]["archives"]) == 2
    assert sorted(instance.pushed["created"]) == sorted(instance.pushed["job_ids"]) == sorted(emulator.state.jobs)
    assert instance.pushed["comparison"] == {"jobs": 5, "equal": 5, "by": "settings", "different": []}
    assert instance.store.kept == {}
    sent = changes(emulator)
    again = restore(catalogue, instance)
    assert changes(emulator) == sent
    assert [each["new_job_id"] for each in again] == [each["new_job_id"] for each in rows]
    assert {(each["action"], each["equal"]) for each in again} == {("none", True)}
    assert instance.pushed["created"] == []
    # The state that was kept for a later attempt is not in the way, nor does the backup stay reserved.
    found = catalogue.backup(backup.project_id, backup.backup_id)
    assert found
    assert found.records == ()


def test_what_the_operator_of_backups_makes(emulator: Emulator, catalogue: Catalogue) -> None:
    """In the same words: all jobs are back, and equal."""
    before = names(emulator).keys()
    backup = DliBackupFlinkJobsOperator(task_id="backup", backup_dir=str(catalogue.root), batch_size=2)
    backup.execute(TaskInstance().context)
    emulator.state.jobs.clear()
    rows = restore(catalogue)
    assert names(emulator).keys() == before
    assert all(each["equal"] for each in rows)
    assert count_requests(emulator, "ImportFlinkJobs") == 3


def test_an_archive_whose_jobs_are_equal_is_not_imported(emulator: Emulator, catalogue: Catalogue) -> None:
    """Only the archive of the missing job is; the others in it stay as they are, though they run."""
    back_up(catalogue, NIGHT, batches=BATCHES)
    del emulator.state.jobs[104]
    emulator.state.jobs[103].status = "job_running"
    rows = restore(catalogue)
    assert count_requests(emulator, "ImportFlinkJobs") == 1
    assert [each["action"] for each in rows] == ["none"] * 4 + ["create"]
    assert emulator.state.jobs[103].status == "job_running"


@pytest.mark.parametrize("known", [True, False])
def test_some_jobs(emulator: Emulator, catalogue: Catalogue, known: bool) -> None:
    """By name and by id; what is in their archives beside is deleted again, whichever jobs an archive has."""
    back_up(catalogue, NIGHT, batches=BATCHES if known else ())
    wanted = emulator.state.jobs[101].name
    emulator.state.jobs.clear()
    mine = emulator.state.add_job(name="somebody's own").job_id
    instance = TaskInstance()
    rows = restore(catalogue, instance, job_names=f"{wanted[:-1]}[{wanted[-1]}]", job_ids="103")
    assert names(emulator) == {"somebody's own": mine, **{each["name"]: each["new_job_id"] for each in rows}}
    assert [each["old_job_id"] for each in rows] == [101, 103]
    assert instance.pushed["plan"]["counts"] == {"create": 2, "create and delete": 3}
    assert len(instance.pushed["deleted"]) == 3
    assert sorted(instance.pushed["created"]) == sorted(each["new_job_id"] for each in rows)


def test_an_archive_without_selected_jobs_is_not_imported(emulator: Emulator, catalogue: Catalogue) -> None:
    """Nor verified, or anything of it deleted."""
    back_up(catalogue, NIGHT, batches=BATCHES)
    emulator.state.jobs.clear()
    instance = TaskInstance()
    restore(catalogue, instance, job_ids=[103, 104])
    assert count_requests(emulator, "ImportFlinkJobs") == 1
    assert len(emulator.state.jobs) == 2
    assert instance.pushed["deleted"] == []


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (
            {"job_names": ["*", "no such*"]},
            "job_names: the backup has no job named no such*. Give names or wildcards of the backup.",
        ),
        ({"job_ids": [100, 999]}, "job_ids: the backup has no job 999. Give ids of the backup."),
    ],
)
def test_a_selection_that_selects_nothing_is_refused(
    emulator: Emulator, catalogue: Catalogue, selection: dict[str, Any], message: str
) -> None:
    """By its name, before anything is sent."""
    back_up(catalogue, NIGHT)
    with pytest.raises(DliFailException) as caught:
        restore(catalogue, **selection)
    assert str(caught.value) == message
    assert changes(emulator) == 0


def test_conflicts_fail(emulator: Emulator, catalogue: Catalogue, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is sent, not even for the missing jobs; name and setting are in message and plan, no value is."""
    back_up(catalogue, NIGHT)
    emulator.state.jobs[100].sql_body = "select 'password=hunter2'"
    del emulator.state.jobs[101]
    instance = TaskInstance()
    name = emulator.state.jobs[100].name
    with pytest.raises(
        DliFailException, match=rf"^Nothing was restored: 1 job differs in .*100 {name} \(sql_body was"
    ) as caught:
        restore(catalogue, instance)
    assert changes(emulator) == 0
    assert instance.pushed["plan"]["counts"] == {"conflict": 1, "create": 1, "none": 3}
    assert {each["old_job_id"]: each["differences"] for each in instance.pushed["plan"]["jobs"]} == {
        100: ["sql_body"],
        101: [],
    }
    assert "hunter2" not in str(caught.value) + str(instance.pushed) + "".join(capsys.readouterr())


def test_conflicts_are_kept(emulator: Emulator, catalogue: Catalogue) -> None:
    """They differ still, which is reported and does not fail the task."""
    back_up(catalogue, NIGHT)
    emulator.state.jobs[100].desc = "changed"
    del emulator.state.jobs[101]
    instance = TaskInstance()
    rows = restore(catalogue, instance, on_conflict="keep")
    assert emulator.state.jobs[100].desc == "changed"
    assert [(each["action"], each["equal"]) for each in rows[:3]] == [
        ("keep", False),
        ("create", True),
        ("none", True),
    ]
    assert instance.pushed["comparison"]["different"][0]["name"] == emulator.state.jobs[100].name
    assert 100 not in instance.pushed["job_ids"]


def test_conflicts_are_replaced(emulator: Emulator, catalogue: Catalogue) -> None:
    """With the jobs of their archive, which is in the plan; jobs of other archives stay."""
    back_up(catalogue, NIGHT, batches=BATCHES)
    desc = emulator.state.jobs[100].desc
    emulator.state.jobs[100].desc = "changed"
    for job_id in (101, 103):
        emulator.state.jobs[job_id].status = "job_running"
    del emulator.state.jobs[104]
    instance = TaskInstance()
    rows = restore(catalogue, instance, on_conflict="replace")
    assert [each["action"] for each in rows] == ["replace", "replace", "replace", "none", "create"]
    assert [each["is_cover"] for each in instance.pushed["plan"]["archives"]] == [True, False]
    assert emulator.state.jobs[100].desc == desc
    assert [emulator.state.jobs[job_id].status for job_id in (101, 103)] == ["job_init", "job_running"]
    assert instance.pushed["created"] == [rows[-1]["new_job_id"]]


def test_no_job_is_replaced_that_was_not_selected(emulator: Emulator, catalogue: Catalogue) -> None:
    """It is refused, naming them, before anything is sent; allowed if the archive has no other that exists."""
    back_up(catalogue, NIGHT, batches=BATCHES)
    emulator.state.jobs[100].desc = "changed"
    with pytest.raises(
        DliFailException, match=r"would replace jobs that are not selected.*: 101 \S+, 102 \S+ \(sel"
    ):
        restore(catalogue, job_ids=[100], on_conflict="replace")
    assert changes(emulator) == 0
    del emulator.state.jobs[101], emulator.state.jobs[102]
    rows = restore(catalogue, job_ids=[100], on_conflict="replace")
    assert [(each["new_job_id"], each["equal"]) for each in rows] == [(100, True)]
    assert sorted(emulator.state.jobs) == [100, 103, 104]


@pytest.mark.parametrize(
    ("as_of", "which"),
    [
        (None, 1),
        (NIGHT + DAY, 1),
        ((NIGHT + DAY - timedelta(seconds=1)).isoformat(), 0),
        ("2026-11-01T10:00:00+08:00", 0),
        ("2026-11-02 02:00", 1),
        ("2026-11-02", 0),
        ("2099-01-01", 1),
    ],
)
def test_the_newest_backup_of_a_time(catalogue: Catalogue, as_of: Any, which: int) -> None:
    """Complete by then, to the second; a time without zone is UTC, a date its beginning."""
    made = [back_up(catalogue, NIGHT + number * DAY) for number in range(2)]
    instance = TaskInstance()
    restore(catalogue, instance, as_of=as_of, plan_only=True)
    assert instance.pushed["backup_id"] == made[which].backup_id


def test_a_backup_of_some_jobs_is_not_that_of_the_project(
    emulator: Emulator, catalogue: Catalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is used if it is named, or if there is no other, with a warning."""
    some = back_up(catalogue, NIGHT + DAY, batches=[[100]])
    instance = TaskInstance()
    restore(catalogue, instance, plan_only=True)
    assert instance.pushed["backup_id"] == some.backup_id
    assert "The backup has a selection of the jobs of the project: jobs by id" in "".join(capsys.readouterr())
    everything = back_up(catalogue, NIGHT)
    emulator.state.jobs.clear()
    assert len(restore(catalogue, instance)) == 5
    assert instance.pushed["backup_id"] == everything.backup_id
    assert f"{some.place.url} is newer and not used: it has a selection" in "".join(capsys.readouterr())
    restore(catalogue, instance, backup_id=some.backup_id)
    assert instance.pushed["backup_id"] == some.backup_id


@pytest.mark.parametrize("everything", [{}, {"job_names": "*"}])
def test_jobs_that_only_older_backups_have(
    emulator: Emulator, catalogue: Catalogue, capsys: pytest.CaptureFixture[str], everything: dict[str, Any]
) -> None:
    """As where a newer backup of all jobs was made with a key that sees only its own: they are named."""
    full = back_up(catalogue, NIGHT, batches=BATCHES)
    lost = {job_id: job.name for job_id, job in emulator.state.jobs.items() if job_id != 100}
    for job_id in lost:
        del emulator.state.jobs[job_id]
    small = back_up(catalogue, NIGHT + DAY)
    emulator.state.jobs.clear()
    instance = TaskInstance()
    assert [each["old_job_id"] for each in restore(catalogue, instance, **everything)] == [100]
    expected = [{"job_id": each, "name": lost[each], "backup_id": full.backup_id} for each in sorted(lost)]
    assert instance.pushed["backup_id"] == small.backup_id
    assert instance.pushed["not_in_backup"] == instance.pushed["plan"]["not_in_backup"] == expected
    log = "".join(capsys.readouterr())
    assert "Older backups have 4 jobs that this one lacks" in log
    assert f"101 {lost[101]} ({full.backup_id})" in log
    for selection in ({"job_ids": 101}, {"job_names": lost[101]}):
        with pytest.raises(DliFailException, match=f"Give backup_id='{full.backup_id}' .*has 101 ") as raised:
            restore(catalogue, **selection)
        assert "as_of='2026-11-01T02:00:00+00:00'" in str(raised.value)
    # A job that was made again has its name, and nothing is missing where the older backup is restored.
    restore(catalogue, instance, backup_id=full.backup_id)
    assert instance.pushed["not_in_backup"] == []
    back_up(catalogue, NIGHT + 2 * DAY)
    restore(catalogue, instance)
    assert instance.pushed["not_in_backup"] == []


def test_a_job_that_is_in_no_archive_of_the_backup(
    emulator: Emulator, catalogue: Catalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not in that backup, though listed in it: an older one that has it is named."""
    full = back_up(catalogue, NIGHT, batches=BATCHES)
    back_up(catalogue, NIGHT + DAY, batches=BATCHES, absent=[101])
    emulator.state.jobs.clear()
    instance = TaskInstance()
    assert 101 not in [each["old_job_id"] for each in restore(catalogue, instance)]
    assert [each["job_id"] for each in instance.pushed["not_in_backup"]] == [101]
    with pytest.raises(DliFailException, match=rf"has no job 101\. Give backup_id='{full.backup_id}'"):
        restore(catalogue, job_ids=[101])
    log = "".join(capsys.readouterr())
    assert "Older backups have 1 job that this one lacks" in log
    assert "No archive of the backup has these jobs, so they are not restored: 101 " in log


def test_a_time_before_the_first_backup(emulator: Emulator, catalogue: Catalogue) -> None:
    """The nearest ones are named, with their times."""
    made = back_up(catalogue, NIGHT)
    with pytest.raises(
        DliFailException,
        match=rf"^as_of: project {emulator.project_id} has no usable backup that was complete by "
        r"2026-10-31 00:00:00 UTC in obs://\S+: before that none; after that "
        rf"{made.backup_id} \(2026-11-01 02:00:00 UTC\): usable\. Give",
    ):
        restore(catalogue, as_of="2026-10-31")


def test_no_backup_at_all(emulator: Emulator, catalogue: Catalogue) -> None:
    """An empty catalogue, and one of another project, whose id is named."""
    with pytest.raises(DliFailException, match=r"^There is no backup of project \w+ in obs://\S+: it is empty"):
        restore(catalogue)
    made = back_up(catalogue, NIGHT)
    with pytest.raises(DliFailException, match=rf"it has directories of {emulator.project_id}\. Give project_id"):
        restore(catalogue, dli_conn_id="dli_scratch")
    with pytest.raises(DliFailException, match=r"^backup_id: there is no backup 20261101T020000Z-00000000 of"):
        restore(catalogue, backup_id="20261101T020000Z-00000000")
    assert restore(catalogue, backup_id=made.backup_id, plan_only=True)


def _archive_of(backup: Backup) -> Any:
    assert backup.manifest
    return backup.archive(backup.manifest.archives[0])


def _damage(catalogue: Catalogue, backup: Backup) -> str:
    catalogue.obs.put(_archive_of(backup), b"x", "application/zip")
    return "has 1 bytes and had"


def _fail(catalogue: Catalogue, backup: Backup) -> str:
    catalogue.record(backup, "verification", {}, "failed")
    return "its verification failed at 2"


def _begin_expiry(catalogue: Catalogue, backup: Backup) -> str:
    catalogue.record(backup, "expiring", {})
    return "it is being deleted by an expiry"


def _forget_manifest(catalogue: Catalogue, backup: Backup) -> str:
    catalogue.obs.delete(backup.place.below("manifest.json"))
    return "it has no manifest"


def _garble_manifest(catalogue: Catalogue, backup: Backup) -> str:
    catalogue.obs.put(backup.place.below("manifest.json"), b"{}", "application/json")
    return "its manifest cannot be read: schema_version is None"


def _rot_list(catalogue: Catalogue, backup: Backup) -> str:
    rot(catalogue, backup, "settings.jsonl.gz")
    return "settings.jsonl.gz is not what was written: its SHA-256 differs"


@pytest.mark.parametrize("spoil", [_damage, _fail, _begin_expiry, _forget_manifest, _garble_manifest, _rot_list])
def test_a_newer_backup_that_is_not_usable_is_named(
    catalogue: Catalogue,
    spoil: Callable[[Catalogue, Backup], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The one before it is restored; alone it is an error with the same reason."""
    good, bad = back_up(catalogue, NIGHT), back_up(catalogue, NIGHT + DAY)
    reason = spoil(catalogue, bad)
    instance = TaskInstance()
    restore(catalogue, instance, plan_only=True)
    assert instance.pushed["backup_id"] == good.backup_id
    log = "".join(capsys.readouterr())
    assert f"{bad.place.url} is newer and not used: " in log
    assert reason in log
    with pytest.raises(DliFailException, match=f"backup_id: {bad.place.url} cannot be restored: .*{reason}"):
        restore(catalogue, backup_id=bad.backup_id)
    for entry in list(catalogue.obs.list_tree(good.place)):
        catalogue.obs.delete(good.place.below(entry.key[len(good.place.key) + 1 :]))
    with pytest.raises(DliFailException, match=rf"no usable backup in .*{bad.backup_id} \(2026-11-02 .*{reason}"):
        restore(catalogue)


def test_a_level_that_no_backup_has(catalogue: Catalogue) -> None:
    """It is compared with that of the manifest."""
    made = back_up(catalogue, NIGHT)
    restore(catalogue, level="full", plan_only=True)
    text = (catalogue.obs.read(made.place.below("manifest.json"), 1 << 20) or b"").decode()
    weaker = text.replace('"level": "full"', '"level": "directory"')
    assert weaker != text
    catalogue.obs.put(made.place.below("manifest.json"), weaker.encode(), "application/json")
    with pytest.raises(DliFailException, match="it was verified at level 'directory', and level is 'full'"):
        restore(catalogue, level="full")
    restore(catalogue, level="directory", plan_only=True)


def test_damage_that_the_listing_does_not_show(emulator: Emulator, catalogue: Catalogue) -> None:
    """It is found before anything is sent, and recorded; the next restore uses the backup before."""
    back_up(catalogue, NIGHT)
    bad = back_up(catalogue, NIGHT + DAY)
    place = _archive_of(bad)
    data = bytearray(catalogue.obs.read(place, 1 << 20) or b"")
    data[60] ^= 0xFF
    catalogue.obs.put(place, bytes(data), "application/zip")
    facts = catalogue.obs.find(place)
    assert facts
    assert bad.manifest
    # As an ETag that is not an MD5 of the content would hide it.
    text = (catalogue.obs.read(bad.place.below("manifest.json"), 1 << 20) or b"").decode()
    forged = text.replace(bad.manifest.archives[0].etag, facts.etag)
    catalogue.obs.put(bad.place.below("manifest.json"), forged.encode(), "application/json")
    emulator.state.jobs.clear()
    with pytest.raises(DliFailException, match="1 of 1 archive failed verification"):
        restore(catalogue, plan_only=True)
    with pytest.raises(
        DliFailException, match=r"failed verification.*This is recorded in the catalogue: restore again"
    ):
        restore(catalogue)
    assert changes(emulator) == 0
    found = catalogue.backup(bad.project_id, bad.backup_id)
    assert found
    assert found.state == "damaged"
    assert len(restore(catalogue)) == 5


def test_an_archive_that_was_replaced_by_an_intact_one(emulator: Emulator, catalogue: Catalogue) -> None:
    """Its SHA-256 is not that of the manifest."""
    made = back_up(catalogue, NIGHT)
    assert made.manifest
    text = (catalogue.obs.read(made.place.below("manifest.json"), 1 << 20) or b"").decode()
    forged = text.replace(str(made.manifest.archives[0].sha256), "0" * 64)
    catalogue.obs.put(made.place.below("manifest.json"), forged.encode(), "application/json")
    emulator.state.jobs.clear()
    with pytest.raises(DliFailException, match=r"^The backup is not what was verified: \S+: its SHA-256 is"):
        restore(catalogue)
    assert changes(emulator) == 0


def test_a_plan_sends_nothing(
    emulator: Emulator, catalogue: Catalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    """It lists and reads; neither DLI nor OBS is changed, and a conflict is a warning."""
    back_up(catalogue, NIGHT)
    del emulator.state.jobs[101]
    emulator.state.jobs[102].desc = "changed"
    before, objects = len(emulator.requests), [each.key for each in catalogue.obs.list_tree(catalogue.root)]
    instance = TaskInstance()
    rows = restore(catalogue, instance, plan_only=True)
    sent = {(each.operation, each.method) for each in emulator.requests[before:]}
    assert {method for _, method in sent} <= {"GET", "HEAD"}, sent
    assert [each.key for each in catalogue.obs.list_tree(catalogue.root)] == objects
    assert [(each["action"], each["new_job_id"]) for each in rows[:3]] == [
        ("none", 100),
        ("create", None),
        ("conflict", 102),
    ]
    assert instance.store.kept == {}
    assert "nothing would be restored: 1 job differs in the project" in "".join(capsys.readouterr())


def test_a_renamed_job(emulator: Emulator, catalogue: Catalogue, capsys: pytest.CaptureFixture[str]) -> None:
    """It is restored under its old name, and stays under the new one: the plan has both."""
    back_up(catalogue, NIGHT)
    name = emulator.state.jobs[100].name
    emulator.state.jobs[100].name = "renamed"
    instance = TaskInstance()
    restore(catalogue, instance)
    (planned,) = instance.pushed["plan"]["jobs"]
    assert (planned["name"], planned["state"], planned["renamed_to"]) == (name, "missing", "renamed")
    assert "it is called renamed now, and stays" in "".join(capsys.readouterr())
    assert names(emulator)["renamed"] == 100
    assert name in names(emulator)


def test_another_project(emulator: Emulator, catalogue: Catalogue) -> None:
    """By the id of the project of the backup; its jobs stay as they are."""
    back_up(catalogue, NIGHT, batches=BATCHES)
    before = dict(emulator.state.jobs)
    rows = restore(catalogue, dli_conn_id="dli_scratch", project_id=emulator.project_id, job_ids=[100, 103])
    assert sorted(scratch_jobs(emulator)) == sorted(each["new_job_id"] for each in rows)
    assert emulator.state.jobs == before


def test_a_copy_in_another_bucket(emulator: Emulator, catalogue: Catalogue) -> None:
    """Through a directory that the target can read, with a connection that reads the catalogue."""
    back_up(catalogue, NIGHT)
    emulator.state.jobs.clear()
    rows = restore(
        catalogue, source_conn_id="dli_scratch", staging_dir=f"{emulator.bucket}/staging", job_ids="100, 101"
    )
    assert sorted(emulator.state.jobs) == sorted(each["new_job_id"] for each in rows)
    copies = emulator.s3.list_objects_v2(Bucket=emulator.bucket, Prefix="staging/")["Contents"]
    assert len(copies) == 1


def test_without_settings_the_digest_is_compared(emulator: Emulator, catalogue: Catalogue) -> None:
    """A difference fails the task all the same."""
    back_up(catalogue, NIGHT, with_settings=False)
    emulator.state.jobs.clear()
    instance = TaskInstance()
    emulator.fault("ImportFlinkJobs", "import_alters", job=102, field="desc", value="altered")
    with pytest.raises(
        DliFailException, match=r"^job 102 \S+: its settings differ; .*5 jobs created, 4 of 5 jobs as"
    ):
        restore(catalogue, instance)
    assert instance.pushed["comparison"]["by"] == "digest"


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        (
            "import_alters",
            {"job": 103, "field": "parallel_number", "value": 9},
            r"^job 103 \S+: job_config.parallel_number was 1 and is 9\. What was done: 5 jobs created, 4 of 5",
        ),
        (
            "import_drops",
            {"job": 103, "claims": True},
            r"^not restored, for this key sees no jobs of these names: 103 ",
        ),
        ("import_drops", {"job": 103}, r"^not restored, for this key sees no jobs of these names: 103 "),
    ],
)
def test_a_job_that_is_not_as_in_the_backup_fails_the_task(
    emulator: Emulator, catalogue: Catalogue, kind: str, parameters: dict[str, Any], message: str
) -> None:
    """Whatever the response reports; ids of what was created are pushed, and the task state is empty."""
    back_up(catalogue, NIGHT)
    emulator.state.jobs.clear()
    emulator.fault("ImportFlinkJobs", kind, **parameters)
    instance = TaskInstance()
    with pytest.raises(DliFailException, match=message):
        restore(catalogue, instance)
    assert sorted(instance.pushed["created"]) == sorted(emulator.state.jobs)
    assert instance.store.kept == {}


def test_a_job_that_was_changed_while_it_was_backed_up(
    emulator: Emulator, catalogue: Catalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its archive has either settings: a difference is a warning."""
    back_up(catalogue, NIGHT, changed=[102])
    emulator.state.jobs.clear()
    emulator.fault("ImportFlinkJobs", "import_alters", job=102, field="desc", value="altered")
    instance = TaskInstance()
    rows = restore(catalogue, instance)
    assert [each["equal"] for each in rows] == [True, True, False, True, True]
    assert len(instance.pushed["job_ids"]) == 5
    assert "they may be as before or as after: 102 " in "".join(capsys.readouterr())


def test_a_lost_response(emulator: Emulator, catalogue: Catalogue) -> None:
    """The jobs are there, and compared by their names; none exists twice."""
    back_up(catalogue, NIGHT, batches=BATCHES)
    emulator.state.jobs.clear()
    emulator.fault("ImportFlinkJobs", "cut_after")
    instance = TaskInstance()
    rows = restore(catalogue, instance)
    assert len(rows) == len(emulator.state.jobs) == 5
    assert all(each["equal"] for each in rows)
    assert sorted(instance.pushed["created"]) == sorted(emulator.state.jobs)


def back_up_renamed(emulator: Emulator, catalogue: Catalogue, **given: Any) -> str:
    """Back up, with job 101 renamed between list and export, and lose all jobs; return its name before."""
    name = emulator.state.jobs[101].name
    back_up(catalogue, NIGHT, meanwhile=lambda: setattr(emulator.state.jobs[101], "name", "renamed"), **given)
    emulator.state.jobs.clear()
    return name


def test_a_job_that_was_renamed_before_the_export(
    emulator: Emulator, catalogue: Catalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    """DLI's response shows which it is: it is restored as the archive has it, and nothing else stays."""
    name = back_up_renamed(emulator, catalogue, changed=[101])
    instance = TaskInstance()
    (row,) = restore(catalogue, instance, job_names=name)
    made = names(emulator)
    assert made == {"renamed": row["new_job_id"]}
    assert (row["old_job_id"], instance.pushed["created"], instance.pushed["job_ids"]) == (
        101,
        *[[*made.values()]] * 2,
    )
    assert f"before or as after: 101 {name} as {made['renamed']} renamed" in "".join(capsys.readouterr())
    # DLI does not import it twice, and the others of the archive are deleted again.
    emulator.state.jobs[101] = emulator.state.jobs.pop(made["renamed"])
    emulator.state.jobs[101].job_id = 101
    pattern = rf"101 {name}, called renamed now \(.*the archive may have one under another name"
    with pytest.raises(DliFailException, match=pattern):
        restore(catalogue, job_names=name)
    assert names(emulator) == {"renamed": 101}


def test_a_job_of_another_name_that_nothing_explains(emulator: Emulator, catalogue: Catalogue) -> None:
    """It is named: as one that differs; after a lost response; and if it replaced one of its name."""
    name = back_up_renamed(emulator, catalogue)
    with pytest.raises(DliFailException, match=rf"^job 101 {name} as \d+ renamed: name was {name!r} and is 'ren"):
        restore(catalogue)
    emulator.state.jobs.clear()
    emulator.fault("ImportFlinkJobs", "cut_after")
    with pytest.raises(DliFailException, match=r"not restored.* a response was lost.*\d+ renamed,.*; delete"):
        restore(catalogue, job_ids=[101], reconcile_timeout=0.5)
    emulator.state.jobs.clear()
    theirs = emulator.state.add_job(name="renamed").job_id
    emulator.state.add_job(name=name)
    with pytest.raises(DliFailException, match=rf"has replaced those of these names: {theirs} renamed; check"):
        restore(catalogue, on_conflict="replace")


@pytest.mark.parametrize(
    ("operation", "turns", "message"),
    [
        # As it is deleted; and as the project is listed after the import, where a list in it precedes.
        ("DeleteFlinkJob", 0, r"503.*still be in project \w+: \d+ {101}, \d+ {102}; the next attempt deletes"),
        ("ListFlinkJobs", 2, r"503.*\. DLI has created: \d+, \d+, \d+\. 0 of 1"),
        ("ImportFlinkJobs", 1, r"503.*and perhaps of it: \d+ {100}, \d+ {101}, \d+ {102}\. 0 of 1"),
    ],
)
def test_jobs_that_a_failed_attempt_leaves(
    emulator: Emulator, catalogue: Catalogue, operation: str, turns: int, message: str
) -> None:
    """They are in the message: before Airflow 3.3 no later attempt knows them."""
    back_up(catalogue, NIGHT, batches=BATCHES)
    wanted = {f"{{{job_id}}}": job.name for job_id, job in emulator.state.jobs.items()}
    emulator.state.jobs.clear()
    instance = TaskInstance()
    del instance.context["task_state_store"]
    if operation == "ImportFlinkJobs":
        emulator.fault(operation, "cut_after")
    elif turns:
        emulator.fault(operation, "slow", times=turns)
    emulator.fault(operation, "error", status=503, code="APIGW.0602", message="trouble", times=3)
    for placeholder, name in wanted.items():
        message = message.replace(placeholder, name)
    with pytest.raises(DliException, match=message):
        restore(catalogue, instance, job_ids=[100])


def test_jobs_of_a_lost_response_are_not_deleted(emulator: Emulator, catalogue: Catalogue) -> None:
    """Which of them are the task's own is not known for certain: they are named."""
    back_up(catalogue, NIGHT, batches=BATCHES)
    other = emulator.state.jobs[101].name
    emulator.state.jobs.clear()
    emulator.fault("ImportFlinkJobs", "cut_after")
    instance = TaskInstance()
    with pytest.raises(DliFailException, match=rf"a response was lost, .*{other}.*delete them if nobody else did"):
        restore(catalogue, instance, job_ids=[100])
    assert instance.pushed["deleted"] == []
    assert len(emulator.state.jobs) == 3


class KilledError(BaseException):
    """The process was killed."""


class Killing(StateStore):
    """A store in whose place the process is killed as it is about to keep something for the nth time."""

    def __init__(self, nth: int) -> None:
        super().__init__()
        self.calls_left = nth

    def set(self, key: str, value: Any) -> None:
        self.calls_left -= 1
        if self.calls_left == 0:
            raise KilledError
        super().set(key, value)


def killed_at(catalogue: Catalogue, nth: int) -> TaskInstance:
    """Return the task instance of a restore of some jobs that was killed."""
    instance = TaskInstance()
    instance.store = Killing(nth)
    instance.context["task_state_store"] = instance.store
    with pytest.raises(KilledError):
        restore(catalogue, instance, job_ids=SELECTED)
    return instance


#: of the jobs of BATCHES; and as which of its writes to the task state an attempt saves a response
SELECTED, RESPONSES = [100, 101, 103], {4: 102, 11: 104}


@pytest.mark.parametrize("nth", sorted({*range(2, 16)} - set(RESPONSES)))
def test_killed_and_resumed(emulator: Emulator, catalogue: Catalogue, nth: int) -> None:
    """Also between two archives: the next attempt goes on with the same backup, and the result is the same."""
    back_up(catalogue, NIGHT, batches=BATCHES)
    wanted = {emulator.state.jobs[job_id].name for job_id in SELECTED}
    emulator.state.jobs.clear()
    instance = killed_at(catalogue, nth)
    mine = emulator.state.add_job(name="somebody's own").job_id
    back_up(catalogue, NIGHT + DAY)
    rows = restore(catalogue, instance, job_ids=SELECTED)
    assert names(emulator).keys() == {*wanted, "somebody's own"}
    assert [each["equal"] for each in rows] == [True] * 3
    assert sorted(instance.pushed["created"]) == sorted(set(emulator.state.jobs) - {mine})
    assert len(instance.pushed["deleted"]) == 2
    assert count_requests(emulator, "ImportFlinkJobs") == 2


@pytest.mark.parametrize("nth", RESPONSES)
def test_killed_with_a_response(emulator: Emulator, catalogue: Catalogue, nth: int) -> None:
    """It is lost like any other: what is not known to be the task's own is named, and not deleted."""
    back_up(catalogue, NIGHT, batches=BATCHES)
    wanted = {emulator.state.jobs[job_id].name for job_id in SELECTED}
    other = emulator.state.jobs[RESPONSES[nth]].name
    emulator.state.jobs.clear()
    instance = killed_at(catalogue, nth)
    with pytest.raises(
        DliFailException, match=rf"a response was lost, .*: \d+ {other}; delete them if nobody else did"
    ):
        restore(catalogue, instance, job_ids=SELECTED)
    assert names(emulator).keys() == {*wanted, other}


def test_an_expiry_meanwhile(emulator: Emulator, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that began after the catalogue was listed is seen: nothing is sent."""
    made = back_up(catalogue, NIGHT)
    emulator.state.jobs.clear()
    listed = Catalogue.backups

    def begin_expiry(self: Catalogue, project_id: str | None = None) -> list[Backup]:
        found = listed(self, project_id)
        catalogue.record(made, "expiring", {})
        return found

    monkeypatch.setattr(Catalogue, "backups", begin_expiry)
    with pytest.raises(DliFailException, match="is being deleted by an expiry"):
        restore(catalogue)
    assert changes(emulator) == 0


def key_for(emulator: Emulator, *actions: str) -> str:
    """Return a connection of a user who has these permissions on the bucket, and no others."""
    resources = [f"obs:*:*:bucket:{emulator.bucket}", f"obs:*:*:object:{emulator.bucket}/*"]
    statement = {"Effect": "Allow", "Action": [f"obs:{each}" for each in actions], "Resource": resources}
    emulator.state.add_user("reader", {"Version": "1.1", "Statement": [statement]})
    return emulator.connection(user="reader", retry_budget=0)


def test_a_catalogue_that_nobody_may_write_to(
    emulator: Emulator, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is restored all the same, with a warning; and a record that cannot be deleted does not fail the task."""
    made = back_up(catalogue, NIGHT)
    reads = ("bucket:ListBucket", "object:GetObject")
    for actions, kinds in ((reads, []), ((*reads, "object:PutObject"), ["reading"])):
        emulator.state.jobs.clear()
        monkeypatch.setenv("AIRFLOW_CONN_DLI_READER", key_for(emulator, *actions))
        assert len(restore(catalogue, source_conn_id="dli_reader")) == 5
        warning = "An expiry may delete the backup while it is read."
        assert (warning in "".join(capsys.readouterr())) == (not kinds)
        found = catalogue.backup(made.project_id, made.backup_id)
        assert found
        assert [each.kind for each in found.records] == kinds
        assert found.is_usable()


@pytest.mark.slow
def test_a_copy_in_another_account_and_region(
    emulator: Emulator, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its archives pass this machine, and are verified once more where the target can read them."""
    back_up(catalogue, NIGHT, batches=BATCHES)
    wanted = names(emulator).keys()
    with Emulator(jobs=0, region="eu-west-101") as other:
        monkeypatch.setenv("AIRFLOW_CONN_DLI_ABROAD", other.connection(retry_budget=0))
        given: dict[str, Any] = {
            "dli_conn_id": "dli_abroad",
            "source_conn_id": "dli_default",
            "project_id": emulator.project_id,
        }
        rows = restore(catalogue, staging_dir=f"{other.bucket}/staging", **given)
        assert names(other).keys() == wanted
    assert all(each["equal"] for each in rows)
    assert "".join(capsys.readouterr()).count("through this machine") == 2


def test_hostile_names(emulator: Emulator, catalogue: Catalogue, capsys: pytest.CaptureFixture[str]) -> None:
    """Of jobs of the backup: they forge no line, and are restored like any other."""
    emulator.state.add_job(name=HOSTILE)
    back_up(catalogue, NIGHT)
    emulator.state.jobs.clear()
    rows = restore(catalogue)
    assert HOSTILE in {each["name"] for each in rows}
    assert is_clean_output("".join(capsys.readouterr()))


def test_a_restore_goes_on_after_a_refusal(emulator: Emulator, catalogue: Catalogue) -> None:
    """Of the second archive: what was done is in the message, and the next attempt does the rest."""
    back_up(catalogue, NIGHT, batches=BATCHES)
    emulator.state.jobs.clear()
    emulator.fault("ImportFlinkJobs", "slow", after=0)
    emulator.fault("ImportFlinkJobs", "error", status=503, code="APIGW.0602", message="trouble", times=3)
    instance = TaskInstance()
    with pytest.raises(DliException, match=r"HTTP 503.*\. 1 of 2 archives imported before\."):
        restore(catalogue, instance)
    assert len(instance.pushed["created"]) == 3
    # Somebody deletes one of them: it is missing again.
    del emulator.state.jobs[instance.pushed["created"][0]]
    rows = restore(catalogue, instance)
    assert len(rows) == len(emulator.state.jobs) == 5
    assert sorted(instance.pushed["created"]) == sorted(emulator.state.jobs)
