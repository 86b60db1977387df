"""The pages on operators are true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from airflow_provider_dli.client.flink.status import PHASES, TargetState, Verdict, status_verdict
from airflow_provider_dli.operators import dli
from airflow_provider_dli.operators.dli import DliListFlinkJobsOperator
from airflow_provider_dli.sensors import dli as sensors

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = Path(__file__).parents[2] / "example_dags"
WORDS = {Verdict.REACHED: "reached", Verdict.WAIT: "wait", Verdict.FAILED: "failed"}


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_the_table_of_statuses_is_the_one_that_is_used() -> None:
    """Every status, for a run and for a stop."""
    table = page("operators/run-and-stop.md").partition("| status | for a run")[2].partition("\n\n")[0]
    documented: dict[str, tuple[str, str]] = {}
    for statuses, run, stop in re.findall(r"^\| (`job_[^|]*) \| ([^|]*) \| ([^|]*) \|$", table, re.MULTILINE):
        first = tuple(words.split()[0].strip(",;") for words in (run, stop))
        documented |= dict.fromkeys(re.findall(r"`(\w+)`", statuses), first)
    used = {
        status: tuple(WORDS[status_verdict(status, target)] for target in ("running", "stopped"))
        for status in PHASES
    }
    for row in documented.values():
        assert len(row) == 2
    assert {status: (run.rstrip(";"), stop) for status, (run, stop) in documented.items()} == used
    assert get_args(TargetState) == ("running", "finished", "stopped")


def test_every_filter_is_documented() -> None:
    """And no other."""
    table = page("operators/list.md").partition("| filter |")[2].partition("\n\n")[0]
    documented = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| ([^|]*) \|", table, re.MULTILINE)))
    assert set(documented) == set(DliListFlinkJobsOperator.template_fields) - {"if_empty", "dli_conn_id"}


@pytest.mark.parametrize("name", [*dli.__all__, *sensors.__all__])
def test_every_operator_has_an_example_that_runs_in_the_tests(name: str) -> None:
    """Somebody who searches for one finds it."""
    assert any(f"{name}(" in path.read_text(encoding="utf-8") for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("name", [*dli.__all__, *sensors.__all__])
def test_every_operator_is_documented(name: str) -> None:
    """On one of the pages."""
    assert any(name in path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md"))
