"""A Flink job as DLI keeps and shows it (dli_02_0234, dli_02_0235), and the sample jobs of a fresh emulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dli_emulator.keys import id_of_name

JOB_TYPES = ("flink_sql_job", "flink_opensource_sql_job", "flink_sql_edge_job", "flink_jar_job")
STATUSES = (
    "job_init",
    "job_submitting",
    "job_submit_fail",
    "job_running",
    "job_running_exception",
    "job_downloading",
    "job_idle",
    "job_canceling",
    "job_cancel_success",
    "job_cancel_fail",
    "job_savepointing",
    "job_arrearage_stopped",
    "job_arrearage_recovering",
    "job_finish",
)
#: the way of a running job that dynamic scaling stops and starts again
SCALING = ("job_savepointing", "job_canceling", "job_submitting", "job_running")
#: most characters of a job's name
NAME_LENGTH = 57
#: ``root_id`` of a job without a parent edge job
NO_ROOT = -1

_ALWAYS = (
    "job_id",
    "name",
    "desc",
    "job_type",
    "status",
    "status_desc",
    "create_time",
    "start_time",
    "graph_editor_enabled",
    "has_savepoint",
    "queue_name",
    "edge_group_ids",
    "restart_times",
    "savepoint_path",
)
_BRIEF = (*_ALWAYS, "user_name", "duration", "root_id")
_DETAIL = (
    *_ALWAYS,
    "user_id",
    "project_id",
    "sql_body",
    "run_mode",
    "job_config",
    "main_class",
    "entrypoint_args",
    "execution_graph",
    "update_time",
)
#: every setting of a job, null where it was not set, with the manual's defaults
CONFIG: Mapping[str, Any] = dict.fromkeys(
    (
        "obs_bucket",
        "smn_topic",
        "edge_group_ids",
        "executor_number",
        "executor_cu_number",
        "udf_jar_url",
        "entrypoint",
        "dependency_jars",
        "dependency_files",
        "execution_agency_urn",
        "runtime_config",
        "flink_log_config",
        "graph_editor_data",
        "checkpoint_path",
        "config_url",
        "tm_cus",
        "tm_slot_num",
        "image",
        "feature",
        "flink_version",
        "operator_config",
        "static_estimator_config",
        "resource_config",
    )
) | {
    "checkpoint_enabled": False,
    "checkpoint_mode": "exactly_once",
    "checkpoint_interval": 10,
    "log_enabled": False,
    "root_id": NO_ROOT,
    "manager_cu_number": 1,
    "cu_number": 2,
    "parallel_number": 1,
    "real_cu_number": 0,
    "restart_when_exception": False,
    "idle_state_retention": 3600,
    "dirty_data_strategy": "0",
    "resume_checkpoint": False,
    "resume_max_num": -1,
    "graph_editor_enabled": False,
    "resource_config_version": "v1",
}

_SPEC = {"cpu": 1.0, "memory": "4G"}
#: what DLI fills in, as jobs came back to clients that had not set it. INVENTED: that each kind of job has all
FILLED_IN: Mapping[str, Any] = {
    "checkpoint_interval": 30,
    "tm_cus": 1,
    "tm_slot_num": 1,
    "resource_config": {
        "max_slot": 1,
        "parallel_number": 1,
        "jobmanager_resource_spec": _SPEC,
        "taskmanager_resource_spec": _SPEC,
    },
}


@dataclass
class FlinkJob:
    """One job. The fields have the manual's names; times are epoch milliseconds; None goes out as null.

    :param job_id: 64-bit id
    :param name: at most 57 characters
    :param job_type: one of ``JOB_TYPES``
    :param status: one of ``STATUSES``
    :param create_time: when it was made
    :param duration: running time in milliseconds
    :param root_id: edge job it is a child of; -1 if none
    :param job_config: settings that differ from the defaults
    :param tags: filtered by, never shown
    :param enterprise_project: ``sys_enterprise_project_name``; filtered by, never shown
    :param plan: statuses to come: epoch seconds and status
    :param runs: how often it was submitted to run; never shown
    :param stops: how many requests stopped it; never shown
    :param resumed: whether its last run started from a savepoint; never shown
    :param deletes_savepoint: whether that savepoint goes once the job runs; never shown
    """

    job_id: int
    name: str
    job_type: str = "flink_opensource_sql_job"
    status: str = "job_init"
    desc: str = ""
    status_desc: str | None = None
    create_time: int = 0
    start_time: int | None = None
    update_time: int | None = None
    duration: int = 0
    queue_name: str | None = None
    user_id: str | None = None
    user_name: str | None = None
    project_id: str | None = None
    sql_body: str | None = None
    run_mode: str | None = None
    main_class: str | None = None
    entrypoint_args: str | None = None
    execution_graph: str | None = None
    graph_editor_enabled: bool = False
    has_savepoint: bool = False
    edge_group_ids: list[str] | None = None
    restart_times: int = 0
    savepoint_path: str | None = None
    root_id: int = NO_ROOT
    job_config: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    enterprise_project: str = "default"
    plan: list[tuple[float, str]] = field(default_factory=list, repr=False)
    runs: int = 0
    stops: int = 0
    resumed: bool = False
    deletes_savepoint: bool = False

    def fill_in(self) -> None:
        """Fill in a directory for checkpoints, where they are on, there is a bucket for them, and none was given.

        INVENTED: the moment. The directory is one that was seen.
        """
        bucket = self.job_config.get("obs_bucket")
        if self.job_config.get("checkpoint_enabled") and bucket and not self.job_config.get("checkpoint_path"):
            self.job_config["checkpoint_path"] = f"{bucket}/jobs/checkpoint/{self.job_id}"

    def begin(self, path: Sequence[str], now: float, step: float) -> None:
        """Take a way through statuses: the first at once, the others one step of time after the other.

        :param path: statuses
        :param now: epoch seconds
        :param step: seconds that each lasts
        """
        self.plan = [(now + number * step, status) for number, status in enumerate(path)]
        self.update_status(now)

    def update_status(self, now: float) -> None:
        """Set the status of this moment.

        :param now: epoch seconds
        """
        while self.plan and self.plan[0][0] <= now:
            moment, status = self.plan.pop(0)
            if status == "job_running" and self.status == "job_submitting":
                self.start_time = int(moment * 1000)
            if status == "job_running" and self.deletes_savepoint:
                self.has_savepoint, self.savepoint_path, self.deletes_savepoint = False, None, False
            if self.status == "job_running" and self.start_time:
                self.duration = int(moment * 1000) - self.start_time
            self.status = status

    def brief(self) -> dict[str, Any]:
        """Return the job as the list shows it without ``show_detail``."""
        return {name: getattr(self, name) for name in _BRIEF}

    def detail(self, *, filled_in: bool = False) -> dict[str, Any]:
        """Return the job as ``job_detail`` and the list with ``show_detail`` show it.

        :param filled_in: whether settings that were not set have the values that DLI fills in, and a directory for
            checkpoints that is a bucket alone the job's own
        """
        shown = {name: getattr(self, name) for name in _DETAIL}
        config = {**CONFIG, "root_id": self.root_id, **self.job_config}
        if filled_in:
            config |= {name: value for name, value in FILLED_IN.items() if self.job_config.get(name) is None}
            bucket = (config["checkpoint_path"] or "/").removesuffix("/")
            if bucket and "/" not in bucket:
                config["checkpoint_path"] = f"{bucket}/jobs/checkpoint/{self.job_id}"
        return shown | {"job_config": config}


FIRST_ID = 100
#: as many as in the manual's example of the list
DEFAULT_COUNT = 26
#: 2026-01-15T08:00:00Z, when the first of them was made
_EPOCH = 1_768_464_000_000
_HOUR = 3_600_000

_TYPES = ("flink_opensource_sql_job", "flink_jar_job", "flink_sql_job")
_QUEUES = ("flink_prod", "flink_test", None)
_USERS = ("li.na", "m.garcia", "svc-airflow")
_TEAMS = ("payments", "logistics", "risk")
_NAMES = (
    "orders_to_dws",
    "clickstream_sessions",
    "fraud_scores",
    "订单实时汇总",
    "sensor_dedup",
    "inventory-sync",
    "płatności_dzienne",
    "cdc.customers",
    "late events (retry)",
)
_NEVER_RAN = ("job_init", "job_submitting", "job_submit_fail", "job_downloading")
_SQL = (
    "create table source_{n} (id bigint, body string) with ('connector' = 'kafka');\n"
    "create table sink_{n} (id bigint, body string) with ('connector' = 'jdbc');\n"
    "insert into sink_{n} select id, body from source_{n} where body <> 'ü';\n"
)


def sample_jobs(count: int, project_id: str) -> list[FlinkJob]:
    """Make jobs with ids from 100 on: every type, status, queue and user that a list may be filtered by.

    :param count: how many
    :param project_id: the project they belong to
    """
    return [_job(number, project_id) for number in range(count)]


def _job(number: int, project_id: str) -> FlinkJob:
    job_type = _TYPES[number % len(_TYPES)]
    status = STATUSES[number % len(STATUSES)]
    made = _EPOCH + number * _HOUR
    started = None if status in _NEVER_RAN else made + 60_000
    name = _NAMES[number % len(_NAMES)]
    user = _USERS[number % len(_USERS)]
    return FlinkJob(
        job_id=FIRST_ID + number,
        name=f"{name}_{number:02d}",
        job_type=job_type,
        status=status,
        desc=f"sample job {number}" if number % 2 else "",
        create_time=made,
        start_time=started,
        update_time=made + 30_000,
        duration=0 if started is None else (number + 1) * 90_000,
        queue_name=_QUEUES[number // 3 % len(_QUEUES)],
        user_id=id_of_name(user),
        user_name=user,
        project_id=project_id,
        has_savepoint=number % 5 == 0,
        restart_times=number % 3,
        tags={"team": _TEAMS[number % len(_TEAMS)], "tier": "gold" if number % 4 == 0 else "silver"},
        enterprise_project="default" if number % 6 else "migration",
        **_program(number, job_type),
    )


def _program(number: int, job_type: str) -> dict[str, Any]:
    if job_type == "flink_jar_job":
        config = {
            "entrypoint": f"obs://flink-jars/job_{number}.jar",
            "feature": "basic",
            "flink_version": "1.15",
            "checkpoint_path": f"obs://flink-checkpoints/{number}/",
        }
        return {"main_class": "com.example.Main", "entrypoint_args": "--mode live", "job_config": config}
    opensource = job_type == "flink_opensource_sql_job"
    return {
        "sql_body": _SQL.format(n=number),
        "run_mode": "exclusive_cluster" if opensource else "shared_cluster",
        "job_config": {"flink_version": "1.15" if opensource else "1.10", "checkpoint_enabled": True},
    }
