"""Which jobs are meant: every filter, nothing selected, and many jobs in batches."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.operators.dli import DliExportFlinkJobsOperator, DliListFlinkJobsOperator
from dli_emulator import Emulator
from tests.airflow.stores import TaskInstance


@pytest.fixture
def world(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0, read_timeout=60))
    return dli_emulator


def listed(**filters: Any) -> list[int]:
    operator = DliListFlinkJobsOperator(task_id="list", **filters)
    return [job["job_id"] for job in operator.execute(TaskInstance().context)]


def export(world: Emulator, instance: TaskInstance | None = None, **parameters: Any) -> list[str]:
    given = {"obs_dir": f"{world.bucket}/night", "reconcile_timeout": 0.3, **parameters}
    operator = DliExportFlinkJobsOperator(task_id="export", **given)
    return operator.execute((instance or TaskInstance()).context)


def jobs_in(world: Emulator, archives: list[str]) -> list[int]:
    found = []
    for archive in archives:
        bucket, _, key = archive.partition("/")
        body = world.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        with zipfile.ZipFile(io.BytesIO(body)) as opened:
            found += [int(name.removesuffix(".json")) for name in opened.namelist()]
    return sorted(found)


def asked(world: Emulator, operation: str = "ExportFlinkJobs") -> int:
    return sum(request.operation == operation for request in world.requests)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, list(range(100, 126))),
        ({"name_pattern": "orders_*"}, [100, 109, 118]),
        ({"name_pattern": ["orders_*", "fraud*"]}, [100, 102, 109, 111, 118, 120]),
        ({"name_pattern": "orders_*, fraud*"}, [100, 102, 109, 111, 118, 120]),
        ({"name_pattern": "ORDERS_*", "if_empty": "succeed"}, []),
        ({"job_type": "flink_jar_job", "queue_name": "flink_prod"}, [101, 110, 119]),
        ({"status": "job_running"}, [103, 117]),
        ({"status": ["job_running", "job_init"]}, [100, 103, 114, 117]),
        ({"user_name": "li.na", "exclude": "100, *_dedup*"}, [103, 106, 109, 112, 115, 118, 121, 124]),
        ({"tags": {"team": "risk", "tier": "gold"}}, [108, 120]),
        ({"tags": "team=risk,tier=gold"}, [108, 120]),
        ({"exclude": list(range(101, 126))}, [100]),
        ({"exclude": "*_0?,*_1?"}, [120, 121, 122, 123, 124, 125]),
        ({"changed_since": datetime(2026, 1, 16, 8, 0, 30, tzinfo=UTC)}, [124, 125]),
        ({"changed_since": "2026-01-16T08:00:30Z"}, [124, 125]),
        ({"changed_since": "2026-01-16T09:00"}, [125]),
    ],
)
def test_jobs_are_listed_by_every_filter(world: Emulator, filters: dict[str, Any], expected: list[int]) -> None:
    """Those of the service and our own, oldest first."""
    assert listed(**filters) == expected
    del world


def test_what_is_pushed(world: Emulator) -> None:
    """Jobs, and their ids alone, for an export."""
    instance = TaskInstance()
    operator = DliListFlinkJobsOperator(task_id="list", name_pattern="orders_*_00")
    (job,) = operator.execute(instance.context)
    assert instance.pushed["job_ids"] == [100]
    assert set(job) == {
        "job_id", "name", "job_type", "status", "queue_name", "create_time", "update_time",
    }  # fmt: skip
    del world


def test_a_job_of_which_nobody_knows_when_it_changed_is_meant(world: Emulator) -> None:
    """Rather one too many than one too few."""
    world.state.jobs[100].update_time = None
    world.state.jobs[101].update_time = world.state.jobs[101].create_time = 0
    assert listed(changed_since="2030-01-01") == [101, 100]


def test_a_job_that_never_changed_is_judged_by_when_it_was_made(world: Emulator) -> None:
    """Its time of change is 0; and numbers may come quoted."""
    made: Any = str(int(datetime(2026, 2, 1, tzinfo=UTC).timestamp() * 1000))
    world.state.jobs[100].create_time, world.state.jobs[100].update_time = int(made), 0
    world.state.jobs[101].update_time = made
    assert listed(changed_since="2026-01-31") == [101, 100]
    assert listed(changed_since="2026-02-02", if_empty="succeed") == []


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({"job_type": "sql"}, "job_type"),
        ({"status": "running"}, "status"),
        ({"tags": "team"}, "tags"),
        ({"tags": {"a": "b,c"}}, "tags"),
        ({"tags": ["a"]}, "tags"),
        ({"changed_since": "yesterday"}, "changed_since"),
        ({"changed_since": 5}, "changed_since"),
        ({"name_pattern": 5.5}, "name_pattern"),
        ({"queue_name": [5]}, "queue_name"),
        ({"exclude": {"a": 1}}, "exclude"),
        ({"if_empty": "ignore"}, "if_empty"),
    ],
)
def test_a_wrong_filter_is_refused(world: Emulator, filters: dict[str, Any], field: str) -> None:
    """By its name, before anything is sent."""
    with pytest.raises(DliFailException, match=rf"^{field}: "):
        listed(**filters)
    assert len(world.requests) == 0


@pytest.mark.parametrize("name", ["list", "export"])
def test_nothing_selected(world: Emulator, name: str) -> None:
    """Failure, skip or success, as the author says; never all jobs."""

    def select(if_empty: str) -> Any:
        if name == "list":
            return listed(name_pattern="no*such", if_empty=if_empty)
        return export(world, selection={"name_pattern": "no*such"}, if_empty=if_empty)

    with pytest.raises(DliFailException, match=r"No Flink job is selected by: name_pattern=no\*such"):
        select("fail")
    with pytest.raises(AirflowSkipException, match="No Flink job is selected"):
        select("skip")
    assert select("succeed") == []
    assert asked(world) == 0


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"selection": {"nam": "x"}}, r"^selection\.nam: is unknown; there are name_pattern"),
        ({"selection": "orders"}, r"^selection: 'orders' cannot be read"),
        ({"selection": ["x"]}, r"^selection: \['x'\] is not a mapping"),
        ({"selection": "{['a']: 1}"}, r"^selection: .* cannot be read"),
        ({"selection": "{{'a'}}"}, r"^selection: .* cannot be read"),
        ({"selection": {"status": "running"}}, r"^selection\.status: 'running' is not a status"),
        ({"selection": {"tags": "team"}}, r"^selection\.tags: 'team' cannot be"),
        ({"selection": {}, "job_selected": [1]}, r"^selection: is given together with job_selected"),
        ({"batch_size": 0}, r"^batch_size: 0 is not possible"),
        ({"batch_size": "5.0"}, r"^batch_size: '5.0' is not a whole number"),
        ({"if_empty": None}, r"^if_empty: rendered to nothing"),
    ],
)
def test_a_wrong_parameter_of_the_export(world: Emulator, parameters: dict[str, Any], reason: str) -> None:
    """By its name, before anything is sent."""
    with pytest.raises(DliFailException, match=reason):
        export(world, **parameters)
    assert len(world.requests) == 0


@pytest.mark.parametrize(
    "selection",
    [
        {"name_pattern": ""},
        {"name_pattern": " , ", "queue_name": " "},
        {"name_pattern": None, "status": [], "tags": {}, "exclude": ","},
        '{"name_pattern": "", "changed_since": ""}',
    ],
)
def test_an_untouched_form_is_not_all_jobs(world: Emulator, selection: Any) -> None:
    """A selection whose every filter is empty is refused; all jobs are meant by one without a filter."""
    with pytest.raises(DliFailException, match=r"^selection: has nothing in name_pattern.*selection=\{\}"):
        export(world, selection=selection)
    assert len(world.requests) == 0


def test_a_selection_that_rendered_to_none_is_not_all_jobs(world: Emulator) -> None:
    """A template or XCom that gave nothing must not export everything."""
    operator = DliExportFlinkJobsOperator(task_id="export", obs_dir=world.bucket, selection="{{ nothing }}")
    operator.selection = None  # what native rendering of an unset value leaves
    with pytest.raises(DliFailException, match=r"^selection: was given and is None"):
        operator.execute({})
    assert len(world.requests) == 0


@pytest.mark.parametrize("blank", ["", " ", None])
def test_a_filter_that_is_blank_filters_nothing(world: Emulator, blank: str | None) -> None:
    """An empty field of a form beside one that is filled in."""
    archives = export(world, selection={"queue_name": "flink_prod", "user_name": blank, "name_pattern": blank})
    assert jobs_in(world, archives) == listed(queue_name="flink_prod", user_name=blank)


@pytest.mark.parametrize(
    "selection", [{"queue_name": "flink_prod"}, "{'queue_name': 'flink_prod'}", '{"queue_name": "flink_prod"}']
)
def test_a_selection_is_exported(world: Emulator, selection: Any) -> None:
    """As a mapping, and as a template or a form writes one."""
    archives = export(world, selection=selection)
    assert jobs_in(world, archives) == listed(queue_name="flink_prod")


def test_a_list_that_ends_early_exports_nothing(world: Emulator) -> None:
    """Some of the jobs are not all of them; a retry may help."""
    world.fault("ListFlinkJobs", "reply", times=None, body={
        "is_success": "true", "job_list": {"total_count": 26, "jobs": []},
    })  # fmt: skip
    with pytest.raises(DliException, match=r"ListFlinkJobs: HTTP 200: the list of 26 ended at 0\.") as caught:
        export(world, selection={"name_pattern": "*"}, if_empty="skip")
    assert not isinstance(caught.value, AirflowFailException)
    assert asked(world) == 0


def test_batches(world: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Each in a directory of its own, with a line for each, and what is left."""
    instance = TaskInstance()
    archives = export(world, instance, selection={}, batch_size=10)
    assert [archive.split("/")[2] for archive in archives] == ["batch-0001", "batch-0002", "batch-0003"]
    assert jobs_in(world, archives) == list(range(100, 126))
    assert [len(batch["job_ids"]) for batch in instance.pushed["batches"]] == [10, 10, 6]
    assert instance.pushed["failed"] == []
    assert instance.store.left("dli_export") == {"generation", "superseded"}
    told = capsys.readouterr().out
    assert "Batch 3 of 3: 6 jobs -> obs-test/night/batch-0003/aggregate_" in told
    assert "20 of 26 jobs done in" in told
    assert "id   name" in told


def test_a_batch_that_fails_does_not_stop_the_others(world: Emulator) -> None:
    """What succeeded is kept, what did not is named, in XCom both; a retry asks only for that."""
    instance = TaskInstance()
    world.fault("ExportFlinkJobs", "slow", times=1, before=0)
    world.fault("ExportFlinkJobs", "throttled", times=1, retry_after=0)
    with pytest.raises(DliException, match=r"10 jobs not exported to .*: jobs 110, 111.*HTTP 429") as caught:
        export(world, instance, selection={}, batch_size=10)
    assert not isinstance(caught.value, AirflowFailException)
    assert len(instance.pushed["zip_file"]) == 2
    assert instance.pushed["failed"] == list(range(110, 120))
    before = asked(world)
    world.state.add_job(name="made since")
    archives = export(world, instance, selection={}, batch_size=10)
    assert asked(world) - before == 1
    assert jobs_in(world, archives) == list(range(100, 126))
    assert instance.store.left("dli_export") == {"generation", "superseded"}


def test_what_succeeded_may_be_enough(world: Emulator) -> None:
    """Where the author says so; the XCom names what is missing."""
    instance = TaskInstance()
    world.fault("ExportFlinkJobs", "error", code="DLI.0999")
    archives = export(world, instance, job_selected="100,101,102", batch_size=1, allow_partial=True)
    assert jobs_in(world, archives) == [101, 102]
    assert instance.pushed["failed"] == [100]
    world.fault("ExportFlinkJobs", "error", times=None, code="DLI.0001")
    with pytest.raises(DliFailException, match=r"2 jobs not exported"):
        export(world, job_selected="100,101", batch_size=1, allow_partial=True)


def test_a_job_that_was_deleted_meanwhile_is_left_out_and_named(world: Emulator) -> None:
    """The others of its batch are exported all the same."""
    instance = TaskInstance()
    with pytest.raises(DliFailException, match=r"1 job not exported .*: jobs 99: the project has no job 99"):
        export(world, instance, job_selected=[100, 99, 101, 102], batch_size=3)
    assert jobs_in(world, instance.pushed["zip_file"]) == [100, 101, 102]
    assert instance.pushed["failed"] == [99]


def test_a_refused_identity_ends_it_at_once(world: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batch after batch would lock the key."""
    connection = json.loads(world.airflow_conn) | {"password": "wrong"}
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", json.dumps(connection))
    with pytest.raises(DliFailException, match=r"ListObjects: HTTP 403 SignatureDoesNotMatch"):
        export(world, job_selected=[100, 101, 102], batch_size=1)
    assert len(world.requests) == 0


@pytest.mark.parametrize("code", ["DLI.0003", "DLI.0011"])
def test_a_right_that_is_missing_on_one_job_does_not_stop_the_others(world: Emulator, code: str) -> None:
    """EXPORT is a privilege of single jobs too."""
    instance = TaskInstance()
    world.fault("ExportFlinkJobs", "slow", before=0)
    world.fault("ExportFlinkJobs", "error", status=403, code=code, message="no EXPORT on jobs.flink.102")
    told = r"2 jobs not exported .*: jobs 102, 103: .*jobs\.flink\.102.*[a-z]\. What succeeded"
    with pytest.raises(DliFailException, match=told):
        export(world, instance, job_selected=range(100, 106), batch_size=2)
    assert jobs_in(world, instance.pushed["zip_file"]) == [100, 101, 104, 105]
    assert instance.pushed["failed"] == [102, 103]


@pytest.mark.parametrize(("status", "code"), [(401, "APIGW.0301"), (403, "APIGW.0302")])
@pytest.mark.parametrize("allow_partial", [True, False])
def test_what_is_not_asked_for_is_named(
    world: Emulator, capsys: pytest.CaptureFixture[str], status: int, code: str, allow_partial: bool
) -> None:
    """After a refusal that holds for all batches; in the XCom, and in the message or the log."""
    instance = TaskInstance()
    world.fault("ExportFlinkJobs", "slow", before=0)
    world.fault("ExportFlinkJobs", "error", status=status, code=code)
    parameters: dict[str, Any] = {"job_selected": range(100, 106), "batch_size": 2}
    told = ""
    if allow_partial:
        archives = export(world, instance, allow_partial=True, **parameters)
        assert jobs_in(world, archives) == [100, 101]
        told = capsys.readouterr().out
    else:
        with pytest.raises(DliFailException, match=rf"4 jobs not exported .*: jobs 102, 103: .*{code}") as caught:
            export(world, instance, **parameters)
        told = str(caught.value)
    assert "jobs 104, 105: not requested: it would be refused as batch 2 was" in told
    assert instance.pushed["failed"] == [102, 103, 104, 105]
    assert [batch["job_ids"] for batch in instance.pushed["batches"]] == [[100, 101], [102, 103], [104, 105]]
    assert asked(world) == 2


def test_after_a_refusal_that_holds_for_all_what_an_earlier_try_exported_is_kept(world: Emulator) -> None:
    """Only what is missing is named as missing."""
    instance = TaskInstance()
    world.fault("ExportFlinkJobs", "throttled", retry_after=0)
    with pytest.raises(DliException):
        export(world, instance, job_selected=[100, 101, 102], batch_size=1)
    kept = instance.pushed["zip_file"]
    world.fault("ExportFlinkJobs", "error", status=403, code="APIGW.0302")
    with pytest.raises(DliFailException, match=r"1 job not exported"):
        export(world, instance, job_selected=[100, 101, 102], batch_size=1)
    assert (instance.pushed["zip_file"], instance.pushed["failed"]) == (kept, [100])


def test_a_refused_batch_whose_jobs_cannot_be_looked_up(world: Emulator) -> None:
    """Its own refusal is told, and what succeeded is kept."""
    instance = TaskInstance()
    world.fault("ListFlinkJobs", "error", status=403, code="APIGW.0302", message="may not list", times=None)
    with pytest.raises(DliFailException, match=r"2 jobs not exported .*: jobs 99, 100: .*DLI\.16001: .*99"):
        export(world, instance, job_selected=[101, 102, 99, 100, 103, 104], batch_size=2)
    assert jobs_in(world, instance.pushed["zip_file"]) == [101, 102, 103, 104]
    assert instance.pushed["failed"] == [99, 100]


def test_an_archive_of_an_earlier_try_that_cannot_be_looked_up(
    world: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its batch has failed; the others go on, and are told of."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", world.connection("temporary", retry_budget=0))
    instance = TaskInstance()
    world.fault("ExportFlinkJobs", "slow", before=0)
    world.fault("ExportFlinkJobs", "throttled", retry_after=0)
    with pytest.raises(DliException):
        export(world, instance, job_selected=[100, 101], batch_size=1)
    world.fault("HeadObject", "error", status=403, code="AccessDenied", times=None)
    with pytest.raises(DliFailException, match=r"1 job not exported .*: jobs 100: HeadObject: HTTP 403"):
        export(world, instance, job_selected=[100, 101], batch_size=1)
    assert jobs_in(world, instance.pushed["zip_file"]) == [101]
    assert instance.pushed["failed"] == [100]


def test_a_lost_response_where_the_directory_could_not_be_listed(
    world: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown stays unknown: no archive can be told from those that were there, and nothing is sent again."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", world.connection("temporary", retry_budget=0))
    world.fault("ExportFlinkJobs", "error", code="DLI.0019")
    world.fault("ListObjects", "error", status=403, code="AccessDenied")
    instance = TaskInstance()
    with pytest.raises(DliFailException, match=r"is unknown.*could not be listed before .*allow the connection"):
        export(world, instance, job_selected=[100, 101])
    assert asked(world) == 1


def test_archives_of_an_earlier_try_that_are_gone_are_made_anew(world: Emulator) -> None:
    """Kept is only what is there."""
    instance = TaskInstance()
    world.fault("ExportFlinkJobs", "throttled", times=1, retry_after=0)
    with pytest.raises(DliException):
        export(world, instance, job_selected=[100, 101], batch_size=1)
    (archive,) = instance.pushed["zip_file"]
    bucket, _, key = archive.partition("/")
    world.s3.delete_object(Bucket=bucket, Key=key)
    assert jobs_in(world, export(world, instance, job_selected=[100, 101], batch_size=1)) == [100, 101]


def test_what_is_a_day_old_is_not_gone_on_with(world: Emulator) -> None:
    """Whoever clears the task later wants the jobs as they are then."""
    instance = TaskInstance()
    world.fault("ExportFlinkJobs", "throttled", times=1, retry_after=0)
    with pytest.raises(DliException):
        export(world, instance, job_selected=[100, 101], batch_size=1)
    kept = instance.store.get("dli_export") | {"since": "2026-01-01T00:00:00+00:00"}
    instance.store.set("dli_export", kept)
    before = asked(world)
    export(world, instance, job_selected=[100, 101], batch_size=1)
    assert asked(world) - before == 2


def test_a_thousand_jobs_with_a_fault_in_every_tenth_call(world: Emulator) -> None:
    """Answers lost before and after the service acts, 502 and 429: in the store is what was asked for."""
    for number in range(1000):
        world.state.add_job(name=f"many_{number:04d}")
    kinds = ["cut_after", "throttled", "cut_before", "html"]
    for number in range(40):
        world.fault("ExportFlinkJobs", "slow", times=9, before=0)
        parameters = {"retry_after": 0} if kinds[number % 4] == "throttled" else {}
        world.fault("ExportFlinkJobs", kinds[number % 4], times=1, **parameters)
    instance = TaskInstance()
    archives: list[str] = []
    for _ in range(5):
        try:
            archives = export(world, instance, selection={"name_pattern": "many_*"}, batch_size=20)
            break
        except DliException:
            assert instance.pushed["failed"]
    assert len(archives) == 50
    assert jobs_in(world, archives) == [job.job_id for job in world.state.jobs.values() if "many" in job.name]
