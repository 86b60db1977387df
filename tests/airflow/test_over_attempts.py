"""Requests over the attempts of a real task: real task state store, scheduler and processes.

A response is lost in one attempt, and the next request is throttled: the outcome of the second is not
that of the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.airflow.airflow_process import AirflowProcess, until
from tests.zipped import zipped


@pytest.fixture
def airflow(airflow_process: AirflowProcess, dli_emulator: Any) -> Iterator[AirflowProcess]:
    """Add a connection that waits two seconds for a response, and fails at the first 429."""
    airflow_process.connect("dli_impatient", dli_emulator.connection(retry_budget=0, read_timeout=2))
    yield airflow_process
    airflow_process.disconnect("dli_impatient")


def archives(emulator: Any, prefix: str) -> list[str]:
    listed = emulator.s3.list_objects_v2(Bucket=emulator.bucket, Prefix=prefix).get("Contents", [])
    return [f"{emulator.bucket}/{each['Key']}" for each in listed]


def acted(emulator: Any, operation: str) -> int:
    return sum(request.operation == operation and request.acted for request in emulator.requests)


@pytest.mark.parametrize("numbered", [False, True], ids=["one-directory", "a-directory-for-each-attempt"])
def test_no_archive_is_made_without_a_report(airflow: AirflowProcess, dli_emulator: Any, numbered: bool) -> None:
    """DLI still exports when the next request is throttled: one archive, or the log and the XCom name the other.

    If it appears after the export has ended, the log of the export names its directory, and the verification that
    comes after it names the archive and the request.
    """
    dli_emulator.fault("ExportFlinkJobs", "slow", before=7.0)
    dli_emulator.fault("ExportFlinkJobs", "throttled", retry_after=0)
    prefix, last = f"over-{numbered}/", f"last-{numbered}.zip"
    conf = {"obs_dir": f"{dli_emulator.bucket}/over-{numbered}", "last": f"{dli_emulator.bucket}/{last}"}
    run = airflow.trigger("export_over_attempts", {**conf, "numbered": numbered})

    def is_over() -> bool:
        states = {each["state"] for each in airflow.instances("export_over_attempts", run, "export")}
        made = len(archives(dli_emulator, prefix))
        return states == {"success"} and made == acted(dli_emulator, "ExportFlinkJobs")

    until(is_over, 90)
    dli_emulator.s3.put_object(Bucket=dli_emulator.bucket, Key=last, Body=zipped({"a.json": b"{}"}))
    tasks = airflow.finish("export_over_attempts", run)
    attempt = tasks["export"]["try_number"]
    log = airflow.log("export_over_attempts", run, "export", attempt)
    assert (tasks["export"]["state"], attempt, tasks["verify"]["state"]) == ("success", 2, "success"), log
    returned = airflow.xcom("export_over_attempts", run, "export")
    assert len(returned) == 1
    extra = set(archives(dli_emulator, prefix)) - set(returned)
    named = {archive for archive in extra if archive in log}
    if named:
        assert set(airflow.xcom("export_over_attempts", run, "export", "extra_archives")) == named
    late = extra - named
    if late:
        assert set(airflow.xcom("export_over_attempts", run, "verify", "late_archives")) == late
    verified = airflow.log("export_over_attempts", run, "verify", 1)
    for archive in late:
        directory = archive.rpartition("/")[0]
        assert f"obs://{directory} was lost or could not be used, and no" in log, (archive, log)
        assert f"{archive}. The export of 6 jobs into {directory} that was requested at 20" in verified


def test_a_mapped_task_never_returns_the_archive_of_another(airflow: AirflowProcess, dli_emulator: Any) -> None:
    """Both export the same jobs into one directory at the same time, and one request is cut before DLI acts."""
    dli_emulator.fault("ExportFlinkJobs", "cut_before")
    run = airflow.trigger("mapped_over_attempts")
    airflow.finish("mapped_over_attempts", run)
    instances = airflow.instances("mapped_over_attempts", run, "export")
    states = sorted(each["state"] for each in instances)
    made = acted(dli_emulator, "ExportFlinkJobs")
    # Either each has made its own, or one could not be certain and has failed.
    assert (states, made) in ((["success", "success"], 2), (["failed", "success"], 1))


def test_a_job_that_ran_and_finished_meanwhile_is_not_run_again(
    airflow: AirflowProcess, dli_emulator: Any
) -> None:
    """The response of the first request was lost, the second was throttled, and the third would run it twice."""
    path = ["job_submitting", "job_running", "job_finish"]
    dli_emulator.state.settings.step_seconds = 0.1
    dli_emulator.fault("BatchRunFlinkJobs", "slow", before=5.0)
    dli_emulator.fault("BatchRunFlinkJobs", "throttled", retry_after=0)
    dli_emulator.fault("BatchRunFlinkJobs", "statuses", path=path)
    run = airflow.trigger("run_over_attempts")
    until(lambda: acted(dli_emulator, "BatchRunFlinkJobs"), 60)
    job = dli_emulator.state.jobs[100]
    job.plan = []
    job.status, job.start_time = "job_finish", 1
    task = airflow.finish("run_over_attempts", run)["run"]
    log = airflow.log("run_over_attempts", run, "run", task["try_number"])
    assert task["state"] == "success", log
    assert acted(dli_emulator, "BatchRunFlinkJobs") == 1
    assert dli_emulator.state.jobs[100].runs == 1
    assert "in project" in airflow.log("run_over_attempts", run, "run", 1)
