"""Copies of backups in another catalogue: complete and verified, or not there, whatever happens on the way."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.manifest import EXPIRED, JOBS, MANIFEST, Archive
from airflow_provider_dli.backups.state import Backup
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.formatting import safe_logger
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.operators.dli import DliCopyBackupsOperator
from dli_emulator import Emulator
from tests.airflow.stores import TaskInstance
from tests.backups.made import PROJECT, catalogue_of, make_backup
from tests.processes import untraced
from tests.services.two_projects import exported, restore
from tests.zipped import zipped

NIGHT = datetime(2026, 11, 1, 2, tzinfo=UTC)
DAY = timedelta(days=1)
OTHER = "0123456789abcdef0123456789abcdef"
FIRST = "archives/batch-0001/aggregate_1.zip"


def allow(bucket: str, *actions: str) -> dict[str, Any]:
    """Return a policy for a bucket."""
    resources = [f"obs:*:*:bucket:{bucket}", f"obs:*:*:object:{bucket}/*"]
    names = [f"obs:{'bucket' if 'Bucket' in action else 'object'}:{action}" for action in actions]
    return {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": names, "Resource": resources}]}


READ = ("ListBucket", "HeadBucket", "GetObject", "PutObject")


@dataclass(frozen=True)
class Site:
    """A catalogue, and another bucket that is of the same account or not.

    :param source: where the backups are
    :param conn_id: of the target
    """

    emulator: Emulator
    source: Catalogue
    conn_id: str | None

    @property
    def target(self) -> Catalogue:
        """The catalogue of the copies, as a new reader sees it, with the keys of the source's account."""
        return Catalogue(ObsHook(), ObsLocation("off-site", "copies"))

    def operator(self, **given: Any) -> DliCopyBackupsOperator:
        """Return the task."""
        places = {"backup_dir": str(self.source.root), "target_dir": "off-site/copies"}
        return DliCopyBackupsOperator(task_id="copy", **{**places, "target_conn_id": self.conn_id, **given})

    def copy(self, **given: Any) -> dict[str, Any]:
        """Copy in a task."""
        return self.operator(**given).execute(TaskInstance().context)

    def put(self, key: str, data: bytes, bucket: str = "off-site") -> None:
        """Write an object, as somebody else."""
        self.emulator.s3.put_object(Bucket=bucket, Key=key, Body=data)


@pytest.fixture(params=["within OBS", "through this machine"])
def site(request: Any, dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Return the emulator with two buckets, and a key for the second that may read the first, or may not."""
    dli_emulator.s3.create_bucket(Bucket="off-site")
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    if request.param == "within OBS":
        return Site(dli_emulator, catalogue_of(dli_emulator), None)
    # May neither read the backups nor delete a copy.
    dli_emulator.state.add_user("keeper", allow("off-site", *READ))
    monkeypatch.setenv("AIRFLOW_CONN_DLI_VAULT", dli_emulator.connection(user="keeper", retry_budget=0))
    return Site(dli_emulator, catalogue_of(dli_emulator), "dli_vault")


@pytest.fixture
def near(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Return two buckets of one account."""
    dli_emulator.s3.create_bucket(Bucket="off-site")
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    return Site(dli_emulator, catalogue_of(dli_emulator), None)


def again(source: Catalogue, backup: Backup) -> Backup:
    found = Catalogue(source.obs, source.root).backup(backup.project_id, backup.backup_id)
    assert found
    return found


def test_a_copy_stands_alone(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Archives, jobs, settings and a manifest of its own; the source has a record of it, and is free again."""
    made = make_backup(site.source, NIGHT, [100, 101, 102], batch=2)
    result = site.copy()
    (copy,) = site.target.backups()
    assert copy.manifest
    assert made.manifest
    assert (copy.state, copy.manifest.copied_from) == ("verified", str(made.place))
    assert copy.manifest.verification.level == "full"
    kept = {"archives", "verification", "completed_at", "copied_from"}
    assert copy.manifest.model_dump(exclude=kept) == made.manifest.model_dump(exclude=kept)
    assert [each.sha256 for each in copy.manifest.archives] == [each.sha256 for each in made.manifest.archives]
    assert list(site.target.jobs(copy)) == list(site.source.jobs(made))
    assert list(site.target.settings(copy)) == list(site.source.settings(made))
    assert result == {
        "copied": [str(copy.place)],
        "skipped": [],
        "failed": [],
        "bytes": made.manifest.size,
        "seconds": result["seconds"],
    }
    (record,) = again(site.source, made).records
    assert (record.kind, record.outcome) == ("copy", "passed")
    content = site.source.read_record(made, record)
    assert content["place"] == str(copy.place)
    assert content["sha256"] == {each.name: each.sha256 for each in made.manifest.archives}
    log = capsys.readouterr().out
    assert log.count(", within OBS." if site.conn_id is None else ", through this machine.") == 2


def test_a_copy_is_made_once(site: Site) -> None:
    """What is there is checked, not copied again; of each project as many as are wanted, by default the newest."""
    for number in range(3):
        make_backup(site.source, NIGHT + number * DAY)
    make_backup(site.source, NIGHT, project_id=OTHER)
    assert len(site.copy()["copied"]) == 2
    result = site.copy(newest="2")
    assert (len(result["copied"]), len(result["skipped"])) == (1, 2)
    result = site.copy(newest="all", project_ids=PROJECT)
    assert (len(result["copied"]), len(result["skipped"]), result["bytes"] > 0) == (1, 2, True)
    assert len(site.target.backups()) == 4
    assert [len(each.of_kind("copy")) for each in Catalogue(ObsHook(), site.source.root).backups()] == [1] * 4


def test_a_record_that_is_missing_is_written_later(near: Site) -> None:
    """The attempt before was killed between the manifest and the record."""
    made = make_backup(near.source, NIGHT)
    near.copy()
    (record,) = again(near.source, made).records
    near.source.obs.delete(made.place.below("records").below(record.name))
    assert len(near.copy()["skipped"]) == 1
    assert [each.kind for each in again(near.source, made).records] == ["copy"]


def test_a_source_that_nobody_may_write_to_is_copied(
    near: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such as a copy, back: with a warning, and without a record."""
    made = make_backup(near.source, NIGHT)
    near.emulator.state.add_user("reader", allow("obs-test", "ListBucket", "GetObject"), allow("off-site", *READ))
    monkeypatch.setenv("AIRFLOW_CONN_DLI_READER", near.emulator.connection(user="reader", retry_budget=0))
    assert len(near.copy(dli_conn_id="dli_reader")["copied"]) == 1
    log = capsys.readouterr().out
    assert "An expiry may delete the backup while it is read." in log
    assert "The source has no record of its copy." in log
    assert again(near.source, made).records == ()
    assert [each.state for each in near.target.backups()] == ["verified"]


@pytest.mark.parametrize("level", ["directory", "exists"])
def test_what_was_not_read_before_is_read_now(near: Site, level: str) -> None:
    """Without a SHA-256 in the manifest, that of the source counts; the copy is verified in full."""
    made = make_backup(near.source, NIGHT, level=level)
    near.copy()
    (copy,) = near.target.backups()
    assert copy.manifest
    data = near.source.obs.read(made.place.below(FIRST), 1 << 20)
    assert data
    assert [each.sha256 for each in copy.manifest.archives] == [sha256(data).hexdigest()]
    assert copy.is_usable("full")
    assert len(near.copy()["skipped"]) == 1
    with pytest.raises(
        DliFailException, match=f"project {PROJECT}: no backup was verified at level 'full'; give l"
    ):
        near.copy(level="full")


class Stopped(BaseException):
    """The task is killed."""


def test_a_copy_that_is_stopped_at_any_request_goes_on(site: Site) -> None:
    """After each request there is no copy or a complete one, and the next attempt makes it."""
    from airflow_provider_dli.backups import copying  # noqa: PLC0415 -- as the operator does

    made = make_backup(site.source, NIGHT, [100, 101], batch=1, with_settings=False)
    options, source, target = copying.prepare(site.operator())
    left, reader, stops, incomplete = 0.0, ObsHook(), 0, 0

    def send(**_: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Stopped

    for hook in {id(each.obs): each.obs for each in (source, target)}.values():
        hook.get_conn().meta.events.register("before-call.s3", send)

    def copy(root: ObsLocation, requests: float) -> copying.CopyOutcome:
        nonlocal left
        left = requests
        places = Catalogue(source.obs, source.root), Catalogue(target.obs, root)
        return copying.copy_backups(options, *places, None, safe_logger("test"))

    while True:
        root = ObsLocation("off-site", f"copies-{stops}")
        try:
            copy(root, stops)
        except Stopped:
            states = [each.state for each in Catalogue(reader, root).backups()]
            assert states in ([], ["incomplete"], ["verified"])
            incomplete += states == ["incomplete"]
            copy(root, float("inf")).raise_for_failures()
            assert [each.state for each in Catalogue(reader, root).backups()] == ["verified"]
            # Else each attempt would read one more.
            for record in again(site.source, made).records:
                reader.delete(made.place.below(f"records/{record.name}"))
            stops += 1 if target.obs is source.obs else 4
        else:
            break
    assert stops > 12
    assert incomplete > 4


def test_what_is_there_already_is_not_copied_again(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """One of two archives is: the other is copied."""
    made = make_backup(site.source, NIGHT, [100, 101], batch=1)
    assert made.manifest
    key = f"copies/{PROJECT}/{made.backup_id}/{FIRST}"
    site.put(key, site.source.obs.read(made.place.below(FIRST), 1 << 20) or b"")
    assert site.copy()["bytes"] == made.manifest.archives[1].size
    assert f"obs://off-site/{key} exists already." in capsys.readouterr().out


@pytest.mark.parametrize("same_size", [True, False])
@pytest.mark.parametrize("name", [FIRST, JOBS])
def test_something_else_is_never_overwritten(near: Site, name: str, *, same_size: bool) -> None:
    """Neither an archive nor the list of jobs, of whatever size; the object is named, and there is no copy."""
    made = make_backup(near.source, NIGHT)
    size = made.objects[name].size
    key, other = f"copies/{PROJECT}/{made.backup_id}/{name}", b"x" * (size if same_size else 3)
    near.put(key, other)
    with pytest.raises(
        DliFailException, match=f"obs://off-site/{key} is something else than its source: .*Delete"
    ):
        near.copy()
    assert near.emulator.s3.get_object(Bucket="off-site", Key=key)["Body"].read() == other
    assert [each.state for each in near.target.backups()] == ["incomplete"]


def test_another_backup_in_its_place_is_named(near: Site) -> None:
    """With the same project and id, other archives; and a copy that was damaged since."""
    made = make_backup(near.source, NIGHT)
    near.copy()
    (copy,) = near.target.backups()
    assert copy.manifest
    archive = copy.manifest.archives[0].model_copy(update={"sha256": "0" * 64})
    forged = copy.manifest.model_copy(update={"archives": (archive,)})
    near.put(f"copies/{PROJECT}/{made.backup_id}/{MANIFEST}", forged.model_dump_json().encode())
    with pytest.raises(DliFailException, match=f"is not a copy of obs://obs-test.*differ in {FIRST}"):
        near.copy()
    near.put(f"copies/{PROJECT}/{made.backup_id}/{MANIFEST}", copy.manifest.model_dump_json().encode())
    near.put(f"copies/{PROJECT}/{made.backup_id}/{FIRST}", b"x")
    with pytest.raises(DliFailException, match=r"the copy .* is damaged: .* has 1 bytes and had .* Delete it"):
        near.copy()


def test_a_damaged_source_is_not_copied(near: Site) -> None:
    """Bytes that changed with size and ETag as before, as bit rot would: the source is blamed, not the copy."""
    made = make_backup(near.source, NIGHT)
    assert made.manifest
    wrong = made.manifest.archives[0].model_copy(update={"sha256": "1" * 64})
    manifest = made.manifest.model_copy(update={"archives": (wrong,)})
    near.put(f"{made.place.key}/{MANIFEST}", manifest.model_dump_json().encode(), made.place.bucket)
    with pytest.raises(DliFailException, match=f"1 copy failed: .*{FIRST} is damaged: its SHA-256 is not"):
        near.copy()
    assert [each.state for each in near.target.backups()] == ["incomplete"]
    assert again(near.source, made).records == ()


def test_an_archive_without_sense_is_found(near: Site) -> None:
    """A backup whose archives nobody had read, and that are no archives."""
    made = make_backup(near.source, NIGHT, level="exists")
    assert made.manifest
    near.source.obs.put(made.place.below(FIRST), b"x" * 100, "application/zip")
    facts = near.source.obs.find(made.place.below(FIRST))
    assert facts
    archive = made.manifest.archives[0].model_copy(update={"size": facts.size, "etag": facts.etag})
    manifest = made.manifest.model_copy(update={"archives": (archive,)})
    near.put(f"{made.place.key}/{MANIFEST}", manifest.model_dump_json().encode(), made.place.bucket)
    with pytest.raises(DliFailException, match="1 of 1 archive failed verification"):
        near.copy()
    assert [each.state for each in near.target.backups()] == ["incomplete"]


class Liar(ObsHook):
    """Reports as done what it does not do."""

    lies: tuple[str, ...] = ()

    def copy_from(self, *given: Any, **named: Any) -> bool:
        """Copy nothing."""
        return True if "copy" in self.lies else super().copy_from(*given, **named)

    def put(self, place: ObsLocation | str, data: bytes, content_type: str) -> None:
        """Write nothing."""
        if not any(str(place).endswith(each) for each in self.lies):
            super().put(place, data, content_type)


@pytest.mark.parametrize(
    ("lie", "message"),
    [
        ("copy", "there is no such object in the bucket"),
        (JOBS, f"{JOBS} was written and does not exist"),
        (MANIFEST, "was written and cannot be used: incomplete"),
    ],
)
def test_a_target_that_lies_about_success_is_found_out(near: Site, lie: str, message: str) -> None:
    """Nothing is believed that was not read: a retry may help."""
    from airflow_provider_dli.backups import copying  # noqa: PLC0415 -- as the operator does

    made = make_backup(near.source, NIGHT)
    options, source, target = copying.prepare(near.operator())
    liar = Liar()
    liar.lies = (lie,)
    outcome = copying.copy_backups(options, source, Catalogue(liar, target.root), None, safe_logger("test"))
    with pytest.raises(DliException, match=message) as caught:
        outcome.raise_for_failures()
    assert not isinstance(caught.value, DliFailException)
    assert not again(near.source, made).records
    assert len(near.copy()["copied"]) == 1


def test_a_backup_that_expires_meanwhile_is_skipped(near: Site) -> None:
    """Nobody lost anything: there is nothing to report. It is not copied again where its copy has expired."""
    from airflow_provider_dli.backups import copying  # noqa: PLC0415 -- as the operator does

    made = make_backup(near.source, NIGHT)
    options, source, target = copying.prepare(near.operator())

    class Late(ObsHook):
        """An expiry begins while the target is listed."""

        def list_tree(self, directory: ObsLocation) -> Iterator[Any]:
            near.source.record(made, "expiring", {})
            return super().list_tree(directory)

    outcome = copying.copy_backups(options, source, Catalogue(Late(), target.root), None, safe_logger("test"))
    outcome.raise_for_failures()
    assert len(outcome.as_dict()["skipped"]) == 1
    assert near.target.backups() == []


def test_an_expired_copy_is_not_made_again(near: Site) -> None:
    """The catalogue of the copies has a retention of its own."""
    made = make_backup(near.source, NIGHT)
    near.copy()
    near.put(f"copies/{PROJECT}/{made.backup_id}/{EXPIRED}", b"{}")
    assert len(near.copy()["skipped"]) == 1
    assert [each.state for each in near.target.backups()] == ["expired"]


def test_one_failure_does_not_stop_the_others(near: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """All are named at the end; a backup that is known to be damaged is a warning, an older one is copied."""
    old, bad = make_backup(near.source, NIGHT), make_backup(near.source, NIGHT + DAY)
    near.source.record(bad, "verification", {}, "failed")
    gone = make_backup(near.source, NIGHT, project_id=OTHER)
    near.put(f"copies/{OTHER}/{gone.backup_id}/{FIRST}", b"x")
    instance = TaskInstance()
    with pytest.raises(DliFailException, match=f"2 copies failed: {gone.place.url}: .* | project none: it has no"):
        near.operator(project_ids=[OTHER, PROJECT, "none"]).execute(instance.context)
    result = instance.pushed["return_value"]
    assert [each.rpartition("/")[2] for each in result["copied"]] == [old.backup_id]
    assert [each.rpartition("/")[2] for each in result["failed"]] == [gone.backup_id]
    assert f"{bad.place.url} is damaged and is not copied" in capsys.readouterr().out


def test_an_empty_catalogue_is_an_error(near: Site) -> None:
    """A wrong backup_dir must not pass for a copy."""
    with pytest.raises(DliFailException, match="backup_dir: there is no backup in obs://obs-test/flink-backups"):
        near.copy()


def test_a_catalogue_is_not_copied_into_itself(near: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name before anything is sent, by its manifest where another connection has the same bucket."""
    make_backup(near.source, NIGHT)
    here = f"obs://{near.source.root}/"
    with pytest.raises(DliFailException, match=r"^target_dir: is backup_dir itself; give another bucket"):
        near.copy(target_dir=here)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_SAME", near.emulator.connection(retry_budget=0))
    with pytest.raises(DliFailException, match="is the backup itself, not a copy"):
        near.copy(target_dir=here, target_conn_id="dli_same")


@pytest.mark.parametrize(
    "name", ["archives/../../x.zip", "manifest.json", "archives//x.zip", "archives", "/x.zip"]
)
def test_a_name_that_leaves_the_directory_is_not_read(name: str) -> None:
    """Whoever may write a manifest must not choose where a copy is written."""
    with pytest.raises(ValueError, match="it is not below archives/"):
        Archive(name=name, size=1, etag="e")


def test_a_refused_key_is_used_once(near: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than five failures lock it."""
    for number in range(8):
        make_backup(near.source, NIGHT + number * DAY)
    connection = json.loads(near.emulator.connection(retry_budget=0))
    monkeypatch.setenv("AIRFLOW_CONN_DLI_WRONG", json.dumps({**connection, "password": "wrong"}))
    with pytest.raises(DliFailException, match="SignatureDoesNotMatch") as caught:
        near.copy(newest="all", target_conn_id="dli_wrong")
    assert caught.value.refuses_identity


#: copies two backups, one after the other, and prints by how many MB the second made the process grow
GROWTH = """
from airflow_provider_dli.operators.dli import DliCopyBackupsOperator
def copy(**given):
    places = {"backup_dir": "obs-test/flink-backups", "target_dir": "off-site", "target_conn_id": "dli_vault"}
    DliCopyBackupsOperator(task_id="copy", **places, **given).execute({})
    # Of this process alone: ru_maxrss begins with that of the one which started it.
    (peak,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
    return int(peak)
first = copy(project_ids="small")
print("grown by", (copy(project_ids="large") - first) // 1024)
"""


@pytest.mark.slow
def test_a_large_archive_passes_in_bounded_memory(
    dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch, airflow_home: Path
) -> None:
    """64 MB through this machine, and read again, need far less than 64 MB."""
    dli_emulator.s3.create_bucket(Bucket="off-site")
    dli_emulator.state.add_user("keeper", allow("off-site", *READ))
    given = {
        "AIRFLOW_CONN_DLI_DEFAULT": dli_emulator.connection(retry_budget=0),
        "AIRFLOW_CONN_DLI_VAULT": dli_emulator.connection(user="keeper", retry_budget=0),
    }
    for name, connection in given.items():
        monkeypatch.setenv(name, connection)
    source = catalogue_of(dli_emulator)
    make_backup(source, NIGHT, project_id="small")
    data = zipped({"100.jar": bytes(64 * 1024 * 1024)})
    make_backup(source, NIGHT, project_id="large", data=data)
    done = subprocess.run(
        [sys.executable, "-c", GROWTH],
        env={**untraced(), "AIRFLOW_HOME": str(airflow_home), **given},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "through this machine" in done.stdout
    assert int(done.stdout.rpartition("grown by ")[2]) < 40, done.stdout


@pytest.mark.slow
def test_jobs_are_restored_from_a_copy_in_another_region_with_the_source_gone(
    dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy is in a region of its own; the source is emptied; the archives of the copy bring the jobs back."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    archive = exported(dli_emulator, [100, 103])
    source = catalogue_of(dli_emulator)
    data = ObsHook().read(archive, 1 << 20)
    assert data
    make_backup(source, NIGHT, [100, 103], data=data)
    with Emulator(jobs=0, region="eu-west-101") as abroad:
        monkeypatch.setenv("AIRFLOW_CONN_DLI_ABROAD", abroad.connection(retry_budget=0))
        places = {"backup_dir": str(source.root), "target_dir": f"{abroad.bucket}/from-north"}
        DliCopyBackupsOperator(task_id="copy", target_conn_id="dli_abroad", **places).execute({})
        for entry in ObsHook().list_tree(ObsLocation(dli_emulator.bucket)):
            ObsHook().delete(ObsLocation(dli_emulator.bucket, entry.key))
        there = Catalogue(ObsHook("dli_abroad"), ObsLocation(abroad.bucket, "from-north"))
        (copy,) = there.backups()
        assert copy.manifest
        (copied,) = copy.manifest.archives
        jobs = restore(str(copy.archive(copied)), dli_conn_id="dli_abroad")
        assert sorted(job["old_job_id"] for job in jobs) == [100, 103]
        assert len(abroad.state.jobs) == 2
