"""The emulator as one thing: start, stop, its description, and errors at the start."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import pytest

import dli_emulator as package
from api_client import ApiClient, store_url
from dli_emulator import Emulator, EmulatorError


def test_it_describes_all_that_a_client_needs(dli_emulator: Emulator) -> None:
    """Base URLs, region, project, key, bucket, and an Airflow connection."""
    given = dli_emulator.describe()
    assert list(given) == [
        "dli", "iam", "obs", "region", "project_id", "access_key", "secret_key", "bucket", "airflow_conn",
    ]  # fmt: skip
    assert given["dli"] == given["iam"]
    assert given["region"] == "cn-north-4"
    assert json.loads(given["airflow_conn"]) == {
        "conn_type": "dli",
        "login": given["access_key"],
        "password": given["secret_key"],
        "extra": {
            "region": given["region"],
            "project_id": given["project_id"],
            "endpoint": given["dli"],
            "obs_endpoint": given["obs"],
            "iam_endpoint": given["iam"],
        },
    }


def test_its_identity_can_be_set(made: Any) -> None:
    """Port, region and project."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ours = made(port=port, region="eu-de", project_id="p1")
    assert ours.emulator.dli == f"http://127.0.0.1:{port}"
    assert ours.request("GET", "/v3/projects", name="eu-de").body["projects"][0]["id"] == "p1"
    assert ours.show(100).body["job_detail"]["project_id"] == "p1"


def test_it_stops_at_once_though_a_request_is_in_progress(made: Any) -> None:
    """A slow response is cut; the port is free, the thread gone; a second stop does nothing."""
    ours = made()
    ours.emulator.fault("ListFlinkJobs", "slow", before=60)
    failures: list[Exception] = []

    def list_jobs() -> None:
        try:
            ours.jobs()
        except OSError as error:
            failures.append(error)

    request = threading.Thread(target=list_jobs)
    request.start()
    while not ours.emulator.requests:
        time.sleep(0.01)
    assert ours.emulator.requests[0].status is None
    begun = time.monotonic()
    ours.emulator.stop()
    assert time.monotonic() - begun < 60
    request.join()
    assert len(failures) == 1
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((urlsplit(ours.emulator.dli).hostname, urlsplit(ours.emulator.dli).port))
    ours.emulator.stop()
    assert "dli-emulator" not in {thread.name for thread in threading.enumerate() if not thread.is_alive()}


@pytest.mark.slow
def test_it_can_be_started_again(dli_emulator: Emulator) -> None:
    """With its own state each time."""
    emulator = Emulator(object_store=store_url(dli_emulator))
    for _ in range(2):
        with emulator:
            assert ApiClient(emulator).export(100).status == 200
            assert len(emulator.requests) == 1


@pytest.mark.slow
def test_two_do_not_disturb_each_other(made: Any) -> None:
    """Each has its jobs, faults and log."""
    one, other = made(jobs=1), made(jobs=2)
    one.emulator.fault("*", "html", times=None)
    assert (one.jobs().status, other.jobs().status) == (502, 200)
    assert other.ids() == [101, 100]
    assert len(one.emulator.requests) == 1


def test_a_port_that_is_taken_is_an_error(dli_emulator: Emulator) -> None:
    """In one line; nothing is left."""
    port = urlsplit(dli_emulator.dli).port
    with pytest.raises(EmulatorError, match=rf"cannot listen on 127.0.0.1:{port}: .*in use"):
        Emulator(port=port or 0, object_store=store_url(dli_emulator)).start()
    assert [bucket["Name"] for bucket in dli_emulator.s3.list_buckets()["Buckets"]] == [dli_emulator.bucket]


@pytest.mark.slow
def test_it_listens_on_ipv6_too(made: Any) -> None:
    """Where the machine has it."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert made(host="::").emulator.dli.startswith("http://[::1]:")


def test_a_fork_does_not_stop_its_parents_emulator(dli_emulator: Emulator) -> None:
    """A child of fork has the object, but not the thing."""
    inherited = Emulator(object_store=store_url(dli_emulator))
    with inherited:
        inherited._process = os.getpid() + 1  # noqa: SLF001 - as a fork would see it
        inherited.stop()
        assert ApiClient(inherited).jobs().status == 200
        inherited._process = os.getpid()  # noqa: SLF001 - back in the parent


@pytest.mark.slow
def test_a_script_that_forgets_to_stop_ends_cleanly() -> None:
    """At the interpreter's end it stops by itself, without a word."""
    code = "from dli_emulator import Emulator\nprint(Emulator().start().dli)"
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("http://127.0.0.1:")


def test_the_package_loads_its_names_lazily() -> None:
    """They are loaded on first use; there are no others."""
    assert sorted(package.__all__) == ["Emulator", "EmulatorError", "Fault", "Settings"]
    assert package.Fault("*", "html").kind == "html"
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        package.Nothing  # noqa: B018 - the access is the test
    code = "import sys, dli_emulator; print(len({'aiohttp', 'boto3', 'asyncio'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"
