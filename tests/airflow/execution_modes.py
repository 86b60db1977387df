"""Carry a task through to its end, on a worker alone or over the triggerer."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from importlib import import_module
from typing import Any

import pytest

from airflow_provider_dli.compat import TaskDeferred
from airflow_provider_dli.triggers.base import PollingTrigger
from tests.airflow.stores import TaskInstance

#: what a test is given as ``deferrable``
both_modes = pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "triggerer"])


def first_event(waiting: TaskDeferred) -> Any:
    """Make a trigger again from its row, as a triggerer does, and let it fire; return the event's payload."""
    path, fields = waiting.trigger.serialize()
    module, _, name = path.rpartition(".")
    remade = getattr(import_module(module), name)(**json.loads(json.dumps(fields)))
    return json.loads(json.dumps(asyncio.run(event_of(remade))))


async def event_of(trigger: PollingTrigger) -> dict[str, Any]:
    """Let a trigger fire; return the event's payload."""
    async for event in trigger.run():
        payload: dict[str, Any] = event.payload
        return payload
    raise AssertionError("it ended without an event")


def run_to_completion(operator: Any, instance: TaskInstance | None = None) -> Any:
    """Run a task to its end, however often it waits on the triggerer; its result."""
    context = (instance or TaskInstance()).context
    run: Any = operator.execute
    while True:
        try:
            return run(context)
        except TaskDeferred as waiting:
            # As dag.test() does, which hands over the event and no other arguments.
            run = partial(operator.resume_execution, waiting.method_name, {"event": first_event(waiting)})


def jobs_of(operator: Any, instance: TaskInstance | None = None) -> list[dict[str, Any]]:
    """Run a task to its end; the jobs that it pushes, whose ids are its result."""
    instance = instance or TaskInstance()
    result = run_to_completion(operator, instance)
    jobs: list[dict[str, Any]] = instance.pushed["jobs"]
    assert result == [job["job_id"] for job in jobs]
    return jobs
