"""Airflow and a browser, for tests that use Airflow as somebody does who has never seen our code.

Pictures go to ``.cache/e2e``, or to ``DLI_PICTURES``.
"""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from environment import ROOT, airflow_environment
from standalone import standalone

from tests.airflow.airflow_process import AirflowProcess, until

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Locator, Page

# Only `make e2e` collects these: they want a browser, and minutes.
collect_ignore_glob = [] if os.environ.get("DLI_E2E") else ["test_*.py"]

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
]


@pytest.fixture(scope="session")
def airflow(dli_emulator_session: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowProcess]:
    """Run Airflow with the example DAGs, those that fail, and no connection: it is made in the form."""
    home = tmp_path_factory.mktemp("e2e")
    dags = home / "dags"
    shutil.copytree(ROOT / "example_dags", dags)
    shutil.copy(ROOT / "tests" / "failures" / "dags" / "failures.py", dags)
    environment = airflow_environment(home, dli_emulator_session.describe())
    del environment["AIRFLOW_CONN_DLI_DEFAULT"]
    environment["AIRFLOW__CORE__DAGS_FOLDER"] = str(dags)
    environment["AIRFLOW__DLI__BACKUP_CATALOGUES"] = f"{dli_emulator_session.bucket}/flink-backups"
    environment["AIRFLOW__API__DEFAULT_WRAP"] = "True"  # a message in a log is one line, and long
    with standalone(environment, home / "standalone.log") as running:
        yield AirflowProcess(running, home)


@pytest.fixture(scope="session")
def page() -> Iterator[Page]:
    """Open a browser."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 -- only make e2e installs it

    assert Path(CHROMIUM).exists(), f"{CHROMIUM} is not installed"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        opened = browser.new_page(viewport={"width": 1300, "height": 800})
        opened.set_default_timeout(30_000)
        yield opened
        browser.close()


def picture(page: Page, name: str, clip: FloatRect | None = None, *, whole: bool = False) -> None:
    """Take a picture, once nothing moves any more; in few colours, for it lies in the repository.

    :param clip: the part of the screen that is wanted
    :param whole: whether what is below the screen is wanted too
    """
    from PIL import Image  # noqa: PLC0415 -- only make e2e installs it

    folder = Path(os.environ.get("DLI_PICTURES") or ROOT / ".cache" / "e2e")
    folder.mkdir(parents=True, exist_ok=True)
    page.wait_for_timeout(1500)
    taken = Image.open(io.BytesIO(page.screenshot(clip=clip, full_page=whole)))
    taken.convert("RGB").quantize(128).save(folder / f"{name}.png", optimize=True)


def dialog(page: Page) -> Locator:
    """Return the form that is open."""
    return page.get_by_role("dialog")


def triggered(page: Page, airflow: AirflowProcess, dag_id: str, shown: str | None = None, **fields: str) -> str:
    """Trigger a DAG by its form; the id of its run.

    :param shown: name of the form's picture, if one is taken
    """
    open_form(page, airflow, dag_id, **fields)
    if shown:
        picture(page, shown)
    return pressed(page, airflow, dag_id)


def pressed(page: Page, airflow: AirflowProcess, dag_id: str) -> str:
    """Press Trigger in the form that is open; the id of the run."""
    before = set(airflow.runs(dag_id))
    dialog(page).get_by_role("button", name=re.compile("Trigger")).last.click()

    def started() -> set[str]:
        # A trigger wakes a paused DAG too, whose schedule may then have a run of its own.
        return {run for run in set(airflow.runs(dag_id)) - before if run.startswith("manual")}

    (run,) = until(started, 30)
    return run


def open_form(page: Page, airflow: AirflowProcess, dag_id: str, **fields: str) -> None:
    """Open the form that triggers a DAG, and fill it in."""
    page.goto(f"{airflow.url}/dags/{dag_id}")
    page.get_by_role("button", name=re.compile("Trigger")).first.click()
    for name, value in fields.items():
        field = page.locator(f"#element_{name}").first
        field.wait_for()
        if field.evaluate("element => ['INPUT', 'TEXTAREA'].includes(element.tagName)"):
            field.fill(value)
            page.keyboard.press("Tab")
        elif field.get_by_role("combobox").count():
            field.click()
            page.keyboard.insert_text(value)
            page.keyboard.press("Enter")
        else:  # an editor of JSON, which closes brackets by itself unless it is empty
            field.locator(".view-lines").click()
            page.keyboard.press("Control+a")
            page.keyboard.press("Delete")
            page.wait_for_timeout(500)
            page.keyboard.insert_text(value)
            page.wait_for_timeout(1000)
