"""Seeded histories of a catalogue in a real store: what must hold, whatever happens, in whatever order.

``python -m tests.backups.histories 1000`` runs a thousand, and prints what happened in them; with ``1 --seed 7``
that of one seed.

A history is some weeks of full and incremental backups at three levels, of jobs that come, change and go;
verifications that fail, and succeed again; archives that change or vanish; holds; restores; and expiries with
changing rules. Tasks are killed before any of their requests, and two or three run at once, one request of either
after the other in a seeded order. The clock of the store is months behind that of this machine, and each task
knows it to two seconds.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.expiry import Expiry
from airflow_provider_dli.backups.incremental import unchanged_jobs, youngest_copies
from airflow_provider_dli.backups.manifest import EXPIRED, LEVELS, MANIFEST, RECORDS, Job, Level
from airflow_provider_dli.backups.retention import hold, rank, release
from airflow_provider_dli.backups.state import Backup, newest_usable, usable
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.exceptions import DliFailException
from dli_emulator import Emulator
from tests.backups.interrupted import Killed, StepwiseObsHook
from tests.backups.made import PROJECT, make_backup
from tests.backups.test_retention import policy

if TYPE_CHECKING:
    from airflow_provider_dli.client.obs.objects import Entry
    from airflow_provider_dli.parameters.models import Retention

_START = datetime(2026, 3, 1, 2, tzinfo=UTC)
_JOBS = range(100, 106)
_STEPS = 14
_WORKERS = 3
_SUITE = 20
_TICKS = count(1)
_LOG = logging.getLogger(__name__)
_LOG.setLevel(logging.ERROR)


class Worker(StepwiseObsHook):
    """The hook of a worker, whose tasks all use it; what it knows of the store's clock is wrong by up to 2 s."""

    def __init__(self) -> None:
        super().__init__(lambda _: None)
        self.time, self.error = 0.0, 0.0
        #: number of the request of all workers that this one has sent last, and of its last listing
        self.tick, self.listed = 0, 0
        #: of each backup, the last listing before its first archive was deleted
        self.checked: dict[str, int] = {}

    def begin(self, step: Callable[[int], None], time: float, error: float) -> None:
        """Begin another task."""
        self._step, self.count, self._is_dead = step, 0, False
        self.time, self.error = time, error

    def _next(self) -> None:
        super()._next()
        self.tick = next(_TICKS)

    def list_tree(self, directory: ObsLocation) -> Iterator[Entry]:
        entries = list(super().list_tree(directory))
        self.listed = self.tick
        yield from entries

    def delete(self, place: ObsLocation) -> None:
        super().delete(place)
        if place.is_archive:
            self.checked.setdefault(place.key.split("/")[3], self.listed)

    @property
    def clock_offset(self) -> float | None:
        return self.error

    def service_time(self) -> float:
        return self.time + self.error


class Turns:
    """Lets several tasks run at once, so that before each request it is decided whose turn it is."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._go: dict[int, threading.Event] = {}
        self._arrived = threading.Semaphore(0)

    def wait(self, number: int) -> None:
        """Wait until it is the turn of this task."""
        self._arrived.release()
        self._go[number].wait()
        self._go[number].clear()

    def run(self, tasks: list[Callable[[], None]]) -> None:
        """Run them to their ends; raise what any of them raises."""
        failures: list[BaseException] = []
        over: set[int] = set()

        def live(number: int, task: Callable[[], None]) -> None:
            try:
                self.wait(number)
                task()
            except BaseException as failure:  # noqa: BLE001 -- raised below
                failures.append(failure)
            finally:
                over.add(number)
                self._arrived.release()

        threads = []
        for number, task in enumerate(tasks):
            self._go[number] = threading.Event()
            threads.append(threading.Thread(target=live, args=(number, task)))
            threads[-1].start()
            self._arrived.acquire()
        while left := [number for number in range(len(tasks)) if number not in over]:
            self._go[self._chance.choice(left)].set()
            self._arrived.acquire()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]


@dataclass
class History:
    """A history of its own seed, in a directory of its own.

    :param workers: whose hooks it uses
    :param seen: what happened, counted
    """

    seed: int
    bucket: str
    workers: list[Worker]
    seen: Counter[str] = field(default_factory=Counter)
    #: of each backup that was written to its end: its jobs, each whether it was found, and what its archives were
    jobs: dict[str, dict[int, bool | None]] = field(default_factory=dict)
    archives: dict[str, dict[str, str]] = field(default_factory=dict)
    #: of each, the digests of the settings of its jobs
    digests: dict[str, dict[int, str]] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.now = _START
        self.root = ObsLocation(self.bucket, f"histories/{self.seed}")
        self.live = set(_JOBS[:3])
        #: how often the settings of each job have changed
        self.changes = Counter[int]()
        self._manifests: dict[Any, Any] = {}
        #: what each job could be restored from, at each level, after the last step
        self.before: dict[tuple[int, str], set[str]] = {}
        self.observer = self.catalogue(self.workers[-1])

    def catalogue(self, worker: Worker) -> Catalogue:
        """Return the catalogue as a worker sees it; manifests never change, so all share what they have read."""
        return Catalogue(worker, self.root, self._manifests)

    def run(self) -> None:
        """Live through it; raise AssertionError if something does not hold."""
        steps: dict[Callable[[], dict[str, int] | None], int] = {
            self.night: 6,
            self.expire: 5,
            self.meet: 5,
            self.verify: 2,
            self.rot: 1,
            self.hold_or_release: 1,
            self.change_jobs: 3,
        }
        self.night()
        self.check({})
        for _ in range(_STEPS):
            self.now += timedelta(hours=self.chance.choice((0, 2, 5, 25, 25, 25, 60)))
            (step,) = self.chance.choices(list(steps), list(steps.values()))
            self.seen[step.__name__] += 1
            for worker in self.workers:
                worker.checked.clear()
            self.check(step() or {})
        self.finish()

    # What must hold.

    def listed(self) -> list[Backup]:
        self.workers[-1].begin(lambda _: None, self.now.timestamp(), 0)
        return self.observer.backups()

    def usable(self, backups: list[Backup]) -> dict[tuple[int, str], set[str]]:
        """Return the intact backups of each job, at each level, and those in which it was found.

        One whose expiry was killed before it deleted an archive is put back by a later one, and not lost.
        """
        found: dict[tuple[int, str], set[str]] = {}
        for backup in backups:
            for level in LEVELS:
                if rank(backup) > LEVELS.index(level):
                    for job, is_found in self.jobs[backup.backup_id].items():
                        for proof in (level, f"found, {level}") if is_found else (level,):
                            found.setdefault((job, proof), set()).add(backup.backup_id)
        return found

    def youngest(self) -> dict[tuple[int, str], tuple[datetime, str]]:
        """Return the time and the id of the youngest usable backup of each job, at each level."""
        found: dict[tuple[int, str], tuple[datetime, str]] = {}
        for level in LEVELS:
            for backup in usable(self.listed(), level=level):
                for job in self.jobs[backup.backup_id]:
                    found.setdefault((job, level), (backup.exported_at, backup.backup_id))
        return found

    def check(self, damaged: dict[str, int]) -> None:
        """Check all of it, after a step.

        :param damaged: backups that something else than an expiry has damaged since, and when
        """
        backups = self.listed()
        before, self.before = self.before, self.usable(backups)
        checked = {key: at for worker in self.workers for key, at in worker.checked.items()}
        for job, had in before.items():
            # No expiry can know what is damaged after it has relied on it.
            relied = max((checked[key] for key in had if key in checked), default=0)
            later = max((damaged.get(key, 0) for key in had), default=0) > relied > 0
            assert job in self.before or later or not had - damaged.keys(), (self.seed, "lost", job, had)
        for backup in backups:
            key = backup.backup_id
            if MANIFEST not in backup.objects:
                assert backup.state in ("incomplete", "expired"), (self.seed, key)
                assert newest_usable([backup]) is None
            if backup.state == "verified":
                assert key in self.jobs, (self.seed, "never complete", key)
            if backup.manifest:
                named = {each.name: each.etag for each in backup.manifest.archives}
                assert named == self.archives[key], (self.seed, "not verified", key)
            if key in self.held:
                assert backup.state in ("verified", "damaged"), (self.seed, "held", key)
        known = {backup.backup_id for backup in backups}
        assert self.held <= known, (self.seed, "held and gone")

    def finish(self) -> None:
        """Check that in the end nothing is half done: two days later, one expiry finishes all that was begun."""
        self.now += timedelta(days=2)
        rules = policy(keep_last=1)
        self.task(0, lambda it: self.delete(it, rules), kill=False)
        self.check({})
        for backup in self.listed():
            assert backup.state != "expiring", (self.seed, backup.backup_id)
            if backup.state == "expired":
                assert set(backup.objects) == {EXPIRED}, (self.seed, list(backup.objects))
        keys = sorted(self.workers[-1].list_keys(self.root))
        self.task(0, lambda it: self.delete(it, rules), kill=False)
        assert sorted(self.workers[-1].list_keys(self.root)) == keys, (self.seed, "expired twice")

    # What happens.

    def task(
        self, number: int, work: Callable[[Catalogue], None], *, kill: bool, turns: Turns | None = None
    ) -> None:
        """Run a task on a worker, perhaps until it is killed."""
        deadline = self.chance.randint(1, 25) if kill else 0

        def step(count: int) -> None:
            if turns:
                turns.wait(number)
            if count == deadline:
                raise Killed

        self.workers[number].begin(step, self.now.timestamp(), self.chance.uniform(-2, 2))
        try:
            work(self.catalogue(self.workers[number]))
        except Killed:
            self.seen["killed"] += 1

    def rules(self) -> Retention:
        names = self.chance.sample(
            ["keep_last", "keep_daily", "keep_weekly", "keep_within"], self.chance.choice((1, 1, 2))
        )
        values = {name: self.chance.randint(1, 3) for name in names}
        if "keep_within" in values:
            values["keep_within"] *= 40 * 3600
        return policy(**values, timezone=self.chance.choice(("UTC", "Asia/Shanghai")))

    def delete(self, catalogue: Catalogue, rules: Retention) -> None:
        done = Expiry(catalogue, rules, None, _LOG)
        try:
            done.expire()
        finally:
            self.seen["deleted"] += len(done.deleted)

    def back_up(self, catalogue: Catalogue) -> None:
        """Back up the jobs that there are, or some."""
        self.now += timedelta(seconds=1)
        levels: tuple[Level, ...] = ("full", "full", "directory", "exists")
        jobs, level = sorted(self.live), self.chance.choice(levels)
        if self.chance.random() < 0.5:
            self.changes[self.chance.choice(jobs)] += 1
        if self.chance.random() < 0.4:
            self.back_up_changed(catalogue, jobs, level)
            return
        if self.chance.random() < 0.3:
            jobs = self.chance.sample(jobs, self.chance.randint(1, len(jobs)))
        self.make(catalogue, jobs, level)

    def back_up_changed(self, catalogue: Catalogue, jobs: list[int], level: Level) -> None:
        """Back up what has changed: then every job could be brought back as it is."""
        copies = youngest_copies(catalogue, PROJECT, jobs, level, _LOG)
        rows = [
            Job(job_id=job, name=f"job_{job}", job_type="", status="", digest=self.digest(job)) for job in jobs
        ]
        omitted = unchanged_jobs(rows, copies)
        self.seen["omitted"] += len(omitted)
        if changed := [job for job in jobs if job not in omitted]:
            self.make(catalogue, changed, level, {backup.backup_id for backup in omitted.values()})
        youngest = self.youngest()
        for job in jobs:
            _, key = youngest[job, level]
            assert self.digests[key][job] == self.digest(job), (self.seed, "not as it is", job, key)

    def digest(self, job: int) -> str:
        return f"digest-{job}-{self.changes[job] % 2}"

    def make(self, catalogue: Catalogue, jobs: Iterable[int], level: Level, bases: Iterable[str] = ()) -> None:
        found = {job: None if level == "exists" else self.chance.choice((True, True, True, None)) for job in jobs}
        digests = {job: self.digest(job) for job in jobs}
        kept: dict[str, Any] = {"with_settings": False, "in_archive": found, "bases": sorted(bases)}
        made = make_backup(catalogue, self.now, digests, level=level, batch=2, **kept)
        assert made.manifest
        self.jobs[made.backup_id], self.digests[made.backup_id] = found, digests
        self.archives[made.backup_id] = {
            each.name: made.objects[each.name].etag for each in made.manifest.archives
        }

    def night(self) -> None:
        """Make a backup, which may be killed half way: then it is none."""
        kill = self.chance.random() < 0.15
        self.task(0, self.back_up, kill=kill)
        for backup in self.listed() if kill else ():
            # It was killed after it had written the manifest.
            if backup.manifest and backup.backup_id not in self.jobs:
                jobs = list(self.observer.jobs(backup))
                self.jobs[backup.backup_id] = {job.job_id: job.in_archive for job in jobs}
                self.digests[backup.backup_id] = {job.job_id: job.digest for job in jobs}
                self.archives[backup.backup_id] = {each.name: each.etag for each in backup.manifest.archives}

    def expire(self) -> None:
        """Delete by some rules; killed, or to the end and then once more, which changes nothing."""
        rules, kill, before = self.rules(), self.chance.random() < 0.5, self.youngest()
        self.task(0, lambda it: self.delete(it, rules), kill=kill)
        if not kill:
            keys = sorted(self.workers[-1].list_keys(self.root))
            self.task(1, lambda it: self.delete(it, rules), kill=False)
            assert sorted(self.workers[-1].list_keys(self.root)) == keys, (self.seed, "expired twice")
        after = self.youngest()
        for job, copy in before.items():
            assert after[job] >= copy, (self.seed, "not as it was backed up last", job, copy)

    def meet(self) -> dict[str, int]:
        """Let two or three tasks run at once, of which one or two delete."""
        damaged: dict[str, int] = {}
        others = [self.delete_some, self.delete_some, self.restore, self.verifier(damaged), self.holder]
        works = [self.delete_some, *self.chance.sample(others, self.chance.choice((1, 1, 2)))]
        turns = Turns(self.chance)
        kills = [self.chance.random() < 0.3 for _ in works]
        # The observer has the last worker to itself.
        turns.run([partial(self.task, n, work, kill=kills[n], turns=turns) for n, work in enumerate(works)])
        return damaged

    def delete_some(self, catalogue: Catalogue) -> None:
        self.delete(catalogue, self.rules())

    def restore(self, catalogue: Catalogue) -> None:
        """Read a backup: while that lasts, all of it stays."""
        backups = [each for each in catalogue.backups() if each.is_usable()]
        if not backups:
            return
        backup = self.chance.choice(backups)
        try:
            with catalogue.reading(backup, {"task": "restore"}):
                for _ in range(self.chance.randint(1, 6)):
                    found = catalogue.backup(PROJECT, backup.backup_id)
                    assert found
                    gone = {each for each in backup.objects if each not in found.objects}
                    assert all(each.startswith(RECORDS) for each in gone), (self.seed, "read", gone)
                self.seen["restored"] += 1
        except DliFailException as failure:
            self.seen["restore refused" if "is being deleted" in str(failure) else str(failure)] += 1

    def verifier(self, damaged: dict[str, int]) -> Callable[[Catalogue], None]:
        """Return a verification that fails, or that succeeds where one had failed."""

        def verify(catalogue: Catalogue) -> None:
            backups = [each for each in catalogue.backups() if each.state in ("verified", "damaged")]
            if backups:
                backup = self.chance.choice(backups)
                passed = not backup.changes and self.chance.random() < 0.6
                catalogue.record(backup, "verification", {}, "passed" if passed else "failed")
                if not passed:
                    damaged[backup.backup_id] = max(worker.tick for worker in self.workers)

        return verify

    def holder(self, catalogue: Catalogue) -> None:
        backups = [each for each in catalogue.backups() if each.is_usable()]
        if backups:
            backup = self.chance.choice(backups)
            try:
                hold(catalogue, backup, "audit")
            except DliFailException:
                self.seen["hold refused"] += 1
            else:
                self.held.add(backup.backup_id)

    def verify(self) -> dict[str, int]:
        """Verify a backup again."""
        damaged: dict[str, int] = {}
        self.task(0, self.verifier(damaged), kill=False)
        return damaged

    def rot(self) -> dict[str, int]:
        """Lose or change an archive."""
        found = [each for each in self.listed() if each.manifest]
        if not found:
            return {}
        backup = self.chance.choice(found)
        assert backup.manifest
        place = backup.archive(self.chance.choice(backup.manifest.archives))
        if self.chance.random() < 0.5:
            self.workers[-1].delete(place)
        else:
            self.workers[-1].put(place, b"rotten", "application/zip")
        return {backup.backup_id: self.workers[-1].tick}

    def hold_or_release(self) -> None:
        """Hold a backup, or release one."""
        if self.held and self.chance.random() < 0.5:
            key = self.chance.choice(sorted(self.held))
            (backup,) = [each for each in self.listed() if each.backup_id == key]
            release(self.observer, backup)
            self.held.remove(key)
        else:
            self.task(0, self.holder, kill=False)

    def change_jobs(self) -> None:
        """Change a job, create one, or delete one for good."""
        job = self.chance.choice(_JOBS)
        if self.chance.random() < 0.5:
            self.changes[job] += 1
        elif job in self.live and len(self.live) > 1:
            self.live.remove(job)
        else:
            self.live.add(job)


def run(seeds: range, bucket: str) -> Counter[str]:
    """Run histories one after the other; return what happened in them.

    :raises AssertionError: for the first of them in which something does not hold
    """
    workers, seen = [Worker() for _ in range(_WORKERS + 1)], Counter[str]()
    for seed in seeds:
        history = History(seed, bucket, workers)
        history.run()
        seen += history.seen
        seen["backups"] += len(history.jobs)
    return seen


@contextmanager
def _emulated() -> Iterator[str]:
    with Emulator() as emulator:
        os.environ["AIRFLOW_CONN_DLI_DEFAULT"] = emulator.connection(retry_budget=0)
        yield emulator.bucket


def main() -> None:
    """Run as many histories as the command line has, or that of one seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=_SUITE)
    parser.add_argument("--seed", type=int, default=0, help="the first, or with count 1 the only one")
    given = parser.parse_args()
    done, seen, end = 0, Counter[str](), given.seed + given.count
    with _emulated() as bucket:
        for first in range(given.seed, end, _SUITE):
            seeds = range(first, min(first + _SUITE, end))
            seen += run(seeds, bucket)
            done += len(seeds)
            listed = ", ".join(f"{name} {number:,}" for name, number in sorted(seen.items()))
            print(f"{done:,} histories: {listed}", flush=True)  # noqa: T201 -- a command


if __name__ == "__main__":
    main()
