"""What proves that jobs came back: another job than the source, that the import has told of."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_dli.exceptions import DliFailException
from dli_emulator import Emulator
from tests.airflow.restores import compare, exported, restore, scratch_jobs, two_projects
from tests.airflow.stores import TaskInstance

AT_HOME: dict[str, Any] = {"dli_conn_id": "dli_default"}


@pytest.fixture
def world(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return the emulator with two projects, each with a connection."""
    return two_projects(dli_emulator, monkeypatch)


@pytest.mark.parametrize("mapping", [None, "", [], {}, [1], "abc", {"a": "b"}, [{"new_job_id": 1}]])
def test_comparing_nothing_is_red(world: Emulator, mapping: Any) -> None:
    """Named by its field."""
    with pytest.raises(DliFailException, match=r"^job_mapping: "):
        compare(mapping)
    assert len(world.requests) == 0


def test_a_source_that_is_gone_is_no_proof(world: Emulator) -> None:
    """Nor is a job that was not restored."""
    jobs = restore(exported(world, [100, 103]))
    del world.world.jobs[100]
    del scratch_jobs(world)[jobs[1]["new_job_id"]]
    with pytest.raises(
        DliFailException, match=r"2 of 2 jobs .*job 100 : its source is gone.* \| job 103 \S+: not restored"
    ):
        compare({job["old_job_id"]: job["new_job_id"] for job in jobs})


def test_a_job_that_was_left_out_did_not_come_back(world: Emulator) -> None:
    """Though there is one of its name: the source itself, or one that was there before."""
    archive = exported(world, [100, 101])
    at_home = restore(archive, on_clash="accept", **AT_HOME)
    with pytest.raises(DliFailException, match=r"2 of 2 jobs .*job 100 \S+: not restored \| job 101 \S+: not"):
        compare(at_home, **AT_HOME)
    restore(exported(world, [101], "other"))
    with pytest.raises(DliFailException, match=r"1 of 2 jobs .*: job 101 \S+: not restored"):
        compare(restore(archive, on_clash="accept"))


@pytest.mark.parametrize("how", ["mapping", "cover"])
def test_a_job_is_no_proof_of_itself(world: Emulator, how: str) -> None:
    """Whoever put it there; what to do is told, and the table says which."""
    mapping: Any = {100: 100}
    if how == "cover":
        mapping = restore(exported(world, [100]), is_cover=True, **AT_HOME)
        assert mapping[0]["new_job_id"] == 100
    instance = TaskInstance()
    with pytest.raises(DliFailException, match=r"job 100 \S+: the restored job is the source itself.*import them"):
        compare(mapping, instance, **AT_HOME)
    assert [(each["same"], each["new_job_id"]) for each in instance.pushed["return_value"]] == [(False, 100)]


def test_the_same_id_in_another_project_is_another_job(world: Emulator) -> None:
    """Ids are compared with the project that they are of."""
    (job,) = restore(exported(world, [100]))
    twin = scratch_jobs(world).pop(job["new_job_id"])
    twin.job_id = 100
    scratch_jobs(world)[100] = twin
    assert compare({100: 100})[0]["same"]


@pytest.mark.parametrize("written", [str, json.dumps, lambda jobs: f"\n{jobs}\n"])
@pytest.mark.parametrize("given", ["output", "mapping"])
def test_the_mapping_may_come_from_a_template(world: Emulator, written: Callable[[Any], str], given: str) -> None:
    """As Jinja writes it, or as JSON."""
    jobs = restore(exported(world, [100, 103]))
    mapping = {job["old_job_id"]: job["new_job_id"] for job in jobs}
    told = compare(written(jobs if given == "output" else mapping))
    assert [(each["old_job_id"], each["new_job_id"], each["same"]) for each in told] == [
        (job["old_job_id"], job["new_job_id"], True) for job in jobs
    ]


@pytest.mark.parametrize(
    "text", ["[", "{{ x }}", "{{}}", "100", "[100]", "[{'old_job_id': 1.5}]", "{'100': '20x'}"]
)
def test_text_that_is_no_mapping_is_refused(world: Emulator, text: str) -> None:
    """Named, before anything is asked."""
    with pytest.raises(DliFailException, match=r"^job_mapping: .*; give the output of the import"):
        compare(text)
    assert len(world.requests) == 0
