"""An export whose response is lost: no archive is lost, and none is made twice without a report."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_dli.client.locations import ObsLocation, parse_directory
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.operators.dli import DliExportFlinkJobsOperator
from airflow_provider_dli.services.export_recovery import ExportRecovery
from airflow_provider_dli.services.export_requests import ExportRequests
from airflow_provider_dli.task_state import RequestLog
from tests.airflow.stores import StateStore, TaskInstance


class Killed(BaseException):
    """Ends an attempt as a kill does: no code of the provider may catch it."""


class KillingStore(StateStore):
    """Kills its worker, once, when it would record the archives of a batch."""

    has_killed = False

    def set(self, key: str, value: Any) -> None:
        if '"state": "done"' in json.dumps(value) and not self.has_killed:
            self.has_killed = True
            raise Killed
        super().set(key, value)


def killed_while_sending(
    store: StateStore, obs_dir: str, before: list[str], jobs: list[int] | None = None
) -> None:
    """Leave the record of an attempt that was killed while it sent: what was in the directory before.

    :param jobs: those that it requested; None for all, which were the sample jobs
    """
    requests = ExportRequests(RequestLog({"task_state_store": store}, "dli_export"))
    place = parse_directory("obs_dir", obs_dir)
    requests.begin(place, None if jobs is None else tuple(jobs), before, range(100, 126))


def records(store: StateStore) -> list[dict[str, Any]]:
    """Return the record of each request."""
    return RequestLog({"task_state_store": store}, "dli_export").records


def states(store: StateStore) -> list[str]:
    return [record["state"] for record in records(store)]


Exporting = Callable[..., list[str]]


@pytest.fixture
def store() -> StateStore:
    return StateStore()


@pytest.fixture
def export(dli_emulator: Any, monkeypatch: pytest.MonkeyPatch, store: StateStore) -> Exporting:
    """Return a function that runs the export operator as one attempt of a task."""
    connection = json.loads(dli_emulator.airflow_conn)
    extra = connection["extra"] if isinstance(connection["extra"], dict) else json.loads(connection["extra"])
    connection["extra"] = extra | {"retry_budget": 20, "read_timeout": 2}
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", json.dumps(connection))

    def run(obs_dir: str | None = None, reconcile_timeout: float = 0.5, *, has_store: bool = True) -> list[str]:
        operator = DliExportFlinkJobsOperator(
            task_id="export",
            obs_dir=obs_dir or f"{dli_emulator.bucket}/run-1",
            reconcile_timeout=reconcile_timeout,
        )
        context: Any = {"task_state_store": store} if has_store else {}
        return operator.execute(context)

    return run


def archives_in(emulator: Any, directory: str = "run-1") -> list[str]:
    listing = emulator.s3.list_objects_v2(Bucket=emulator.bucket, Prefix=f"{directory}/")
    return [f"{emulator.bucket}/{each['Key']}" for each in listing.get("Contents", [])]


def export_requests(emulator: Any) -> int:
    return sum(1 for request in emulator.requests if request.operation == "ExportFlinkJobs")


@pytest.mark.parametrize("kind", ["cut_after", "reset_after"])
def test_a_lost_response_is_recovered(
    dli_emulator: Any, export: Exporting, store: StateStore, capsys: Any, kind: str
) -> None:
    """DLI has exported: the archive is returned and logged, and no request is sent again."""
    dli_emulator.fault("ExportFlinkJobs", kind)
    archives = export()
    assert archives == archives_in(dli_emulator)
    assert len(archives) == 1
    assert export_requests(dli_emulator) == 1
    assert "Recovered" in capsys.readouterr().out
    assert store.left("dli_export") == {"generation", "superseded"}
    assert not records(store)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cut_before", "reset_before", "html"])
def test_a_request_that_was_never_executed_is_sent_again(
    dli_emulator: Any, export: Exporting, capsys: Any, kind: str
) -> None:
    """After the reconcile timeout; there is one archive."""
    dli_emulator.fault("ExportFlinkJobs", kind)
    archives = export()
    assert archives == archives_in(dli_emulator)
    assert len(archives) == 1
    assert export_requests(dli_emulator) == 2
    assert "Sending the request again." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "response"),
    [
        ("error", {"status": 400, "code": "DLI.0019"}),
        ("error", {"status": 400, "code": "DLI.0999"}),
        ("html", {"status": 504}),
        ("reply", {"body": '{"is_success": "true", "zip_fi'}),
        ("reply", {"body": {"is_success": "true", "message": ""}}),
    ],
)
def test_a_useless_response_of_an_executed_request_is_recovered(
    dli_emulator: Any, export: Exporting, kind: str, response: dict[str, Any]
) -> None:
    """An error on the service's side, or a success that cannot be read: the archive is used all the same."""
    dli_emulator.fault("ExportFlinkJobs", kind, acts=True, **response)
    assert export() == archives_in(dli_emulator)
    assert export_requests(dli_emulator) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "response", "failure"),
    [
        ("error", {"code": "DLI.0019"}, DliException),
        ("no_zip_file", {}, DliFailException),
        ("reply", {"body": "<html>login</html>"}, DliFailException),
    ],
)
def test_a_useless_response_fails_the_task_if_no_archive_appears(
    dli_emulator: Any, export: Exporting, store: StateStore, kind: str, response: dict[str, Any], failure: Any
) -> None:
    """The request is not sent again in the same attempt; the next one first checks OBS."""
    dli_emulator.fault("ExportFlinkJobs", kind, **response)
    with pytest.raises(DliException) as caught:
        export()
    assert type(caught.value) is failure
    assert export_requests(dli_emulator) == 1
    assert states(store) == ["open"]
    assert export() == archives_in(dli_emulator)


@pytest.mark.slow
def test_an_archive_that_appears_within_the_reconcile_timeout_is_used(
    dli_emulator: Any, export: Exporting
) -> None:
    """The response timed out; the service was only slow."""
    dli_emulator.fault("ExportFlinkJobs", "slow", before=3.0)
    assert export(reconcile_timeout=15) == archives_in(dli_emulator)
    assert export_requests(dli_emulator) == 1


@pytest.mark.slow
def test_older_archives_in_the_directory_are_not_used(dli_emulator: Any, export: Exporting) -> None:
    """Only one that appeared since."""
    (older,) = export()
    dli_emulator.fault("ExportFlinkJobs", "cut_before")
    (newer,) = export()
    assert newer != older
    assert export_requests(dli_emulator) == 3


def test_several_new_archives_fail_the_task_and_are_named(
    dli_emulator: Any, export: Exporting, store: StateStore
) -> None:
    """A guess could restore the wrong jobs. They are reported, and the cleared task exports again."""
    killed_while_sending(store, f"{dli_emulator.bucket}/run-1", [])
    first, second = export(has_store=False), export(has_store=False)
    with pytest.raises(DliFailException, match=r"outcome .* is unknown.*several archives appeared") as caught:
        export()
    assert first[0] in str(caught.value)
    assert second[0] in str(caught.value)
    assert export_requests(dli_emulator) == 2
    assert states(store) == ["reported"]
    assert len(export()) == 1


def test_the_request_of_a_killed_attempt_is_recovered(
    dli_emulator: Any, export: Exporting, store: StateStore, capsys: Any
) -> None:
    """The next attempt finds its archive by the listing, whatever the clocks are."""
    (older,) = export(has_store=False)
    killed_while_sending(store, f"{dli_emulator.bucket}/run-1", [older.rpartition("/")[2]])
    (made,) = export(has_store=False)
    assert export() == [made]
    assert export_requests(dli_emulator) == 2
    assert (
        "An earlier request for an export into obs://obs-test/run-1 has no known outcome"
        in capsys.readouterr().out
    )
    assert store.left("dli_export") == {"generation", "superseded"}


def test_the_request_of_a_killed_attempt_is_sent_again_if_it_was_not_executed(
    dli_emulator: Any, export: Exporting, store: StateStore
) -> None:
    """There is one archive."""
    killed_while_sending(store, f"{dli_emulator.bucket}/run-1", [])
    assert export() == archives_in(dli_emulator)
    assert export_requests(dli_emulator) == 1


@pytest.mark.slow
@pytest.mark.parametrize("acted", [True, False])
def test_a_request_for_another_directory_is_reported(
    dli_emulator: Any, export: Exporting, store: StateStore, capsys: Any, acted: bool
) -> None:
    """A directory may have the number of the attempt in its path: the outcome there is reported."""
    killed_while_sending(store, f"{dli_emulator.bucket}/try-1", [])
    lost = export(f"{dli_emulator.bucket}/try-1", has_store=False) if acted else []
    assert export() == archives_in(dli_emulator)
    log = capsys.readouterr().out
    assert all(archive in log for archive in lost)
    assert ("Extra archives in obs://obs-test/try-1" in log) == acted
    assert ("The response of an export into obs://obs-test/try-1 was lost" in log) != acted


def test_a_refusal_is_a_known_outcome(dli_emulator: Any, export: Exporting, store: StateStore) -> None:
    """The next attempt has nothing to check."""
    dli_emulator.fault("ExportFlinkJobs", "is_success_false")
    with pytest.raises(DliFailException):
        export()
    assert store.kept == {}


def test_an_unknown_outcome_fails_the_task_and_is_recorded(
    dli_emulator: Any, export: Exporting, store: StateStore
) -> None:
    """Three requests, no archive: a retry of the task may help, and first checks OBS."""
    dli_emulator.fault("ExportFlinkJobs", "html", times=None)
    with pytest.raises(DliException, match="HTTP 502"):
        export(reconcile_timeout=0.1)
    assert export_requests(dli_emulator) == 3
    assert archives_in(dli_emulator) == []
    assert states(store) == ["open"] * 3


def test_without_a_state_store_a_lost_response_is_recovered(dli_emulator: Any, export: Exporting) -> None:
    """Before Airflow 3.3 only the requests of earlier attempts are not known."""
    dli_emulator.fault("ExportFlinkJobs", "cut_after")
    assert export(has_store=False) == archives_in(dli_emulator)
    assert export_requests(dli_emulator) == 1


@pytest.mark.slow
def test_a_throttled_export_succeeds(dli_emulator: Any, export: Exporting) -> None:
    """Three 429s surely did nothing: four requests, one export."""
    dli_emulator.fault("ExportFlinkJobs", "throttled", times=3, retry_after=0)
    assert len(export()) == 1
    assert export_requests(dli_emulator) == 4
    assert len(archives_in(dli_emulator)) == 1


def test_an_attempt_after_one_that_succeeded_exports_again_and_reports(
    dli_emulator: Any, export: Exporting, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its task was cleared, or killed before Airflow knew of the success: nobody can know which."""
    (first,) = export()
    (second,) = export()
    assert archives_in(dli_emulator) == sorted([first, second])
    assert f"An earlier attempt exported to {first}. Exporting again" in capsys.readouterr().out


@pytest.fixture
def two_batches(dli_emulator: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[TaskInstance], list[str]]:
    """Return a function that exports two batches of two jobs as one attempt, with one request for each."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))

    def run(instance: TaskInstance) -> list[str]:
        parameters: dict[str, Any] = {
            "job_selected": [100, 101, 102, 103],
            "batch_size": 2,
            "max_concurrency": 1,
            "reconcile_timeout": 1,
        }
        operator = DliExportFlinkJobsOperator(
            task_id="export", obs_dir=f"{dli_emulator.bucket}/run-1", **parameters
        )
        return operator.execute(instance.context)

    return run


def test_a_batch_that_is_requested_again_does_not_hide_one_of_a_killed_attempt(
    dli_emulator: Any, two_batches: Callable[[TaskInstance], list[str]]
) -> None:
    """Batch 1 got a 429, and the worker was killed after batch 2 was sent: the next attempt recovers that."""
    instance = TaskInstance()
    instance.context["task_state_store"] = KillingStore()
    dli_emulator.fault("ExportFlinkJobs", "throttled", retry_after=0)
    with pytest.raises(Killed):
        two_batches(instance)
    assert two_batches(instance) == archives_in(dli_emulator)
    acted = [request.json()["job_selected"] for request in dli_emulator.requests if request.acted]
    assert acted == [[102, 103], [100, 101]]


def test_the_unknown_outcome_of_a_batch_is_recorded_while_others_are_requested(
    dli_emulator: Any, two_batches: Callable[[TaskInstance], list[str]]
) -> None:
    """Its archive appeared after the reconcile timeout: the next attempt uses it."""
    instance = TaskInstance()
    dli_emulator.fault("ExportFlinkJobs", "error", code="DLI.0019")
    with pytest.raises(DliException, match="2 jobs not exported"):
        two_batches(instance)
    late = DliHook().export_flink_jobs(f"{dli_emulator.bucket}/run-1/batch-0001", [100, 101]).zip_file
    assert two_batches(instance) == [*late, *instance.pushed["batches"][1]["zip_file"]]
    assert export_requests(dli_emulator) == 3


def test_an_archive_of_other_jobs_than_the_rest_of_a_batch_is_reported(
    dli_emulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch was requested, and again without a job that was deleted: the late archive of the first is extra."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.airflow_conn)
    directory, context = ObsLocation(dli_emulator.bucket, "run-1"), TaskInstance().context
    requests = ExportRequests(RequestLog(context, "dli_export"))
    requests.begin(directory, (100, 101), [])
    requests.begin(directory, (100,), [])
    dli, log = DliHook(), logging.getLogger(__name__)
    late = list(dli.export_flink_jobs(str(directory), [100, 101]).zip_file)
    recovery = ExportRecovery(ObsHook(), requests, context, 0.1, log)
    assert recovery.reconcile(directory, (100,), DliException("cut")) is None
    assert recovery.extra_archives(is_final=True) == late


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
    """The message names the unknown outcome, and the request stays open: the next attempt checks for it.

    Within ``reconcile_timeout`` a listing may fail as others that are repeated.
    """
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
    dli_emulator.fault("ListObjects", "error", status=501, code="NotNow")
    assert export() == list(archive)
    assert export_requests(dli_emulator) == 1


@pytest.fixture
def through_proxy(dli_emulator: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return a function that exports three batches as one attempt, with OBS where faults can meet it."""
    connection = dli_emulator.connection("temporary", retry_budget=0, read_timeout=1)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", connection)

    def run(instance: TaskInstance, **parameters: Any) -> list[str]:
        given = {"job_selected": [100, 101, 102], "batch_size": 1, "reconcile_timeout": 0, **parameters}
        obs_dir = f"{dli_emulator.bucket}/run-1"
        operator = DliExportFlinkJobsOperator(task_id="export", obs_dir=obs_dir, **given)
        return operator.execute(instance.context)

    return run


@pytest.mark.parametrize("kind", ["cut_before", "error"])
def test_a_failure_before_a_request_is_not_taken_for_a_lost_response(
    dli_emulator: Any, through_proxy: Callable[..., list[str]], kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """OBS cannot be listed: nothing was sent, nothing is polled for, and the next attempt has nothing to check."""
    instance = TaskInstance()
    response = {"status": 503, "code": "ServiceUnavailable"} if kind == "error" else {}
    dli_emulator.fault("ListObjects", kind, times=None, **response)
    with pytest.raises(DliException, match="ListObjects: ") as caught:
        through_proxy(instance, batch_size=3)
    assert "outcome" not in str(caught.value)
    assert "Checking OBS" not in capsys.readouterr().out
    assert (export_requests(dli_emulator), instance.store.kept) == (0, {})
    dli_emulator.faults.clear()
    assert through_proxy(instance, batch_size=3) == archives_in(dli_emulator)
    assert "An earlier request" not in capsys.readouterr().out


def test_what_fails_before_a_second_request_mentions_the_first(
    dli_emulator: Any, through_proxy: Callable[..., list[str]]
) -> None:
    """Its response was lost, and it stays open: the next attempt checks for its archive."""
    instance = TaskInstance()
    dli_emulator.fault("ExportFlinkJobs", "html")
    dli_emulator.fault("ListObjects", "slow", times=2, before=0)  # before the first request, and after it
    dli_emulator.fault("ListObjects", "cut_before", times=None)
    with pytest.raises(DliException, match=r"ListObjects: .*An earlier request lost its response"):
        through_proxy(instance, batch_size=3)
    assert (export_requests(dli_emulator), states(instance.store)) == (1, ["open"])


@pytest.mark.parametrize(
    ("operation", "status", "code", "lists"),
    [("ExportFlinkJobs", 401, "APIGW.0301", 2), ("ListObjects", 403, "InvalidAccessKeyId", 1)],
)
def test_refused_keys_are_not_sent_again_for_open_requests(
    dli_emulator: Any,
    through_proxy: Callable[..., list[str]],
    operation: str,
    status: int,
    code: str,
    lists: int,
) -> None:
    """Three requests have no known outcome: one refusal is enough, since five lock a key."""
    instance = TaskInstance()
    dli_emulator.fault("ExportFlinkJobs", "error", code="DLI.0019", times=3)
    with pytest.raises(DliException):
        through_proxy(instance)
    assert states(instance.store) == ["open"] * 3
    dli_emulator.fault(operation, "error", status=status, code=code, times=50)
    dli_emulator.fault("ListObjects", "slow", before=0, times=50)
    with pytest.raises(DliFailException, match=code):
        through_proxy(instance)
    left = [fault.times for fault in dli_emulator.faults if fault.operation == "ListObjects"]
    assert 50 - min(left) == lists
    assert states(instance.store)[:3] == ["open"] * 3


def test_an_unknown_extra_archive_ends_no_export(
    dli_emulator: Any, through_proxy: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of two requests for other jobs: one line for both, where the keys are refused at last."""
    instance = TaskInstance()
    dli_emulator.fault("ExportFlinkJobs", "error", code="DLI.0019", times=2)
    with pytest.raises(DliException):
        through_proxy(instance, job_selected=[103, 104])
    dli_emulator.fault("ListObjects", "slow", before=0, times=3)
    dli_emulator.fault("ListObjects", "error", status=403, code="InvalidAccessKeyId", times=None)
    assert through_proxy(instance) == archives_in(dli_emulator)
    assert capsys.readouterr().out.count("holds extra archives is not known") == 1
