"""Import, compare, copy: the outcome for each job is known, and each difference is named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_dli.exceptions import DliException, DliFailException
from dli_emulator import Emulator
from tests.airflow.stores import TaskInstance
from tests.services.two_projects import compare, count_requests, exported, restore, scratch_jobs, two_projects


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return the emulator with two projects, each with a connection."""
    return two_projects(dli_emulator, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("fills_in", [False, True])
def test_restored_jobs_equal_their_sources(emulator: Emulator, fills_in: bool) -> None:
    """All types, in another project; the report is a table, Markdown in XCom, and a file beside the archive."""
    emulator.state.settings.fills_in_settings = fills_in
    instance = TaskInstance()
    jobs = restore([exported(emulator)], instance)
    assert len(jobs) == len(scratch_jobs(emulator)) == 26
    assert {each["created"] for each in jobs} == {True}
    assert instance.pushed["created"] == instance.pushed["job_ids"] == sorted(scratch_jobs(emulator))
    assert instance.store.left("dli_import") == {"zip_file", "version", "before", "unknown", "response"}
    result = compare(jobs, instance, report_dir=f"{emulator.bucket}/night")
    assert all(each["equal"] for each in result)
    assert "**All 26 jobs equal to the source.**" in instance.pushed["report"]
    bucket, _, key = instance.pushed["report_file"].partition("/")
    assert key.startswith("night/compare-report-")
    assert key.endswith(".html")
    stored = emulator.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    assert "All 26 jobs equal to the source." in stored
    assert instance.pushed["report"].count("\n| 1") == 26


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        (
            "desc",
            "altered",
            r"job 105 \S+_05: desc is 7 characters with SHA-256 [0-9a-f]{12}… and was 12 characters",
        ),
        ("queue_name", "other", r"queue_name is 5 characters with SHA-256 \w{12}… and was 10 characters"),
        ("parallel_number", 7, r"job_config\.parallel_number is 7 and was 1"),
        ("name", "renamed", r"name is 'renamed' and was '\S+_05'"),
        ("sql_body", None, r"sql_body is not set and was 219 characters with SHA-256 "),
    ],
)
def test_a_job_that_differs_fails_the_comparison(emulator: Emulator, field: str, value: Any, reason: str) -> None:
    """Job and field are named."""
    emulator.fault("ImportFlinkJobs", "import_alters", job=105, field=field, value=value)
    jobs = restore(exported(emulator))
    with pytest.raises(DliFailException, match=rf"1 of 26 jobs not equal to the source: .*{reason}"):
        compare(jobs)


def test_an_expected_job_that_is_missing_fails_the_import(emulator: Emulator) -> None:
    """It is not in the response."""
    emulator.fault("ImportFlinkJobs", "import_drops", job=105)
    with pytest.raises(DliFailException, match=r"expected but not imported: 105\. What was done: 25 jobs"):
        restore(exported(emulator), expected_jobs=list(range(100, 126)))


def test_a_job_that_is_reported_and_not_imported_fails_the_import(emulator: Emulator) -> None:
    """The project's list counts, not the response."""
    emulator.fault("ImportFlinkJobs", "import_drops", job=105, claims=True)
    instance = TaskInstance()
    with pytest.raises(
        DliFailException, match=r"DLI reports as imported what the project does not have: 105 as \d+"
    ):
        restore(exported(emulator), instance)
    assert len(instance.pushed["created"]) == 25


@pytest.mark.slow
def test_conflicts_are_listed(emulator: Emulator) -> None:
    """The jobs that were imported all the same are in the message, and pushed for a cleanup."""
    archive = exported(emulator, [100, 103, 106])
    restore(exported(emulator, [103], "other"))
    instance = TaskInstance()
    with pytest.raises(
        DliFailException, match=r"1 of 3 jobs not imported.*: 103 \(set is_cover=True.*What was done: 2"
    ):
        restore(archive, instance)
    assert len(instance.pushed["created"]) == 2
    assert [each["new_job_id"] for each in restore(archive, on_conflict="keep")] == [None, None, None]
    covered = restore(archive, is_cover=True)
    assert {each["created"] for each in covered} == {False}


@pytest.mark.slow
@pytest.mark.parametrize("expected_jobs", ["id", "name"])
def test_expected_jobs_must_be_imported(emulator: Emulator, expected_jobs: str) -> None:
    """An omitted job counts as missing, though a job of its name exists."""
    archive = exported(emulator, [100, 103])
    restore(exported(emulator, [103], "other"))
    wanted: Any = 103 if expected_jobs == "id" else emulator.state.jobs[103].name
    with pytest.raises(DliFailException, match=rf"^expected but not imported: {wanted}\. What was done: 1 job"):
        restore(archive, on_conflict="keep", expected_jobs=[100, wanted])
    with pytest.raises(DliFailException, match=r"^2 of 2 jobs not imported[^;]*to keep them\)\. What was done: 0"):
        restore(archive, expected_jobs=[100, 103])
    omitted = restore(exported(emulator, [103, 106], "third"), on_conflict="keep", expected_jobs=[106])
    assert [job["new_job_id"] is None for job in omitted] == [True, False]


@pytest.mark.slow
def test_a_directory_of_archives(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """All of them; something else in it is refused before anything is sent, and so are two archives of one job."""
    exported(emulator, [100])
    exported(emulator, [103])
    assert len(restore(f"obs://{emulator.bucket}/night/")) == 2
    exported(emulator, [100])
    keys = r"aggregate_\d+\.zip, aggregate_\d+\.zip"
    with pytest.raises(
        DliFailException,
        match=rf"DLI\.0006: The job name already exists.*100\.json is in {keys}\. .*also with is_cover: import",
    ) as caught:
        restore(f"{emulator.bucket}/night", is_cover=True)
    assert "103.json" not in str(caught.value)
    assert "1 entry in several archives: 100.json is in aggregate_" in "".join(capsys.readouterr())
    with pytest.raises(DliFailException, match=r"The job name already exists[^:]*\. DLI refuses several archives"):
        restore(f"{emulator.bucket}/night", is_cover=True, verify_archive=False)
    restore(f"{emulator.bucket}/night", plan_only=True)
    assert "100.json is in aggregate_" in "".join(capsys.readouterr())
    emulator.s3.put_object(Bucket=emulator.bucket, Key="night/readme.txt", Body=b"x")
    before = count_requests(emulator, "ImportFlinkJobs")
    with pytest.raises(DliFailException, match=r"contains other objects than archives: night/readme\.txt"):
        restore(f"{emulator.bucket}/night")
    assert count_requests(emulator, "ImportFlinkJobs") == before


@pytest.mark.slow
def test_a_damaged_archive_is_not_imported(emulator: Emulator) -> None:
    """It is verified first, except with verify_archive=False."""
    emulator.fault("ExportFlinkJobs", "archive_flipped")
    archive = exported(emulator)
    with pytest.raises(DliFailException, match="1 of 1 archive failed verification"):
        restore(archive)
    assert count_requests(emulator, "ImportFlinkJobs") == 0
    with pytest.raises(DliFailException, match=r"DLI\.29002"):
        restore(archive, verify_archive=False)


def test_a_missing_permission(emulator: Emulator) -> None:
    """One clear message, and nothing is done."""
    archive = exported(emulator)
    words = "Permission denied for resource 'jobs.flink', User = 'u', Action = 'CREATE'."
    emulator.fault("ImportFlinkJobs", "error", code="DLI.0003", message=words)
    with pytest.raises(DliFailException, match=r"DLI\.0003: Permission denied.*Action = 'CREATE'"):
        restore(archive)
    assert scratch_jobs(emulator) == {}


@pytest.mark.parametrize(
    ("zip_file", "parameters", "reason"),
    [
        ("", {}, r"^zip_file: "),
        ("bucket", {}, r"^zip_file: bucket/|^zip_file: |NoSuchBucket"),
        (["obs-test/a.zip", "obs-test/b.zip"], {}, r"^zip_file: names 2 archives"),
        ("s3://obs-test/a.zip", {}, r"^zip_file: "),
        ("obs-test/no-such.zip", {}, r"^zip_file: obs://obs-test/no-such\.zip is neither an archive"),
        ("obs-test/a.zip", {"on_conflict": "skip"}, r"^on_conflict: 'skip' is not possible"),
        ("obs-test/a.zip", {"expected_jobs": []}, r"^expected_jobs: was given and is empty"),
        ("obs-test/a.zip", {"staging_dir": "s3://x"}, r"^staging_dir: "),
    ],
)
def test_a_wrong_parameter_is_refused(emulator: Emulator, zip_file: Any, parameters: Any, reason: str) -> None:
    """It is named; no request is sent."""
    with pytest.raises(DliFailException, match=reason):
        restore(zip_file, **parameters)
    assert len(emulator.requests) == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cut_after", "reset_after", "cut_during"])
def test_a_lost_response_of_an_import_that_happened(emulator: Emulator, kind: str) -> None:
    """The next request conflicts with the first, whose jobs are recovered; none exists twice."""
    archive = exported(emulator)
    emulator.fault("ImportFlinkJobs", kind)
    instance = TaskInstance()
    jobs = restore(archive, instance)
    assert {each["recovered"] for each in jobs} == {True}
    assert len(scratch_jobs(emulator)) == 26
    assert sorted(instance.pushed["created"]) == sorted(scratch_jobs(emulator))
    assert all(each["equal"] for each in compare(jobs))


@pytest.mark.slow
def test_a_lost_response_of_an_import_that_did_not_happen(emulator: Emulator) -> None:
    """The request is sent again after reconcile_timeout."""
    archive = exported(emulator)
    emulator.fault("ImportFlinkJobs", "cut_before")
    jobs = restore(archive)
    assert {each["recovered"] for each in jobs} == {False}
    assert len(scratch_jobs(emulator)) == 26


@pytest.mark.slow
@pytest.mark.parametrize("acted", [True, False])
def test_an_attempt_that_lost_every_response(emulator: Emulator, acted: bool) -> None:
    """The next one compares the project's list with the one from before."""
    archive = exported(emulator)
    emulator.fault("ImportFlinkJobs", "cut_after" if acted else "cut_before", times=3)
    instance = TaskInstance()
    with pytest.raises(DliException, match="lost the response"):
        restore(archive, instance, reconcile_timeout=0.2)
    jobs = restore(archive, instance)
    assert {each["recovered"] for each in jobs} == {acted}
    assert len(scratch_jobs(emulator)) == 26


@pytest.mark.slow
def test_a_real_conflict_is_not_recovered(emulator: Emulator) -> None:
    """If fewer jobs appeared than conflict."""
    archive = exported(emulator, [100, 103])
    restore(exported(emulator, [103], "other"))
    emulator.fault("ImportFlinkJobs", "cut_after")
    with pytest.raises(DliFailException, match=r"2 of 2 jobs not imported.*new in the project: \d+\.$"):
        restore(archive)


@pytest.mark.slow
def test_an_outcome_that_stays_unknown(emulator: Emulator) -> None:
    """A retry may help, and continues from the list of before."""
    archive = exported(emulator, [100])
    emulator.fault("ImportFlinkJobs", "html", times=3)
    instance = TaskInstance()
    with pytest.raises(DliException, match="HTTP 502"):
        restore(archive, instance, reconcile_timeout=0.2)
    assert "dli_import" in instance.store.kept
    assert [each["old_job_id"] for each in restore(archive, instance, reconcile_timeout=0.2)] == [100]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "replaced"), [("True", True), ("true", True), (" False ", False), (False, False)]
)
def test_a_flag_may_come_from_a_template(emulator: Emulator, given: Any, replaced: bool) -> None:
    """As Jinja writes a boolean of the form."""
    archive = exported(emulator, [100])
    if replaced:
        (job,) = restore(archive, is_cover=given, plan_only="False", dli_conn_id="dli_default")
        assert (job["old_job_id"], job["created"]) == (100, False)
    else:
        with pytest.raises(DliFailException, match="1 of 1 job not imported"):
            restore(archive, is_cover=given, dli_conn_id="dli_default")


@pytest.mark.parametrize("field", ["is_cover", "plan_only"])
@pytest.mark.parametrize("given", ["yes", "", "None", None, 1])
def test_an_invalid_flag_is_refused(emulator: Emulator, field: str, given: Any) -> None:
    """Never taken for one of the two; nothing is sent."""
    with pytest.raises(DliFailException, match=f"{field}: .*; give True or False"):
        restore(f"{emulator.bucket}/a.zip", **{field: given})
    assert not emulator.requests


def test_a_plan_imports_nothing(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """It verifies the archive and logs which of the expected names exist."""
    archive = exported(emulator, [100])
    name = emulator.state.jobs[100].name
    assert restore(archive, plan_only=True, expected_jobs=[name, "other"], dli_conn_id="dli_default") == []
    assert restore(archive, plan_only=True) == []
    assert count_requests(emulator, "ImportFlinkJobs") == 0
    log = capsys.readouterr().out
    assert f"Of the expected names, 1 exist and would be omitted: {name}" in log
    assert log.count(f"{archive.partition('/')[2]}") >= 2


@pytest.fixture
def abroad(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """Return a second emulator with a store of its own: another account in another region."""
    del emulator
    with Emulator(jobs=0, region="eu-west-101") as other:
        monkeypatch.setenv("AIRFLOW_CONN_DLI_ABROAD", other.connection(retry_budget=0))
        yield other


@pytest.mark.slow
def test_an_archive_is_copied_to_another_region(
    emulator: Emulator, abroad: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through the worker, in chunks; the copy is verified."""
    archive = exported(emulator)
    given: dict[str, Any] = {"dli_conn_id": "dli_abroad", "source_conn_id": "dli_default"}
    jobs = restore(archive, staging_dir=f"{abroad.bucket}/from-north", **given)
    assert len(jobs) == len(abroad.state.jobs) == 26
    log = capsys.readouterr().out
    assert "through this machine" in log
    assert "Verified 1 copy, byte for byte." in log


def test_an_archive_is_copied_within_obs_if_possible(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only its verification reads it."""
    emulator.s3.create_bucket(Bucket="scratch-bucket")
    jobs = restore(exported(emulator, [100]), staging_dir="scratch-bucket", source_conn_id="dli_default")
    assert len(jobs) == 1
    assert "within OBS" in capsys.readouterr().out


@pytest.mark.slow
def test_a_missing_bucket_for_copies(emulator: Emulator, abroad: Emulator) -> None:
    """Named, and nothing is imported."""
    given: dict[str, Any] = {"dli_conn_id": "dli_abroad", "source_conn_id": "dli_default"}
    with pytest.raises(DliFailException, match=r"NoSuchBucket|no bucket 'no-such-bucket'"):
        restore(exported(emulator), staging_dir="no-such-bucket/x", **given)
    assert abroad.state.jobs == {}
