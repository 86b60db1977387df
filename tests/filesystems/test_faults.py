"""What obs:// raises when OBS does not respond, or refuses: only what does not exist is not found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.filesystems.obs import ObsFileSystem
from airflow_provider_dli.hooks.obs import ObsHook
from tests.connections import forget_filesystems

Method = Callable[[ObsFileSystem, str], object]
METHODS: dict[str, Method] = {
    name: lambda fs, path, name=name: getattr(fs, name)(path)  # type: ignore[misc]
    for name in (
        "exists",
        "lexists",
        "isfile",
        "isdir",
        "info",
        "ls",
        "find",
        "modified",
        "ukey",
        "open",
        "rm_file",
    )
}


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """Let no filesystem outlive its test: fsspec keeps them."""
    forget_filesystems()
    yield
    forget_filesystems()


@pytest.fixture
def unreachable(connect: Any) -> ObsFileSystem:
    """Return a filesystem whose OBS nobody hears of."""
    connect(obs_endpoint="http://127.0.0.1:1")
    return ObsFileSystem()


@pytest.fixture
def refused(dli_emulator: Any, monkeypatch: pytest.MonkeyPatch) -> ObsFileSystem:
    """Return a filesystem that is refused everything."""
    good = dli_emulator.connection("access_key")
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", good.replace(dli_emulator.secret_key, "wrong-secret"))
    return ObsFileSystem()


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_what_cannot_be_reached_is_not_missing(unreachable: ObsFileSystem, method: str) -> None:
    """Whether there is a file is unknown: an error; a retry may help."""
    with pytest.raises(DliException, match="could not reach obs://obs-test") as raised:
        METHODS[method](unreachable, "obs://obs-test/a")
    assert not isinstance(raised.value, DliFailException | OSError)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_refused_is_not_missing(refused: ObsFileSystem, method: str) -> None:
    """Nor does a retry help."""
    with pytest.raises(DliFailException, match="HTTP 403") as raised:
        METHODS[method](refused, "obs://obs-test/a")
    assert not isinstance(raised.value, OSError)


def test_what_cannot_be_written_is_of_our_tree(unreachable: ObsFileSystem) -> None:
    """As what cannot be read."""
    with pytest.raises(DliException, match=r"PutObject: could not reach obs://obs-test/a"):
        unreachable.pipe_file("obs://obs-test/a", b"1")


@pytest.mark.parametrize("path", ["obs://", "", "/", "obs://No_Bucket/a"])
@pytest.mark.parametrize("method", METHODS)
def test_what_names_no_bucket_is_refused(unreachable: ObsFileSystem, method: str, path: str) -> None:
    """Before any request, and with what to do."""
    with pytest.raises(DliFailException, match=r"^path: .*; .*bucket") as raised:
        METHODS[method](unreachable, path)
    assert not isinstance(raised.value, OSError)


def test_an_endpoint_that_boto3_does_not_take_is_named(connect: Any) -> None:
    """With the connection, and what to check."""
    connect(obs_endpoint="http://a_b")
    with pytest.raises(DliFailException, match=r"^connection 'dli_default': obs_endpoint: .*'http…' .*; check"):
        ObsHook().get_conn()


def test_settings_for_aws_are_ignored(connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many a worker has a profile of AWS in its environment, and no file that describes it."""
    connect(obs_endpoint="http://127.0.0.1:1")
    monkeypatch.setenv("AWS_PROFILE", "nope")
    assert ObsHook().get_conn().meta.endpoint_url == "http://127.0.0.1:1"
