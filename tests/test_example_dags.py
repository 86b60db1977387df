"""The example DAGs, whole, in real Airflow against the emulator."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dli_emulator import Emulator
from tests.backups.made import catalogue_of, make_backup
from tests.backups.real import back_up
from tests.connections import connected
from tests.dag_runs import DagRunner, Scratch, exported


def test_nightly(run_dag: DagRunner, dli_emulator: Any) -> None:
    """All jobs are exported into a directory of the run's own, and the archive is verified."""
    run = run_dag("dli_export_flink_jobs")
    assert run.states == {"export": "success", "verify": "success"}, run.log
    (archive,) = run.xcoms["export", "return_value"]
    assert run.xcoms["export", "zip_file"] == [archive]
    assert archive.startswith(f"{dli_emulator.bucket}/flink/")
    (report,) = run.xcoms["verify", "return_value"]
    assert (report["zip_file"], report["verified"], report["entries"]) == (archive, True, 26)


def test_backup(run_dag: DagRunner, dli_emulator: Any) -> None:
    """All jobs are in a verified backup, whose manifest names the task that made it; an old one is deleted."""
    with connected({"dli_default": dli_emulator.connection()}):
        old = make_backup(catalogue_of(dli_emulator), datetime(2026, 3, 1, tzinfo=UTC))
    rules = {"keep_daily": 1, "keep_weekly": 0, "keep_monthly": 0}
    run = run_dag("dli_back_up_flink_jobs", rules)
    assert set(run.states.values()) == {"success"}, run.log
    summary = run.xcoms["backup", "return_value"]
    assert (summary["jobs"], summary["archives"]) == (26, 1)
    place = summary["place"].removeprefix(f"{dli_emulator.bucket}/")
    manifest = json.load(
        dli_emulator.s3.get_object(Bucket=dli_emulator.bucket, Key=f"{place}/manifest.json")["Body"]
    )
    assert manifest["run"] == {
        "dag_id": "dli_back_up_flink_jobs", "run_id": run.run_id, "task_id": "backup", "map_index": -1,
    }  # fmt: skip
    assert manifest["verification"]["passed"]
    assert [each["backup_id"] for each in run.xcoms["expire", "deleted"]] == [old.backup_id]
    assert run.xcoms["expire", "return_value"]["kept"] == 1
    assert run.xcoms["backup", "zip_file"] == [f"{summary['place']}/{manifest['archives'][0]['name']}"]


def test_selected(run_dag: DagRunner) -> None:
    """The jobs named in the form are exported, and no others."""
    run = run_dag("dli_export_selected_flink_jobs", {"job_selected": "100, 101"})
    assert run.states == {"export": "success", "verify": "success"}, run.log
    assert run.xcoms["verify", "return_value"][0]["entries"] == 2


def test_a_damaged_archive_fails_the_task(run_dag: DagRunner, dli_emulator: Any) -> None:
    """Fails without a retry, with the archive and the defect in the log."""
    dli_emulator.fault("ExportFlinkJobs", "archive_flipped")
    run = run_dag("dli_export_flink_jobs")
    assert run.states == {"export": "success", "verify": "failed"}, run.log
    assert "1 of 1 archive failed verification: obs://" in run.log
    assert "Keep the archive as evidence and export again." in run.log
    assert not run.xcoms["verify", "return_value"][0]["verified"]


def test_a_wrong_connection_fails_the_task(run_dag: DagRunner, dli_emulator: Any) -> None:
    """The field is named in the log, no retry is spent, and nothing was sent."""
    connection = json.loads(dli_emulator.airflow_conn)
    connection["extra"] = {"project_id": dli_emulator.project_id}
    run = run_dag("dli_export_flink_jobs", AIRFLOW_CONN_DLI_DEFAULT=json.dumps(connection))
    assert run.states == {"export": "failed", "verify": "upstream_failed"}, run.log
    assert "connection 'dli_default': region: is missing" in run.log
    assert len(dli_emulator.requests) == 0


def test_changed(run_dag: DagRunner, dli_emulator: Any) -> None:
    """The jobs that no backup has as they are, in batches of twenty; without any the run is skipped."""
    run = run_dag("dli_back_up_changed_flink_jobs")
    assert run.states == {"backup": "success"}, run.log
    made = run.xcoms["backup", "return_value"]
    assert (made["jobs"], made["archives"]) == (26, 2)
    assert "Batch 2 of 2: 6 jobs -> " in run.log
    run = run_dag("dli_back_up_changed_flink_jobs")
    assert run.states == {"backup": "skipped"}, run.log
    assert "26 selected Flink jobs are unchanged since the last backup: 26 of 20" in run.log
    dli_emulator.state.jobs[100].sql_body = "SELECT 2"
    run = run_dag("dli_back_up_changed_flink_jobs")
    assert run.states == {"backup": "success"}, run.log
    assert run.xcoms["backup", "return_value"]["jobs"] == 1


def test_drill_of_backups(run_dag: DagRunner, scratch: Scratch, dli_emulator: Any) -> None:
    """A sample of the newest backup is restored, compared, deleted and recorded, by a real task instance."""
    with connected({"dli_default": dli_emulator.airflow_conn}):
        catalogue = catalogue_of(dli_emulator)
        made = back_up(catalogue, datetime(2026, 1, 1, tzinfo=UTC), batches=[[100, 101], [102, 103]])
    run = run_dag("dli_drill_flink_backups", {"sample": 1}, AIRFLOW_CONN_DLI_SCRATCH=scratch.connection)
    assert run.states == {"drill": "success"}, run.log
    summary = run.xcoms["drill", "return_value"]
    assert (len(summary["drilled"]), summary["remaining"], scratch.jobs) == (2, 2, {})
    now = catalogue.backup(made.project_id, made.backup_id)
    assert now
    assert [(each.kind, each.outcome) for each in now.records] == [("drill", "passed")]
    assert catalogue.read_record(now, now.records[0])["run"] == {
        "dag_id": "dli_drill_flink_backups",
        "run_id": run.run_id,
        "task_id": "drill",
        "map_index": -1,
    }


def test_verification_of_backups(run_dag: DagRunner, dli_emulator: Any) -> None:
    """An old backup is read again, and has a record of it."""
    with connected({"dli_default": dli_emulator.airflow_conn}):
        catalogue = catalogue_of(dli_emulator)
        made = back_up(catalogue, datetime(2026, 1, 1, tzinfo=UTC), batches=[[100, 101]])
    run = run_dag("dli_verify_flink_backups")
    assert run.states == {"verify_backups": "success"}, run.log
    summary = run.xcoms["verify_backups", "return_value"]
    assert (summary["verified"], summary["remaining"]) == ([made.place.url], 0)
    now = catalogue.backup(made.project_id, made.backup_id)
    assert now
    assert [(each.kind, each.outcome) for each in now.records] == [("verification", "passed")]


def test_restart(run_dag: DagRunner, dli_emulator: Any) -> None:
    """Jobs are saved, stopped and resumed, each time from a new savepoint, since the last one is deleted."""
    dli_emulator.state.settings.deletes_savepoints = True
    for times in (1, 2):
        run = run_dag("dli_restart_flink_jobs", {"job_ids": "103"})
        assert set(run.states.values()) == {"success"}, run.log
        job = dli_emulator.state.job(103)
        assert (job.status, job.runs, job.stops, job.resumed) == ("job_running", times, times, True)
        assert job.savepoint_path is None
        (saved,) = run.xcoms["save", "jobs"]
        assert saved["savepoint_path"] == f"{dli_emulator.bucket}/savepoints/"


def test_restore(run_dag: DagRunner, dli_emulator: Any) -> None:
    """Succeeds after an accident; fails, with the jobs listed, where they still exist."""
    archive = exported(dli_emulator, "flink")
    before = {job.name: job.detail() for job in dli_emulator.state.jobs.values()}
    run = run_dag("dli_restore_flink_jobs", {"zip_file": archive})
    assert run.states == {"backup": "success", "restore": "failed"}, run.log
    assert "26 of 26 jobs not imported, because jobs of their names exist" in run.log
    dli_emulator.state.jobs.clear()
    run = run_dag("dli_restore_flink_jobs", {"zip_file": archive})
    assert run.states == {"backup": "success", "restore": "success"}, run.log
    after = {job.name: job.detail() for job in dli_emulator.state.jobs.values()}
    assert {name: job["sql_body"] for name, job in after.items()} == {
        name: job["sql_body"] for name, job in before.items()
    }


def test_restore_by_the_form(run_dag: DagRunner, scratch: Scratch, dli_emulator: Any) -> None:
    """Another project, a plan, jobs replaced: all of it from the form's fields."""
    archive = exported(dli_emulator, "flink")
    form = {"zip_file": archive, "dli_conn_id": "dli_scratch"}
    other = {"AIRFLOW_CONN_DLI_SCRATCH": scratch.connection}
    run = run_dag("dli_restore_flink_jobs", {**form, "plan_only": True}, **other)
    assert run.states == {"backup": "success", "restore": "success"}, run.log
    assert "Plan only: nothing is imported." in run.log
    assert scratch.jobs == {}
    dli_emulator.state.add_job(in_project=scratch.project_id, name=dli_emulator.state.job(100).name)
    run = run_dag("dli_restore_flink_jobs", {**form, "is_cover": True}, **other)
    assert run.states == {"backup": "success", "restore": "success"}, run.log
    assert len(scratch.jobs) == 26


def test_restore_of_the_last_backup(run_dag: DagRunner, dli_emulator: Any) -> None:
    """Nothing is named: the last verified one; by the run id: that one; where there is none, a reason."""
    unknown = run_dag("dli_restore_flink_jobs", {"backup_run_id": "no such run"})
    assert unknown.states == {"backup": "failed", "restore": "upstream_failed"}, unknown.log
    assert "this Airflow knows no verified backup of run 'no such run'; name an archive" in unknown.log
    jobs = dict(dli_emulator.state.jobs)
    first = run_dag("dli_export_flink_jobs", {"obs_dir": f"{dli_emulator.bucket}/first"})
    del dli_emulator.state.jobs[100]
    last = run_dag("dli_export_flink_jobs")
    dli_emulator.state.jobs.clear()
    run = run_dag("dli_restore_flink_jobs")
    assert run.states == {"backup": "success", "restore": "success"}, run.log
    (archive,) = last.xcoms["export", "return_value"]
    assert run.xcoms["backup", "return_value"] == archive.rpartition("/")[0]
    assert len(dli_emulator.state.jobs) == len(jobs) - 1
    run = run_dag("dli_restore_flink_jobs", {"backup_run_id": first.run_id, "on_conflict": "keep"})
    assert run.states == {"backup": "success", "restore": "success"}, run.log
    assert {job.name for job in dli_emulator.state.jobs.values()} == {job.name for job in jobs.values()}


def test_nightly_by_the_form(run_dag: DagRunner, dli_emulator: Any) -> None:
    """Another directory, and a quicker check."""
    run = run_dag("dli_export_flink_jobs", {"obs_dir": f"{dli_emulator.bucket}/by-hand", "level": "directory"})
    assert run.states == {"export": "success", "verify": "success"}, run.log
    (report,) = run.xcoms["verify", "return_value"]
    assert (report["level"], report["key"].split("/")[0]) == ("directory", "by-hand")


def test_projects(run_dag: DagRunner, scratch: Scratch, dli_emulator: Any) -> None:
    """A group of tasks for each project, each archive in a directory of its own."""
    dli_emulator.state.add_job(in_project=scratch.project_id, name="theirs")
    connections = ["dli_default", "dli_scratch", "dli_default"]
    run = run_dag("dli_export_projects", {"connections": connections}, AIRFLOW_CONN_DLI_SCRATCH=scratch.connection)
    assert set(run.states) == {"projects", "backup.export", "backup.verify"}
    assert set(run.states.values()) == {"success"}, run.log
    listed = dli_emulator.s3.list_objects_v2(Bucket=dli_emulator.bucket, Prefix="projects/")["Contents"]
    assert [found["Key"].split("/")[1] for found in listed] == ["dli_default", "dli_scratch"]


def test_verify(run_dag: DagRunner, dli_emulator: Any) -> None:
    """Succeeds for intact archives; a form without any is refused before the DAG runs."""
    archives = [exported(dli_emulator, directory) for directory in ("one", "two")]
    run = run_dag("dli_verify_archives", {"zip_file": archives})
    assert run.states == {"arrived": "success", "verify": "success"}, run.log
    assert sorted(report["zip_file"] for report in run.xcoms["verify", "return_value"]) == sorted(archives)
    refused = run_dag("dli_verify_archives", {"zip_file": []})
    assert "Invalid input for param zip_file" in refused.log


def test_drill(run_dag: DagRunner, scratch: Scratch, dli_emulator: Any) -> None:
    """Succeeds with 26 jobs of all types; the scratch project is empty again; the report lies in the bucket."""
    dli_emulator.state.settings.fills_in_settings = True
    run = run_dag("dli_restore_drill", AIRFLOW_CONN_DLI_SCRATCH=scratch.connection)
    assert set(run.states.values()) == {"success"}, run.log
    assert len(run.xcoms["compare", "return_value"]) == 26
    assert scratch.jobs == {}
    bucket, _, key = run.xcoms["compare", "report_file"].partition("/")
    report = dli_emulator.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    assert "All 26 jobs equal to the source." in report


@pytest.mark.parametrize(
    ("kind", "parameters", "reason"),
    [
        (
            "import_alters",
            {"job": 107, "field": "parallel_number", "value": 9},
            "job 107 cdc.customers_07: job_config.parallel_number is 9 and was 1",
        ),
        (
            "import_drops",
            {"job": 107, "claims": True},
            "DLI reports as imported what the project does not have: 107 as ",
        ),
    ],
)
def test_a_drill_that_fails(
    run_dag: DagRunner,
    scratch: Scratch,
    dli_emulator: Any,
    kind: str,
    parameters: dict[str, Any],
    reason: str,
) -> None:
    """Fails, naming job and field, and clears up all the same: only what it created."""
    mine = dli_emulator.state.add_job(in_project=scratch.project_id, name="somebody's own").job_id
    dli_emulator.fault("ImportFlinkJobs", kind, **parameters)
    run = run_dag("dli_restore_drill", AIRFLOW_CONN_DLI_SCRATCH=scratch.connection)
    expected = ("success", "failed") if kind == "import_alters" else ("failed", "upstream_failed")
    assert (run.states["restore"], run.states["compare"], run.states["clear_up"]) == (*expected, "success"), (
        run.log
    )
    assert reason in run.log
    assert list(scratch.jobs) == [mine]


def test_promote(run_dag: DagRunner, scratch: Scratch, dli_emulator: Any) -> None:
    """One job is created, one that runs in production is stopped, changed and run on; then neither is touched."""
    emulator = dli_emulator.state
    emulator.settings.deletes_savepoints = emulator.settings.fills_in_settings = True
    given = {"in_project": scratch.project_id, "queue_name": "flink_test"}
    new = emulator.add_job(name="new", sql_body="insert into a select * from 'kafka-test:9092'", **given).job_id
    known = emulator.add_job(
        name="known", sql_body="insert into b select * from 'kafka-test:9092'", **given
    ).job_id
    there = emulator.add_job(name="known", sql_body="old", queue_name="flink_prod", status="job_running").job_id
    conf = {
        "job_ids": f"{new}, {known}",
        "queues": {"flink_test": "flink_prod"},
        "replacements": {"kafka-test:9092": "kafka-prod:9092"},
    }
    run = run_dag("dli_promote_flink_jobs", conf, AIRFLOW_CONN_DLI_TEST=scratch.connection)
    assert set(run.states.values()) == {"success"}, run.log
    actions = {each["name"]: each["action"] for each in run.xcoms["promote", "return_value"]}
    assert actions == {"new": "create", "known": "update"}
    job = emulator.job(there)
    assert (job.sql_body, job.status) == ("insert into b select * from 'kafka-prod:9092'", "job_running")
    assert (job.stops, job.runs, job.resumed) == (1, 1, True)
    run = run_dag("dli_promote_flink_jobs", conf, AIRFLOW_CONN_DLI_TEST=scratch.connection)
    assert set(run.states.values()) == {"success"}, run.log
    assert [each["action"] for each in run.xcoms["promote", "return_value"]] == ["unchanged"] * 2
    assert (emulator.job(there).stops, emulator.job(there).runs) == (1, 1)


def test_coverage(run_dag: DagRunner, dli_emulator: Emulator) -> None:
    """It fails while there is no backup, and names the jobs; its XComs are there, and nothing is retried."""
    run = run_dag("dli_check_flink_backups")
    assert run.states == {"check": "failed"}, run.log
    assert "0 of 26 jobs covered; 27 problems (1 no_backups, 26 no_backup): project " in run.log
    (row,) = run.xcoms["check", "return_value"]
    assert (row["covered"], row["problems"]) == (0, {"no_backups": 1, "no_backup": 26})
    assert run.xcoms["check", "uncovered"] == {dli_emulator.project_id: sorted(dli_emulator.state.jobs)}


def commands_of(page: str) -> list[dict[str, Any]]:
    """Return the forms with which a guide restores from a catalogue, in the order of its commands."""
    text = Path(__file__).parents[1].joinpath("docs", "howto", page).read_text(encoding="utf-8")
    return [json.loads(conf) for conf in re.findall(r"dli_restore_flink_backup --conf '(.*?)'", text, re.DOTALL)]


def test_everything_is_lost(run_dag: DagRunner, scratch: Scratch, dli_emulator: Any) -> None:
    """By the commands of the guide: the plan, all jobs, another project, and the copy off site."""
    with connected({"dli_default": dli_emulator.connection()}):
        catalogue = catalogue_of(dli_emulator)
        made = back_up(catalogue, datetime(2026, 11, 25, tzinfo=UTC), batches=[list(range(100, 120)), [120, 121]])
    wanted = {dli_emulator.state.jobs[job_id].name for job_id in range(100, 122)}
    dli_emulator.state.jobs.clear()
    plan, everything, elsewhere, copy = commands_of("disaster.md")
    assert plan == {"backup_dir": "my-bucket/flink-backups"}
    place = {"backup_dir": str(catalogue.root)}
    run = run_dag("dli_restore_flink_backup", {**plan, **place})
    assert run.states == {"restore": "success"}, run.log
    line = (
        f"Backup {made.place.url} of project {dli_emulator.project_id} has 22 jobs. It was exported at 2026-11-25"
    )
    assert line in run.log
    assert f"The plan for project {dli_emulator.project_id} imports 2 archives: create: 22." in run.log
    assert dli_emulator.state.jobs == {}
    run = run_dag("dli_restore_flink_backup", {**everything, **place})
    assert run.states == {"restore": "success"}, run.log
    assert "The project has 22 of 22 selected jobs as in the backup; the task created 22 of them." in run.log
    assert {job.name for job in dli_emulator.state.jobs.values()} == wanted
    theirs = {
        "AIRFLOW_CONN_DLI_DEFAULT": scratch.connection,
        "AIRFLOW_CONN_DLI_OFFSITE": dli_emulator.connection(),
    }
    run = run_dag("dli_restore_flink_backup", {**elsewhere, **place, "project_id": None}, **theirs)
    assert run.states == {"restore": "failed"}, run.log
    assert f"it has directories of {elsewhere['project_id']}. Give project_id" in run.log
    staging = {"staging_dir": f"{dli_emulator.bucket}/staging"}
    run = run_dag("dli_restore_flink_backup", {**copy, **place, **staging}, **theirs)
    assert run.states == {"restore": "success"}, run.log
    assert {job.name for job in scratch.jobs.values()} == wanted


def test_restore_to_a_point_in_time_by_the_form(run_dag: DagRunner, dli_emulator: Any) -> None:
    """As the form sends it if nobody fills it in: with nulls; then some jobs of a time."""
    with connected({"dli_default": dli_emulator.connection()}):
        catalogue = catalogue_of(dli_emulator)
        made = [
            back_up(catalogue, datetime(2026, 11, day, 2, tzinfo=UTC), batches=[[100, 103]]) for day in (24, 25)
        ]
    name = dli_emulator.state.jobs.pop(100).name
    empty = dict.fromkeys(("backup_dir", "as_of", "job_names", "project_id", "source_conn_id", "staging_dir"))
    run = run_dag("dli_restore_flink_backup", empty)
    assert run.states == {"restore": "success"}, run.log
    assert run.xcoms["restore", "backup_id"] == made[1].backup_id
    assert "Plan only: nothing is restored." in run.log
    assert [each["action"] for each in run.xcoms["restore", "return_value"]] == ["create", "none"]
    (shown, done) = commands_of("restore.md")
    assert done == {**shown, "plan_only": False}
    form = {**empty, **done, "as_of": "2026-11-24T02:00:00+00:00", "job_names": f"{name}, no such"}
    run = run_dag("dli_restore_flink_backup", form)
    assert run.states == {"restore": "failed"}, run.log
    assert "job_names: the backup has no job named no such" in run.log
    run = run_dag("dli_restore_flink_backup", {**form, "job_names": name})
    assert run.states == {"restore": "success"}, run.log
    assert run.xcoms["restore", "backup_id"] == made[0].backup_id
    assert name in {job.name for job in dli_emulator.state.jobs.values()}
