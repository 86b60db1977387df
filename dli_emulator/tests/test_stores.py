"""The stores: what starts, what is left behind, and whose things are removed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from api_client import ApiClient, store_url
from child_processes import processes
from dli_emulator import Emulator, EmulatorError, child_process, stores
from dli_emulator.stores import External, Moto, SeaweedFS, make_store

pytestmark = pytest.mark.slow


def until(condition: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def sockets_of(pid: int) -> list[Path]:
    """Name the socket files of a process; SeaweedFS puts some into /tmp."""
    found = psutil.Process(pid).net_connections("unix")
    return [Path(name) for each in found if (name := str(each.laddr)).startswith("/")]


class TestChildStores:
    """SeaweedFS and moto."""

    @pytest.mark.parametrize("name", ["seaweedfs", "moto"])
    def test_nothing_is_left_behind(self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """After a stop: no process, no directory, no socket file."""
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr("tempfile.tempdir", None)
        emulator = Emulator(object_store=name).start()
        (directory,) = tmp_path.iterdir()
        assert name in directory.name
        assert processes(str(directory))
        sockets = [socket for pid in processes(str(directory)) for socket in sockets_of(pid)]
        begun = time.monotonic()
        emulator.stop()
        assert time.monotonic() - begun < 60
        assert processes(str(directory)) == []
        assert list(tmp_path.iterdir()) == []
        assert [path for path in sockets if path.exists()] == []
        emulator.stop()

    @pytest.mark.parametrize("name", ["seaweedfs", "moto"])
    def test_a_killed_parent_leaves_nothing_behind(self, name: str, tmp_path: Path) -> None:
        """Not even SIGKILL, which nobody can catch."""
        code = (
            "import time; from dli_emulator import Emulator\n"
            f"Emulator(object_store={name!r}).start(); print('up', flush=True); time.sleep(60)"
        )
        environment = {**os.environ, "TMPDIR": str(tmp_path)}
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment) as parent:
            assert parent.stdout is not None
            assert parent.stdout.readline() == b"up\n"
            (directory,) = tmp_path.iterdir()
            assert len(processes(str(directory))) >= 1
            parent.send_signal(signal.SIGKILL)
            parent.wait()
        until(lambda: processes(str(directory)) == [])
        until(lambda: list(tmp_path.iterdir()) == [])

    def test_a_killed_guard_takes_the_store_with_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The store has no life of its own."""
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        with Emulator(object_store="seaweedfs"):
            (directory,) = tmp_path.iterdir()
            (guard,) = processes("guard.py\0" + str(directory))
            os.kill(guard, signal.SIGKILL)
            until(lambda: processes(str(directory)) == [])
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", ["seaweedfs", "moto"])
    def test_a_port_that_is_taken_meanwhile_costs_one_attempt(
        self, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The store is started again, on other ports."""
        real, given = child_process.free_ports, []

        def ports(count: int) -> list[int]:
            given.append(count)
            return [taken.getsockname()[1]] * count if len(given) == 1 else real(count)

        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            monkeypatch.setattr(stores, "free_ports", ports)
            with Emulator(object_store=name) as emulator:
                assert ApiClient(emulator).export(100).status == 200
        assert len(given) == 2

    def test_a_store_that_never_starts_is_an_error_with_its_words(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One line, with the last that it wrote."""
        script = "import sys; print('noise\\n\\nno disk left\\n'); sys.exit(3)"
        monkeypatch.setattr(Moto, "_launch", lambda _, child: child.start([sys.executable, "-c", script], {}) or 1)
        with pytest.raises(EmulatorError, match="the object store moto does not start: no disk left"):
            Emulator(object_store="moto").start()

    def test_giving_up_ends_a_start(self) -> None:
        """As Ctrl-C does: no more tries, and nothing stays."""
        store = Moto("AK", "SK")
        store.give_up()
        with pytest.raises(EmulatorError):
            store.start()
        assert store._child is None or not store._child.is_running  # noqa: SLF001 - the end of it


class TestExternal:
    """A store that runs already."""

    def test_the_url_carries_key_and_bucket(self) -> None:
        """Percent-encoded, as keys have slashes; arguments serve where it does not."""
        store = External("http://A%2FK:S%2BK@127.0.0.1:9000/mine", None, None)
        assert (store.access_key, store.secret_key) == ("A/K", "S+K")
        assert store.endpoint == "http://127.0.0.1:9000"
        assert External("http://127.0.0.1:9000", "AK", "SK").secret_key == "SK"

    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("nonsense", "neither seaweedfs nor moto nor an http"),
            ("s3://bucket", "neither seaweedfs nor moto nor an http"),
            ("http://", "neither seaweedfs nor moto nor an http"),
            ("http://127.0.0.1:9000", "no key for the object store: write it as http://AK:SK@127.0.0.1"),
        ],
    )
    def test_a_url_that_will_not_do(self, url: str, expected: str) -> None:
        """The message has one line."""
        with pytest.raises(EmulatorError, match=expected):
            Emulator(object_store=url).start()

    @pytest.mark.slow
    def test_a_store_that_does_not_answer_or_refuses(self, stored: Emulator) -> None:
        """Nobody there; a wrong secret."""
        with pytest.raises(EmulatorError, match=r"does not take objects: .*127\.0\.0\.1:1/"):
            Emulator(object_store="http://AK:SK@127.0.0.1:1").start()
        wrong = store_url(stored).replace(stored.access_key, "WRONG")
        with pytest.raises(EmulatorError, match="does not take objects: "):
            Emulator(object_store=wrong).start()

    @pytest.mark.slow
    def test_a_bucket_that_was_made_is_removed(self, stored: Emulator) -> None:
        """Ours to empty, and gone in the end."""
        stored.reset()
        with Emulator(object_store=store_url(stored)) as emulator:
            assert ApiClient(emulator).export(100).status == 200
            stored.s3.put_object(Bucket=emulator.bucket, Key="mine", Body=b"")
            emulator.reset()
            assert stored.s3.list_objects_v2(Bucket=emulator.bucket)["KeyCount"] == 0
            assert ApiClient(emulator).export(100).status == 200
        assert [bucket["Name"] for bucket in stored.s3.list_buckets()["Buckets"]] == [stored.bucket]

    def test_in_a_bucket_of_others_only_archives_of_ours_are_removed(self, stored: Emulator) -> None:
        """What was there before stays, through reset and stop."""
        stored.reset()
        stored.s3.create_bucket(Bucket="theirs")
        stored.s3.put_object(Bucket="theirs", Key="a/aggregate_1.zip", Body=b"theirs")
        with Emulator(object_store=store_url(stored, "theirs")) as emulator:
            assert emulator.bucket == "theirs"
            assert ApiClient(emulator).export(100, obs_dir="theirs/a").status == 200
            emulator.reset()
            found = stored.s3.list_objects_v2(Bucket="theirs")["Contents"]
            assert [item["Key"] for item in found] == ["a/aggregate_1.zip"]
            assert ApiClient(emulator).export(100, obs_dir="theirs/a").status == 200
        assert stored.s3.list_objects_v2(Bucket="theirs")["KeyCount"] == 1


def test_a_reset_leaves_one_empty_bucket(each_store: ApiClient) -> None:
    """More than a page of objects, other buckets, and the bucket itself gone: all is as at first, and fast."""
    emulator = each_store.emulator
    emulator.s3.create_bucket(Bucket="another")
    emulator.s3.put_object(Bucket="another", Key="x", Body=b"")
    emulator.reset()
    assert [bucket["Name"] for bucket in emulator.s3.list_buckets()["Buckets"]] == [emulator.bucket]
    emulator.s3.delete_bucket(Bucket=emulator.bucket)
    emulator.reset()
    assert emulator.s3.list_objects_v2(Bucket=emulator.bucket)["KeyCount"] == 0


def test_a_reset_does_not_restart_the_store(each_store: ApiClient) -> None:
    """It takes some hundredths of a second, where a store takes seconds to start; the best of five, under load."""
    times = []
    for _ in range(5):
        each_store.export(100)
        begun = time.perf_counter()
        each_store.emulator.reset()
        times.append(time.perf_counter() - begun)
    assert min(times) < 1.5


class TestChoice:
    """Which store is taken."""

    def test_the_best_that_is_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """SeaweedFS, else moto, else an error with the command that installs one."""
        assert isinstance(make_store(None, None, None), SeaweedFS)
        assert isinstance(make_store("moto", None, None), Moto)
        monkeypatch.setattr(metadata, "files", lambda _: [])
        monkeypatch.setenv("PATH", "/nowhere")
        assert isinstance(make_store(None, None, None), Moto)
        with pytest.raises(
            EmulatorError, match=r"no object store is installed \(seaweedfs\): pip install 'airflow"
        ):
            make_store("seaweedfs", None, None)
        monkeypatch.setattr(stores, "find_spec", lambda _: None)
        with pytest.raises(EmulatorError, match=r"pip install 'airflow-provider-dli\[emulator\]'"):
            make_store(None, None, None)

    def test_seaweedfs_may_be_on_the_path_only(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where its package has no wheel, but the program is there."""
        program = tmp_path / "weed"
        program.touch(mode=0o755)

        def no_package(name: str) -> None:
            raise metadata.PackageNotFoundError(name)

        monkeypatch.setattr(metadata, "files", no_package)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert SeaweedFS.program() == program

    def test_keys_are_made_up_or_given(self) -> None:
        """In the service's own form: 20 and 40 letters and digits."""
        first, second = make_store(None, None, None), make_store(None, "AK", "SK")
        assert (len(first.access_key), len(first.secret_key)) == (20, 40)
        assert (second.access_key, second.secret_key) == ("AK", "SK")


class TestGuard:
    """The process between."""

    def test_a_child_that_ends_by_itself_leaves_its_log(self) -> None:
        """So that its last words can be given; the stop removes it then."""
        ours = child_process.Child("test")
        assert ours.last_line() == "it wrote nothing"
        ours.start([sys.executable, "-c", "print('first'); print('last')"], {})
        until(lambda: not ours.is_running)
        assert ours.last_line() == "last"
        ours.stop()
        assert not ours.directory.exists()

    def test_files_elsewhere_are_removed_too(self, tmp_path: Path) -> None:
        """Those that were named."""
        (tmp_path / "a").touch()
        ours = child_process.Child("test")
        ours.start(
            [sys.executable, "-c", "import time; time.sleep(60)"], {}, remove=[tmp_path / "a", tmp_path / "b"]
        )
        until((ours.directory / "log").exists)
        ours.stop()
        assert not (tmp_path / "a").exists()
        assert not ours.is_running

    def test_ports_are_free_and_differ(self) -> None:
        """Nothing listens on them."""
        ports = child_process.free_ports(20)
        assert len(set(ports)) == 20
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", ports[0]))
            assert not child_process._is_free("127.0.0.1", ports[0])  # noqa: SLF001 - chance would take too long


@pytest.mark.slow
def test_a_reset_forgets_versions_and_lifecycle(each_store: ApiClient) -> None:
    """The bucket is as it was at first: no version of an object is left, and a new object has none."""
    emulator = each_store.emulator
    enabled: Any = {"Status": "Enabled"}
    emulator.s3.put_bucket_versioning(Bucket=emulator.bucket, VersioningConfiguration=enabled)
    emulator.s3.put_object(Bucket=emulator.bucket, Key="a", Body=b"1")
    emulator.s3.put_object(Bucket=emulator.bucket, Key="a", Body=b"2")
    emulator.s3.delete_object(Bucket=emulator.bucket, Key="a")
    emulator.reset()
    assert not emulator.s3.get_bucket_versioning(Bucket=emulator.bucket).get("Status")
    assert "VersionId" not in emulator.s3.put_object(Bucket=emulator.bucket, Key="a", Body=b"3")
    assert len(emulator.s3.list_object_versions(Bucket=emulator.bucket)["Versions"]) == 1
    rule: Any = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "a"}, "Expiration": {"Days": 3}}
    emulator.s3.put_bucket_lifecycle_configuration(
        Bucket=emulator.bucket, LifecycleConfiguration={"Rules": [rule]}
    )
    emulator.reset()
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        emulator.s3.get_bucket_lifecycle_configuration(Bucket=emulator.bucket)
