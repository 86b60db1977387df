"""Connections for what runs outside a test's own fixtures."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any

import pytest

#: for what Airflow does with connections of a provider that is installed
needs_installation = pytest.mark.skipif(
    not any(
        point.value.startswith("airflow_provider_dli") for point in entry_points(group="apache_airflow_provider")
    ),
    reason="the provider is on the path, and not installed",
)

GOOD = {"region": "cn-north-4", "project_id": "48cc2c48765f481480c7db940d6409d1"}


def forget_filesystems() -> None:
    """Have ``obs://`` connect again: fsspec and Airflow keep a filesystem for the life of a process."""
    from airflow_provider_dli.filesystems.obs import ObsFileSystem  # noqa: PLC0415 -- it imports Airflow

    ObsFileSystem.clear_instance_cache()
    with suppress(ImportError):
        from airflow.sdk.io import store  # noqa: PLC0415 -- where Airflow 3 has it

        store._STORE_CACHE.clear()  # noqa: SLF001 -- there is no other way


@dataclass
class Connection:
    """What is read of an Airflow connection."""

    login: str | None = "AK"
    password: str | None = "SK"
    host: str | None = None
    schema: str | None = None
    port: int | None = None
    extra_dejson: Any = field(default_factory=lambda: dict(GOOD))


@contextmanager
def connected(connections: Mapping[str, str]) -> Iterator[None]:
    """Put connections into the environment."""
    given = {f"AIRFLOW_CONN_{conn_id.upper()}": value for conn_id, value in connections.items()}
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
