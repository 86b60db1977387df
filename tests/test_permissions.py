"""The permissions that docs/permissions.md names: enough for each example DAG, and none of them too much."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dli_emulator import Emulator
from tests.backups.made import catalogue_of, make_backup
from tests.backups.real import back_up
from tests.connections import connected
from tests.dag_runs import DagRunner, Run, Scratch, exported
from tests.sampling import is_tried

PAGE = Path(__file__).parents[1].joinpath("docs", "permissions.md").read_text(encoding="utf-8")
#: owner of some of the sample jobs, and of no others
USER, OTHER = "svc-airflow", "svc-scratch"
DLI, OBS = "dli:jobs:", "obs:"
#: action -> its name in identity policies
RENAMED = {"listAll": "list", "start": "startFlinkJob", "stop": "stopFlinkJob"}

Needs = dict[str, tuple[str, ...]]


def _actions(cell: str) -> tuple[str, ...]:
    """Return the actions that a cell of the table names; those of OBS begin with a capital letter."""
    known = {action.rpartition(":")[2]: action for action in _POLICIES["1.1"] + _POLICIES["obs"]}
    return tuple(known[word] for word in re.findall(r"\w+", cell) if word in known)


def _policies() -> dict[str, list[str]]:
    """Return the actions of each policy to paste: those of DLI by version, that of OBS."""
    documents = [json.loads(code) for code in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
    found: dict[str, list[str]] = {}
    for document in documents:
        actions = document["Statement"][0]["Action"]
        found.setdefault(document["Version"] if actions[0].startswith(DLI) else "obs", actions)
    return found


def _needs() -> dict[str, Needs]:
    """Return the permissions of each example DAG, by connection."""
    section = PAGE.partition("### Of each example DAG")[2].partition("\n#")[0]
    found: dict[str, Needs] = {}
    before: tuple[str, ...] = ()
    for names, default, other in re.findall(r"^\| (`dli_[^|]*) \| ([^|]*) \| ([^|]*)\|", section, re.MULTILINE):
        if names == "`dli_default`":
            continue
        before = _actions(default) if "the same" not in default else before
        for name in re.findall(r"`(\w+)`", names):
            found[name] = {"dli_default": before}
            for conn_id, cell in re.findall(r"`(dli_\w+)`: (.*)", other):
                found[name][conn_id] = _actions(cell)
    return found


_POLICIES = _policies()
NEEDS = _needs()


def policies(actions: tuple[str, ...], bucket: str, version: str) -> list[dict[str, Any]]:
    """Return the policies of the page, with just these actions."""
    (document,) = [
        document
        for code in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
        for document in [json.loads(code.replace("my-bucket", bucket))]
        if document["Statement"][0]["Action"] == _POLICIES["obs"]
    ]
    of_dli = [each.rpartition(":")[2] for each in actions if each.startswith(DLI)]
    names = [f"{DLI}{RENAMED.get(each, each) if version == '5.0' else each}" for each in of_dli]
    assert set(names) <= set(_POLICIES[version])
    given = []
    if names:
        given.append({"Version": version, "Statement": [{"Effect": "Allow", "Action": names}]})
    if of_obs := [each for each in actions if each.startswith(OBS)]:
        document["Statement"][0]["Action"] = of_obs
        given.append(document)
    return given


@dataclass(frozen=True)
class Setting:
    """The emulator with two projects and a user for each connection."""

    emulator: Emulator
    scratch: Scratch
    run_dag: DagRunner

    def run(self, dag_id: str, needs: Needs, conf: dict[str, Any] | None = None, version: str = "1.1") -> Run:
        """Run a DAG with keys that have these permissions."""
        projects = {"dli_default": self.emulator.project_id}
        given: dict[str, str] = {}
        for conn_id in ("dli_default", "dli_scratch", "dli_test", "dli_offsite"):
            user = USER if conn_id == "dli_default" else OTHER
            if conn_id in needs:
                bucket = "off-site" if conn_id == "dli_offsite" else self.emulator.bucket
                granted = policies(needs[conn_id], bucket, version)
                self.emulator.state.add_user(user, *granted)
                project = projects.get(conn_id, self.scratch.project_id)
                connection = self.emulator.connection(user=user, project_id=project, retry_budget=0)
                given[f"AIRFLOW_CONN_{conn_id.upper()}"] = connection
        return self.run_dag(dag_id, conf, **given)


Prepare = Callable[[Setting], dict[str, Any] | None]


def _nothing(setting: Setting) -> None:
    del setting


def _changed(setting: Setting) -> None:
    """Change the jobs after the last run of the DAG."""
    for job in setting.emulator.state.jobs.values():
        job.update_time = int(time.time() * 1000) + 60_000


def _selected(setting: Setting) -> dict[str, Any]:
    del setting
    return {"job_selected": "100, 101"}


def _archive(setting: Setting) -> dict[str, Any]:
    return {"zip_file": exported(setting.emulator, "flink")}


def _backed_up(setting: Setting) -> None:
    """Make a backup of all jobs, as the DAG of the backups does."""
    with connected({"dli_default": setting.emulator.connection()}):
        catalogue = catalogue_of(setting.emulator)
        back_up(catalogue, catalogue.now())


def _backed_up_long_ago(setting: Setting) -> None:
    """Make a backup that is to be verified again."""
    with connected({"dli_default": setting.emulator.connection()}):
        back_up(catalogue_of(setting.emulator), datetime(2026, 1, 1, tzinfo=UTC), batches=[[100]])


def _archives(setting: Setting) -> dict[str, Any]:
    return {"zip_file": [exported(setting.emulator, "flink")]}


def _lost(setting: Setting) -> dict[str, Any]:
    """Return an archive whose jobs no longer exist."""
    archive = _archive(setting)
    setting.emulator.state.jobs.clear()
    return archive


def _backup(setting: Setting) -> dict[str, Any]:
    """Return what restores one of two jobs of a backup, which no longer exist."""
    state = setting.emulator.state
    with connected({"dli_default": setting.emulator.connection()}):
        back_up(catalogue_of(setting.emulator), datetime(2026, 11, 1, tzinfo=UTC), batches=[[100, 103]])
    name = state.jobs[100].name
    state.jobs.clear()
    return {"job_names": name, "plan_only": False}


def _to_be_copied(setting: Setting) -> None:
    """Make a backup, and the bucket for its copy."""
    setting.emulator.s3.create_bucket(Bucket="off-site")
    _backed_up(setting)


def _aged(setting: Setting) -> dict[str, Any]:
    """Make a backup that no rule keeps once there is a newer one."""
    with connected({"dli_default": setting.emulator.connection()}):
        make_backup(catalogue_of(setting.emulator), datetime(2026, 3, 1, tzinfo=UTC))
    return {"keep_daily": 1, "keep_weekly": 0, "keep_monthly": 0}


def _own_running(setting: Setting) -> dict[str, Any]:
    """Return a job that runs, and that the key's user created."""
    setting.emulator.state.jobs[103].user_name = USER
    return {"job_ids": "103"}


def _tested(setting: Setting) -> dict[str, Any]:
    """Return two jobs of the test project: production has one of them, which runs."""
    state, given = setting.emulator.state, {"queue_name": "prod", "user_name": "li.na"}
    ids = [
        state.add_job(
            in_project=setting.scratch.project_id, name=name, sql_body=name, queue_name="prod", user_name=OTHER
        ).job_id
        for name in ("first", "second")
    ]
    state.add_job(name="second", sql_body="old", status="job_running", **given)
    return {"job_ids": ", ".join(map(str, ids))}


#: what must be there before each DAG runs; what its form has
PREPARED: Mapping[str, Prepare] = {
    "dli_back_up_flink_jobs": _aged,
    "dli_export_flink_jobs": _nothing,
    "dli_export_projects": _nothing,
    "dli_back_up_changed_flink_jobs": _changed,
    "dli_export_selected_flink_jobs": _selected,
    "dli_verify_archives": _archives,
    "dli_check_flink_backups": _backed_up,
    "dli_restore_flink_jobs": _lost,
    "dli_restore_drill": _nothing,
    "dli_drill_flink_backups": _backed_up,
    "dli_verify_flink_backups": _backed_up_long_ago,
    "dli_restore_flink_backup": _backup,
    "dli_copy_flink_backups": _to_be_copied,
    "dli_promote_flink_jobs": _tested,
    "dli_restart_flink_jobs": _own_running,
}
EXPORTS = {name for name, needs in NEEDS.items() if f"{DLI}export" in needs["dli_default"]}


def _in_its_case(setting: Setting, dag_id: str, action: str, conf: dict[str, Any] | None) -> dict[str, Any] | None:
    """Bring about the case in which an action is needed, where the DAG can do without in others."""
    emulator, name = setting.emulator, action.rpartition(":")[2]
    if name == "listAll" and dag_id in EXPORTS:
        emulator.state.settings.sub_user_export = "refused"
        if dag_id == "dli_export_selected_flink_jobs":
            return {"job_selected": "100, 9"}
    if name == "ListBucket" and dag_id in EXPORTS:
        emulator.fault("ExportFlinkJobs", "cut_after")
    if name == "ListBucket" and dag_id == "dli_verify_archives":
        # Open: whether OBS refuses a key that may not list the bucket where it could report a missing object.
        emulator.fault("HeadObject", "error", status=403, code="AccessDenied", message="Access Denied")
    if name == "HeadBucket" and dag_id in EXPORTS:
        emulator.fault("ExportFlinkJobs", "archive_late", seconds=3)
    if name == "HeadBucket" and dag_id == "dli_verify_archives":
        return {"zip_file": [f"{emulator.bucket}/not-there.zip"]}
    if name == "ListBucket" and dag_id == "dli_restore_flink_jobs":
        # A directory, as for the last backup.
        return {"zip_file": f"{emulator.bucket}/flink"}
    if name == "listAll" and dag_id == "dli_restore_flink_backup":
        assert conf
        emulator.state.add_job(name=conf["job_names"], user_name=OTHER)
    if name == "HeadBucket" and dag_id == "dli_restore_flink_jobs":
        return {"zip_file": f"{emulator.bucket}/not-there.zip"}
    return conf


#: whether a key without it may list the jobs that it has imported itself is open; the emulator lets it
OPEN = [(name, "dli_scratch", f"{DLI}listAll") for name in ("dli_restore_drill", "dli_drill_flink_backups")]


def test_the_page_has_every_dag() -> None:
    """So that none goes untried."""
    assert set(NEEDS) == set(PREPARED) == {each.stem for each in Path("example_dags").glob("dli_*.py")}


@pytest.fixture
def setting(dli_emulator: Emulator, run_dag: DagRunner) -> Callable[[], Setting]:
    """Return a function that makes the emulator as it was at first, with two projects."""

    def make() -> Setting:
        dli_emulator.reset()
        # All that the service may do by itself, at once.
        settings = dli_emulator.state.settings
        settings.step_seconds, settings.agencies = 0.02, ("dli_management_agency", "custom")
        settings.fills_in_settings = settings.strict_obs = settings.deletes_savepoints = True
        project = dli_emulator.state.add_project("cn-north-4_scratch")
        return Setting(dli_emulator, Scratch(project.project_id, project.jobs, ""), run_dag)

    return make


@pytest.mark.parametrize("dag_id", PREPARED)
def test_the_permissions_of_the_page_are_enough_and_none_is_too_much(
    dag_id: str, setting: Callable[[], Setting]
) -> None:
    """With all of them, by both sets of names, the DAG succeeds; without one it fails and logs its name.

    Of the latter a tenth is tried, and the other set of names of a fifth of the DAGs.
    """
    needs = NEEDS[dag_id]
    for version in ("1.1", *(["5.0"] if is_tried(dag_id, 5) else [])):
        made = setting()
        conf = PREPARED[dag_id](made)
        if version == "5.0":
            # Whether its list shows jobs of other users is open.
            for job in made.emulator.state.jobs.values():
                job.user_name = USER
        run = made.run(dag_id, needs, conf, version)
        assert set(run.states.values()) == {"success"}, run.log
    outcomes = {}
    for conn_id, actions in needs.items():
        for action in (each for each in actions if is_tried(f"{dag_id} {each}", 10)):
            made = setting()
            conf = _in_its_case(made, dag_id, action, PREPARED[dag_id](made))
            rest = {**needs, conn_id: tuple(each for each in actions if each != action)}
            run = made.run(dag_id, rest, conf)
            if (dag_id, conn_id, action) in OPEN:
                assert set(run.states.values()) == {"success"}, run.log
                continue
            words = action if action.startswith(DLI) else "The access key needs the permission to "
            outcomes[conn_id, action] = ("failed" in run.states.values(), words in run.log, run.log[-1500:])
    wrong = {key: outcome for key, outcome in outcomes.items() if outcome[:2] != (True, True)}
    assert not wrong, "\n\n".join(f"{key}: {outcome}" for key, outcome in wrong.items())


def test_promoting_twice_changes_nothing_the_second_time(setting: Callable[[], Setting]) -> None:
    """As a user without other permissions, where the service fills in settings."""
    made = setting()
    conf = _tested(made)
    needs = NEEDS["dli_promote_flink_jobs"]
    first = made.run("dli_promote_flink_jobs", needs, conf)
    jobs = {job.job_id: job.detail() for job in made.emulator.state.jobs.values()}
    second = made.run("dli_promote_flink_jobs", needs, conf)
    assert {*first.states.values(), *second.states.values()} == {"success"}, second.log
    actions = [[each["action"] for each in run.xcoms["promote", "return_value"]] for run in (first, second)]
    assert actions == [["create", "update"], ["unchanged", "unchanged"]]
    assert {job.job_id: job.detail() for job in made.emulator.state.jobs.values()} == jobs
