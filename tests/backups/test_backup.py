"""Backups by the operator, in a real store: what is written, what fails, and what later attempts continue."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from airflow_provider_dli.backups import backup
from airflow_provider_dli.backups.backup import BackupOutcome
from airflow_provider_dli.backups.manifest import RecordKind
from airflow_provider_dli.backups.state import Backup, State
from airflow_provider_dli.client.flink.settings import settings_digest
from airflow_provider_dli.compat import AirflowFailException, AirflowSkipException
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.operators.dli import DliBackupFlinkJobsOperator
from dli_emulator import Emulator
from tests.airflow.stores import TaskInstance
from tests.backups.made import catalogue_of, rot
from tests.backups.page import PAGE, written
from tests.hostile import HOSTILE
from tests.zipped import zipped


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return an emulator with six jobs, and a connection to it."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0, read_timeout=60))
    for job_id in [job_id for job_id in dli_emulator.state.jobs if job_id > 105]:
        del dli_emulator.state.jobs[job_id]
    return dli_emulator


def operator(emulator: Emulator, **parameters: Any) -> DliBackupFlinkJobsOperator:
    """Return an operator that makes three archives of six jobs, one after the other: each meets a known fault."""
    given = {"backup_dir": f"{emulator.bucket}/flink-backups", "batch_size": 2, "max_concurrency": 1}
    waits = {"reconcile_timeout": 0.3, "timeout": 0.3, "poll_interval": 0.1}
    return DliBackupFlinkJobsOperator(task_id="backup", **{**given, **waits, **parameters})


def back_up(emulator: Emulator, instance: TaskInstance | None = None, **parameters: Any) -> Any:
    """Run one attempt of a task."""
    return operator(emulator, **parameters).execute((instance or TaskInstance()).context)


def backups(emulator: Emulator) -> list[Backup]:
    """Return what is in the catalogue, as another reader sees it."""
    return catalogue_of(emulator).backups()


def only(emulator: Emulator) -> Backup:
    """Return the one backup that there is."""
    (found,) = backups(emulator)
    return found


def requests(emulator: Emulator, name: str = "ExportFlinkJobs") -> int:
    return sum(request.operation == name for request in emulator.requests)


class Killed(BaseException):
    """The process ends here."""


class Steps:
    """Counts the calls of both hooks, and does something at one of them, before or after it."""

    def __init__(self, at: int = 0, act: Callable[[str], None] | None = None, *, after: bool = False) -> None:
        self.at, self.act, self.after = at, act, after
        self.names: list[str] = []

    def call(self, name: str, method: Callable[..., Any], *given: Any) -> Any:
        self.names.append(name)
        is_now = self.act is not None and len(self.names) == self.at
        if self.act and is_now and not self.after:
            self.act(name)
        result = method(*given)
        result = list(result) if name == "list_tree" else result
        if self.act and is_now and self.after:
            self.act(name)
        return result


def with_steps(emulator: Emulator, steps: Steps, instance: TaskInstance, **parameters: Any) -> BackupOutcome:
    """Run one attempt of the service with hooks whose calls are counted."""

    class Dli(DliHook):
        def run(self, call: Any) -> Any:
            return steps.call(call.operation, super().run, call)

    class Obs(ObsHook):
        def put(self, *given: Any) -> Any:
            return steps.call("put", super().put, *given)

        def read(self, *given: Any) -> Any:
            return steps.call("read", super().read, *given)

        def has_objects(self, directory: Any) -> Any:
            return steps.call("has_objects", super().has_objects, directory)

        def find(self, place: Any) -> Any:
            return steps.call("find", super().find, place)

        def list_tree(self, directory: Any) -> Any:
            return steps.call("list_tree", super().list_tree, directory)

        def list_directory(self, directory: Any) -> Any:
            return steps.call("list_directory", super().list_directory, directory)

    options, _, _ = backup.prepare(operator(emulator, **parameters))
    outcome = backup.back_up(options, Dli(), Obs(), instance.context, logging.getLogger("backup"))
    backup.raise_for_failures(outcome, options)
    outcome.end()
    return outcome


def at_export(act: Callable[[], object], *, after: bool = False, which: int = 1) -> Steps:
    """Return steps that act at an export request."""

    class Exports(Steps):
        def call(self, name: str, method: Callable[..., Any], *given: Any) -> Any:
            if name != "ExportFlinkJobs":
                return method(*given)
            return super().call(name, method, *given)

    def ignoring(name: str) -> None:
        del name
        act()

    return Exports(which, ignoring, after=after)


# Success.


def test_a_backup(emulator: Emulator) -> None:
    """Archives, jobs, settings and manifest are in the catalogue, and agree with the project."""
    instance = TaskInstance()
    instance.dag_id, instance.task_id, instance.run_id, instance.map_index = "d", "backup", "r", -1  # type: ignore[attr-defined]  # Airflow's
    before = datetime.now(UTC)
    summary = back_up(emulator, instance)
    found = only(emulator)
    assert (found.state, found.unnamed, found.last_verified) == (
        "verified",
        [],
        found.manifest and found.manifest.completed_at,
    )
    made = found.manifest
    assert made
    assert summary == {
        "backup_id": made.backup_id,
        "place": str(found.place),
        "project_id": emulator.project_id,
        "jobs": 6,
        "archives": 3,
        "bytes": made.size,
        "exported_at": made.exported_at.isoformat(),
    }
    assert (made.is_all_jobs, made.selection, made.not_included) == (True, "all jobs", ())
    assert made.run
    assert (made.run.dag_id, made.run.run_id, made.region) == ("d", "r", "cn-north-4")
    assert made.started_at <= made.exported_at <= made.completed_at
    assert abs((made.started_at - before).total_seconds()) < 30
    assert [archive.job_ids for archive in made.archives] == [(100, 101), (102, 103), (104, 105)]
    assert [(archive.entries, len(archive.sha256 or "")) for archive in made.archives] == [(2, 64)] * 3
    assert (made.verification.level, made.verification.passed, made.verification.bytes_read) == (
        "full",
        True,
        made.size,
    )
    catalogue = catalogue_of(emulator)
    jobs = list(catalogue.jobs(found))
    assert [(job.job_id, job.name, job.in_archive, job.is_changed) for job in jobs] == [
        (job.job_id, job.name, True, False) for job in emulator.state.jobs.values()
    ]
    assert all(len(job.digest) == 32 for job in jobs)
    details = {each.job_id: each.detail for each in catalogue.settings(found)}
    assert {job_id: detail["name"] for job_id, detail in details.items()} == {job.job_id: job.name for job in jobs}


def test_what_is_pushed(emulator: Emulator) -> None:
    """The archives as the export pushes them, for tasks behind it, and what is to be known of the jobs."""
    instance = TaskInstance()
    summary = back_up(emulator, instance)
    made = only(emulator)
    link = instance.pushed.pop("dli_console")
    assert link["bucket"] == emulator.bucket
    assert made.manifest
    assert instance.pushed == {
        "return_value": summary,
        "backup_id": made.backup_id,
        "zip_file": [str(made.place.below(archive.name)) for archive in made.manifest.archives],
        "not_included": [],
        "visible_jobs": 6,
        "visible_job_ids": [100, 101, 102, 103, 104, 105],
        "visible_project_id": emulator.project_id,
        f"last_seen_{emulator.project_id}": [100, 101, 102, 103, 104, 105],
    }
    assert instance.store.left("dli_backup") == frozenset()


@pytest.mark.parametrize(
    ("parameters", "ids", "selection"),
    [
        ({"job_selected": "103, 101"}, [101, 103], "job_selected=103, 101"),
        ({"selection": {"exclude": [100, 105]}}, [101, 102, 103, 104], "exclude=100|105"),
        ({"selection": {}}, [100, 101, 102, 103, 104, 105], "all jobs"),
    ],
)
def test_selected_jobs(emulator: Emulator, parameters: Any, ids: list[int], selection: str) -> None:
    """They alone are backed up, and the manifest states what was selected."""
    back_up(emulator, **parameters)
    found = only(emulator)
    made = found.manifest
    assert made
    assert (made.selection, made.is_all_jobs, made.not_included) == (selection, selection == "all jobs", ())
    assert [job.job_id for job in catalogue_of(emulator).jobs(found)] == ids
    assert [job for archive in made.archives for job in archive.job_ids or ()] == ids


def test_settings_need_not_be_kept(emulator: Emulator) -> None:
    """Then there are digests alone, also in the list for a later attempt."""
    back_up(emulator, keep_settings=False)
    found = only(emulator)
    assert found.manifest
    assert found.manifest.settings is None
    assert "settings.jsonl.gz" not in found.objects
    assert found.state == "verified"
    sql = {job.sql_body for job in emulator.state.jobs.values() if job.sql_body}
    kept = [
        emulator.s3.get_object(Bucket=emulator.bucket, Key=entry.key)["Body"].read()
        for entry in found.objects.values()
        if not entry.key.endswith(".zip")
    ]
    assert sql
    assert not any(text.encode() in data for text in sql for data in kept)


@pytest.mark.parametrize(
    ("level", "sha256", "entries", "in_archive"),
    [("directory", False, True, True), ("exists", False, False, None)],
)
def test_levels(emulator: Emulator, level: str, *, sha256: bool, entries: bool, in_archive: bool | None) -> None:
    """What was not read is not in the manifest."""
    back_up(emulator, level=level)
    found = only(emulator)
    made = found.manifest
    assert made
    assert (made.verification.level, made.verification.bytes_read) == (level, 0)
    assert [(bool(each.sha256), bool(each.entries)) for each in made.archives] == [(sha256, entries)] * 3
    assert {job.in_archive for job in catalogue_of(emulator).listed_jobs(found)} == {in_archive}
    assert not found.is_usable("full")


def test_two_runs_at_once(emulator: Emulator) -> None:
    """Each makes a backup of its own, and neither disturbs the other."""
    first, second = TaskInstance(), TaskInstance()
    made: list[BackupOutcome] = []
    steps = at_export(lambda: made.append(with_steps(emulator, Steps(), second)), which=2)
    made.append(with_steps(emulator, steps, first))
    assert [each.state for each in backups(emulator)] == ["verified"] * 2
    assert len({each.place for each in made}) == 2
    assert [each.unnamed for each in backups(emulator)] == [[], []]


def test_a_cleared_task_makes_another_backup(emulator: Emulator) -> None:
    """After it has succeeded; the archives of the first are not named as extra ones."""
    instance = TaskInstance()
    first, second = back_up(emulator, instance), back_up(emulator, instance)
    assert first["backup_id"] != second["backup_id"]
    assert [each.state for each in backups(emulator)] == ["verified"] * 2
    assert "extra_archives" not in instance.pushed


def test_a_job_that_is_changed_and_changed_back_meanwhile(emulator: Emulator) -> None:
    """Both lists have the same settings, and the archive others: only the time of its last update shows it."""

    def change_and_change_back() -> None:
        emulator.state.jobs[105].update_time = emulator.state.stamp()

    with_steps(emulator, at_export(change_and_change_back, after=True, which=3), TaskInstance())
    jobs = {job.job_id: (job.is_changed, job.in_archive) for job in catalogue_of(emulator).jobs(only(emulator))}
    assert jobs == dict.fromkeys(range(100, 105), (False, True)) | {105: (False, None)}


def test_hostile_names(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Half a character, controls and marks are written and read, and forge no line of the log."""
    emulator.state.add_job(name=HOSTILE)
    odd = emulator.state.add_job(name="orders").job_id

    class Dli(DliHook):
        def walk(self, pages: Any) -> Any:
            for job in super().walk(pages):
                if job.job_id == odd:
                    object.__setattr__(job, "name", "a\ud83d")
                    object.__setattr__(job, "raw", {**job.raw, "name": "a\ud83d", "desc": "\udc00"})
                yield job

    options, _, obs = backup.prepare(operator(emulator, expected_jobs="none"))
    backup.back_up(options, Dli(), obs, TaskInstance().context, logging.getLogger("backup"))
    found = only(emulator)
    catalogue = catalogue_of(emulator)
    names = {job.job_id: job.name for job in catalogue.jobs(found)}
    assert names[odd] == "a?"
    assert HOSTILE in names.values()
    details = {each.job_id: each.detail for each in catalogue.settings(found)}
    assert (details[odd]["name"], details[odd]["desc"]) == ("a\ud83d", "\udc00")
    assert "\nFORGED" not in capsys.readouterr().out


# Jobs that change meanwhile.


def test_jobs_that_are_created_deleted_or_changed_meanwhile(emulator: Emulator) -> None:
    """New ones are named, deleted ones are not required, and a changed one has the digest of before."""

    def change() -> None:
        emulator.state.add_job(name="created")
        del emulator.state.jobs[104]
        emulator.state.jobs[105].desc = "changed"

    with_steps(emulator, at_export(change, after=True, which=3), TaskInstance())
    found = only(emulator)
    assert found.manifest
    (created,) = set(emulator.state.jobs) - set(range(100, 106))
    assert found.manifest.not_included == (created,)
    jobs = {job.job_id: job for job in catalogue_of(emulator).jobs(found)}
    assert list(jobs) == [100, 101, 102, 103, 104, 105]
    assert [job_id for job_id, job in jobs.items() if job.is_changed] == [105]
    # What was deleted after its export is in the archive.
    assert {job.in_archive for job in jobs.values()} == {True}
    digests = {job_id: job.digest for job_id, job in jobs.items()}
    back_up(emulator)
    (later,) = [each for each in backups(emulator) if each.backup_id != found.backup_id]
    now = {job.job_id: job.digest for job in catalogue_of(emulator).jobs(later)}
    assert {job_id for job_id in now if now[job_id] != digests.get(job_id)} == {105, created}


def test_a_job_that_is_deleted_before_its_export_is_not_in_the_backup(emulator: Emulator) -> None:
    """It is named as vanished, and the others are backed up."""
    instance = TaskInstance()
    outcome = with_steps(emulator, at_export(lambda: emulator.state.jobs.pop(104), which=3), instance)
    assert outcome.xcoms["vanished"] == [104]
    found = only(emulator)
    assert [job.job_id for job in catalogue_of(emulator).jobs(found)] == [100, 101, 102, 103, 105]
    assert found.manifest
    assert found.manifest.archives[-1].job_ids == (105,)


# Failures.


def test_a_damaged_archive_is_in_no_backup(emulator: Emulator) -> None:
    """The task fails without a retry, and there is no manifest; a cleared task makes another backup."""
    instance = TaskInstance()
    emulator.fault("ExportFlinkJobs", "slow", before=0)
    emulator.fault("ExportFlinkJobs", "archive_flipped")
    with pytest.raises(
        DliFailException, match=r"1 of 3 archives failed verification: obs://.*/batch-0002/"
    ) as caught:
        back_up(emulator, instance)
    assert isinstance(caught.value, AirflowFailException)
    found = only(emulator)
    assert (found.state, len(found.unnamed)) == ("incomplete", 3)
    assert len(instance.pushed["zip_file"]) == 3
    assert "return_value" not in instance.pushed
    summary = back_up(emulator, instance)
    assert {each.backup_id: each.state for each in backups(emulator)} == {
        found.backup_id: "incomplete",
        summary["backup_id"]: "verified",
    }


def replaced(emulator: Emulator, batch: str, entries: Mapping[str, str | bytes]) -> Callable[[], None]:
    """Return what replaces an archive, before it is verified."""

    def act() -> None:
        listed = emulator.s3.list_objects_v2(Bucket=emulator.bucket, Prefix="flink-backups/")["Contents"]
        (key,) = [each["Key"] for each in listed if batch in each["Key"]]
        emulator.s3.put_object(Bucket=emulator.bucket, Key=key, Body=zipped(entries))

    return act


def test_a_missing_job_fails_the_task(emulator: Emulator) -> None:
    """Of an archive that shows its jobs, and lacks one that was requested; also if another archive has it."""
    lose = replaced(emulator, "batch-0002", {"102.json": '{"job_id": 102}', "x.json": '{"job_id": 100}'})
    with pytest.raises(
        DliFailException, match=r"1 of 3 archives failed .*missing-job: job '103' was found nowhere"
    ):
        with_steps(emulator, at_export(lose, which=3), TaskInstance())
    assert only(emulator).state == "incomplete"


def test_a_layout_that_is_not_known_is_a_warning(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """Whether the jobs are in that archive is not known, and of the others it is; nothing fails."""
    opaque = replaced(emulator, "batch-0002", {"part-0": b"\x00\x01\xfe" * 50})
    caplog.set_level(logging.INFO)
    with_steps(emulator, at_export(opaque, which=3), TaskInstance())
    found = only(emulator)
    jobs = {job.job_id: job.in_archive for job in catalogue_of(emulator).listed_jobs(found)}
    assert jobs == {100: True, 101: True, 102: None, 103: None, 104: True, 105: True}
    assert found.state == "verified"
    assert "Whether the archives have 2 of the jobs is not known" in caplog.text
    assert found.manifest
    assert [finding.partition(": ")[2].partition(":")[0] for finding in found.manifest.verification.findings] == [
        "job-not-examined",
        "unknown-layout",
    ]
    expected = {"expected_jobs": [102]}
    with pytest.raises(DliFailException, match=r"job-not-examined"):
        with_steps(emulator, at_export(opaque_all(emulator), which=3), TaskInstance(), **expected)


def opaque_all(emulator: Emulator) -> Callable[[], None]:
    """Return what makes the archives so far opaque."""

    def act() -> None:
        listed = emulator.s3.list_objects_v2(Bucket=emulator.bucket, Prefix="flink-backups/")["Contents"]
        for each in listed:
            if each["Key"].endswith(".zip"):
                body = zipped({"part-0": b"\x00\x01\xfe" * 50})
                emulator.s3.put_object(Bucket=emulator.bucket, Key=each["Key"], Body=body)

    return act


@pytest.mark.parametrize(("expected", "is_there"), [([100, 105], True), ("no such job", False), ("none", True)])
def test_expected_jobs(emulator: Emulator, expected: Any, *, is_there: bool) -> None:
    """Ids and names, whichever archive has them; or none. All jobs are searched for, whichever are expected."""
    if is_there:
        back_up(emulator, expected_jobs=expected)
        assert {job.in_archive for job in catalogue_of(emulator).listed_jobs(only(emulator))} == {True}
        return
    with pytest.raises(DliFailException, match="missing-job: job 'no such job' was found nowhere"):
        back_up(emulator, expected_jobs=expected)


@pytest.mark.parametrize("expected", ["none", [102], ["orders"]])
def test_a_job_that_is_not_required_and_not_there(
    emulator: Emulator, caplog: pytest.LogCaptureFixture, expected: Any
) -> None:
    """The backup is made, is known not to have it, and the log names it; what another batch has is not read."""
    emulator.state.jobs[102].name = "orders"

    def lose() -> None:
        replaced(emulator, "batch-0002", {"102.json": '{"job_id": 102, "name": "orders"}'})()
        first = {"100.json": '{"job_id": 100}', "101.json": '{"job_id": 101, "parent": {"job_id": 103}}'}
        replaced(emulator, "batch-0001", first)()

    with_steps(emulator, at_export(lose, which=3), TaskInstance(), expected_jobs=expected)
    found = only(emulator)
    jobs = {job.job_id: job.in_archive for job in catalogue_of(emulator).listed_jobs(found)}
    assert jobs == {100: True, 101: True, 102: True, 103: False, 104: True, 105: True}
    assert "The archives lack 1 Flink job, which this backup does not have: 103." in caplog.text
    assert found.manifest
    assert not found.manifest.verification.findings


def test_a_job_that_must_be_there_is_searched_for_in_its_batch(emulator: Emulator) -> None:
    """That another one has it does not help: a restore reads the archives of its batch."""

    def move() -> None:
        replaced(emulator, "batch-0002", {"102.json": '{"job_id": 102}'})()
        replaced(emulator, "batch-0001", {f"{job}.json": f'{{"job_id": {job}}}' for job in (100, 101, 103)})()

    with pytest.raises(DliFailException, match="missing-job: job '103' was found nowhere"):
        with_steps(emulator, at_export(move, which=3), TaskInstance(), expected_jobs=[103, 100])


@pytest.mark.parametrize("has_both", [True, False])
def test_a_name_that_is_the_id_of_another_job(emulator: Emulator, *, has_both: bool) -> None:
    """It proves neither of them."""
    emulator.state.jobs[102].name = "103"
    entries = {"102.json": '{"job_id": 102, "name": "103"}', "103.json": '{"job_id": 103}'}
    if not has_both:
        del entries["103.json"]
    with_steps(emulator, at_export(replaced(emulator, "batch-0002", entries), which=3), TaskInstance())
    jobs = {job.job_id: job.in_archive for job in catalogue_of(emulator).listed_jobs(only(emulator))}
    assert jobs == {100: True, 101: True, 102: True, 103: None, 104: True, 105: True}


def test_a_job_that_is_deleted_meanwhile_and_not_in_the_archive(emulator: Emulator) -> None:
    """It is not required, and the backup is known not to have it."""
    lose = replaced(emulator, "batch-0002", {"102.json": '{"job_id": 102}'})

    def change() -> None:
        del emulator.state.jobs[103]
        lose()

    with_steps(emulator, at_export(change, after=True, which=3), TaskInstance())
    jobs = {job.job_id: job.in_archive for job in catalogue_of(emulator).listed_jobs(only(emulator))}
    assert [job_id for job_id, is_there in jobs.items() if is_there is False] == [103]


def test_archives_in_which_no_job_is_recognised(emulator: Emulator) -> None:
    """Whether they have the jobs is not known, though they show keys that name jobs."""

    def others() -> None:
        for batch in ("batch-0001", "batch-0002", "batch-0003"):
            replaced(emulator, batch, {"a.json": '{"job_id": "A-17"}'})()

    with_steps(emulator, at_export(others, after=True, which=3), TaskInstance(), expected_jobs="none")
    assert {job.in_archive for job in catalogue_of(emulator).listed_jobs(only(emulator))} == {None}


def test_a_batch_that_fails_leaves_no_backup(emulator: Emulator) -> None:
    """Not even of the others; the next attempt requests only what is missing."""
    instance = TaskInstance()
    emulator.fault("ExportFlinkJobs", "slow", before=0)
    emulator.fault("ExportFlinkJobs", "throttled", retry_after=0)
    with pytest.raises(DliException, match=r"2 jobs not exported") as caught:
        back_up(emulator, instance)
    assert not isinstance(caught.value, AirflowFailException)
    assert (only(emulator).state, instance.pushed["failed"]) == ("incomplete", [102, 103])
    before = requests(emulator)
    back_up(emulator, instance)
    assert requests(emulator) == before + 1
    found = only(emulator)
    assert (found.state, found.unnamed) == ("verified", [])
    assert "extra_archives" not in instance.pushed


def test_refused_exports_begin_again(emulator: Emulator) -> None:
    """If nothing was exported: whoever clears the task gets the jobs of then."""
    instance = TaskInstance()
    emulator.fault("ExportFlinkJobs", "error", times=3, status=403, code="DLI.0003")
    with pytest.raises(DliFailException, match=r"6 jobs not exported"):
        back_up(emulator, instance)
    emulator.state.add_job(name="created")
    assert back_up(emulator, instance)["jobs"] == 7


def test_no_job_is_visible(emulator: Emulator) -> None:
    """There is no backup of nothing; whether that is a failure is the author's choice."""
    emulator.state.jobs.clear()
    instance = TaskInstance()
    with pytest.raises(DliFailException, match="This key sees no Flink job of project"):
        back_up(emulator, instance)
    with pytest.raises(AirflowSkipException, match="No Flink job is selected by: all jobs"):
        back_up(emulator, instance, if_empty="skip")
    assert back_up(emulator, instance, if_empty="succeed") is None
    with pytest.raises(DliFailException, match="No Flink job is selected by: name_pattern=x"):
        back_up(emulator, instance, selection={"name_pattern": "x"})
    assert (backups(emulator), requests(emulator)) == ([], 0)


def test_all_jobs_vanish(emulator: Emulator) -> None:
    """They were deleted between the list and the export: there is nothing to back up."""
    instance = TaskInstance()
    outcome = with_steps(emulator, at_export(emulator.state.jobs.clear), instance)
    assert (outcome.manifest, outcome.zip_file, len(outcome.xcoms["vanished"])) == (None, [], 6)
    assert instance.store.left("dli_backup") == frozenset()


def test_fewer_jobs_than_expected(emulator: Emulator) -> None:
    """Nothing is requested, and the next attempt lists the jobs again."""
    instance = TaskInstance()
    with pytest.raises(
        DliFailException, match=r"expected_min_jobs: this key sees 6 Flink jobs of project .* 7 or more"
    ):
        back_up(emulator, instance, expected_min_jobs=7)
    assert requests(emulator) == 0
    emulator.state.add_job(name="created")
    assert back_up(emulator, instance, expected_min_jobs=7)["jobs"] == 7


def test_a_named_job_that_is_not_there(emulator: Emulator) -> None:
    """Is named, and nothing is exported."""
    with pytest.raises(DliFailException, match=r"^job_selected: this key sees no job 99 in project .*exported"):
        back_up(emulator, job_selected=[99, 100])
    assert requests(emulator) == 0


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"job_selected": [100], "selection": {}}, "^selection: is given together with job_selected"),
        ({"level": "exists", "expected_jobs": [100]}, "^expected_jobs: cannot be checked at level 'exists'"),
        ({"expected_jobs": []}, "^expected_jobs: was given and is empty"),
        ({"expected_jobs": None}, "^expected_jobs: rendered to nothing; give 'listed', 'none', or a list"),
        ({"job_selected": [100], "max_missing": 1}, "^max_missing: compares exports of all jobs"),
        ({"backup_dir": "obs-test/" + "x" * 950}, "^backup_dir: is 950 bytes long"),
    ],
)
def test_conflicting_parameters(emulator: Emulator, parameters: Any, reason: str) -> None:
    """Are refused by name, before anything is sent."""
    with pytest.raises(DliFailException, match=reason):
        back_up(emulator, **parameters)
    assert len(emulator.requests) == 0


def test_jobs_that_the_last_run_saw_are_missing(emulator: Emulator) -> None:
    """More than ``max_missing``: the others are backed up, and then the task fails."""

    class Instance(TaskInstance):
        task_id, map_index = "backup", -1

        def xcom_pull(self, key: str, **_: Any) -> Any:
            assert key == f"last_seen_{emulator.project_id}"
            return [98, 99, *range(100, 106)]

    instance = Instance()
    with pytest.raises(DliFailException, match=r"^max_missing: 2 of the jobs .* does not see 98, 99 any more"):
        back_up(emulator, instance, max_missing=1)
    assert only(emulator).state == "verified"
    assert instance.pushed["missing_since_last"] == [98, 99]
    assert instance.pushed["return_value"]["jobs"] == 6


def test_jobs_that_the_newest_backup_has_are_missing(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no run is known, as after the loss of Airflow's database; one of a selection is not compared with."""
    back_up(emulator)
    back_up(emulator, job_selected=[100])
    del emulator.state.jobs[101]
    time.sleep(1.1)  # of two backups of one second none is the newer one
    instance = TaskInstance()
    back_up(emulator, instance)
    assert instance.pushed["missing_since_last"] == [101]
    assert "does not see 1 job of them any more: 101" in capsys.readouterr().out
    instance = TaskInstance()
    back_up(emulator, instance, max_missing=0)
    assert "missing_since_last" not in instance.pushed
    del emulator.state.jobs[102]
    with pytest.raises(DliFailException, match=r"^max_missing: 1 of the jobs that backup 20\w+-\w+ has"):
        back_up(emulator, max_missing=0)


def test_a_run_that_failed_for_missing_jobs_fails_again(emulator: Emulator) -> None:
    """If it is cleared: the backup that it has made itself is not what it is compared with."""
    back_up(emulator)
    del emulator.state.jobs[102]
    for _ in range(2):
        time.sleep(1.1)  # of two backups of one second none is the newer one
        instance = TaskInstance()
        vars(instance).update(dag_id="new", run_id="first", task_id="backup", map_index=-1)
        with pytest.raises(DliFailException, match=r"^max_missing: 1 of the jobs that backup 20"):
            back_up(emulator, instance, max_missing=0)
    assert len(backups(emulator)) == 3


def test_a_backup_whose_list_is_damaged_is_not_compared_with(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor does it fail the task: what is damaged need not keep new backups from being made. The log names it."""

    def damage(backup: Backup) -> str:
        rot(catalogue_of(emulator), backup, "jobs.jsonl.gz")
        return backup.place.below("jobs.jsonl.gz").url

    back_up(emulator)
    oldest = only(emulator)
    time.sleep(1.1)  # of two backups of one second none is the newer one
    back_up(emulator)
    newest = max(backups(emulator), key=lambda each: each.backup_id)
    damaged = damage(newest)
    back_up(emulator, max_missing=0)
    used = f"The jobs are compared with those of an older backup, {oldest.backup_id}, since newer ones are damaged"
    assert f"{used}: {damaged} is not what was written: " in capsys.readouterr().out
    for each in backups(emulator):
        damage(each)
    obs = catalogue_of(emulator).obs
    obs.put(newest.place.below("manifest.json"), b"{", "application/json")
    back_up(emulator, max_missing=0)
    lines = capsys.readouterr().out
    assert "max_missing: no job counts as missing, since the lists of jobs to compare with are damaged: " in lines
    assert f"{oldest.place.below('jobs.jsonl.gz').url} is not what was written: " in lines
    assert f"{newest.place.url}: its manifest cannot be read" in lines
    assert "nothing to compare with" not in lines
    assert len(backups(emulator)) == 4


# Later attempts.


def test_the_archive_of_a_lost_response_is_recovered(emulator: Emulator) -> None:
    """The directory is of this backup alone, so it is certain whose an archive is that appears in it."""
    emulator.fault("ExportFlinkJobs", "cut_after")
    back_up(emulator, reconcile_timeout=5)
    found = only(emulator)
    assert (found.state, found.unnamed, requests(emulator)) == ("verified", [], 3)


@pytest.mark.slow
def test_whenever_a_task_is_killed_the_next_attempt_makes_one_backup(emulator: Emulator) -> None:
    """Before or after each call: one manifest, nothing exported twice but an unknown outcome, the same jobs."""
    steps = Steps()
    with_steps(emulator, steps, TaskInstance(), batch_size=6)
    calls = {"has_objects", "ListFlinkJobs", "list_tree", "put", "ExportFlinkJobs", "list_directory", "find"}
    assert set(steps.names) == calls
    emulator.state.jobs[105].desc = "before"
    digest = settings_digest(DliHook().get_flink_job(105))

    def kill(name: str) -> None:
        raise Killed(name)

    # Between two calls the state of the task may be saved: that is before the next, and not after the last.
    kills = [(number, after) for number in range(1, len(steps.names) + 1) for after in (False, True)]
    writes = ("put", "ExportFlinkJobs")
    for number, after in [each for each in kills if not each[1] or steps.names[each[0] - 1] in writes]:
        where = f"killed {'after' if after else 'before'} call {number}, {steps.names[number - 1]}"
        directory = f"{emulator.bucket}/{number}-{after}"
        emulator.state.jobs[105].desc = "before"
        instance, given = TaskInstance(), {"backup_dir": directory, "batch_size": 6, "reconcile_timeout": 0}
        with pytest.raises(Killed):
            with_steps(emulator, Steps(number, kill, after=after), instance, **given)
        is_listed = "listed" in instance.store.get("dli_backup", {})
        emulator.state.jobs[105].desc = "changed since"
        outcome = with_steps(emulator, Steps(), instance, **given)
        catalogue = catalogue_of(emulator, f"{number}-{after}")
        (found,) = catalogue.backups()
        assert (found.state, found.manifest) == ("verified", outcome.manifest), where
        jobs = {job.job_id: job for job in catalogue.jobs(found)}
        assert list(jobs) == [100, 101, 102, 103, 104, 105], where
        # Never the digest of what no archive may have.
        assert (jobs[105].digest == digest) == is_listed, where
        # Only an archive that was just exported when the end came may be made again, and is then named.
        assert found.unnamed == [name.partition("/")[2] for name in outcome.xcoms.get("extra_archives", [])], where
        assert instance.store.left("dli_backup") == frozenset(), where


# Docs.


def test_the_page_has_the_documents_of_the_code() -> None:
    """As ``python -m tests.backups.page`` writes them; and each kind of record, and each state."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == written()
    assert re.findall(r"^\| `(\w+)` \|", page.partition("## Records")[2], re.MULTILINE) == list(
        get_args(RecordKind)
    )
    states = page.partition("## States")[2].partition("## ")[0]
    assert set(re.findall(r"`(\w+)`[,|]", states.replace(" |", "|"))) == set(get_args(State))
