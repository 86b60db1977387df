"""One cell of the matrix: an environment with the wheels and one Airflow on one Python, and what is run in it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import asdict, dataclass, field
from email.parser import Parser
from pathlib import Path
from typing import Any

from outcome import outcome

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
#: what is close to Airflow, or to what the package needs
NEAR = (
    "tests/test_compat.py",
    "tests/test_connection.py",
    "tests/parameters/test_models.py",
    *(f"tests/client/test_{name}.py" for name in ("network", "pickling", "wire")),
    *(f"tests/client/obs/test_{name}.py" for name in ("checksums", "client", "listing", "objects", "reader")),
    *(f"tests/hooks/test_{name}.py" for name in ("dli", "flink_operations", "masking")),
    "tests/links",
    *(f"tests/airflow/test_{name}.py" for name in ("operators", "deferrable", "lineage")),
)
#: what else may depend on a version
FAR = (
    "tests/client",
    "tests/services",
    "tests/archive",
    "tests/faults",
    *(f"tests/sensors/test_{name}.py" for name in ("archives", "jobs")),
)
#: the tests of a cell, by how much of them; the example DAGs come beside them
SCOPES: dict[str, tuple[str, ...]] = {"install": (), "examples": (), "near": NEAR, "whole": NEAR + FAR}
#: of the tests above, those that want a whole Airflow 3, or tools that are only for development
NOT_HERE = "not in_a_whole_airflow and not compare and not lineage_of"
#: the result of a Python for which there is no such Airflow
NOT_OFFERED = "no such Airflow"
#: uv's message where there is none; anything else is trouble of ours or of the network
_NO_SUCH = ("No solution found", "Requires-Python")
EXAMPLES = ("tests/test_example_dags.py",)
#: of them, what a cell runs that is not run whole
ONE_EXAMPLE = (f"{EXAMPLES[0]}::test_nightly",)
#: what holds others back in Airflow's own constraints, which are resolved with all providers: boto3 by aiobotocore
HOLDING_BACK = ("apache-airflow-providers-amazon", "apache-airflow-providers-openlineage", "aiobotocore[boto3]")


@dataclass
class Cell:
    """One Airflow on one Python.

    :param airflow: version of Airflow
    :param day: on which it came out, as YYYY-MM-DD
    :param python: version of Python
    :param installer: ``uv`` or ``pip``
    :param scope: which tests: one of :data:`SCOPES`
    :param lowest: with the lowest versions of all that the package depends on
    :param versions: of Python and of what the package needs, as they were installed
    :param results: what was run, and how it ended
    """

    airflow: str
    day: str
    python: str
    installer: str = "uv"
    scope: str = "near"
    lowest: bool = False
    versions: dict[str, str] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name it, for folders and tables."""
        return f"{self.airflow}-{self.python}{'-lowest' if self.lowest else ''}"

    def run(self, wheels: tuple[Path, Path], source: Path, folder: Path) -> dict[str, Any]:
        """Make the environment, run everything in it, and return the results.

        :param wheels: of the provider and of the emulator
        :param source: the tests and what they need, see :func:`snapshot`
        :param folder: for the environment and all that is written
        """
        home = folder / self.name
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        began = time.monotonic()
        if self._install(*wheels, home):
            shutil.copytree(source, home, dirs_exist_ok=True)
            self._provider(home)
            if SCOPES[self.scope]:
                # The lowest versions are those of what the package needs without its extras.
                paths = [path for path in SCOPES[self.scope] if not (self.lowest and path.endswith("lineage.py"))]
                self._tests("tests", tuple(paths), home)
            if self.scope != "install":
                self._tests("example DAGs", EXAMPLES if self.scope == "whole" else ONE_EXAMPLE, home)
        shutil.rmtree(home / "venv", ignore_errors=True)
        return {**asdict(self), "seconds": round(time.monotonic() - began)}

    def _install(self, wheel: Path, emulator: Path, home: Path) -> bool:
        python = _python(self.python)
        if python is None:
            self.results["install"] = f"no Python {self.python} here"
            return False
        subprocess.run([python, "-m", "venv", home / "venv"], check=True)
        airflow = f"apache-airflow=={self.airflow}"
        # As a user's Airflow is: with the constraints of its day, which its own are made of.
        resolved = self._resolve(airflow, wheel, home)
        if resolved.returncode:
            offered = not any(words in resolved.stderr for words in _NO_SUCH)
            self.results["install"] = _last_line(resolved.stderr) if offered else NOT_OFFERED
            return False
        constrained = ("--constraint", home / "constraints.txt")
        done = self._pip(home, "install", airflow, *constrained)
        before = self._frozen(home)
        if done.returncode == 0 and self.lowest:
            lowest = [line.replace(">=", "==") for line in needed(wheel)]
            done = self._pip(home, "install", airflow, f"{wheel}[emulator]", emulator, *lowest)
        elif done.returncode == 0:
            # As in README.md; then all the rest of ours.
            done = self._pip(home, "install", airflow, wheel, *constrained)
            self.results["adds"] = difference(before, self._frozen(home))
            if done.returncode == 0:
                done = self._pip(
                    home, "install", airflow, f"{wheel}[emulator,openlineage]", emulator, *constrained
                )
        after = self._frozen(home)
        self.results["changes"] = "-" if self.lowest else changed(before, after)
        self.versions = self._versions(home, wheel, after)
        if done.returncode == 0:
            # The tools come last and move nothing: what is tested is what Airflow and the wheel require.
            (home / "installed.txt").write_text("".join(f"{name}=={version}\n" for name, version in after.items()))
            done = self._call([*self._uv(home, "install"), "--constraint", home / "installed.txt", *TOOLS], home)
        self.results["install"] = "ok" if done.returncode == 0 else _last_line(done.stderr)
        return done.returncode == 0

    def _resolve(self, airflow: str, wheel: Path, home: Path) -> subprocess.CompletedProcess[str]:
        """Write the constraints of the day: the newest versions of that day that fit together."""
        roots = [airflow, *HOLDING_BACK, *(line.partition(">=")[0] for line in needed(wheel))]
        (home / "constraints.in").write_text("\n".join(roots) + "\n")
        flags = ("--quiet", "--no-header", "--no-annotate", "--no-emit-index-url", "--exclude-newer", self.day)
        command = [BIN / "uv", "pip", "compile", *flags, "--python", home / "venv" / "bin" / "python"]
        return self._call([*command, "constraints.in", "--output-file", "constraints.txt"], home)

    def _uv(self, home: Path, command: str) -> list[Any]:
        # What runs tests starts often; the rest starts once.
        flags = ["--compile-bytecode"] if command == "install" and SCOPES[self.scope] else []
        return [BIN / "uv", "pip", command, "--quiet", *flags, "--python", home / "venv" / "bin" / "python"]

    def _pip(self, home: Path, command: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        pip = [home / "venv" / "bin" / "python", "-m", "pip", command, "--quiet"]
        done = self._call([*(pip if self.installer == "pip" else self._uv(home, command)), *arguments], home)
        with (home / "install.log").open("a") as log:
            log.write(done.stderr)
        return done

    def _frozen(self, home: Path) -> dict[str, str]:
        """Return what is installed, by its canonical name, but for the wheels."""
        lines = self._call(self._uv(home, "freeze"), home).stdout.splitlines()
        pairs = (line.split("==") for line in lines if "==" in line)
        return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pairs}

    def _versions(self, home: Path, wheel: Path, installed: dict[str, str]) -> dict[str, str]:
        python = self._call([home / "venv" / "bin" / "python", "-V"], home).stdout.split()[-1]
        names = [line.partition(">=")[0] for line in needed(wheel)]
        return {"python": python, **{name: installed[name] for name in names if name in installed}}

    def _provider(self, home: Path) -> None:
        """Query Airflow for what it knows of the provider; a warning that names it is a failure."""
        done = self._call([home / "venv" / "bin" / "airflow", "providers", "get", "airflow-provider-dli"], home)
        output = done.stdout + done.stderr
        warned = [line for line in output.splitlines() if "arning" in line and "airflow_provider_dli" in line]
        known = done.returncode == 0 and "airflow-provider-dli" in done.stdout
        self.results["providers CLI"] = "ok" if known and not warned else (warned or [output[-200:]])[0]

    def _tests(self, what: str, paths: tuple[str, ...], home: Path) -> None:
        done = self._call(
            [home / "venv" / "bin" / "python", "-m", "pytest", "-n", "2", "-k", NOT_HERE, *paths], home
        )
        (home / f"{what.replace(' ', '-')}.log").write_text(done.stdout + done.stderr)
        self.results[what] = outcome(done.stdout) or done.stderr[-200:]

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


def snapshot(folder: Path) -> Path:
    """Copy the tests and what they need, so that all cells run the same ones while others work on.

    :param folder: where to; what is there is removed
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in NEEDED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder)
    shutil.copy(ROOT / "matrix" / "pytest.ini", folder)
    return folder


def needed(wheel: Path) -> list[str]:
    """Read from a wheel what it needs beside Airflow, without its extras.

    :param wheel: the file
    """
    with zipfile.ZipFile(wheel) as content:
        (name,) = (name for name in content.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(content.read(name).decode())
    every = [line for line in metadata.get_all("Requires-Dist", []) if ";" not in line]
    return [line for line in every if not line.startswith("apache-airflow>")]


def difference(before: dict[str, str], after: dict[str, str]) -> str:
    """Name what is installed after and was not before.

    :param before: versions by name
    :param after: likewise
    """
    return ", ".join(sorted(after.keys() - before.keys())) or "nothing"


def changed(before: dict[str, str], after: dict[str, str]) -> str:
    """Name what has another version than before, or is gone; ``nothing`` if all is as it was.

    :param before: versions by name
    :param after: likewise
    """
    others = {name: after.get(name, "gone") for name in before if after.get(name) != before[name]}
    return ", ".join(f"{name} {before[name]} -> {version}" for name, version in others.items()) or "nothing"


def _last_line(output: str) -> str:
    return (output.strip().splitlines() or ["failed without a word"])[-1][:200]


def _python(version: str) -> Path | None:
    """Find a Python: as uv finds it, or among pyenv's, whether or not they are on the path."""
    done = subprocess.run([BIN / "uv", "python", "find", version], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return Path(done.stdout.strip())
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return max(root.glob(f"versions/{version}.*/bin/python"), default=None)
