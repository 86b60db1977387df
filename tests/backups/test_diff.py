"""Differences between backups, and between a backup and a project: each job and setting, public values only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.diff import Differences, JobPair, diff_backups, diff_with_project
from airflow_provider_dli.hooks.dli import DliHook
from dli_emulator import Emulator
from tests.backups.made import catalogue_of, make_backup
from tests.backups.real import back_up
from tests.hostile import HOSTILE, is_clean
from tests.services.two_projects import scratch_of, two_projects

NIGHT = datetime(2026, 11, 1, 2, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return the emulator with three jobs, a second project, and a connection for each."""
    two_projects(dli_emulator, monkeypatch)
    jobs = dli_emulator.state.jobs
    for job_id in sorted(jobs)[3:]:
        del jobs[job_id]
    return dli_emulator


@pytest.fixture
def catalogue(emulator: Emulator) -> Catalogue:
    """Return an empty catalogue."""
    return catalogue_of(emulator)


def shown(found: Differences) -> dict[str, list[int]]:
    return {kind: [each.job_id for each in found.of_kind(kind)] for kind in ("removed", "changed", "added")}


def change(emulator: Emulator) -> int:
    """Change one job, delete another, create a third; return its id."""
    emulator.state.jobs[100].sql_body = "insert into a select 'password=hunter2'"
    emulator.state.jobs[100].job_config["parallel_number"] = 7
    del emulator.state.jobs[101]
    return int(emulator.state.add_job(name="new").job_id)


def test_between_two_backups(emulator: Emulator, catalogue: Catalogue) -> None:
    """Jobs removed, changed and added; of a setting that may hold a secret its digest only."""
    before = back_up(catalogue, NIGHT)
    new = change(emulator)
    after = back_up(catalogue, NIGHT + DAY)
    found = diff_backups(catalogue, before, after)
    assert shown(found) == {"removed": [101], "changed": [100], "added": [new]}
    assert found.counts == {"removed": 1, "changed": 1, "added": 1, "equal": 1}
    (changed,) = found.of_kind("changed")
    assert [each["field"] for each in changed.settings] == ["job_config.parallel_number", "sql_body"]
    assert "job_config.parallel_number was 1 and is 7; sql_body was" in changed.summary
    lines = list(found.lines())
    assert [line.split()[0] for line in lines[1:]] == ["-", "~", "job_config.parallel_number", "sql_body", "+"]
    assert "hunter2" not in "".join(lines) + str(found.as_dict())
    whole = diff_backups(catalogue, before, after, show_values=True)
    assert "hunter2" in "".join(whole.lines())
    assert "hunter2" in str(whole.as_dict())
    back = diff_backups(catalogue, after, before)
    assert shown(back) == {"removed": [new], "changed": [100], "added": [101]}
    assert diff_backups(catalogue, before, before).is_empty


def test_between_a_backup_and_now(emulator: Emulator, catalogue: Catalogue) -> None:
    """The same, by one list of the jobs."""
    before = back_up(catalogue, NIGHT)
    hook = DliHook()
    assert diff_with_project(catalogue, before, hook).is_empty
    new = change(emulator)
    sent = len(emulator.requests)
    found = diff_with_project(catalogue, before, hook)
    assert shown(found) == {"removed": [101], "changed": [100], "added": [new]}
    operations = [each.operation for each in emulator.requests[sent:]]
    assert operations.count("ListFlinkJobs") == 1
    assert "ShowFlinkJob" not in operations
    assert found.as_dict()["counts"]["equal"] == 1


def test_without_settings_only_the_digest_differs(emulator: Emulator, catalogue: Catalogue) -> None:
    """Which setting it is is not known; the lines report that."""
    before = back_up(catalogue, NIGHT, with_settings=False)
    change(emulator)
    for found in (
        diff_with_project(catalogue, before, DliHook()),
        diff_backups(catalogue, before, back_up(catalogue, NIGHT + DAY)),
        diff_backups(catalogue, back_up(catalogue, NIGHT + 2 * DAY), before),
    ):
        (changed,) = found.of_kind("changed")
        assert (changed.job_id, changed.settings) == (100, ())
        assert "which of them is not known" in "".join(found.lines())


def test_a_renamed_job_is_one_job(emulator: Emulator, catalogue: Catalogue) -> None:
    """By its id; by name, as an import sees it, it is removed and another is added. A swap of names too."""
    before = back_up(catalogue, NIGHT)
    one, two = emulator.state.jobs[100], emulator.state.jobs[101]
    name = one.name
    one.name = "renamed"
    hook = DliHook()
    found = diff_with_project(catalogue, before, hook)
    assert shown(found) == {"removed": [], "changed": [100], "added": []}
    assert found.of_kind("changed")[0].summary == f"name was {name!r} and is 'renamed'"
    by_name = diff_with_project(catalogue, before, hook, by_name=True)
    assert shown(by_name) == {"removed": [100], "changed": [], "added": [100]}
    one.name, two.name = two.name, name
    swapped = diff_with_project(catalogue, before, hook)
    assert [each.settings[0]["field"] for each in swapped.of_kind("changed")] == ["name"] * 2


def test_jobs_of_another_project_are_the_same_by_name(emulator: Emulator, catalogue: Catalogue) -> None:
    """Ids mean nothing there, even equal ones; so it is for a job that was deleted and created again."""
    before = back_up(catalogue, NIGHT)
    job = emulator.state.jobs.pop(100)
    emulator.state.add_job(name=job.name, desc="again", in_project=emulator.project_id)
    (again,) = diff_with_project(catalogue, before, DliHook()).of_kind("changed")
    assert again.job_id == 100
    assert again.after
    assert again.after.job_id != 100
    there = emulator.state.add_job(in_project=scratch_of(emulator).project_id, name=job.name)
    found = diff_with_project(catalogue, before, DliHook("dli_scratch"))
    assert shown(found) == {"removed": [101, 102], "changed": [100], "added": []}
    assert found.of_kind("changed")[0].as_dict()["job_id_after"] == there.job_id


def test_what_dli_fills_in_does_not_differ(emulator: Emulator, catalogue: Catalogue) -> None:
    """Not even where only the settings show it, for the digests differ."""
    emulator.state.jobs[100].job_config["checkpoint_path"] = "obs-test"
    before = back_up(catalogue, NIGHT)
    emulator.state.jobs[100].job_config["checkpoint_path"] = "obs-test/jobs/checkpoint/100_abc"
    found = diff_with_project(catalogue, before, DliHook())
    assert found.is_empty


def test_hostile_names_do_not_forge_lines(catalogue: Catalogue) -> None:
    """Each job is a line; what is invisible is shown."""
    before, after = make_backup(catalogue, NIGHT, [100]), make_backup(catalogue, NIGHT + DAY, [])
    (pair,) = diff_backups(catalogue, before, after).pairs
    assert pair.before
    hostile = JobPair(pair.before.model_copy(update={"name": HOSTILE}), None, "removed")
    lines = list(Differences(HOSTILE, "now", (hostile,)).lines())
    assert len(lines) == 2
    assert all(map(is_clean, lines))
