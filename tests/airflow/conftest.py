"""A connection for hooks and operators, given as a user would: in the environment."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from standalone import standalone
from world import airflow_environment

from tests.airflow.living import LivingAirflow
from tests.processes import untraced

PROJECT = "48cc2c48765f481480c7db940d6409d1"

Connect = Callable[..., None]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Return a function that sets the connection ``dli_default``; extras by name."""

    def set_connection(login: str | None = "AK", password: str | None = "SK", **extra: Any) -> None:
        fields = {
            "conn_type": "dli",
            "login": login,
            "password": password,
            "extra": {
                "region": "cn-north-4",
                "project_id": PROJECT,
                "endpoint": "https://dli.test",
                "retry_budget": 0,
                **extra,
            },
        }
        monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", json.dumps(fields))

    return set_connection


@pytest.fixture(scope="session")
def living_airflow(dli_emulator_session: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingAirflow]:
    """Run a whole Airflow, at DEBUG, with the DAGs of ``tests/airflow/dags`` and the session's emulator."""
    home = tmp_path_factory.mktemp("living")
    described = dli_emulator_session.describe()
    environment = airflow_environment(home, described, untraced()) | {
        "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).with_name("dags")),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",
        # The files do not change: to read them again every half minute would cost the other tests their time.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
            {"type": "file", "log_file_path": str(home / "lineage.jsonl"), "append": True}
        ),
        "NO_PROXY": "127.0.0.1,localhost",
        "HUAWEICLOUD_SDK_AK": described["access_key"],
        "HUAWEICLOUD_SDK_SK": described["secret_key"],
    }
    with standalone(environment, home / "standalone.log") as running:
        yield LivingAirflow(running, home)
