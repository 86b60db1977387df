"""``make ui``, step by step as it prints them: every DAG runs, and one fails on purpose."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from environment import ROOT
from standalone import Standalone

from tests.airflow.airflow_process import AirflowProcess, until
from tests.e2e.conftest import dialog, triggered

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: DAG -> what the guide has the reader type; the order is that of its steps
FORMS: dict[str, dict[str, str]] = {
    "dli_export_flink_jobs": {},
    "dli_export_selected_flink_jobs": {"job_selected": "100, 101"},
    "dli_export_projects": {"connections": "dli_default\ndli_test"},
    "dli_restore_drill": {},
    "dli_promote_flink_jobs": {"job_ids": "126", "replacements": '{"source_0": "orders"}'},
    "dli_restart_flink_jobs": {"job_ids": "103"},
    "dli_back_up_changed_flink_jobs": {},
    "dli_restore_flink_jobs": {"on_conflict": "keep"},
    "dli_back_up_flink_jobs": {},
    "dli_restore_flink_backup": {},
    "dli_drill_flink_backups": {},
    "dli_check_flink_backups": {},
    "dli_verify_flink_backups": {},
}


@pytest.fixture(scope="module")
def guide() -> Iterator[tuple[AirflowProcess, str]]:
    """Run ``make ui``; return its Airflow, and the guide that it prints."""
    with subprocess.Popen(
        [sys.executable, ROOT / "demo" / "ui.py"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout
        lines: list[str] = []
        while not lines or "Ctrl-C ends everything" not in lines[-1]:
            lines.append(process.stdout.readline())
            assert lines[-1], lines
        printed = "".join(lines)
        url = printed.partition("Airflow is at")[2].split()[0]
        folder = ROOT / ".ui"
        running: subprocess.Popen[bytes] = process  # type: ignore[assignment]  # only its end is of interest
        yield AirflowProcess(Standalone(url, running, folder / "airflow.log"), folder / "airflow"), printed
        process.terminate()
        assert process.wait(60) == 0


def test_the_connection_is_a_filled_form(page: Page, guide: tuple[AirflowProcess, str]) -> None:
    """Every field is there with its value, TLS verification is on, and the Test button works."""
    airflow, _ = guide
    page.goto(f"{airflow.url}/connections")
    row = page.get_by_role("row", name=re.compile("dli_default"))
    with page.expect_response("**/connections/test") as tested:
        row.get_by_role("button", name="Test Connection").click()
    message = tested.value.json()["message"]
    assert "26 Flink jobs visible (without dli:jobs:listAll only the user's own), and bucket" in message
    row.get_by_role("button", name=re.compile("Edit")).click()
    form = dialog(page)
    form.get_by_role("button", name="Extra Fields", exact=True).click()
    assert form.locator("[name=element_region]").input_value() == "cn-north-4"
    form.get_by_text("access_key: AK as login, SK as password").wait_for()
    form.get_by_role("button", name="Network", exact=True).click()
    form.locator("[name=element_proxy]").wait_for()
    assert not form.locator("input[name=element_insecure_skip_verify]").is_checked()
    assert form.locator("input[name=element_retry_budget]").input_value() == "120"


def test_the_guide_leads_through_every_dag(guide: tuple[AirflowProcess, str]) -> None:
    """With what to type into its form."""
    airflow, printed = guide
    assert sorted(until(airflow.dags, 120)) == sorted({*FORMS, "dli_verify_archives", "dli_copy_flink_backups"})
    steps = printed.split("Trigger")
    for dag_id, fields in FORMS.items():
        (step,) = (after for before, after in pairwise(steps) if before.rstrip(", ").endswith(dag_id))
        for typed in fields.values():
            assert all(part in step for part in typed.splitlines()), dag_id


@pytest.mark.parametrize("dag_id", FORMS)
def test_every_step_succeeds(dag_id: str, page: Page, guide: tuple[AirflowProcess, str]) -> None:
    """From the form of each DAG."""
    airflow, _ = guide
    run = triggered(page, airflow, dag_id, **FORMS[dag_id])
    states = {task["task_id"]: task["state"] for task in airflow.finish(dag_id, run).values()}
    # Last night's run comes along, and is the first; after that, no job has changed.
    ended = "skipped" if dag_id == "dli_back_up_changed_flink_jobs" else "success"
    assert set(states.values()) == {ended}, states
    if dag_id == "dli_promote_flink_jobs":
        assert [each["action"] for each in airflow.xcom(dag_id, run, "promote")] == ["update"]


@pytest.mark.parametrize("dag_id", ["dli_back_up_changed_flink_jobs", "dli_restore_drill"])
def test_a_run_without_a_logical_date_succeeds(dag_id: str, guide: tuple[AirflowProcess, str]) -> None:
    """As ``airflow dags trigger`` starts it."""
    airflow, _ = guide
    run = airflow.trigger(dag_id)
    states = {task["task_id"]: task["state"] for task in airflow.finish(dag_id, run).values()}
    assert set(states.values()) <= {"success", "skipped"}, states


def test_one_step_fails_on_purpose(page: Page, guide: tuple[AirflowProcess, str]) -> None:
    """The end of its log has the archive, the defect and the remedy."""
    airflow, printed = guide
    archive = re.search(r"Archives: (\S+)", printed)
    assert archive
    dag_id = "dli_verify_archives"
    run = triggered(page, airflow, dag_id, zip_file=archive.group(1))
    states = {name: task["state"] for name, task in airflow.finish(dag_id, run).items()}
    assert states == {"arrived": "success", "verify": "failed"}
    page.goto(f"{airflow.url}/dags/{dag_id}/runs/{run}/tasks/verify")
    page.get_by_text(re.compile(f"1 of 1 archive failed verification: obs://{archive.group(1)}")).first.wait_for()
    page.get_by_text(re.compile("Keep the archive as evidence and export again")).first.wait_for()
