"""The tasks that the lab breaks, and what proves that one did what it reports: never its own result."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_dli.operators.dli import (
    DliCompareFlinkJobsOperator,
    DliDeleteFlinkJobsOperator,
    DliExportFlinkJobsOperator,
    DliImportFlinkJobsOperator,
    DliListFlinkJobsOperator,
    DliPromoteFlinkJobsOperator,
    DliRunFlinkJobsOperator,
    DliSavepointFlinkJobsOperator,
    DliStopFlinkJobsOperator,
    DliVerifyFlinkExportOperator,
)
from airflow_provider_dli.sensors.dli import DliExportArchiveSensor, DliFlinkJobSensor
from dli_emulator import Emulator
from dli_emulator.dli.archives import archive_of, jobs_in
from dli_emulator.flink_job import FlinkJob
from tests.faults.kinds import cut_after_acting
from tests.faults.proxy import FaultProxy, Response

#: the jobs of an export or archive; one of them is a draft
EXPORTED = (100, 101, 102)
#: a draft, a job that runs, and one that runs and that no task is about
DRAFT, RUNNING, OTHER = 100, 103, 117
#: with those of the samples, more than a page of the list has
_MORE = 130


@dataclass
class Lab:
    """What a cell works with: the services, a proxy before each, and a directory of its own.

    :param emulator: DLI and the store behind the proxies
    :param dli: proxy before DLI
    :param obs: proxy before OBS
    :param number: of the cell
    """

    emulator: Emulator
    dli: FaultProxy
    obs: FaultProxy
    number: int = 0
    #: the first page of a list, for a fault that repeats it
    first_page: Response | None = None
    #: whether the archive in OBS is older than the tasks allow
    is_old: bool = False
    #: whether a task comes to its timeout, which must be short then
    ends: bool = False
    #: what was made at the beginning of the cell
    mapping: dict[int, int] = field(default_factory=dict)

    @property
    def directory(self) -> str:
        """The cell's own directory in the bucket."""
        return f"cell-{self.number}"

    @property
    def place(self) -> str:
        """The same with its bucket."""
        return f"{self.emulator.bucket}/{self.directory}"

    @property
    def archive(self) -> str:
        """Where the cell's archive is."""
        return f"{self.place}/a.zip"

    @property
    def timeout(self) -> float:
        """Seconds that a task waits."""
        return 0.35 if self.ends else 90

    @property
    def jobs(self) -> dict[int, FlinkJob]:
        """The jobs of the first project."""
        return self.emulator.state.jobs

    @property
    def scratch(self) -> dict[int, FlinkJob]:
        """The jobs of the second project."""
        return self.emulator.state.projects["scratch"].jobs

    def job(self, job_id: int) -> FlinkJob:
        """Return a job as it is now."""
        job = self.emulator.state.job(job_id)
        assert job is not None
        return job

    def other_job(self) -> FlinkJob:
        """Return a job that no task is about, and that runs."""
        return self.jobs[OTHER]

    def more_jobs(self) -> None:
        """Make more jobs than a page has."""
        for number in range(_MORE):
            self.emulator.state.add_job(name=f"more_{number:03d}")

    def archive_of(self, *job_ids: int) -> bytes:
        """Return an archive of jobs."""
        return archive_of([self.jobs[job_id] for job_id in job_ids], 1_790_000_000)

    def put_archive(self, data: bytes) -> None:
        """Write the cell's archive."""
        self.emulator.s3.put_object(Bucket=self.emulator.bucket, Key=f"{self.directory}/a.zip", Body=data)

    def replace_archive(self) -> None:
        """Write an archive of other jobs in the place of the cell's."""
        self.put_archive(self.archive_of(104, 105))

    def delete_archive(self) -> None:
        """Delete the archive."""
        self.emulator.s3.delete_object(Bucket=self.emulator.bucket, Key=f"{self.directory}/a.zip")

    def keys(self, prefix: str) -> list[str]:
        """List what is in the store."""
        found = self.emulator.s3.list_objects_v2(Bucket=self.emulator.bucket, Prefix=prefix).get("Contents", [])
        return [each["Key"] for each in found]

    def bytes_of(self, place: str) -> bytes | None:
        """Read an object of the store; None if there is none."""
        bucket, _, key = place.partition("/")
        if bucket != self.emulator.bucket or key not in self.keys(key):
            return None
        return self.emulator.s3.get_object(Bucket=bucket, Key=key)["Body"].read()


@dataclass(frozen=True)
class Task:
    """A task of the lab.

    :param name: for tests and docs
    :param service: the one that is broken: ``dli`` or ``obs``
    :param operations: the requests that are broken
    :param begin: makes what it works on, and the operator
    :param is_proven: whether its result is true, by the services themselves
    :param doubles: what was done twice, each by its name: a log, an XCom or a message must have it
    :param polls: whether it is polls that are broken: those that may pass are repeated until its timeout
    """

    name: str
    service: str
    operations: tuple[str, ...]
    begin: Callable[[Lab], Any]
    is_proven: Callable[[Lab, Any], bool]
    doubles: Callable[[Lab], list[str]] = lambda _: []
    polls: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def column(self) -> str:
        """Its name in the table."""
        return f"{self.service} {self.name}"


#: what makes success wrong, whatever has happened
NEVER: Callable[[Lab, Any], bool] = lambda _, __: False  # noqa: E731 -- a value of the table below
_WAITS: dict[str, Any] = {"poll_interval": 0.1, "status_grace_period": 0.2}


# --- export


def _export(lab: Lab, **parameters: Any) -> Any:
    return DliExportFlinkJobsOperator(task_id="task", obs_dir=lab.place, reconcile_timeout=0.2, **parameters)


def _export_three(lab: Lab) -> Any:
    return _export(lab, job_selected=list(EXPORTED))


def _export_all(lab: Lab) -> Any:
    lab.more_jobs()
    return _export(lab, selection={})


def _export_with_a_lost_response(lab: Lab) -> Any:
    lab.dli.strike(frozenset({"ExportFlinkJobs"}), cut_after_acting, times=1)
    return _export_three(lab)


def _are_exported(lab: Lab, result: Any) -> bool:
    return _contain(lab, result, set(EXPORTED))


def _all_are_exported(lab: Lab, result: Any) -> bool:
    return _contain(lab, result, set(lab.jobs))


def _contain(lab: Lab, places: list[str], job_ids: set[int]) -> bool:
    """Return whether archives of the cell's own directory have these jobs."""
    contents = [lab.bytes_of(place) for place in places if place.startswith(f"{lab.place}/")]
    if len(contents) != len(places) or not all(contents):
        return False
    return {job["job_id"] for data in contents for job in jobs_in(data or b"")} == job_ids


def _archives_of_one_batch(lab: Lab) -> list[str]:
    """Return the archives that were made of the same jobs."""
    made = [f"{lab.emulator.bucket}/{key}" for key in lab.keys(lab.directory) if key.endswith(".zip")]
    directories = Counter(place.rpartition("/")[0] for place in made)
    return [place for place in made if directories[place.rpartition("/")[0]] > 1]


# --- verify and wait for archives


def _verify(lab: Lab, data: bytes | None = None) -> Any:
    lab.put_archive(data or lab.archive_of(*EXPORTED))
    waits: dict[str, Any] = {"timeout": lab.timeout, "poll_interval": 0.1}
    return DliVerifyFlinkExportOperator(task_id="task", zip_file=lab.archive, max_age=300, **waits)


def _verify_damaged(lab: Lab) -> Any:
    data = bytearray(lab.archive_of(*EXPORTED))
    data[len(data) // 4] ^= 1
    return _verify(lab, bytes(data))


def _is_intact(lab: Lab, _: Any) -> bool:
    """Return, by Python's own reader, whether the archive that is in the store is intact."""
    data = lab.bytes_of(lab.archive)
    if not data or not zipfile.is_zipfile(io.BytesIO(data)) or lab.is_old:
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return all(json.loads(archive.read(name)) for name in archive.namelist())
    except (zipfile.BadZipFile, zlib.error, ValueError):
        return False


def _has_a_directory(lab: Lab, _: Any) -> bool:
    data = lab.bytes_of(lab.archive)
    return bool(data and zipfile.is_zipfile(io.BytesIO(data)))


def _await_archive(lab: Lab, *, deferrable: bool = False) -> Any:
    lab.put_archive(lab.archive_of(*EXPORTED))
    return _archive_sensor(lab, deferrable=deferrable)


def _await_missing(lab: Lab) -> Any:
    lab.ends = True
    return _archive_sensor(lab)


def _archive_sensor(lab: Lab, *, deferrable: bool = False) -> Any:
    waits: dict[str, Any] = {"poke_interval": 0.1, "timeout": lab.timeout}
    return DliExportArchiveSensor(task_id="task", zip_file=lab.archive, deferrable=deferrable, **waits)


# --- import, compare, promote

_SETTINGS = ("name", "job_type", "desc", "queue_name", "sql_body", "run_mode", "main_class", "job_config")


def _import(lab: Lab) -> Any:
    lab.put_archive(lab.archive_of(*EXPORTED))
    given: dict[str, Any] = {"zip_file": lab.archive, "dli_conn_id": "dli_scratch", "reconcile_timeout": 0.2}
    return DliImportFlinkJobsOperator(task_id="task", **given)


def _are_imported(lab: Lab, result: Any) -> bool:
    """Return whether each job exists once; if a response was lost, the new id may be missing in the result."""
    names = sorted(job["name"] for job in jobs_in(lab.bytes_of(lab.archive) or b""))
    there = sorted(job.name for job in lab.scratch.values())
    known = [
        each["new_job_id"] in lab.scratch or (each["recovered"] and not each["new_job_id"]) for each in result
    ]
    return names == there and known == [True] * len(names)


def _jobs_of_one_name(lab: Lab) -> list[str]:
    """Return the ids of jobs that are in the second project twice."""
    names = Counter(job.name for job in lab.scratch.values())
    return [str(job.job_id) for job in lab.scratch.values() if names[job.name] > 1]


def _copy(lab: Lab, job_id: int, **changes: Any) -> int:
    """Make a copy of a job in the second project; its id."""
    source = lab.jobs[job_id]
    given: dict[str, Any] = {name: getattr(source, name) for name in (*_SETTINGS, "entrypoint_args")} | changes
    return lab.emulator.state.add_job(in_project="scratch", **given).job_id


def _compare(lab: Lab, report_dir: str | None = None, **changes: Any) -> Any:
    lab.mapping = {DRAFT: _copy(lab, DRAFT), RUNNING: _copy(lab, RUNNING, **changes)}
    given: dict[str, Any] = {"job_mapping": lab.mapping, "dli_conn_id": "dli_scratch", "report_dir": report_dir}
    return DliCompareFlinkJobsOperator(task_id="task", **given)


def _compare_with_another(lab: Lab) -> Any:
    return _compare(lab, desc="another")


def _compare_with_a_report(lab: Lab) -> Any:
    return _compare(lab, f"{lab.place}/reports")


def _are_same(lab: Lab, result: Any) -> bool:
    pairs = [(lab.jobs[old], lab.scratch[new]) for old, new in lab.mapping.items()]
    return len(result) == len(pairs) and all(
        getattr(one, name) == getattr(other, name) for one, other in pairs for name in _SETTINGS
    )


def _are_reported(lab: Lab, result: Any) -> bool:
    return _are_same(lab, result) and bool(lab.keys(f"{lab.directory}/reports"))


def _promote(lab: Lab) -> Any:
    _copy(lab, RUNNING, sql_body="select 1")
    given: dict[str, Any] = {
        "job_ids": [DRAFT, RUNNING],
        "source_conn_id": "dli_default",
        "dli_conn_id": "dli_scratch",
    }
    return DliPromoteFlinkJobsOperator(task_id="task", **given)


def _are_promoted(lab: Lab, result: Any) -> bool:
    there = {job.name: job.sql_body for job in lab.scratch.values()}
    source = {lab.jobs[job_id].name: lab.jobs[job_id].sql_body for job_id in (DRAFT, RUNNING)}
    return len(result) == len(source) and there == source


# --- jobs


def _list(lab: Lab) -> Any:
    lab.more_jobs()
    return DliListFlinkJobsOperator(task_id="task")


def _are_listed(lab: Lab, result: Any) -> bool:
    return set(result) == set(lab.jobs)


def _run(lab: Lab, *, deferrable: bool = False) -> Any:
    waits: dict[str, Any] = {**_WAITS, "timeout": lab.timeout, "deferrable": deferrable}
    return DliRunFlinkJobsOperator(task_id="task", job_ids=[DRAFT], **waits)


def _runs(lab: Lab, _: Any) -> bool:
    return lab.job(DRAFT).status == "job_running" and lab.job(DRAFT).runs > 0


def _second_runs(lab: Lab) -> list[str]:
    runs = lab.job(DRAFT).runs
    return [f"job {DRAFT}, run {runs} times,"] if runs > 1 else []


def _stop(lab: Lab) -> Any:
    return DliStopFlinkJobsOperator(task_id="task", job_ids=[RUNNING], timeout=lab.timeout, **_WAITS)


def _is_stopped(lab: Lab, _: Any) -> bool:
    return lab.job(RUNNING).status == "job_cancel_success"


def _save(lab: Lab) -> Any:
    return DliSavepointFlinkJobsOperator(task_id="task", job_ids=[RUNNING], timeout=lab.timeout, **_WAITS)


def _is_saved(lab: Lab, _: Any) -> bool:
    return lab.job(RUNNING).savepoint_path is not None


def _delete(_: Lab) -> Any:
    return DliDeleteFlinkJobsOperator(task_id="task", job_ids=[100, 101])


def _are_deleted(lab: Lab, _: Any) -> bool:
    return not {100, 101} & set(lab.jobs)


def _await_job(lab: Lab, job_id: int = RUNNING, *, deferrable: bool = False) -> Any:
    waits: dict[str, Any] = {"poke_interval": 0.1, "status_grace_period": 0.2, "timeout": lab.timeout}
    return DliFlinkJobSensor(task_id="task", job_ids=[job_id], deferrable=deferrable, **waits)


def _await_draft(lab: Lab) -> Any:
    lab.ends = True
    return _await_job(lab, DRAFT)


def _is_running(lab: Lab, _: Any) -> bool:
    return lab.job(RUNNING).status == "job_running"


_OBJECT = ("HeadObject", "GetObject")
_FILES = ("ListObjects", "PutObject", *_OBJECT)
_SHOW, _LIST = ("ShowFlinkJob",), ("ListFlinkJobs",)

TASKS = [
    Task("export", "dli", ("ExportFlinkJobs",), _export_three, _are_exported, _archives_of_one_batch),
    Task("export: list", "dli", _LIST, _export_all, _all_are_exported, _archives_of_one_batch),
    Task("import", "dli", ("ImportFlinkJobs",), _import, _are_imported, _jobs_of_one_name),
    Task("import: list", "dli", _LIST, _import, _are_imported, _jobs_of_one_name),
    Task("compare", "dli", _SHOW, _compare, _are_same),
    Task("compare: unequal", "dli", _SHOW, _compare_with_another, NEVER),
    Task("promote: read", "dli", (*_SHOW, *_LIST), _promote, _are_promoted, _jobs_of_one_name),
    Task("promote: create", "dli", ("CreateFlinkSqlJob",), _promote, _are_promoted, _jobs_of_one_name),
    Task("promote: update", "dli", ("UpdateFlinkSqlJob",), _promote, _are_promoted, _jobs_of_one_name),
    Task("list", "dli", _LIST, _list, _are_listed),
    Task("run", "dli", ("BatchRunFlinkJobs",), _run, _runs, _second_runs),
    Task("run: detail", "dli", _SHOW, _run, _runs, _second_runs, polls=True),
    Task("stop", "dli", ("BatchStopFlinkJobs",), _stop, _is_stopped),
    Task("stop: detail", "dli", _SHOW, _stop, _is_stopped, polls=True),
    Task("savepoint", "dli", ("ExecuteFlinkJobSavepoint",), _save, _is_saved),
    Task("savepoint: detail", "dli", _SHOW, _save, _is_saved, polls=True),
    Task("delete", "dli", ("DeleteFlinkJob",), _delete, _are_deleted),
    Task("job sensor", "dli", _SHOW, _await_job, _is_running, polls=True),
    Task(
        "job sensor: triggerer",
        "dli",
        _SHOW,
        lambda lab: _await_job(lab, deferrable=True),
        _is_running,
        polls=True,
    ),
    Task("job sensor: too soon", "dli", _SHOW, _await_draft, NEVER, polls=True),
    Task(
        "export",
        "obs",
        ("ListObjects", "HeadObject"),
        _export_with_a_lost_response,
        _are_exported,
        _archives_of_one_batch,
    ),
    Task("verify", "obs", _OBJECT, _verify, _is_intact, polls=True),
    Task("verify: damaged", "obs", _OBJECT, _verify_damaged, _is_intact, polls=True),
    Task("import", "obs", _OBJECT, _import, _are_imported, _jobs_of_one_name),
    Task("compare: report", "obs", _FILES, _compare_with_a_report, _are_reported),
    Task("archive sensor", "obs", _OBJECT, _await_archive, _has_a_directory, polls=True),
    Task(
        "archive sensor: triggerer",
        "obs",
        _OBJECT,
        lambda lab: _await_archive(lab, deferrable=True),
        _has_a_directory,
        polls=True,
    ),
    Task("archive sensor: missing", "obs", _OBJECT, _await_missing, NEVER, polls=True),
]
