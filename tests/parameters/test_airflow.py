"""Values as Airflow itself hands them over: real task instances, mapped ones, templates of both kinds, a form."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from dli_emulator import Emulator
from tests.dag_runs import DagRunner

DAGS = Path(__file__).with_name("dags")

#: the outcome of each task, or instance of a mapped one, and a pattern in its log
_RENDERED = {
    "p3_empty": ("failed", r"selection: has nothing in queue_name; fill one in"),
    "p3_tag": ("failed", r"selection\.tags: the value of 'team' is empty; give it a value, or omit it"),
    "p6_item": ("failed", r"job_selected: item 2 is empty; give it a value, or omit it"),
    "p4_false": ("failed", r"this key sees no job 999999"),
    "p4_true": ("success", r"Not exported: jobs 999999"),
    "p5_number": ("success", r"Batch 2 of 2: 1 job"),
    "given_none": ("failed", r"job_selected: was given and is None; .*omit it for all jobs"),
    "all_plainly": ("success", r"Exporting all Flink jobs"),
}
_HANDED_OVER = {
    "p7_none": ("failed", r"obs_dir: rendered to nothing; give bucket, bucket/directory"),
    "p5_text": ("success", r"Exporting 2 Flink jobs .* 100, 101"),
    "p3_beside": ("success", r"Exporting 3 Flink jobs"),
    "p5_timedelta": ("success", ""),
    "list_empty": ("failed", r"queue_name: was given and filters nothing; fill one in"),
    "rows": ("success", ""),
    "p1 0": ("success", r""),
    "p1 1": ("failed", r"job_selected: was given and is None"),
    "p1 2": ("failed", r"selection: was given and is None"),
    "p1 3": ("success", ""),
    "p1_partial 0": ("failed", ""),
    "one": ("success", ""),
    "mapped 0": ("success", ""),
    "mapped 1": ("success", ""),
    "expectations": ("success", ""),
    "p2 0": ("success", ""),
    "p2 1": ("failed", r"expected_jobs: was given and is None"),
    "p2 2": ("failed", r"max_age: was given and is None"),
    "listed": ("success", ""),
    "p6_mapped": ("success", r"2 archives"),
    "p6_both": ("success", r"3 archives"),
    "p6_rows": ("success", r"Exporting 3 Flink jobs"),
    "p6_wrong": ("failed", r"zip_file: 100 is not a string; give bucket/key"),
    "archives": ("success", ""),
    "whole": ("success", ""),
    "read": ("success", ""),
    "p8_text": ("success", ""),
    "p8_whole": ("success", ""),
}


@dataclass
class Run:
    """The states of the tasks of a run, by task and map index, and its log, on one line."""

    states: dict[str, str]
    log: str


@pytest.fixture
def run(run_dag: DagRunner, dli_emulator: Emulator) -> Callable[[str], Run]:
    """Return a function that runs a DAG, and returns the state of each instance of a mapped task too."""
    runner = replace(run_dag, file=DAGS / "parameters.py")
    connection = dli_emulator.connection(retry_budget=0)

    def run(dag_id: str) -> Run:
        runner.test(dag_id, {"bucket": dli_emulator.bucket}, AIRFLOW_CONN_DLI_DEFAULT=connection)
        text = re.sub(r"\x1b\[[0-9;]*m", "", runner.log.read_text(encoding="utf-8"))
        with closing(sqlite3.connect(runner.home / "airflow.db")) as database:
            found = database.execute(
                "SELECT task_id, map_index, state FROM task_instance WHERE run_id = "
                "(SELECT run_id FROM dag_run WHERE dag_id = ? ORDER BY id DESC LIMIT 1) AND dag_id = ?",
                (dag_id, dag_id),
            )
            states = {f"{name} {index}" if index >= 0 else name: state for name, index, state in found}
        return Run(states, " ".join(text.split()))

    return run


def _exported(emulator: Emulator) -> list[Any]:
    return [each.json() for each in emulator.requests if each.operation == "ExportFlinkJobs"]


@pytest.mark.parametrize(
    ("dag_id", "expected"), [("parameters", _RENDERED | _HANDED_OVER), ("parameters_native", _RENDERED)]
)
def test_values_as_airflow_hands_them_over(
    run: Callable[[str], Run], dli_emulator: Emulator, dag_id: str, expected: dict[str, tuple[str, str]]
) -> None:
    """Each task does what was meant, or is refused by the name of the parameter; nothing is sent for those."""
    found = run(dag_id)
    assert found.states == {name: state for name, (state, _) in expected.items()}, found.log[-8000:]
    for name, (_, pattern) in expected.items():
        assert re.search(pattern, found.log), name
    refused = {name.partition(" ")[0] for name, (state, _) in expected.items() if state == "failed"}
    directories = [each["obs_dir"].partition(f"/{dag_id}/")[2] for each in _exported(dli_emulator)]
    # One of them is refused by DLI, for a job that it does not have.
    succeeding = {"p1/0", "p1/3", "p4_false/-1"}
    sent = {each.removesuffix("/batch-0001").removesuffix("/batch-0002") for each in directories if each}
    assert {each for each in sent if each.partition("/")[0] in refused} <= succeeding
