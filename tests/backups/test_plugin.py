"""The plugin: only where Airflow shows pages of plugins, and only if there is a catalogue to show."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import entry_points
from typing import Any

import pytest

from airflow_provider_dli.get_provider_info import get_provider_info
from airflow_provider_dli.plugins.backups import OPTION, SECTION, BackupsPlugin, shows_pages
from tests.backups.made import catalogue_of, make_backup

VARIABLE = "AIRFLOW__DLI__BACKUP_CATALOGUES"


class Loaded(BackupsPlugin):
    """The plugin as it is before Airflow loads it."""


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("external_views", "fastapi_apps"):
        if hasattr(Loaded, name):
            monkeypatch.setattr(Loaded, name, [])


def views() -> list[object]:
    Loaded.on_load()
    return [*getattr(Loaded, "external_views", []), *getattr(Loaded, "fastapi_apps", [])]


def test_there_is_a_page_where_a_catalogue_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """In Airflow 3.1.1 and later; an older one loads the plugin too, and gets nothing of it."""
    monkeypatch.setenv(VARIABLE, "dli_default=bucket/flink")
    assert len(views()) == (2 if shows_pages() else 0)


@pytest.mark.parametrize(
    ("version", "shown"),
    [("2.11.2", False), ("3.0.6", False), ("3.1.0", False), ("3.1.1", True), ("3.2.0rc1", True), ("3.10.0", True)],
)
def test_the_page_needs_the_login_of_the_ui(version: str, shown: bool) -> None:
    """Which 3.1.0 does not take."""
    assert shows_pages(version) is shown


@pytest.mark.parametrize("catalogues", [None, "", " "])
def test_there_is_none_otherwise(catalogues: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """No entry of a menu that leads nowhere, and nothing that is served."""
    if catalogues is not None:
        monkeypatch.setenv(VARIABLE, catalogues)
    assert views() == []


def test_the_option_is_one_of_the_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Airflow lists its configuration."""
    monkeypatch.delenv(VARIABLE, raising=False)
    assert list(get_provider_info()["config"]) == [SECTION]
    assert list(get_provider_info()["config"][SECTION]["options"]) == [OPTION]


def test_airflow_finds_the_plugin() -> None:
    """By its entry point; what a provider's information names Airflow does not load by default."""
    (found,) = entry_points(group="airflow.plugins", name="dli_backups")
    assert found.load() is BackupsPlugin


def test_loading_the_plugin_is_cheap() -> None:
    """Every process of Airflow does it: nothing that serves the page is imported."""
    code = """
import airflow.plugins_manager, sys
before = set(sys.modules)
import airflow_provider_dli.plugins.backups
print(*set(sys.modules) - before, sep="\\n")
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    imported = {name for name in done.stdout.splitlines() if name.startswith("airflow_provider_dli.")}
    assert imported == {f"airflow_provider_dli.{name}" for name in ("compat", "plugins", "plugins.backups")}


@pytest.mark.skipif(not shows_pages(), reason="pages of plugins came with 3.1.1")
def test_nobody_waits_for_a_catalogue_that_is_being_read(
    dli_emulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read before is shown, if it is not too old; otherwise the page loads again by itself."""
    from airflow_provider_dli.plugins.app import Reader, Source, show  # noqa: PLC0415 -- not in an older Airflow

    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection())
    catalogue, night = catalogue_of(dli_emulator, "page"), datetime(2026, 11, 1, 2, tzinfo=UTC)
    source, now = Source("dli_default", catalogue.root), 0.0
    reader = Reader(source, clock=lambda: now)

    def shown(wait: float) -> int | None:
        summary = reader.summary(wait)
        return len(summary.projects[0].backups) if summary else None

    def make_it_slow() -> None:
        dli_emulator.fault("ListObjects", "slow", before=0.5)

    make_backup(catalogue, night, [100])
    make_it_slow()
    assert (shown(0), shown(30)) == (None, 1)
    make_backup(catalogue, night + timedelta(days=1), [100])
    now = 31
    make_it_slow()
    assert (shown(0), shown(0), shown(30)) == (1, 1, 2)
    now += 601
    make_it_slow()
    assert (shown(0), shown(30)) == (None, 2)
    monkeypatch.setattr("airflow_provider_dli.plugins.app._WAIT", 0.0)
    make_it_slow()
    reply = show({source.name: source, "other": source})
    assert (reply.status_code, reply.headers["Refresh"], reply.headers["Retry-After"]) == (503, "2", "2")
    text = bytes(reply.body).decode()
    assert '<p class="verdict">obs://obs-test/page is being read. ' in text
    assert '<a href="?catalogue=other">other</a>' in text
