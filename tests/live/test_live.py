"""The live suite against the emulator as if it were the cloud: twice as a process, else in this one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from points import MEANINGS, POINTS

from airflow_provider_dli.client.flink import export_jobs
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.hooks.obs import ObsHook
from live import main
from tests.connections import connected
from tests.zipped import zipped

pytestmark = pytest.mark.slow

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
    assert {each["point"] for each in run.findings} == set(POINTS)
    assert all("--write" in result for point in (1, 2, 3, 4, 5, 15, 16) for result in run.of(point))
    assert all("--jobs" in run.of(point)[0] for point in (11, 14))
    assert all("AIRFLOW_CONN_DLI_USER" in run.of(point)[0] for point in (13, 17))


@pytest.mark.slow
def test_every_point(live: Live, dli_emulator: Any) -> None:
    """With all flags, what the emulator does is in the report."""
    before = dict(dli_emulator.state.jobs)
    run = live("--write", "--scratch", f"obs://{dli_emulator.bucket}/scratch/", "--jobs")
    assert (run.code, run.errors) == (0, ""), run.printed
    assert run.of(1) == ["26 of 26 jobs found; 26 x <job>.json"]
    assert run.of(14)[0].endswith("checkpoint_path holds the job's id: no")
    assert run.of(15) == ["the MD5; not marked as encrypted; not shown as a parallel file system"]
    assert re.fullmatch(r"response after \d+\.\d s, object there, written [-+]\d s from it", run.of(16)[0])
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
    assert {each["point"] for each in run.findings} == set(POINTS)


def test_throttling_is_waited_for(live: Live, dli_emulator: Any) -> None:
    """What is throttled is sent again; the findings are the same."""
    dli_emulator.fault("ListFlinkJobs", "throttled", times=2, retry_after=0)
    run = live()
    assert run.code == 0
    assert len(run.of(7, "decided")) == 3


@pytest.mark.parametrize(
    ("operation", "kind", "problem"),
    [
        ("ExportFlinkJobs", "archive_cut", "it is damaged: no-end-record"),
        ("GetObject", "error", "no usable response: "),
    ],
)
def test_an_archive_that_cannot_be_read_is_a_finding(
    live: Live, dli_emulator: Any, operation: str, kind: str, problem: str
) -> None:
    """Cut short, or not for these keys: the report is written, and all is cleared up."""
    dli_emulator.fault(operation, kind, times=None)
    proxied = dli_emulator.connection("access_key", obs_endpoint=dli_emulator.dli)
    scratch = f"{dli_emulator.bucket}/scratch"
    run = live("--write", "--scratch", scratch, AIRFLOW_CONN_DLI_DEFAULT=proxied)
    assert any(problem in each for each in run.of(1, "failed"))
    assert not dli_emulator.s3.list_objects_v2(Bucket=dli_emulator.bucket).get("Contents")


def test_a_draft_whose_response_was_lost_is_deleted(live: Live, dli_emulator: Any) -> None:
    """It was made, though nobody learnt its id: it is found by its name."""
    before = dict(dli_emulator.state.jobs)
    dli_emulator.fault("CreateFlinkSqlJob", "cut_after")
    run = live("--write", "--scratch", f"{dli_emulator.bucket}/scratch", "--jobs")
    assert run.of(14, "failed") == ["no usable response: ResponseLostError"]
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


@pytest.mark.parametrize("layout", ["one_json", "properties", "nested", "gbk"])
def test_an_archive_that_is_there_is_only_read(live: Live, dli_emulator: Any, layout: str) -> None:
    """Of each layout: how many jobs are in it, and its fingerprint, without a name."""
    dli_emulator.state.settings.change({"layout": layout})
    archive = archive_of(dli_emulator)
    before = len(dli_emulator.requests)
    run = live("--archive", archive)
    assert run.code == 0
    assert {each.method for each in list(dli_emulator.requests)[before:] if "/streaming/" in each.path} == READING
    (result,) = run.of(1, "decided")
    assert result.startswith("26 of 26 jobs found; ")
    names = [job.name for job in dli_emulator.state.jobs.values()]
    assert [name for name in names for text in (*run.written.values(), run.printed) if name in text] == []


def archive_of(dli_emulator: Any) -> str:
    """Export all jobs."""
    with connected({"dli_default": dli_emulator.airflow_conn}):
        return str(DliHook().run(export_jobs(f"{dli_emulator.bucket}/there")).zip_file[0])


def test_an_unknown_layout_and_an_etag_of_an_upload_in_parts(live: Live, dli_emulator: Any) -> None:
    """The fingerprint is what may be sent back; the ETag of an upload in parts is not the MD5."""
    client, bucket = store(dli_emulator), dli_emulator.bucket
    body = zipped({"acme/fraud.bin": b"\0secret"})
    upload = client.create_multipart_upload(Bucket=bucket, Key="a.zip")["UploadId"]
    names = {"Bucket": bucket, "Key": "a.zip", "UploadId": upload}
    tag = client.upload_part(**names, PartNumber=1, Body=body)["ETag"]
    client.complete_multipart_upload(**names, MultipartUpload={"Parts": [{"ETag": tag, "PartNumber": 1}]})
    run = live("--archive", f"{bucket}/a.zip")
    assert run.of(1) == ["layout not known; 1 x <text>/<text>.bin"]
    assert "binary, begins with 00 73 65 63" in run.written["report.json"]
    assert run.of(15) == [
        "not the MD5 (another form); not marked as encrypted; not shown as a parallel file system"
    ]
    assert [word for word in ("acme", "fraud", "secret") if word in run.written["report.json"]] == []


@pytest.mark.parametrize(
    ("export", "seen"),
    [
        ("own", "exports 1, 0 of them not in its list"),
        ("all", "exports 26, 24 of them not in its list"),
        ("refused", "export refused"),
    ],
)
def test_what_an_iam_user_sees(live: Live, dli_emulator: Any, export: str, seen: str) -> None:
    """Two connections: what the user lists, of how many, and what its export of all jobs holds."""
    dli_emulator.state.settings.change({"sub_user_export": export})
    actions = ["dli:jobs:get", "dli:jobs:export", "obs:object:GetObject", "obs:bucket:HeadBucket"]
    statement = {"Effect": "Allow", "Action": actions}
    dli_emulator.add_user("svc-visitor", {"Version": "1.1", "Statement": [statement]})
    dli_emulator.state.grant("svc-visitor", 100, "GET", "EXPORT")
    dli_emulator.state.grant("svc-visitor", 101, "GET")
    user = dli_emulator.connection(user="svc-visitor")
    run = live("--write", "--scratch", f"{dli_emulator.bucket}/scratch", AIRFLOW_CONN_DLI_USER=user)
    first, second = run.of(13)
    assert first == "the user lists 2 of 26 jobs"
    assert seen in second
    assert run.of(17, "decided")
    assert keys(dli_emulator) == []
    assert [
        text for text in run.written.values() if json.loads(user)["login"] in text or "svc-visitor" in text
    ] == []


def test_settings_that_are_filled_in(live: Live, dli_emulator: Any) -> None:
    """Of a draft that gave none."""
    dli_emulator.state.settings.change({"fills_in_settings": True})
    run = live("--write", "--scratch", f"{dli_emulator.bucket}/scratch", "--jobs")
    assert "checkpoint_interval 30" in run.of(14)[0]


def test_an_archive_that_appears_after_the_response(live: Live, dli_emulator: Any) -> None:
    """Shows that the export is asynchronous, and for how long."""
    exports_before = 2  # of the layout, and how many archives
    dli_emulator.fault("ExportFlinkJobs", "slow", times=exports_before - 1)
    dli_emulator.fault("ExportFlinkJobs", "archive_late", seconds=1.5)
    run = live("--write", "--scratch", f"{dli_emulator.bucket}/scratch")
    assert re.fullmatch(r"response after \d\.\d s, object not there yet, there after [2-5] s", run.of(16)[0])


def test_the_table_names_rows_that_are_there(live: Live) -> None:
    """Each point has its meaning and its row of the page; a line for each finding."""
    page = (ROOT / "docs" / "quality" / "sources.md").read_text(encoding="utf-8")
    assert MEANINGS.keys() == POINTS.keys()
    assert [row for _, row in MEANINGS.values() if f"\n| {row}" not in page] == []
    run = live()
    table = [line for line in run.printed.splitlines() if line.startswith("| ")]
    assert len(table) == 1 + len(run.findings)
    assert all(line.count(" | ") == 3 for line in table)


@pytest.mark.parametrize("layout", ["jobs", "gbk"])
def test_it_runs_as_a_user_of_few_permissions(live: Live, dli_emulator: Any, layout: str) -> None:
    """All of it, where the service fills in settings, OBS is strict and encrypts: each point gets a response."""
    settings = dli_emulator.state.settings
    settings.fills_in_settings = settings.strict_obs = settings.deletes_savepoints = True
    settings.agencies, settings.layout = ("dli_management_agency", "custom"), layout
    settings.object_etags = "encrypted"
    archive = archive_of(dli_emulator)
    before = {job_id: job.detail() for job_id, job in dli_emulator.state.jobs.items()}
    objects = ["obs:bucket:*", "obs:object:*"]
    actions = {
        "svc-airflow": ["get", "export", "create", "stop", "delete"],
        "svc-visitor": ["get", "export"],
        "svc-nobody": [],
    }
    connections = {}
    for user, names in actions.items():
        allowed = [f"dli:jobs:{name}" for name in names] + (objects if names else [])
        statement = {"Effect": "Allow", "Action": allowed or ["obs:object:GetObject"]}
        dli_emulator.add_user(user, {"Version": "1.1", "Statement": [statement]})
        connections[user] = dli_emulator.connection(user=user)
    run = live(
        *("--write", "--jobs", "--scratch", f"obs://{dli_emulator.bucket}/scratch/", "--archive", archive),
        AIRFLOW_CONN_DLI_DEFAULT=connections["svc-airflow"],
        AIRFLOW_CONN_DLI_USER=connections["svc-visitor"],
        AIRFLOW_CONN_DLI_DENIED=connections["svc-nobody"],
    )
    assert (run.code, run.errors) == (0, ""), run.printed
    assert {each["point"] for each in run.findings} == set(POINTS)
    assert [each for each in run.findings if each["outcome"] == "failed"] == []
    # What no run sends: by hand, or what would cost money.
    skipped = {each["question"] for each in run.findings if each["outcome"] == "skipped"}
    assert skipped == {"a bucket of another region", "run several jobs", "the console's address of a job"}
    assert run.of(15, "decided")[0].startswith("not the MD5 (32 digits); marked as encrypted")
    assert {job_id: job.detail() for job_id, job in dli_emulator.state.jobs.items()} == before
    assert keys(dli_emulator) == [archive.partition("/")[2]]
