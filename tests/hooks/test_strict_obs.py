"""The store as strict as OBS: what users of the hook's boto3 client, the hook and the operators send."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig

from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.operators.dli import DliExportFlinkJobsOperator, DliImportFlinkJobsOperator
from airflow_provider_dli.operators.verify import DliVerifyFlinkExportOperator
from dli_emulator import Emulator

RULE: Any = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "backup/"}, "Expiration": {"Days": 30}}


@pytest.fixture
def strict(dli_emulator: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the emulator, which refuses what OBS refuses."""
    dli_emulator.state.settings.change({"strict_obs": True})
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection("access_key", retry_budget=0))
    return dli_emulator


def test_objects_are_deleted_in_batches(strict: Any) -> None:
    """DeleteObjects of boto3."""
    client: Any = ObsHook().get_conn()
    for key in ("a", "b"):
        client.put_object(Bucket=strict.bucket, Key=key, Body=b"x")
    deleted = client.delete_objects(Bucket=strict.bucket, Delete={"Objects": [{"Key": "a"}, {"Key": "b"}]})
    assert sorted(each["Key"] for each in deleted["Deleted"]) == ["a", "b"]
    assert not client.list_objects(Bucket=strict.bucket).get("Contents")


def test_a_lifecycle_is_set(strict: Any) -> None:
    """PutBucketLifecycleConfiguration of boto3: retention of backups."""
    client: Any = ObsHook().get_conn()
    client.put_bucket_lifecycle_configuration(Bucket=strict.bucket, LifecycleConfiguration={"Rules": [RULE]})
    (rule,) = client.get_bucket_lifecycle_configuration(Bucket=strict.bucket)["Rules"]
    assert rule["Expiration"]["Days"] == 30
    client.delete_bucket_lifecycle(Bucket=strict.bucket)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["md5", "encrypted", "file_system"])
def test_objects_are_written_copied_and_read(strict: Any, kind: str) -> None:
    """In one piece and in parts, whatever ETags are."""
    strict.state.settings.change({"object_etags": kind})
    hook, data = ObsHook(), bytes(range(256)) * 40_000
    client: Any = hook.get_conn()
    source, target = ObsLocation(strict.bucket, "d/a"), ObsLocation(strict.bucket, "d/b")
    parts = TransferConfig(multipart_threshold=2**23, multipart_chunksize=2**23)
    for write in (
        lambda: hook.put(source, data, "text/plain"),
        lambda: hook.upload(io.BytesIO(data), source, "text/plain"),
        lambda: client.upload_fileobj(io.BytesIO(data), source.bucket, source.key, Config=parts),
    ):
        write()
        facts = hook.find(source)
        assert facts
        with hook.open(source, facts) as reader:
            assert reader.read() == data
        hook.copy(source, facts, target)
    copied = hook.find(target)
    assert copied
    assert copied.size == len(data)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["encrypted", "file_system"])
def test_archives_are_verified_and_restored_whatever_their_etags(strict: Any, kind: str) -> None:
    """Encryption by default of the bucket, or a parallel file system; copies in a staging directory too."""
    strict.state.settings.change({"object_etags": kind})
    archives = DliExportFlinkJobsOperator(task_id="export", obs_dir=f"{strict.bucket}/strict").execute({})
    (report,) = DliVerifyFlinkExportOperator(task_id="verify", zip_file=archives, timeout=0).execute({})
    notes = [each["code"] for each in report["findings"]]
    assert report["verified"]
    assert notes == ([] if kind == "encrypted" else ["etag-mismatch"])
    restore = DliImportFlinkJobsOperator(
        task_id="restore", zip_file=archives[0], is_cover=True, staging_dir=f"{strict.bucket}/staging"
    )
    assert len(restore.execute({}) or ()) == 26


@pytest.fixture
def encrypting(emulator_on: Callable[[str], Emulator], monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """Return an emulator whose bucket encrypts by default what SeaweedFS writes to its disk (SSE-S3)."""
    emulator = emulator_on("seaweedfs")
    emulator.reset()
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", emulator.connection("access_key", retry_budget=0))
    rule: Any = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    emulator.s3.put_bucket_encryption(Bucket=emulator.bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    yield emulator
    emulator.s3.delete_bucket_encryption(Bucket=emulator.bucket)


@pytest.mark.slow
def test_objects_that_the_store_really_encrypts(encrypting: Emulator) -> None:
    """Nothing of them is on its disk; they are read and copied as others, in ranges too, and are verified."""
    hook, data = ObsHook(), os.urandom(10_000_000)
    disk: Path = encrypting._store._child.directory  # type: ignore[union-attr]  # noqa: SLF001 -- no other way
    place, copy = ObsLocation(encrypting.bucket, "d/a"), ObsLocation(encrypting.bucket, "d/b")
    hook.upload(io.BytesIO(data), place, "text/plain")
    facts = hook.find(place)
    assert facts
    assert facts.encrypted
    hook.copy(place, facts, copy)
    files = [each for each in disk.rglob("*") if each.is_file()]
    assert files
    assert [each for each in files if data[5000:5064] in each.read_bytes()] == []
    for each in (place, copy):
        found = hook.find(each)
        assert found
        with hook.open(each, found) as reader:
            reader.seek(-64, io.SEEK_END)
            assert reader.read() == data[-64:]
            reader.seek(0)
            assert reader.read() == data
    archives = DliExportFlinkJobsOperator(task_id="export", obs_dir=f"{encrypting.bucket}/sse").execute({})
    (report,) = DliVerifyFlinkExportOperator(task_id="verify", zip_file=archives, timeout=0).execute({})
    assert (report["verified"], report["findings"]) == (True, [])
