"""Links of tasks into the console."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_dli.exceptions import DliFailException
from airflow_provider_dli.links.dli import KEY, DliConsoleLink, ObsBucketLink
from airflow_provider_dli.operators import dli
from airflow_provider_dli.operators.dli import (
    DliCompareFlinkJobsOperator,
    DliExportFlinkJobsOperator,
    DliVerifyFlinkExportOperator,
)
from dli_emulator import Emulator
from tests.airflow.stores import TaskInstance

CN = "https://console.huaweicloud.com"


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    return dli_emulator


def link_of(link: Any, stored: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the address that Airflow would show for what a task stored."""
    from airflow_provider_dli.compat import XCom  # noqa: PLC0415 -- the one thing that is Airflow's

    monkeypatch.setattr(XCom, "get_value", lambda **_: stored)
    address: str = link.get_link(None, ti_key=None)
    return address


DLI_PAGE = f"{CN}/dli/?region=cn-north-4"


def bucket_page(bucket: str, region: str = "cn-north-4") -> str:
    """Return the address of a bucket in the OBS console."""
    return f"{CN}/console/?region={region}#/obs/manage/{bucket}/object/list"


def test_values_in_addresses_are_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    """They cannot lead anywhere else."""
    stored = {"console": CN, "region": "x&y", "bucket": "a/../b"}
    assert link_of(ObsBucketLink(), stored, monkeypatch) == bucket_page("a%2F..%2Fb", "x%26y")
    assert link_of(DliConsoleLink(), stored, monkeypatch) == f"{CN}/dli/?region=x%26y"


def test_what_a_task_stores_makes_its_links(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Console, region and bucket, of a success and of a failure."""
    instance = TaskInstance()
    DliExportFlinkJobsOperator(task_id="export", obs_dir=f"{emulator.bucket}/a").execute(instance.context)
    stored = instance.pushed[KEY]
    assert stored == {"console": CN, "region": "cn-north-4", "bucket": emulator.bucket}
    assert link_of(ObsBucketLink(), stored, monkeypatch) == bucket_page(emulator.bucket)
    assert link_of(DliConsoleLink(), stored, monkeypatch) == DLI_PAGE
    failed = TaskInstance()
    emulator.fault("ExportFlinkJobs", "is_success_false")
    with pytest.raises(DliFailException):
        DliExportFlinkJobsOperator(task_id="export", obs_dir=f"{emulator.bucket}/a").execute(failed.context)
    assert failed.pushed[KEY] == stored


@pytest.mark.parametrize("stored", [None, {}, "x", {"region": "cn-north-4"}])
@pytest.mark.parametrize("link", [ObsBucketLink(), DliConsoleLink()])
def test_without_what_it_needs_a_link_is_empty(link: Any, stored: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow shows none then."""
    assert link_of(link, stored, monkeypatch) == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("extra", "stored"),
    [
        ({"console_endpoint": "https://console-intl.huaweicloud.com/"}, "https://console-intl.huaweicloud.com"),
        ({"cloud": "open-telekom-cloud"}, None),
        ({"cloud": "huaweicloud-eu"}, None),
    ],
)
def test_the_console_is_that_of_the_connection(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any], stored: str | None
) -> None:
    """Where it is not known there are no links, rather than wrong ones."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", emulator.connection(retry_budget=0, **extra))
    archives = DliExportFlinkJobsOperator(task_id="export", obs_dir=emulator.bucket).execute({})
    instance = TaskInstance()
    DliVerifyFlinkExportOperator(task_id="verify", zip_file=archives).execute(instance.context)
    assert instance.pushed.get(KEY, {}).get("console") == stored


def test_the_link_of_a_comparison_leads_to_its_report(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the source's region, where the report is; DLI in the target's. None without a report."""
    other = emulator.connection(region="cn-east-3", project_id=emulator.project_id, obs_endpoint=emulator.obs)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_SOURCE", other)
    stored = []
    for report_dir in (f"{emulator.bucket}/reports", None):
        instance = TaskInstance()
        with pytest.raises(DliFailException, match="the source itself"):
            DliCompareFlinkJobsOperator(
                task_id="compare", job_mapping={100: 100}, source_conn_id="dli_source", report_dir=report_dir
            ).execute(instance.context)
        stored.append(instance.pushed[KEY])
    assert link_of(ObsBucketLink(), stored[0], monkeypatch) == bucket_page(emulator.bucket, "cn-east-3")
    assert link_of(DliConsoleLink(), stored[0], monkeypatch) == DLI_PAGE
    assert stored[1] == {"console": CN, "region": "cn-north-4"}


def test_every_operator_of_dli_has_its_link() -> None:
    """One click leads from the task to where the jobs are."""
    assert [name for name in dli.__all__ if not getattr(dli, name).operator_extra_links] == []
