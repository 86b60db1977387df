"""The report never hides the verdict: it is told whatever becomes of the page in OBS."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.operators.dli import DliVerifyFlinkExportOperator
from dli_emulator import Emulator
from tests.airflow.restores import compare, exported, restore, two_projects
from tests.airflow.stores import TaskInstance

NO_BUCKET = "no-such-bucket/reports"


@pytest.fixture
def world(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return the emulator with two projects, its store behind its door, where faults can be scripted."""
    world = two_projects(dli_emulator, monkeypatch)
    connection = world.connection(obs_endpoint=world.dli, retry_budget=0)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", connection)
    return world


def verify(zip_file: str, instance: TaskInstance | None = None, **parameters: Any) -> list[dict[str, Any]]:
    operator = DliVerifyFlinkExportOperator(task_id="verify", zip_file=zip_file, timeout=0, **parameters)
    return operator.execute((instance or TaskInstance()).context)


def damaged(world: Emulator) -> str:
    world.s3.put_object(Bucket=world.bucket, Key="bad.zip", Body=b"no archive at all")
    return f"{world.bucket}/bad.zip"


def test_a_place_that_cannot_be_is_refused_before_anything_is_read(world: Emulator) -> None:
    """Also where the task would wait on the triggerer first."""
    world.fault("HeadObject", "error", times=None, status=403, code="AccessDenied")
    for deferrable in (True, False):
        with pytest.raises(DliFailException, match=r"^report_to: 'Not_A_Bucket' cannot be a bucket name"):
            verify(f"{world.bucket}/a.zip", report_to="Not_A_Bucket/x", deferrable=deferrable)
    with pytest.raises(DliFailException, match=r"^report_to: "):
        compare({100: 200}, report_to="Not_A_Bucket/x")
    assert not world.requests


def test_a_damaged_archive_is_told_though_the_report_is_not_written(world: Emulator) -> None:
    """The defects first, then what kept the report from being written; what to do is about the archive."""
    instance = TaskInstance()
    with pytest.raises(DliFailException, match=r"1 of 1 archive not proven whole: .*bad\.zip") as caught:
        verify(damaged(world), instance, report_to=NO_BUCKET)
    told = str(caught.value)
    assert "The report was not written: PutObject" in told or "The report was not written: HeadBucket" in told
    assert "no bucket 'no-such-bucket'" in told
    assert told.endswith("Keep what is there as evidence, and export again.")
    assert caught.value.advice == "Keep what is there as evidence, and export again."
    assert not instance.pushed["return_value"][0]["sound"]


def test_an_archive_that_may_still_come_is_waited_for_by_a_retry(world: Emulator) -> None:
    """Whatever kept the report from being written."""
    with pytest.raises(DliException, match=r"missing: there is no .*The report was not written") as caught:
        verify(f"{world.bucket}/not-yet.zip", report_to=NO_BUCKET)
    assert not isinstance(caught.value, DliFailException)


def test_a_report_that_is_not_written_is_red_though_all_is_well(world: Emulator) -> None:
    """It was asked for; the result is there."""
    instance = TaskInstance()
    with pytest.raises(DliFailException, match="no bucket 'no-such-bucket'") as caught:
        verify(exported(world, [100]), instance, report_to=NO_BUCKET)
    assert "not proven" not in str(caught.value)
    assert instance.pushed["return_value"][0]["sound"]


@pytest.mark.parametrize("altered", [True, False])
def test_a_comparison_is_pushed_red_or_green(world: Emulator, altered: bool) -> None:
    """Though its report is not written; a job that differs is named all the same."""
    if altered:
        world.fault("ImportFlinkJobs", "import_alters", job=100)
    jobs, instance = restore(exported(world, [100])), TaskInstance()
    with pytest.raises(DliFailException, match="no bucket 'no-such-bucket'") as caught:
        compare(jobs, instance, report_to=NO_BUCKET)
    assert ("desc is 7 characters with SHA-256" in str(caught.value)) is altered
    assert [each["same"] for each in instance.pushed["return_value"]] == [not altered]
    assert instance.pushed["report"].startswith("# Restored Flink jobs")
    assert "report_file" not in instance.pushed


def test_who_may_write_reports_and_not_read_them_gets_no_picture(world: Emulator) -> None:
    """Of the runs before; what was asked of the archive is proven all the same."""
    archive = exported(world, [100])
    given: dict[str, Any] = {"level": "exists", "report_to": f"{world.bucket}/reports"}
    verify(archive, **given)
    world.fault("GetObject", "error", times=None, status=403, code="AccessDenied", message="no right to get")
    instance = TaskInstance()
    assert verify(archive, instance, **given)[0]["sound"]
    bucket, _, key = instance.pushed["report_file"].partition("/")
    page = world.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    assert json.loads(page.partition('id="report">')[2].partition("</script>")[0])["good"]
    assert "The last runs" not in page
