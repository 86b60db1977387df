"""What a user sees of a failed task: its log has the reason."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.airflow.airflow_process import AirflowProcess
from tests.connections import connected
from tests.e2e.conftest import picture
from tests.failures.dags.failures import MAKE
from tests.failures.page import messages_on_page
from tests.failures.scenarios import SCENARIOS

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Locator, Page


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_log_of_a_failure_has_the_reason(
    name: str, page: Page, airflow: AirflowProcess, dli_emulator: Any
) -> None:
    """The message of the exception, complete, below its record."""
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
    record = page.get_by_text("Task failed with exception")
    record.wait_for()
    message = page.get_by_text(
        re.compile(rf"^Dli(Fail)?Exception: {re.escape(messages_on_page()[name][:20])}")
    ).first
    message.scroll_into_view_if_needed()
    assert message.is_visible()
    picture(page, f"failure-{name}", from_to(record, message))


def from_to(record: Locator, message: Locator) -> FloatRect:
    """Return the part of the screen with a record of the log, what is above it, and its message."""
    first, last = record.bounding_box(), message.bounding_box()
    assert first
    assert last
    top = max(60, first["y"] - 8 * first["height"])
    return {"x": 335, "y": top, "width": 965, "height": last["y"] + last["height"] + 2 - top}
