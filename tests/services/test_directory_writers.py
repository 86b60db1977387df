"""Several writers of one directory: none returns the archive of another, and what is not certain is reported."""

from __future__ import annotations

import io
import logging
import threading
import time
import zipfile
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_dli.client.errors import ResponseLostError
from airflow_provider_dli.client.locations import ObsLocation, parse_directory
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.operators.dli import DliExportFlinkJobsOperator
from airflow_provider_dli.parameters.models import ExportParameters
from airflow_provider_dli.services.export import export_jobs, prepare
from airflow_provider_dli.services.export_recovery import ExportRecovery, is_exclusive
from airflow_provider_dli.services.export_requests import ExportRequests
from airflow_provider_dli.task_state import RequestLog
from dli_emulator import Emulator
from tests.airflow.stores import TaskInstance
from tests.zipped import zipped

pytestmark = pytest.mark.slow

RUN = "manual__2026-01-15T08:00:00.123456+00:00"
PATH = RUN.replace(":", "").replace("+", "_")


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0, read_timeout=2))
    return dli_emulator


class Task:
    """A task instance, as Airflow's context shows it: of a run, perhaps mapped, perhaps with a sibling."""

    def __init__(self, task_id: str = "export", *, map_index: int = -1, run_id: str = RUN, runs: int = 1) -> None:
        self.task_id = task_id
        instance: Any = TaskInstance()
        instance.task_id, instance.map_index, instance.try_number = task_id, map_index, 1
        instance.get_dr_count = lambda **_: runs
        self.instance = instance
        self.siblings = [task_id]
        self.run_id = run_id

    def run(self, obs_dir: str, **parameters: Any) -> list[str]:
        given = {"reconcile_timeout": 0.5, **parameters}
        if "job_selected" in given and given["job_selected"] is None:
            del given["job_selected"]  # all of the project
        operators = [DliExportFlinkJobsOperator(task_id=name, obs_dir=obs_dir, **given) for name in self.siblings]
        dag = SimpleNamespace(dag_id="backup", tasks=operators, max_active_runs=16)
        context: Any = {**self.instance.context, "run_id": self.run_id, "dag": dag}
        return operators[0].execute(context)

    @property
    def extra(self) -> list[str]:
        found: list[str] = self.instance.pushed.get("extra_archives", [])
        return found


def archives(emulator: Emulator, prefix: str = "") -> list[str]:
    found = emulator.s3.list_objects_v2(Bucket=emulator.bucket, Prefix=prefix).get("Contents", [])
    return [f"{emulator.bucket}/{each['Key']}" for each in found]


def requests(emulator: Emulator) -> int:
    return sum(request.operation == "ExportFlinkJobs" for request in emulator.requests)


@pytest.mark.parametrize(
    ("first", "second"), [([100], [101]), ([100], [100]), (None, None), ([100], None), (None, [100])]
)
def test_writers_one_after_the_other(emulator: Emulator, first: Any, second: Any) -> None:
    """The first's archive was there before the second's request, which is cut before the service acts."""
    (theirs,) = Task("first").run(f"{emulator.bucket}/shared", job_selected=first)
    emulator.fault("ExportFlinkJobs", "cut_before")
    (ours,) = Task("second").run(f"{emulator.bucket}/shared", job_selected=second)
    assert ours != theirs
    assert len(archives(emulator)) == 2


def meanwhile(emulator: Emulator, job_ids: list[int] | None, directory: str = "shared") -> threading.Thread:
    """Have another writer export into the same directory while a request is in progress."""

    def export() -> None:
        while not requests(emulator):
            time.sleep(0.01)
        DliHook().export_flink_jobs(f"{emulator.bucket}/{directory}", job_ids)

    other = threading.Thread(target=export)
    other.start()
    return other


@pytest.mark.parametrize("theirs", [[101], [100, 101], None])
def test_another_writer_of_other_jobs_at_the_same_time(emulator: Emulator, theirs: list[int] | None) -> None:
    """Its archive holds other jobs: the request is sent again."""
    emulator.fault("ExportFlinkJobs", "cut_before")
    other = meanwhile(emulator, theirs)
    (ours,) = Task().run(f"{emulator.bucket}/shared", job_selected=[100], reconcile_timeout=1)
    other.join()
    with zipfile.ZipFile(io.BytesIO(emulator.s3.get_object(
        Bucket=emulator.bucket, Key=ours.partition("/")[2])["Body"].read()
    )) as opened:  # fmt: skip
        assert opened.namelist() == ["100.json"]
    assert len(archives(emulator)) == 2


@pytest.mark.parametrize("layout", ["one_json", "properties", "nested", "gbk"])
def test_the_jobs_of_an_archive_are_read_in_each_layout(
    emulator: Emulator, layout: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where others may write: its own archive is used, and one of other jobs ignored."""
    emulator.state.settings.layout = layout
    emulator.fault("ExportFlinkJobs", "cut_before")
    other = meanwhile(emulator, [100, 101, 102])
    emulator.fault("ExportFlinkJobs", "slow", before=0)
    emulator.fault("ExportFlinkJobs", "cut_after")
    (ours,) = Task().run(f"{emulator.bucket}/shared", job_selected=[100, 101], reconcile_timeout=1)
    other.join()
    assert (len(archives(emulator)), requests(emulator)) == (2, 3)
    log = capsys.readouterr().out
    assert "it is new, and holds other jobs than were requested" in log
    assert f"Recovered {ours}" in log


def test_all_jobs_are_those_that_were_listed_before_the_request(emulator: Emulator) -> None:
    """They are listed once by each attempt; the next one has the list of the one before."""
    place, task = f"{emulator.bucket}/shared", Task()
    requested = ExportRequests(RequestLog(task.instance.context, "dli_export"))
    requested.begin(parse_directory("obs_dir", place), None, [], range(100, 126))
    ours = DliHook().export_flink_jobs(place).zip_file
    emulator.state.add_job(name="made since")
    assert task.run(place, job_selected=None) == list(ours)
    emulator.fault("ExportFlinkJobs", "cut_after")
    task.run(f"{place}/again", job_selected=None)
    assert [request.operation for request in emulator.requests] == [
        "ExportFlinkJobs", "ListFlinkJobs", "ListFlinkJobs", "ExportFlinkJobs",
    ]  # fmt: skip


@pytest.mark.parametrize("jobs", [[100], None])
@pytest.mark.parametrize("writers", ["mapped", "tasks", "runs"])
def test_another_writer_of_the_same_jobs_at_the_same_time(emulator: Emulator, jobs: Any, writers: str) -> None:
    """Nothing shows whose the one archive is: the task fails, names it, and sends nothing again."""
    task = {
        "mapped": Task(map_index=1),
        "tasks": Task(),
        "runs": Task(runs=2),
    }[writers]
    task.siblings += ["other"] if writers == "tasks" else []
    directory = f"{emulator.bucket}/shared"
    emulator.fault("ExportFlinkJobs", "cut_before")
    other = meanwhile(emulator, jobs)
    with pytest.raises(
        DliFailException, match=r"outcome of an export .* is unknown.*directory of its own"
    ) as caught:
        task.run(directory, job_selected=jobs, reconcile_timeout=2)
    other.join()
    (theirs,) = archives(emulator)
    assert theirs in str(caught.value)
    assert requests(emulator) == 2  # of each writer one
    # Reported is reported: whoever clears the task gets a new export.
    assert task.run(directory, job_selected=jobs) != [theirs]


@pytest.mark.parametrize("content", [b"", b"no archive", "empty"])
def test_an_archive_that_cannot_be_read_is_not_used(emulator: Emulator, content: Any) -> None:
    """In a directory that others may write to: the task fails and names it."""
    if content == "empty":
        content = zipped({})
    directory = f"{emulator.bucket}/shared"
    emulator.fault("ExportFlinkJobs", "cut_before")

    def write() -> None:
        while not requests(emulator):
            time.sleep(0.01)
        emulator.s3.put_object(Bucket=emulator.bucket, Key="shared/foreign.zip", Body=content)

    other = threading.Thread(target=write)
    other.start()
    with pytest.raises(DliFailException, match=r"is unknown.*shared/foreign\.zip"):
        Task().run(directory, reconcile_timeout=2)
    other.join()
    assert requests(emulator) == 1


@pytest.mark.parametrize("layout", ["unreadable", "numbers", "other names"])
def test_in_an_exclusive_directory_the_content_need_not_be_known(emulator: Emulator, layout: str) -> None:
    """The layout of DLI's archives is not documented; nobody else writes there."""
    names = "{}.json" if layout == "numbers" else "job-{}.txt"
    body = b"not a ZIP" if layout == "unreadable" else zipped({names.format(number): "{}" for number in range(2)})
    directory = f"flink/{PATH}/export"
    emulator.fault("ExportFlinkJobs", "cut_before")

    def write() -> None:
        while not requests(emulator):
            time.sleep(0.01)
        emulator.s3.put_object(Bucket=emulator.bucket, Key=f"{directory}/a.zip", Body=body)

    service = threading.Thread(target=write)
    service.start()
    task = Task()
    assert task.run(f"{emulator.bucket}/{directory}", reconcile_timeout=3) == [
        f"{emulator.bucket}/{directory}/a.zip"
    ]
    service.join()
    assert (requests(emulator), task.extra) == (1, [])


def test_an_archive_that_appears_after_the_reconciliation_is_extra(emulator: Emulator) -> None:
    """The next request made one, too: the log and the XCom name the other."""
    emulator.fault("ExportFlinkJobs", "slow", before=2.6)
    emulator.fault("ExportFlinkJobs", "slow", before=1.5)
    task = Task()
    (returned,) = task.run(f"{emulator.bucket}/flink/{PATH}/export", reconcile_timeout=0.2)
    assert set(archives(emulator)) - {returned} == set(task.extra)
    assert len(task.extra) == 1


@pytest.mark.parametrize(
    "order", [[100, 101, 102], [102, 100, 101], {102, 101, 100}, "102,101,100", ["101", 100, "102"]]
)
def test_ids_are_sorted(emulator: Emulator, order: Any) -> None:
    """Whatever order an attempt is given, it finds the request of the one before."""
    task = Task()
    directory = f"{emulator.bucket}/flink"
    emulator.fault("ExportFlinkJobs", "error", code="DLI.0019", acts=False)
    with pytest.raises(DliException):
        task.run(directory, job_selected=[100, 101, 102], reconcile_timeout=0)
    made = DliHook().export_flink_jobs(directory, [101, 100, 102]).zip_file
    assert task.run(directory, job_selected=order) == list(made)
    assert requests(emulator) == 2


@pytest.mark.parametrize("named_archive", ["old", "foreign"])
def test_a_response_that_names_another_archive(emulator: Emulator, named_archive: str) -> None:
    """One that was there before, or in another directory: the outcome is unknown, and the archive is found."""
    (old,) = Task("before").run(f"{emulator.bucket}/shared")
    named = old if named_archive == "old" else f"{emulator.bucket}/night1/a.zip"
    emulator.fault("ExportFlinkJobs", "reply", acts=True, body={"is_success": "true", "zip_file": [named]})
    (ours,) = Task().run(f"{emulator.bucket}/shared")
    assert ours not in (old, named)
    emulator.fault("ExportFlinkJobs", "reply", body={"is_success": "true", "zip_file": [named]})
    with pytest.raises(DliFailException, match=r"names what was there before|HTTP 200"):
        Task().run(f"{emulator.bucket}/shared")
    assert len(archives(emulator)) == 2


def test_a_response_that_names_an_archive_in_a_directory_below(emulator: Emulator) -> None:
    """The listing before the request has none of those: one that OBS wrote before it is not of this request."""
    directory = f"{emulator.bucket}/night"
    (old,) = DliHook().export_flink_jobs(f"{directory}/sub", [102]).zip_file
    response = {"is_success": "true", "zip_file": [old]}
    time.sleep(2)  # OBS writes whole seconds
    emulator.fault("ExportFlinkJobs", "reply", acts=True, body=response)
    (ours,) = Task().run(directory, job_selected=[100, 101])
    assert ours in set(archives(emulator, "night/")) - {old}
    emulator.fault("ExportFlinkJobs", "reply", body=response)
    with pytest.raises(DliFailException, match=f"names what was there before the request: {old}"):
        Task().run(directory, job_selected=[100, 101])


def test_dli_may_write_into_a_directory_below(emulator: Emulator) -> None:
    """That it never does is not established: OBS has written the archive since the listing."""
    directory = f"{emulator.bucket}/night"
    context: Any = {}
    recovery = ExportRecovery(
        ObsHook(), ExportRequests(RequestLog(context, "dli_export")), context, 0, logging.getLogger()
    )
    names, listed = recovery.list_before(parse_directory("obs_dir", directory)) or (None, None)
    request = recovery.requests.begin(parse_directory("obs_dir", directory), (100,), names)
    made = DliHook().export_flink_jobs(f"{directory}/sub", [100]).zip_file
    assert names == []
    assert listed
    assert recovery.older_archives(request, made, listed) == []
    assert recovery.older_archives(request, made, listed + timedelta(minutes=1)) == list(made)
    assert recovery.older_archives(request, made, None) == []


def test_when_an_archive_below_was_written_may_not_be_known(emulator: Emulator) -> None:
    """The task fails and names it; the request is not sent again, for its response is there."""
    directory = f"{emulator.bucket}/night"
    named = f"{directory}/sub/a.zip"
    emulator.fault("ExportFlinkJobs", "reply", body={"is_success": "true", "zip_file": [named]})

    class Obs(ObsHook):
        def list_directory(self, place: Any) -> Any:
            if str(place).endswith("/sub"):
                raise DliException("ListObjects: HTTP 503") from ResponseLostError("ListObjects", "obs", "timeout")
            return super().list_directory(place)

    operator = DliExportFlinkJobsOperator(
        task_id="export", obs_dir=directory, job_selected=[100], reconcile_timeout=0
    )
    options, dli, _ = prepare(operator, ExportParameters)
    result = export_jobs(options, dli, Obs(), {}, logging.getLogger())
    (batch,) = result.batches
    assert batch.error
    assert f"whether {named} was there before the request is not known: ListObjects: HTTP 503" in batch.error
    assert requests(emulator) == 1


def test_all_jobs_may_have_changed_since_they_were_exported(emulator: Emulator) -> None:
    """In a directory of its own, a new archive is that of the request, whatever jobs it holds now."""
    directory = f"{emulator.bucket}/{PATH}/export"
    emulator.fault("ExportFlinkJobs", "cut_before")
    other = meanwhile(emulator, [100], f"{PATH}/export")
    (ours,) = Task().run(directory, job_selected=None, reconcile_timeout=3)
    other.join()
    assert archives(emulator) == [ours]


def send_late(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, task: Task, directory: str) -> None:
    """Run an attempt that loses three responses; DLI acts on the requests later, as one that was frozen does."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", emulator.connection(retry_budget=0, read_timeout=1))
    for before in (5.5, 4, 2.5):
        emulator.fault("ExportFlinkJobs", "slow", before=before)
    with pytest.raises(DliException, match="lost the response"):
        task.run(directory, job_selected=[100])
    deadline = time.monotonic() + 10
    while len(archives(emulator)) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_late_archives_of_several_requests(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody else writes, the next attempt returns one of them, and names the others."""
    task, directory = Task(), f"{emulator.bucket}/{PATH}/export"
    send_late(emulator, monkeypatch, task, directory)
    (ours,) = task.run(directory, job_selected=[100])
    assert sorted([ours, *task.extra]) == archives(emulator)
    assert requests(emulator) == 3


def test_more_late_archives_than_requests(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else does write there: which is whose is not certain, and all are named."""
    task, directory = Task(), f"{emulator.bucket}/{PATH}/export"
    send_late(emulator, monkeypatch, task, directory)
    DliHook().export_flink_jobs(directory, [100])
    with pytest.raises(DliFailException, match="several archives appeared") as caught:
        task.run(directory, job_selected=[100])
    assert all(archive in str(caught.value) for archive in archives(emulator))


@pytest.mark.parametrize("directory", ["shared", f"{PATH}/export"])
def test_a_key_that_may_not_list_jobs_finds_its_archive(emulator: Emulator, directory: str) -> None:
    """In a directory of its own; elsewhere its archive is named as uncertain."""
    emulator.fault("ListFlinkJobs", "error", status=403, code="DLI.0003", times=None)
    emulator.fault("ExportFlinkJobs", "cut_after")
    task = Task()
    if directory == "shared":
        with pytest.raises(DliFailException, match=r"an archive appeared there since, of which it is not certain"):
            task.run(f"{emulator.bucket}/{directory}", job_selected=None, reconcile_timeout=3)
    else:
        (ours,) = task.run(f"{emulator.bucket}/{directory}", job_selected=None, reconcile_timeout=3)
        assert archives(emulator) == [ours]
    assert requests(emulator) == 1


def test_a_corrected_selection_is_evaluated_again(emulator: Emulator) -> None:
    """The next attempt continues with the jobs that were selected only if it selects by the same."""
    task = Task()
    emulator.fault("ExportFlinkJobs", "throttled", retry_after=0)
    with pytest.raises(DliException):
        task.run(f"{emulator.bucket}/flink", selection={"queue_name": "flink_prod"})
    task.run(f"{emulator.bucket}/flink", selection={"queue_name": "flink_test"})
    wanted = sorted(job.job_id for job in emulator.state.jobs.values() if job.queue_name == "flink_test")
    assert task.instance.pushed["selected_job_ids"] == wanted


def test_a_selected_job_that_was_deleted_since(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """The others are exported, it is reported, and the task succeeds: it is no longer what is selected."""
    task = Task()
    emulator.fault("ExportFlinkJobs", "throttled", retry_after=0)
    with pytest.raises(DliException):
        task.run(f"{emulator.bucket}/flink", selection={"queue_name": "flink_prod"})
    gone = min(job.job_id for job in emulator.state.jobs.values() if job.queue_name == "flink_prod")
    del emulator.state.jobs[gone]
    assert len(task.run(f"{emulator.bucket}/flink", selection={"queue_name": "flink_prod"})) == 1
    assert (task.instance.pushed["vanished"], task.instance.pushed["failed"]) == ([gone], [gone])
    assert f"Selected, and deleted since: this key sees no job {gone}" in capsys.readouterr().out


def test_all_selected_jobs_were_deleted_since(emulator: Emulator) -> None:
    """Nothing is selected any more: ``if_empty`` applies."""
    task = Task()
    emulator.fault("ExportFlinkJobs", "throttled", retry_after=0)
    parameters: dict[str, Any] = {"selection": {}, "if_empty": "succeed"}
    with pytest.raises(DliException):
        task.run(f"{emulator.bucket}/flink", **parameters)
    emulator.state.jobs.clear()
    assert task.run(f"{emulator.bucket}/flink", **parameters) == []


def context_of(*, run_id: str | None = RUN, map_index: int = -1) -> dict[str, Any]:
    """Return the context of a task ``export``."""
    return {"run_id": run_id, "ti": SimpleNamespace(task_id="export", map_index=map_index)}


@pytest.mark.parametrize(
    ("path", "exclusive"),
    [
        (f"flink/{PATH}/export", True),
        (f"flink/{PATH}/export/batch-0001", True),
        (f"flink/{RUN}/export", True),
        (f"export/{PATH}", False),
        (f"{PATH}_export", True),
        (f"export-{PATH}", True),
        (f"flink/{PATH}/the_export", False),
        (f"flink/{PATH}/export_all", False),
        (f"flink/{PATH}/my-export-of-jobs", False),
        (f"flink/old {PATH}/export", False),
        (f"flink/{PATH}", False),
        ("flink/export", False),
        (f"flink/{PATH}x/export", False),
        (f"flink/{PATH}/export2", False),
        ("", False),
    ],
)
def test_a_directory_named_after_run_and_task_is_exclusive(path: str, exclusive: bool) -> None:
    """Its path names the run and the task, in a form that a path may have."""
    assert is_exclusive(ObsLocation("obs-test", path), context_of()) == exclusive


@pytest.mark.parametrize(
    ("path", "exclusive"),
    [
        (f"{PATH}/export/3", True),
        (f"{PATH}/export/0003", True),
        (f"{PATH}/export-3", True),
        (f"{PATH}_3/export", True),
        (f"{PATH}/export/map3", True),
        (f"{PATH}/export/13", False),
        (f"v3/{PATH}/export", False),
        (f"{PATH}/export/2026-01-3", False),
        (f"{PATH}/export/batch-0003", False),
        (f"{PATH}/export", False),
    ],
)
def test_a_directory_of_a_mapped_task_is_exclusive_with_the_map_index(path: str, exclusive: bool) -> None:
    """Its path names the map index, too: no part of a date, and no batch."""
    assert is_exclusive(ObsLocation("obs-test", f"flink/{path}"), context_of(map_index=3)) == exclusive


@pytest.mark.parametrize(
    ("task_id", "other", "directory"),
    [
        ("orders", "orders_all", "{run}/orders_all"),
        ("orders_all", "orders", "{run}/orders_all"),
        ("flink", "flink2", "a8/flink/{run}"),
        ("flink", "flink2", "{run}/flink"),
    ],
)
def test_another_task_with_the_same_directory(
    emulator: Emulator, task_id: str, other: str, directory: str
) -> None:
    """Its archive is not returned, whatever words the path has: the task fails and names it."""
    directory = f"{emulator.bucket}/{directory.format(run=PATH)}"
    task = Task(task_id)
    task.siblings.append(other)
    emulator.fault("ExportFlinkJobs", "cut_before")

    def export() -> None:
        while not requests(emulator):
            time.sleep(0.01)
        DliHook().export_flink_jobs(directory)

    rival = threading.Thread(target=export)
    rival.start()
    with pytest.raises(DliFailException, match=r"outcome of an export .* is unknown"):
        task.run(directory, reconcile_timeout=3)
    rival.join()


@pytest.mark.parametrize(
    ("theirs", "exclusive"),
    [
        ("obs://obs-test/{{ run_id }}/{{ task.task_id }}", True),
        ("obs-test/{{ run_id }}/{{ ti.task_id }}", True),
        ("obs-test/{{ run_id }}", True),
        ("obs-test/{{ run_id }}/export", False),
        ("obs-test/{{ run_id }}/export/below", False),
        ("obs://obs-test/{{ ti.run_id }}/exp{{ 'ort' }}/", False),
        ("obs-test/{{ run_id }}/export2", True),
        ("{{ nothing.of.this.name }}", False),
        (None, False),
    ],
)
def test_a_directory_that_another_task_exports_to_is_not_exclusive(theirs: Any, exclusive: bool) -> None:
    """Their parameter is rendered for this run; what cannot be rendered may be any directory."""
    operators = [
        DliExportFlinkJobsOperator(task_id=name, obs_dir=obs_dir)
        for name, obs_dir in (("export", "obs-test/x"), ("other", theirs))
    ]
    instance: Any = SimpleNamespace(task_id="export", map_index=-1, try_number=1, run_id=PATH)
    dag = SimpleNamespace(dag_id="backup", tasks=operators, max_active_runs=16)
    context = {"ti": instance, "run_id": PATH, "dag": dag}
    assert is_exclusive(ObsLocation("obs-test", f"{PATH}/export"), context) == exclusive
    assert is_exclusive(ObsLocation("obs-test", f"{PATH}/export/batch-0001"), context) == exclusive


@pytest.mark.parametrize("identity", [None, "", "--", ":"])
def test_without_a_run_id_no_directory_is_exclusive(identity: str | None) -> None:
    """An empty pattern fits every path."""
    assert not is_exclusive(ObsLocation("obs-test", "a/export"), context_of(run_id=identity))
