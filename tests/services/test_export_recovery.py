"""An export whose response is lost: nothing lost, nothing done twice in silence."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.operators.dli import DliExportFlinkJobsOperator
from airflow_provider_dli.task_state import RequestLog
from tests.airflow.stores import StateStore, TaskInstance


class Killed(BaseException):
    """Ends a try as a kill does: nothing of ours may stop it."""


class Dying(StateStore):
    """Its worker is killed, once, when it would write down what a batch was exported to."""

    dead = False

    def set(self, key: str, value: Any) -> None:
        if value.get("state") == "done" and not self.dead:
            self.dead = True
            raise Killed
        super().set(key, value)


def killed_while_sending(
    store: StateStore, obs_dir: str, before: list[str], jobs: list[int] | None = None
) -> None:
    """Leave what an attempt leaves that is killed while it sends: what lay in the directory before."""
    log = RequestLog({"task_state_store": store}, "dli_export")
    log.add({"dir": obs_dir, "jobs": jobs, "before": before, "state": "open"})


def records(store: StateStore) -> list[dict[str, Any]]:
    """Read what is kept of each request."""
    return RequestLog({"task_state_store": store}, "dli_export").records


def states(store: StateStore) -> list[str]:
    return [record["state"] for record in records(store)]


Exporting = Callable[..., list[str]]


@pytest.fixture
def store() -> StateStore:
    return StateStore()


@pytest.fixture
def export(dli_emulator: Any, monkeypatch: pytest.MonkeyPatch, store: StateStore) -> Exporting:
    """Return a function that runs the export operator as one try of a task."""
    connection = json.loads(dli_emulator.airflow_conn)
    extra = connection["extra"] if isinstance(connection["extra"], dict) else json.loads(connection["extra"])
    connection["extra"] = extra | {"retry_budget": 20, "read_timeout": 2}
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", json.dumps(connection))

    def run(obs_dir: str | None = None, reconcile_timeout: float = 0.5, *, remembers: bool = True) -> list[str]:
        operator = DliExportFlinkJobsOperator(
            task_id="export",
            obs_dir=obs_dir or f"{dli_emulator.bucket}/run-1",
            reconcile_timeout=reconcile_timeout,
        )
        context: Any = {"task_state_store": store} if remembers else {}
        return operator.execute(context)

    return run


def archives_in(world: Any, directory: str = "run-1") -> list[str]:
    listing = world.s3.list_objects_v2(Bucket=world.bucket, Prefix=f"{directory}/")
    return [f"{world.bucket}/{each['Key']}" for each in listing.get("Contents", [])]


def exports_asked(world: Any) -> int:
    return sum(1 for request in world.requests if request.operation == "ExportFlinkJobs")


@pytest.mark.parametrize("kind", ["cut_after", "reset_after"])
def test_it_acted_and_its_answer_was_lost(
    dli_emulator: Any, export: Exporting, store: StateStore, capsys: Any, kind: str
) -> None:
    """The archive is adopted, the log says so, and nothing is asked twice."""
    dli_emulator.fault("ExportFlinkJobs", kind)
    archives = export()
    assert archives == archives_in(dli_emulator)
    assert len(archives) == 1
    assert exports_asked(dli_emulator) == 1
    assert "Recovered" in capsys.readouterr().out
    assert store.left("dli_export") == {"generation", "superseded"}
    assert not records(store)


@pytest.mark.parametrize("kind", ["cut_before", "reset_before", "html"])
def test_it_never_acted(dli_emulator: Any, export: Exporting, capsys: Any, kind: str) -> None:
    """After the settling time it is asked again; one archive."""
    dli_emulator.fault("ExportFlinkJobs", kind)
    archives = export()
    assert archives == archives_in(dli_emulator)
    assert len(archives) == 1
    assert exports_asked(dli_emulator) == 2
    assert "Sending the request again." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("error", {"status": 400, "code": "DLI.0019"}),
        ("error", {"status": 400, "code": "DLI.0999"}),
        ("html", {"status": 504}),
        ("reply", {"body": '{"is_success": "true", "zip_fi'}),
        ("reply", {"body": {"is_success": "true", "message": ""}}),
    ],
)
def test_it_acted_and_its_answer_says_nothing_of_that(
    dli_emulator: Any, export: Exporting, kind: str, answer: dict[str, Any]
) -> None:
    """Trouble on the service's side, or a success that cannot be read: the archive is adopted all the same."""
    dli_emulator.fault("ExportFlinkJobs", kind, acts=True, **answer)
    assert export() == archives_in(dli_emulator)
    assert exports_asked(dli_emulator) == 1


@pytest.mark.parametrize(
    ("kind", "answer", "failure"),
    [
        ("error", {"code": "DLI.0019"}, DliException),
        ("no_zip_file", {}, DliFailException),
        ("reply", {"body": "<html>login</html>"}, DliFailException),
    ],
)
def test_an_answer_that_says_nothing_is_told_where_nothing_appeared(
    dli_emulator: Any, export: Exporting, store: StateStore, kind: str, answer: dict[str, Any], failure: Any
) -> None:
    """Not asked again in the same try; the next one looks before it asks."""
    dli_emulator.fault("ExportFlinkJobs", kind, **answer)
    with pytest.raises(DliException) as caught:
        export()
    assert type(caught.value) is failure
    assert exports_asked(dli_emulator) == 1
    assert states(store) == ["open"]
    assert export() == archives_in(dli_emulator)


def test_an_archive_that_comes_within_the_reconcile_timeout_is_adopted(
    dli_emulator: Any, export: Exporting
) -> None:
    """The answer timed out; the service was only slow."""
    dli_emulator.fault("ExportFlinkJobs", "slow", before=3.0)
    assert export(reconcile_timeout=15) == archives_in(dli_emulator)
    assert exports_asked(dli_emulator) == 1


def test_older_archives_in_the_directory_are_not_adopted(dli_emulator: Any, export: Exporting) -> None:
    """Only one that appeared since."""
    (older,) = export()
    dli_emulator.fault("ExportFlinkJobs", "cut_before")
    (newer,) = export()
    assert newer != older
    assert exports_asked(dli_emulator) == 3


def test_several_that_could_be_it_are_an_error_that_names_each(
    dli_emulator: Any, export: Exporting, store: StateStore
) -> None:
    """A guess could restore the wrong jobs. Then it is reported, and the task may be cleared."""
    killed_while_sending(store, f"{dli_emulator.bucket}/run-1", [])
    first, second = export(remembers=False), export(remembers=False)
    with pytest.raises(DliFailException, match=r"outcome .* is unknown.*several archives appeared") as caught:
        export()
    assert first[0] in str(caught.value)
    assert second[0] in str(caught.value)
    assert exports_asked(dli_emulator) == 2
    assert states(store) == ["reported"]
    assert len(export()) == 1


def test_an_attempt_that_was_killed_while_sending_is_taken_up(
    dli_emulator: Any, export: Exporting, store: StateStore, capsys: Any
) -> None:
    """The next attempt finds what the service made of it, by the listing and whatever the clocks say."""
    (older,) = export(remembers=False)
    killed_while_sending(store, f"{dli_emulator.bucket}/run-1", [older.rpartition("/")[2]])
    (made,) = export(remembers=False)
    assert export() == [made]
    assert exports_asked(dli_emulator) == 2
    assert (
        "An earlier request for an export into obs://obs-test/run-1 has no known outcome"
        in capsys.readouterr().out
    )
    assert store.left("dli_export") == {"generation", "superseded"}


def test_an_attempt_that_was_killed_before_the_service_acted(
    dli_emulator: Any, export: Exporting, store: StateStore
) -> None:
    """The next attempt sends the request again."""
    killed_while_sending(store, f"{dli_emulator.bucket}/run-1", [])
    assert export() == archives_in(dli_emulator)
    assert exports_asked(dli_emulator) == 1


@pytest.mark.parametrize("acted", [True, False])
def test_a_request_for_another_directory_is_reported(
    dli_emulator: Any, export: Exporting, store: StateStore, capsys: Any, acted: bool
) -> None:
    """A directory may have the number of the attempt in its path; what came of the request there is reported."""
    killed_while_sending(store, f"{dli_emulator.bucket}/try-1", [])
    lost = export(f"{dli_emulator.bucket}/try-1", remembers=False) if acted else []
    assert export() == archives_in(dli_emulator)
    log = capsys.readouterr().out
    assert all(archive in log for archive in lost)
    assert ("Extra archives in obs://obs-test/try-1" in log) == acted
    assert ("The response of an export into obs://obs-test/try-1 was lost" in log) != acted


def test_a_clear_refusal_is_remembered_as_known(dli_emulator: Any, export: Exporting, store: StateStore) -> None:
    """The next try need not look for anything."""
    dli_emulator.fault("ExportFlinkJobs", "is_success_false")
    with pytest.raises(DliFailException):
        export()
    assert store.kept == {}


def test_an_outcome_that_stays_unknown_is_red_and_remembered(
    dli_emulator: Any, export: Exporting, store: StateStore
) -> None:
    """Asked three times, no archive: a retry of the task may help, and begins by looking."""
    dli_emulator.fault("ExportFlinkJobs", "html", times=None)
    with pytest.raises(DliException, match="HTTP 502"):
        export(reconcile_timeout=0.1)
    assert exports_asked(dli_emulator) == 3
    assert archives_in(dli_emulator) == []
    assert states(store) == ["open"] * 3


def test_without_a_state_store_a_lost_answer_is_still_adopted(dli_emulator: Any, export: Exporting) -> None:
    """Before Airflow 3.3 only a killed try is forgotten."""
    dli_emulator.fault("ExportFlinkJobs", "cut_after")
    assert export(remembers=False) == archives_in(dli_emulator)
    assert exports_asked(dli_emulator) == 1


def test_a_throttled_export_succeeds(dli_emulator: Any, export: Exporting) -> None:
    """Three 429s surely did nothing: asked four times, exported once."""
    dli_emulator.fault("ExportFlinkJobs", "throttled", times=3, retry_after=0)
    assert len(export()) == 1
    assert exports_asked(dli_emulator) == 4
    assert len(archives_in(dli_emulator)) == 1


def test_a_try_after_one_that_succeeded_exports_anew_and_tells(
    dli_emulator: Any, export: Exporting, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its task was cleared, or killed before Airflow knew of the success: nobody can tell, so it is told."""
    (first,) = export()
    (second,) = export()
    assert archives_in(dli_emulator) == sorted([first, second])
    assert f"An earlier attempt exported everything, to {first}. Exporting again" in capsys.readouterr().out


@pytest.fixture
def two_batches(dli_emulator: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[TaskInstance], list[str]]:
    """Return a function that exports two batches of two jobs, as one try of a task; each call asks once."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))

    def run(instance: TaskInstance) -> list[str]:
        parameters: dict[str, Any] = {
            "job_selected": [100, 101, 102, 103],
            "batch_size": 2,
            "reconcile_timeout": 1,
        }
        operator = DliExportFlinkJobsOperator(
            task_id="export", obs_dir=f"{dli_emulator.bucket}/run-1", **parameters
        )
        return operator.execute(instance.context)

    return run


def test_a_batch_that_is_asked_anew_does_not_hide_one_that_was_killed(
    dli_emulator: Any, two_batches: Callable[[TaskInstance], list[str]]
) -> None:
    """Batch 1 got a 429, the worker was killed while batch 2 was asked: the next try adopts what became of it."""
    instance = TaskInstance()
    instance.context["task_state_store"] = Dying()
    dli_emulator.fault("ExportFlinkJobs", "throttled", retry_after=0)
    with pytest.raises(Killed):
        two_batches(instance)
    assert two_batches(instance) == archives_in(dli_emulator)
    acted = [request.json()["job_selected"] for request in dli_emulator.requests if request.acted]
    assert acted == [[102, 103], [100, 101]]


def test_a_batch_whose_outcome_is_unknown_is_remembered_while_others_are_asked(
    dli_emulator: Any, two_batches: Callable[[TaskInstance], list[str]]
) -> None:
    """Its archive came after the settling time: the next try adopts it."""
    instance = TaskInstance()
    dli_emulator.fault("ExportFlinkJobs", "error", code="DLI.0019")
    with pytest.raises(DliException, match="2 jobs not exported"):
        two_batches(instance)
    late = DliHook().export_flink_jobs(f"{dli_emulator.bucket}/run-1/batch-0001", [100, 101]).zip_file
    assert two_batches(instance) == [*late, *instance.pushed["batches"][1]["zip_file"]]
    assert exports_asked(dli_emulator) == 3


@pytest.mark.parametrize(
    ("status", "code"), [(403, "AccessDenied"), (404, "NoSuchBucket"), (503, "ServiceUnavailable")]
)
def test_the_listing_after_a_lost_response_fails(
    dli_emulator: Any,
    export: Exporting,
    store: StateStore,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    code: str,
) -> None:
    """The failure says what is unknown, and the request stays open: the next attempt looks for its archive."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection("temporary", retry_budget=0))
    killed_while_sending(store, f"{dli_emulator.bucket}/run-1", [])
    archive = DliHook().export_flink_jobs(f"{dli_emulator.bucket}/run-1").zip_file
    dli_emulator.fault("ListObjects", "error", status=status, code=code, times=None)
    with pytest.raises(
        DliException,
        match=r"outcome of an export into \S+ is unknown: its response was lost or could not be used, and OBS "
        rf"could not be checked: .*{status}",
    ) as caught:
        export()
    assert isinstance(caught.value, DliFailException) == (status < 500)
    assert states(store) == ["open"]
    dli_emulator.faults.clear()
    assert export() == list(archive)
    assert exports_asked(dli_emulator) == 1
