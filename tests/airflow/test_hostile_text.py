"""Names, keys, statuses and messages that forge log lines: through every operator, sensor, trigger and report."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_dli.archive.__main__ import main as archive_cli
from airflow_provider_dli.filesystems.obs import ObsFileSystem
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.operators import dli
from airflow_provider_dli.sensors.dli import DliExportArchiveSensor, DliFlinkJobSensor
from airflow_provider_dli.triggers.flink import FlinkJobsTrigger
from airflow_provider_dli.triggers.obs import ArchivesTrigger
from dli_emulator import Emulator
from tests.airflow.execution_modes import event_of
from tests.airflow.stores import TaskInstance
from tests.dag_runs import DagRunner
from tests.hostile import HOSTILE, HOSTILE_XML, is_clean, is_clean_output
from tests.services.two_projects import two_projects
from tests.zipped import zipped

JOB = {"name": HOSTILE, "desc": HOSTILE, "queue_name": HOSTILE, "user_name": HOSTILE, "status_desc": HOSTILE}


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return two projects; the first has a job with nothing but hostile texts, of id 900."""
    two_projects(dli_emulator, monkeypatch)
    dli_emulator.state.add_job(job_id=900, **JOB, sql_body=HOSTILE)
    return dli_emulator


def put_zip(emulator: Emulator, key: str = "hostile.zip", **content: str) -> str:
    body = zipped({f"{HOSTILE}.json": json.dumps(content), f"../{HOSTILE}.json": "{}"})
    emulator.s3.put_object(Bucket=emulator.bucket, Key=key, Body=body)
    return f"{emulator.bucket}/{key}"


def refusing(emulator: Emulator, operation: str) -> None:
    emulator.fault(operation, "error", status=400, code=HOSTILE, message=HOSTILE)


def export(emulator: Emulator, instance: TaskInstance, **given: Any) -> None:
    dli.DliExportFlinkJobsOperator(
        task_id="x", **{"obs_dir": f"{emulator.bucket}/a", "reconcile_timeout": 0, **given}
    ).execute(instance.context)


def refused_export(emulator: Emulator, instance: TaskInstance) -> None:
    refusing(emulator, "ExportFlinkJobs")
    export(emulator, instance, job_selected=[900])


def archives_of_others(emulator: Emulator, instance: TaskInstance) -> None:
    body = {"is_success": True, "message": HOSTILE, "zip_file": [f"{emulator.bucket}/{HOSTILE}.zip"]}
    emulator.fault("ExportFlinkJobs", "reply", status=200, body=json.dumps(body))
    export(emulator, instance)


def no_success(emulator: Emulator, instance: TaskInstance) -> None:
    emulator.fault("ExportFlinkJobs", "is_success_false", message=HOSTILE)
    export(emulator, instance)


def a_page(emulator: Emulator, instance: TaskInstance) -> None:
    emulator.fault("ExportFlinkJobs", "reply", status=502, body=f"<html>{HOSTILE}</html>", times=None)
    export(emulator, instance)


def redirected(emulator: Emulator, instance: TaskInstance) -> None:
    emulator.fault("ExportFlinkJobs", "reply", status=302, headers={"Location": "http://x/\x85\u202e"}, body="")
    export(emulator, instance)


def listed(emulator: Emulator, instance: TaskInstance) -> None:
    del emulator
    dli.DliListFlinkJobsOperator(task_id="x").execute(instance.context)


def nothing_listed(emulator: Emulator, instance: TaskInstance) -> None:
    del emulator
    dli.DliListFlinkJobsOperator(task_id="x", queue_name=f"{HOSTILE}y", if_empty="skip").execute(instance.context)


def selected(emulator: Emulator, instance: TaskInstance) -> None:
    export(emulator, instance, selection={"status": "job_init"})


def run(emulator: Emulator, instance: TaskInstance) -> None:
    emulator.fault("BatchRunFlinkJobs", "statuses", path=["job_submitting", "job_submit_fail"])
    dli.DliRunFlinkJobsOperator(task_id="x", job_ids=[900], poll_interval=0.05, timeout=5).execute(
        instance.context
    )


def refused_run(emulator: Emulator, instance: TaskInstance) -> None:
    refusing(emulator, "BatchRunFlinkJobs")
    dli.DliRunFlinkJobsOperator(task_id="x", job_ids=[900], timeout=1).execute(instance.context)


def stopped(emulator: Emulator, instance: TaskInstance) -> None:
    emulator.state.jobs[900].status = "job_running"
    dli.DliStopFlinkJobsOperator(task_id="x", job_ids=[900], poll_interval=0.05).execute(instance.context)


def saved(emulator: Emulator, instance: TaskInstance) -> None:
    refusing(emulator, "ExecuteFlinkJobSavepoint")
    emulator.state.jobs[900].status = "job_running"
    dli.DliSavepointFlinkJobsOperator(task_id="x", job_ids=[900], timeout=1).execute(instance.context)


def deleted(emulator: Emulator, instance: TaskInstance) -> None:
    del emulator
    dli.DliDeleteFlinkJobsOperator(task_id="x", job_ids=[900]).execute(instance.context)


def awaited_jobs(emulator: Emulator, instance: TaskInstance) -> None:
    emulator.state.jobs[900].status = "job_submit_fail"
    DliFlinkJobSensor(task_id="x", job_ids=[900], poke_interval=0.05, timeout=1).execute(instance.context)


def unknown_status(emulator: Emulator, instance: TaskInstance) -> None:
    detail = {"job_id": 900, "name": HOSTILE, "status": HOSTILE, "job_type": HOSTILE}
    body = {"is_success": "true", "message": HOSTILE, "job_detail": detail}
    emulator.fault("ShowFlinkJob", "reply", status=200, body=json.dumps(body), times=None)
    DliFlinkJobSensor(task_id="x", job_ids=[900], poke_interval=0.05, timeout=1).execute(instance.context)


def awaited_archives(emulator: Emulator, instance: TaskInstance) -> None:
    place = f"{emulator.bucket}/{HOSTILE_XML}.zip"
    DliExportArchiveSensor(task_id="x", zip_file=[place], poke_interval=0.05, timeout=0.2).execute(
        instance.context
    )


def awaited_in_vain(emulator: Emulator, instance: TaskInstance) -> None:
    sensor = DliExportArchiveSensor(task_id="x", zip_file=[f"{emulator.bucket}/a.zip"], timeout=1)
    sensor.execute_complete(instance.context, {"status": "timeout", "pending": HOSTILE})


def verified(emulator: Emulator, instance: TaskInstance) -> None:
    dli.DliVerifyFlinkExportOperator(
        task_id="x", zip_file=[put_zip(emulator)], expected_jobs=[HOSTILE], report_dir=f"{emulator.bucket}/reports"
    ).execute(instance.context)


def missing_archive(emulator: Emulator, instance: TaskInstance) -> None:
    dli.DliVerifyFlinkExportOperator(
        task_id="x", zip_file=[f"{emulator.bucket}/{HOSTILE_XML}.zip"], timeout=0.2, poll_interval=0.05
    ).execute(instance.context)


def refused_by_obs(emulator: Emulator, instance: TaskInstance) -> None:
    connection = json.loads(emulator.connection("access_key", retry_budget=0, obs_endpoint=emulator.dli))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_PROXIED", json.dumps(connection))
        emulator.fault("HeadObject", "error", status=403, code="X", message=HOSTILE_XML, times=None)
        emulator.fault("GetObject", "error", status=400, code="X", message=HOSTILE_XML, times=None)
        emulator.fault("ListObjects", "error", status=400, code="X", message=HOSTILE_XML, times=None)
        try:
            dli.DliVerifyFlinkExportOperator(
                task_id="x", zip_file=[f"{emulator.bucket}/a.zip"], dli_conn_id="proxied", timeout=0
            ).execute(instance.context)
        finally:
            fired(ArchivesTrigger([f"{emulator.bucket}/a.zip"], "proxied", 0.05, 9e9))


def imported(emulator: Emulator, instance: TaskInstance) -> None:
    place = put_zip(emulator, "import.zip")
    row = {"old_job_id": 900, "new_job_id": None, "remark": HOSTILE}
    body = {"is_success": "true", "message": HOSTILE, "job_mapping": [row]}
    emulator.fault("ImportFlinkJobs", "reply", status=200, body=json.dumps(body))
    dli.DliImportFlinkJobsOperator(
        task_id="x",
        zip_file=place,
        verify_archive=False,
        expected_jobs=[HOSTILE],
        dli_conn_id="dli_scratch",
        reconcile_timeout=0,
    ).execute(instance.context)


def compared(emulator: Emulator, instance: TaskInstance) -> None:
    scratch = next(each for each in emulator.state.projects.values() if "scratch" in each.name)
    job = emulator.state.add_job(in_project=scratch.project_id, **{**JOB, "queue_name": f"{HOSTILE}2"})
    dli.DliCompareFlinkJobsOperator(
        task_id="x",
        job_mapping={900: job.job_id},
        source_conn_id="dli_default",
        dli_conn_id="dli_scratch",
        report_dir=f"{emulator.bucket}/reports",
    ).execute(instance.context)


def promoted(emulator: Emulator, instance: TaskInstance) -> None:
    del emulator
    given: dict[str, Any] = {"source_conn_id": "dli_default", "dli_conn_id": "dli_scratch"}
    dli.DliPromoteFlinkJobsOperator(task_id="x", job_ids=[900], plan_only=True, **given).execute(instance.context)
    dli.DliPromoteFlinkJobsOperator(
        task_id="x", job_ids=[900], replacements={f"{HOSTILE}y": "z"}, **given
    ).execute(instance.context)


def fired(trigger: Any) -> Any:
    """Let a trigger fire; what Airflow logs of its event is the ``repr``, what a task makes of it the message."""
    event = asyncio.run(event_of(trigger))
    assert is_clean(repr(event))
    return event


def triggered(emulator: Emulator, instance: TaskInstance) -> None:
    del instance
    emulator.fault("ShowFlinkJob", "error", status=400, code=HOSTILE, message=HOSTILE, times=None)
    trigger = FlinkJobsTrigger([900], "running", dli_conn_id="dli_default", poll_interval=0.05, deadline=9e9)
    raise RuntimeError(fired(trigger)["message"])


def the_button(emulator: Emulator, instance: TaskInstance) -> None:
    del instance
    works, message = DliHook().test_connection()
    assert works, message
    refusing(emulator, "ListFlinkJobs")
    works, message = DliHook().test_connection()
    assert not works
    assert is_clean(message)
    raise RuntimeError(message)


def connected(emulator: Emulator, instance: TaskInstance) -> None:
    del instance
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_BAD", json.dumps({"conn_type": "dli", "extra": {HOSTILE: HOSTILE}}))
        for name in (
            "region",
            "cloud",
            "auth_type",
            "endpoint",
            "insecure_skip_verify",
            "read_timeout",
            "bucket",
            "ca_bundle",
        ):
            patch.setenv("AIRFLOW_CONN_WRONG", emulator.connection("access_key", agency=False, **{name: HOSTILE}))
            works, message = DliHook("wrong").test_connection()
            assert not works
            assert is_clean(message)
        DliHook("bad").test_connection()
        _ = DliHook("bad").account


def filesystem(emulator: Emulator, instance: TaskInstance) -> None:
    del instance
    ObsFileSystem("dli_default").info(f"{emulator.bucket}/{HOSTILE_XML}/{HOSTILE_XML}")


EVERYTHING: list[Callable[[Emulator, TaskInstance], None]] = [
    refused_export,
    archives_of_others,
    no_success,
    a_page,
    redirected,
    listed,
    nothing_listed,
    selected,
    run,
    refused_run,
    stopped,
    saved,
    deleted,
    awaited_jobs,
    unknown_status,
    awaited_archives,
    awaited_in_vain,
    verified,
    missing_archive,
    refused_by_obs,
    imported,
    compared,
    promoted,
    triggered,
    the_button,
    connected,
    filesystem,
]
#: those that succeed
_SUCCEEDING = {"listed", "selected", "stopped", "deleted"}


@pytest.mark.slow
@pytest.mark.parametrize("act", EVERYTHING, ids=lambda act: act.__name__)
def test_nothing_that_is_read_is_forged(
    emulator: Emulator,
    act: Callable[[Emulator, TaskInstance], None],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Log lines, the exception with all its causes, and reports; values in XCom stay as they are."""
    caplog.set_level(logging.INFO)
    instance = TaskInstance()
    failure: BaseException | None = None
    try:
        act(emulator, instance)
    except Exception as error:  # noqa: BLE001 -- whatever it is, people read it
        failure = error
    assert (failure is None) == (act.__name__ in _SUCCEEDING) or act is archives_of_others, failure
    written = capsys.readouterr()
    assert is_clean_output(written.out + written.err)
    assert all(is_clean_output(record.getMessage()) for record in caplog.records)
    assert not isinstance(failure, TypeError | LookupError | AttributeError | AssertionError), failure
    if failure:
        # As Airflow logs it; of a traceback the source lines are ours.
        assert is_clean_output("".join(traceback.format_exception(failure)))
    for name in ("report",):
        assert is_clean_output(str(instance.pushed.get(name)))
    if place := instance.pushed.get("report_file"):
        bucket, _, key = place.partition("/")
        assert is_clean_output(emulator.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode())


def test_the_command_line_of_archives(
    emulator: Emulator, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names of entries and of files."""
    file = tmp_path / f"{HOSTILE}.zip"
    key = put_zip(emulator).partition("/")[2]
    file.write_bytes(emulator.s3.get_object(Bucket=emulator.bucket, Key=key)["Body"].read())
    assert archive_cli([str(file), str(tmp_path / f"{HOSTILE}2"), "--expect", HOSTILE]) == 2
    assert archive_cli([str(file), "--json"]) == 1
    written = capsys.readouterr()
    assert "FORGED" in written.out
    assert is_clean_output(written.out + written.err)


DAG = """
from datetime import datetime
from airflow import DAG
from airflow_provider_dli.operators.dli import DliExportFlinkJobsOperator, DliListFlinkJobsOperator

with DAG("hostile", start_date=datetime(2026, 1, 1), schedule=None):
    listed = DliListFlinkJobsOperator(task_id="listed")
    refused = DliExportFlinkJobsOperator(task_id="refused", obs_dir="{bucket}/a", job_selected=[900])
    listed >> refused
"""


def test_the_logs_of_a_whole_airflow_are_not_forged(
    emulator: Emulator, run_dag: DagRunner, tmp_path: Path
) -> None:
    """A task that succeeds and one that fails, as Airflow runs them and logs them."""
    refusing(emulator, "ExportFlinkJobs")
    file = tmp_path / "hostile.py"
    file.write_text(DAG.replace("{bucket}", emulator.bucket))
    connection = emulator.connection("access_key", retry_budget=0)
    runner = replace(run_dag, file=file)
    runner.test("hostile", AIRFLOW_CONN_DLI_DEFAULT=connection)
    written = runner.log.read_text(encoding="utf-8")
    assert "900" in written
    assert "400" in written
    # Airflow may colour its own words.
    bare = re.sub(r"\x1b\[[0-9;]*m", "", written)
    assert is_clean_output(bare.replace("\r\n", "\n"))
    assert r"\x1b[31m" in written
