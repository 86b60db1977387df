"""Airflow's own UI in a real browser, as somebody uses it who has never seen our code. ``make e2e``."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.connection_form import EXTRAS
from tests.airflow.airflow_process import AirflowProcess, until
from tests.e2e.conftest import dialog, open_form, picture, pressed, triggered

if TYPE_CHECKING:
    from playwright.sync_api import Page

SELECTED = "dli_export_selected_flink_jobs"


def test_the_connection_form_has_every_field(
    page: Page, airflow: AirflowProcess, dli_emulator_session: Any
) -> None:
    """Filled in by hand and saved; secrets are dots; its test shows the identity.

    The Test button of Airflow 3.3.2 sends port 0 where a connection has none, and is refused by Airflow's own
    API ("Bad Request"), whatever the type of the connection; so the test is requested as the button should.
    """
    given = json.loads(dli_emulator_session.airflow_conn)
    airflow.disconnect("dli_default")
    page.goto(f"{airflow.url}/connections")
    page.get_by_role("button", name=re.compile("Add Connection")).click()
    form = dialog(page)
    form.locator("input[name=connection_id]").fill("dli_default")
    form.get_by_role("combobox").first.click()
    page.keyboard.type("dli")
    page.get_by_role("option", name="Huawei Cloud DLI").click()
    for label in ("Access key (AK) or IAM user", "Secret key (SK), password or token"):
        assert form.get_by_text(label).count() >= 1
    form.locator("input[name=login]").fill(given["login"])
    password = form.locator("input[name=password]")
    password.fill(given["password"])
    assert password.get_attribute("type") == "password"
    assert form.get_by_role("button", name="Save").is_disabled()
    for section in dict.fromkeys(extra.section or "Extra Fields" for extra in EXTRAS.values()):
        form.get_by_role("button", name=section, exact=True).click()
        for name in [name for name, extra in EXTRAS.items() if (extra.section or "Extra Fields") == section]:
            field = form.locator(f"[name=element_{name}]").first
            field.wait_for(state="attached")
            assert not EXTRAS[name].secret or field.get_attribute("type") == "password", name
            if name in given["extra"]:
                field.fill(given["extra"][name])
                page.keyboard.press("Tab")
        if section == "Extra Fields":
            picture(page, "connection-form")
    assert form.get_by_text("null", exact=True).count() == 0
    form.get_by_role("button", name="Save").click()
    until(lambda: airflow.connection("dli_default"), 20)
    tested = airflow.tested("dli_default")
    assert tested["status"], tested["message"]
    assert "26 Flink jobs visible" in tested["message"]


def test_the_jobs_of_the_form_are_exported_and_proven(page: Page, airflow: AirflowProcess) -> None:
    """Trigger, success, the list in XCom, the link into the console."""
    run = triggered(page, airflow, SELECTED, "form-selected", job_selected="100\n101")
    tasks = airflow.finish(SELECTED, run)
    assert {name: task["state"] for name, task in tasks.items()} == {"export": "success", "verify": "success"}
    page.goto(f"{airflow.url}/dags/{SELECTED}/runs/{run}")
    picture(page, "run-succeeded")
    page.goto(f"{airflow.url}/dags/{SELECTED}/runs/{run}/tasks/export/details")
    link = page.get_by_role("link", name="OBS bucket")
    assert (link.get_attribute("href") or "").startswith(
        "https://console.huaweicloud.com/console/?region=cn-north-4#"
    )
    picture(page, "task-export")
    page.goto(f"{airflow.url}/dags/{SELECTED}/runs/{run}/tasks/verify")
    page.get_by_text(re.compile("intact: 2 entries")).first.wait_for()
    picture(page, "task-verify")


def test_a_form_that_is_filled_in_wrongly_is_refused(page: Page, airflow: AirflowProcess) -> None:
    """At once, with the field's name; nothing runs."""
    before = airflow.runs(SELECTED)
    open_form(page, airflow, SELECTED, job_selected="orders")
    dialog(page).get_by_role("button", name=re.compile("Trigger")).last.click()
    page.get_by_text(re.compile("Invalid input for param job_selected")).first.wait_for()
    picture(page, "form-refused")
    assert airflow.runs(SELECTED) == before


def test_a_restore_is_tried_out(page: Page, airflow: AirflowProcess) -> None:
    """The form of the restore, with plan_only."""
    dag_id = "dli_restore_flink_jobs"
    (archive,) = airflow.xcom(SELECTED, airflow.runs(SELECTED)[0], "export")
    open_form(page, airflow, dag_id, zip_file=archive)
    page.get_by_text("On: the archive is verified, and nothing is imported.").scroll_into_view_if_needed()
    # The box itself lies below the switch that is seen.
    dialog(page).locator("[name=element_plan_only]").locator("xpath=..").click()
    picture(page, "form-restore")
    run = pressed(page, airflow, dag_id)
    assert airflow.finish(dag_id, run)["restore"]["state"] == "success"
    assert "Plan only: nothing is imported." in airflow.log(dag_id, run, "restore", 1)


def test_the_nightly_export_updates_the_assets(page: Page, airflow: AirflowProcess) -> None:
    """Its backups are one asset, with an event that marks the archive as verified."""
    run = triggered(page, airflow, "dli_export_flink_jobs", "form-nightly")
    tasks = airflow.finish("dli_export_flink_jobs", run, 180)
    assert {task["state"] for task in tasks.values()} == {"success"}
    (archive,) = airflow.xcom("dli_export_flink_jobs", run, "export")
    page.goto(f"{airflow.url}/dags/dli_export_flink_jobs/runs/{run}/tasks/verify/asset_events")
    folded = page.locator(".monaco-editor .codicon-folding-collapsed")
    folded.first.wait_for()
    while folded.count():
        folded.first.click()
        page.wait_for_timeout(500)
    page.get_by_text(re.compile(archive.rpartition("/")[2])).first.wait_for()
    picture(page, "asset-event")
    page.get_by_role("link", name="verified_flink_archives").first.click()
    page.wait_for_url("**/assets/*")
    picture(page, "asset")


def test_a_damaged_archive_fails_with_the_reason(
    page: Page, airflow: AirflowProcess, dli_emulator_session: Any
) -> None:
    """The log has place, finding, and what to do."""
    dli_emulator_session.fault("ExportFlinkJobs", "archive_flipped")
    run = triggered(page, airflow, SELECTED, job_selected="100, 101")
    tasks = airflow.finish(SELECTED, run)
    assert (tasks["export"]["state"], tasks["verify"]["state"]) == ("success", "failed")
    page.goto(f"{airflow.url}/dags/{SELECTED}/runs/{run}/tasks/verify")
    page.get_by_text("Keep the archive as evidence and export again.").first.wait_for()


def test_the_graph_of_a_drill(page: Page, airflow: AirflowProcess) -> None:
    """Five tasks in a row; the last is a teardown."""
    page.goto(f"{airflow.url}/dags/dli_restore_drill")
    page.get_by_role("button", name=re.compile("Graph")).click()
    for task in ("export", "verify", "restore", "compare", "clear_up"):
        page.get_by_text(task, exact=True).first.wait_for()
    picture(page, "graph")
