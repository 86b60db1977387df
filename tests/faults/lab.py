"""The fault lab: every task with every fault, over real sockets, against the emulator and a real store.

``python -m tests.faults.lab`` runs all cells and writes ``outcomes.csv``: check what has changed there.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_dli.compat import AirflowSensorTimeout, AirflowSkipException
from airflow_provider_dli.exceptions import DliException, DliFailException
from dli_emulator import Emulator
from dli_emulator.routes import find_route
from dli_emulator.wire import Request
from tests.airflow.execution_modes import run_to_completion
from tests.airflow.stores import TaskInstance
from tests.connections import connected
from tests.faults.kinds import KINDS, Kind
from tests.faults.proxy import FaultProxy
from tests.faults.table import OUTCOMES
from tests.faults.tasks import OTHER, TASKS, Lab, Task

#: how a task may end, and how the table writes it
ENDS: tuple[tuple[type[BaseException], str], ...] = (
    (DliFailException, "F"),
    (DliException, "R"),
    (AirflowSkipException, "K"),
    (AirflowSensorTimeout, "T"),
)
SUCCESS, FOREIGN = "S", "!"
#: a seed after which the first draws are small: the jitter of retries takes next to no time
_SMALL_DRAWS = 1_033_328
#: requests that one attempt may send, and seconds that it may take, whatever goes wrong; far more than any needs
MOST_REQUESTS, MOST_SECONDS = 80, 120


@dataclass
class Cell:
    """The outcome of a task that met a fault.

    :param outcome: how its first attempt ended
    :param struck: how many requests the fault struck
    :param problems: which promises were broken
    """

    outcome: str
    struck: int = 0
    problems: list[str] = field(default_factory=list)


def cells() -> Iterator[tuple[Task, Kind]]:
    """Return every task with every fault that can strike it."""
    for task in TASKS:
        for kind in KINDS:
            fits = kind.operations is None or kind.operations & set(task.operations)
            if task.service in kind.service.split() and fits:
                yield task, kind


@contextmanager
def open_lab(emulator: Emulator) -> Iterator[Lab]:
    """Put a proxy before each service."""
    with FaultProxy(emulator.dli, _dli_operation) as dli, FaultProxy(emulator.obs, _obs_operation) as obs:
        lab = Lab(emulator, dli, obs)
        dli.context = obs.context = lab
        yield lab


def run_cell(lab: Lab, task: Task, kind: Kind, read_log: Callable[[], str]) -> Cell:
    """Have a task meet a fault; then, if it has failed, have it run once more without one.

    :param read_log: returns what was logged since it was last called
    """
    _prepare(lab, task, kind)
    read_log()
    instance = TaskInstance()
    with connected(_connections(lab, kind)):
        operator = task.begin(lab)
        proxy = lab.dli if task.service == "dli" else lab.obs
        every = frozenset(task.operations)
        rule = proxy.strike(every & kind.operations if kind.operations else every, kind.strike, kind.times)
        cell, text = _attempt(lab, task, operator, instance)
        text += read_log()
        cell.struck = rule.struck
        for each in (lab.dli, lab.obs):
            each.clear()
    lab.is_old = False
    if cell.outcome not in (SUCCESS, FOREIGN):
        with connected(_connections(lab, None)):
            again, message = _attempt(lab, task, operator, instance)
        text += message + read_log()
        cell.problems += [f"next attempt: {problem}" for problem in again.problems]
    text += json.dumps(instance.pushed)
    cell.problems += [f"{each} is named nowhere" for each in task.doubles(lab) if each not in text]
    secrets = {lab.emulator.secret_key, *lab.dli.secrets, *lab.obs.secrets}
    cell.problems += ["a secret is in a log or message" for each in secrets if each in text]
    return cell


def _attempt(lab: Lab, task: Task, operator: Any, instance: TaskInstance) -> tuple[Cell, str]:
    random.seed(_SMALL_DRAWS)
    began, message, result = time.monotonic(), "", None
    try:
        result = run_to_completion(operator, instance)
        cell = Cell(SUCCESS)
    except Exception as failure:  # noqa: BLE001 -- which one it is, is what the lab finds out
        cell = Cell(next((letter for end, letter in ENDS if isinstance(failure, end)), FOREIGN))
        message = str(failure)
        if cell.outcome == FOREIGN:
            cell.problems.append(f"raised {type(failure).__name__}: {failure}")
    if cell.outcome == SUCCESS and not task.is_proven(lab, result):
        cell.problems.append(f"succeeded without proof: {result}")
    if (sent := len(lab.dli.requests) + len(lab.obs.requests)) > MOST_REQUESTS:
        cell.problems.append(f"sent {sent} requests")
    if (took := time.monotonic() - began) > MOST_SECONDS:
        cell.problems.append(f"took {took:.0f} s")
    return cell, message


def _prepare(lab: Lab, task: Task, kind: Kind) -> None:
    lab.number += 1
    lab.first_page, lab.is_old, lab.mapping = None, False, {}
    lab.ends = kind.ends or (task.polls and kind.times is None)
    for proxy in (lab.dli, lab.obs):
        proxy.clear()
        proxy.secrets.clear()
    state = lab.emulator.state
    state.reset()
    state.settings.step_seconds = 0.0
    state.add_project("cn-north-4_scratch", "scratch")
    state.jobs[OTHER].status = "job_running"


def _connections(lab: Lab, kind: Kind | None) -> dict[str, str]:
    """Connect through the proxies: patiently where a fault passes, briefly where it stays."""
    given: dict[str, Any] = {
        "endpoint": lab.dli.url,
        "obs_endpoint": lab.obs.url,
        "retry_budget": 60 if kind is None or kind.times else 0.4,
        "read_timeout": 0.4 if kind and kind.is_slow else 60,
        "total_timeout": 0.8 if kind and kind.is_slow else 120,
    }
    return {
        "dli_default": lab.emulator.connection(**given),
        "dli_scratch": lab.emulator.connection(**given, project_id="scratch"),
    }


def _dli_operation(method: str, target: str) -> str:
    found = find_route(Request(method, target))
    return found[0].operation if found else "unknown"


def _obs_operation(method: str, target: str) -> str:
    has_key = "/" in urlsplit(target).path.strip("/")
    names = {
        "GET": ("ListObjects", "GetObject"),
        "HEAD": ("HeadBucket", "HeadObject"),
        "PUT": ("other", "PutObject"),
        "POST": ("other", "PutObject"),
    }
    return names.get(method, ("other", "other"))[has_key]


def main() -> None:
    """Run all cells, and write how they end; a cell whose promises are broken is printed, and omitted."""
    log = io.StringIO()
    logging.getLogger().addHandler(logging.StreamHandler(log))

    def read_log() -> str:
        text = log.getvalue()
        log.seek(0)
        log.truncate()
        return text

    ends: dict[str, dict[str, str]] = {str(kind): {} for kind in KINDS}
    with Emulator() as emulator, open_lab(emulator) as lab:
        for task, kind in cells():
            with redirect_stdout(log), redirect_stderr(log):
                cell = run_cell(lab, task, kind, read_log)
            if cell.problems:
                sys.stdout.write(f"{task.column}, {kind}: {cell.outcome} {cell.problems}\n")
            else:
                ends[str(kind)][task.column] = cell.outcome
    with OUTCOMES.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ["fault", *(task.column for task in TASKS)], lineterminator="\n")
        table.writeheader()
        table.writerows({"fault": name, **row} for name, row in ends.items())


if __name__ == "__main__":
    main()
