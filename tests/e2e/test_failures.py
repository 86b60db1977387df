"""What somebody sees whose task is red: the log says why, to its right edge and last line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.airflow.airflow_process import AirflowProcess
from tests.connections import connected
from tests.e2e.conftest import picture
from tests.failures.dags.failures import MAKE
from tests.failures.page import told
from tests.failures.scenarios import SCENARIOS

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Page


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_red_task_says_why(name: str, page: Page, airflow: AirflowProcess, dli_emulator: Any) -> None:
    """In lines that the log view shows whole."""
    scenario = SCENARIOS[name]
    connections = scenario.connections(dli_emulator)
    for conn_id, connection in connections.items():
        airflow.connect(conn_id, connection)
    with connected(connections):
        scenario.set_up(dli_emulator)
    dag_id, task_id = f"failure_{name}", MAKE[name]().task_id
    with airflow.unpaused(dag_id):
        run = airflow.trigger(dag_id)
        assert airflow.finish(dag_id, run)[task_id]["state"] == "failed"
    page.goto(f"{airflow.url}/dags/{dag_id}/runs/{run}/tasks/{task_id}")
    page.get_by_text("Task failed with exception").wait_for()
    # The reason is in lines of its own, the first of them on the screen.
    lines = page.get_by_text(told()[name][:20])
    assert lines.count() >= 2
    box = lines.first.bounding_box()
    assert box
    assert 0 < box["y"] < 800
    picture(page, f"failure-{name}", down_to(page, "Task failed with exception"))


def down_to(page: Page, text: str) -> FloatRect:
    """Give the part of the screen in which the log stands, down to a line and the one below it."""
    box = page.get_by_text(text).bounding_box()
    assert box
    return {"x": 335, "y": 60, "width": 965, "height": box["y"] + 2 * box["height"] + 1 - 60}
