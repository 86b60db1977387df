"""The page of backups in a browser: filtered, accessible, dark and light, and safe from what a catalogue has."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.page import backup_page, static_page
from airflow_provider_dli.backups.state import Backup
from tests.airflow.airflow_process import AirflowProcess
from tests.backups.made import PROJECT, catalogue_of, make_backup
from tests.backups.test_page import hostile
from tests.e2e.conftest import picture
from tests.e2e.test_report import violations

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Dialog, Page

EVIL = "<img src=x onerror=alert(1)></script><script>alert('x')</script>\u202e"
SCRATCH = "99cc2c48765f481480c7db940d6409d1"


@pytest.fixture
def catalogue(dli_emulator: Any, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """Return an empty catalogue in the emulator's bucket."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    return catalogue_of(dli_emulator)


def fill(catalogue: Catalogue) -> Backup:
    """Write three weeks of nights in one project, some of them damaged, held or drilled, and one in another."""
    now = catalogue.now()
    made = [
        make_backup(catalogue, now - timedelta(days=20 - night, hours=7), range(100, 126 + 6 * night), batch=50)
        for night in range(21)
    ]
    catalogue.record(made[17], "verification", {"findings": ["bad_crc in 'job_107.json'"]}, "failed")
    catalogue.record(made[14], "hold", {"reason": "audit of the year"})
    catalogue.record(made[19], "drill", {"jobs": [{"job_id": 100, "name": "job_100"}], "seconds": 24.5}, "passed")
    make_backup(catalogue, now - timedelta(days=2), range(300, 304), project_id=SCRATCH, passed=False)
    drilled = catalogue.backup(PROJECT, made[19].backup_id)
    assert drilled
    return drilled


def opened(page: Page, html: str, folder: Path) -> list[str]:
    """Open a page as a file, as one does who has it from OBS; what goes wrong in it is in the list."""
    wrong = heard(page)
    file = folder / "index.html"
    file.write_text(html)
    page.goto(file.as_uri())
    return wrong


def heard(page: Page) -> list[str]:
    """Return a list that errors and dialogs of a page are added to."""
    wrong: list[str] = []

    def refuse(dialog: Dialog) -> None:
        wrong.append(dialog.message)
        dialog.dismiss()

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            wrong.append(message.text)

    page.on("dialog", refuse)
    page.on("console", note)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    return wrong


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(
    catalogue: Catalogue, page: Page, tmp_path: Path, scheme: Literal["light", "dark"]
) -> None:
    """Axe finds nothing, in either scheme; nothing is refused by the policy."""
    fill(catalogue)
    page.emulate_media(color_scheme=scheme)
    wrong = opened(page, static_page(catalogue), tmp_path)
    page.get_by_text("1 to 100 of 146 jobs").wait_for()
    picture(page, f"backups-{scheme}")
    found = violations(page)
    page.emulate_media(color_scheme="light")
    assert (found, wrong) == ([], [])


def test_the_page_of_a_backup_is_accessible(catalogue: Catalogue, page: Page, tmp_path: Path) -> None:
    """With what happened since it was made."""
    wrong = opened(page, backup_page(catalogue, fill(catalogue), "?"), tmp_path)
    page.get_by_text("seconds: 24.5").wait_for()
    picture(page, "backup")
    assert (violations(page), wrong) == ([], [])


def test_the_page_is_in_airflow(
    dli_emulator_session: Any, airflow: AirflowProcess, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the menu, in the theme that Airflow has, with a page for each backup; nothing is refused by a policy."""
    connection = dli_emulator_session.connection(retry_budget=0)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", connection)
    airflow.connect("dli_default", connection)
    drilled = fill(catalogue_of(dli_emulator_session))
    wrong = heard(page)
    page.goto(airflow.url)
    page.get_by_role("button", name="Browse").click()
    page.get_by_text("DLI backups").click()
    shown = page.frame_locator("iframe")
    shown.get_by_text("1 to 100 of 146 jobs").wait_for()
    picture(page, "backups-in-airflow")
    shown.get_by_role("region", name="Backups").first.get_by_role("searchbox").fill(drilled.backup_id)
    shown.get_by_role("region", name="Backups").first.get_by_role("link").click()
    shown.get_by_text("seconds: 24.5").wait_for()
    shown.get_by_role("link", name="All backups").click()
    # Airflow's address follows that of the frame, and a reload comes back to it.
    shown.get_by_text("1 to 100 of 146 jobs").wait_for()
    for theme in ("dark", "light"):
        page.evaluate("theme => localStorage.setItem('theme', theme)", theme)
        page.reload()
        shown.get_by_text("1 to 100 of 146 jobs").wait_for()
        scheme = shown.locator("html").evaluate("html => getComputedStyle(html).colorScheme")
        assert scheme == theme
    assert wrong == []


def test_jobs_and_backups_are_searched(catalogue: Catalogue, page: Page, tmp_path: Path) -> None:
    """By words and by state, by keyboard alone; sorted by a column; a hundred at a time."""
    fill(catalogue)
    opened(page, static_page(catalogue), tmp_path)
    jobs = page.get_by_role("region", name="Jobs").first
    status = jobs.get_by_role("status")
    jobs.get_by_role("button", name="Next").press("Enter")
    assert status.text_content() == "101 to 146 of 146 jobs"
    jobs.get_by_role("searchbox").fill("JOB_12 ver")
    assert status.text_content() == "1 to 10 of 10 jobs, 146 in all"
    head = jobs.get_by_role("columnheader", name="Id")
    head.get_by_role("button").press("Enter")
    head.get_by_role("button").press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert "job_129" in (jobs.locator("tbody th").first.text_content() or "")
    jobs.get_by_role("searchbox").fill("nothing like it")
    assert status.text_content() == "no jobs, 146 in all"
    backups = page.get_by_role("region", name="Backups").first
    backups.get_by_role("combobox").select_option("damaged")
    assert backups.get_by_role("status").text_content() == "1 to 2 of 2 backups, 22 in all"
    backups.get_by_role("combobox").select_option("held")
    backups.locator("tbody a").click()
    page.get_by_role("heading", name="Backup 20").first.wait_for()
    assert "#backup-" in page.url


def test_texts_of_a_catalogue_do_nothing(catalogue: Catalogue, page: Page, tmp_path: Path) -> None:
    """Names of jobs, of regions, findings, records: none is HTML, none runs, each is visible."""
    found = hostile(catalogue, EVIL)
    for html in (static_page(catalogue), backup_page(catalogue, found, "?")):
        wrong = opened(page, html, tmp_path)
        page.get_by_text("<img src=x onerror").first.wait_for()
        page.wait_for_timeout(300)
        assert wrong == []
        assert page.locator("img").count() == 0
        assert "\u202e" not in page.locator("body").inner_text()
        assert PROJECT in page.locator("body").inner_text()


def test_thousands_of_jobs_are_shown_at_once(catalogue: Catalogue, page: Page, tmp_path: Path) -> None:
    """A hundred of them are in the page, whatever is searched for."""
    make_backup(catalogue, catalogue.now(), range(5000), batch=1000)
    opened(page, static_page(catalogue), tmp_path)
    page.get_by_text("1 to 100 of 5,000 jobs").wait_for()
    page.get_by_role("searchbox").first.fill("job_4999")
    page.get_by_text("1 to 1 of 1 jobs, 5,000 in all").wait_for()
    assert page.locator("tbody tr").count() < 150
