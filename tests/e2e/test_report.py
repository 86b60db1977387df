"""The HTML report in a browser: readable and accessible, dark and light."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import pytest

from airflow_provider_dli.exceptions import DliFailException
from airflow_provider_dli.operators.dli import (
    DliCompareFlinkJobsOperator,
    DliExportFlinkJobsOperator,
    DliImportFlinkJobsOperator,
    DliVerifyFlinkExportOperator,
)
from tests.airflow.stores import TaskInstance
from tests.e2e.conftest import picture

if TYPE_CHECKING:
    from playwright.sync_api import Page


def verified(archives: list[str], bucket: str, instance: TaskInstance) -> None:
    """Verify archives, with a report."""
    DliVerifyFlinkExportOperator(task_id="verify", zip_file=archives, report_dir=f"{bucket}/reports").execute(
        instance.context
    )


def read(emulator: Any, instance: TaskInstance) -> str:
    """Read the report that a task wrote."""
    bucket, _, key = instance.pushed["report_file"].partition("/")
    html: bytes = emulator.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return html.decode()


@pytest.fixture
def report(dli_emulator: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the page of a verification that found damage, after three that did not."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.airflow_conn)
    bucket, instance = dli_emulator.bucket, TaskInstance()
    for number in range(3):
        (archive,) = DliExportFlinkJobsOperator(task_id="export", obs_dir=f"{bucket}/{number}").execute({})
        verified([archive], bucket, instance)
    dli_emulator.fault("ExportFlinkJobs", "archive_flipped")
    archives = DliExportFlinkJobsOperator(
        task_id="export", obs_dir=f"{bucket}/last", job_selected=range(100, 126), batch_size=9
    ).execute({})
    with pytest.raises(DliFailException):
        verified(archives, bucket, instance)
    return read(dli_emulator, instance)


def violations(page: Page) -> list[str]:
    """Return what axe finds wrong with a page."""
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 -- only make e2e installs it

    return [f"{each['id']}: {each['help']}" for each in Axe().run(page).response["violations"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_is_accessible(report: str, page: Page, scheme: Literal["light", "dark"]) -> None:
    """Axe finds nothing, in either scheme."""
    page.emulate_media(color_scheme=scheme)
    page.set_content(report)
    picture(page, f"report-{scheme}", whole=True)
    found = violations(page)
    page.emulate_media(color_scheme="light")
    assert not found, found


def test_the_report_of_a_drill(page: Page, dli_emulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Restored jobs beside their sources: accessible as well."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.airflow_conn)
    scratch = dli_emulator.state.add_project("cn-north-4_scratch").project_id
    monkeypatch.setenv("AIRFLOW_CONN_DLI_SCRATCH", dli_emulator.connection(project_id=scratch))
    bucket, html = dli_emulator.bucket, ""
    for value in (1, 9):
        dli_emulator.fault("ImportFlinkJobs", "import_alters", job=107, field="parallel_number", value=value)
        export = DliExportFlinkJobsOperator(task_id="export", obs_dir=f"{bucket}/{value}")
        mapping = DliImportFlinkJobsOperator(
            task_id="restore", zip_file=export.execute({}), dli_conn_id="dli_scratch", is_cover=True
        ).execute({})
        instance = TaskInstance()
        compare = DliCompareFlinkJobsOperator(
            task_id="compare", job_mapping=mapping or [], dli_conn_id="dli_scratch", report_dir=f"{bucket}/reports"
        )
        with suppress(DliFailException):
            compare.execute(instance.context)
        html = read(dli_emulator, instance)
    page.set_content(html)
    picture(page, "report-drill")
    assert not violations(page)
