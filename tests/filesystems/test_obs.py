"""obs:// through Airflow's own ObjectStoragePath, against both stores."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.filesystems.obs import ObsFileSystem, get_fs, schemes
from dli_emulator import Emulator
from tests.connections import forget_filesystems

pytestmark = pytest.mark.slow


@pytest.fixture
def emulator(each_store: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return it, clean and connected, under two names."""
    for name in ("DLI_DEFAULT", "OTHER"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", each_store.airflow_conn)
    # Each test has another store.
    forget_filesystems()
    return each_store


@pytest.fixture
def home(emulator: Emulator, request: pytest.FixtureRequest) -> Any:
    """Return a directory of the bucket, as a task would name it; another one for each test."""
    return ObjectStoragePath(f"obs://{emulator.bucket}/{request.function.__name__}")


@pytest.mark.slow
def test_airflow_knows_the_scheme(home: Any) -> None:
    """From the provider's description."""
    assert schemes == ["obs"]
    assert isinstance(home.fs, ObsFileSystem)
    assert home.fs.client is home.fs.hook.get_conn()
    assert get_fs(None).hook.dli_conn_id == "dli_default"
    assert get_fs("other").hook.dli_conn_id == "other"


def test_what_is_written_is_read(home: Any, emulator: Emulator) -> None:
    """Text and bytes, small and large; the connection may be in the path."""
    (home / "a.txt").write_text("作业 1")
    assert (home / "a.txt").read_text() == "作业 1"
    large = bytes(range(256)) * 80_000
    (home / "large.bin").write_bytes(large)
    other = ObjectStoragePath(f"obs://other@{emulator.bucket}/{home.name}/large.bin")
    assert other.read_bytes() == large
    assert emulator.s3.head_object(Bucket=emulator.bucket, Key=f"{home.name}/large.bin")["ContentLength"] == len(
        large
    )


@pytest.mark.slow
def test_an_archive_is_read_in_ranges(home: Any) -> None:
    """By the standard library, as a user's task would."""
    with (home / "a.zip").open("wb") as target, zipfile.ZipFile(target, "w") as made:
        made.writestr("100.json", '{"job_id": 100}')
    with (home / "a.zip").open("rb") as source, zipfile.ZipFile(source) as archive:
        assert archive.testzip() is None
        assert archive.read("100.json") == b'{"job_id": 100}'


def test_directories_are_listed(home: Any, emulator: Emulator) -> None:
    """Objects, and what their keys have in common."""
    for key in ("a.zip", "b.zip", "2026/c.zip", "2026/d/e.zip"):
        (home / key).write_bytes(b"x")
    assert sorted(path.name for path in home.iterdir()) == ["2026", "a.zip", "b.zip"]
    assert sorted(path.name for path in (home / "2026").iterdir()) == ["c.zip", "d"]
    assert home.name in [path.name for path in ObjectStoragePath(f"obs://{emulator.bucket}").iterdir()]
    found = home.fs.find(f"{emulator.bucket}/{home.name}")
    assert sorted(found) == [
        f"{emulator.bucket}/{home.name}/{key}" for key in ("2026/c.zip", "2026/d/e.zip", "a.zip", "b.zip")
    ]
    assert home.fs.ls(f"{emulator.bucket}/{home.name}/a.zip", detail=False) == [
        f"{emulator.bucket}/{home.name}/a.zip"
    ]


def test_objects_and_directories_have_details(home: Any, emulator: Emulator) -> None:
    """Kind, size, time and what changes with them."""
    before = datetime.now(UTC)
    (home / "a.zip").write_bytes(b"12345")
    path = home / "a.zip"
    assert (path.exists(), path.is_file(), path.is_dir(), path.stat().st_size) == (True, True, False, 5)
    assert (home.exists(), home.is_file(), home.is_dir()) == (True, False, True)
    assert not (home / "none").exists()
    assert abs((home.fs.modified(f"{emulator.bucket}/{home.name}/a.zip") - before).total_seconds()) < 60
    key = home.fs.ukey(f"{emulator.bucket}/{home.name}/a.zip")
    path.write_bytes(b"54321")
    assert home.fs.ukey(f"{emulator.bucket}/{home.name}/a.zip") != key


@pytest.mark.slow
def test_objects_are_copied_and_removed(home: Any) -> None:
    """A copy stays in OBS."""
    (home / "a.zip").write_bytes(b"12345")
    home.fs.mkdir(f"{home.bucket}/new")
    home.fs.makedirs(f"{home.bucket}/new/deep")
    home.fs.copy(f"{home.bucket}/{home.name}/a.zip", f"{home.bucket}/{home.name}/b.zip")
    assert (home / "b.zip").read_bytes() == b"12345"
    (home / "a.zip").unlink()
    assert [path.name for path in home.iterdir()] == ["b.zip"]


def test_a_path_without_a_bucket_is_refused(home: Any) -> None:
    """Its first directory is never taken for the bucket: nothing is listed, written or deleted there."""
    (home / "a.zip").write_bytes(b"12345")
    path = f"obs:///{home.bucket}/{home.name}/a.zip"
    uses: list[Callable[[], Any]] = [
        lambda: home.fs.info(path),
        lambda: home.fs.ls(path),
        lambda: home.fs.open(path, "wb"),
        lambda: home.fs.rm(path),
        lambda: home.fs.hook.find(path),
    ]
    for use in uses:
        with pytest.raises(DliFailException, match=r"(path|place): .* has no bucket before its first slash; "):
            use()
    assert (home / "a.zip").exists()


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


@pytest.mark.parametrize("new", [b"NEW-AND-LONGER", b"N", None])
def test_what_is_read_is_what_was_opened(home: Any, new: bytes | None) -> None:
    """An object that is replaced or deleted between opening and reading is not cut to the size of the old one."""
    path = home / "a.bin"
    path.write_bytes(b"OLD")
    with path.open("rb") as source:
        path.unlink() if new is None else path.write_bytes(new)
        with pytest.raises(DliException, match="was replaced or deleted while it was read"):
            source.read()


def test_an_open_file_knows_what_it_reads(home: Any) -> None:
    """Size and version are found in one request, whatever size is given."""
    (home / "a.bin").write_bytes(b"12345")
    with home.fs.open((home / "a.bin").path, "rb", size=3) as source:
        (home / "a.bin").write_bytes(b"1234567")
        assert source.size == source.info()["size"] == 5


@pytest.mark.slow
def test_directories_are_copied(home: Any) -> None:
    """Whole, to a new place, as a task writes it; one that is not there is not found."""
    for key in ("a.zip", "deep/er/b.zip"):
        (home / "from" / key).write_bytes(key.encode())
    (home / "from").copy(home / "to", recursive=True)
    assert (home / "to" / "a.zip").read_bytes() == b"a.zip"
    assert (home / "to" / "deep" / "er" / "b.zip").read_bytes() == b"deep/er/b.zip"
    (home / "to").move(home / "moved", recursive=True)
    assert not (home / "to").exists()
    assert (home / "moved" / "deep" / "er" / "b.zip").read_bytes() == b"deep/er/b.zip"
    with pytest.raises(FileNotFoundError):
        home.fs.copy(f"{home.bucket}/{home.name}/none", f"{home.bucket}/{home.name}/x", recursive=True)
    with pytest.raises(FileNotFoundError):
        home.fs.cp_file(f"{home.bucket}/{home.name}/none", f"{home.bucket}/{home.name}/x")


@pytest.mark.slow
def test_an_object_that_stands_for_a_directory(home: Any, emulator: Emulator) -> None:
    """As the console makes one: the directory is there, holds nothing, is copied, and goes when it is removed."""
    emulator.s3.put_object(Bucket=emulator.bucket, Key=f"{home.name}/made/", Body=b"")
    made = home / "made"
    assert (made.is_dir(), list(made.iterdir())) == (True, [])
    (made / "a.zip").write_bytes(b"1")
    assert [path.name for path in made.iterdir()] == ["a.zip"]
    made.copy(home / "copy", recursive=True)
    assert [path.name for path in (home / "copy").iterdir()] == ["a.zip"]
    home.fs.rm(made.path, recursive=True)
    assert emulator.s3.list_objects(Bucket=emulator.bucket, Prefix=f"{home.name}/made").get("Contents", []) == []


def test_what_is_removed(home: Any) -> None:
    """One object; a directory only if that is requested, to the given depth; not what is not there."""
    for key in ("a", "b", "c/d", "c/e/f"):
        (home / key).write_bytes(b"1")
    root = f"{home.bucket}/{home.name}"
    with pytest.raises(IsADirectoryError, match="c is a directory"):
        home.fs.rm([f"{root}/a", f"{root}/c"])
    assert len(home.fs.find(root)) == 4
    home.fs.rm(f"{root}/c", recursive=True, maxdepth=1)
    home.fs.rm_file(f"{root}/b")
    assert home.fs.find(root) == [f"{root}/a", f"{root}/c/e/f"]
    home.fs.rm(f"{root}/*", recursive=True)
    assert home.fs.find(root) == []
    for recursive in (True, False):
        with pytest.raises(FileNotFoundError):
            home.fs.rm(f"{root}/a", recursive=recursive)


def test_what_only_objects_have(home: Any) -> None:
    """Time, version and content: a directory is not one, and what is not there is not found."""
    (home / "d" / "a").write_bytes(b"1")
    for path in (f"{home.bucket}/{home.name}/d", home.bucket):
        for method in (home.fs.modified, home.fs.ukey, home.fs.open):
            with pytest.raises(IsADirectoryError, match=f"{path} is a directory"):
                method(path)
    for method in (home.fs.modified, home.fs.ukey, home.fs.open):
        with pytest.raises(FileNotFoundError):
            method(f"{home.bucket}/{home.name}/none")


def test_a_bucket_that_is_not_there(home: Any) -> None:
    """It is not found, and a task that uses it fails without a retry."""
    fs = home.fs
    for path in ("obs://no-such-bucket", "obs://no-such-bucket/a"):
        assert (fs.exists(path), fs.isdir(path), fs.isfile(path), fs.find(path)) == (False, False, False, [])
        for method in (fs.ls, fs.info, fs.open, fs.modified):
            with pytest.raises(FileNotFoundError, match="there is no bucket 'no-such-bucket'") as raised:
                method(path)
            assert isinstance(raised.value, DliFailException)
            assert raised.value.advice


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda fs, _: fs.pipe_file("obs://no-such-bucket/a", b"1"), "there is no bucket 'no-such-bucket'"),
        (lambda fs, _: fs.rm_file("obs://no-such-bucket/a"), "there is no bucket 'no-such-bucket'"),
        # SeaweedFS answers 500 to these.
        (lambda fs, source: fs.copy(f"{source}/a", "obs://no-such-bucket/a"), "no-such-bucket"),
        (lambda fs, source: fs.copy(source, "obs://no-such-bucket/d", recursive=True), "no-such-bucket"),
    ],
)
def test_what_is_written_to_no_bucket(home: Any, write: Any, message: str) -> None:
    """Is never lost in silence, as what fsspec takes for not found may be."""
    (home / "d" / "a").write_bytes(b"1")
    with pytest.raises(DliException, match=message) as raised:
        write(home.fs, f"{home.bucket}/{home.name}/d")
    assert not isinstance(raised.value, FileNotFoundError)


def test_what_cannot_be_written(home: Any) -> None:
    """A bucket is not an object, objects are not appended to, and one that is to be new is not replaced."""
    with pytest.raises(IsADirectoryError):
        home.fs.open(f"obs://{home.bucket}", "wb")
    (home / "a").write_bytes(b"1")
    with pytest.raises(NotImplementedError, match="appended"):
        (home / "a").open("ab")
    with pytest.raises(FileExistsError):
        (home / "a").open("xb")
    with (home / "b").open("xb") as target:
        target.write(b"2")
    assert ((home / "a").read_bytes(), (home / "b").read_bytes()) == (b"1", b"2")


def test_a_failed_write_leaves_nothing(home: Any) -> None:
    """An object appears when it is closed, whole, or not at all."""

    def write() -> None:
        with (home / "half.bin").open("wb") as target:
            target.write(b"x" * 100)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        write()
    assert not (home / "half.bin").exists()
