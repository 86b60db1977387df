"""What a task instance keeps over its attempts."""

from __future__ import annotations

import random
from typing import Any

import pytest

from airflow_provider_dli.task_state import RequestLog, TaskState
from tests.airflow.stores import StateStore


def test_a_state_is_loaded_until_it_is_cleared() -> None:
    context = {"task_state_store": StateStore()}
    TaskState(context, "key").save({"number": 1})
    assert TaskState(context, "key").load() == {"number": 1}
    TaskState(context, "key").clear()
    assert TaskState(context, "key").load() == {}


def test_a_state_is_not_loaded_after_a_day() -> None:
    """Whoever clears the task later wants a new result."""
    store = StateStore()
    TaskState({"task_state_store": store}, "key").save({"number": 1})
    store.set("key", store.get("key") | {"since": "2026-01-01T00:00:00+00:00"})
    assert TaskState({"task_state_store": store}, "key").load() == {}


def test_without_a_store_nothing_is_kept() -> None:
    """Before Airflow 3.3."""
    context: dict[str, Any] = {}
    state, log = TaskState(context, "key"), RequestLog(context, "key")
    state.save({"number": 1})
    log.add({"number": 1})
    assert state.load() == {}
    assert log.records == [{"number": 1}]
    assert not log.is_persistent
    assert RequestLog(context, "key").records == []


def test_records_survive_an_attempt_and_end_in_one_step() -> None:
    """A cleared generation is not read again, wherever the process ended while its records were deleted."""
    store = StateStore()
    context = {"task_state_store": store}
    log = RequestLog(context, "key")
    for number in range(3):
        log.add({"number": number})
    assert [each["number"] for each in RequestLog(context, "key").records] == [0, 1, 2]
    leftovers = {name: value for name, value in store.kept.items() if name != "key"}
    log.clear()
    store.kept |= leftovers
    again = RequestLog(context, "key")
    again.add({"number": 9})
    assert [each["number"] for each in RequestLog(context, "key").records] == [9]


class Killed(BaseException):
    """Ends a process."""


class KillingStore(StateStore):
    """Kills its process at one of the next operations."""

    left: Any = None

    def set(self, key: str, value: Any) -> None:
        self._count()
        super().set(key, value)

    def delete(self, key: str) -> None:
        self._count()
        super().delete(key)

    def _count(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Killed


def test_a_new_generation_begins_in_one_step() -> None:
    """Wherever the process is killed, the old records are there or the new ones, and the head that is theirs."""
    seen = set()
    for operations in range(7):
        store = KillingStore()
        context = {"task_state_store": store}
        log = RequestLog(context, "key")
        for number in range(3):
            log.add({"number": number})
        store.left = operations
        if operations < 6:  # two records, the head, three old records
            with pytest.raises(Killed):
                log.restart([{"number": 1}, {"number": 2}], name="new")
        else:
            log.restart([{"number": 1}, {"number": 2}], name="new")
        again = RequestLog(context, "key")
        seen.add((again.head.get("name"), *[each["number"] for each in again.records]))
    assert seen == {(None, 0, 1, 2), ("new", 1, 2)}


def test_each_change_of_a_record_is_kept_wherever_the_process_is_killed() -> None:
    """A later attempt finds the records as they were before the change or after it, and goes on with them."""
    store, chance = KillingStore(), random.Random(1)
    log = RequestLog({"task_state_store": store}, "key")
    log.add([0])
    for number in range(1, 700):
        before = list(log.records)
        changed = chance.randrange(len(before)) if chance.random() < 0.4 else None
        store.left = chance.choice((0, 1, 1, 2, 2, 2))
        try:
            if changed is None:
                log.add([number])
            else:
                log.records[changed] = [number]
                log.update(changed)
            is_killed = False
        except Killed:
            is_killed = True
        after, store.left = list(log.records), None
        log = RequestLog({"task_state_store": store}, "key")
        assert log.records == after or (is_killed and log.records == before)
    assert len(store.kept) < 80
    log.clear()
    assert store.kept == {}
