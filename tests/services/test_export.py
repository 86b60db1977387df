"""Exports of selected jobs and in batches: failures, refusals, and later attempts."""

from __future__ import annotations

import io
import json
import time
import zipfile
from typing import Any

import pytest
from airflow import DAG

from airflow_provider_dli.compat import AirflowFailException, AirflowSkipException
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.operators.dli import DliExportFlinkJobsOperator, DliVerifyFlinkExportOperator
from dli_emulator import Emulator
from tests.airflow.stores import TaskInstance


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0, read_timeout=60))
    return dli_emulator


def export(emulator: Emulator, instance: TaskInstance | None = None, **parameters: Any) -> list[str]:
    # One batch after the other: then it is known which one meets a fault.
    given = {"obs_dir": f"{emulator.bucket}/night", "reconcile_timeout": 0.3, "max_concurrency": 1, **parameters}
    operator = DliExportFlinkJobsOperator(task_id="export", **given)
    return operator.execute((instance or TaskInstance()).context)


def jobs_in(emulator: Emulator, archives: list[str]) -> list[int]:
    found = []
    for archive in archives:
        bucket, _, key = archive.partition("/")
        body = emulator.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        with zipfile.ZipFile(io.BytesIO(body)) as opened:
            found += [int(name.removesuffix(".json")) for name in opened.namelist()]
    return sorted(found)


def export_requests(emulator: Emulator) -> int:
    return sum(request.operation == "ExportFlinkJobs" for request in emulator.requests)


def jobs_of_queue(emulator: Emulator, queue_name: str) -> list[int]:
    return [job.job_id for job in emulator.state.jobs.values() if job.queue_name == queue_name]


def test_if_no_job_is_selected_if_empty_applies(emulator: Emulator) -> None:
    """Fail, skip or succeed; it never means all jobs."""
    selection = {"name_pattern": "no*such"}
    with pytest.raises(DliFailException, match=r"No Flink job is selected by: name_pattern=no\*such"):
        export(emulator, selection=selection, if_empty="fail")
    with pytest.raises(AirflowSkipException, match="No Flink job is selected"):
        export(emulator, selection=selection, if_empty="skip")
    assert export(emulator, selection=selection, if_empty="succeed") == []
    assert export_requests(emulator) == 0


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"selection": {"nam": "x"}}, r"^selection\.nam: is unknown; there are name_pattern"),
        ({"selection": "orders"}, r"^selection: 'orders' cannot be read"),
        ({"selection": ["x"]}, r"^selection: \['x'\] is not a mapping"),
        ({"selection": "{['a']: 1}"}, r"^selection: .* cannot be read"),
        ({"selection": "{{'a'}}"}, r"^selection: .* cannot be read"),
        ({"selection": {"status": "running"}}, r"^selection\.status: 'running' is not a status"),
        ({"selection": {"tags": "team"}}, r"^selection\.tags: 'team' has a tag that is not key=value"),
        ({"selection": {}, "job_selected": [1]}, r"^selection: is given together with job_selected"),
        ({"batch_size": 0}, r"^batch_size: 0 is not possible"),
        ({"batch_size": "5.0"}, r"^batch_size: '5.0' is not a whole number"),
        ({"if_empty": None}, r"^if_empty: rendered to nothing"),
    ],
)
def test_a_wrong_parameter_is_refused(emulator: Emulator, parameters: dict[str, Any], reason: str) -> None:
    """By its name, before anything is sent."""
    with pytest.raises(DliFailException, match=reason):
        export(emulator, **parameters)
    assert len(emulator.requests) == 0


@pytest.mark.parametrize(
    "selection",
    [
        {"name_pattern": ""},
        {"name_pattern": " , ", "queue_name": " "},
        {"name_pattern": None, "status": [], "tags": {}, "exclude": ","},
        '{"name_pattern": "", "changed_since": ""}',
    ],
)
def test_an_untouched_form_is_not_all_jobs(emulator: Emulator, selection: Any) -> None:
    """A selection whose every filter is empty is refused; one without any filter means all jobs."""
    with pytest.raises(DliFailException, match=r"^selection: has nothing in name_pattern.*selection=\{\}"):
        export(emulator, selection=selection)
    assert len(emulator.requests) == 0


def test_a_selection_that_rendered_to_none_is_not_all_jobs(emulator: Emulator) -> None:
    """A template or XCom without a value must not export everything."""
    operator = DliExportFlinkJobsOperator(task_id="export", obs_dir=emulator.bucket, selection="{{ nothing }}")
    operator.selection = None  # what native rendering of an unset value leaves
    with pytest.raises(DliFailException, match=r"^selection: was given and is None"):
        operator.execute({})
    assert len(emulator.requests) == 0


@pytest.mark.parametrize("empty", ["", " ", None])
def test_an_empty_filter_is_ignored(emulator: Emulator, empty: str | None) -> None:
    """An empty field of a form beside one that is filled in."""
    archives = export(emulator, selection={"queue_name": "flink_prod", "user_name": empty, "name_pattern": empty})
    assert jobs_in(emulator, archives) == jobs_of_queue(emulator, "flink_prod")


@pytest.mark.parametrize(
    "selection", [{"queue_name": "flink_prod"}, "{'queue_name': 'flink_prod'}", '{"queue_name": "flink_prod"}']
)
def test_a_selection_is_exported(emulator: Emulator, selection: Any) -> None:
    """As a mapping, and as a template or a form writes one."""
    archives = export(emulator, selection=selection)
    assert jobs_in(emulator, archives) == jobs_of_queue(emulator, "flink_prod")


def test_a_list_that_ends_early_exports_nothing(emulator: Emulator) -> None:
    """Some of the jobs are not all of them; a retry may help."""
    emulator.fault("ListFlinkJobs", "reply", times=None, body={
        "is_success": "true", "job_list": {"total_count": 26, "jobs": []},
    })  # fmt: skip
    with pytest.raises(DliException, match=r"ListFlinkJobs: HTTP 200: the list of 26 ended at 0\.") as caught:
        export(emulator, selection={"name_pattern": "*"}, if_empty="skip")
    assert not isinstance(caught.value, AirflowFailException)
    assert export_requests(emulator) == 0


def test_a_list_that_is_missing_is_not_an_empty_one(emulator: Emulator) -> None:
    """A backup of nothing must not succeed by it."""
    emulator.fault("ListFlinkJobs", "reply", times=None, body={
        "is_success": "true", "job_list": {"total_count": 0},
    })  # fmt: skip
    with pytest.raises(DliException, match=r"jobs should be a list of objects and is missing"):
        export(emulator, selection={"name_pattern": "*"}, if_empty="succeed")


def test_batches(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Each in a directory of its own, with a line for each, and what is left."""
    instance = TaskInstance()
    archives = export(emulator, instance, selection={}, batch_size=10)
    assert [archive.split("/")[2] for archive in archives] == ["batch-0001", "batch-0002", "batch-0003"]
    assert jobs_in(emulator, archives) == list(range(100, 126))
    assert [len(batch["job_ids"]) for batch in instance.pushed["batches"]] == [10, 10, 6]
    assert instance.pushed["failed"] == []
    assert instance.store.left("dli_export") == {"generation", "superseded"}
    log = capsys.readouterr().out
    assert "Batch 3 of 3: 6 jobs -> obs-test/night/batch-0003/aggregate_" in log
    assert "20 of 26 jobs done in" in log
    assert "id   name" in log


def test_a_batch_that_fails_does_not_stop_the_others(emulator: Emulator) -> None:
    """What succeeded is kept, what failed is named, both in XCom; a retry requests only what failed."""
    instance = TaskInstance()
    emulator.fault("ExportFlinkJobs", "slow", times=1, before=0)
    emulator.fault("ExportFlinkJobs", "throttled", times=1, retry_after=0)
    with pytest.raises(DliException, match=r"10 jobs not exported to .*: jobs 110, 111.*HTTP 429") as caught:
        export(emulator, instance, selection={}, batch_size=10)
    assert not isinstance(caught.value, AirflowFailException)
    assert len(instance.pushed["zip_file"]) == 2
    assert instance.pushed["failed"] == list(range(110, 120))
    before = export_requests(emulator)
    emulator.state.add_job(name="made since")
    archives = export(emulator, instance, selection={}, batch_size=10)
    assert export_requests(emulator) - before == 1
    assert jobs_in(emulator, archives) == list(range(100, 126))
    assert instance.store.left("dli_export") == {"generation", "superseded"}


def test_a_partial_export_may_succeed(emulator: Emulator) -> None:
    """With ``allow_partial``; the XCom names what is missing."""
    instance = TaskInstance()
    emulator.fault("ExportFlinkJobs", "error", code="DLI.0999")
    archives = export(emulator, instance, job_selected="100,101,102", batch_size=1, allow_partial=True)
    assert jobs_in(emulator, archives) == [101, 102]
    assert instance.pushed["failed"] == [100]
    emulator.fault("ExportFlinkJobs", "error", times=None, code="DLI.0001")
    with pytest.raises(DliFailException, match=r"2 jobs not exported"):
        export(emulator, job_selected="100,101", batch_size=1, allow_partial=True)


def test_a_deleted_job_is_omitted_and_named(emulator: Emulator) -> None:
    """The others of its batch are exported all the same."""
    instance = TaskInstance()
    with pytest.raises(DliFailException, match=r"1 job not exported .*: jobs 99: this key sees no job 99"):
        export(emulator, instance, job_selected=[100, 99, 101, 102], batch_size=3)
    assert jobs_in(emulator, instance.pushed["zip_file"]) == [100, 101, 102]
    assert instance.pushed["failed"] == [99]


def test_a_refused_identity_ends_the_export_at_once(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batch after batch would lock the key."""
    connection = json.loads(emulator.airflow_conn) | {"password": "wrong"}
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", json.dumps(connection))
    with pytest.raises(DliFailException, match=r"ListObjects: HTTP 403 SignatureDoesNotMatch"):
        export(emulator, job_selected=[100, 101, 102], batch_size=1)
    assert len(emulator.requests) == 0


@pytest.mark.parametrize("code", ["DLI.0003", "DLI.0011"])
def test_a_missing_permission_on_one_job_does_not_stop_the_others(emulator: Emulator, code: str) -> None:
    """EXPORT is a privilege of single jobs too."""
    instance = TaskInstance()
    emulator.fault("ExportFlinkJobs", "slow", before=0)
    emulator.fault("ExportFlinkJobs", "error", status=403, code=code, message="no EXPORT on jobs.flink.102")
    message = r"2 jobs not exported .*: jobs 102, 103: .*jobs\.flink\.102.*[a-z]\. What succeeded"
    with pytest.raises(DliFailException, match=message):
        export(emulator, instance, job_selected=range(100, 106), batch_size=2)
    assert jobs_in(emulator, instance.pushed["zip_file"]) == [100, 101, 104, 105]
    assert instance.pushed["failed"] == [102, 103]


@pytest.mark.parametrize(("status", "code"), [(401, "APIGW.0301"), (403, "APIGW.0302")])
@pytest.mark.parametrize("allow_partial", [True, False])
def test_batches_that_are_not_requested_are_named(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], status: int, code: str, allow_partial: bool
) -> None:
    """After a refusal that holds for all batches; in the XCom, and in the message or the log."""
    instance = TaskInstance()
    emulator.fault("ExportFlinkJobs", "slow", before=0)
    emulator.fault("ExportFlinkJobs", "error", status=status, code=code)
    parameters: dict[str, Any] = {"job_selected": range(100, 106), "batch_size": 2}
    if allow_partial:
        archives = export(emulator, instance, allow_partial=True, **parameters)
        assert jobs_in(emulator, archives) == [100, 101]
        report = capsys.readouterr().out
    else:
        with pytest.raises(DliFailException, match=rf"4 jobs not exported .*: jobs 102, 103: .*{code}") as caught:
            export(emulator, instance, **parameters)
        report = str(caught.value)
    assert "jobs 104, 105: not requested: it would be refused as batch 2 was" in report
    assert instance.pushed["failed"] == [102, 103, 104, 105]
    assert [batch["job_ids"] for batch in instance.pushed["batches"]] == [[100, 101], [102, 103], [104, 105]]
    assert export_requests(emulator) == 2


def test_a_refused_identity_keeps_the_archives_of_an_earlier_attempt(emulator: Emulator) -> None:
    """Only what is missing is named as missing."""
    instance = TaskInstance()
    emulator.fault("ExportFlinkJobs", "throttled", retry_after=0)
    with pytest.raises(DliException):
        export(emulator, instance, job_selected=[100, 101, 102], batch_size=1)
    kept = instance.pushed["zip_file"]
    emulator.fault("ExportFlinkJobs", "error", status=403, code="APIGW.0302")
    with pytest.raises(DliFailException, match=r"1 job not exported"):
        export(emulator, instance, job_selected=[100, 101, 102], batch_size=1)
    assert (instance.pushed["zip_file"], instance.pushed["failed"]) == (kept, [100])


def test_a_refused_batch_whose_jobs_cannot_be_listed(emulator: Emulator) -> None:
    """Its own refusal is reported, and what succeeded is kept."""
    instance = TaskInstance()
    emulator.fault("ListFlinkJobs", "error", status=403, code="APIGW.0302", message="may not list", times=None)
    with pytest.raises(DliFailException, match=r"2 jobs not exported .*: jobs 99, 100: .*DLI\.16001: .*99"):
        export(emulator, instance, job_selected=[101, 102, 99, 100, 103, 104], batch_size=2)
    assert jobs_in(emulator, instance.pushed["zip_file"]) == [101, 102, 103, 104]
    assert instance.pushed["failed"] == [99, 100]


def test_an_archive_of_an_earlier_attempt_that_cannot_be_found(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its batch has failed; the others are exported and reported."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", emulator.connection("temporary", retry_budget=0))
    instance = TaskInstance()
    emulator.fault("ExportFlinkJobs", "slow", before=0)
    emulator.fault("ExportFlinkJobs", "throttled", retry_after=0)
    with pytest.raises(DliException):
        export(emulator, instance, job_selected=[100, 101], batch_size=1)
    emulator.fault("HeadObject", "error", status=403, code="AccessDenied", times=None)
    with pytest.raises(DliFailException, match=r"1 job not exported .*: jobs 100: HeadObject: HTTP 403"):
        export(emulator, instance, job_selected=[100, 101], batch_size=1)
    assert jobs_in(emulator, instance.pushed["zip_file"]) == [101]
    assert instance.pushed["failed"] == [100]


@pytest.mark.slow
@pytest.mark.parametrize("forbidden", ["before", "before and after", "always"])
def test_a_lost_response_with_a_directory_that_could_not_be_listed(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, forbidden: str
) -> None:
    """The outcome stays unknown: new archives cannot be recognised, and no request is sent again.

    The message reports it, with what the directory holds, or that of the next attempt; after that a task exports.
    """
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", emulator.connection("temporary", retry_budget=0))
    emulator.fault("ExportFlinkJobs", "error", code="DLI.0019", acts=True)
    emulator.fault(
        "ListObjects", "error", status=403, code="AccessDenied", times=1 if forbidden == "before" else None
    )
    instance, reports = TaskInstance(), []
    for _ in range(1 if forbidden == "before" else 2):
        with pytest.raises(
            DliFailException, match=r"is unknown.*could not be listed before .*allow the"
        ) as caught:
            export(emulator, instance, job_selected=[100, 101])
        reports.append(", and now holds obs-test/night/aggregate_" in str(caught.value))
        if forbidden == "before and after":
            emulator.faults.clear()
    assert export_requests(emulator) == 1
    assert reports == {"before": [True], "before and after": [False, True], "always": [False, False]}[forbidden]
    assert jobs_in(emulator, export(emulator, instance, job_selected=[100, 101])) == [100, 101]
    assert export_requests(emulator) == 2


def test_a_request_that_did_nothing_with_a_directory_that_could_not_be_listed(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory holds no archive: the next attempt sends the request again."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", emulator.connection("temporary", retry_budget=0))
    emulator.fault("ExportFlinkJobs", "error", code="DLI.0019")
    emulator.fault("ListObjects", "error", status=403, code="AccessDenied")
    instance = TaskInstance()
    with pytest.raises(DliException, match=r"DLI\.0019"):
        export(emulator, instance, job_selected=[100, 101])
    assert jobs_in(emulator, export(emulator, instance, job_selected=[100, 101])) == [100, 101]


def test_deleted_archives_of_an_earlier_attempt_are_made_again(emulator: Emulator) -> None:
    """Only archives that are still there are kept."""
    instance = TaskInstance()
    emulator.fault("ExportFlinkJobs", "throttled", times=1, retry_after=0)
    with pytest.raises(DliException):
        export(emulator, instance, job_selected=[100, 101], batch_size=1)
    (archive,) = instance.pushed["zip_file"]
    bucket, _, key = archive.partition("/")
    emulator.s3.delete_object(Bucket=bucket, Key=key)
    assert jobs_in(emulator, export(emulator, instance, job_selected=[100, 101], batch_size=1)) == [100, 101]
    assert "extra_archives" not in instance.pushed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "now", "left"),
    [
        ({"job_selected": [100, 101], "batch_size": 1}, {"job_selected": [102, 103], "batch_size": 1}, [100]),
        ({"job_selected": [100, 101], "batch_size": 1}, {"job_selected": [100, 101], "batch_size": 2}, [100]),
        (
            {"job_selected": [100, 101, 102], "batch_size": 1},
            {"job_selected": "100,101,102", "batch_size": 2},
            [100],
        ),
        ({"job_selected": [100, 101], "batch_size": 1}, {"job_selected": [100]}, [100]),
        ({"job_selected": [100, 101], "batch_size": 1}, {"selection": {"name_pattern": "no*such"}}, [100]),
        ({"job_selected": [100, 101], "batch_size": 1}, {"job_selected": [101, 100], "batch_size": 1}, []),
    ],
)
def test_archives_of_other_batches_of_an_earlier_attempt_are_reported(
    emulator: Emulator,
    capsys: pytest.CaptureFixture[str],
    before: dict[str, Any],
    now: dict[str, Any],
    left: list[int],
) -> None:
    """Templates may give each attempt other jobs or another batch size, in the same directory."""
    instance = TaskInstance()
    emulator.fault("ExportFlinkJobs", "slow", before=0)
    emulator.fault("ExportFlinkJobs", "throttled", times=len(before["job_selected"]) - 1, retry_after=0)
    with pytest.raises(DliException):
        export(emulator, instance, **before)
    (made,) = instance.pushed["zip_file"]
    archives = export(emulator, instance, if_empty="succeed", **now)
    extra = instance.pushed.get("extra_archives", [])
    assert jobs_in(emulator, extra) == left
    assert extra == ([made] if left else [])
    assert (made in archives) is not bool(left)
    log = capsys.readouterr().out
    assert ("An earlier attempt exported to another directory, or other jobs" in log) is bool(left)


class Pulling(TaskInstance):
    """Hands what another task has pushed to whoever pulls from a list of tasks, as Airflow does."""

    def __init__(self, other: TaskInstance) -> None:
        super().__init__()
        self.other = other

    def xcom_pull(self, *, task_ids: list[str], key: str) -> list[Any]:
        assert task_ids == ["export"]
        return [self.other.pushed[key]] if key in self.other.pushed else []


def test_an_archive_that_comes_after_the_export_is_named_by_the_verification(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the request that may have made it; not one that was there before, or if no response was lost."""
    directory, before = f"{emulator.bucket}/night/batch-0002", TaskInstance()
    given: dict[str, Any] = {"job_selected": [100, 101, 102, 103], "batch_size": 2, "reconcile_timeout": 0.1}
    old = DliHook().export_flink_jobs(directory, [102]).zip_file
    with DAG("nightly", schedule=None) as dag:
        export_task = DliExportFlinkJobsOperator(task_id="export", obs_dir=f"{emulator.bucket}/night", **given)
        verify = DliVerifyFlinkExportOperator(task_id="verify", zip_file=["not-known"])
        export_task >> verify

    def verified(archives: list[str]) -> dict[str, Any]:
        verify.zip_file, instance = archives, Pulling(before)
        instance.context |= {"task": verify, "dag": dag}
        verify.execute(instance.context)
        return instance.pushed

    emulator.fault("ExportFlinkJobs", "slow", before=0)
    emulator.fault("ExportFlinkJobs", "cut_before")
    time.sleep(1.1)  # OBS may write its times in seconds
    archives = export_task.execute(before.context)
    assert "extra_archives" not in before.pushed
    (lost,) = before.pushed["lost_requests"]
    assert (lost["obs_dir"], lost["jobs"]) == (directory, 2)
    assert "late_archives" not in verified(archives)
    late = list(DliHook().export_flink_jobs(directory, [102, 103]).zip_file)
    assert verified(archives)["late_archives"] == late
    log = capsys.readouterr().out
    lost_at = f"The export of 2 jobs into {directory} that was requested at 20"
    assert f"No task has named 1 archive: {late[0]}. {lost_at}" in log
    assert old[0] not in log
    del before.pushed["lost_requests"]
    assert "late_archives" not in verified(archives)


def test_records_are_not_used_after_a_day(emulator: Emulator) -> None:
    """Whoever clears the task later wants the jobs as they are then."""
    instance = TaskInstance()
    emulator.fault("ExportFlinkJobs", "throttled", times=1, retry_after=0)
    with pytest.raises(DliException):
        export(emulator, instance, job_selected=[100, 101], batch_size=1)
    old = instance.pushed["zip_file"]
    kept = instance.store.get("dli_export") | {"since": "2026-01-01T00:00:00+00:00"}
    instance.store.set("dli_export", kept)
    before = export_requests(emulator)
    emulator.fault("ExportFlinkJobs", "throttled", times=1, retry_after=0)
    with pytest.raises(DliException):
        export(emulator, instance, job_selected=[100, 101], batch_size=1)
    assert export_requests(emulator) - before == 2
    assert instance.pushed["extra_archives"] == old
    # From there on the day begins again: what that attempt has exported is not exported once more.
    archives = export(emulator, instance, job_selected=[100, 101], batch_size=1)
    assert export_requests(emulator) - before == 3
    assert jobs_in(emulator, archives) == [100, 101]
    assert instance.pushed["extra_archives"] == old


@pytest.mark.slow
def test_a_thousand_jobs_with_a_fault_in_every_tenth_call(emulator: Emulator) -> None:
    """Responses lost before and after the service acts, 502 and 429: the store has what was requested."""
    for number in range(1000):
        emulator.state.add_job(name=f"many_{number:04d}")
    kinds = ["cut_after", "throttled", "cut_before", "html"]
    for number in range(40):
        emulator.fault("ExportFlinkJobs", "slow", times=9, before=0)
        parameters = {"retry_after": 0} if kinds[number % 4] == "throttled" else {}
        emulator.fault("ExportFlinkJobs", kinds[number % 4], times=1, **parameters)
    instance = TaskInstance()
    archives: list[str] = []
    for _ in range(5):
        try:
            archives = export(emulator, instance, selection={"name_pattern": "many_*"}, batch_size=20)
            break
        except DliException:
            assert instance.pushed["failed"]
    assert len(archives) == 50
    assert jobs_in(emulator, archives) == [
        job.job_id for job in emulator.state.jobs.values() if "many" in job.name
    ]


@pytest.mark.parametrize(("status", "code"), [(403, "DLI.0003"), (400, "DLI.0002")])
def test_a_job_that_may_not_be_exported_takes_its_batch_with_it(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], status: int, code: str
) -> None:
    """The message has that, and what exports the others; a batch of one has no others."""
    advice = "No job of this batch is exported; if the reason is one of them, batch_size=1 exports the others."
    emulator.fault("ExportFlinkJobs", "error", times=1, status=status, code=code, message="jobs.flink.100")
    instance = TaskInstance()
    export(emulator, instance, job_selected=[100, 101, 102], batch_size=2, allow_partial=True)
    assert instance.pushed["failed"] == [100, 101]
    assert instance.pushed["batches"][0]["error"].endswith(advice)
    assert "Not exported: jobs 100, 101: " in (log := capsys.readouterr().out)
    assert advice in log
    for ids in ([100, 101], [100]):
        emulator.fault("ExportFlinkJobs", "error", times=1, status=status, code=code, message="jobs.flink.100")
        with pytest.raises(DliFailException) as caught:
            export(emulator, job_selected=ids)
        assert f"HTTP {status} {code}" in str(caught.value)
        assert str(caught.value).count(advice) == len(ids) - 1


def test_a_refusal_of_all_batches_is_reported_once(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """In the message and in the log, though each has a request id of its own."""
    emulator.fault(
        "ExportFlinkJobs", "error", times=None, status=403, code="DLI.0003", message="not allowed to export"
    )
    operator = DliExportFlinkJobsOperator(
        task_id="export", obs_dir=f"{emulator.bucket}/all", job_selected=list(range(100, 120)), batch_size=1
    )
    with pytest.raises(DliFailException, match=r"20 jobs not exported .*\(20 batches\)") as caught:
        operator.execute(TaskInstance().context)
    assert str(caught.value).count("not allowed to export") == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if "NOT EXPORTED" in line]
    assert len(lines) == 20
    assert sum("not allowed to export" in line for line in lines) == 1
    assert "for the reason of batch 1" in lines[-1]
