"""obs:// through Airflow's own ObjectStoragePath, against both stores."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import store

from airflow_provider_dli.emulator import Emulator
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.filesystems.obs import ObsFileSystem, get_fs, schemes


@pytest.fixture(scope="module", params=["seaweedfs", "moto"])
def stored(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """Return an emulator for each store."""
    with Emulator(object_store=request.param) as emulator:
        yield emulator


@pytest.fixture
def world(stored: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return it, clean and connected, under two names."""
    stored.reset()
    for name in ("DLI_DEFAULT", "OTHER"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", stored.airflow_conn)
    # Airflow and fsspec keep a filesystem for the life of a process; here each test has another store.
    store._STORE_CACHE.clear()  # noqa: SLF001 -- there is no other way
    ObsFileSystem.clear_instance_cache()
    return stored


@pytest.fixture
def home(world: Emulator, request: pytest.FixtureRequest) -> Any:
    """Return a directory of the bucket, as a task would name it; another one for each test."""
    return ObjectStoragePath(f"obs://{world.bucket}/{request.function.__name__}")


def test_airflow_knows_the_scheme(home: Any) -> None:
    """From the provider's description."""
    assert schemes == ["obs"]
    assert isinstance(home.fs, ObsFileSystem)
    assert get_fs(None).hook.dli_conn_id == "dli_default"
    assert get_fs("other").hook.dli_conn_id == "other"


def test_what_is_written_is_read(home: Any, world: Emulator) -> None:
    """Text and bytes, small and large; the connection may stand in the path."""
    (home / "a.txt").write_text("作业 1")
    assert (home / "a.txt").read_text() == "作业 1"
    large = bytes(range(256)) * 80_000
    (home / "large.bin").write_bytes(large)
    other = ObjectStoragePath(f"obs://other@{world.bucket}/{home.name}/large.bin")
    assert other.read_bytes() == large
    assert world.s3.head_object(Bucket=world.bucket, Key=f"{home.name}/large.bin")["ContentLength"] == len(large)


def test_an_archive_is_read_in_ranges(home: Any) -> None:
    """By the standard library, as a user's task would."""
    with (home / "a.zip").open("wb") as target, zipfile.ZipFile(target, "w") as made:
        made.writestr("100.json", '{"job_id": 100}')
    with (home / "a.zip").open("rb") as source, zipfile.ZipFile(source) as archive:
        assert archive.testzip() is None
        assert archive.read("100.json") == b'{"job_id": 100}'


def test_directories_are_listed(home: Any, world: Emulator) -> None:
    """Objects, and what their keys have in common."""
    for key in ("a.zip", "b.zip", "2026/c.zip", "2026/d/e.zip"):
        (home / key).write_bytes(b"x")
    assert sorted(path.name for path in home.iterdir()) == ["2026", "a.zip", "b.zip"]
    assert sorted(path.name for path in (home / "2026").iterdir()) == ["c.zip", "d"]
    assert home.name in [path.name for path in ObjectStoragePath(f"obs://{world.bucket}").iterdir()]
    found = home.fs.find(f"{world.bucket}/{home.name}")
    assert sorted(found) == [
        f"{world.bucket}/{home.name}/{key}" for key in ("2026/c.zip", "2026/d/e.zip", "a.zip", "b.zip")
    ]
    assert home.fs.ls(f"{world.bucket}/{home.name}/a.zip", detail=False) == [f"{world.bucket}/{home.name}/a.zip"]


def test_it_tells_of_objects_and_directories(home: Any, world: Emulator) -> None:
    """Kind, size, time and what changes with them."""
    before = datetime.now(UTC)
    (home / "a.zip").write_bytes(b"12345")
    path = home / "a.zip"
    assert (path.exists(), path.is_file(), path.is_dir(), path.stat().st_size) == (True, True, False, 5)
    assert (home.exists(), home.is_file(), home.is_dir()) == (True, False, True)
    assert not (home / "none").exists()
    assert abs((home.fs.modified(f"{world.bucket}/{home.name}/a.zip") - before).total_seconds()) < 60
    key = home.fs.ukey(f"{world.bucket}/{home.name}/a.zip")
    path.write_bytes(b"54321")
    assert home.fs.ukey(f"{world.bucket}/{home.name}/a.zip") != key


def test_objects_are_copied_and_removed(home: Any) -> None:
    """A copy stays in OBS."""
    (home / "a.zip").write_bytes(b"12345")
    home.fs.mkdir(f"{home.bucket}/new")
    home.fs.makedirs(f"{home.bucket}/new/deep")
    home.fs.copy(f"{home.bucket}/{home.name}/a.zip", f"{home.bucket}/{home.name}/b.zip")
    assert (home / "b.zip").read_bytes() == b"12345"
    (home / "a.zip").unlink()
    assert [path.name for path in home.iterdir()] == ["b.zip"]


def test_what_is_not_there_is_not_found(home: Any) -> None:
    """In the words of Python."""
    with pytest.raises(FileNotFoundError):
        (home / "none.zip").read_bytes()
    with pytest.raises(FileNotFoundError):
        home.fs.info(f"{home.bucket}/{home.name}/none.zip")
    with pytest.raises(DliFailException, match="there is no bucket"):
        ObjectStoragePath("obs://no-such-bucket/a.zip").read_bytes()


def test_an_object_that_is_replaced_while_it_is_open_is_not_mixed(home: Any) -> None:
    """Half of each would be neither."""
    path = home / "a.bin"
    path.write_bytes(b"a" * 100)
    with path.open("rb", block_size=10, cache_type="none") as source:
        assert source.read(10) == b"a" * 10
        path.write_bytes(b"b" * 100)
        with pytest.raises(DliException, match="was replaced or deleted while it was read"):
            source.read(10)


def test_a_failed_write_leaves_nothing(home: Any) -> None:
    """An object appears when it is closed, whole, or not at all."""

    def write() -> None:
        with (home / "half.bin").open("wb") as target:
            target.write(b"x" * 100)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        write()
    assert not (home / "half.bin").exists()
