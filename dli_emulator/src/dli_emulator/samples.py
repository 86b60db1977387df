"""The jobs of a fresh state: varied, and the same every time."""

from __future__ import annotations

from typing import Any

from dli_emulator.jobs import STATUSES, FlinkJob

FIRST_ID = 100
#: how many the manual's example of the list tells of
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
        user_id=f"{user.encode().hex():0<32.32}",
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
