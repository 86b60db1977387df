"""Compare restored jobs: which pairs can be compared, and what is shown of settings that may hold a secret."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from itertools import count
from typing import Any

import pytest

from airflow_provider_dli.exceptions import DliFailException
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.parameters.types import Restored
from airflow_provider_dli.services.compare import compare_jobs
from dli_emulator import Emulator
from tests.airflow.stores import TaskInstance
from tests.services.two_projects import compare, exported, restore, scratch_jobs, scratch_of, two_projects

AT_HOME: dict[str, Any] = {"dli_conn_id": "dli_default"}
SECRET = "Sup3r-geheim!"
SQL = f"create table a with ('connector' = 'jdbc', 'password' = '{SECRET}');"


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return the emulator with two projects, each with a connection."""
    return two_projects(dli_emulator, monkeypatch)


def twin(emulator: Emulator, **changed: Any) -> int:
    """Create a copy of job 100 in the scratch project, with other settings; return its id."""
    job = emulator.state.jobs[100]
    config = {**job.job_config, **changed.pop("job_config", {})}
    given = {"name": job.name, "queue_name": job.queue_name, "run_mode": job.run_mode, "desc": job.desc}
    project = scratch_of(emulator).project_id
    settings = {**given, "sql_body": job.sql_body, "job_config": config, **changed}
    return emulator.state.add_job(in_project=project, **settings).job_id


def failed(
    emulator: Emulator, number: int, capsys: pytest.CaptureFixture[str], caplog: Any, **given: Any
) -> tuple[list[dict[str, Any]], str]:
    """Compare; return the differences, and everything that was written about them."""
    caplog.set_level(logging.DEBUG)
    instance = TaskInstance()
    with pytest.raises(DliFailException) as caught:
        compare({100: number}, instance, report_dir=f"{emulator.bucket}/reports", **given)
    bucket, _, key = instance.pushed["report_file"].partition("/")
    page = emulator.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    captured = capsys.readouterr()
    log = captured.out + captured.err + caplog.text
    pushed = json.dumps(instance.pushed, ensure_ascii=False)
    return instance.pushed["return_value"][0]["differences"], f"{pushed}{page}{log}{caught.value}"


PLACES: list[dict[str, Any]] = [
    {"sql_body": SQL},
    {"desc": f"ops know {SECRET}"},
    {"entrypoint_args": f"--password {SECRET}"},
    {"job_config": {"runtime_config": json.dumps({"password": SECRET})}},
    {"job_config": {"flink_log_config": SECRET}},
    {"job_config": {"udf_jar_url": f"https://u:{SECRET}@host/udf.jar"}},
    {"job_config": {"dependency_jars": [SECRET]}},
    {"job_config": {"operator_config": json.dumps({"a": SECRET})}},
    {"job_config": {"resource_config": {"taskmanager_resource_spec": {"password": SECRET}}}},
    {"queue_name": SECRET},
    {"run_mode": SECRET},
    {"job_config": {"obs_bucket": SECRET}},
    {"job_config": {"checkpoint_mode": SECRET}},
    {"job_config": {"flink_version": SECRET}},
    {"job_config": {SECRET: "x"}},
    {"job_config": {"something_new": {"deep": [SECRET]}}},
]


@pytest.mark.slow
@pytest.mark.parametrize("changed", PLACES, ids=lambda each: str(next(iter(each.items())))[:40])
def test_secrets_in_settings_are_shown_nowhere(
    emulator: Emulator, changed: dict[str, Any], capsys: pytest.CaptureFixture[str], caplog: Any
) -> None:
    """Neither XCom nor log, message or page; the field is named, with digest and length."""
    ((difference,), written) = failed(emulator, twin(emulator, **changed), capsys, caplog)
    assert SECRET not in written
    assert difference["field"] in written
    assert difference["restored_digest"] in written
    assert difference["restored_length"] > 0
    assert "restored" not in difference


def test_digests_show_whether_two_values_are_equal(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], caplog: Any
) -> None:
    """The beginning of the SHA-256 of the text."""
    ((difference,), _) = failed(emulator, twin(emulator, sql_body=SQL), capsys, caplog)
    source = str(emulator.state.jobs[100].sql_body)
    assert difference == {
        "field": "sql_body",
        "source_digest": sha256(source.encode()).hexdigest()[:12],
        "source_length": len(source),
        "restored_digest": sha256(SQL.encode()).hexdigest()[:12],
        "restored_length": len(SQL),
    }


@pytest.mark.parametrize("given", [True, "True", " true "])
def test_whole_values_are_shown_on_request(
    emulator: Emulator, given: Any, capsys: pytest.CaptureFixture[str], caplog: Any
) -> None:
    """A flag, which may come from a template."""
    ((difference,), written) = failed(emulator, twin(emulator, sql_body=SQL), capsys, caplog, show_values=given)
    assert difference["restored"] == SQL
    assert SECRET in written


def test_values_that_cannot_be_secrets_are_shown(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], caplog: Any
) -> None:
    """Numbers, booleans and the words of the manual; nothing for what is not set."""
    changed = {"cu_number": 7, "restart_when_exception": True, "smn_topic": None}
    emulator.state.jobs[100].job_config["smn_topic"] = "topic"
    number = twin(emulator, run_mode="shared_cluster", job_config=changed)
    differences, written = failed(emulator, number, capsys, caplog)
    shown = {each["field"].rpartition(".")[2]: each["restored"] for each in differences}
    assert shown == {**changed, "run_mode": "shared_cluster"}
    assert "smn_topic is not set and was 5 characters" in written
    assert "cu_number is 7 and was 2" in written


def test_differences_are_found_both_ways(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], caplog: Any
) -> None:
    """What only the source has, and what only the restored job has."""
    emulator.state.jobs[100].job_config["smn_topic"] = "topic"
    number = twin(emulator, job_config={"smn_topic": None, "udf_jar_url": "x.jar"})
    differences, _ = failed(emulator, number, capsys, caplog)
    assert [each["field"] for each in differences] == ["job_config.smn_topic", "job_config.udf_jar_url"]


def test_the_checkpoint_directory_of_a_job_is_not_compared(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], caplog: Any
) -> None:
    """If each contains the id of its own job; the directory of another job is a difference."""
    job = emulator.state.jobs[100]
    job.job_config["checkpoint_path"] = "b/jobs/checkpoint/100"
    number = twin(emulator, job_config={"checkpoint_path": None})
    restored = scratch_of(emulator).jobs[number]
    restored.job_config["checkpoint_path"] = f"b/jobs/checkpoint/{number}_x"
    assert compare({100: number})[0]["equal"]
    restored.job_config["checkpoint_path"] = "b/jobs/checkpoint/100"
    (difference,) = failed(emulator, number, capsys, caplog)[0]
    assert difference["field"] == "job_config.checkpoint_path"
    job.job_config["checkpoint_path"], restored.job_config["checkpoint_path"] = "b/own/100", f"b/own/{number}"
    (difference,) = failed(emulator, number, capsys, caplog)[0]
    assert difference["field"] == "job_config.checkpoint_path"


@pytest.mark.parametrize("case", ["listed", "without settings", "not listed", "denied"])
def test_all_jobs_of_a_project_are_compared_by_few_requests(
    emulator: Emulator, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    """By lists with details; jobs that these do not show, or without settings, alone. Progress is logged."""
    mapping = {job["old_job_id"]: job["new_job_id"] for job in restore(exported(emulator))}
    scratch_jobs(emulator)[mapping[101]].job_config["parallel_number"] = 77
    shown = [job.brief() if case == "without settings" else job.detail() for job in emulator.state.jobs.values()]
    jobs = {"total_count": len(shown) - (case == "not listed"), "jobs": shown[case == "not listed" :]}
    if case in ("without settings", "not listed"):
        emulator.fault("ListFlinkJobs", "reply", body=json.dumps({"is_success": "true", "job_list": jobs}))
    if case == "denied":
        emulator.fault("ListFlinkJobs", "error", status=403, code="APIGW.0302", message="denied")
    before = len(emulator.requests)
    caplog.set_level(logging.INFO)
    pairs = tuple(Restored(old_job_id=old, new_job_id=new) for old, new in mapping.items())
    clock = map(float, count(0, 3)).__next__
    found = compare_jobs(DliHook(), DliHook("dli_scratch"), pairs, logging.getLogger("task"), clock=clock)
    assert [(each.old_job_id, each.new_job_id) for each in found] == list(mapping.items())
    assert [each.old_job_id for each in found if each.problem] == [101]
    requests = Counter(each.operation for each in emulator.requests[before:])
    single = {"listed": 0, "without settings": 26, "not listed": 1, "denied": 26}[case]
    assert requests == Counter(ListFlinkJobs=2, ShowFlinkJob=single)
    assert "Read 4 of 26 source jobs." in caplog.messages


@pytest.mark.parametrize("mapping", [None, "", [], {}, [1], "abc", {"a": "b"}, [{"new_job_id": 1}]])
def test_an_empty_mapping_is_refused(emulator: Emulator, mapping: Any) -> None:
    """Named by its field."""
    with pytest.raises(DliFailException, match=r"^job_mapping: "):
        compare(mapping)
    assert len(emulator.requests) == 0


def test_a_missing_source_or_copy_fails(emulator: Emulator) -> None:
    """Both are named."""
    jobs = restore(exported(emulator, [100, 103]))
    del emulator.state.jobs[100]
    del scratch_jobs(emulator)[jobs[1]["new_job_id"]]
    with pytest.raises(
        DliFailException,
        match=r"2 of 2 jobs .*job 100 : its source no longer exists.* \| job 103 \S+: not restored",
    ):
        compare({job["old_job_id"]: job["new_job_id"] for job in jobs})


def test_an_omitted_job_counts_as_not_restored(emulator: Emulator) -> None:
    """Though a job of its name exists: the source itself, or one from before."""
    archive = exported(emulator, [100, 101])
    at_home = restore(archive, on_conflict="keep", **AT_HOME)
    with pytest.raises(DliFailException, match=r"2 of 2 jobs .*job 100 \S+: not restored \| job 101 \S+: not"):
        compare(at_home, **AT_HOME)
    restore(exported(emulator, [101], "other"))
    with pytest.raises(DliFailException, match=r"1 of 2 jobs .*: job 101 \S+: not restored"):
        compare(restore(archive, on_conflict="keep"))


@pytest.mark.parametrize("how", ["mapping", "cover"])
def test_a_job_cannot_be_compared_with_itself(emulator: Emulator, how: str) -> None:
    """However the mapping came about; the message has advice."""
    mapping: Any = {100: 100}
    if how == "cover":
        mapping = restore(exported(emulator, [100]), is_cover=True, **AT_HOME)
        assert mapping[0]["new_job_id"] == 100
    instance = TaskInstance()
    with pytest.raises(DliFailException, match=r"job 100 \S+: the restored job is the source itself.*Import them"):
        compare(mapping, instance, **AT_HOME)
    assert [(each["equal"], each["new_job_id"]) for each in instance.pushed["return_value"]] == [(False, 100)]


def test_the_same_id_in_another_project_is_another_job(emulator: Emulator) -> None:
    """Ids are compared with the project that they are of."""
    (job,) = restore(exported(emulator, [100]))
    twin = scratch_jobs(emulator).pop(job["new_job_id"])
    twin.job_id = 100
    scratch_jobs(emulator)[100] = twin
    assert compare({100: 100})[0]["equal"]


@pytest.mark.slow
@pytest.mark.parametrize("written", [str, json.dumps, lambda jobs: f"\n{jobs}\n"])
@pytest.mark.parametrize("given", ["output", "mapping"])
def test_the_mapping_may_come_from_a_template(
    emulator: Emulator, written: Callable[[Any], str], given: str
) -> None:
    """As Jinja writes it, or as JSON."""
    jobs = restore(exported(emulator, [100, 103]))
    mapping = {job["old_job_id"]: job["new_job_id"] for job in jobs}
    result = compare(written(jobs if given == "output" else mapping))
    assert [(each["old_job_id"], each["new_job_id"], each["equal"]) for each in result] == [
        (job["old_job_id"], job["new_job_id"], True) for job in jobs
    ]


@pytest.mark.parametrize(
    "text", ["[", "{{ x }}", "{{}}", "100", "[100]", "[{'old_job_id': 1.5}]", "{'100': '20x'}"]
)
def test_an_invalid_string_is_refused(emulator: Emulator, text: str) -> None:
    """It is named; no request is sent."""
    with pytest.raises(DliFailException, match=r"^job_mapping: .*; give the output of the import"):
        compare(text)
    assert len(emulator.requests) == 0


def test_rows_that_are_too_large_for_the_database_are_not_pushed(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: Any
) -> None:
    """Neither by an import nor by a comparison; another XCom backend may keep them."""
    caplog.set_level(logging.INFO)
    for number in range(700):
        emulator.state.add_job(name=f"many_{number}")
    archive = exported(emulator)
    imported, compared = TaskInstance(), TaskInstance()
    assert restore(archive, imported) == []
    assert "return_value" not in imported.pushed
    assert len(imported.pushed["job_ids"]) == 726
    assert "There is no XCom return_value: 726 jobs take" in caplog.text + capsys.readouterr().out
    monkeypatch.setenv(
        "AIRFLOW__CORE__XCOM_BACKEND", "airflow.providers.common.io.xcom.backend.XComObjectStorageBackend"
    )
    rows = restore(archive, imported, on_conflict="keep")
    assert len(rows) == 726
    assert imported.pushed["return_value"] == rows
    monkeypatch.delenv("AIRFLOW__CORE__XCOM_BACKEND")
    assert compare(rows, compared) == []
    assert "return_value" not in compared.pushed
    assert compared.pushed["report"].count("\n| ") <= 202
    assert "526 more jobs." in compared.pushed["report"]
