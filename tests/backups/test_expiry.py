"""Deleting backups in a real store: complete, killed at every step, and by two tasks at once."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.expiry import DELETION_TIME, Expiry
from airflow_provider_dli.backups.manifest import EXPIRED, LISTED, MANIFEST
from airflow_provider_dli.backups.retention import hold, release
from airflow_provider_dli.backups.state import Backup
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.operators.dli import DliExpireBackupsOperator
from airflow_provider_dli.parameters.models import Retention
from dli_emulator import Emulator
from tests.backups.interrupted import Killed, StepwiseObsHook, killed_at
from tests.backups.made import PROJECT, catalogue_of, make_backup
from tests.backups.test_retention import policy

NIGHT = datetime(2026, 9, 1, 2, tzinfo=UTC)
DAY = timedelta(days=1)
LOG = logging.getLogger(__name__)


@pytest.fixture
def catalogue(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """Return an empty catalogue in the emulator's bucket."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    return catalogue_of(dli_emulator)


def expire(catalogue: Catalogue, rules: Retention, step: Callable[[int], None] | None = None) -> Expiry:
    """Expire as a task of its own, which reads the catalogue afresh."""
    obs = StepwiseObsHook(step or (lambda _: None))
    done = Expiry(Catalogue(obs, catalogue.root), rules, None, LOG)
    done.expire()
    return done


def states(catalogue: Catalogue) -> list[str]:
    """Return the states of all backups, oldest first, as a new reader sees them."""
    return [each.state for each in Catalogue(catalogue.obs, catalogue.root).backups()]


def again(catalogue: Catalogue, backup: Backup) -> Backup:
    """Return a backup as a new reader sees it."""
    found = Catalogue(catalogue.obs, catalogue.root).backup(backup.project_id, backup.backup_id)
    assert found
    return found


def nights(catalogue: Catalogue, jobs: Sequence[Sequence[int]]) -> list[Backup]:
    """Make a backup a night, of these jobs, two to an archive."""
    return [make_backup(catalogue, NIGHT + number * DAY, each, batch=2) for number, each in enumerate(jobs)]


def test_a_backup_that_no_rule_keeps_is_deleted(catalogue: Catalogue) -> None:
    """With all its objects; what is left shows what it was. Others are as they were."""
    made = nights(catalogue, [[100, 101, 102], [100, 101, 102], [100, 101, 102]])
    done = expire(catalogue, policy(keep_last=2))
    assert [each.backup_id for each in done.deleted] == [made[0].backup_id]
    assert [why for _, why in done.kept] == [
        "keep_last",
        "keep_last, newest verified backup of 3 jobs (100, 101, 102)",
    ]
    assert states(catalogue) == ["expired", "verified", "verified"]
    assert list(again(catalogue, made[0]).objects) == [EXPIRED]
    assert [again(catalogue, each) for each in made[1:]] == made[1:]
    left = json.loads(catalogue.obs.read(made[0].place.below(EXPIRED), 1 << 20) or b"")
    assert made[0].manifest
    assert (left["backup_id"], left["archives"], left["size"]) == (made[0].backup_id, 2, made[0].manifest.size)
    assert left["policy"] == "keep_last=2, timezone=UTC"


def test_expiring_twice_is_expiring_once(catalogue: Catalogue) -> None:
    """The second time nothing is written and nothing deleted."""
    nights(catalogue, [[100], [100], [100]])
    expire(catalogue, policy(keep_last=1))
    before = sorted(catalogue.obs.list_keys(catalogue.root))
    done = expire(catalogue, policy(keep_last=1))
    assert done.deleted == []
    assert sorted(catalogue.obs.list_keys(catalogue.root)) == before


def test_a_plan_deletes_nothing(catalogue: Catalogue, caplog: pytest.LogCaptureFixture) -> None:
    """It writes nothing either, and logs for each backup whether it is kept, and why."""
    made = nights(catalogue, [[100, 7], [100], [100]])
    before = sorted(catalogue.obs.list_keys(catalogue.root))
    operator = DliExpireBackupsOperator(
        task_id="expire", backup_dir=str(catalogue.root), keep_last="1", plan_only="True"
    )
    pushed: dict[str, Any] = {}
    result = operator.execute({"ti": _TaskInstance(pushed)})  # type: ignore[typeddict-item]
    with caplog.at_level(logging.INFO):
        Expiry(catalogue, policy(keep_last=1), None, LOG).expire(plan_only=True)
    assert sorted(catalogue.obs.list_keys(catalogue.root)) == before
    assert (result["kept"], result["to_delete"]) == (2, 1)
    assert [each["backup_id"] for each in pushed["to_delete"]] == [made[1].backup_id]
    assert pushed["kept"][0]["reason"] == "newest verified backup of 1 job (7)"
    assert "deleted" not in pushed
    for text in ("1 is to be deleted by ", "newest verified backup of 1 job (7)", "no rule keeps it", "Plan only"):
        assert text in caplog.text


class _TaskInstance:
    """What a task pushes to."""

    def __init__(self, pushed: dict[str, Any]) -> None:
        self._pushed = pushed
        self.dag_id, self.run_id, self.task_id, self.map_index = "nightly", "run", "expire", -1

    def xcom_push(self, key: str, value: object) -> None:
        self._pushed[key] = value


def test_the_task_pushes_what_it_deleted(catalogue: Catalogue) -> None:
    """Of each backup its id and the reason, and the sum of the bytes; the task is in what is left."""
    made = nights(catalogue, [[100], [100], [100]])
    operator = DliExpireBackupsOperator(task_id="expire", backup_dir=str(catalogue.root), keep_last=1)
    pushed: dict[str, Any] = {}
    result = operator.execute({"ti": _TaskInstance(pushed)})  # type: ignore[typeddict-item]
    assert made[0].manifest
    assert result["deleted"] == len(pushed["deleted"]) == 2
    assert result["deleted_bytes"] == 2 * made[0].manifest.size
    document = json.loads(catalogue.obs.read(made[0].place.below(EXPIRED), 1 << 20) or b"")
    assert document["run"]["task_id"] == "expire"


def test_killed_at_every_request(catalogue: Catalogue) -> None:
    """The next run finishes it: the same is left as without the kill, whatever was deleted before.

    In between the catalogue is as it should be: each job has its last verified backup, and none is half there.
    """
    # Before the second it only reads.
    for number in count(2):
        here = Catalogue(catalogue.obs, catalogue.root.below(str(number)))
        make_backup(here, NIGHT, [100, 101], batch=1)
        make_backup(here, NIGHT + DAY, [100, 101], with_settings=False)
        try:
            expire(here, policy(keep_last=1), killed_at(number))
        except Killed:
            pass
        else:
            break
        assert usable_jobs(here) == {100, 101}
        assert states(here) in (["verified", "verified"], ["expiring", "verified"], ["expired", "verified"])
        _forget_readers(here)
        done = expire(here, policy(keep_last=1))
        assert list(here.backups()[0].objects) == [EXPIRED], number
        assert len(done.deleted) <= 1
    assert number > 12


def _forget_readers(catalogue: Catalogue) -> None:
    """Let a day go by for readers that were killed."""
    for backup in catalogue.backups():
        for record in backup.of_kind("reading"):
            catalogue.delete_record(backup, record)


def test_a_deletion_that_was_killed_is_given_up_if_a_rule_keeps_the_backup_now(catalogue: Catalogue) -> None:
    """Not before the task that began it must have ended; then the backup is usable again."""
    made = nights(catalogue, [[100], [100], [100]])
    now = catalogue.now()
    catalogue.record(made[1], "expiring", {}, at=now - 2 * DELETION_TIME + timedelta(minutes=1))
    expire(catalogue, policy(keep_last=3))
    assert states(catalogue) == ["verified", "expiring", "verified"]
    for record in again(catalogue, made[1]).records:
        catalogue.delete_record(made[1], record)
    catalogue.record(made[1], "expiring", {}, at=now - 2 * DELETION_TIME - timedelta(minutes=1))
    expire(catalogue, policy(keep_last=3))
    assert states(catalogue) == ["verified"] * 3


def test_held_backups_are_kept(catalogue: Catalogue) -> None:
    """Until they are released, by however many holds."""
    made = nights(catalogue, [[100], [100]])
    hold(catalogue, made[0], "audit 2026-17")
    hold(catalogue, made[0], "ticket 4711")
    found = again(catalogue, made[0])
    assert found.is_held
    assert [catalogue.read_record(found, each) for each in found.of_kind("hold")] != [{}, {}]
    assert expire(catalogue, policy(keep_last=1)).deleted == []
    assert release(catalogue, made[0]) == 2
    assert release(catalogue, made[0]) == 0
    assert len(expire(catalogue, policy(keep_last=1)).deleted) == 1
    with pytest.raises(DliFailException, match="cannot be held: it is expired"):
        hold(catalogue, made[0], "too late")
    assert list(again(catalogue, made[0]).objects) == [EXPIRED]


def test_a_hold_needs_a_reason_and_a_backup(catalogue: Catalogue) -> None:
    """One that is being deleted, or has no manifest, cannot be held: nothing would come of it."""
    made = nights(catalogue, [[100], [100]])
    with pytest.raises(DliFailException, match="reason: is empty"):
        hold(catalogue, made[0], " ")
    catalogue.record(made[0], "expiring", {})
    catalogue.obs.delete(made[1].place.below(MANIFEST))
    for each, state in zip(made, ("expiring", "incomplete"), strict=True):
        with pytest.raises(DliFailException, match=f"cannot be held: it is {state}"):
            hold(catalogue, each, "audit")
        assert not again(catalogue, each).is_held


def test_what_the_manifest_does_not_name_stays(catalogue: Catalogue) -> None:
    """Somebody may have put it there; also in a directory without a manifest, and beside all of them."""
    made = nights(catalogue, [[100], [100]])
    others = [
        made[0].place.below("archives/batch-0001/aggregate_9.zip"),
        made[0].place.below("notes.txt"),
        catalogue.place(PROJECT, catalogue.new_id(NIGHT)).below("archives/a.zip"),
        catalogue.root.below("readme.txt"),
    ]
    for each in others:
        catalogue.obs.put(each, b"x", "text/plain")
    assert len(expire(catalogue, policy(keep_last=1)).deleted) == 1
    assert expire(catalogue, policy(keep_last=1)).deleted == []
    for each in others:
        assert catalogue.obs.find(each)
    assert catalogue.obs.find(made[0].place.below(MANIFEST)) is None


def test_nothing_else_of_ours_stays(catalogue: Catalogue) -> None:
    """Also the list of jobs that a later attempt of the backup would have read; also of an earlier expiry."""
    made = nights(catalogue, [[100], [100]])
    listed = made[0].place.below(LISTED)
    for _ in range(2):
        catalogue.obs.put(listed, b"x", "application/gzip")
        expire(catalogue, policy(keep_last=1))
        assert list(again(catalogue, made[0]).objects) == [EXPIRED]


def test_a_backup_beside_which_somebody_wrote_expired_json_is_left_alone(catalogue: Catalogue) -> None:
    """Archives are deleted before it is written, so it is not ours."""
    made = nights(catalogue, [[100], [100]])
    catalogue.obs.put(made[0].place.below(EXPIRED), b"{}", "application/json")
    expire(catalogue, policy(keep_last=1))
    assert set(again(catalogue, made[0]).objects) == {*made[0].objects, EXPIRED}


def test_refused_deletions(catalogue: Catalogue, dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive that must not be deleted: the others are, and the backup can be used as before."""
    made = nights(catalogue, [[100], [100], [100]])
    bucket, rest = dli_emulator.bucket, "obs:*:*:object:"
    may_delete = [f"{rest}{made[1].place}/*", f"{rest}{made[0].place}/records/*"]
    policies = [
        _allow(["obs:object:DeleteObject"], may_delete),
        _allow(
            ["obs:bucket:ListBucket", "obs:object:GetObject", "obs:object:PutObject"],
            [f"obs:*:*:bucket:{bucket}", f"{rest}{bucket}/*"],
        ),
    ]
    dli_emulator.state.add_user("svc", *policies)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(user="svc", retry_budget=0))
    with pytest.raises(
        DliFailException, match=r"^1 of 2 backups could not be deleted: .*retention period"
    ) as caught:
        expire(catalogue, policy(keep_last=1))
    assert caught.value.error
    assert made[0].backup_id in str(caught.value)
    assert states(catalogue) == ["verified", "expired", "verified"]
    assert again(catalogue, made[0]) == made[0]


def test_a_key_that_may_not_delete_leaves_backups_as_they_are(
    catalogue: Catalogue, dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All can still be restored."""
    nights(catalogue, [[100], [100]])
    everything = [f"obs:*:*:bucket:{dli_emulator.bucket}", f"obs:*:*:object:{dli_emulator.bucket}/*"]
    actions = ["obs:bucket:ListBucket", "obs:object:GetObject", "obs:object:PutObject"]
    dli_emulator.state.add_user("svc", _allow(actions, everything))
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(user="svc", retry_budget=0))
    with pytest.raises(DliFailException, match="needs the permission to delete objects"):
        expire(catalogue, policy(keep_last=1))
    assert states(catalogue) == ["verified", "verified"]


def _allow(actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": resources}]}


def test_a_store_in_trouble_is_a_matter_for_the_next_attempt(catalogue: Catalogue) -> None:
    """Whether an archive was deleted is not known, so the backup stays as it is until then."""
    nights(catalogue, [[100], [100]])

    class Trouble(StepwiseObsHook):
        def delete(self, place: ObsLocation) -> None:
            if place.is_archive:
                raise DliException(f"{place.url}: HTTP 503")
            super().delete(place)

    obs = Trouble(lambda _: None)
    with pytest.raises(DliException, match="503"):
        Expiry(Catalogue(obs, catalogue.root), policy(keep_last=1), None, LOG).expire()
    assert states(catalogue) == ["expiring", "verified"]
    assert len(expire(catalogue, policy(keep_last=1)).deleted) == 1
    assert states(catalogue) == ["expired", "verified"]


# Two at once.


def meanwhile(number: int, action: Callable[[], object]) -> Callable[[int], None]:
    """Return a step that does something else before the n-th request."""
    done: list[int] = []

    def step(count: int) -> None:
        if count == number and not done:
            done.append(count)
            action()

    return step


def usable_jobs(catalogue: Catalogue) -> set[int]:
    """Return the jobs that have a usable backup."""
    fresh = Catalogue(catalogue.obs, catalogue.root)
    return {job.job_id for each in fresh.backups() if each.is_usable() for job in fresh.jobs(each)}


def test_two_expiries_at_once(catalogue: Catalogue) -> None:
    """At every request of the first the second runs, from its start to its end or, each other time, until a kill.

    Their listings differ: in between the newest backup fails its verification.
    """
    for number in count(2):
        here = Catalogue(catalogue.obs, catalogue.root.below(f"{number}"))
        made = nights(here, [[100, 101], [100, 101], [100]])
        ran: list[int] = []

        def other(here: Catalogue = here, made: list[Backup] = made, ran: list[int] = ran) -> None:
            ran.append(1)
            here.record(made[2], "verification", {}, "failed")
            with suppress(Killed):
                expire(here, policy(keep_last=1), killed_at(3 + number) if number % 2 else None)  # noqa: B023

        expire(here, policy(keep_last=1), meanwhile(number, other))
        assert usable_jobs(here) == {100, 101}, (number, states(here))
        _forget_readers(here)
        expire(here, policy(keep_last=1))
        assert states(here) == ["expired", "verified", "damaged" if ran else "verified"], number
        if not ran:
            break
    assert number > 12


def test_whoever_would_delete_the_last_one_gives_up(catalogue: Catalogue) -> None:
    """The protector is being deleted, damaged or gone by the time of the second listing: the backup is kept."""
    for number, change in enumerate(
        (
            lambda here, it: here.record(it, "expiring", {}),
            lambda here, it: here.record(it, "verification", {}, "failed"),
            lambda here, it: here.obs.delete(it.place.below("archives/batch-0001/aggregate_1.zip")),
            lambda here, it: here.obs.put(it.place.below(MANIFEST), b"{}", "application/json"),
            lambda here, it: [here.obs.delete(it.place.below(name)) for name in it.objects],
        )
    ):
        here = Catalogue(catalogue.obs, catalogue.root.below(f"{number}"))
        made = nights(here, [[100], [100]])
        # a listing, a reader's record and its deletion, the record: then it lists again
        done = expire(here, policy(keep_last=1), meanwhile(6, lambda h=here, m=made, c=change: c(h, m[1])))  # type: ignore[misc]
        assert done.deleted == []
        assert made[1].backup_id in done.kept[-1][1]
        assert again(here, made[0]) == made[0]


def test_a_reader_meets_an_expiry(catalogue: Catalogue) -> None:
    """At every request of the expiry a restore begins: either it is refused, or what it reads is kept."""
    outcomes = set()
    for number in count(2):
        here = Catalogue(catalogue.obs, catalogue.root.below(f"{number}"))
        made = nights(here, [[100], [100]])
        reading: list[Any] = []

        def begin(here: Catalogue = here, made: list[Backup] = made, reading: list[Any] = reading) -> None:
            block = here.reading(made[0], {})
            try:
                block.__enter__()
            except DliFailException:
                reading.append(None)
            else:
                reading.append(block)

        expire(here, policy(keep_last=1), meanwhile(number, begin))
        if not reading:
            break
        is_there = again(here, made[0]).state == "verified"
        outcomes.add((reading[0] is not None, is_there))
        if reading[0]:
            assert is_there, number
            reading[0].__exit__(None, None, None)
    assert outcomes >= {(True, True), (False, False)}


def test_an_expiry_meets_a_reader(catalogue: Catalogue) -> None:
    """At every request of a restore that begins an expiry runs: the same holds."""
    outcomes = set()
    for number in count(1):
        root = catalogue.root.below(f"{number}")
        made = nights(Catalogue(catalogue.obs, root), [[100], [100]])
        ran: list[int] = []

        def run(root: Any = root, ran: list[int] = ran) -> None:
            ran.append(1)
            expire(Catalogue(catalogue.obs, root), policy(keep_last=1))

        here = Catalogue(StepwiseObsHook(meanwhile(number, run)), root)
        here.now()
        try:
            with here.reading(made[0], {}):
                assert again(here, made[0]).state == "verified", number
                outcomes.add("read")
        except DliFailException as failure:
            outcomes.add("refused" if "is being deleted" in str(failure) else str(failure))
        if not ran:
            break
    assert outcomes == {"read", "refused"}


def test_a_hold_meets_an_expiry(catalogue: Catalogue) -> None:
    """At every request of the expiry somebody holds the backup: it is refused, or the backup is kept."""
    for number in count(2):
        here = Catalogue(catalogue.obs, catalogue.root.below(f"{number}"))
        made = nights(here, [[100], [100]])
        held: list[bool] = []

        def begin(here: Catalogue = here, made: list[Backup] = made, held: list[bool] = held) -> None:
            try:
                hold(here, made[0], "audit")
            except DliFailException:
                held.append(False)
            else:
                held.append(True)

        expire(here, policy(keep_last=1), meanwhile(number, begin))
        if not held:
            break
        assert (again(here, made[0]).state == "verified") == held[0], number
