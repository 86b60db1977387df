"""Export and verify operators against the emulator, over real sockets and a real object store."""

from __future__ import annotations

import io
import json
import time
import zipfile
from threading import Timer
from typing import Any

import pytest

from airflow_provider_dli.compat import AirflowFailException
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.operators.dli import DliExportFlinkJobsOperator, DliVerifyFlinkExportOperator
from tests.airflow.stores import TaskInstance


def export(**parameters: Any) -> list[str]:
    return DliExportFlinkJobsOperator(task_id="export", **parameters).execute({})


def verify(zip_file: Any, **parameters: Any) -> list[dict[str, Any]]:
    parameters = {"timeout": 0, "poll_interval": 0.05, **parameters}
    return DliVerifyFlinkExportOperator(task_id="verify", zip_file=zip_file, **parameters).execute({})


@pytest.fixture
def emulator(dli_emulator: Any, reconnect: Any) -> Any:
    """Return the emulator, with its connection in the environment; it sends each request once."""
    reconnect(retry_budget=0)
    return dli_emulator


@pytest.fixture
def reconnect(dli_emulator: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that changes fields of the connection."""

    def change(login: str = "", password: str = "", **extras: Any) -> None:
        connection = json.loads(dli_emulator.airflow_conn)
        extra = connection["extra"] if isinstance(connection["extra"], dict) else json.loads(connection["extra"])
        connection |= {"login": login or connection["login"], "password": password or connection["password"]}
        connection["extra"] = {**extra, "retry_budget": 0, **extras}
        monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", json.dumps(connection))

    return change


@pytest.mark.slow
def test_export_all_then_verify(emulator: Any) -> None:
    """The main job, with a bare context: the archive is there and whole, and holds all jobs."""
    archives = export(obs_dir=f"obs://{emulator.bucket}/nightly/")
    assert len(archives) == 1
    assert archives[0].startswith(f"{emulator.bucket}/nightly/aggregate_")
    (report,) = verify(archives)
    stored = emulator.s3.head_object(Bucket=report["bucket"], Key=report["key"])
    assert report["verified"]
    assert report["zip_file"] == archives[0]
    assert report["size"] == stored["ContentLength"]
    assert report["etag"] == stored["ETag"].strip('"')
    assert report["entries"] == 26
    assert report["findings"] == []
    assert len(report["sha256"]) == 64


@pytest.mark.slow
def test_xcom_has_the_list_twice_and_the_reports(emulator: Any) -> None:
    """return_value for .output, zip_file for the key; each is plain JSON."""
    instance = TaskInstance()
    operator = DliExportFlinkJobsOperator(task_id="export", obs_dir=emulator.bucket, job_selected="100, 101")
    archives = operator.execute(instance.context)
    batch = {"job_ids": [100, 101], "zip_file": archives, "failed": [], "error": None}
    del instance.pushed["dli_console"]  # what the links of the task are made of
    assert instance.pushed == {"return_value": archives, "zip_file": archives, "batches": [batch], "failed": []}
    DliVerifyFlinkExportOperator(task_id="verify", zip_file=archives).execute(instance.context)
    assert instance.pushed["return_value"][0]["entries"] == 2


def test_nothing_is_pushed_with_do_xcom_push_false(emulator: Any) -> None:
    """Under the own keys of the operator neither."""
    instance = TaskInstance()
    operator = DliExportFlinkJobsOperator(task_id="export", obs_dir=emulator.bucket, do_xcom_push=False)
    operator.execute(instance.context)
    assert instance.pushed == {}


@pytest.mark.parametrize("job_selected", [[101, 103], "101, 103", ["101", "103"], "[101, 103]"])
def test_export_selected(emulator: Any, job_selected: Any) -> None:
    """The archive holds just these jobs."""
    archives = export(obs_dir=emulator.bucket, job_selected=job_selected, is_selected=True)
    bucket, _, key = archives[0].partition("/")
    body = emulator.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert sorted(archive.namelist()) == ["101.json", "103.json"]


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"job_selected": []}, r"^job_selected: "),
        ({"job_selected": ""}, r"^job_selected: "),
        ({"job_selected": ["abc"]}, r"^job_selected: 'abc' is not a job id"),
        (
            {"job_selected": [100], "is_selected": False},
            r"^is_selected: is False although job_selected names jobs",
        ),
        ({"is_selected": True}, r"^job_selected: is missing although is_selected is True"),
        ({"is_selected": "yes"}, r"^is_selected: 'yes' is neither True nor False"),
        ({"obs_dir": ""}, r"^obs_dir: rendered to nothing"),
        ({"obs_dir": "obs://"}, r"^obs_dir: 'obs://' names no bucket"),
        ({"obs_dir": "s3://x"}, r"^obs_dir: 's3://x' is not a place in OBS"),
    ],
)
def test_a_wrong_parameter_is_refused_before_anything_is_sent(
    emulator: Any, parameters: dict[str, Any], reason: str
) -> None:
    """In one line that names the field; no retry is spent."""
    with pytest.raises(DliFailException, match=reason) as caught:
        export(**{"obs_dir": emulator.bucket, **parameters})
    assert isinstance(caught.value, AirflowFailException)
    assert "\n" not in str(caught.value)
    assert len(emulator.requests) == 0


def test_a_selection_that_rendered_to_none_is_not_all_jobs(emulator: Any) -> None:
    """A template or XCom that gave nothing must not export everything."""
    operator = DliExportFlinkJobsOperator(task_id="export", obs_dir=emulator.bucket, job_selected="{{ nothing }}")
    operator.job_selected = None  # what native rendering of an unset value leaves
    with pytest.raises(DliFailException, match=r"^job_selected: was given and is None"):
        operator.execute({})
    assert len(emulator.requests) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("extras", "reason"),
    [
        ({"regoin": "x"}, r"^connection 'dli_default': extra regoin: is not a valid extra"),
        ({"region": ""}, r"^connection 'dli_default': region: is missing"),
        ({"project_id": "a/b"}, r"^connection 'dli_default': project_id: 'a/b' is not a project id"),
        ({"auth_type": "magic"}, r"^connection 'dli_default': auth_type: 'magic' is not a valid choice"),
        ({"endpoint": "dli.example.com"}, r"^connection 'dli_default': endpoint: .*has no scheme"),
    ],
)
def test_a_wrong_connection_is_refused_before_anything_is_sent(
    emulator: Any, reconnect: Any, extras: dict[str, Any], reason: str
) -> None:
    """By the connection's id and the field."""
    reconnect(**extras)
    with pytest.raises(DliFailException, match=reason):
        export(obs_dir=emulator.bucket)
    assert len(emulator.requests) == 0


def test_a_wrong_secret_is_sent_once(emulator: Any, reconnect: Any) -> None:
    """Repeating it would lock the key."""
    reconnect(password="wrong")
    with pytest.raises(DliFailException, match=r"ListFlinkJobs: HTTP 401 APIGW\.\d+: .*secret key"):
        export(obs_dir=emulator.bucket)
    assert len(emulator.requests) == 1


def test_a_wrong_secret_for_obs(emulator: Any, reconnect: Any) -> None:
    """The same keys serve OBS, and it checks them too."""
    archives = export(obs_dir=emulator.bucket)
    reconnect(password="wrong")
    with pytest.raises(DliFailException, match=r"HTTP 403 SignatureDoesNotMatch"):
        verify(archives)


def test_an_unknown_job_is_named_by_the_service(emulator: Any) -> None:
    """Its code and its words arrive."""
    with pytest.raises(DliFailException, match=r"ExportFlinkJobs: HTTP 400 DLI\.\d+: .*999"):
        export(obs_dir=emulator.bucket, job_selected=[999])


@pytest.mark.parametrize(
    ("kind", "failure", "reason"),
    [
        ("is_success_false", DliFailException, r"ExportFlinkJobs: HTTP 200: "),
        ("no_zip_file", DliFailException, r"zip_file should list at least one archive"),
        ("throttled", DliException, r"HTTP 429 APIGW\.0308"),
    ],
)
def test_a_success_without_an_archive_fails_the_task(
    emulator: Any, kind: str, failure: type[DliException], reason: str
) -> None:
    """Status 200 alone is not success."""
    emulator.fault("ExportFlinkJobs", kind)
    with pytest.raises(failure, match=reason) as caught:
        export(obs_dir=emulator.bucket, reconcile_timeout=0)
    assert type(caught.value) is failure
    assert "\n" not in str(caught.value)


def test_a_page_of_a_load_balancer_fails_the_task(emulator: Any) -> None:
    """Three requests, with a check of OBS between them; the message quotes the page."""
    emulator.fault("ExportFlinkJobs", "html", times=None)
    with pytest.raises(DliException, match=r"ExportFlinkJobs: HTTP 502: .*Bad Gateway"):
        export(obs_dir=emulator.bucket, reconcile_timeout=0)
    assert [request.operation for request in emulator.requests] == ["ListFlinkJobs"] + 3 * ["ExportFlinkJobs"]


@pytest.mark.parametrize(
    ("kind", "failure", "reason"),
    [
        ("archive_missing", DliException, r"1 of 1 archive failed verification: obs://.*: missing: "),
        ("archive_cut", DliFailException, r"1 of 1 archive failed verification: obs://.*\.zip: \S+"),
        ("archive_flipped", DliFailException, r"1 of 1 archive failed verification: obs://.*\.zip: \S+"),
    ],
)
def test_a_damaged_archive_fails_the_verification(
    emulator: Any, kind: str, failure: type[DliException], reason: str
) -> None:
    """The export succeeded; the verification fails. The report goes to XCom all the same."""
    emulator.fault("ExportFlinkJobs", kind)
    archives = export(obs_dir=emulator.bucket)
    instance = TaskInstance()
    operator = DliVerifyFlinkExportOperator(task_id="verify", zip_file=archives, timeout=0)
    with pytest.raises(DliException, match=reason) as caught:
        operator.execute(instance.context)
    assert type(caught.value) is failure
    assert "\n" not in str(caught.value)
    (report,) = instance.pushed["return_value"]
    assert not report["verified"]
    assert report["findings"]


def test_every_defect_of_every_archive_is_listed(emulator: Any) -> None:
    """In one message."""
    good = export(obs_dir=emulator.bucket)
    emulator.fault("ExportFlinkJobs", "archive_flipped")
    flipped = export(obs_dir=emulator.bucket)
    missing = f"{emulator.bucket}/no-such.zip"
    with pytest.raises(DliFailException) as caught:
        verify([*good, *flipped, missing])
    message = str(caught.value)
    assert message.startswith("2 of 3 archives failed verification: ")
    assert good[0] not in message
    assert flipped[0] in message
    assert "no-such.zip: missing" in message


def test_an_archive_that_comes_late_is_waited_for(emulator: Any) -> None:
    """The task succeeds once it is there."""
    archives = export(obs_dir=emulator.bucket)
    bucket, _, key = archives[0].partition("/")
    body = emulator.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    Timer(0.3, lambda: emulator.s3.put_object(Bucket=bucket, Key="late.zip", Body=body)).start()
    (report,) = verify(f"{bucket}/late.zip", timeout=120)
    assert report["verified"]


def test_waiting_ends(emulator: Any) -> None:
    """After the timeout, and soon after it."""
    started = time.monotonic()
    with pytest.raises(DliException, match=r"increase the timeout"):
        verify(f"{emulator.bucket}/never.zip", timeout=0.5)
    assert 0.5 <= time.monotonic() - started < 60


@pytest.mark.usefixtures("emulator")
def test_a_missing_bucket_is_not_waited_for() -> None:
    """It will not appear by itself."""
    with pytest.raises(DliFailException, match=r"NoSuchBucket: there is no bucket 'no-such-bucket'"):
        verify("no-such-bucket/a.zip", timeout=600)


@pytest.mark.parametrize("zip_file", [[], "", "bucket", [3], "s3://bucket/a.zip"])
def test_verifying_nothing_fails(emulator: Any, zip_file: Any) -> None:
    """Named by its field, before anything is sent."""
    with pytest.raises(DliFailException, match=r"^zip_file: "):
        verify(zip_file)
    assert len(emulator.requests) == 0


def test_an_object_that_is_not_an_archive_fails_the_verification(emulator: Any) -> None:
    """An object of the right name proves nothing."""
    emulator.s3.put_object(Bucket=emulator.bucket, Key="page.zip", Body=b"<html>no zip</html>")
    with pytest.raises(DliFailException, match=r"page\.zip: \S+"):
        verify(f"{emulator.bucket}/page.zip")


def test_the_connection_test_tries_the_bucket_too(emulator: Any, reconnect: Any) -> None:
    """In one line: what is permitted, and what is not."""
    reconnect(bucket=emulator.bucket)
    works, message = DliHook().test_connection()
    assert works
    assert message.endswith(
        f"(without dli:jobs:listAll only the user's own), and bucket {emulator.bucket} may be read. "
        "Not tested: the permission to export, and DLI's agency, which writes the archives."
    )
    reconnect(bucket="no-such-bucket")
    works, message = DliHook().test_connection()
    assert not works
    assert ", but bucket no-such-bucket may not be read: " in message


def test_a_wrong_clock_is_reported_with_both_times(emulator: Any) -> None:
    """So that it is clear which machine is wrong."""
    emulator.fault("ExportFlinkJobs", "skewed_clock")
    with pytest.raises(
        DliFailException, match=r"APIGW\.0303: .*clock shows .* UTC, the service's .* UTC: 1(199|20[0-9]) s"
    ):
        export(obs_dir=emulator.bucket)
