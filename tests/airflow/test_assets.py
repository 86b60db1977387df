"""Assets of the scheme ``obs``: their normal form, and their events."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.sdk import Asset, AssetAlias
from airflow.sdk.execution_time.context import OutletEventAccessors

from airflow_provider_dli.assets.obs import (
    convert_asset_to_openlineage,
    create_asset,
    sanitize_uri,
)
from airflow_provider_dli.lineage import obs_dataset
from airflow_provider_dli.operators.dli import DliExportFlinkJobsOperator, DliVerifyFlinkExportOperator
from dli_emulator import Emulator
from tests.airflow.airflow_process import AirflowProcess, until
from tests.zipped import zipped


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    return dli_emulator


@pytest.mark.parametrize(
    ("uri", "normal"),
    [
        ("obs://bucket", "obs://bucket"),
        ("obs://bucket/", "obs://bucket"),
        ("obs://bucket/a/b/", "obs://bucket/a/b"),
        ("OBS://bucket/a.zip", "obs://bucket/a.zip"),
        ("obs://bucket/夜/ü.zip", "obs://bucket/夜/ü.zip"),
    ],
)
def test_uris_are_normalized(uri: str, normal: str) -> None:
    """Also where Airflow itself makes the asset."""
    assert Asset(uri).uri == normal
    assert sanitize_uri(urlsplit(uri)).geturl() == normal


@pytest.mark.parametrize(
    "uri",
    [
        "obs://",
        "obs:///a",
        "obs:///flink",
        "obs://Bucket_X/a",
        "obs://bucket/a//b",
        "obs://bucket/../b",
        "obs://bucket/a?b=c",
        "obs:bucket",
        "obs:/bucket/a",
        "obs://user@bucket/a",
    ],
)
def test_a_uri_that_is_not_a_place_in_obs_is_refused(uri: str) -> None:
    """By Airflow, when it parses the DAG file."""
    with pytest.raises(ValueError, match=r"obs:|uri:"):
        sanitize_uri(urlsplit(uri))


def test_a_password_is_refused_and_not_repeated() -> None:
    """Airflow takes it out of the URI, and leaves it in the name."""
    with pytest.raises(ValueError, match="no user or password") as refused:
        create_asset(bucket="user:s3cret@bucket", key="a")
    assert "s3cret" not in str(refused.value)
    with pytest.warns(UserWarning, match="should not contain a password"):
        asset = Asset("obs://user:s3cret@bucket/a")
    assert (asset.uri, asset.name) == ("obs://bucket/a", "obs://user:s3cret@bucket/a")
    with pytest.raises(ValueError, match="no user or password") as refused:
        DliVerifyFlinkExportOperator(task_id="verify", zip_file="bucket/a/b.zip", outlets=[asset])
    assert "s3cret" not in str(refused.value)


def test_an_asset_is_made_of_bucket_and_key() -> None:
    """By the factory that the provider registers."""
    assert create_asset(bucket="bucket", key="a/b.zip", extra={"x": 1}) == Asset(
        "obs://bucket/a/b.zip", extra={"x": 1}
    )
    assert create_asset(bucket="bucket").uri == "obs://bucket"


@pytest.mark.slow
def test_export_and_verify_fill_asset_events(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """The export's event names the archives; the verification's has the result for each; none is an asset."""
    events: Any = OutletEventAccessors()
    directory, elsewhere, alias, named, foreign = (
        Asset(f"obs://{emulator.bucket}/night"),
        Asset("obs://other/x"),
        AssetAlias("archives"),
        Asset("backups"),
        Asset("s3://bucket/night"),
    )
    outlets = [directory, elsewhere, alias, named, foreign]
    context: Any = {"outlet_events": events}
    export = DliExportFlinkJobsOperator(task_id="export", obs_dir=f"{emulator.bucket}/night", outlets=outlets)
    (archive,) = export.execute(context)
    assert events[directory].extra == {"archives": {archive: {"verified": False}}}
    verify = DliVerifyFlinkExportOperator(task_id="verify", zip_file=archive, outlets=outlets)
    (report,) = verify.execute(context)
    proof = {"verified": True, "level": "full", "size": report["size"], "sha256": report["sha256"], "entries": 26}
    expected = {"archives": {archive: proof}}
    assert events[directory].extra == events[named].extra == expected
    assert events[elsewhere].extra == events[foreign].extra == {}
    assert events[alias].asset_alias_events == []
    assert "The alias archives gets no event: give an asset with a name in its place." in caplog.text
    assert "No archive is in the asset obs://other/x: its event names none." in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("directory", "written"),
    [("night#1", "night%231"), ("what?", "what%3F"), ("50%23", "50%2523"), ("夜 1/ü", "夜 1/ü")],
)
def test_reserved_characters_are_encoded(emulator: Emulator, directory: str, written: str) -> None:
    """The asset of a directory gets the archives in it, however they are called."""
    events: Any = OutletEventAccessors()
    whole = create_asset(bucket=emulator.bucket, key=directory)
    assert whole.uri == f"obs://{emulator.bucket}/{written}"
    export = DliExportFlinkJobsOperator(
        task_id="export", obs_dir=f"{emulator.bucket}/{directory}", outlets=[whole]
    )
    (archive,) = export.execute({"outlet_events": events})
    assert events[whole].extra == {"archives": {archive: {"verified": False}}}
    known = convert_asset_to_openlineage(create_asset(bucket=emulator.bucket, key=archive.partition("/")[2]), None)
    assert (known.namespace, known.name) == (obs_dataset(archive).namespace, obs_dataset(archive).name)


def test_a_space_at_the_end_of_a_key_is_kept() -> None:
    """Two keys are two assets."""
    assert create_asset(bucket="bucket", key="a/b ").uri == "obs://bucket/a/b%20"


@pytest.mark.slow
def test_a_damaged_archive_gets_no_event(emulator: Emulator) -> None:
    """A DAG that is scheduled by a verified archive does not start."""
    emulator.s3.put_object(Bucket=emulator.bucket, Key="night/a.zip", Body=zipped()[:-5])
    events: Any = OutletEventAccessors()
    directory = Asset(f"obs://{emulator.bucket}/night")
    verify = DliVerifyFlinkExportOperator(
        task_id="verify", zip_file=f"{emulator.bucket}/night/a.zip", outlets=[directory]
    )
    with pytest.raises(Exception, match="failed verification"):
        verify.execute({"outlet_events": events})
    assert len(events) == 0


def test_a_dag_is_scheduled_by_a_verified_archive(airflow_process: AirflowProcess, dli_emulator: Any) -> None:
    """In a running Airflow: the scheduler starts it, and it reads the result from the event."""
    run = airflow_process.trigger("assets_upstream", {"obs_dir": f"{dli_emulator.bucket}/assets"})
    tasks = airflow_process.finish("assets_upstream", run)
    assert {task["state"] for task in tasks.values()} == {"success"}
    downstream = until(lambda: airflow_process.runs("assets_downstream"), 240)
    tasks = airflow_process.finish("assets_downstream", downstream[0])
    assert tasks["read"]["state"] == "success", airflow_process.log("assets_downstream", downstream[0], "read", 1)
    (event,) = airflow_process.xcom("assets_downstream", downstream[0], "read").values()
    assert (event["verified"], event["entries"]) == (True, 26)
    assert airflow_process.link("assets_upstream", run, "export", "OBS bucket").endswith(
        f"/console/?region=cn-north-4#/obs/manage/{dli_emulator.bucket}/object/list"
    )
