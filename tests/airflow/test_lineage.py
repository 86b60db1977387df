"""Lineage as OpenLineage's provider reports it, in a running Airflow, through its transport into a file."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openlineage.client.serde import Serde

from airflow_provider_dli.lineage import Check, Dataset, Lineage, obs_dataset
from airflow_provider_dli.openlineage import FACET, operator_lineage
from airflow_provider_dli.operators.dli import DliExportFlinkJobsOperator, DliVerifyFlinkExportOperator
from dli_emulator import Emulator
from tests.airflow.airflow_process import AirflowProcess, until
from tests.zipped import zipped


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    return dli_emulator


def names(datasets: list[Any]) -> list[tuple[str, str]]:
    """Name datasets of an event."""
    return [(dataset["namespace"], dataset["name"]) for dataset in datasets]


def event(airflow: AirflowProcess, run: str, task: str, kind: str) -> Any:
    """Wait for the event of a task, as OpenLineage's transport wrote it."""

    def found() -> Any:
        lines = (airflow.home / "lineage.jsonl").read_text().splitlines()
        events = [json.loads(line) for line in lines]
        for each in events:
            known = (each["eventType"], each["job"]["name"].rpartition(".")[2])
            if known == (kind, task) and each["run"]["facets"]["airflow"]["dagRun"]["run_id"] == run:
                return each
        return None

    return until(found, 240)


def test_lineage_of_export_verify_import_and_compare(airflow_process: AirflowProcess, dli_emulator: Any) -> None:
    """Jobs into archives, checks of archives, archives into jobs."""
    run = airflow_process.trigger("lineage", {"obs_dir": f"{dli_emulator.bucket}/lineage"})
    tasks = airflow_process.finish("lineage", run)
    assert {task: each["state"] for task, each in tasks.items() if each["state"] != "success"} == {
        "compare": "failed"  # with the sources themselves
    }
    (archive,) = airflow_process.xcom("lineage", run, "export")
    (report,) = airflow_process.xcom("lineage", run, "verify")
    place = (f"obs://{dli_emulator.bucket}", archive.partition("/")[2])
    jobs = (f"dli://{dli_emulator.dli.removeprefix('http://')}", f"{dli_emulator.project_id}/streaming/jobs")

    export = event(airflow_process, run, "export", "COMPLETE")
    assert (names(export["inputs"]), names(export["outputs"])) == ([jobs], [place])
    facet = export["run"]["facets"][FACET]
    assert (facet["region"], facet["projectId"]) == ("cn-north-4", dli_emulator.project_id)
    assert (facet["jobIds"], facet["failedJobIds"]) == ([100, 101], [])
    assert export["outputs"][0]["facets"]["datasetType"]["datasetType"] == "FILE"

    verify = event(airflow_process, run, "verify", "COMPLETE")
    assert names(verify["inputs"]) == [place]
    facets = verify["inputs"][0]["inputFacets"]
    assert facets["inputStatistics"]["size"] == report["size"]
    (assertion,) = facets["dataQualityAssertions"]["assertions"]
    assert (assertion["assertion"], assertion["success"]) == ("intact", True)
    assert verify["inputs"][0]["facets"]["version"]["datasetVersion"] == report["etag"]
    written = airflow_process.xcom("lineage", run, "verify", "report_file")
    assert names(verify["outputs"]) == [(place[0], written.partition("/")[2])]

    restore = event(airflow_process, run, "restore", "COMPLETE")
    assert (names(restore["inputs"]), names(restore["outputs"])) == ([place], [jobs])
    assert set(restore["run"]["facets"][FACET]["jobMapping"]) == {"100", "101"}
    assert names(event(airflow_process, run, "compare", "FAIL")["inputs"]) == [jobs, jobs]


def test_lineage_of_a_deferred_verification(airflow_process: AirflowProcess, dli_emulator: Any) -> None:
    """Resumed in another process; it fails, so the finding is a failed assertion."""
    name = f"{dli_emulator.bucket}/lineage-deferred.zip"
    run = airflow_process.trigger("deferred_verify", {"zip_file": name})
    until(lambda: airflow_process.tasks("deferred_verify", run)["verify"]["state"] == "deferred", 240)
    dli_emulator.s3.put_object(Bucket=dli_emulator.bucket, Key="lineage-deferred.zip", Body=zipped()[:-5])
    assert airflow_process.finish("deferred_verify", run)["verify"]["state"] == "failed"
    failed = event(airflow_process, run, "verify", "FAIL")
    assert names(failed["inputs"]) == [(f"obs://{dli_emulator.bucket}", "lineage-deferred.zip")]
    assertions = failed["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert assertions
    assert not any(each["success"] for each in assertions)
    assert all(each["description"] for each in assertions)


def test_a_partial_export_reports_exported_and_failed_jobs(emulator: Emulator) -> None:
    """Ids of both kinds are in the run facet."""
    operator = DliExportFlinkJobsOperator(
        task_id="export", obs_dir=emulator.bucket, job_selected=[100, 999999], batch_size=1, allow_partial=True
    )
    operator.execute({})
    assert operator.lineage
    assert len(operator.lineage.outputs) == 1
    assert (operator.lineage.facts["jobIds"], operator.lineage.facts["failedJobIds"]) == ([100], [999999])


def test_a_task_that_failed_before_reading_has_no_lineage(emulator: Emulator) -> None:
    """And no error for that."""
    emulator.fault("ExportFlinkJobs", "error", status=403, code="DLI.0003")
    operator = DliVerifyFlinkExportOperator(task_id="verify", zip_file="no-such-bucket/a.zip", timeout=0)
    with pytest.raises(Exception, match="no bucket"):
        operator.execute({})
    assert operator.get_openlineage_facets_on_complete(None) is None


def test_names_and_facets_of_datasets() -> None:
    """As OpenLineage names those of object stores; unknown facets are omitted."""
    assert obs_dataset("bucket/a/b.zip") == Dataset("obs://bucket", "a/b.zip")
    assert obs_dataset("bucket") == Dataset("obs://bucket", "/")
    archive = obs_dataset("b/k", version="v", size=3, checks=(Check("intact", success=True),))
    lineage = operator_lineage(Lineage([archive], [obs_dataset("b/r.html")]))
    assert lineage.run_facets == {}
    written = json.loads(Serde.to_json(lineage.inputs[0]))
    assert set(written["facets"]) == {"datasetType", "version"}
    assert set(written["inputFacets"]) == {"inputStatistics", "dataQualityAssertions"}
    assert set(json.loads(Serde.to_json(lineage.outputs[0]))["facets"]) == {"datasetType"}
