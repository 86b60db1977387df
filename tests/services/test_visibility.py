"""An export of all jobs by a key that does not see them all: nothing is missing unnoticed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_dli.compat import AirflowSkipException
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.operators.dli import DliExportFlinkJobsOperator, DliVerifyFlinkExportOperator
from dli_emulator import Emulator
from tests.airflow.stores import TaskInstance

USER = "svc-airflow"
#: the sample jobs of this user
OWN = list(range(102, 126, 3))
ALL = list(range(100, 126))
_DLI = ["dli:jobs:get", "dli:jobs:export"]
_OBS = ["obs:object:GetObject", "obs:object:PutObject", "obs:bucket:ListBucket", "obs:bucket:HeadBucket"]


class Runs:
    """The runs of a task: each sees what the one before has pushed, as ``include_prior_dates`` does."""

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def next(self) -> TaskInstance:
        """Return the task instance of the next run."""
        return _Instance(self)


class _Instance(TaskInstance):
    task_id, map_index = "export", -1

    def __init__(self, runs: Runs) -> None:
        super().__init__()
        self._runs, self._before = runs, dict(runs.pushed)

    def xcom_push(self, key: str, value: Any) -> None:
        super().xcom_push(key, value)
        self._runs.pushed[key] = self.pushed[key]

    def xcom_pull(self, *, task_ids: str, key: str, include_prior_dates: bool, map_indexes: int) -> Any:
        assert (task_ids, include_prior_dates, map_indexes) == (self.task_id, True, self.map_index)
        return self._before.get(key)


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return the emulator, connected as a user who sees only its own jobs."""
    let(dli_emulator, *_DLI)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(user=USER, retry_budget=0))
    return dli_emulator


def let(emulator: Emulator, *actions: str) -> None:
    """Allow the user this in DLI, and all in OBS."""
    statements = [{"Effect": "Allow", "Action": [*given]} for given in (actions, _OBS)]
    emulator.add_user(USER, *({"Version": "1.1", "Statement": [each]} for each in statements))


def export(emulator: Emulator, instance: TaskInstance | None = None, **parameters: Any) -> list[str]:
    operator = DliExportFlinkJobsOperator(task_id="export", obs_dir=f"{emulator.bucket}/night", **parameters)
    return operator.execute((instance or TaskInstance()).context)


def verify(archives: list[str], **parameters: Any) -> Any:
    operator = DliVerifyFlinkExportOperator(task_id="verify", zip_file=archives, timeout=0, **parameters)
    return operator.execute(TaskInstance().context)


def requests(emulator: Emulator) -> list[str | None]:
    return [request.operation for request in emulator.requests]


def test_how_many_jobs_this_key_sees_is_logged_and_pushed(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """With whose they are: where all are of one user, others may be hidden."""
    instance = TaskInstance()
    export(emulator, instance)
    assert instance.pushed["visible_jobs"] == len(OWN)
    assert instance.pushed["visible_job_ids"] == OWN
    assert instance.pushed["visible_project_id"] == emulator.project_id
    assert "missing_since_last" not in instance.pushed
    log = capsys.readouterr().out
    assert f"sees 8 Flink jobs of project {emulator.project_id}, made by 1 user: {USER}. Without dli:jobs:" in log
    let(emulator, *_DLI, "dli:jobs:listAll")
    export(emulator, instance)
    assert instance.pushed["visible_jobs"] == len(ALL)
    log = capsys.readouterr().out
    assert f"made by 3 users: li.na, m.garcia, {USER}." in log
    assert "Without dli:jobs:listAll" not in log


@pytest.mark.slow
@pytest.mark.parametrize("treatment", ["own", "refused", "all"])
@pytest.mark.parametrize("parameters", [{}, {"selection": {}}], ids=["one-request", "by-ids"])
def test_every_form_of_an_export_by_a_user_who_does_not_see_all(
    emulator: Emulator, treatment: Any, parameters: dict[str, Any]
) -> None:
    """How ``is_selected: false`` treats it is not documented; the ids of the listed jobs work in each form."""
    emulator.state.settings.sub_user_export = treatment
    instance = TaskInstance()
    if treatment == "refused" and not parameters:
        with pytest.raises(DliFailException, match=r"ExportFlinkJobs: HTTP 400 DLI\.0003"):
            export(emulator, instance, **parameters)
        assert instance.pushed["visible_jobs"] == len(OWN)
        return
    archives = export(emulator, instance, **parameters)
    assert verify(archives, expected_jobs=instance.pushed["visible_job_ids"])[0]["verified"]
    is_all = treatment == "all" and not parameters
    assert verify(archives)[0]["entries"] == len(ALL if is_all else OWN)


@pytest.mark.slow
@pytest.mark.parametrize("parameters", [{}, {"selection": {}}, {"selection": {"job_type": "flink_jar_job"}}])
def test_fewer_jobs_than_expected_fail_the_task(emulator: Emulator, parameters: dict[str, Any]) -> None:
    """Before anything is requested; the message has both numbers, and which permission may be missing."""
    message = r"^expected_min_jobs: this key sees \d Flink jobs? of .* 26 or more are expected.*dli:jobs:listAll"
    with pytest.raises(DliFailException, match=message):
        export(emulator, expected_min_jobs="26", **parameters)
    assert set(requests(emulator)) == {"ListFlinkJobs"}
    let(emulator, *_DLI, "dli:jobs:listAll")
    if parameters != {"selection": {"job_type": "flink_jar_job"}}:
        export(emulator, expected_min_jobs=26)


@pytest.mark.parametrize("parameters", [{}, {"selection": {}}], ids=["one-request", "by-ids"])
def test_a_job_that_is_missing_since_the_last_run_is_named(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], parameters: dict[str, Any]
) -> None:
    """By default in the log and in the XCom; then the next run compares its jobs with the smaller list."""
    runs = Runs()
    let(emulator, *_DLI, "dli:jobs:listAll")
    export(emulator, runs.next(), max_missing=26, **parameters)
    assert "nothing to compare with, so no job counts as missing. No earlier run" in capsys.readouterr().out
    let(emulator, *_DLI)
    second = runs.next()
    export(emulator, second, **parameters)
    hidden = [job_id for job_id in ALL if job_id not in OWN]
    assert second.pushed["missing_since_last"] == hidden
    log = capsys.readouterr().out
    assert "Seen before, by the last run of this task: 26 jobs." in log
    assert "does not see 18 jobs of them any more: 100, 101, 103" in log
    third = runs.next()
    export(emulator, third, **parameters)
    assert "missing_since_last" not in third.pushed


def test_a_run_by_filters_is_not_compared_with(emulator: Emulator) -> None:
    """As of a DAG with a form: the next run of all jobs compares with the last one of all jobs."""
    runs = Runs()
    export(emulator, runs.next(), max_missing=0)
    del emulator.state.jobs[OWN[-1]]
    filtered = runs.next()
    archives = export(emulator, filtered, selection={"exclude": OWN[2:-1]})
    assert filtered.pushed["selected_job_ids"] == OWN[:2]
    assert not any(key.startswith(("visible_", "last_seen_")) for key in filtered.pushed)
    assert verify(archives, expected_jobs=filtered.pushed["selected_job_ids"])[0]["verified"]
    instance = runs.next()
    export(emulator, instance)
    assert instance.pushed["missing_since_last"] == OWN[-1:]


def test_more_missing_jobs_than_allowed_fail_the_task(emulator: Emulator) -> None:
    """What is visible is exported all the same; the task fails until the jobs are back, or may be missing."""
    runs = Runs()
    let(emulator, *_DLI, "dli:jobs:listAll")
    export(emulator, runs.next(), max_missing=0)
    let(emulator, *_DLI)
    for _ in range(2):
        instance = runs.next()
        with pytest.raises(
            DliFailException,
            match=r"^max_missing: 18 of the jobs .*, 1 may be: .* 100, 101.*The o.*listAll.*params\.max_missing",
        ):
            export(emulator, instance, max_missing=1)
        assert verify(instance.pushed["zip_file"])[0]["entries"] == len(OWN)
        assert len(instance.pushed["missing_since_last"]) == 18
        assert instance.pushed["visible_job_ids"] == OWN
    export(emulator, runs.next(), max_missing=18)
    export(emulator, runs.next(), max_missing=0)


def test_a_few_missing_jobs_may_be_allowed(emulator: Emulator) -> None:
    """Somebody deletes a job now and then."""
    runs = Runs()
    export(emulator, runs.next(), max_missing=1)
    del emulator.state.jobs[OWN[0]]
    instance = runs.next()
    export(emulator, instance, max_missing="1")
    assert instance.pushed["missing_since_last"] == OWN[:1]
    for job_id in OWN[1:3]:
        del emulator.state.jobs[job_id]
    with pytest.raises(DliFailException, match=r"^max_missing: 2 of the jobs"):
        export(emulator, runs.next(), max_missing="1")


def test_a_job_first_seen_in_a_run_that_failed_is_named_when_it_is_missing(emulator: Emulator) -> None:
    """A failed run does not take jobs off the list that the next one compares with, but adds its own."""
    runs = Runs()
    export(emulator, runs.next(), max_missing=0)
    missing = emulator.state.jobs.pop(OWN[0])
    emulator.state.jobs[999] = replace(missing, job_id=999)
    failed = runs.next()
    with pytest.raises(DliFailException, match=r"^max_missing: 1 of the jobs"):
        export(emulator, failed, max_missing=0)
    assert failed.pushed["visible_job_ids"] == [*OWN[1:], 999]
    del emulator.state.jobs[999]
    with pytest.raises(DliFailException, match=rf"^max_missing: 2 of the jobs .* {OWN[0]}, 999 any more"):
        export(emulator, runs.next(), max_missing=0)


def test_a_run_in_another_project_does_not_come_between(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """As where ``dli_conn_id`` is a template, or a mapping changes: the project's own last run counts."""
    runs = Runs()
    runs.pushed |= {f"last_seen_{'0' * 32}": [1, 2]}
    export(emulator, runs.next(), max_missing=0)
    log = capsys.readouterr().out
    assert "[warning" in log or "WARNING" in log
    assert f"has recorded which jobs of project {emulator.project_id} it saw" in log
    del emulator.state.jobs[OWN[0]]
    runs.pushed |= {f"last_seen_{'0' * 32}": [3], "visible_job_ids": [3], "visible_project_id": "0" * 32}
    with pytest.raises(DliFailException, match=rf"^max_missing: 1 of the jobs .*does not see {OWN[0]} any more"):
        export(emulator, runs.next(), max_missing=0)


@pytest.mark.parametrize("parameters", [{}, {"selection": {}}], ids=["one-request", "by-ids"])
def test_a_key_that_sees_no_job_requests_nothing(emulator: Emulator, parameters: dict[str, Any]) -> None:
    """``if_empty`` decides; a list that is refused is not an empty one."""
    emulator.state.jobs.clear()
    instance = TaskInstance()
    message = (
        rf"^This key sees no Flink job of project {emulator.project_id}, and noth.*dli:jobs:listAll.*if_empty"
    )
    with pytest.raises(DliFailException, match=message):
        export(emulator, instance, **parameters)
    assert (instance.pushed["visible_jobs"], instance.pushed["zip_file"]) == (0, [])
    with pytest.raises(AirflowSkipException, match="No Flink job is selected by: all jobs"):
        export(emulator, if_empty="skip", **parameters)
    assert export(emulator, if_empty="succeed", **parameters) == []
    assert set(requests(emulator)) == {"ListFlinkJobs"}
    if not parameters:
        emulator.fault("ListFlinkJobs", "error", status=400, code="DLI.0003", times=None)
        with pytest.raises(DliFailException, match="zip_file should list at least one archive"):
            export(emulator, reconcile_timeout=0)


@pytest.mark.parametrize("pushed", [None, "102", ["a"], {"job": 1}])
def test_what_an_earlier_run_cannot_have_pushed_is_not_compared(emulator: Emulator, pushed: Any) -> None:
    """Somebody else may push to the same key."""
    runs = Runs()
    runs.pushed |= {f"last_seen_{emulator.project_id}": pushed}
    assert export(emulator, runs.next(), max_missing=0)


def test_xcoms_that_cannot_be_read_fail_nothing(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """A backup matters more than a comparison."""

    class Unreadable(_Instance):
        def xcom_pull(self, **_: Any) -> Any:
            raise RuntimeError("no database")

    assert export(emulator, Unreadable(Runs()))
    assert "cannot be read from its XComs: no database" in capsys.readouterr().out


def test_a_comparison_that_was_required_and_cannot_be_made_fails_the_task(emulator: Emulator) -> None:
    """Before anything is sent: a short list would become the one to compare with."""

    class Unreadable(_Instance):
        def xcom_pull(self, **_: Any) -> Any:
            raise RuntimeError("no database")

    with pytest.raises(DliException, match=r"^max_missing: .*cannot be read from its XComs: no database\. Noth"):
        export(emulator, Unreadable(Runs()), max_missing=0)
    with pytest.raises(DliFailException, match=r"^max_missing: .*do_xcom_push is False"):
        export(emulator, _Instance(Runs()), max_missing=0, do_xcom_push=False)
    assert "ExportFlinkJobs" not in requests(emulator)


def test_if_empty_does_not_apply_where_all_jobs_of_the_last_run_are_missing(emulator: Emulator) -> None:
    """``if_empty`` is for a selection of nothing; here all jobs of the last run are missing."""
    runs = Runs()
    assert export(emulator, runs.next(), selection={}, max_missing=0)
    emulator.state.jobs.clear()
    every: list[dict[str, Any]] = [{}, {"selection": {}}]
    for parameters in every:
        with pytest.raises(DliFailException, match=r"^max_missing: \d+ of the jobs .*It sees no other\."):
            export(emulator, runs.next(), max_missing=0, if_empty="skip", **parameters)


@pytest.mark.parametrize(("status", "code"), [(403, "APIGW.0302"), (400, "DLI.0003"), (503, "APIGW.0201")])
def test_jobs_that_cannot_be_listed(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], status: int, code: str
) -> None:
    """A warning; an error, before anything is requested, if a check needs the list."""
    emulator.fault("ListFlinkJobs", "error", status=status, code=code, times=None)
    instance = TaskInstance()
    assert export(emulator, instance)
    assert "Which Flink jobs this key sees is not known" in capsys.readouterr().out
    assert not {"visible_jobs", "visible_job_ids"} & set(instance.pushed)
    for name in ("expected_min_jobs", "max_missing"):
        before = requests(emulator).count("ExportFlinkJobs")
        with pytest.raises(
            DliException, match=rf"^{name}: which jobs this key sees is not known, and noth.*{code}"
        ):
            export(emulator, TaskInstance(), **{name: 1})
        assert requests(emulator).count("ExportFlinkJobs") == before


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        (
            {"expected_min_jobs": 1, "job_selected": [102]},
            "^expected_min_jobs: is given together with job_selected",
        ),
        ({"max_missing": 0, "job_selected": [102]}, "^max_missing: compares exports of all jobs"),
        ({"max_missing": 0, "selection": {"name_pattern": "a*"}}, "^max_missing: compares exports of all jobs"),
        ({"expected_min_jobs": None}, "^expected_min_jobs: was given and is None"),
        ({"max_missing": "None"}, "^max_missing: was given and is None"),
        ({"expected_min_jobs": 0}, "^expected_min_jobs: 0 is not possible; give a whole number, 1 or more"),
        ({"max_missing": -1}, "^max_missing: -1 is not possible; give a whole number, 0 or more"),
    ],
)
def test_a_check_that_cannot_be_made_is_refused(
    emulator: Emulator, parameters: dict[str, Any], reason: str
) -> None:
    """Before anything is sent."""
    with pytest.raises(DliFailException, match=reason):
        export(emulator, **parameters)
    assert requests(emulator) == []


def test_the_verification_notices_an_incomplete_archive(emulator: Emulator) -> None:
    """DLI may export fewer jobs than this key sees: here one that has lost a permission in between."""
    instance = TaskInstance()
    let(emulator, *_DLI, "dli:jobs:listAll")
    export(emulator, instance)
    let(emulator, *_DLI)
    archives = export(emulator)
    message = (
        r"missing-job: job '100' was found nowhere.* Nothing is damaged.*check that it may export each of these"
    )
    with pytest.raises(DliFailException, match=message):
        verify(archives, expected_jobs=str(instance.pushed["visible_job_ids"]))


@pytest.mark.parametrize(
    ("logical_date", "end", "run_type", "is_past"),
    [
        (8, 8, "backfill", True),
        (0, 0, "backfill", True),
        (9, 8, "scheduled", True),
        (7, 0, "scheduled", False),
        (0, 7, "manual", False),
        (None, None, "manual", False),
    ],
)
def test_a_run_for_a_time_in_the_past_is_warned_of(
    emulator: Emulator,
    capsys: pytest.CaptureFixture[str],
    logical_date: int | None,
    end: int | None,
    run_type: str,
    is_past: bool,
) -> None:
    """A backfill or catchup: DLI shows the jobs of now alone. Not a weekly run, nor one without a date."""
    now = datetime.now(UTC)
    times = [None if each is None else now - timedelta(days=each) for each in (logical_date, end)]
    instance = TaskInstance()
    instance.context |= {"logical_date": times[0], "data_interval_end": times[1]}
    instance.context["dag_run"] = SimpleNamespace(run_type=run_type)
    operator = DliExportFlinkJobsOperator(task_id="export", obs_dir=f"{emulator.bucket}/past", job_selected=[102])
    operator.execute(instance.context)
    assert ("exports the jobs as they are now" in capsys.readouterr().out) is is_past
