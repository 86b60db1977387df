"""Backups are verified again: in order, within a budget, and with a record of what was found."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Thread
from typing import Any

import pytest

from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.manifest import EXPIRED, JOBS, MANIFEST, SETTINGS
from airflow_provider_dli.backups.retention import rank
from airflow_provider_dli.backups.state import Backup
from airflow_provider_dli.backups.verification import prepare, unnamed_archives, verify_backups
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.operators.dli import DliVerifyBackupsOperator
from dli_emulator import Emulator
from tests.airflow.stores import TaskInstance
from tests.backups.made import PROJECT, catalogue_of, make_backup
from tests.backups.test_catalogue import DAY, NIGHT, again
from tests.zipped import zipped

ARCHIVE = "archives/batch-0001/aggregate_1.zip"
OTHER_PROJECT = "0" * 32


@pytest.fixture
def catalogue(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """Return an empty catalogue in the emulator's bucket, connected through the proxy that scripts faults."""
    connection = dli_emulator.connection(retry_budget=0, obs_endpoint=dli_emulator.dli)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", connection)
    return catalogue_of(dli_emulator)


def verify(catalogue: Catalogue, instance: TaskInstance | None = None, **parameters: Any) -> dict[str, Any]:
    """Run the task; return its summary."""
    given = {"backup_dir": str(catalogue.root), **parameters}
    operator = DliVerifyBackupsOperator(task_id="verify", **given)
    return operator.execute((instance or TaskInstance()).context)


def size_of(backup: Backup) -> int:
    assert backup.manifest
    return backup.manifest.size


def change(catalogue: Catalogue, backup: Backup, name: str, data: bytes, *, is_noticed: bool = True) -> None:
    """Change an object as a user would, or as a store would that does not notice: its listing stays as it was."""
    place = backup.place.below(name)
    catalogue.obs.put(place, data, "application/zip")
    if is_noticed:
        return
    facts, manifest = catalogue.obs.find(place), catalogue.obs.read(backup.place.below(MANIFEST), 1 << 20)
    assert facts
    assert manifest
    document = json.loads(manifest)
    (row,) = [each for each in document["archives"] if each["name"] == name]
    assert row["size"] == facts.size
    row["etag"] = facts.etag
    catalogue.obs.put(backup.place.below(MANIFEST), json.dumps(document).encode(), "application/json")


def verified(catalogue: Catalogue, backup: Backup) -> bool:
    """Return whether a backup has a record of a verification, without reading its manifest again."""
    now = catalogue.backup(backup.project_id, backup.backup_id)
    return bool(now and now.of_kind("verification"))


def content_of(catalogue: Catalogue, backup: Backup, name: str = ARCHIVE) -> bytes:
    data = catalogue.obs.read(backup.place.below(name), 1 << 20)
    assert data
    return data


def test_each_backup_gets_a_record(catalogue: Catalogue) -> None:
    """With what was read, and its hashes; all intact ones are verified, of each project."""
    made = [
        make_backup(catalogue, NIGHT, [100, 101], batch=1),
        make_backup(catalogue, NIGHT, project_id=OTHER_PROJECT),
    ]
    instance = TaskInstance()
    summary = verify(catalogue, instance, report_dir=f"{catalogue.root}/reports")
    assert sorted(summary.pop("verified")) == sorted(each.place.url for each in made)
    assert summary.pop("bytes") == sum(map(size_of, made))
    assert summary.pop("oldest_proof_age") < 60
    assert {name: summary[name] for name in ("failed", "not_read", "remaining", "unnamed")} == {
        "failed": [],
        "not_read": [],
        "remaining": 0,
        "unnamed": [],
    }
    assert instance.pushed["report_file"].startswith(f"{catalogue.root}/reports/verify-backups-report-")
    now = again(catalogue, made[0])
    (record,) = now.records
    assert (record.kind, record.outcome, now.state) == ("verification", "passed", "verified")
    content = catalogue.read_record(now, record)
    assert (content["level"], content["passed"], content["bytes_read"]) == ("full", True, size_of(made[0]))
    assert made[0].manifest
    assert {each["name"]: each["sha256"] for each in content["archives"]} == {
        each.name: each.sha256 for each in made[0].manifest.archives
    }


@pytest.mark.parametrize("level", ["exists", "directory"])
def test_a_backup_that_was_read_to_its_end_is_usable_at_every_level(catalogue: Catalogue, level: str) -> None:
    """However little of it was read when it was made; and it protects as much as one that was read then."""
    made = make_backup(catalogue, NIGHT, [100, 101], level=level)
    assert (made.level, made.is_usable("full")) == (level, False)
    verify(catalogue)
    now = again(catalogue, made)
    assert (now.level, now.is_usable("full"), rank(now)) == ("full", True, 3)


def test_the_oldest_verification_comes_first(catalogue: Catalogue) -> None:
    """Whatever was made when; the rest is left for the next runs, until all were read."""
    old, older, new = (make_backup(catalogue, NIGHT + night * DAY) for night in (1, 0, 2))
    catalogue.record(older, "verification", {}, "passed", at=NIGHT + 3 * DAY)
    order = []
    for left in (2, 2, 2):
        summary = verify(catalogue, max_bytes=1)
        order += summary["verified"]
        assert summary["remaining"] == left
    assert order == [each.place.url for each in (old, new, older)]


def test_a_budget_is_kept(catalogue: Catalogue) -> None:
    """By whole backups; a backup that is larger than it is read when it comes first, and alone."""
    small, large, last = (
        make_backup(catalogue, NIGHT + n * DAY, range(1, jobs + 1)) for n, jobs in ((0, 1), (1, 60), (2, 1))
    )
    budget = size_of(small) + size_of(large) - 1
    assert [verify(catalogue, max_bytes=budget)["verified"] for _ in range(2)] == [
        [small.place.url],
        [large.place.url],
    ]
    assert size_of(large) > size_of(last)
    summary = verify(catalogue, max_bytes=f"{size_of(small)} B", max_age=3600)
    assert (summary["verified"], summary["remaining"]) == ([last.place.url], 0)
    summary = verify(catalogue, max_bytes=None)
    assert (len(summary["verified"]), summary["bytes"]) == (3, sum(map(size_of, (small, large, last))))


def test_only_older_verifications_are_repeated(catalogue: Catalogue) -> None:
    """By the store's clock."""
    now = catalogue.now()
    old, _ = make_backup(catalogue, now - timedelta(hours=3)), make_backup(catalogue, now - timedelta(hours=1))
    assert verify(catalogue, max_age=timedelta(hours=2))["verified"] == [old.place.url]
    summary = verify(catalogue, max_age=timedelta(hours=2))
    assert summary["verified"] == []
    assert 3500 < summary["oldest_proof_age"] < 3700


def test_only_the_named_projects_are_verified(catalogue: Catalogue) -> None:
    """One that has no backup is refused: a misspelt id must not verify nothing, and an empty catalogue neither."""
    with pytest.raises(DliFailException, match="backup_dir: there is no backup in obs://"):
        verify(catalogue)
    made = make_backup(catalogue, NIGHT)
    catalogue.obs.put(made.place.below(EXPIRED), b"{}", "application/json")
    killed = make_backup(catalogue, NIGHT)
    catalogue.obs.delete(killed.place.below(MANIFEST))
    with pytest.raises(DliFailException, match=r"there is no backup in obs://.*, but 1 (incomplete|expired), 1 "):
        verify(catalogue)
    with pytest.raises(DliFailException, match=f"no backup of project {PROJECT}; it has those of none"):
        verify(catalogue, project_ids=PROJECT)
    made = make_backup(catalogue, NIGHT)
    make_backup(catalogue, NIGHT, project_id=OTHER_PROJECT)
    assert verify(catalogue, project_ids=PROJECT)["verified"] == [made.place.url]
    with pytest.raises(
        DliFailException, match=r"project_ids: .* no backup of project abc; it has those of 0{32}, 48c"
    ):
        verify(catalogue, project_ids=["abc", PROJECT])


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 3
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def _other(_: bytes) -> bytes:
    """Return an intact archive of the same size."""
    return zipped({"100.json": json.dumps({"job_id": 100, "name": "job_999"})})


@pytest.mark.parametrize(
    ("damage", "is_noticed", "finding"),
    [
        (_flipped, False, " is damaged: "),
        (_other, False, " is another archive: its SHA-256 is "),
        (_other, True, " was replaced: its ETag differs"),
        (lambda data: data[:-5], True, " bytes and had "),
    ],
)
def test_damage_is_found_recorded_and_reported_each_time(
    catalogue: Catalogue, damage: Callable[[bytes], bytes], is_noticed: bool, finding: str
) -> None:
    """Read once; whoever writes the archive again gets it read again. The other backups are verified."""
    made, other = make_backup(catalogue, NIGHT, [100]), make_backup(catalogue, NIGHT + DAY, [100])
    data = content_of(catalogue, made)
    change(catalogue, made, ARCHIVE, damage(data), is_noticed=is_noticed)
    messages = []
    for read in ([other.place.url], []):
        instance = TaskInstance()
        with pytest.raises(DliFailException, match="1 backup damaged: ") as caught:
            verify(catalogue, instance, max_age=DAY)
        messages.append(str(caught.value))
        summary = instance.pushed["return_value"]
        assert summary["verified"] == read
        (failed,) = summary["failed"]
        assert failed["place"] == made.place.url
        assert finding in " ".join(failed["findings"])
    assert messages[0] == messages[1]
    assert made.place.url in messages[0]
    now = again(catalogue, made)
    assert (now.state, [each.outcome for each in now.of_kind("verification")]) == ("damaged", ["failed"])
    change(catalogue, made, ARCHIVE, data, is_noticed=is_noticed)
    assert verify(catalogue, max_age=DAY)["verified"] == [made.place.url]
    assert again(catalogue, made).state == "verified"


@pytest.mark.parametrize("name", [ARCHIVE, JOBS, SETTINGS])
def test_what_is_gone_is_found(catalogue: Catalogue, name: str) -> None:
    """An archive, or one of the files that list jobs and settings."""
    made = make_backup(catalogue, NIGHT)
    catalogue.obs.delete(made.place.below(name))
    with pytest.raises(DliFailException, match=f"{name} is gone"):
        verify(catalogue)
    assert again(catalogue, made).of_kind("verification")[-1].outcome == "failed"


@pytest.mark.parametrize("name", [JOBS, SETTINGS])
def test_a_list_that_was_changed_is_found(catalogue: Catalogue, name: str) -> None:
    """Of the same size too."""
    made = make_backup(catalogue, NIGHT)
    change(catalogue, made, name, _flipped(content_of(catalogue, made, name)))
    with pytest.raises(DliFailException, match=f"{name} is not what was written: its SHA-256 differs"):
        verify(catalogue)


def test_an_unreadable_manifest_is_reported(catalogue: Catalogue) -> None:
    """Each time, and nothing of that backup is read."""
    made, other = make_backup(catalogue, NIGHT), make_backup(catalogue, NIGHT + DAY)
    catalogue.obs.put(made.place.below(MANIFEST), b'{"schema_version": 9}', "application/json")
    instance = TaskInstance()
    with pytest.raises(DliFailException, match="its manifest cannot be read: schema_version is 9"):
        verify(catalogue, instance)
    assert instance.pushed["return_value"]["verified"] == [other.place.url]


def test_hashes_of_a_backup_that_was_not_read_come_from_its_first_verification(catalogue: Catalogue) -> None:
    """A manifest of the level ``directory`` has none."""
    made = make_backup(catalogue, NIGHT, [100], level="directory")
    assert verify(catalogue)["verified"] == [made.place.url]
    change(catalogue, made, ARCHIVE, _other(b""), is_noticed=False)
    with pytest.raises(DliFailException, match="is another archive: its SHA-256 is"):
        verify(catalogue)


def test_an_outage_is_not_recorded(catalogue: Catalogue, dli_emulator: Emulator) -> None:
    """What was verified before has its record, and what was not is left for the retry, which reads only that."""
    made = [make_backup(catalogue, NIGHT + night * DAY) for night in range(4)]
    # All manifests, and one or two of the backups.
    dli_emulator.fault("GetObject", "slow", times=10)
    dli_emulator.fault("GetObject", "error", times=None, status=503, code="SlowDown")
    instance = TaskInstance()
    with pytest.raises(DliException, match="Not verified, since they could not be read") as caught:
        verify(catalogue, instance, max_age=3600)
    assert not isinstance(caught.value, DliFailException)
    dli_emulator.faults.clear()
    summary = instance.pushed["return_value"]
    assert summary["failed"] == []
    assert len(summary["not_read"]) == 2
    assert 0 < len(summary["verified"]) < 3
    assert summary["remaining"] == 4 - len(summary["verified"])
    assert all(each.outcome == "passed" for backup in made for each in again(catalogue, backup).records)
    rest = verify(catalogue, max_age=3600)
    assert sorted(summary["verified"] + rest["verified"]) == sorted(each.place.url for each in made)


def test_archives_that_no_manifest_names_are_found(catalogue: Catalogue, caplog: pytest.LogCaptureFixture) -> None:
    """In a backup, with the run that may have made them; in a directory without manifest, after a day."""
    made, killed = make_backup(catalogue, NIGHT, [100]), make_backup(catalogue, NIGHT + DAY)
    catalogue.obs.put(made.place.below("archives/extra.zip"), b"x", "application/zip")
    catalogue.obs.delete(killed.place.below(MANIFEST))
    extra, left = str(made.place.below("archives/extra.zip")), str(killed.place.below(ARCHIVE))
    assert verify(catalogue)["unnamed"] == [extra]
    log = logging.getLogger(__name__)
    later = catalogue.now() + timedelta(hours=25)
    assert list(unnamed_archives(catalogue.backups(), later, log)) == [extra, left]
    assert "task backup of nightly, run manual__2026-11-01T02:00:00+00:00" in caplog.text
    assert "is not a backup, since it has no manifest: 1 archive" in caplog.text


def test_a_backup_that_is_deleted_meanwhile_does_not_fail(catalogue: Catalogue) -> None:
    """An expiry has begun with it since the catalogue was listed."""
    made, other = make_backup(catalogue, NIGHT), make_backup(catalogue, NIGHT + DAY)
    catalogue.record(made, "expiring", {})
    assert verify(catalogue)["verified"] == [other.place.url]


def test_a_refusal_of_one_backup_does_not_keep_the_others_from_their_turn(
    catalogue: Catalogue, dli_emulator: Emulator
) -> None:
    """Such as an archive in a cold class: the task fails in the end, and nothing is recorded of that backup."""
    cold, *others = [make_backup(catalogue, NIGHT + night * DAY, with_settings=False) for night in range(4)]
    dli_emulator.fault("GetObject", "slow", times=5)
    dli_emulator.fault("GetObject", "error", status=400, code="InvalidRequest", message="in a cold class")
    instance = TaskInstance()
    with pytest.raises(DliFailException, match=r"could not be read: obs://.*InvalidRequest"):
        verify(catalogue, instance)
    summary = instance.pushed["return_value"]
    assert (summary["not_read"], summary["remaining"], summary["failed"]) == ([cold.place.url], 1, [])
    assert summary["verified"] == [each.place.url for each in others]
    assert not again(catalogue, cold).records


@pytest.mark.parametrize("is_deleted", [True, False])
def test_an_archive_that_changes_while_it_is_read_is_damage(
    catalogue: Catalogue, dli_emulator: Emulator, is_deleted: bool
) -> None:
    """Whoever did it: it is no longer what was verified."""
    made = make_backup(catalogue, NIGHT, [100])
    # The manifest, jobs and settings; then the archive.
    dli_emulator.fault("GetObject", "slow", times=3)
    dli_emulator.fault("GetObject", "slow", before=1.5)
    act = partial(catalogue.obs.delete, made.place.below(ARCHIVE))
    if not is_deleted:
        act = partial(change, catalogue, made, ARCHIVE, _other(b""))

    def wait() -> None:
        while list(dli_emulator.faults):  # the last one is used up when the archive is requested
            time.sleep(0.01)
        act()

    waiting = Thread(target=wait)
    waiting.start()
    with pytest.raises(DliFailException, match=r"is gone|was replaced while the backup was verified"):
        verify(catalogue)
    waiting.join()
    assert again(catalogue, made).of_kind("verification")[-1].outcome == "failed"


def test_two_runs_at_once_do_no_harm(catalogue: Catalogue) -> None:
    """Each backup is verified, perhaps twice; neither run fails."""
    made = [make_backup(catalogue, NIGHT + night * DAY) for night in range(4)]
    operator = DliVerifyBackupsOperator(task_id="verify", backup_dir=str(catalogue.root))
    prepared, log = [prepare(operator) for _ in range(2)], logging.getLogger(__name__)
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda each: verify_backups(each[0], each[1], None, log), prepared))
    assert {place for run in runs for place in run.verified} == {each.place.url for each in made}
    for backup in made:
        records = again(catalogue, backup).records
        assert {(each.kind, each.outcome) for each in records} == {("verification", "passed")}


@pytest.mark.slow
def test_a_task_that_was_killed_goes_on_with_the_next_backup(catalogue: Catalogue, dli_emulator: Emulator) -> None:
    """Its records stay, and nothing is recorded of the backup that it was reading."""
    made = [make_backup(catalogue, NIGHT + night * DAY) for night in range(3)]
    # Manifests, and the first backup or a part of the second.
    dli_emulator.fault("GetObject", "slow", times=8)
    dli_emulator.fault("GetObject", "slow", before=60)
    code = (
        "from airflow_provider_dli.operators.dli import DliVerifyBackupsOperator as Verify;"
        f"Verify(task_id='verify', backup_dir='{catalogue.root}').execute({{}})"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        deadline = time.monotonic() + 60
        # Its manifest is known: no request is taken from the task's faults.
        while not verified(catalogue, made[0]):
            assert time.monotonic() < deadline
            assert child.poll() is None
            time.sleep(0.1)
        child.kill()
    dli_emulator.faults.clear()
    assert [len(again(catalogue, each).of_kind("verification")) for each in made[1:]] == [0, 0]
    assert verify(catalogue, max_age=3600)["verified"] == [each.place.url for each in made[1:]]


@pytest.mark.parametrize(
    "content",
    [
        {"findings": 5, "archives": "x", "objects": 3},
        {"archives": [1, {"name": []}, {"name": ARCHIVE, "sha256": 0}]},
    ],
)
def test_records_that_somebody_else_wrote_do_no_harm(catalogue: Catalogue, content: Any) -> None:
    """Whatever is in them: one that failed is read again, and one that passed has no hashes."""
    made = [make_backup(catalogue, NIGHT, level="directory") for _ in range(2)]
    catalogue.record(made[0], "verification", content, "passed", at=NIGHT + DAY)
    catalogue.record(made[1], "verification", content, "failed", at=NIGHT + DAY)
    assert sorted(verify(catalogue)["verified"]) == sorted(each.place.url for each in made)
