"""Restore drills: every job has its turn, what differs is found, and nothing stays in the scratch project."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from math import ceil
from typing import Any

import pytest

from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.manifest import MANIFEST, SETTINGS, JobSettings
from airflow_provider_dli.backups.rotation import choose
from airflow_provider_dli.backups.state import Backup
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.operators.dli import DliDrillBackupsOperator
from dli_emulator import Emulator
from tests.airflow.stores import TaskInstance
from tests.backups.made import PROJECT, catalogue_of
from tests.backups.real import back_up
from tests.backups.test_catalogue import DAY, NIGHT, again
from tests.services.two_projects import create_as_somebody_else, scratch_jobs, scratch_of, two_projects

BATCHES = ((100, 101), (102, 103), (104, 105))


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return the emulator with two projects, each with a connection."""
    return two_projects(dli_emulator, monkeypatch)


@pytest.fixture
def catalogue(emulator: Emulator) -> Catalogue:
    """Return an empty catalogue in the emulator's bucket."""
    return catalogue_of(emulator)


def run_of(run_id: str = "first") -> TaskInstance:
    """Return the task instance of a run; an attempt of the same run has an equal one."""
    instance = TaskInstance()
    vars(instance).update(dag_id="drill", run_id=run_id, task_id="drill", map_index=-1)
    return instance


def drill(catalogue: Catalogue, instance: TaskInstance | None = None, **parameters: Any) -> dict[str, Any]:
    """Run the task; return its summary."""
    given = {"backup_dir": str(catalogue.root), "scratch_conn_id": "dli_scratch", **parameters}
    operator = DliDrillBackupsOperator(task_id="drill", **given)
    return operator.execute((instance or run_of()).context)


def drills_of(catalogue: Catalogue, backup: Backup) -> list[tuple[str, dict[str, Any]]]:
    """Return outcome and content of each record of a drill."""
    now = again(catalogue, backup)
    assert not now.of_kind("reading")
    return [(each.outcome, catalogue.read_record(now, each)) for each in now.of_kind("drill")]


@pytest.mark.parametrize("with_settings", [True, False])
def test_all_jobs_are_restored_compared_and_deleted(
    emulator: Emulator, catalogue: Catalogue, with_settings: bool
) -> None:
    """With the settings that the backup has kept, or else their digests; the record has each job."""
    emulator.state.settings.fills_in_settings = True
    made = back_up(catalogue, NIGHT, with_settings=with_settings)
    instance = run_of()
    summary = drill(catalogue, instance, report_dir=f"{catalogue.root}/reports")
    assert summary["drilled"] == sorted(emulator.state.jobs)
    assert (summary["failed"], summary["remaining"], summary["backup"]) == ([], 0, str(made.place))
    assert summary["seconds"] > 0
    assert instance.pushed["return_value"] == summary
    assert instance.pushed["report_file"].startswith(f"{catalogue.root}/reports/drill-report-")
    assert scratch_jobs(emulator) == {}
    ((outcome, record),) = drills_of(catalogue, made)
    assert outcome == "passed"
    assert record["jobs"] == [{"job_id": each, "equal": True, "problem": None} for each in summary["drilled"]]
    assert record["scratch_project"] == scratch_of(emulator).project_id
    assert record["run"] == {"dag_id": "drill", "run_id": "first", "task_id": "drill", "map_index": -1}


def test_every_job_has_its_turn(emulator: Emulator, catalogue: Catalogue) -> None:
    """In as many drills as the sample needs, and again in the same order, from whichever backup is the newest."""
    back_up(catalogue, NIGHT, batches=BATCHES)
    drilled: list[int] = []
    for night in range(3):
        summary = drill(catalogue, run_of(f"run {night}"), sample=2)
        assert summary["remaining"] == 6 - len(summary["drilled"]) * (night + 1)
        drilled += summary["drilled"]
        time.sleep(1)  # records have whole seconds
        if night == 1:
            back_up(catalogue, NIGHT + DAY, batches=BATCHES)
    assert sorted(drilled) == sorted(job for batch in BATCHES for job in batch)
    assert drill(catalogue, run_of("run 3"), sample=2)["drilled"] == drilled[:2]
    assert scratch_jobs(emulator) == {}


@pytest.mark.parametrize(("jobs", "batch", "sample"), [(100, 10, 10), (97, 10, 25), (60, 7, 1), (5, 10, 3)])
def test_the_rotation_covers_all_jobs(jobs: int, batch: int, sample: int) -> None:
    """In ceil(jobs / sample) drills at most, whatever the archives are; an attempt of a run chooses the same."""
    archives = {f"{start}.zip": range(start, min(start + batch, jobs)) for start in range(0, jobs, batch)}
    drilled: dict[int, Any] = {}
    orders = set()
    for number in range(ceil(jobs / sample)):
        chosen = choose(archives, drilled, sample, f"run {number}")
        assert chosen == choose(archives, drilled, sample, f"run {number}")
        orders.add(tuple(chosen))
        drilled |= {job: NIGHT + number * DAY for ids in chosen.values() for job in ids}
    assert set(drilled) == set(range(jobs))
    first = {next(iter(choose(archives, {}, sample, f"run {number}"))) for number in range(20)}
    assert len(first) > 1 or len(archives) == 1


def test_a_job_that_differs_fails_the_drill(emulator: Emulator, catalogue: Catalogue) -> None:
    """Its setting is named, and values only where they hold no secret; the others are drilled all the same."""
    made = back_up(catalogue, NIGHT, batches=BATCHES)
    kept = list(catalogue.settings(made))
    secret = "password in the SQL"
    kept[0].detail["job_config"]["parallel_number"] = 7
    kept[1] = JobSettings(job_id=kept[1].job_id, detail={**kept[1].detail, "sql_body": secret})
    content = catalogue.write_content(made.place, SETTINGS, kept)
    data = catalogue.obs.read(made.place.below(MANIFEST), 1 << 20)
    assert data
    document = {**json.loads(data), "settings": content.model_dump()}
    catalogue.obs.put(made.place.below(MANIFEST), json.dumps(document).encode(), "application/json")
    instance = run_of()
    with pytest.raises(DliFailException, match=r"2 of 6 jobs could not be restored .* is 1 and was 7") as caught:
        drill(catalogue, instance)
    summary = instance.pushed["return_value"]
    assert [each["job_id"] for each in summary["failed"]] == [100, 101]
    assert summary["drilled"] == [102, 103, 104, 105]
    assert "sql_body is " in summary["failed"][1]["problem"]
    records = drills_of(catalogue, made)
    assert sorted(outcome for outcome, _ in records) == ["failed", "passed", "passed"]
    assert secret not in str(caught.value) + str(summary) + str(records)
    assert scratch_jobs(emulator) == {}
    with pytest.raises(DliFailException, match="2 of 2 jobs"):
        drill(catalogue, run_of("next"), sample=1)


def test_a_job_that_was_changed_meanwhile_proves_nothing(emulator: Emulator, catalogue: Catalogue) -> None:
    """Its archive and its kept settings may be of two moments: it is neither equal nor a failure."""
    back_up(catalogue, NIGHT, batches=BATCHES[:1], changed=[100])
    emulator.fault("ImportFlinkJobs", "import_alters", job=100)
    summary = drill(catalogue)
    assert (summary["drilled"], summary["failed"], summary["remaining"]) == ([101], [], 1)
    assert scratch_jobs(emulator) == {}


def test_a_damaged_archive_fails_the_drill(emulator: Emulator, catalogue: Catalogue) -> None:
    """Nothing is imported from it."""
    made = back_up(catalogue, NIGHT, batches=BATCHES[:1])
    assert made.manifest
    (archive,) = made.manifest.archives
    data = catalogue.obs.read(made.archive(archive), 1 << 20)
    assert data
    catalogue.obs.put(made.archive(archive), data[:-1] + b"x", "application/zip")
    facts = catalogue.obs.find(made.archive(archive))
    manifest = catalogue.obs.read(made.place.below(MANIFEST), 1 << 20)
    assert facts
    assert manifest
    changed = manifest.replace(archive.etag.encode(), facts.etag.encode())
    catalogue.obs.put(made.place.below(MANIFEST), changed, "application/json")
    with pytest.raises(DliFailException, match=r"job 100 .*: its archive is "):
        drill(catalogue)
    assert [outcome for outcome, _ in drills_of(catalogue, made)] == ["failed"]
    assert not any(each.operation == "ImportFlinkJobs" for each in emulator.requests)


def test_a_job_that_is_not_restored_fails_the_drill(emulator: Emulator, catalogue: Catalogue) -> None:
    """Also where DLI reports that it was imported."""
    made = back_up(catalogue, NIGHT, batches=BATCHES[:1])
    emulator.fault("ImportFlinkJobs", "import_drops", job=101, claims=True)
    with pytest.raises(DliFailException, match=r"job 101 .*: not restored"):
        drill(catalogue)
    ((outcome, record),) = drills_of(catalogue, made)
    assert (outcome, [each["equal"] for each in record["jobs"]]) == ("failed", [True, False])
    assert scratch_jobs(emulator) == {}


def test_a_drill_that_cannot_be_run_is_not_recorded(emulator: Emulator, catalogue: Catalogue) -> None:
    """A job of the same name in the scratch project, which stays; an outage during the import, or after it."""
    made = back_up(catalogue, NIGHT, batches=BATCHES[:1])
    name = emulator.state.jobs[100].name
    theirs = create_as_somebody_else(emulator, name)
    with pytest.raises(DliFailException, match=f"scratch_conn_id: project .* already: {name}"):
        drill(catalogue)
    assert set(scratch_jobs(emulator)) == {theirs}
    del scratch_jobs(emulator)[theirs]
    emulator.fault("ImportFlinkJobs", "throttled")
    with pytest.raises(DliException) as caught:
        drill(catalogue)
    assert not isinstance(caught.value, DliFailException)
    # The list before the import, in it, and after it; then the one with the settings.
    emulator.fault("ListFlinkJobs", "slow", times=3)
    emulator.fault("ListFlinkJobs", "error", status=503, code="x", message="x")
    with pytest.raises(DliException, match="503") as caught:
        drill(catalogue)
    assert scratch_jobs(emulator) == {}
    assert drills_of(catalogue, made) == []
    assert drill(catalogue)["drilled"] == [100, 101]


def test_a_job_that_somebody_creates_meanwhile_stays(emulator: Emulator, catalogue: Catalogue) -> None:
    """DLI does not import the one of its name, and the drill deletes what it has created itself, and no more."""
    made = back_up(catalogue, NIGHT, batches=BATCHES[:1])
    name = emulator.state.jobs[100].name
    emulator.fault("ImportFlinkJobs", "slow", before=2)

    def create() -> int:
        deadline = time.monotonic() + 30
        while not any(request.operation == "ImportFlinkJobs" for request in emulator.requests):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return create_as_somebody_else(emulator, name)

    # Airflow 2.11 executes a task in the main thread only.
    with ThreadPoolExecutor(1) as pool:
        created = pool.submit(create)
        with pytest.raises(DliFailException, match=f"of the same names already: {name}.* dli:jobs:listAll"):
            drill(catalogue)
    theirs = [created.result()]
    assert set(scratch_jobs(emulator)) == set(theirs)
    assert drills_of(catalogue, made) == []


def test_what_a_drill_may_have_created_under_another_name(
    emulator: Emulator, catalogue: Catalogue, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a lost response it is named, and not deleted; with a response it is deleted like the others."""
    made = back_up(
        catalogue,
        NIGHT,
        batches=BATCHES[:1],
        absent=[101],
        meanwhile=lambda: setattr(emulator.state.jobs[100], "name", "renamed"),
    )
    with pytest.raises(DliFailException, match=r"job 100 .*: name is 'renamed' and was"):
        drill(catalogue)
    assert scratch_jobs(emulator) == {}
    emulator.fault("ImportFlinkJobs", "cut_after")
    instance = run_of("next")
    with pytest.raises(DliFailException, match=r"job 100 .*: not restored"):
        drill(catalogue, instance)
    left = {job_id: job.name for job_id, job in scratch_jobs(emulator).items()}
    log = caplog.text + capsys.readouterr().out
    for job_id, name in left.items():
        assert f"{job_id} {name}" in log
    assert "renamed" in left.values()
    assert "and not deleted: " in log
    # A job that is in no archive never counts as drilled, and is named.
    assert instance.pushed["return_value"]["remaining"] == len(list(catalogue.listed_jobs(made)))
    assert f"so no drill restores them: 101 {emulator.state.jobs[101].name}" in log
    with pytest.raises(DliFailException, match=r"already: .*; the archive may have other names"):
        drill(catalogue, run_of("third"))


@pytest.mark.slow
def test_a_task_that_was_killed_leaves_nothing_for_good(emulator: Emulator, catalogue: Catalogue) -> None:
    """The next attempt deletes what the import has created, and no job that was there before; then it drills."""
    made = back_up(catalogue, NIGHT, batches=BATCHES[:1])
    theirs = create_as_somebody_else(emulator)
    emulator.fault("ListFlinkJobs", "slow", times=3)
    emulator.fault("ListFlinkJobs", "slow", before=60)
    code = (
        "from types import SimpleNamespace;"
        "from airflow_provider_dli.operators.dli import DliDrillBackupsOperator as Drill;"
        "ti = SimpleNamespace(dag_id='drill', run_id='first', task_id='drill', map_index=-1,"
        " xcom_push=lambda **_: None);"
        f"Drill(task_id='drill', backup_dir='{catalogue.root}', scratch_conn_id='dli_scratch',"
        f" staging_dir='{emulator.bucket}/staging').execute({{'ti': ti}})"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        deadline = time.monotonic() + 60
        while len(scratch_jobs(emulator)) < 3:
            assert time.monotonic() < deadline
            assert child.poll() is None
            time.sleep(0.1)
        child.kill()
    emulator.faults.clear()
    assert again(catalogue, made).is_read(catalogue.now())
    summary = drill(catalogue, staging_dir=f"{emulator.bucket}/staging")
    assert summary["drilled"] == [100, 101]
    assert set(scratch_jobs(emulator)) == {theirs}
    assert [outcome for outcome, _ in drills_of(catalogue, made)] == ["passed"]
    assert catalogue.obs.list_keys(ObsLocation(emulator.bucket, "staging")) == []


def test_an_attempt_drills_what_is_left_of_the_sample(emulator: Emulator, catalogue: Catalogue) -> None:
    """After an outage in the second of three archives; another run has a sample of its own."""
    made = back_up(catalogue, NIGHT, batches=BATCHES)
    emulator.fault("ImportFlinkJobs", "slow")
    emulator.fault("ImportFlinkJobs", "throttled")
    with pytest.raises(DliException):
        drill(catalogue, sample=4)
    assert len(drills_of(catalogue, made)) == 1
    assert len(drill(catalogue, sample=4)["drilled"]) == 2
    assert len(drills_of(catalogue, made)) == 2
    assert drill(catalogue, sample=4)["drilled"] == []


def test_the_project_of_the_backup_is_refused_as_scratch_project(emulator: Emulator, catalogue: Catalogue) -> None:
    """Nor is there a drill without a usable backup."""
    with pytest.raises(DliFailException, match=r"backup_dir: .* no usable backup of project 48cc"):
        drill(catalogue)
    back_up(catalogue, NIGHT, batches=BATCHES[:1])
    for given in ({"scratch_conn_id": "dli_default"}, {"project_id": scratch_of(emulator).project_id}):
        with pytest.raises(DliFailException, match=r"scratch_conn_id: .* is a connection of project"):
            drill(catalogue, **given)
    assert drill(catalogue, project_id=PROJECT)["drilled"] == [100, 101]


def test_limits_of_time_and_pace(
    catalogue: Catalogue, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """No other archive is begun after the time limit; a sample that is too small for the window is warned of."""
    made = back_up(catalogue, NIGHT, batches=BATCHES)
    long_ago = catalogue.now() - timedelta(days=40)
    catalogue.record(made, "drill", {"jobs": [{"job_id": 100, "equal": True}]}, "passed", at=long_ago)
    assert drill(catalogue, run_of("b"), sample=2)["remaining"] == 3
    assert "give sample=3, or drill more often" in caplog.text + capsys.readouterr().out
    assert len(drill(catalogue, run_of("a"), time_limit=0.001)["drilled"]) == 2


def test_records_that_somebody_else_wrote_do_no_harm(catalogue: Catalogue) -> None:
    """Whatever is in them."""
    made = back_up(catalogue, NIGHT, batches=BATCHES[:1])
    run = {"dag_id": "drill", "run_id": "first", "task_id": "drill", "map_index": -1}
    for content in ({"jobs": 5}, {"jobs": [1, {"job_id": "x"}, {"job_id": True, "equal": 1}], "run": run}):
        catalogue.record(made, "drill", content, "passed")
    catalogue.record(made, "reading", {"drill": run, "before": "x"})
    summary = drill(catalogue)
    assert (summary["drilled"], summary["remaining"]) == ([100, 101], 0)
    assert not again(catalogue, made).of_kind("reading")
