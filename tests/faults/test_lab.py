"""The fault lab: no success without proof, nothing done twice without a word, nothing endless, no secret."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.kinds import KINDS, Kind
from tests.faults.lab import cells, open_lab, run_cell
from tests.faults.table import outcomes
from tests.faults.tasks import Lab, Task
from tests.sampling import is_tried

pytestmark = pytest.mark.slow

OUTCOMES = outcomes()


def sample() -> Iterator[tuple[Task, Kind]]:
    """Return part of the cells, always the same: ``python -m tests.faults.lab`` runs all, in five minutes."""
    met: set[str] = set()
    for task, kind in cells():
        if not {str(kind), task.column} <= met or is_tried(f"{task.column} {kind}", 24):
            yield task, kind
        met |= {str(kind), task.column}


@pytest.fixture(scope="session")
def lab(dli_emulator_session: Any) -> Iterator[Lab]:
    """Return the session's lab: a proxy before DLI and one before OBS."""
    with open_lab(dli_emulator_session) as opened:
        yield opened


@pytest.mark.parametrize(
    ("task", "kind"),
    [pytest.param(task, kind, id=f"{task.service}-{task}-{kind}") for task, kind in sample()],
)
def test_a_task_that_meets_a_fault(
    lab: Lab, task: Task, kind: Kind, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """It ends as in the table; whatever it reports is true, by what the services themselves show."""

    def read_log() -> str:
        text = capsys.readouterr().out + caplog.text
        caplog.clear()
        return text

    cell = run_cell(lab, task, kind, read_log)
    assert not cell.problems
    assert cell.outcome == OUTCOMES[task.column, str(kind)]


def test_the_sample_has_every_task_and_every_fault() -> None:
    """Each of them several times."""
    assert {task.column for task, _ in sample()} == {task.column for task, _ in cells()}
    assert {str(kind) for _, kind in sample()} == {str(kind) for kind in KINDS}


def test_every_task_meets_faults_enough() -> None:
    """At least 30 of the service that is broken."""
    met = [task.column for task, _ in cells()]
    assert min(met.count(column) for column in set(met)) >= 30
    assert len({str(kind) for kind in KINDS}) == len(KINDS)


def test_the_table_is_that_of_the_lab() -> None:
    """Every task with every fault that can strike it has an outcome, and nothing else has."""
    assert OUTCOMES.keys() == {(task.column, str(kind)) for task, kind in cells()}
