"""The command line: what it prints, how it ends, its message when it cannot start."""

from __future__ import annotations

import http.client
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any
from urllib.parse import urlsplit

import pytest

from api_client import ApiClient, store_url
from child_processes import processes
from dli_emulator import Emulator
from dli_emulator.__main__ import main

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-W", "error", "-m", "dli_emulator"]


@contextmanager
def running(*arguments: str, tmp: Path) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    environment = {**os.environ, "TMPDIR": str(tmp)}
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout
        finally:
            process.kill()


def failed(*arguments: str) -> str:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode != 0
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize(("store", "name"), [("seaweedfs", "SIGTERM"), ("moto", "SIGINT")])
def test_json_on_the_first_line_and_a_clean_end(store: str, name: str, tmp_path: Path) -> None:
    """All of it answers when the line is there; a signal ends all of it within 5 s, with nothing left."""
    with running("--json", "--jobs", "3", "--object-store", store, tmp=tmp_path) as (process, output):
        given = json.loads(output.readline())
        for url in (given["dli"], given["iam"], given["obs"]):
            connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
            connection.request("GET", "/")
            assert connection.getresponse().status >= 400  # moto has a 500 for those that do not sign
            connection.close()
        assert json.loads(given["airflow_conn"])["password"] == given["secret_key"]
        (directory,) = tmp_path.iterdir()
        begun = time.monotonic()
        process.send_signal(getattr(signal, name))
        assert process.wait(timeout=60) == 0
        assert time.monotonic() - begun < 60
        assert process.stderr is not None
        assert (output.read(), process.stderr.read()) == ("", "")
    assert processes(str(directory)) == []
    assert list(tmp_path.iterdir()) == []


def test_for_people_it_prints_lines_to_paste(dli_emulator: Emulator, tmp_path: Path) -> None:
    """With the same values, and quoted for the shell."""
    with running("--object-store", store_url(dli_emulator), tmp=tmp_path) as (process, output):
        lines = [output.readline() for _ in range(12)]
        process.terminate()
        process.wait(timeout=60)
    assert lines[0] == "DLI emulator is up. Ctrl-C ends it.\n"
    values = dict(line.split(maxsplit=1) for line in lines[1:9])
    given = [shlex.split(line) for line in lines[10:]]
    assert [export for export, _ in given] == ["export", "export"]
    exported = dict(assignment.split("=", 1) for _, assignment in given)
    assert set(exported) == {"AIRFLOW_CONN_DLI_DEFAULT", "AIRFLOW_VAR_DLI_BACKUP_BUCKET"}
    assert json.loads(exported["AIRFLOW_CONN_DLI_DEFAULT"])["extra"]["endpoint"] == values["dli"].strip()
    assert exported["AIRFLOW_VAR_DLI_BACKUP_BUCKET"] == values["bucket"].strip()


def test_faults_can_be_set(dli_emulator: Emulator, tmp_path: Path) -> None:
    """They wait for the first request."""
    store, fault = store_url(dli_emulator), "KeystoneCreateUserTokenByPassword:html:status=503"
    with running("--json", "--object-store", store, "--fault", fault, "--fault", "*:html", tmp=tmp_path) as (
        process,
        output,
    ):
        netloc = urlsplit(json.loads(output.readline())["iam"]).netloc
        statuses = []
        for _ in range(3):
            connection = http.client.HTTPConnection(netloc, timeout=60)
            connection.request("POST", "/v3/auth/tokens", b"{}")
            statuses.append(connection.getresponse().status)
            connection.close()
        process.terminate()
        process.wait(timeout=60)
    assert statuses == [503, 502, 400]


def test_settings_can_be_given(dli_emulator: Emulator, tmp_path: Path) -> None:
    """As JSON, or as a string."""
    given = ("--setting", "fills_in_settings=true", "--setting", "layout=gbk", "--setting", "agencies=[]")
    with running("--json", "--object-store", store_url(dli_emulator), *given, tmp=tmp_path) as (process, output):
        connection = http.client.HTTPConnection(urlsplit(json.loads(output.readline())["dli"]).netloc, timeout=60)
        connection.request("GET", "/_emulator/settings")
        settings = json.loads(connection.getresponse().read())
        connection.close()
        process.terminate()
        process.wait(timeout=60)
    assert (settings["fills_in_settings"], settings["layout"], settings["agencies"]) == (True, "gbk", [])


def test_users_can_be_given(dli_emulator: Emulator, tmp_path: Path) -> None:
    """With a file of policies; the line has a connection for each."""
    file = tmp_path / "policy.json"
    statement = {"Effect": "Allow", "Action": ["dli:jobs:get"]}
    file.write_text(json.dumps({"Version": "1.1", "Statement": [statement]}))
    given = ("--user", f"li.na={file}", "--user", "nobody")
    with running("--json", "--object-store", store_url(dli_emulator), *given, tmp=tmp_path) as (process, output):
        users = json.loads(output.readline())["users"]
        process.terminate()
        process.wait(timeout=60)
    assert {name: json.loads(value)["conn_type"] for name, value in users.items()} == {
        "li.na": "dli",
        "nobody": "dli",
    }


def test_projects_can_be_given(dli_emulator: Emulator, tmp_path: Path) -> None:
    """Empty, or with jobs that have ids of their own; the line has a connection for each."""
    given = ("--jobs", "2", "--project", "scratch", "--project", "test=1")
    with running("--json", "--object-store", store_url(dli_emulator), *given, tmp=tmp_path) as (process, output):
        described: Any = SimpleNamespace(**json.loads(output.readline()))
        ids = {}
        for name, connection in described.projects.items():
            described.project_id = json.loads(connection)["extra"]["project_id"]
            ids[name] = ApiClient(described).ids()
        process.terminate()
        process.wait(timeout=60)
    assert ids == {"scratch": [], "test": [102]}


def test_a_signal_during_the_start_ends_it_too(tmp_path: Path) -> None:
    """Nothing is left, whenever it comes."""
    for delay in (0.4, 0.7, 1.0):
        with running(tmp=tmp_path) as (process, _):
            time.sleep(delay)
            process.terminate()
            assert process.wait(timeout=60) in (0, -signal.SIGTERM)
        assert processes(str(tmp_path)) == []
        assert list(tmp_path.iterdir()) == []


def test_what_keeps_it_from_starting_is_one_line(dli_emulator: Emulator) -> None:
    """A taken port, a store that is not there or unknown."""
    port = str(urlsplit(dli_emulator.dli).port)
    store = store_url(dli_emulator)
    taken = failed("--port", port, "--object-store", store)
    assert taken.startswith(f"dli emulator: cannot listen on 127.0.0.1:{port}: ")
    absent = failed("--object-store", "http://a:b@127.0.0.1:1")
    assert absent.startswith("dli emulator: the object store http://127.0.0.1:1 does not take objects: ")
    unknown = failed("--object-store", "minio")
    assert "neither seaweedfs nor moto nor an http" in unknown
    assert [text.count("\n") for text in (taken, absent, unknown)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--fault", "Nothing:html"], "no operation is called 'Nothing'"),
        (["--fault", "*:nothing"], "no fault is called 'nothing'"),
        (["--fault", "{"], "--fault"),
        (["--fault", "*:slow:before=x"], "must be seconds"),
        (["--setting", "layout=tar"], "must be one of"),
        (["--setting", "nothing"], "no setting is called nothing"),
        (["--user", "x=/nowhere"], "/nowhere"),
        (["--user", "x=pyproject.toml"], "pyproject.toml: "),
        (["--user", ""], "a user needs a name"),
        (["--project", "=3"], "a project needs a name"),
        (["--project", "test=many"], "not a number of jobs: 'many'"),
        (["--jobs", "-1"], "not a number of jobs: '-1'"),
        (["--port", "x"], "--port"),
    ],
)
def test_arguments_that_will_not_do(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are refused before anything starts."""
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    written = capsys.readouterr()
    assert expected in written.err
    assert written.out == ""
