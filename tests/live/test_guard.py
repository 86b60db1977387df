"""What a run may request from an account, and what a report may contain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from guard import ForbiddenError, Guard
from masking import Mask, shape
from points import Finding, Outcome
from report import LeakError, write

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.call import Call

READ = Guard()
WRITE = Guard(folder="bucket/scratch/run", nowhere="nowhere")
JOBS = Guard(folder="bucket/scratch/run", jobs=True, own={7, 8})

CHANGES: list[Call[Any]] = [
    flink.export_jobs("bucket/scratch/run"),
    flink.import_jobs("bucket/scratch/run/a.zip"),
    flink.run_jobs([7]),
    flink.stop_jobs([7]),
    flink.delete_job(7),
    flink.delete_jobs([7]),
    flink.create_sql_job("a", sql_body="select 1"),
    flink.create_jar_job("a"),
    flink.update_sql_job(7, desc="b"),
    flink.trigger_savepoint(7, "bucket/scratch"),
    flink.create_template("a"),
]


@pytest.mark.parametrize("call", CHANGES, ids=lambda call: call.operation)
def test_the_read_part_changes_nothing(call: Call[Any]) -> None:
    """Whatever is not a GET is refused before it is sent."""
    with pytest.raises(ForbiddenError, match=call.operation):
        READ.check(call)


@pytest.mark.parametrize("call", CHANGES[1:], ids=lambda call: call.operation)
def test_the_write_part_only_exports(call: Call[Any]) -> None:
    """Exports are all that it may do."""
    with pytest.raises(ForbiddenError, match=call.operation):
        WRITE.check(call)


@pytest.mark.parametrize(
    ("obs_dir", "allowed"),
    [
        ("bucket/scratch/run", True),
        ("bucket/scratch/run/a", True),
        ("obs://bucket/scratch/run/a/", True),
        ("/bucket/scratch/run/a", True),
        ("nowhere/x", True),
        ("bucket/scratch", False),
        ("bucket/scratch/running", False),
        ("bucket/scratch/run/../other", False),
        ("other/scratch/run", False),
        ("nowhere/y", False),
        ("", False),
    ],
)
def test_exports_stay_in_their_folder(obs_dir: str, allowed: bool) -> None:
    """Also in the odd forms that a question tries."""
    call = Call("ExportFlinkJobs", "POST", "/export", dict, body={"obs_dir": obs_dir})
    if allowed:
        WRITE.check(call)
    else:
        with pytest.raises(ForbiddenError):
            WRITE.check(call)


def test_only_own_jobs_are_stopped_and_deleted() -> None:
    """One foreign id among own ones is enough to refuse; none at all is refused too; nothing is ever run."""
    for call in (flink.stop_jobs([7, 8]), flink.delete_jobs([8]), flink.delete_job(7)):
        JOBS.check(call)
    bare: Call[Any] = Call("BatchDeleteFlinkJobs", "POST", "/delete", dict, body={"job_ids": []})
    for call in (flink.stop_jobs([7, 9]), flink.delete_jobs([9]), flink.delete_job(9), flink.run_jobs([7]), bare):
        with pytest.raises(ForbiddenError):
            JOBS.check(call)


def test_what_is_learnt_is_masked() -> None:
    """The same thing is called the same; long texts, numbers, addresses are masked unlearnt."""
    mask = Mask()
    mask.learn("bucket", "acme-backup")
    mask.learn_from({"job_list": {"jobs": [{"name": "fraud", "user_name": "eve", "status": "job_init"}]}})
    result = mask.message("eve: fraud in acme-backup/fraud of 4711, 10.0.0.1, a@b.example, " + "f" * 32)
    denial = "Permission denied for resource jobs.flink, User = adam smith, Action = GET"
    assert mask.message(denial) == "Permission denied for resource jobs.flink, User = <hidden>, Action = GET"
    assert result == "<user 1>: <job 1> in <bucket 1>/<job 1> of <number>, <address>, <mail>, <hex>"


def test_a_report_that_gives_something_away_is_not_written(tmp_path: Path) -> None:
    """It is named by its place-holder, and nothing is on disk; a job called "job" is not a secret."""
    mask = Mask()
    mask.learn("job", "job")
    mask.learn("secret", "s3cr3t-key")
    harmless = Finding(1, "q", Outcome.SEEN, "a job")
    assert [path.name for path in write(tmp_path / "a", {}, [harmless], mask)] == ["report.json", "report.md"]
    leaking = Finding(1, "q", Outcome.SEEN, "s3cr3t-key")
    with pytest.raises(LeakError, match=r"<secret 1>$"):
        write(tmp_path / "b", {}, [leaking], mask)
    assert not (tmp_path / "b").exists()


def test_shapes_hold_no_values() -> None:
    """Names of fields, kinds of values, and how many there are."""
    body = {"a": "x", "b": [{"c": 1}, {"c": 2}], "d": True, "e": None, "f": []}
    assert shape(body) == {"a": "text", "b": [{"c": "number"}, "2 in all"], "d": True, "e": None, "f": []}
