"""``make package``: wheel and sdist of the provider and of the emulator as they could be published, and checked.

Each is built twice, in two folders and from two sources (this tree, and the sdist made of it), and compared byte
by byte; checked against the index's own rules; the sdist is installed by plain pip into an empty environment and
tried there; beside each wheel comes a bill of materials of everything that is installed with it. At last the
wheels are installed beside Airflow, with the constraints of its day, and export and verify there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
#: name of each distribution -> its folder
DISTRIBUTIONS = {"airflow-provider-dli": ROOT, "dli-emulator": ROOT / "dli_emulator"}
#: run where a distribution was installed from its sdist: what it is, and that nothing else of ours is there
CHECKS = {
    "airflow-provider-dli": """
from importlib.metadata import entry_points, packages_distributions, version
ours = [each for each in entry_points(group="apache_airflow_provider") if each.dist.name == "airflow-provider-dli"]
(entry,) = ours
assert entry.load()()["versions"] == [version("airflow-provider-dli")]
import airflow_provider_dli.operators.dli
assert "dli_emulator" not in packages_distributions()
print("airflow-provider-dli", version("airflow-provider-dli"), "with Airflow", version("apache-airflow"))
""",
    "dli-emulator": """
from importlib.metadata import entry_points, packages_distributions, version
(entry,) = [each for each in entry_points(group="pytest11") if each.name == "dli_emulator"]
from dli_emulator import Emulator
assert not {"airflow", "airflow_provider_dli"} & set(packages_distributions())
with Emulator(jobs=1) as emulator:
    print("dli-emulator", version("dli-emulator"), "answers with", len(emulator.state.jobs), "job")
""",
}


def main() -> int:
    """Build and prove; 1 if anything is not as it should be."""
    os.environ["SOURCE_DATE_EPOCH"] = epoch()
    shutil.rmtree(DIST, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        proved = all(prove(name, Path(folder) / name) for name in DISTRIBUTIONS)
    return int(not (proved and export_there()))


def prove(name: str, scratch: Path) -> bool:
    """Build a distribution into dist, and check it; return whether it is reproducible.

    :param name: of the distribution
    :param scratch: folder for what is thrown away
    """
    wheel, sdist = build(DISTRIBUTIONS[name], DIST)
    again = build(unpacked(sdist, scratch / "source"), scratch / "again")
    for one, other in zip((wheel, sdist), again, strict=True):
        if one.read_bytes() != other.read_bytes():
            print(f"not reproducible: {one.name}", file=sys.stderr)
            return False
        print(f"sha256 {hashlib.sha256(one.read_bytes()).hexdigest()}  {one.name}")
    print("built twice, from this tree and from its sdist: the same bytes")
    run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)
    project = tomllib.loads((DISTRIBUTIONS[name] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    if "Source" not in project.get("urls", {}):
        print(f"{name} names no repository: see docs/versions.md before it is published")
    run(Path(sys.executable).parent / "check-wheel-contents", wheel)
    python = environment(scratch / "venv")
    # By name, so that the environment does not remember where on this machine the file lay.
    given = ("--find-links", DIST, "--no-binary", name, "--constraint", ROOT / "constraints.txt")
    run(python, "-m", "pip", "install", "--quiet", *given, f"{name}=={wheel.name.split('-')[1]}")
    run(python, "-c", CHECKS[name], cwd=scratch)
    bill(python, wheel)
    return True


def export_there() -> bool:
    """Install the wheels of dist beside Airflow 2 and 3; return whether an export succeeds in each."""
    sys.path.insert(0, str(ROOT / "matrix"))  # before a distribution with a module of the same name
    from matrix import exports  # noqa: PLC0415 -- beside this folder

    (provider,), (emulator,) = DIST.glob("airflow_provider_dli-*.whl"), DIST.glob("dli_emulator-*.whl")
    return exports((provider, emulator), ROOT / ".cache" / "package")


def epoch() -> str:
    """Return the time that files in the archives have: of the last commit, or what is set; otherwise 2020."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return given
    done = subprocess.run(
        ["git", "-C", ROOT, "log", "-1", "--format=%ct"],  # noqa: S607 -- the git of whoever builds
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "1580601600"


def build(source: Path, target: Path) -> tuple[Path, Path]:
    """Build wheel and sdist.

    :param source: the tree
    :param target: where they go
    :returns: the two files
    """
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", target, source, quiet=True)
    name = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
    file = f"{name.replace('-', '_')}-*"
    (wheel,), (sdist,) = target.glob(f"{file}.whl"), target.glob(f"{file}.tar.gz")
    return wheel, sdist


def unpacked(sdist: Path, target: Path) -> Path:
    """Unpack an sdist; its one folder.

    :param sdist: the file
    :param target: where to
    """
    with tarfile.open(sdist) as archive:
        # Python knows the filter since 3.11.4, and warns from 3.12 on without it.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(target)  # noqa: S202 -- built here
    (folder,) = target.iterdir()
    return folder


def environment(folder: Path) -> Path:
    """Make an environment with nothing but pip; its Python.

    :param folder: where
    """
    run(sys.executable, "-m", "venv", folder)
    return folder / "bin" / "python"


def bill(python: Path, wheel: Path) -> None:
    """Write the bill of materials beside the wheel: CycloneDX, reproducible, of all that pip installed.

    :param python: of the environment
    :param wheel: whose bill it is
    """
    target = wheel.with_suffix(".cdx.json")
    cyclonedx = Path(sys.executable).parent / "cyclonedx-py"
    run(cyclonedx, "environment", "--output-reproducible", "--of", "JSON", "--output-file", target, python)
    text = target.read_text(encoding="utf-8")
    for place in (str(ROOT), tempfile.gettempdir()):
        if place in text:
            raise SystemExit(f"{target.name} names a place of this machine: {place}")
    print(f"bill of materials: {target.relative_to(ROOT)}")


def run(*command: object, cwd: Path | None = None, quiet: bool = False) -> None:
    """Run a command; end with its words if it fails.

    :param command: its parts
    :param cwd: where
    :param quiet: to show its output only if it fails
    """
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    if not quiet and done.stdout.strip():
        print(done.stdout.strip())


if __name__ == "__main__":
    sys.exit(main())
