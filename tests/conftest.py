"""An Airflow of its own for the tests, set up before anything imports Airflow."""

from __future__ import annotations

import gc
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from dli_emulator import Emulator
from tests.airflow_cli import AirflowCli, airflow_cli, migrate
from tests.dag_runs import DagRunner, Scratch
from tests.processes import untraced

ROOT = Path(__file__).parents[1]
_HOME = Path(tempfile.mkdtemp(prefix="airflow-home-"))

for _name in [name for name in os.environ if name.startswith("AIRFLOW")]:
    del os.environ[_name]
os.environ |= {
    "AIRFLOW_HOME": str(_HOME),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
}
# Proxies of the machine have no part in what goes to loopback.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
# No test is timed: the machine may be busy with others.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


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
def airflow_home() -> Path:
    """Return the home of the tests' own Airflow."""
    return _HOME


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of this test run that all workers share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def airflow_environ(airflow_home: Path, shared_folder: Path) -> dict[str, str]:
    """Migrate the tests' own Airflow, once."""
    environment = untraced() | {
        "AIRFLOW_HOME": str(airflow_home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "example_dags"),
    }
    migrate(environment, shared_folder)
    return environment


@pytest.fixture(scope="session")
def cli(airflow_environ: dict[str, str]) -> Iterator[AirflowCli]:
    """Return Airflow's command line, without its start-up."""
    with airflow_cli(airflow_environ) as started:
        yield started


@pytest.fixture
def run_dag(
    cli: AirflowCli,
    airflow_environ: dict[str, str],
    airflow_home: Path,
    tmp_path: Path,
    dli_emulator: Emulator,
) -> DagRunner:
    """Return what runs an example DAG from the command line, as a user would."""
    environment = airflow_environ | {
        "AIRFLOW_CONN_DLI_DEFAULT": dli_emulator.airflow_conn,
        "AIRFLOW_VAR_DLI_BACKUP_BUCKET": dli_emulator.bucket,
        "AIRFLOW_VAR_DLI_OFFSITE_BUCKET": "off-site",
    }
    return DagRunner(cli, environment, airflow_home, tmp_path / "log")


@pytest.fixture
def scratch(dli_emulator: Emulator) -> Scratch:
    """Return a second, empty project of the emulator."""
    project = dli_emulator.state.add_project("cn-north-4_scratch")
    return Scratch(project.project_id, project.jobs, dli_emulator.connection(project_id=project.project_id))


@pytest.fixture(scope="session", autouse=True)
def _clean_up() -> Iterator[None]:
    yield
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Build wheel and sdist of the provider and of the emulator as they are published, once; by name."""
    import package  # noqa: PLC0415 - not where the tests run against an installed wheel

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        return {
            name: package.build(source, tmp_path_factory.mktemp("dist"))
            for name, source in package.DISTRIBUTIONS.items()
        }


@pytest.fixture(scope="session")
def emulator_on(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Emulator]]:
    """Return a function that returns the session's emulator on a store, started once for each store."""
    with ExitStack() as stack:

        @cache
        def started(store: str) -> Emulator:
            if store == "seaweedfs":
                emulator: Emulator = request.getfixturevalue("dli_emulator_session")
                return emulator
            return stack.enter_context(Emulator(object_store=store))

        yield started


@pytest.fixture(params=["seaweedfs", "moto"])
def each_store(request: pytest.FixtureRequest, emulator_on: Callable[[str], Emulator]) -> Emulator:
    """Return an emulator on each store, in its initial state."""
    emulator = emulator_on(request.param)
    emulator.reset()
    return emulator


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Switch the garbage collector off while tests are collected, and exempt from it what that has made."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


#: what takes long to start: the tests that use it run on one worker, and have a marker
_COSTLY = {"airflow_process": "airflow", "airflow_environ": "airflow", "distributions": "slow"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Send the tests that share a costly fixture to one worker, see ``--dist loadgroup``, and mark them."""
    for item in items:
        for name, marker in _COSTLY.items():
            if name in getattr(item, "fixturenames", ()):
                # The longest file has a worker of its own: together they would take as long as all other tests.
                is_alone = item.path.name == "test_permissions.py"
                item.add_marker(pytest.mark.xdist_group(f"{name} of permissions" if is_alone else name))
                item.add_marker(marker)
