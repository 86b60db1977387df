"""Which jobs an import recovers: only those that a request of its own may have imported unseen."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_dli.exceptions import DliException, DliFailException
from dli_emulator import Emulator
from tests.airflow.stores import StateStore, TaskInstance
from tests.services.two_projects import (
    count_requests,
    create_as_somebody_else,
    exported,
    meanwhile,
    restore,
    scratch_jobs,
    two_projects,
)


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return the emulator with two projects, each with a connection."""
    return two_projects(dli_emulator, monkeypatch)


class KilledError(BaseException):
    """The process was killed."""


class Killing(StateStore):
    """A store in whose place the process is killed once, as it is about to keep something for the nth time."""

    def __init__(self, nth: int) -> None:
        super().__init__()
        self._left = nth

    def set(self, key: str, value: Any) -> None:
        self._left -= 1
        if self._left == 0:
            raise KilledError
        super().set(key, value)


def killed_at(nth: int) -> TaskInstance:
    instance = TaskInstance()
    instance.store = Killing(nth)
    instance.context["task_state_store"] = instance.store
    return instance


def imports(emulator: Emulator) -> int:
    return count_requests(emulator, "ImportFlinkJobs")


@pytest.mark.slow
def test_nothing_is_recovered_without_a_lost_response(emulator: Emulator) -> None:
    """Though somebody creates a job meanwhile, which could explain the conflict."""
    archive = exported(emulator, [100])
    restore(archive)
    somebody = meanwhile(emulator, "ImportFlinkJobs", lambda: create_as_somebody_else(emulator))
    instance = TaskInstance()
    with pytest.raises(DliFailException, match=r"1 of 1 job not imported.*new in the project: none"):
        restore(archive, instance)
    somebody.join()
    assert [job["recovered"] for job in instance.pushed["return_value"]] == [False]
    assert instance.pushed["created"] == []


def test_a_failed_import_ends(emulator: Emulator) -> None:
    """If the task is cleared, jobs that others created since do not explain its conflicts."""
    archive = exported(emulator, [100])
    restore(archive)
    instance = TaskInstance()
    for _ in range(2):
        with pytest.raises(DliFailException, match="1 of 1 job not imported"):
            restore(archive, instance)
        assert instance.store.kept == {}
        create_as_somebody_else(emulator)


def test_jobs_that_others_created_meanwhile_are_not_in_created(emulator: Emulator) -> None:
    """A cleanup would delete them."""
    somebody = meanwhile(emulator, "ImportFlinkJobs", lambda: create_as_somebody_else(emulator))
    instance = TaskInstance()
    (job,) = restore(exported(emulator, [100]), instance)
    somebody.join()
    assert len(scratch_jobs(emulator)) == 2
    assert instance.pushed["created"] == [job["new_job_id"]]


@pytest.mark.slow
def test_a_lost_request_that_did_nothing_has_created_nothing(emulator: Emulator) -> None:
    """The next one got its response and imported all; jobs that others created meanwhile are theirs."""
    archive = exported(emulator, [100])
    emulator.fault("ImportFlinkJobs", "cut_before")
    somebody = meanwhile(emulator, "ImportFlinkJobs", lambda: create_as_somebody_else(emulator))
    instance = TaskInstance()
    (job,) = restore(archive, instance, reconcile_timeout=0.2)
    somebody.join()
    assert not job["recovered"]
    assert instance.pushed["created"] == [job["new_job_id"]]


def test_a_request_with_a_response_is_not_sent_again(emulator: Emulator) -> None:
    """If listing the jobs afterwards fails, the next attempt has the saved response: nothing is replaced twice."""
    archive = exported(emulator, [100, 103])
    emulator.fault("ListFlinkJobs", "slow")
    emulator.fault("ListFlinkJobs", "error", status=503, code="APIGW.0602", message="trouble")
    instance = TaskInstance()
    with pytest.raises(DliException, match="HTTP 503"):
        restore(archive, instance, is_cover=True)
    jobs = restore(archive, instance, is_cover=True)
    assert imports(emulator) == 1
    assert [job["new_job_id"] for job in jobs] == sorted(scratch_jobs(emulator))
    assert {(job["created"], job["recovered"]) for job in jobs} == {(True, False)}


@pytest.mark.slow
def test_a_saved_response_is_for_the_same_request_only(emulator: Emulator) -> None:
    """Not for another is_cover, for jobs that were deleted since, or for an archive that was replaced."""
    archive, other = exported(emulator, [100]), exported(emulator, [100, 103], "other")
    emulator.fault("ListFlinkJobs", "slow")
    emulator.fault("ListFlinkJobs", "error", status=503, code="APIGW.0602", message="trouble")
    instance = TaskInstance()
    with pytest.raises(DliException, match="HTTP 503"):
        restore(archive, instance)
    kept = instance.store.get("dli_import")
    (covered,) = restore(archive, instance, is_cover=True)
    assert (imports(emulator), covered["remark"]) == (2, "Job successfully updated")
    scratch_jobs(emulator).clear()
    instance.store.set("dli_import", kept)
    (again,) = restore(archive, instance)
    assert (imports(emulator), list(scratch_jobs(emulator))) == (3, [again["new_job_id"]])
    body = emulator.s3.get_object(Bucket=emulator.bucket, Key=other.partition("/")[2])["Body"].read()
    emulator.s3.put_object(Bucket=emulator.bucket, Key=archive.partition("/")[2], Body=body)
    instance.store.set("dli_import", kept)
    with pytest.raises(DliFailException, match="1 of 2 jobs not imported"):
        restore(archive, instance)


@pytest.mark.slow
def test_a_cleared_task_sends_its_request_again(emulator: Emulator) -> None:
    """With is_cover jobs are replaced again; those that still exist are known to be its own."""
    archive = exported(emulator, [100, 103])
    instance = TaskInstance()
    first = restore(archive, instance)
    del scratch_jobs(emulator)[first[1]["new_job_id"]]
    second = restore(archive, instance)
    assert second[0] == first[0]
    assert [job["new_job_id"] for job in second] == instance.pushed["created"] == sorted(scratch_jobs(emulator))
    assert {job["remark"] for job in restore(archive, instance, is_cover=True)} == {"Job successfully updated"}
    assert {job["remark"] for job in restore(archive, instance, is_cover=True)} == {"Job successfully updated"}
    assert imports(emulator) == 4


def test_a_partial_import_keeps_its_new_ids(emulator: Emulator) -> None:
    """After an import with on_conflict="keep" the next one still has the new ids of the imported jobs."""
    archive = exported(emulator, [100, 103])
    restore(exported(emulator, [103], "other"))
    instance = TaskInstance()
    first = restore(archive, instance, on_conflict="keep")
    created = instance.pushed["created"]
    assert restore(archive, instance, on_conflict="keep") == first
    assert [job["new_job_id"] for job in first] == [*created, None]
    assert instance.pushed["created"] == created


@pytest.mark.slow
def test_a_task_that_is_killed_before_the_response_is_saved(emulator: Emulator) -> None:
    """The new jobs are recovered."""
    archive, instance = exported(emulator, [100, 103]), killed_at(2)
    with pytest.raises(KilledError):
        restore(archive, instance)
    jobs = restore(archive, instance)
    assert {job["recovered"] for job in jobs} == {True}
    assert instance.pushed["created"] == sorted(scratch_jobs(emulator))
    assert len(scratch_jobs(emulator)) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("error", {"status": 400, "code": "DLI.0999", "message": "A server-side error occurred."}),
        ("reply", {"status": 200, "body": '{"is_success": true}'}),
        ("reply", {"status": 200, "body": "<html>"}),
    ],
)
def test_an_unusable_response_to_an_import_that_happened(
    emulator: Emulator, kind: str, answer: dict[str, Any]
) -> None:
    """An error of the service, or a success that cannot be read: the project's list shows the outcome."""
    archive = exported(emulator, [100, 103])
    emulator.fault("ImportFlinkJobs", kind, acts=True, **answer)
    emulator.fault("ListFlinkJobs", "slow", times=2)  # before the request
    emulator.fault("ListFlinkJobs", "html", status=503)
    instance = TaskInstance()
    jobs = restore(archive, instance)
    assert {job["recovered"] for job in jobs} == {True}
    assert imports(emulator) == 2
    assert instance.pushed["created"] == sorted(scratch_jobs(emulator))


@pytest.mark.slow
@pytest.mark.parametrize(("status", "problem"), [(400, "A server-side error occurred"), (200, "is_success")])
def test_an_unusable_response_to_an_import_that_did_not_happen(
    emulator: Emulator, status: int, problem: str
) -> None:
    """The task fails without sending the request again; the next attempt knows that the outcome is unknown."""
    archive = exported(emulator, [100])
    words = '{"error_code": "DLI.0999", "error_msg": "A server-side error occurred."}'
    emulator.fault("ImportFlinkJobs", "reply", status=status, body=words)
    instance = TaskInstance()
    with pytest.raises(DliException, match=problem):
        restore(archive, instance, reconcile_timeout=0.2)
    assert imports(emulator) == 1
    assert "dli_import" in instance.store.kept
    assert [job["created"] for job in restore(archive, instance, reconcile_timeout=0.2)] == [True]


@pytest.mark.slow
def test_a_refusal_does_not_answer_an_earlier_lost_request(emulator: Emulator) -> None:
    """The next attempt recovers what the lost request imported."""
    archive = exported(emulator, [100])
    emulator.fault("ImportFlinkJobs", "cut_after")
    emulator.fault("ImportFlinkJobs", "throttled")
    instance = TaskInstance()
    with pytest.raises(DliException, match="HTTP 429"):
        restore(archive, instance)
    assert [job["recovered"] for job in restore(archive, instance)] == [True]


@pytest.mark.slow
def test_a_refusal_leaves_nothing_to_resume(emulator: Emulator) -> None:
    """If every response came and none was a success, no later job is its own."""
    archive = exported(emulator, [100])
    emulator.fault("ImportFlinkJobs", "throttled")
    instance = TaskInstance()
    with pytest.raises(DliException, match="HTTP 429"):
        restore(archive, instance)
    assert instance.store.kept == {}


@pytest.mark.slow
def test_recovered_jobs_count_by_name(emulator: Emulator) -> None:
    """The project's list has the names of what a request imported whose response was lost."""
    archive = exported(emulator, [100, 103])
    names = [emulator.state.jobs[job_id].name for job_id in (100, 103)]
    emulator.fault("ImportFlinkJobs", "cut_after")
    jobs = restore(archive, expected_jobs=names)
    assert {job["recovered"] for job in jobs} == {True}
    scratch_jobs(emulator).clear()
    emulator.fault("ImportFlinkJobs", "cut_after")
    with pytest.raises(DliFailException, match=r"expected but not imported: no-such-job\. .* 2 jobs imported"):
        restore(archive, expected_jobs=[*names, "no-such-job"])


@pytest.mark.parametrize("expects", [False, True])
def test_a_new_job_that_the_response_does_not_name(
    emulator: Emulator, expects: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named in log and XCom, is not for a cleanup, and counts by its name."""
    archive = exported(emulator, [100, 103])
    names = [emulator.state.jobs[job_id].name for job_id in (100, 103)]
    restore(archive)
    first = max(scratch_jobs(emulator)) + 1
    scratch_jobs(emulator).clear()
    row = {"old_job_id": 100, "new_job_id": first, "remark": "Job successfully created"}
    body = {"is_success": "true", "message": "", "job_mapping": [row]}
    emulator.fault("ImportFlinkJobs", "reply", acts=True, body=body)
    instance = TaskInstance()
    (job,) = restore(archive, instance, **({"expected_jobs": names} if expects else {}))
    assert (job["new_job_id"], instance.pushed["created"]) == (first, [first])
    assert instance.pushed["not_in_response"] == [first + 1]
    assert f"not in its response: {first + 1} " in capsys.readouterr().out
