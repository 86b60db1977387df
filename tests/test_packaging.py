"""What is shipped, what Airflow reads of it, and what it costs to import."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import zipfile
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import airflow
import jsonschema
import pytest

import airflow_provider_dli
import dli_emulator
from airflow_provider_dli.get_provider_info import get_provider_info
from tests.processes import untraced
from tests.sampling import IS_ALL

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
HEAVY = {"requests", "aiohttp", "boto3", "botocore", "urllib3", "zipfile", "airflow_provider_dli.archive"}


def python(code: str, *, directory: Path = ROOT) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:airflow_provider_dli", "-c", code],
        cwd=directory,
        env=untraced() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_provider_info_fits_airflows_schema() -> None:
    """Airflow validates it at every start and drops a provider that does not fit."""
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_provider_info_names_what_there_is() -> None:
    """Every module and class it names can be imported."""
    info = get_provider_info()
    for kind in ("hooks", "operators", "sensors", "triggers"):
        for group in info[kind]:
            for module in group["python-modules"]:
                importlib.import_module(module)
    (assets,) = info["asset-uris"]
    assert info["dataset-uris"] == [assets]
    functions = [assets[kind] for kind in ("handler", "factory", "to_openlineage_converter")]
    for module, _, name in (each.rpartition(".") for each in (*functions, *info["extra-links"])):
        assert callable(getattr(importlib.import_module(module), name))
    for module in info["filesystems"]:
        assert importlib.import_module(module).schemes == ["obs"]
    (connection_type,) = info["connection-types"]
    module, _, name = connection_type["hook-class-name"].rpartition(".")
    hook = getattr(importlib.import_module(module), name)
    assert hook.conn_type == connection_type["connection-type"]
    assert hook.hook_name == connection_type["hook-name"]


def test_entry_points() -> None:
    """Airflow and pytest find us by these."""
    (provider,) = [each for each in entry_points(group="apache_airflow_provider") if "dli" in each.value]
    assert provider.load()() == get_provider_info()
    (plugin,) = [each for each in entry_points(group="pytest11") if "dli" in each.name]
    assert plugin.value == "dli_emulator.pytest_plugin"
    assert plugin.dist is not None
    assert plugin.dist.name == "dli-emulator"


def test_reading_a_dag_file_loads_no_heavy_library() -> None:
    """Nothing beyond what airflow.sdk itself has loaded, for operators, hooks and provider info."""
    code = f"""
import sys
import airflow.sdk
from airflow.sdk import BaseOperator, BaseHook
before = set(sys.modules)
import airflow_provider_dli.get_provider_info, airflow_provider_dli.operators.dli
import airflow_provider_dli.hooks.dli, airflow_provider_dli.hooks.obs
print(sorted({HEAVY!r} & (set(sys.modules) - before)))
"""
    assert python(code).splitlines()[-1] == "[]"


def test_the_provider_is_discovered_without_loading_the_client() -> None:
    """Airflow reads the provider's information in every process."""
    code = """
import sys
import airflow_provider_dli.get_provider_info
print(sorted(name for name in sys.modules if name.startswith("airflow_provider_dli.")))
"""
    loaded = set(json.loads(python(code).splitlines()[-1].replace("'", '"')))
    assert loaded <= {f"airflow_provider_dli.{name}" for name in ("connection_form", "get_provider_info")}


def test_the_client_works_where_there_is_no_airflow() -> None:
    """All of its modules import, and the tests that are quick pass, with Airflow's import forbidden."""
    code = """
import sys
class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "airflow":
            raise ImportError("Airflow must not be imported here: " + name)
sys.meta_path.insert(0, Forbidden())
import importlib, pkgutil, pytest
for package in ("client", "archive", "connection", "connection_form"):
    home = importlib.import_module("airflow_provider_dli." + package)
    for module in pkgutil.walk_packages(getattr(home, "__path__", []), home.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
quick = ["flink/test_calls", "flink/test_operations",
         "test_locations", "test_replies", "test_retry", "test_signing", "test_wire"]
archives = ["directory", "entries", "names", "report"]
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-x", "tests/test_connection.py",
                      "tests/parameters/test_models.py", *(f"tests/archive/test_{name}.py" for name in archives),
                      *(f"tests/client/{name}.py" for name in quick)]))
"""
    assert " passed" in python(code)


@pytest.fixture(scope="session")
def wheel(distributions: dict[str, tuple[Path, Path]]) -> Path:
    """Return the provider's wheel."""
    return distributions["airflow-provider-dli"][0]


def contents(wheel: Path) -> dict[str, str]:
    """Read all files of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.mark.parametrize("package", [airflow_provider_dli, dli_emulator])
def test_a_wheel_has_its_package_and_nothing_else(
    package: ModuleType, distributions: dict[str, tuple[Path, Path]]
) -> None:
    """Package, type marker and licence; no tests, no demo."""
    name, version = package.__name__, package.__version__
    wheel = distributions[name.replace("_", "-")][0]
    files = contents(wheel)
    assert wheel.name == f"{name}-{version}-py3-none-any.whl"
    assert {file.partition("/")[0] for file in files} == {name, f"{name}-{version}.dist-info"}
    home = Path(package.__path__[0])
    modules = {path.relative_to(home.parent).as_posix() for path in home.rglob("*.py")}
    assert modules == {file for file in files if file.endswith(".py") and "/example_dags/" not in file}
    assert f"{name}/py.typed" in files
    licence = files[f"{name}-{version}.dist-info/licenses/LICENSE"]
    assert licence == (ROOT / "LICENSE").read_text(encoding="utf-8")
    metadata = files[f"{name}-{version}.dist-info/METADATA"]
    assert "License-Expression: Apache-2.0" in metadata
    assert "Requires-Python: <3.14,>=3.11" in metadata


def test_the_providers_wheel_has_the_example_dags_and_nothing_of_the_emulator(wheel: Path) -> None:
    """The emulator is a distribution of its own, which only the extra requires."""
    files = contents(wheel)
    shipped = {Path(name).name for name in files if "/example_dags/" in name}
    assert shipped == {path.name for path in (ROOT / "example_dags").glob("*.py")}
    assert not [name for name, text in files.items() if name.endswith(".py") and "dli_emulator" in text]
    (required,) = (
        line for text in files.values() for line in text.splitlines() if line.startswith("Requires-Dist: dli-")
    )
    assert required.endswith("; extra == 'emulator'")


def test_the_emulators_wheel_has_its_openapi_description(distributions: dict[str, tuple[Path, Path]]) -> None:
    """Which a running emulator returns."""
    assert "dli_emulator/openapi.json" in contents(distributions["dli-emulator"][0])


@pytest.fixture(scope="module")
def fresh(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of an environment with the wheel and Airflow, and without our development tools."""
    folder = tmp_path_factory.mktemp("fresh")
    environment = {key: value for key, value in untraced().items() if key != "PYTHONPATH"}
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    installed = folder / "venv" / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", installed,
         "-c", ROOT / "constraints.txt", wheel],
        check=True,
        env=environment,
    )  # fmt: skip
    return installed


def test_the_wheel_installs_alone_and_its_example_dags_import(fresh: Path, tmp_path: Path) -> None:
    """And run no deprecated code of ours."""
    code = """
import importlib, pkgutil
import airflow_provider_dli.example_dags as examples
for found in pkgutil.iter_modules(examples.__path__):
    module = importlib.import_module(f"{examples.__name__}.{found.name}")
    print(module.dag.dag_id, len(module.dag.task_ids), module.__file__)
"""
    environment: dict[str, Any] = {key: value for key, value in untraced().items() if key != "PYTHONPATH"}
    environment |= {"AIRFLOW_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [fresh, "-W", "error:::airflow_provider_dli", "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names = [path.stem for path in (ROOT / "example_dags").glob("*.py")]
    assert [line.split()[0] for line in done.stdout.splitlines()] == sorted(names)
    assert done.stdout.count(str(fresh.parents[1])) == len(names)


USERS_CODE = """
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.operators.dli import DliExportFlinkJobsOperator, DliVerifyFlinkExportOperator

jobs = DliHook("dli_default").list_flink_jobs(status="job_running")
for job in jobs:
    reveal_type(job.job_id)
reveal_type(DliHook().export_flink_jobs("b-1", [job.job_id for job in jobs]).zip_file)
DliExportFlinkJobsOperator(task_id="export", obs_dir=7)  # no place
DliVerifyFlinkExportOperator(task_id="verify", zip_file="b-1/a.zip", timeout=None)  # no number
"""


@pytest.mark.skipif(not IS_ALL, reason="mypy reads all of Airflow for half a minute: DLI_TESTS=all")
def test_a_users_type_checker_knows_all(fresh: Path, tmp_path: Path) -> None:
    """The examples pass mypy's strict mode as somebody's own code; types are inferred, and mistakes found."""
    for example in (ROOT / "example_dags").glob("*.py"):
        (tmp_path / example.name).write_text(example.read_text())
    (tmp_path / "users.py").write_text(USERS_CODE)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--config-file=", "--python-executable",
         fresh, *(path.name for path in sorted(tmp_path.glob("*.py")))],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    reported = [line.partition(" ")[2] for line in done.stdout.splitlines() if line.startswith("users.py")]
    assert reported[:2] == ['note: Revealed type is "int"', 'note: Revealed type is "tuple[str, ...]"']
    assert ['"obs_dir"' in reported[2], '"timeout"' in reported[3], len(reported)] == [True, True, 4]
    assert [line for line in done.stdout.splitlines() if not line.startswith("users.py")] == []
