"""Metrics: what arrives at a StatsD server, and the page on them."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from airflow import __version__

from airflow_provider_dli.backups.coverage import KINDS as PROBLEMS
from airflow_provider_dli.compat import AirflowTaskTimeout, Stats, TaskDeferred, conf
from airflow_provider_dli.exceptions import ExecutionTimeoutError
from airflow_provider_dli.metrics import ACTIONS, KINDS, METRICS, kind_of
from airflow_provider_dli.operators import dli as operators
from airflow_provider_dli.operators.dli import (
    DliCheckBackupCoverageOperator,
    DliExportFlinkJobsOperator,
    DliImportFlinkJobsOperator,
    DliListFlinkJobsOperator,
    DliVerifyFlinkExportOperator,
)
from dli_emulator import Emulator
from tests.backups.made import PROJECT, catalogue_of, make_backup
from tests.dag_runs import exported
from tests.messages import METRICS_PAGE as PAGE
from tests.messages import written

#: every name that can be sent
NAMES = {
    name.format(action=action, kind=kind, problem=problem, project_id=PROJECT)
    for name in METRICS
    for action in ACTIONS
    for kind, _ in KINDS.values()
    for problem in PROBLEMS
}


class StatsD:
    """A StatsD server that keeps what it gets."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server

    def received(self) -> dict[str, list[str]]:
        """Return what has come since the last call: by name, the values."""
        found: dict[str, list[str]] = {}
        try:
            while True:
                for line in self._server.recv(65536).decode().splitlines():
                    name, _, value = line.partition(":")
                    found.setdefault(name, []).append(value)
        except BlockingIOError:
            return {name: values for name, values in found.items() if name.startswith("airflow.dli.")}


@pytest.fixture
def statsd(monkeypatch: pytest.MonkeyPatch) -> Iterator[StatsD]:
    """Have Airflow send its metrics here, as its configuration would."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "True")
        monkeypatch.setenv("AIRFLOW__METRICS__METRICS_USE_PATTERN_MATCH", "True")  # Airflow 2 warns otherwise
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_HOST", "127.0.0.1")
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_PORT", str(server.getsockname()[1]))
        _configure()
        yield StatsD(server)
    monkeypatch.undo()
    _configure()


def _configure() -> None:
    """Have Airflow read its configuration of metrics again."""
    if __version__.startswith("2."):
        made: Any = Stats
        used, made.instance = made.instance, None
        if conf.getboolean("metrics", "statsd_on"):
            type(made).factory = import_module("airflow.metrics.statsd_logger").get_statsd_logger
        else:
            type(made).factory = import_module("airflow.metrics.base_stats_logger").NoStatsLogger
    else:
        from airflow.sdk._shared.observability.metrics import stats  # noqa: PLC0415 -- of Airflow 3
        from airflow.sdk.observability.metrics.stats_utils import get_stats_factory  # noqa: PLC0415

        used = stats._backend  # noqa: SLF001 -- it is not closed otherwise
        Stats.initialize(factory=get_stats_factory(), export_legacy_names=False)
    if client := getattr(used, "statsd", None):
        client.close()


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Return what was logged; operators of Airflow 3 log to standard output."""
    caplog.set_level("INFO")
    return lambda: caplog.text + capsys.readouterr().out


@pytest.fixture
def emulator(dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(retry_budget=0))
    return dli_emulator


def test_what_succeeds_is_counted(emulator: Emulator, statsd: StatsD, logged: Callable[[], str]) -> None:
    """Jobs, archives, bytes and how long it took; log lines have where, request id and duration."""
    (archive,) = DliExportFlinkJobsOperator(task_id="export", obs_dir=f"{emulator.bucket}/a").execute({})
    sent = statsd.received()
    assert sent["airflow.dli.export.jobs"] == ["26|c"]
    assert sent["airflow.dli.export.archives"] == sent["airflow.dli.export.succeeded"] == ["1|c"]
    (duration,) = sent["airflow.dli.export.duration"]
    assert re.fullmatch(r"[\d.]+\|ms", duration)
    where = f"project {emulator.project_id}, region cn-north-4, console https://"
    lines = logged()
    assert f"Export by connection dli_default: {where}" in lines
    assert re.search(r"ExportFlinkJobs: HTTP 200 \(request id \w+\)\.", lines)
    assert re.search(r"Export succeeded in [\d.]+ s\.", lines)
    (report,) = DliVerifyFlinkExportOperator(task_id="verify", zip_file=archive).execute({})
    sent |= statsd.received()
    assert sent["airflow.dli.verify.bytes"] == [f"{report['size']}|c"]
    emulator.state.jobs.clear()
    DliImportFlinkJobsOperator(task_id="import", zip_file=archive).execute({})
    sent |= statsd.received()
    assert sent["airflow.dli.import.jobs"] == ["26|c"]
    assert {name.removeprefix("airflow.") for name in sent} <= NAMES


@pytest.mark.parametrize(
    ("level", "counted"),
    [("full", {"archives", "bytes"}), ("directory", {"archives"}), ("exists", set())],
)
def test_only_what_was_read_is_counted(emulator: Emulator, statsd: StatsD, level: str, counted: set[str]) -> None:
    """An archive that exists may be damaged; of its directory a few bytes were read."""
    archive = exported(emulator, "a")
    DliVerifyFlinkExportOperator(task_id="verify", zip_file=archive, level=level).execute({})
    sent = {name.removeprefix("airflow.dli.verify.") for name in statsd.received()}
    assert sent == {"succeeded", "duration", *counted}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "fault", "parameters"),
    [
        ("configuration", None, {"job_selected": "orders"}),
        ("unavailable", "no_agency", {}),
        ("throttled", "throttled", {}),
        ("refused", None, {"job_selected": 999}),
    ],
)
def test_what_fails_is_counted_by_kind(
    emulator: Emulator, statsd: StatsD, kind: str, fault: str | None, parameters: dict[str, Any]
) -> None:
    """Once, however many requests were sent."""
    if fault:
        emulator.fault("ExportFlinkJobs", fault)
    task = DliExportFlinkJobsOperator(task_id="export", obs_dir=f"{emulator.bucket}/a", **parameters)
    with pytest.raises(Exception, match=r"\w"):
        task.execute({})
    sent = statsd.received()
    assert {name: sent[name] for name in sent if ".failed." in name} == {
        f"airflow.dli.export.failed.{kind}": ["1|c"]
    }
    assert "airflow.dli.export.duration" in sent


@pytest.mark.parametrize("connection", ["not a uri", None])
def test_a_connection_that_cannot_be_read_is_counted_as_configuration(
    monkeypatch: pytest.MonkeyPatch, statsd: StatsD, connection: str | None
) -> None:
    """As one with a wrong field is."""
    if connection:
        monkeypatch.setenv("AIRFLOW_CONN_NOWHERE", connection)
    task = DliExportFlinkJobsOperator(task_id="export", obs_dir="bucket/a", dli_conn_id="nowhere")
    with pytest.raises(Exception, match="connection 'nowhere'"):
        task.execute({})
    assert "airflow.dli.export.failed.configuration" in statsd.received()


def test_a_missing_archive_is_counted(emulator: Emulator, statsd: StatsD) -> None:
    """As an archive, and as a result that is not as required."""
    task = DliVerifyFlinkExportOperator(task_id="verify", zip_file=f"{emulator.bucket}/a/b.zip", timeout=0)
    with pytest.raises(Exception, match="failed verification"):
        task.execute({})
    sent = statsd.received()
    assert sent["airflow.dli.verify.defective"] == sent["airflow.dli.verify.failed.result"] == ["1|c"]


def test_what_a_check_of_coverage_finds_is_sent(emulator: Emulator, statsd: StatsD) -> None:
    """Problems by kind; and of a project when it was last backed up, which alerts compare with the time."""
    catalogue = catalogue_of(emulator)
    now = catalogue.now()
    make_backup(catalogue, now - timedelta(hours=9), [100])
    made = make_backup(catalogue, now - timedelta(hours=5), [101])
    task = DliCheckBackupCoverageOperator(task_id="check", backup_dir=str(catalogue.root), max_age=6 * 3600)
    with pytest.raises(Exception, match="24 no_backup, 2 changed, 1 too_old"):
        task.execute({})
    sent = {name.removeprefix("airflow."): values for name, values in statsd.received().items()}
    assert set(sent) <= NAMES
    assert sent["dli.coverage.problems.no_backup"] == ["24|c"]
    assert sent["dli.coverage.problems.too_old"] == ["1|c"]
    (last,), (oldest,) = sent[f"dli.last_backup.{PROJECT}"], sent[f"dli.oldest_backup_age.{PROJECT}"]
    assert made.manifest
    assert float(last.removesuffix("|g")) == made.manifest.exported_at.timestamp()
    assert 9 * 3600 <= float(oldest.removesuffix("|g")) < 9.1 * 3600


def test_what_is_skipped_or_deferred_is_not_counted(emulator: Emulator, statsd: StatsD) -> None:
    """Neither is an outcome."""
    with pytest.raises(Exception, match="No Flink job is selected"):
        DliListFlinkJobsOperator(task_id="list", name_pattern="nothing", if_empty="skip").execute({})
    verify = DliVerifyFlinkExportOperator(task_id="verify", zip_file=f"{emulator.bucket}/a/b.zip", deferrable=True)
    with pytest.raises(TaskDeferred):
        verify.execute({})
    assert statsd.received() == {}


@pytest.mark.usefixtures("emulator", "statsd")
def test_a_backend_that_fails_fails_no_task(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as one whose host has no address."""
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_PORT", "none")
    _configure()
    assert DliListFlinkJobsOperator(task_id="list").execute({})
    assert "The metric dli.list.succeeded was not sent: " in caplog.text


def test_each_operator_has_a_name_and_each_failure_a_kind() -> None:
    """What ends a task is counted, whatever it is; what ends the process is not."""
    assert {getattr(operators, name).action for name in operators.__all__} == set(ACTIONS)
    assert kind_of(ValueError("a bug")) == "other"
    assert kind_of(ExecutionTimeoutError("over")) == kind_of(AirflowTaskTimeout()) == "timeout"
    assert kind_of(KeyboardInterrupt()) is None


def test_the_page_has_every_metric() -> None:
    """As ``python -m tests.messages`` writes it."""
    assert written(PAGE) == PAGE.read_text(encoding="utf-8")


def test_the_dashboard_shows_our_metrics() -> None:
    """As statsd_exporter calls them."""
    (text,) = re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    known = {f"airflow_{name.replace('.', '_')}" for name in NAMES}
    shown = re.findall(
        r"airflow_[\w.+]+",
        " ".join(target["expr"] for panel in json.loads(text)["panels"] for target in panel["targets"]),
    )
    assert shown
    for pattern in shown:
        assert any(re.fullmatch(pattern, name) for name in known), pattern
