"""One cell of the matrix: an environment with the wheel and one Airflow on one Python, and what is run in it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
TOOLS = (
    "huaweicloudsdkdli",
    "hypothesis",
    "moto[s3,server]",
    "psutil",
    "pytest",
    "pytest-asyncio",
    "pytest-xdist",
    "requests-mock",
    "trustme",
)
#: what the tests need beside themselves; not the package, which comes from the wheel
NEEDED = ("tests", "demo", "example_dags", "docs", "README.md", "CONTRIBUTING.md")
UNIT = (
    "tests/test_connection.py",
    "tests/test_parameters.py",
    "tests/test_reporting.py",
    "tests/client",
    "tests/archive",
    "tests/faults",
    *(
        f"tests/airflow/test_{name}.py"
        for name in ("dli_hook", "operators", "verification", "deferrable", "sensor", "jobs", "job_sensor")
    ),
    *(f"tests/airflow/test_{name}.py" for name in ("selection", "restore", "promote", "links", "many_jobs")),
)
#: of the tests above, those that want a whole Airflow 3, or tools that are only for development
NOT_HERE = "not in_a_whole_airflow and not compare"
EXAMPLES = ("tests/test_example_dags.py",)


@dataclass
class Cell:
    """One Airflow on one Python.

    :param airflow: version of Airflow
    :param python: version of Python
    :param lowest: with the lowest versions of all that the package depends on
    :param results: what was run, and how it ended
    """

    airflow: str
    python: str
    lowest: bool = False
    results: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name it, for folders and tables."""
        return f"{self.airflow}-{self.python}{'-lowest' if self.lowest else ''}"

    def run(self, wheel: Path, folder: Path) -> dict[str, Any]:
        """Make the environment and run everything in it; what became of it.

        :param wheel: of the package
        :param folder: for the environment and all that is written
        """
        home = folder / self.name
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        began = time.monotonic()
        if self._install(wheel, home):
            self._prepare(home)
            self._provider(home)
            self._tests("unit", UNIT, home)
            self._tests("example DAGs", EXAMPLES, home)
        shutil.rmtree(home / "venv", ignore_errors=True)
        return {**asdict(self), "seconds": round(time.monotonic() - began)}

    def _install(self, wheel: Path, home: Path) -> bool:
        python = _python(self.python)
        if python is None:
            self.results["install"] = f"no Python {self.python} here"
            return False
        subprocess.run([python, "-m", "venv", "--without-pip", home / "venv"], check=True)
        lowest = ["--resolution", "lowest-direct"] if self.lowest else []
        done = self._call(
            [BIN / "uv", "pip", "install", "--quiet", "--compile-bytecode", *lowest, "--python",
             home / "venv" / "bin" / "python", f"apache-airflow=={self.airflow}", f"{wheel}[emulator]", *TOOLS],
            home,
        )  # fmt: skip
        self.results["install"] = "ok" if done.returncode == 0 else done.stderr.strip().splitlines()[-1][:200]
        return done.returncode == 0

    def _prepare(self, home: Path) -> None:
        for name in NEEDED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, home / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, home)
        shutil.copy(ROOT / "matrix" / "pytest.ini", home)

    def _provider(self, home: Path) -> None:
        """Ask Airflow what it knows of the provider; a warning that names it is a failure."""
        done = self._call([home / "venv" / "bin" / "airflow", "providers", "get", "airflow-provider-dli"], home)
        said = done.stdout + done.stderr
        warned = [line for line in said.splitlines() if "arning" in line and "airflow_provider_dli" in line]
        known = done.returncode == 0 and "airflow-provider-dli" in done.stdout
        self.results["providers CLI"] = "ok" if known and not warned else (warned or [said[-200:]])[0]

    def _tests(self, what: str, paths: tuple[str, ...], home: Path) -> None:
        done = self._call(
            [home / "venv" / "bin" / "python", "-m", "pytest", "-n", "2", "-k", NOT_HERE, *paths], home
        )
        (home / f"{what.replace(' ', '-')}.log").write_text(done.stdout + done.stderr)
        lines = done.stdout.strip().splitlines()
        self.results[what] = re.sub(r" in .*| ?=+ ?", "", lines[-1]) if lines else done.stderr[-200:]

    def _call(self, command: list[Any], home: Path) -> subprocess.CompletedProcess[str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AIRFLOW", "PYTHON", "COVERAGE")) and name != "VIRTUAL_ENV"
        }
        environment = kept | {
            "AIRFLOW_HOME": str(home / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "PATH": f"{home / 'venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }
        return subprocess.run(
            [str(part) for part in command],
            cwd=home,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )


def _python(version: str) -> Path | None:
    """Find a Python: as uv finds it, or among pyenv's, whether or not they are on the path."""
    done = subprocess.run([BIN / "uv", "python", "find", version], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return Path(done.stdout.strip())
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return max(root.glob(f"versions/{version}.*/bin/python"), default=None)
