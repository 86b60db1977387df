"""The page of a catalogue: what it shows of projects, jobs and backups, and that no text of theirs is HTML."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.coverage import REMEDIES, Coverage, JobCoverage, Problem, write_coverage
from airflow_provider_dli.backups.manifest import EXPIRED, JOBS, MANIFEST
from airflow_provider_dli.backups.page import INDEX, backup_page, static_page, write_page
from airflow_provider_dli.backups.state import Backup
from airflow_provider_dli.backups.summary import Summary, summarize
from airflow_provider_dli.services.pages import SCRIPT, policy
from dli_emulator import Emulator
from tests.backups.made import PROJECT, catalogue_of, make_backup, rot
from tests.hostile import HOSTILE, is_clean
from tests.services.test_report import EVIL, Reader

NIGHT = datetime(2026, 11, 1, 2, tzinfo=UTC)
DAY = timedelta(days=1)
OTHER = "99cc2c48765f481480c7db940d6409d1"


@pytest.fixture
def catalogue(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """Return an empty catalogue in the emulator's bucket."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    return catalogue_of(dli_emulator)


def coverage(at: datetime, *jobs: JobCoverage, problems: tuple[Problem, ...] = (), **given: Any) -> Coverage:
    return Coverage(
        checked_at=at,
        project_id=PROJECT,
        passed=not problems,
        level="full",
        max_age=86_400,
        jobs=jobs,
        problems=problems,
        **given,
    )


def live(job_id: int, **given: Any) -> JobCoverage:
    return JobCoverage(
        job_id=job_id, name=f"job_{job_id}", job_type="flink_jar_job", status="job_running", **given
    )


def rows_of(page: str, name: str) -> list[dict[str, Any]]:
    """Return the rows of a table that the script fills, by the names of the columns."""
    section = page.partition(f'aria-labelledby="{name}"')[2].partition("</section>")[0]
    if not section:
        return []
    data = json.loads(section.partition('<script type="application/json">')[2].partition("</script>")[0])
    names = [head.partition("<")[0] for head in section.split('<button type="button">')[1:]]
    return [
        {"good": bool(good), "states": states, "link": link} | dict(zip(names, cells, strict=False))
        for good, states, link, *cells in data["rows"]
    ]


def states(summary: Summary) -> dict[int, tuple[str, ...]]:
    return {job.job_id: job.states for project in summary.projects for job in project.jobs}


def test_a_catalogue_without_backups_has_a_page(catalogue: Catalogue) -> None:
    """Its verdict is that, and it is not good."""
    page = static_page(catalogue)
    assert "✗ bad: There are no backups." in Reader(page).text
    assert "<table>" not in page


def test_the_page_shows_each_job_with_its_newest_usable_backup(catalogue: Catalogue) -> None:
    """Without a check of the coverage too: what has changed and what was drilled is not known then."""
    make_backup(catalogue, NIGHT, [100, 101, 102])
    newest = make_backup(catalogue, NIGHT + DAY, [100, 101])
    damaged = make_backup(catalogue, NIGHT + 2 * DAY, [100, 101, 103])
    catalogue.record(damaged, "verification", {}, "failed")
    jobs = rows_of(static_page(catalogue), "jobs")
    assert [(job["Job"], job["Id"], job["State"], job["Backup"]) for job in jobs] == [
        ("job_100", 100, "verified", newest.backup_id),
        ("job_101", 101, "verified", newest.backup_id),
    ]
    verified_at = NIGHT + DAY + timedelta(seconds=20)
    assert {(job["good"], job["Last verified"], job["Last drill"], job["Changed since"]) for job in jobs} == {
        (True, int(verified_at.timestamp()), None, None)
    }


def test_a_job_that_is_not_in_the_archives_has_no_backup(catalogue: Catalogue) -> None:
    """Though the newest backup lists it; the page of that backup shows which jobs were found."""
    made = make_backup(catalogue, NIGHT, [100, 101, 102], in_archive={100: False, 101: None})
    assert states(summarize(catalogue)) == {100: ("no backup",), 101: ("verified",), 102: ("verified",)}
    jobs = rows_of(backup_page(catalogue, made, "?"), "jobs")
    assert [(job["Id"], job["good"], job["In the archive"]) for job in jobs] == [
        (100, False, "not found"),
        (101, True, "not known"),
        (102, True, "found"),
    ]


def test_the_last_check_shows_what_is_wrong_with_a_job(catalogue: Catalogue) -> None:
    """No backup, changed, never drilled: several at once; and when it was drilled."""
    made = make_backup(catalogue, NIGHT, [100, 101, 102])
    known: dict[str, Any] = {"backup_id": made.backup_id, "verified_at": NIGHT}
    problems = [
        Problem(kind="changed", job_id=101, message="changed"),
        Problem(kind="not_drilled", job_id=101, message="never drilled"),
        Problem(kind="no_backup", job_id=200, message="no backup"),
        Problem(kind="damaged", backup_id="20261001T000000Z-00000000", message="an archive is gone"),
    ]
    jobs = (
        live(100, **known, drilled_at=NIGHT - DAY, changed=False),
        live(101, **known, changed=True),
        live(200),
    )
    write_coverage(catalogue, coverage(NIGHT + timedelta(hours=1), *jobs, problems=tuple(problems)))
    summary = summarize(catalogue)
    assert states(summary) == {
        100: ("verified",),
        101: ("changed", "not drilled"),
        102: ("verified",),
        200: ("no backup",),
    }
    page = static_page(catalogue)
    shown = {job["Id"]: job for job in rows_of(page, "jobs")}
    assert shown[100]["Last drill"] == int((NIGHT - DAY).timestamp())
    assert [shown[each]["Changed since"] for each in (100, 101, 102, 200)] == ["no", "yes", None, None]
    assert (shown[200]["Job"], shown[200]["Backup"], shown[200]["good"]) == ("job_200", None, False)
    text = Reader(page).text
    assert REMEDIES["damaged"] in text
    assert "✗ bad: problems found by the last check of 1 project." in text
    assert "an archive is gone" in text


def test_a_later_backup_puts_right_what_a_check_found(catalogue: Catalogue) -> None:
    """Of the jobs that it has; a drill it does not replace."""
    made = make_backup(catalogue, NIGHT, [100])
    problems = (
        Problem(kind="changed", job_id=100, message="changed"),
        Problem(kind="not_drilled", job_id=100, message="never drilled"),
        Problem(kind="no_backup", job_id=200, message="no backup"),
        Problem(kind="no_backup", job_id=201, message="no backup"),
    )
    jobs = (live(100, backup_id=made.backup_id, changed=True), live(200), live(201))
    write_coverage(catalogue, coverage(NIGHT + timedelta(hours=1), *jobs, problems=problems))
    later = make_backup(catalogue, NIGHT + DAY, [100, 200])
    found = summarize(catalogue)
    assert states(found) == {100: ("not drilled",), 200: ("verified",), 201: ("no backup",)}
    assert {job.backup_id for job in found.projects[0].jobs} == {later.backup_id, None}
    assert [job.changed for job in found.projects[0].jobs] == [None] * 3


def test_every_backup_has_its_state(catalogue: Catalogue) -> None:
    """And that it is held; one that is expired is only counted."""
    made = {name: make_backup(catalogue, NIGHT + number * DAY) for number, name in enumerate("abcdefg")}
    catalogue.obs.delete(made["a"].place.below("archives/batch-0001/aggregate_1.zip"))
    catalogue.obs.put(made["b"].place.below(MANIFEST), b"{", "application/json")
    catalogue.obs.delete(made["c"].place.below(MANIFEST))
    catalogue.record(made["d"], "expiring", {})
    catalogue.record(made["e"], "hold", {"reason": "audit"})
    catalogue.record(made["e"], "copy", {})
    catalogue.record(made["e"], "drill", {}, "passed", at=NIGHT + 9 * DAY)
    catalogue.obs.put(made["f"].place.below(EXPIRED), b"{}", "application/json")
    page = static_page(catalogue)
    shown = {row["Backup"]: row for row in rows_of(page, "backups")}
    assert {name: shown[each.backup_id]["states"] for name, each in made.items() if name != "f"} == {
        "a": ["damaged"],
        "b": ["unreadable"],
        "c": ["incomplete"],
        "d": ["expiring"],
        "e": ["verified", "held"],
        "g": ["verified"],
    }
    held = shown[made["e"].backup_id]
    assert (held["Copies"], held["Last drill"]) == (1, int((NIGHT + 9 * DAY).timestamp()))
    assert made["f"].backup_id not in page
    text = Reader(page).text
    assert "✗ bad: 2 backups damaged or unreadable." in text
    assert "6, and 1 expired" in text
    assert "drill passed" in text
    assert "archives/batch-0001/aggregate_1.zip is gone" in text


def test_backups_are_described_on_the_page(catalogue: Catalogue) -> None:
    """The newest twenty of a project, and the links lead there; the others are in the table."""
    for number in range(22):
        make_backup(catalogue, NIGHT + number * DAY, [100])
    page = static_page(catalogue)
    rows = rows_of(page, "backups")
    anchors = [row["link"] for row in rows]
    assert [bool(anchor) for anchor in anchors] == [True] * 20 + [False] * 2
    ids = {attributes.get("id") for _, attributes in Reader(page).elements}
    assert {str(anchor).removeprefix("#") for anchor in anchors[:20]} <= ids
    assert "Sizes of the last 20 backups" in page


def test_several_projects_are_distinguished(catalogue: Catalogue) -> None:
    """One without a usable backup is bad; with one project alone there is no column for it."""
    make_backup(catalogue, NIGHT)
    assert "Project" not in rows_of(static_page(catalogue), "jobs")[0]
    make_backup(catalogue, NIGHT, [300], project_id=OTHER, passed=False)
    page = static_page(catalogue)
    assert {row["Project"] for row in rows_of(page, "jobs")} == {PROJECT}
    assert {row["Project"] for row in rows_of(page, "backups")} == {PROJECT, OTHER}
    assert "✗ bad: 1 of 2 projects without a usable backup; 1 backup damaged or unreadable." in Reader(page).text


def test_the_page_of_one_backup_has_its_records_and_jobs(catalogue: Catalogue) -> None:
    """What they contain is read."""
    made = make_backup(catalogue, NIGHT, [100, 101])
    rows = [{"job_id": 100, "name": "job_100", "problem": "differs"}, {"job_id": 101, "problem": None}]
    catalogue.record(made, "drill", {"jobs": rows, "seconds": 2.5, "run": None}, "failed")
    found = catalogue.backup(PROJECT, made.backup_id)
    assert found
    page = backup_page(catalogue, found, "?")
    text = Reader(page).text
    assert "drill failed" in text
    assert "jobs: 100 job_100 differs, 101; seconds: 2.5" in text
    assert "nightly, task backup" in text
    assert "full, passed, 2026-11-01 02:00 UTC" in text
    assert "<time" not in text
    assert [row["Job"] for row in rows_of(page, "jobs")] == ["job_100", "job_101"]


def test_a_backup_whose_jobs_cannot_be_read_is_named(catalogue: Catalogue) -> None:
    """The other projects are shown."""
    made = make_backup(catalogue, NIGHT, [100])
    make_backup(catalogue, NIGHT, [300], project_id=OTHER)
    rot(catalogue, made, JOBS)
    page = static_page(catalogue)
    assert [row["Job"] for row in rows_of(page, "jobs")] == ["job_300"]
    text = Reader(page).text
    assert "1 project not read completely" in text
    assert f"{JOBS} is not what was written" in text


def hostile(catalogue: Catalogue, text: str) -> Backup:
    """Write a backup and a check whose every text is hostile."""
    made = make_backup(catalogue, NIGHT, [100], project_id=PROJECT)
    assert made.manifest
    manifest = made.manifest.model_copy(
        update={
            "region": text,
            "connection_id": text,
            "selection": text,
            "provider_version": text,
            "copied_from": text,
            "verification": made.manifest.verification.model_copy(update={"findings": (text,)}),
            "jobs": catalogue.write_content(
                made.place,
                JOBS,
                [
                    job.model_copy(update={"name": text, "job_type": text, "status": text, "digest": text})
                    for job in catalogue.jobs(made)
                ],
            ),
        }
    )
    catalogue.obs.put(made.place.below(MANIFEST), manifest.model_dump_json().encode(), "application/json")
    catalogue.record(made, "drill", {text: text}, "failed")
    problem = Problem(kind="damaged", backup_id=text, message=text)
    write_coverage(
        catalogue,
        coverage(NIGHT + DAY, live(200, backup_id=text), problems=(problem,), warnings=(problem,)),
    )
    found = Catalogue(catalogue.obs, catalogue.root).backup(PROJECT, made.backup_id)
    assert found
    return found


@pytest.mark.parametrize("text", [EVIL, HOSTILE], ids=["html", "text"])
def test_no_text_of_a_catalogue_is_html(catalogue: Catalogue, text: str) -> None:
    """And every character of it can be seen, in the JSON that the script reads too."""
    found = hostile(catalogue, text)
    again = Catalogue(catalogue.obs, catalogue.root)
    for page, scripts in ((static_page(again), 3), (backup_page(again, found, "?"), 2)):
        read = Reader(page)
        assert read.open == []
        assert [tag for tag, _ in read.elements].count("script") == scripts
        assert "alert('x')</script>" not in page
        assert is_clean(read.text.replace("\n", ""))
        cells = [cell for name in ("jobs", "backups") for row in rows_of(page, name) for cell in row.values()]
        assert all(is_clean(cell) for cell in cells if isinstance(cell, str))


def test_the_page_is_self_contained(catalogue: Catalogue) -> None:
    """One script that runs, which the policy names by its hash; nothing is loaded."""
    make_backup(catalogue, NIGHT)
    page = static_page(catalogue)
    read = Reader(page)
    assert not any("src" in attributes for _, attributes in read.elements)
    assert all(str(attributes["href"]).startswith("#") for tag, attributes in read.elements if tag == "a")
    assert page.count("<script>") == 1
    assert f"<script>{SCRIPT}</script>" in page
    (given,) = (each["content"] for tag, each in read.elements if tag == "meta" and "http-equiv" in each)
    assert given == policy(SCRIPT)
    assert "script-src 'sha256-" in given
    assert "unsafe" not in given
    assert SCRIPT.isascii()


def test_the_page_lies_beside_the_projects(catalogue: Catalogue) -> None:
    """It is written again each time, and does not count as a backup."""
    make_backup(catalogue, NIGHT)
    places = {write_page(catalogue), write_page(catalogue)}
    assert places == {catalogue.root.below(INDEX)}
    data = catalogue.obs.read(places.pop(), 1 << 20)
    assert data
    assert b"Backups of Flink jobs" in data
    assert len(catalogue.backups()) == 1


def test_five_thousand_jobs_are_one_page(catalogue: Catalogue) -> None:
    """Of a size that a browser takes at once, out of a few requests."""
    make_backup(catalogue, NIGHT, range(5000), batch=1000)
    page = static_page(catalogue)
    assert len(rows_of(page, "jobs")) == 5000
    assert len(page) < 1_000_000
