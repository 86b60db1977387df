"""Every operation of the manual through the hook, sync and async, against the emulator: its effect."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_dli.client import flink
from airflow_provider_dli.exceptions import DliFailException
from airflow_provider_dli.hooks.dli import DliHook
from dli_emulator import Emulator
from tests.operations import ENDPOINTS, OPERATIONS, PAGE, golden, hook_method, page_with

Do = Callable[..., Any]


def by_hook(function: str, *args: Any, **kwargs: Any) -> Any:
    """Call the hook's own method."""
    return getattr(DliHook(), hook_method(function))(*args, **kwargs)


def by_arun(function: str, *args: Any, **kwargs: Any) -> Any:
    """Call without blocking; a list is walked to its end."""

    async def call() -> Any:
        async with DliHook() as hook:
            if function in ("list_jobs", "list_templates"):
                pages: Any = flink.job_pages if function == "list_jobs" else flink.template_pages
                found: list[Any] = []
                walk = pages(kwargs)
                while call := walk.next_call():
                    found += walk.accept(await hook.arun(call))
                return found
            return await hook.arun(getattr(flink, function)(*args, **kwargs))

    return asyncio.run(call())


@pytest.fixture(params=[by_hook, by_arun])
def do(request: pytest.FixtureRequest) -> Do:
    requested: Do = request.param
    return requested


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    return dli_emulator


def status_of(emulator: Emulator, job_id: int) -> str:
    job = emulator.state.job(job_id)
    assert job is not None
    return job.status


def until(emulator: Emulator, job_id: int, status: str) -> None:
    end = time.monotonic() + 120
    while status_of(emulator, job_id) != status:
        assert time.monotonic() < end, status_of(emulator, job_id)
        time.sleep(0.01)


def exported_and_imported(do: Do, emulator: Emulator) -> None:
    (archive,) = do("export_jobs", f"{emulator.bucket}/a", [100, 101]).zip_file
    conflict = do("import_jobs", archive)
    assert [(each.old_job_id, each.new_job_id) for each in conflict.job_mapping] == [(100, None), (101, None)]
    do("delete_job", 100)
    again = do("import_jobs", archive, is_cover=True)
    assert [(each.old_job_id, each.new_job_id) for each in again.job_mapping] == [(100, 126), (101, 101)]
    assert status_of(emulator, 126) == "job_init"


def listed(do: Do, emulator: Emulator) -> None:
    jobs = list(do("list_jobs", user_name="li.na", show_detail=True))
    assert [job.job_id for job in jobs] == [100, 103, 106, 109, 112, 115, 118, 121, 124]
    assert jobs[0].raw["sql_body"] == emulator.state.jobs[100].sql_body


def shown(do: Do, emulator: Emulator) -> None:
    job = do("show_job", 104)
    assert (job.name, job.job_type, job.update_time) == (
        emulator.state.jobs[104].name,
        "flink_jar_job",
        emulator.state.jobs[104].update_time,
    )


def ran(do: Do, emulator: Emulator) -> None:
    assert status_of(emulator, 100) == "job_init"
    assert do("run_jobs", [100], resume_savepoint=True).message.startswith("The request for submitting")
    assert status_of(emulator, 100) == "job_init"
    until(emulator, 100, "job_running")
    assert (emulator.state.jobs[100].runs, emulator.state.jobs[100].resumed) == (1, True)


def stopped(do: Do, emulator: Emulator) -> None:
    assert status_of(emulator, 103) == "job_running"
    do("stop_jobs", [103], trigger_savepoint=True)
    until(emulator, 103, "job_cancel_success")
    assert emulator.state.jobs[103].has_savepoint
    with pytest.raises(DliFailException, match=r"DLI\.15002: The job 103 is in status job_cancel_success"):
        do("stop_jobs", [103])


def deleted(do: Do, emulator: Emulator) -> None:
    do("delete_job", 103)
    assert 103 not in emulator.state.jobs


def deleted_as_a_batch(do: Do, emulator: Emulator) -> None:
    with pytest.raises(DliFailException, match=r"DLI\.17001: The job 9 does not exist"):
        do("delete_jobs", [100, 9])
    do("delete_jobs", [100, 101])
    assert sorted(emulator.state.jobs) == list(range(102, 126))


def sql_job(do: Do, emulator: Emulator) -> None:
    made = do(
        "create_sql_job",
        "new",
        sql_body="insert into a select 1",
        checkpoint_mode="at_least_once",
        tags={"a": "b"},
    )
    assert (made.job_id, made.status_name) == (126, "job_init")
    job = emulator.state.jobs[126]
    assert (job.job_type, job.job_config["checkpoint_mode"]) == ("flink_opensource_sql_job", "at_least_once")
    assert job.tags == {"a": "b"}
    with pytest.raises(DliFailException, match=r"DLI\.0006: .*new already exists"):
        do("create_sql_job", "new")
    assert do("update_sql_job", 126, name="newer", parallel_number=4).update_time == job.update_time
    assert (job.name, job.job_config["parallel_number"]) == ("newer", 4)


def jar_job(do: Do, emulator: Emulator) -> None:
    made = do("create_jar_job", "new", main_class="a.B", dependency_jars=["obs://b/c.jar"])
    job = emulator.state.jobs[made.job_id]
    assert (job.job_type, job.main_class, job.job_config["dependency_jars"]) == (
        "flink_jar_job",
        "a.B",
        ["obs://b/c.jar"],
    )
    do("update_jar_job", made.job_id, main_class="a.C")
    assert job.main_class == "a.C"


def execution_graph(do: Do, emulator: Emulator) -> None:
    graph = do("show_execution_graph", 103)
    assert (graph.name, graph.state, graph.end_time) == (emulator.state.jobs[103].name, "RUNNING", None)
    with pytest.raises(DliFailException, match=r"DLI\.14001"):
        do("show_execution_graph", 100)


def sql_graph(do: Do, emulator: Emulator) -> None:
    del emulator
    assert do("create_sql_job_graph", 100, "insert into a select 1").stream_graph["nodes"]
    with pytest.raises(DliFailException, match=r"HTTP 200 DLI\.0004: There is no INSERT INTO"):
        do("create_sql_job_graph", 100, "select 1")


def savepoint(do: Do, emulator: Emulator) -> None:
    assert do("trigger_savepoint", 103, f"{emulator.bucket}/s").message == "api.msg.deal_savepoint_success"
    assert status_of(emulator, 103) == "job_savepointing"
    until(emulator, 103, "job_running")
    assert emulator.state.jobs[103].savepoint_path == f"{emulator.bucket}/s/"
    with pytest.raises(DliFailException, match=r"DLI\.15002"):
        do("trigger_savepoint", 100)


def imported_savepoint(do: Do, emulator: Emulator) -> None:
    do("import_savepoint", 101, f"{emulator.bucket}/s")
    job = emulator.state.jobs[101]
    assert (job.has_savepoint, job.savepoint_path) == (True, f"obs://{emulator.bucket}/s")


def templates(do: Do, emulator: Emulator) -> None:
    made = do("create_template", "one", sql_body="select 1", tags={"a": "b"})
    other = do("create_template", "two")
    do("update_template", made.template_id, desc="the first")
    assert [(each.name, each.desc, each.sql_body) for each in do("list_templates", name="one")] == [
        ("one", "the first", "select 1")
    ]
    assert do("delete_template", made.template_id) == made.template_id
    assert [each.template_id for each in do("list_templates")] == [other.template_id]
    with pytest.raises(DliFailException, match=r"DLI\.18005"):
        do("delete_template", made.template_id)
    del emulator


STORIES: dict[str, Callable[[Do, Emulator], None]] = {
    "ExportFlinkJobs": exported_and_imported,
    "ImportFlinkJobs": exported_and_imported,
    "ListFlinkJobs": listed,
    "ShowFlinkJob": shown,
    "BatchRunFlinkJobs": ran,
    "BatchStopFlinkJobs": stopped,
    "DeleteFlinkJob": deleted,
    "BatchDeleteFlinkJobs": deleted_as_a_batch,
    "CreateFlinkSqlJob": sql_job,
    "UpdateFlinkSqlJob": sql_job,
    "CreateFlinkJarJob": jar_job,
    "UpdateFlinkJarJob": jar_job,
    "ShowFlinkJobExecutionGraph": execution_graph,
    "CreateFlinkSqlJobGraph": sql_graph,
    "ExecuteFlinkJobSavepoint": savepoint,
    "ImportFlinkJobSavepoint": imported_savepoint,
    "CreateFlinkSqlJobTemplate": templates,
    "UpdateFlinkSqlJobTemplate": templates,
    "DeleteFlinkSqlJobTemplate": templates,
    "ListFlinkSqlJobTemplates": templates,
}


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_operation_takes_effect(operation: str, do: Do, emulator: Emulator) -> None:
    """The state is changed as expected, and refusals have the expected code."""
    STORIES[operation](do, emulator)
    assert operation in {request.operation for request in emulator.requests if request.acted}


@pytest.mark.parametrize("answer", ["each", "one", "object"])
@pytest.mark.parametrize("boolean", [True, False])
def test_the_response_to_a_batch_may_have_any_form(emulator: Emulator, answer: Any, boolean: bool) -> None:
    """An envelope for each id, one for all, and one without an array; none is matched to the ids."""
    settings = emulator.state.settings
    settings.batch_answer, settings.boolean_is_success = answer, boolean
    hook = DliHook()
    hook.run_flink_jobs([101, 110])
    assert (emulator.state.jobs[101].runs, emulator.state.jobs[110].runs) == (1, 1)
    hook.delete_flink_jobs([101, 110])
    assert not {101, 110} & set(emulator.state.jobs)


def test_ids_of_a_mapping_may_be_quoted(emulator: Emulator) -> None:
    """As in the manual's example; and the name of 2020."""
    emulator.state.settings.quoted_ids = emulator.state.settings.names_2020 = True
    hook = DliHook()
    (archive,) = hook.export_flink_jobs(emulator.bucket, [100]).zip_file
    (mapped,) = hook.import_flink_jobs(archive, is_cover=True).job_mapping
    assert mapped == flink.JobMapping(100, 100, "Job successfully updated")


def test_a_method_has_the_docstring_of_its_call() -> None:
    """help() shows parameters, meaning and the manual's page, or its name where the manual has no page of it."""
    for endpoint in ENDPOINTS:
        operation, page = endpoint["operation"], endpoint["doc_id"]
        method = getattr(DliHook, hook_method(golden(operation)["function"]))
        assert (operation if page == "(SDK)" else page) in method.__doc__, operation


def test_the_page_is_made_from_the_code() -> None:
    """The table names every operation, its call and its place on the hook; ``python -m tests.operations``."""
    text = PAGE.read_text(encoding="utf-8")
    assert text == page_with(text)
    assert text.count("`flink.") >= 20
