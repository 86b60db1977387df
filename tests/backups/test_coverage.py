"""Coverage: every kind of problem is found, alone and together, and none hides another."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.coverage import (
    KINDS,
    REMEDIES,
    Coverage,
    Problem,
    newest_coverage,
    write_coverage,
)
from airflow_provider_dli.backups.coverage_report import Check, raise_for_problems
from airflow_provider_dli.backups.manifest import EXPIRED, JOBS, MANIFEST
from airflow_provider_dli.backups.state import Backup
from airflow_provider_dli.client.flink.settings import settings_digest
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.operators.dli import DliCheckBackupCoverageOperator
from airflow_provider_dli.services.selection import each_with_settings
from dli_emulator import Emulator
from tests.airflow.stores import TaskInstance
from tests.backups.made import PROJECT, catalogue_of, make_backup, rot
from tests.hostile import HOSTILE, is_clean

NIGHT = datetime(2026, 11, 1, 2, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ARCHIVE = "archives/batch-0001/aggregate_1.zip"


@pytest.fixture
def catalogue(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """Return an empty catalogue in the emulator's bucket."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    return catalogue_of(dli_emulator)


def digests(conn_id: str = "dli_default") -> dict[int, str]:
    """Return the digests of the live jobs, as a backup of now would have them."""
    return {job.job_id: settings_digest(job) for job in each_with_settings(DliHook(conn_id))}


def backup(catalogue: Catalogue, age: timedelta = HOUR, jobs: Any = None, **parameters: Any) -> Backup:
    """Make a backup of all live jobs that was exported some time ago."""
    return make_backup(catalogue, catalogue.now() - age, digests() if jobs is None else jobs, **parameters)


def drilled(catalogue: Catalogue, of: Backup, age: timedelta, rows: Any, outcome: Any = "passed") -> None:
    catalogue.record(of, "drill", {"jobs": rows, "seconds": 3}, outcome, at=catalogue.now() - age)


def check(catalogue: Catalogue, **parameters: Any) -> dict[str, Any]:
    """Run the operator; return what it pushed, and its ``failure``."""
    instance = TaskInstance()
    operator = DliCheckBackupCoverageOperator(task_id="check", backup_dir=str(catalogue.root), **parameters)
    try:
        operator.execute(instance.context)
    except DliException as error:
        instance.pushed["failure"] = error
    return instance.pushed


def allowed(actions: list[str], *resources: str) -> dict[str, Any]:
    """Return a policy."""
    on = {"Resource": list(resources)} if resources else {}
    return {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": actions, **on}]}


def kinds(pushed: dict[str, Any]) -> dict[str, int]:
    """Return the problems of the first project, by kind, and check that they fail the task or do not."""
    found: dict[str, int] = pushed["return_value"][0]["problems"]
    assert bool(found) is ("failure" in pushed) is not pushed["return_value"][0]["passed"]
    return found


def only_warning(catalogue: Catalogue) -> Problem:
    """Return the warning of the last check, which has one."""
    written = newest_coverage(catalogue, PROJECT)
    assert written
    (warning,) = written.warnings
    return warning


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
    """Of two of the same second the later one is the newest, and the earlier one is left."""
    places = [write_coverage(catalogue, result(NIGHT, passed=passed)) for passed in (True, False, True, False)]
    assert len(set(places)) == 4
    assert newest_coverage(catalogue, PROJECT) == result(NIGHT, passed=False)


def test_jobs_with_a_young_equal_verified_backup_are_covered(catalogue: Catalogue) -> None:
    """The task succeeds, and its result is beside the backups."""
    made = backup(catalogue)
    pushed = check(catalogue)
    assert kinds(pushed) == {}
    (row,) = pushed["return_value"]
    assert (row["project_id"], row["jobs"], row["covered"], row["warnings"]) == (PROJECT, 26, 26, {})
    assert pushed["uncovered"] == {PROJECT: []}
    written = newest_coverage(catalogue, PROJECT)
    assert written
    assert row["result"].endswith(f"/reports/coverage-{written.checked_at:%Y%m%dT%H%M%SZ}.json")
    assert made.manifest
    first = written.jobs[0]
    assert (first.job_id, first.backup_id, first.changed) == (100, made.backup_id, False)
    assert (first.exported_at, first.verified_at) == (made.manifest.exported_at, made.last_verified)


def test_a_job_that_was_changed_while_it_was_backed_up_is_not_covered(catalogue: Catalogue) -> None:
    """Though it is as it was before: the archive may have what it was in between."""
    backup(catalogue, changed=[100])
    pushed = check(catalogue)
    assert (kinds(pushed), pushed["uncovered"]) == ({"changed": 1}, {PROJECT: [100]})
    assert "it was changed while it was backed up: the archive may have its settings before or after" in str(
        pushed["failure"]
    )


def test_each_problem_of_a_job_is_named(catalogue: Catalogue, dli_emulator: Emulator) -> None:
    """All of them, with id and name; the youngest backup that has a job counts."""
    all_jobs = digests()
    backup(catalogue, 3 * DAY, {100: all_jobs[100], 101: all_jobs[101], 102: "other"})
    backup(
        catalogue, HOUR, {job: each for job, each in all_jobs.items() if job not in (100, 104)} | {103: "other"}
    )
    pushed = check(catalogue)
    assert kinds(pushed) == {"no_backup": 1, "changed": 1, "too_old": 1}
    assert pushed["uncovered"] == {PROJECT: [104, 103, 100]}
    message = str(pushed["failure"])
    assert isinstance(pushed["failure"], DliFailException)
    assert message.startswith(
        "23 of 26 jobs covered; 3 problems (1 no_backup, 1 changed, 1 too_old): project 48cc"
    )
    for job_id, text in (
        (104, "no backup that is usable at level full has it"),
        (103, "its settings differ from those that were backed up 20"),
        (100, "its youngest usable backup is 72 h 0 min old"),
    ):
        assert f"job {job_id} {dli_emulator.state.jobs[job_id].name}: {text}" in message


def test_a_changed_job_is_known_by_its_settings(catalogue: Catalogue, dli_emulator: Emulator) -> None:
    """Not by its status or times."""
    backup(catalogue)
    job = dli_emulator.state.jobs[100]
    job.update_time, job.status = 1_790_000_000_000, "job_finish"
    assert kinds(check(catalogue)) == {}
    job.job_config["parallel_number"] = 77
    pushed = check(catalogue)
    assert kinds(pushed) == {"changed": 1}
    assert pushed["uncovered"] == {PROJECT: [100]}


def test_what_a_backup_must_be_is_required(catalogue: Catalogue) -> None:
    """A deeper level, and a younger one."""
    backup(catalogue, level="directory")
    assert kinds(check(catalogue, level="directory")) == {}
    assert kinds(check(catalogue)) == {"no_backup": 26}
    assert kinds(check(catalogue, level="exists", max_age=1800)) == {"too_old": 26}
    assert kinds(check(catalogue, level="exists", max_age=timedelta(hours=2))) == {}


def test_a_job_that_is_not_in_the_archive_is_not_in_the_backup(catalogue: Catalogue) -> None:
    """Though its list of jobs has it."""
    backup(catalogue, in_archive={100: False})
    pushed = check(catalogue)
    assert kinds(pushed) == {"no_backup": 1}
    assert pushed["uncovered"] == {PROJECT: [100]}


def test_a_job_in_no_archive_that_is_no_longer_seen(catalogue: Catalogue, dli_emulator: Any) -> None:
    """Its list of jobs has it: a warning, since the key may see less."""
    backup(catalogue, in_archive={100: False})
    del dli_emulator.state.jobs[100]
    assert check(catalogue)["return_value"][0]["warnings"] == {"not_seen": 1}


def test_an_older_backup_that_has_the_job_counts(catalogue: Catalogue) -> None:
    """If the newest one is known not to have it: then how old that is counts."""
    backup(catalogue, 2 * DAY)
    backup(catalogue, in_archive={100: False})
    assert kinds(check(catalogue)) == {"too_old": 1}


def test_jobs_that_may_not_be_in_the_archives_are_a_warning(catalogue: Catalogue) -> None:
    """Unless a drill has restored them: then they are there."""
    made = backup(catalogue, in_archive={100: None, 101: None})
    pushed = check(catalogue)
    assert (kinds(pushed), pushed["return_value"][0]["warnings"]) == ({}, {"unproven": 1})
    warning = only_warning(catalogue)
    text = "whether its archives have 2 jobs is not known, and no drill of it has restored them: 100, 101"
    assert (warning.backup_id, warning.message) == (made.backup_id, text)
    drilled(catalogue, made, HOUR, [{"job_id": job, "equal": True, "problem": None} for job in (100, 101)])
    assert check(catalogue)["return_value"][0]["warnings"] == {}


def test_a_drill_of_another_backup_proves_nothing(catalogue: Catalogue) -> None:
    """Of the archives of the youngest one."""
    old = backup(catalogue, DAY)
    drilled(catalogue, old, 2 * HOUR, [{"job_id": 100, "equal": True, "problem": None}])
    backup(catalogue, in_archive={100: None})
    pushed = check(catalogue)
    assert (kinds(pushed), pushed["return_value"][0]["warnings"]) == ({}, {"unproven": 1})


def test_a_job_that_a_drill_could_not_restore_is_not_covered(catalogue: Catalogue) -> None:
    """Until a later drill finds it equal: a newer backup proves nothing."""
    made = backup(catalogue, 3 * HOUR)
    drilled(catalogue, made, 2 * HOUR, [{"job_id": 100, "equal": False, "problem": "is missing"}], "failed")
    pushed = check(catalogue)
    assert (kinds(pushed), pushed["uncovered"]) == ({"drill_failed": 1}, {PROJECT: [100]})
    drilled(catalogue, made, HOUR, [{"job_id": 100, "equal": True, "problem": None}])
    assert kinds(check(catalogue)) == {}
    drilled(catalogue, made, HOUR / 2, [{"job_id": 100, "equal": False, "problem": "is missing"}], "failed")
    newer = backup(catalogue)
    assert kinds(pushed := check(catalogue)) == {"drill_failed": 1}
    assert f"the last restore drill of it, from backup {made.backup_id}, did not" in str(pushed["failure"])
    drilled(catalogue, newer, HOUR / 4, [{"job_id": 100, "equal": True, "problem": None}])
    assert kinds(check(catalogue)) == {}


def test_jobs_that_the_key_no_longer_sees_are_a_warning(catalogue: Catalogue, dli_emulator: Emulator) -> None:
    """If the newest backup of all jobs has them: they may have been deleted, or the key lost a permission."""
    backup(catalogue, DAY, jobs=digests() | {99: "of long ago"})
    made = backup(catalogue)
    del dli_emulator.state.jobs[100]
    pushed = check(catalogue)
    assert (kinds(pushed), pushed["return_value"][0]["warnings"]) == ({}, {"not_seen": 1})
    warning = only_warning(catalogue)
    text = "1 job of it this key does not see: deleted since, or no longer visible to it: 100 job_100"
    assert (warning.backup_id, warning.message) == (made.backup_id, text)
    assert check(catalogue, exclude="*")["return_value"][0]["warnings"] == {"not_seen": 1, "no_jobs": 1}


def test_excluded_jobs_need_no_backup(catalogue: Catalogue, dli_emulator: Emulator) -> None:
    """By id, and by wildcards for names."""
    some = {job: digest for job, digest in digests().items() if job not in (100, 101)}
    backup(catalogue, jobs=some)
    assert kinds(check(catalogue, exclude=[100, dli_emulator.state.jobs[101].name[:-1] + "?"])) == {}
    assert kinds(check(catalogue, exclude="100")) == {"no_backup": 1}
    pushed = check(catalogue, exclude="*")
    assert (kinds(pushed), pushed["return_value"][0]["jobs"]) == ({}, 0)
    assert pushed["return_value"][0]["warnings"] == {"no_jobs": 1}
    dli_emulator.state.jobs[100].name, dli_emulator.state.jobs[101].name = "orders1", "orders[1]"
    assert kinds(check(catalogue, exclude="orders[1]")) == {"no_backup": 1}


def test_drills_count_if_they_are_required(catalogue: Catalogue) -> None:
    """Of a job, the newest in which it was equal; also one that failed for others, or whose backup is gone."""
    old, new = backup(catalogue, 2 * DAY), backup(catalogue, 2 * HOUR)
    backup(catalogue)
    equal = [{"job_id": job, "equal": True, "problem": None} for job in digests()]
    drilled(catalogue, old, 30 * DAY, equal)
    unequal = {"job_id": 100, "equal": False, "problem": "queue_name differs"}
    drilled(catalogue, new, HOUR, [*equal[2:], unequal], "failed")
    assert kinds(check(catalogue)) == {"drill_failed": 1}
    assert kinds(check(catalogue, drill_max_age=40 * DAY)) == {"drill_failed": 1}
    catalogue.obs.put(old.place.below(EXPIRED), b"{}", "application/json")
    pushed = check(catalogue, drill_max_age=7 * DAY)
    assert kinds(pushed) == {"not_drilled": 2, "drill_failed": 1}
    assert "the last restore drill that found it equal was 720 h 0 min ago" in str(pushed["failure"])
    assert pushed["uncovered"] == {PROJECT: [100]}
    written = newest_coverage(catalogue, PROJECT)
    assert written
    ages = [written.checked_at - job.drilled_at for job in written.jobs if job.drilled_at]
    assert [age > 29 * DAY for age in ages] == [True, True, *[False] * 24]
    assert written.drill_max_age == (7 * DAY).total_seconds()


@pytest.mark.parametrize(
    "rows",
    [
        None,
        "x",
        {},
        [None, 1, [], {"job_id": "100", "equal": True}, {"job_id": True, "equal": True}, {"equal": 1}],
    ],
)
def test_a_drill_that_cannot_be_read_is_none(catalogue: Catalogue, rows: Any) -> None:
    """Anybody may have written it."""
    drilled(catalogue, backup(catalogue), HOUR, rows)
    assert kinds(check(catalogue, drill_max_age=DAY)) == {"not_drilled": 26}


def damage_archive(catalogue: Catalogue, made: Backup) -> None:
    catalogue.obs.delete(made.place.below(ARCHIVE))


def damage_jobs(catalogue: Catalogue, made: Backup) -> None:
    rot(catalogue, made, JOBS)


def fail_verification(catalogue: Catalogue, made: Backup) -> None:
    catalogue.record(made, "verification", {}, "failed")


def break_manifest(catalogue: Catalogue, made: Backup) -> None:
    catalogue.obs.put(made.place.below(MANIFEST), b'{"schema_version": "\\ud800"}', "application/json")


@pytest.mark.parametrize(
    ("break_it", "kind", "text"),
    [
        (damage_archive, "damaged", f"{ARCHIVE} is gone"),
        (damage_jobs, "damaged", "its SHA-256 differs from the manifest's"),
        (fail_verification, "damaged", "its newest verification failed"),
        (break_manifest, "unreadable", "its manifest cannot be read: schema_version is '\\ud800'"),
    ],
)
def test_a_backup_that_cannot_be_relied_on_is_named(
    catalogue: Catalogue, break_it: Callable[[Catalogue, Backup], None], kind: str, text: str
) -> None:
    """Though the jobs are covered by an older one; not any more once it has expired."""
    backup(catalogue, 2 * HOUR)
    made = backup(catalogue)
    break_it(catalogue, made)
    pushed = check(catalogue)
    assert kinds(pushed) == {kind: 1}
    message = str(pushed["failure"])
    assert f"project {PROJECT}, backup {made.backup_id}: " in message
    assert text in message
    assert message.endswith(" elsewhere as evidence, and delete it here.")
    assert pushed["return_value"][0]["covered"] == 26
    catalogue.record(made, "expiring", {})
    # Of one whose manifest cannot be read, an expiry writes the end only.
    if kind == "unreadable":
        catalogue.obs.put(made.place.below(EXPIRED), b"{}", "application/json")
    assert kinds(check(catalogue)) == {}


def test_a_backup_that_expires_does_not_cover(catalogue: Catalogue) -> None:
    """Nor does one that has expired; neither is damaged."""
    made = backup(catalogue)
    catalogue.record(made, "expiring", {})
    assert kinds(check(catalogue)) == {"no_backup": 26}
    catalogue.obs.put(made.place.below(EXPIRED), b"{}", "application/json")
    damage_archive(catalogue, made)
    assert kinds(check(catalogue)) == {"no_backups": 1, "no_backup": 26}


def test_what_a_killed_task_left_is_a_warning(catalogue: Catalogue) -> None:
    """Once nothing was written there for a day, and not while a backup runs; and archives that nothing names."""
    made = backup(catalogue)
    catalogue.obs.put(made.place.below("archives/batch-0001/aggregate_9.zip"), b"x", "application/zip")
    killed = catalogue.place(PROJECT, catalogue.new_id(catalogue.now() - 9 * DAY))
    catalogue.obs.put(killed.below("archives/a.zip"), b"x", "application/zip")
    pushed = check(catalogue)
    assert kinds(pushed) == {}
    assert pushed["return_value"][0]["warnings"] == {"unnamed": 1}
    written = newest_coverage(catalogue, PROJECT)
    assert written
    (warning,) = written.warnings
    assert warning.backup_id == made.backup_id
    found = re.match("its manifest does not name .*aggregate_9.zip, the last one written at 20", warning.message)
    assert found
    assert warning.message.endswith("whose response was lost may have made them")


def test_a_project_without_backups_or_visible_jobs_fails(catalogue: Catalogue, dli_emulator: Emulator) -> None:
    """One that nobody backs up; and one of which a key sees nothing, which may be the key's fault."""
    pushed = check(catalogue)
    assert kinds(pushed) == {"no_backups": 1, "no_backup": 26}
    message = str(pushed["failure"])
    assert f"project {PROJECT}: the project has no backup | " in message
    assert " | and 7 more. Back up the project with DliBackupFlinkJobsOperator. Back up all jobs, and " in message
    assert message.count("no backup that is usable") == 19
    backup(catalogue)
    dli_emulator.state.jobs.clear()
    pushed = check(catalogue)
    assert kinds(pushed) == {"no_jobs": 1}
    assert "sees no Flink job; without dli:jobs:listAll" in str(pushed["failure"])


def test_all_at_once(catalogue: Catalogue, dli_emulator: Emulator) -> None:
    """In the order of their weight, whichever comes first in the catalogue."""
    all_jobs = digests()
    backup(catalogue, 5 * DAY, all_jobs)
    young = backup(catalogue, 2 * HOUR, {100: all_jobs[100], 101: "other"})
    drilled(catalogue, young, HOUR, [{"job_id": job, "equal": True} for job in all_jobs if job != 102])
    break_manifest(catalogue, backup(catalogue, 3 * HOUR))
    damage_archive(catalogue, backup(catalogue, 4 * HOUR))
    dli_emulator.state.add_job(name="brand-new")
    pushed = check(catalogue, drill_max_age=7 * DAY)
    expected = {"unreadable": 1, "damaged": 1, "no_backup": 1, "changed": 1, "too_old": 24, "not_drilled": 2}
    assert kinds(pushed) == expected
    assert list(kinds(pushed)) == list(expected)
    written = newest_coverage(catalogue, PROJECT)
    assert written
    assert len(written.problems) == sum(expected.values())


def test_a_project_that_cannot_be_checked_hides_no_other(
    catalogue: Catalogue, dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connection missing, or wrong, or its key refused; each is named, and the others are checked."""
    scratch = dli_emulator.state.add_project("cn-north-4_scratch", jobs=3)
    given: dict[str, Any] = {"retry_budget": 0}
    of_scratch = dli_emulator.connection(project_id=scratch.project_id, **given)
    refused = json.dumps(json.loads(of_scratch) | {"password": "wrong"})
    monkeypatch.setenv("AIRFLOW_CONN_DLI_SCRATCH", of_scratch)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_REFUSED", refused)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_REFUSED_TOO", refused)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_WRONG", dli_emulator.connection(regoin="x", **given))
    backup(catalogue)
    make_backup(catalogue, catalogue.now() - HOUR, digests("dli_scratch"), project_id=scratch.project_id)
    conn_ids = ["dli_nowhere", "dli_wrong", "dli_default", "dli_scratch", "dli_refused", "dli_refused_too"]
    pushed = check(catalogue, dli_conn_id=conn_ids, catalogue_conn_id="dli_default")
    rows = {row["dli_conn_id"]: row for row in pushed["return_value"]}
    assert [rows[conn_id]["passed"] for conn_id in conn_ids] == [False, False, True, True, False, False]
    assert list(pushed["uncovered"]) == [PROJECT, scratch.project_id]
    message = str(pushed["failure"])
    assert message.startswith(
        "29 of 29 jobs covered; 4 problems (4 not_checked): connection 'dli_nowhere': not ch"
    )
    for text in (
        "'dli_nowhere' does not exist",
        "regoin",
        "was refused for another project, and is not sent again",
    ):
        assert text in message
    assert sum(request.status == 401 for request in dli_emulator.requests) == 1
    assert isinstance(pushed["failure"], DliException)


@pytest.mark.parametrize("dli_conn_id", ["dli_default, dli_same", "['dli_default', 'dli_same']"])
def test_a_second_connection_of_a_project_is_refused(
    catalogue: Catalogue, dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch, dli_conn_id: str
) -> None:
    """Whatever form names them: its key may see jobs that the first one does not see."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_SAME", dli_emulator.connection(retry_budget=0))
    backup(catalogue)
    pushed = check(catalogue, dli_conn_id=dli_conn_id)
    assert [each["problems"] for each in pushed["return_value"]] == [{}, {"not_checked": 1}]
    assert f"it is of the project {PROJECT} that dli_default is of, and was not checked" in str(pushed["failure"])


@pytest.mark.parametrize(("status", "code", "retries"), [(503, "DLI.0999", True), (403, "DLI.0003", False)])
def test_airflow_retries_where_it_may_help(
    catalogue: Catalogue, dli_emulator: Emulator, status: int, code: str, retries: bool
) -> None:
    """That is, if nothing is wrong but that the service is in trouble."""
    dli_emulator.fault("ListFlinkJobs", "error", status=status, code=code, times=None)
    failure = check(catalogue)["failure"]
    assert isinstance(failure, DliFailException) is not retries
    assert "1 problem (1 not_checked)" in str(failure)


def test_a_catalogue_that_cannot_be_read_fails_at_once(
    catalogue: Catalogue, dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be checked without it."""
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", dli_emulator.connection(retry_budget=0))
    operator = DliCheckBackupCoverageOperator(
        task_id="check", backup_dir="no-such-bucket", catalogue_conn_id="other"
    )
    with pytest.raises(DliFailException, match="no-such-bucket"):
        operator.execute({})
    assert catalogue.backups() == []


def test_a_result_that_cannot_be_written_changes_nothing(
    catalogue: Catalogue, dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With just the permissions to read, the check decides; result and page are missing beside the backups."""
    backup(catalogue)
    bucket = dli_emulator.bucket
    granted = [
        allowed(["dli:jobs:listAll"]),
        allowed(["obs:bucket:ListBucket"], f"obs:*:*:bucket:{bucket}"),
        allowed(["obs:object:GetObject"], f"obs:*:*:object:{bucket}/*"),
    ]
    dli_emulator.state.add_user("auditor", *granted)
    monkeypatch.setenv("AIRFLOW_CONN_AUDITOR", dli_emulator.connection(user="auditor", retry_budget=0))
    pushed = check(catalogue, dli_conn_id="auditor", write_page=True)
    assert kinds(pushed) == {}
    assert catalogue.obs.find(catalogue.root.below("index.html")) is None
    assert pushed["return_value"][0]["result"] is None
    assert newest_coverage(catalogue, PROJECT) is None


def test_hostile_text_is_shown_escaped(catalogue: Catalogue, dli_emulator: Emulator) -> None:
    """Names of jobs, archives and fields of a manifest; the message is one line, the report a page."""
    backup(catalogue)
    dli_emulator.state.add_job(name="<b>" + HOSTILE[:40])
    made = backup(catalogue, 2 * HOUR)
    data = json.dumps({"schema_version": HOSTILE}).encode()
    catalogue.obs.put(made.place.below(MANIFEST), data, "application/json")
    pushed = check(catalogue, report_dir=f"{dli_emulator.bucket}/reports")
    assert kinds(pushed) == {"unreadable": 1, "no_backup": 1}
    assert is_clean(str(pushed["failure"]))
    page = catalogue.obs.read(pushed["report_file"], 1 << 22)
    assert page
    assert b"&lt;b&gt;x\\nFORGED" in page
    assert b"\x1b" not in page


def test_the_report_shows_every_problem(catalogue: Catalogue, dli_emulator: Emulator) -> None:
    """Also those that the message only counts; warnings beside them."""
    made = backup(catalogue, jobs={100: "x"})
    catalogue.obs.put(made.place.below("archives/late.zip"), b"x", "application/zip")
    pushed = check(catalogue, report_dir=f"{dli_emulator.bucket}/reports")
    page = (catalogue.obs.read(pushed["report_file"], 1 << 22) or b"").decode()
    assert "0 of 26 jobs covered; 26 problems (25 no_backup, 1 changed)." in page
    assert page.count("<td>no_backup</td>") == 25
    assert "they are not part of a backup." in page
    assert "its manifest does not name archives/late.zip" in page


def test_the_page_of_the_catalogue_is_written_beside_it(catalogue: Catalogue) -> None:
    """With what the check has just found."""
    backup(catalogue, jobs=digests() | {100: "changed"})
    assert kinds(check(catalogue, write_page=True)) == {"changed": 1}
    data = catalogue.obs.read(catalogue.root.below("index.html"), 1 << 20)
    assert data
    assert b"problems found by the last check of 1 project" in data


def test_a_time_ahead_of_the_store_is_not_young(catalogue: Catalogue) -> None:
    """A backup that claims to be of the future would be the youngest for ever."""
    backup(catalogue, 2 * DAY)
    backup(catalogue, -2 * HOUR)
    assert kinds(check(catalogue)) == {"damaged": 1, "too_old": 26}


def test_ages_are_by_the_clock_of_the_store(
    catalogue: Catalogue, dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever that of this machine or of DLI shows."""
    backup(catalogue, 2 * HOUR)
    real = dli_emulator.state.clock
    monkeypatch.setattr(dli_emulator.state, "clock", lambda: real() + 600)
    assert kinds(check(catalogue, max_age=2 * HOUR + timedelta(minutes=5))) == {}
    assert kinds(check(catalogue, max_age=timedelta(minutes=119))) == {"too_old": 26}


def test_a_message_names_twenty_and_counts_the_rest() -> None:
    """Those of more weight first; without advice for a kind that needs none."""
    problems = [Problem(kind="too_old", job_id=number, name="x", message="old") for number in range(1, 5000)]
    problems.append(Problem(kind="damaged", backup_id="b", message="gone"))
    coverage = result(NIGHT).model_copy(update={"problems": tuple(problems)})
    with pytest.raises(DliFailException, match="5,000 problems") as caught:
        raise_for_problems([Check("dli_default", coverage)])
    message = str(caught.value)
    assert message.count(": old") == 19
    assert "backup b: gone | " in message
    assert " | and 4,980 more." in message
    assert len(message) < 3000
    assert set(KINDS) >= {problem.kind for problem in problems}


def test_the_page_has_every_kind() -> None:
    """As the code has it."""
    page = Path(__file__).parents[2].joinpath("docs", "operators", "coverage.md").read_text(encoding="utf-8")
    for kind, meaning in KINDS.items():
        assert f"| `{kind}` | {meaning} |\n" in page
    assert [kind for kind in KINDS if kind not in REMEDIES] == ["not_checked"]


@pytest.mark.slow
def test_five_thousand_jobs(catalogue: Catalogue, dli_emulator: Emulator) -> None:
    """A request for a hundred jobs; of the lists of jobs in backups, that of the newest alone."""
    for number in range(5000 - 26):
        dli_emulator.state.add_job(name=f"job-{number}")
    live = digests()
    backup(catalogue, 2 * DAY, [100])
    backup(catalogue, HOUR, live, with_settings=False)
    before = len(dli_emulator.requests)
    pushed = check(catalogue)
    assert kinds(pushed) == {}
    assert pushed["return_value"][0]["covered"] == 5000
    assert len(dli_emulator.requests) - before == 51
