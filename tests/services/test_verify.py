"""What archives are verified for, and what goes wrong while they are read: with both stores, over sockets."""

from __future__ import annotations

import io
import logging
import re
import time
from collections.abc import Callable
from datetime import timedelta
from threading import Timer
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import pytest

from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.compat import TaskDeferred
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.operators.dli import DliExportFlinkJobsOperator, DliVerifyFlinkExportOperator
from airflow_provider_dli.services.verify import Progress, VerifyOptions, verify_archives
from dli_emulator import Emulator, Settings
from tests.airflow.stores import TaskInstance
from tests.zipped import zipped

Put = Callable[..., str]

#: of one poll that fails: the client retries by itself
REQUESTS = 3


@pytest.fixture
def emulator(each_store: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return it, clean, and connected through the proxy that scripts faults."""
    connection = each_store.connection("access_key", obs_endpoint=each_store.dli, read_timeout=60)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", connection)
    return each_store


@pytest.fixture
def put(emulator: Emulator) -> Put:
    """Return a function that writes an archive of jobs to the store."""

    def write(key: str, *jobs: int, filling: bytes = b"") -> str:
        content: dict[str, str | bytes] = {
            f"{job}.json": f'{{"job_id": {job}, "name": "job-{job}"}}' for job in jobs
        }
        if filling:
            content["filling.bin"] = filling
        emulator.s3.put_object(Bucket=emulator.bucket, Key=key, Body=zipped(content))
        return f"{emulator.bucket}/{key}"

    return write


def verify(zip_file: Any, **parameters: Any) -> list[dict[str, Any]]:
    """Verify as a task does."""
    given = {"timeout": 0, "poll_interval": 0.05, **parameters}
    return DliVerifyFlinkExportOperator(task_id="verify", zip_file=zip_file, **given).execute({})


def test_a_directory_is_verified_with_all_that_is_in_it(put: Put, logged: Any) -> None:
    """Archives at any depth, and nothing else; what is called .zip, or is an object, is not searched."""
    archives = [put("run/a.zip", 100), put("run/batch-002/b.ZIP", 101)]
    put("run/verify-report.html")
    for place in ("obs-test/run", "obs-test/run/", ["obs://obs-test/run/", archives[0]]):
        assert [report["zip_file"] for report in verify(place)] == archives
    single = put("plain", 100)
    assert [report["zip_file"] for report in verify(single)] == [single]
    with pytest.raises(DliException, match=r"obs://obs-test/none: missing: .* nor a directory with archives"):
        verify("obs-test/none")
    with pytest.raises(DliException, match="obs://obs-test/none/: missing: there is no archive in the directory"):
        verify("obs-test/none/")
    with pytest.raises(
        DliException, match=r"obs://obs-test/none\.zip: missing: there is no such object in the buck"
    ):
        verify("obs-test/none.zip")
    lines = "\n".join(logged())
    assert "obs://obs-test/run is a directory: verifying 2 archives in it." in lines
    assert "Ignoring 1 object not called .zip: obs://obs-test/run/verify-report.html" in lines


def test_a_slash_at_the_end_is_a_directory(put: Put, emulator: Emulator) -> None:
    """Without it a name may be an object, a directory, or both; one that ends in .zip is an object."""
    put("dd", 100)
    emulator.s3.put_object(Bucket=emulator.bucket, Key="dd/a.zip", Body=b"no archive")
    for place in ("obs-test/dd/", "obs-test/dd"):
        with pytest.raises(DliFailException, match=r"obs://obs-test/dd/a\.zip: "):
            verify(place)
    good = put("dd/a.zip", 101)
    assert [report["zip_file"] for report in verify("obs-test/dd")] == ["obs-test/dd", good]
    assert [report["zip_file"] for report in verify("obs-test/dd/")] == [good]
    inside = put("x.zip/a.zip", 102)
    assert [report["zip_file"] for report in verify("obs-test/x.zip/")] == [inside]


def test_a_directory_without_archives_is_named_as_such(put: Put) -> None:
    """With what is in it."""
    put("foreign/a.tar")
    put("foreign/b/c")
    for place in ("obs-test/foreign", "obs-test/foreign/"):
        with pytest.raises(
            DliException, match=r"directory has 2 objects, none called \.zip: foreign/a\.tar, forei"
        ):
            verify(place)


@pytest.mark.parametrize("place", ["obs-test/late", "obs-test/late/"])
def test_a_directory_may_fill_while_it_is_waited_for(put: Put, place: str) -> None:
    """It is listed at every poll."""
    timer = Timer(0.5, put, ["late/a.zip", 100])
    timer.start()
    began = time.monotonic()
    assert [report["zip_file"] for report in verify(place, timeout=20)] == ["obs-test/late/a.zip"]
    assert time.monotonic() - began < 10
    timer.join()


@pytest.mark.slow
def test_each_level_reports_what_it_has_verified(put: Put) -> None:
    """And reads no more than it must."""
    archive = put("a.zip", 100, 101)
    (full,), (directory,), (exists,) = (verify(archive, level=level) for level in ("full", "directory", "exists"))
    assert (full["level"], full["entries"], len(full["sha256"])) == ("full", 2, 64)
    assert (directory["level"], directory["entries"], directory["sha256"]) == ("directory", 2, None)
    assert (exists["level"], exists["entries"], exists["sha256"]) == ("exists", None, None)
    assert full["verified"]
    assert directory["verified"]
    assert exists["verified"]
    assert full["size"] == exists["size"] > 200


@pytest.mark.slow
def test_the_directory_costs_three_requests_at_most(put: Put) -> None:
    """Beside the one that finds the archive; and the bytes of the end, whatever the archive's size."""
    bucket, _, key = put("a.zip", *range(50), filling=bytes(5_000_000)).partition("/")
    hook, ranges = ObsHook(), []
    events = hook.get_conn().meta.events
    events.register("before-send.s3", lambda request, **_: ranges.append(request.headers.get("Range")))
    (report,) = verify_archives(hook, [ObsLocation(bucket, key)], VerifyOptions("directory"), Lines())
    assert report.verified
    requested = [bytes(each).decode().removeprefix("bytes=").split("-") for each in ranges if each]
    assert 1 <= len(requested) <= 3
    assert sum(int(last) - int(first) + 1 for first, last in requested) <= 0.015 * 5_000_000


@pytest.mark.slow
def test_a_flipped_byte_is_found_by_reading_it(put: Put, emulator: Emulator) -> None:
    """At level full; the others do not read there, and their reports show it."""
    archive = put("a.zip", 100, filling=b"x" * 1000)
    data = bytearray(emulator.s3.get_object(Bucket=emulator.bucket, Key="a.zip")["Body"].read())
    data[data.index(b"xxxx") + 500] ^= 1
    emulator.s3.put_object(Bucket=emulator.bucket, Key="a.zip", Body=bytes(data))
    assert verify(archive, level="directory")[0]["verified"]
    with pytest.raises(DliFailException, match=r"bad-crc in 'filling\.bin'"):
        verify(archive)


@pytest.mark.slow
def test_an_object_without_bytes_does_not_pass_for_an_archive(put: Put, emulator: Emulator) -> None:
    """Not even at level exists."""
    put("a.zip")
    emulator.s3.put_object(Bucket=emulator.bucket, Key="a.zip", Body=b"")
    for level in ("exists", "directory", "full"):
        with pytest.raises(DliFailException, match="empty-file"):
            verify(f"{emulator.bucket}/a.zip", level=level)


@pytest.mark.slow
@pytest.mark.parametrize("expected", [[100, "job-101"], "100, 101", 101, "[100, 101]"], ids=str)
def test_expected_jobs_that_are_there(put: Put, expected: Any) -> None:
    """By id or name, however they are given."""
    assert verify(put("a.zip", 100, 101), expected_jobs=expected)[0]["findings"] == []


def test_expected_jobs_that_are_missing_are_named(put: Put) -> None:
    """All of them."""
    with pytest.raises(DliFailException, match=r"missing-job: job '102' .*missing-job: job 'orders'"):
        verify(put("a.zip", 100, 101), expected_jobs=[100, 102, "orders"])


@pytest.mark.slow
def test_an_expected_job_may_be_in_any_of_several_archives(put: Put) -> None:
    """Only what is in none of them is missing."""
    archives = [put("a.zip", 100, 101), put("b.zip", 102)]
    assert [report["findings"] for report in verify(archives, expected_jobs=[100, 101, 102])] == [[], []]
    with pytest.raises(DliFailException) as caught:
        verify(archives, expected_jobs=[100, 103])
    assert "job '103'" in str(caught.value)
    assert "job '100'" not in str(caught.value)


@pytest.mark.slow
def test_a_job_is_not_missing_that_may_be_in_what_another_archive_hides(put: Put, emulator: Emulator) -> None:
    """What was not examined is not empty: neither verified nor called missing."""
    first = put("a.zip", 100)
    emulator.s3.put_object(Bucket=emulator.bucket, Key="b.zip", Body=zipped({"inner.zip": b"PK"}))
    archives = [first, f"{emulator.bucket}/b.zip"]
    reports = verify(archives, expected_jobs=[100])
    assert [(report["verified"], report["findings"], report["fingerprint"]) for report in reports] == [
        (True, [], [])
    ] * 2
    with pytest.raises(DliFailException, match=r"job-not-examined: job '999' was found in nothing") as caught:
        verify(archives, expected_jobs=[100, 999])
    assert "missing-job" not in str(caught.value)
    assert "'100'" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("layout", get_args(get_type_hints(Settings)["layout"]))
def test_expected_jobs_in_every_layout(emulator: Emulator, layout: str) -> None:
    """By id and name; a name that only begins as another's is missing."""
    emulator.state.settings.change({"layout": layout})
    jobs = [job for job in emulator.state.jobs.values() if " " not in job.name]
    archives = DliExportFlinkJobsOperator(task_id="export", obs_dir=f"{emulator.bucket}/a").execute({})
    (report,) = verify(archives, expected_jobs=[*(job.job_id for job in jobs), *(job.name for job in jobs)])
    assert (report["findings"], report["fingerprint"]) == ([], [])
    with pytest.raises(DliFailException, match="missing-job: job 'order' was found nowhere"):
        verify(archives, expected_jobs=["order"])


def test_a_layout_that_is_not_known_is_reported_with_a_fingerprint(emulator: Emulator) -> None:
    """In the XCom and the HTML, without what is its owner's; the message names what to do."""
    emulator.s3.put_object(Bucket=emulator.bucket, Key="a.zip", Body=zipped({"acme/fraud.bin": b"\0secret"}))
    task = DliVerifyFlinkExportOperator(
        task_id="verify",
        zip_file=f"{emulator.bucket}/a.zip",
        expected_jobs=[100],
        timeout=0,
        report_dir=f"{emulator.bucket}/reports",
    )
    pushed: dict[str, Any] = {}
    context: Any = {"ti": SimpleNamespace(xcom_push=lambda key, value, **_: pushed.update({key: value}))}
    with pytest.raises(DliFailException, match="Nothing is damaged: verify without expected_jobs") as caught:
        task.execute(context)
    assert "job-not-examined: job '100'" in str(caught.value)
    (group,) = pushed["return_value"][0]["fingerprint"]
    assert (group["name"], group["content"]) == ("<text>/<text>.bin", "binary, begins with 00 73 65 63")
    key = pushed["report_file"].partition("/")[2]
    page = emulator.s3.get_object(Bucket=emulator.bucket, Key=key)["Body"].read().decode()
    assert "Layout that is not known" in page
    assert "&lt;text&gt;/&lt;text&gt;.bin" in page


def test_many_missing_jobs_are_counted(put: Put) -> None:
    """The reports name a hundred, an XCom has all; nothing that is kept grows with archives times jobs."""
    archives = [put("a.zip", *range(200, 350)), put("b.zip", *range(350, 500))]
    assert [report["verified"] for report in verify(archives, expected_jobs=list(range(200, 500)))] == [True, True]
    instance = TaskInstance()
    task = DliVerifyFlinkExportOperator(
        task_id="verify", zip_file=archives, expected_jobs=["orders", *range(200, 650)], timeout=0
    )
    with pytest.raises(DliFailException, match=r"job '500' .*more-findings: 151 more"):
        task.execute(instance.context)
    assert instance.pushed["missing_jobs"] == [*range(500, 650), "orders"]
    first, second = ([each["code"] for each in report["findings"]] for report in instance.pushed["return_value"])
    assert first == ["missing-job"] * 100 + ["more-findings"]
    assert second == ["more-findings"]
    assert instance.pushed["return_value"][0]["findings"][-1]["message"] == "51 more findings of code missing-job"


def test_too_few_entries(put: Put) -> None:
    """As many as the author knows there must be."""
    archive = put("a.zip", 100, 101)
    assert verify(archive, min_entries=2)[0]["verified"]
    with pytest.raises(DliFailException, match="too-few-entries"):
        verify(archive, min_entries=3)


@pytest.mark.slow
def test_an_archive_of_an_earlier_day(put: Put) -> None:
    """Is found by its age: seconds, or a timedelta."""
    archive = put("a.zip", 100)
    assert verify(archive, max_age=timedelta(hours=1))[0]["verified"]
    time.sleep(1.2)
    with pytest.raises(DliFailException, match=r"too-old: it was written \d+ s ago, max_age is 0 s"):
        verify(archive, max_age=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"level": "half"}, "level: 'half' is not possible; give one of exists, directory, full"),
        ({"level": None}, "level: rendered to nothing; give one of exists, directory, full"),
        ({"min_entries": 0}, "min_entries: 0 is not possible; give a whole number, 1 or more"),
        ({"min_entries": True}, "min_entries: True is not a whole number"),
        ({"min_entries": 2, "level": "exists"}, "min_entries: cannot be checked at level 'exists'"),
        ({"expected_jobs": [1], "level": "exists"}, "expected_jobs: cannot be checked at level 'exists'"),
        ({"expected_jobs": []}, "expected_jobs: was given and is empty"),
        ({"expected_jobs": " , "}, "expected_jobs: was given and is empty"),
        ({"expected_jobs": [None]}, "expected_jobs: item 1 is None; give it a value"),
        ({"expected_jobs": [True]}, "expected_jobs: True is not a job id"),
        ({"max_age": -1}, "max_age: -1 is not possible; give seconds above 0"),
        ({"max_age": "1h"}, "max_age: '1h' is not a length of time"),
        ({"max_age": float("inf")}, "max_age: 'inf' is not a length of time"),
    ],
    ids=str,
)
def test_invalid_parameters_are_refused_by_name(
    emulator: Emulator, parameters: dict[str, Any], problem: str
) -> None:
    """Before anything is sent."""
    emulator.fault("HeadObject", "error", times=None)
    with pytest.raises(DliFailException) as caught:
        verify("obs-test/a.zip", **parameters)
    assert str(caught.value).startswith(problem)


def test_an_expectation_that_rendered_to_none_is_refused() -> None:
    """As where an XCom was empty."""
    task = DliVerifyFlinkExportOperator(task_id="verify", zip_file="obs-test/a.zip", expected_jobs="{{ none }}")
    task.expected_jobs = None
    with pytest.raises(DliFailException, match="expected_jobs: was given and is None"):
        task.execute({})


@pytest.mark.slow
def test_reading_survives_what_passes(put: Put, emulator: Emulator) -> None:
    """A body cut short, a connection that ends, a 503, a slow response: success, and the bytes are the same."""
    archive = put("a.zip", 100, filling=bytes(range(256)) * 12_000)
    (clean,) = verify(archive)
    troubles: list[tuple[str, dict[str, Any]]] = [
        ("cut_during", {}),
        ("cut_before", {}),
        ("reset_before", {}),
        ("error", {"status": 503, "code": "SlowDown"}),
        ("html", {"status": 502}),
        ("slow", {"before": 0.5}),
    ]
    for kind, parameters in troubles:
        emulator.fault("GetObject", kind, times=2, **parameters)
        (report,) = verify(archive)
        assert report == clean, kind
        assert list(emulator.faults) == [], kind


@pytest.mark.slow
def test_reading_gives_up_on_what_does_not_pass(put: Put, emulator: Emulator) -> None:
    """In bounded time, as something that a retry of the task may fix."""
    archive = put("a.zip", 100, filling=b"x" * 300_000)
    troubles: list[tuple[str, dict[str, Any], str]] = [
        ("cut_during", {}, "cut 6 times"),
        ("error", {"status": 503, "code": "SlowDown"}, "HTTP 503 SlowDown"),
    ]
    for kind, parameters, lines in troubles:
        emulator.fault("GetObject", kind, times=None, **parameters)
        with pytest.raises(DliException, match=lines) as caught:
            verify(archive)
        assert not isinstance(caught.value, DliFailException)
        emulator.faults.clear()


@pytest.mark.slow
def test_a_wait_goes_on_after_polls_that_failed(put: Put, emulator: Emulator) -> None:
    """As on the triggerer: no attempt is spent for what passes, also while an archive is read."""
    archive = put("a.zip", 100)
    emulator.fault("HeadObject", "error", times=7 * REQUESTS, status=503, code="SlowDown")
    emulator.fault("GetObject", "error", times=REQUESTS + 1, status=503, code="SlowDown")
    assert verify(archive, timeout=60)[0]["verified"]
    assert list(emulator.faults) == []


@pytest.mark.slow
@pytest.mark.parametrize("timeout", [0.5, 0])
def test_the_failure_of_the_last_poll_in_time_is_raised(put: Put, emulator: Emulator, timeout: float) -> None:
    """What it has not found may be there."""
    archive = put("a.zip", 100)
    emulator.fault("HeadObject", "error", times=None, status=503, code="SlowDown")
    with pytest.raises(DliException, match="HTTP 503") as caught:
        verify(archive, timeout=timeout)
    assert not isinstance(caught.value, DliFailException)


def test_a_task_is_deferred_after_a_poll_that_failed(put: Put, emulator: Emulator) -> None:
    """It polls again there; what can never succeed is raised at once."""
    archive = put("a.zip", 100)
    emulator.fault("HeadObject", "error", times=REQUESTS, status=503, code="SlowDown")
    with pytest.raises(TaskDeferred):
        verify(archive, deferrable=True, timeout=120)
    with pytest.raises(DliFailException, match="no bucket 'no-such-bucket'"):
        verify("no-such-bucket/a.zip", deferrable=True, timeout=120)


def test_a_range_that_is_answered_with_the_whole_object_is_refused(put: Put, emulator: Emulator) -> None:
    """Its first bytes must not pass for its last ones."""
    archive = put("a.zip", 100, filling=b"x" * 300_000)
    emulator.fault("GetObject", "range_ignored")
    with pytest.raises(DliFailException, match=r"requested bytes .* and received the whole object"):
        verify(archive)


@pytest.mark.slow
def test_an_archive_replaced_while_it_is_read_is_read_again(
    put: Put, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing of the old one is in the report."""
    archive = put("a.zip", 100, filling=b"x" * 3_000_000)
    emulator.fault("GetObject", "slow")
    emulator.fault("GetObject", "slow", before=1.0)
    replaced = Timer(0.5, put, ["a.zip", 100, 101, 102])
    replaced.start()
    with caplog.at_level(logging.INFO):
        (report,) = verify(archive)
    replaced.join()
    assert report["verified"]
    assert report["entries"] == 3


def test_an_archive_replaced_again_and_again_fails(put: Put, emulator: Emulator) -> None:
    """After three attempts; a retry of the task may help."""
    archive = put("a.zip", 100, filling=b"x" * 3_000_000)
    emulator.fault("GetObject", "error", times=None, status=412, code="PreconditionFailed", message="changed")
    with pytest.raises(DliException, match="was replaced or deleted while it was read") as caught:
        verify(archive)
    assert not isinstance(caught.value, DliFailException)


@pytest.mark.slow
def test_an_archive_deleted_while_it_is_read_is_missing(put: Put, emulator: Emulator) -> None:
    """And reported as that."""
    archive = put("a.zip", 100, filling=b"x" * 3_000_000)
    emulator.fault("GetObject", "slow")
    emulator.fault("GetObject", "slow", before=1.0)
    deleted = Timer(0.5, lambda: emulator.s3.delete_object(Bucket=emulator.bucket, Key="a.zip"))
    deleted.start()
    with pytest.raises(DliException, match="missing: there is no such object"):
        verify(archive)
    deleted.join()


class Lines(logging.Logger):
    """A log that keeps its lines."""

    def __init__(self) -> None:
        super().__init__("verify")
        self.lines: list[str] = []

    def handle(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(record.getMessage())


def test_a_long_verification_logs_its_progress() -> None:
    """A line now and then, with what is done, the rate and the time that is left."""
    log, now = Lines(), [0.0]
    progress = Progress(log, 20, 20_000_000, interval=10, clock=lambda: now[0])
    for number in range(20):
        place = ObsLocation("bucket", f"{number}.zip")
        reader = progress.count(place, io.BytesIO(bytes(1_000_000)))
        for _ in range(10):
            now[0] += 0.4
            assert len(reader.read(100_000)) == 100_000
        assert reader.tell() == 1_000_000
        progress.finish(place, 1_000_000)
    assert len(log.lines) == 7
    assert log.lines[0] == "Read 2 of 20 MB, finished 2 of 20 archives; 0.2 MB/s, about 70 s left."
    assert log.lines[-1].endswith("finished 17 of 20 archives; 0.3 MB/s, about 8 s left.")


@pytest.mark.slow
def test_twenty_archives_in_one_task_show_their_progress(put: Put, emulator: Emulator) -> None:
    """Lines on the way, and each archive with its verdict at the end."""
    places = [ObsLocation(emulator.bucket, put(f"{n}.zip", n).partition("/")[2]) for n in range(20)]
    log = Lines()
    reports = verify_archives(ObsHook(), places, VerifyOptions(), log, log_interval=0)
    assert all(report.verified for report in reports)
    assert sum(": 1 entry, " in line for line in log.lines) == 20
    lines = [line for line in log.lines if line.startswith("Read ")]
    assert len(lines) >= 20
    assert "of 20 archives;" in lines[-1]


@pytest.mark.slow
def test_the_log_of_an_export_and_its_verification(emulator: Any, logged: Any) -> None:
    """Who, which project, which archive, what was proven, how long: in fourteen lines; many are folded."""
    archives = DliExportFlinkJobsOperator(task_id="export", obs_dir=f"{emulator.bucket}/one").execute({})
    DliVerifyFlinkExportOperator(task_id="verify", zip_file=archives).execute({})
    story = logged()
    (archive,) = archives
    assert len(story) <= 14
    assert story.pop(0).startswith(
        f"Export by connection dli_default: project {emulator.project_id}, region cn-north-4, "
    )
    assert story[0].startswith(f"This key (access key {emulator.access_key}) sees 26 Flink jobs of project ")
    assert story[1:3] == [
        f"Exporting all Flink jobs of project {emulator.project_id} in cn-north-4.",
        "by connection dli_default",
    ]
    assert story[3] == f"Requesting an export of all jobs into obs://{emulator.bucket}/one."
    assert re.fullmatch(r"Exported to 1 archive, in \d+\.\d s\.", story[4])
    assert story[5] == archive
    assert f"obs://{archive}" in story
    assert re.fullmatch(r"1 of 1 archive intact: 26 entries, [\d,]+ bytes, in \d+\.\d s\.", story[-2])
    assert re.fullmatch(r"Verify succeeded in \d+\.\d s\.", story[-1]), story
    many = DliExportFlinkJobsOperator(
        task_id="export", obs_dir=f"{emulator.bucket}/many", job_selected=range(100, 105), batch_size=1
    ).execute({})
    logged()
    DliVerifyFlinkExportOperator(task_id="verify", zip_file=many).execute({})
    lines = "\n".join(logged())
    assert lines.index("::group::5 verified archives") < lines.index(many[0]) < lines.index("::endgroup::")
    assert lines.index("::endgroup::") < lines.index("5 of 5 archives intact: 5 entries")


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Return what operators logged at INFO since: Airflow 3 prints it, Airflow 2 has records."""

    def infos() -> list[str]:
        lines = [line for line in capsys.readouterr().out.splitlines() if "[info" in line]
        lines = [line.partition("]")[2].partition(" [airflow")[0].strip() for line in lines]
        if not lines:
            lines = [
                record.getMessage().strip()
                for record in caplog.records
                if record.levelname == "INFO" and record.name.startswith("airflow.task.operators")
            ]
        caplog.clear()
        return lines

    return infos
