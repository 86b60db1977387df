"""Reports: self-contained pages that escape every value; a failed report hides no failed check."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest

from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.operators.dli import DliVerifyFlinkExportOperator
from airflow_provider_dli.services.pages import Bar
from airflow_provider_dli.services.report import Page, Table, data_of, html
from dli_emulator import Emulator
from tests.airflow.stores import TaskInstance
from tests.services.two_projects import compare, exported, restore, two_projects

NO_BUCKET = "no-such-bucket/reports"
EVIL = "</script><script>alert('x')</script><!-- \"&'"


class Reader(HTMLParser):
    """Records elements, their attributes and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in {"br", "input", "meta", "rect"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def report(**changes: Any) -> Page:
    given: dict[str, Any] = {
        "title": "Title",
        "good": False,
        "verdict": "1 of 2 jobs",
        "facts": {"Run": "r-1", "None": None},
        "tables": [Table("Jobs", ("Id", "Name"), [(1, "a"), (2, None)], frozenset({1}))],
        "data": {"value": 2, "good": False},
    }
    return Page(**given | changes)


def bar(label: str, value: int, *, good: bool) -> Bar:
    return Bar(label, value, good, str(value))


def test_a_page_is_self_contained() -> None:
    """No script that runs, no style, font or image from elsewhere; every element is closed.

    Its policy has the browser refuse them, too.
    """
    read = Reader(html(report(), [bar("one", 2, good=True), bar("two", 3, good=False)]))
    assert read.open == []
    scripts = [attributes for tag, attributes in read.elements if tag == "script"]
    assert [script["type"] for script in scripts] == ["application/json"]
    assert not any(name in ("src", "href") for _, attributes in read.elements for name in attributes)
    (policy,) = (each["content"] for tag, each in read.elements if tag == "meta" and "http-equiv" in each)
    assert policy
    assert policy.startswith("default-src 'none'; style-src 'sha256-")


def test_good_and_bad_are_words_as_well_as_colours() -> None:
    """For colour-blind readers and screen readers."""
    read = Reader(html(report()))
    assert "✗ bad: 1 of 2 jobs" in read.text
    assert "✓ good: 1" in read.text
    assert "✗ bad: 2" in read.text
    assert ("html", {"lang": "en"}) in read.elements
    assert {attributes.get("scope") for tag, attributes in read.elements if tag == "th"} == {"col", "row"}


@pytest.mark.parametrize("place", ["title", "verdict", "facts", "cell", "head", "data", "label"])
def test_every_value_is_escaped(place: str) -> None:
    """Whatever a name or a message of the service contains."""
    changes: dict[str, dict[str, Any]] = {
        "title": {"title": EVIL},
        "verdict": {"verdict": EVIL},
        "facts": {"facts": {EVIL: EVIL}},
        "cell": {"tables": [Table("t", ("a",), [(EVIL,)])]},
        "head": {"tables": [Table(EVIL, (EVIL,), [("x",)])]},
        "data": {"data": {"value": 1, "good": True, EVIL: EVIL}},
        "label": {},
    }
    page = html(report(**changes[place]), [bar(EVIL, 1, good=True), bar("b", 1, good=True)])
    read = Reader(page)
    assert [tag for tag, _ in read.elements].count("script") == 1
    if place == "data":
        assert (data_of(page) or {})[EVIL] == EVIL


def test_a_page_keeps_its_data() -> None:
    """For the chart of the next report; other pages have none."""
    assert data_of(html(report())) == {"value": 2, "good": False}
    assert data_of("<html></html>") is None
    assert data_of('<script type="application/json" id="report">[1]</script>') is None


def test_the_chart_has_a_caption_and_a_title_for_each_bar() -> None:
    """For screen readers."""
    page = html(report(), [bar("2026-01-01", 26, good=True), bar("2026-01-02", 0, good=False)])
    assert "The last 2 runs: 1 bad; 26 at first, 0 now" in page
    assert "2026-01-02: 0, bad" in page
    assert page.count("<rect x=") == 2
    assert "The last" not in html(report(), [bar("2026-01-01", 26, good=True)])


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return the emulator with two projects; requests to its store pass through it, so that faults apply."""
    emulator = two_projects(dli_emulator, monkeypatch)
    connection = emulator.connection(obs_endpoint=emulator.dli, retry_budget=0)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", connection)
    return emulator


def verify(zip_file: str, instance: TaskInstance | None = None, **parameters: Any) -> list[dict[str, Any]]:
    operator = DliVerifyFlinkExportOperator(task_id="verify", zip_file=zip_file, timeout=0, **parameters)
    return operator.execute((instance or TaskInstance()).context)


def damaged(emulator: Emulator) -> str:
    emulator.s3.put_object(Bucket=emulator.bucket, Key="bad.zip", Body=b"no archive at all")
    return f"{emulator.bucket}/bad.zip"


def test_an_invalid_report_directory_is_refused_before_anything_is_read(emulator: Emulator) -> None:
    """Also if the task would be deferred first."""
    emulator.fault("HeadObject", "error", times=None, status=403, code="AccessDenied")
    for deferrable in (True, False):
        with pytest.raises(DliFailException, match=r"^report_dir: 'Not_A_Bucket' cannot be a bucket name"):
            verify(f"{emulator.bucket}/a.zip", report_dir="Not_A_Bucket/x", deferrable=deferrable)
    with pytest.raises(DliFailException, match=r"^report_dir: "):
        compare({100: 200}, report_dir="Not_A_Bucket/x")
    assert not emulator.requests


def test_a_damaged_archive_is_named_if_the_report_cannot_be_written(emulator: Emulator) -> None:
    """The findings first, then the report's error; the advice is about the archive."""
    instance = TaskInstance()
    with pytest.raises(DliFailException, match=r"1 of 1 archive failed verification: .*bad\.zip") as caught:
        verify(damaged(emulator), instance, report_dir=NO_BUCKET)
    message = str(caught.value)
    assert (
        "The report was not written: PutObject" in message or "The report was not written: HeadBucket" in message
    )
    assert "no bucket 'no-such-bucket'" in message
    assert message.endswith("Keep the archive as evidence and export again.")
    assert caught.value.advice == "Keep the archive as evidence and export again."
    assert not instance.pushed["return_value"][0]["verified"]


@pytest.mark.slow
def test_a_missing_archive_is_retried_if_the_report_cannot_be_written(emulator: Emulator) -> None:
    """The report's error does not make the failure permanent."""
    with pytest.raises(DliException, match=r"missing: there is no .*The report was not written") as caught:
        verify(f"{emulator.bucket}/not-yet.zip", report_dir=NO_BUCKET)
    assert not isinstance(caught.value, DliFailException)


def test_a_report_that_cannot_be_written_fails_the_task(emulator: Emulator) -> None:
    """Also if every check passed; the result is pushed."""
    instance = TaskInstance()
    with pytest.raises(DliFailException, match="no bucket 'no-such-bucket'") as caught:
        verify(exported(emulator, [100]), instance, report_dir=NO_BUCKET)
    assert "not proven" not in str(caught.value)
    assert instance.pushed["return_value"][0]["verified"]


def test_a_fact_that_is_not_there_is_a_dash(emulator: Emulator) -> None:
    """Outside of a DAG run there is no run id, in either report."""
    archive = exported(emulator, [100])
    verify(archive, report_dir=f"{emulator.bucket}/verified")
    (restored,) = restore(archive)
    compare({100: restored["new_job_id"]}, report_dir=f"{emulator.bucket}/compared")
    for folder in ("verified", "compared"):
        listed = emulator.s3.list_objects_v2(Bucket=emulator.bucket, Prefix=f"{folder}/")["Contents"]
        (key,) = [each["Key"] for each in listed if each["Key"].endswith(".html")]
        page = emulator.s3.get_object(Bucket=emulator.bucket, Key=key)["Body"].read().decode()
        assert "<dt>Run</dt><dd>-</dd>" in page, folder


@pytest.mark.slow
@pytest.mark.parametrize("altered", [True, False])
def test_a_comparison_is_pushed_if_the_report_cannot_be_written(emulator: Emulator, altered: bool) -> None:
    """A job that differs is named all the same."""
    if altered:
        emulator.fault("ImportFlinkJobs", "import_alters", job=100)
    jobs, instance = restore(exported(emulator, [100])), TaskInstance()
    with pytest.raises(DliFailException, match="no bucket 'no-such-bucket'") as caught:
        compare(jobs, instance, report_dir=NO_BUCKET)
    assert ("desc is 7 characters with SHA-256" in str(caught.value)) is altered
    assert [each["equal"] for each in instance.pushed["return_value"]] == [not altered]
    assert instance.pushed["report"].startswith("# Restored Flink jobs")
    assert "report_file" not in instance.pushed


def test_a_report_omits_earlier_runs_that_cannot_be_read(emulator: Emulator) -> None:
    """With the permission to write and not to read."""
    archive = exported(emulator, [100])
    given: dict[str, Any] = {"level": "exists", "report_dir": f"{emulator.bucket}/reports"}
    verify(archive, **given)
    emulator.fault("GetObject", "error", times=None, status=403, code="AccessDenied", message="not allowed to get")
    instance = TaskInstance()
    assert verify(archive, instance, **given)[0]["verified"]
    bucket, _, key = instance.pushed["report_file"].partition("/")
    page = emulator.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    assert json.loads(page.partition('id="report">')[2].partition("</script>")[0])["good"]
    assert "The last runs" not in page
