"""A whole Airflow for tests that need one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from environment import airflow_environment
from standalone import standalone

from tests.airflow.airflow_process import AirflowProcess
from tests.processes import untraced


@pytest.fixture(scope="session")
def airflow_process(
    dli_emulator_session: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AirflowProcess]:
    """Run a whole Airflow, at DEBUG, with the DAGs of ``tests/airflow/dags`` and the session's emulator."""
    home = tmp_path_factory.mktemp("airflow")
    credentials = tmp_path_factory.mktemp("sdk") / "credentials"
    described = dli_emulator_session.describe()
    credentials.write_text(f"[basic]\nak = {described['access_key']}\nsk = {described['secret_key']}\n")
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
        "HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(credentials),
    }
    with standalone(environment, home / "standalone.log") as running:
        yield AirflowProcess(running, home)
