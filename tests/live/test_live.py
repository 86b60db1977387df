"""The live suite against the emulator as if it were the cloud: twice as a process, else in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_dli.hooks.obs import ObsHook
from live import main
from tests.connections import connected

ROOT = Path(__file__).parents[2]
READING = {"GET"}


@dataclass
class Run:
    """What a run printed and wrote.

    :param code: exit status
    :param printed: on standard output
    :param errors: on standard error
    :param out: folder of the report
    """

    code: int
    printed: str
    errors: str
    out: Path

    @cached_property
    def written(self) -> dict[str, str]:
        """The files of the report, by name."""
        return {path.name: path.read_text(encoding="utf-8") for path in sorted(self.out.glob("*"))}

    @cached_property
    def findings(self) -> list[dict[str, Any]]:
        """The findings of the report."""
        return list(json.loads(self.written.get("report.json", '{"findings": []}'))["findings"])

    def of(self, point: int, outcome: str | None = None) -> list[str]:
        """Return what was found about a point."""
        return [
            each["result"]
            for each in self.findings
            if each["point"] == point and outcome in {None, each["outcome"]}
        ]


Live = Callable[..., Run]


@pytest.fixture
def live_process(dli_emulator: Any, airflow_home: Path, tmp_path: Path) -> Live:
    """Return the command, for the emulator's account, as a process of its own."""

    def run(*arguments: str) -> Run:
        out = tmp_path / "out"
        done = subprocess.run(
            [sys.executable, ROOT / "live" / "live.py", "--out", out, *arguments],
            env=os.environ
            | {"AIRFLOW_HOME": str(airflow_home), "AIRFLOW_CONN_DLI_DEFAULT": dli_emulator.airflow_conn},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        return Run(done.returncode, done.stdout, done.stderr, out)

    return run


@pytest.fixture
def live(
    dli_emulator: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Live:
    """Return the same in this process, which takes a tenth of the time."""

    def run(*arguments: str, **environment: str) -> Run:
        monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.airflow_conn)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        out = tmp_path / "out"
        capsys.readouterr()
        try:
            code = main(["--out", str(out), *arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        return Run(code, *capsys.readouterr(), out)

    return run


def methods_sent(dli_emulator: Any) -> set[str]:
    """Return the methods of all requests to DLI."""
    return {each.method for each in dli_emulator.requests if "/streaming/" in each.path}


def keys(dli_emulator: Any) -> list[str]:
    """List the emulator's bucket."""
    client = store(dli_emulator)
    return [each["Key"] for each in client.list_objects(Bucket=dli_emulator.bucket).get("Contents", [])]


def store(dli_emulator: Any) -> Any:
    """Return a client of the emulator's object store."""
    with connected({"dli_default": dli_emulator.airflow_conn}):
        return ObsHook().get_conn()


@pytest.mark.slow
def test_it_only_reads(live_process: Live, dli_emulator: Any) -> None:
    """Without flags nothing but GET is sent, and every point has a response or a reason."""
    run = live_process()
    assert (run.code, run.errors) == (0, ""), run.printed
    assert methods_sent(dli_emulator) == READING
    assert {each["point"] for each in run.findings} == set(range(1, 13))
    assert all("--write" in result for point in (1, 2, 3, 4, 5) for result in run.of(point))
    assert "--jobs" in run.of(11)[0]


@pytest.mark.slow
def test_every_point(live_process: Live, dli_emulator: Any) -> None:
    """With all flags, what the emulator does is in the report."""
    before = dict(dli_emulator.state.jobs)
    run = live_process("--write", "--scratch", f"obs://{dli_emulator.bucket}/scratch/", "--jobs")
    assert (run.code, run.errors) == (0, ""), run.printed
    assert run.of(1) == ["26 x {job_id}.json deflated"]
    assert run.of(2, "seen") == ["1 for 26 jobs of 3 kinds"]
    assert run.of(3, "decided") == ["taken: bucket/a/b"]
    assert run.of(4) == ["26 ids: taken"]
    assert run.of(5) == ["alone: refused; beside one that is: refused", "refused: 400 DLI.29001"]
    assert run.of(6)[0].startswith("not in ")
    assert "limit=0: 0 of 26 jobs; limit=100: 26 of 26 jobs; limit=101: refused; limit=1000: refused" in run.of(7)
    assert "found by: whole, beginning, middle" in run.of(7)
    assert run.of(11, "decided") == ["2 ids, status 400: an array of 2", "3 ids, status 400: an array of 1"]
    assert run.of(12) == ["codes seen: DLI.0001, DLI.16001, DLI.23001"]
    assert dli_emulator.state.jobs == before
    assert keys(dli_emulator) == []


def test_the_archives_can_be_kept(live: Live, dli_emulator: Any) -> None:
    """With --keep they stay, below a folder of the run's own."""
    live("--write", "--scratch", f"{dli_emulator.bucket}/scratch", "--keep")
    kept = keys(dli_emulator)
    assert kept
    assert all(key.startswith("scratch/live-") for key in kept)


def test_somebody_elses_objects_stay(live: Live, dli_emulator: Any) -> None:
    """What was in the scratch folder before is there afterwards."""
    store(dli_emulator).put_object(Bucket=dli_emulator.bucket, Key="scratch/mine.txt", Body=b"mine")
    live("--write", "--scratch", f"{dli_emulator.bucket}/scratch")
    assert keys(dli_emulator) == ["scratch/mine.txt"]


def test_the_report_gives_nothing_away(live: Live, dli_emulator: Any) -> None:
    """No key, no id, no name of a bucket, a job, a user or a host."""
    run = live("--write", "--scratch", f"{dli_emulator.bucket}/scratch", "--jobs")
    account = json.loads(dli_emulator.airflow_conn)
    own = [account["login"], account["password"], dli_emulator.project_id, dli_emulator.bucket, "127.0.0.1"]
    own += [job.name for job in dli_emulator.state.jobs.values()]
    for text in (*run.written.values(), run.printed):
        assert [value for value in own if value in text] == []


@pytest.mark.parametrize(
    ("operation", "fault", "point"),
    [
        ("ListFlinkJobs", {"kind": "error", "status": 401, "code": "APIGW.0301"}, 7),
        ("ListFlinkJobs", {"kind": "error", "status": 403, "code": "DLI.0003"}, 7),
        ("ListFlinkJobs", {"kind": "html"}, 7),
        ("ExportFlinkJobs", {"kind": "no_agency"}, 1),
    ],
)
def test_refusals_are_findings(
    live: Live, dli_emulator: Any, operation: str, fault: dict[str, Any], point: int
) -> None:
    """An account that may not is reported point by point, and the rest goes on."""
    dli_emulator.fault(operation, times=None, **fault)
    run = live("--write", "--scratch", f"{dli_emulator.bucket}/scratch")
    assert run.code == 1
    assert run.of(point, "failed")
    assert {each["point"] for each in run.findings} == set(range(1, 13))


def test_throttling_is_waited_for(live: Live, dli_emulator: Any) -> None:
    """What is throttled is sent again; the findings are the same."""
    dli_emulator.fault("ListFlinkJobs", "throttled", times=2, retry_after=0)
    run = live()
    assert run.code == 0
    assert len(run.of(7, "decided")) == 3


@pytest.mark.parametrize(
    ("operation", "kind", "error"),
    [("ExportFlinkJobs", "archive_cut", "BadZipFile"), ("GetObject", "error", "")],
)
def test_an_archive_that_cannot_be_read_is_a_finding(
    live: Live, dli_emulator: Any, operation: str, kind: str, error: str
) -> None:
    """Cut short, or not for these keys: the report is written, and all is cleared up."""
    dli_emulator.fault(operation, kind, times=None)
    through_the_door = dli_emulator.connection("access_key", obs_endpoint=dli_emulator.dli)
    scratch = f"{dli_emulator.bucket}/scratch"
    run = live("--write", "--scratch", scratch, AIRFLOW_CONN_DLI_DEFAULT=through_the_door)
    assert any(f"no usable response: {error}" in each for each in run.of(1, "failed"))
    assert not dli_emulator.s3.list_objects_v2(Bucket=dli_emulator.bucket).get("Contents")


def test_a_draft_whose_response_was_lost_is_deleted(live: Live, dli_emulator: Any) -> None:
    """It was made, though nobody learnt its id: it is found by its name."""
    before = dict(dli_emulator.state.jobs)
    dli_emulator.fault("CreateFlinkSqlJob", "cut_after")
    run = live("--write", "--scratch", f"{dli_emulator.bucket}/scratch", "--jobs")
    assert run.of(11, "failed") == ["no usable response: ResponseLostError"]
    assert dli_emulator.state.jobs == before


def test_a_user_without_permissions(live: Live, dli_emulator: Any) -> None:
    """A second connection shows how DLI refuses; one that is let in is reported to show nothing."""
    run = live(AIRFLOW_CONN_DLI_DENIED=dli_emulator.airflow_conn)
    assert run.of(9) == ["AIRFLOW_CONN_DLI_DENIED may list jobs, so it shows no refusal"]
    wrong = json.loads(dli_emulator.airflow_conn) | {"password": "wrong-secret-key"}
    run = live(AIRFLOW_CONN_DLI_DENIED=json.dumps(wrong))
    assert run.of(9, "decided") == ["401 APIGW.0301"]


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        (["--write"], "--write and --jobs need --write --scratch BUCKET/PREFIX"),
        (["--jobs"], "--write and --jobs need --write --scratch BUCKET/PREFIX"),
        (["--write", "--scratch", "bucket"], "'bucket' is a whole bucket; give BUCKET/PREFIX"),
        (["--write", "--scratch", "Not A Bucket/x"], "--scratch: "),
    ],
)
def test_wrong_arguments_send_nothing(live: Live, dli_emulator: Any, arguments: list[str], result: str) -> None:
    """The argument is named, and nothing is sent."""
    run = live(*arguments)
    assert run.code == 2
    assert result in run.errors
    assert len(dli_emulator.requests) == 0


def test_no_account(live: Live) -> None:
    """It names what to set."""
    run = live(AIRFLOW_CONN_DLI_DEFAULT="")
    assert run.code == 2
    assert "Set AIRFLOW_CONN_DLI_DEFAULT" in run.errors
