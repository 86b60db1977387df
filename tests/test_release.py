"""What stands between the code and a user: schemas of each Airflow, the changelog, the archives, how things go."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import jsonschema
import package
import pytest

from airflow_provider_dli import __version__
from airflow_provider_dli.get_provider_info import get_provider_info

ROOT = Path(__file__).parents[1]
SCHEMAS = ROOT / "tests" / "golden" / "provider_schemas"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("airflow", ["2.11.2", "3.0.6", "3.2.2", "3.3.2"])
def test_provider_info_fits_every_airflow(airflow: str) -> None:
    """Each drops a provider that does not fit its schema; 3.1.8 has the one of 3.0.6."""
    schema = json.loads((SCHEMAS / f"{airflow}.json").read_text(encoding="utf-8"))
    jsonschema.validate(get_provider_info(), schema)


def test_the_schemas_refuse_something() -> None:
    """So that fitting them means something."""
    for file in SCHEMAS.glob("*.json"):
        wrong = get_provider_info() | {"connection-types": "dli"}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, json.loads(file.read_text(encoding="utf-8")))


@pytest.fixture
def built(distributions: dict[str, tuple[Path, Path]]) -> tuple[Path, Path]:
    """Return wheel and sdist of the provider."""
    return distributions["airflow-provider-dli"]


@pytest.mark.parametrize("name", ["airflow-provider-dli", "dli-emulator"])
def test_the_sdist_builds_the_same_bytes(
    name: str,
    distributions: dict[str, tuple[Path, Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever builds from it has what was published; and the time that is set is in there."""
    source = package.unpacked(distributions[name][1], tmp_path / "source")
    assert source.name == f"{name.replace('-', '_')}-{__version__}"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    again = package.build(source, tmp_path / "again")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in distributions[name]]
    with zipfile.ZipFile(again[0]) as archive:
        assert {entry.date_time[:3] for entry in archive.infolist()} == {(2023, 11, 14)}


def test_the_sdist_has_what_it_should(
    built: tuple[Path, Path], distributions: dict[str, tuple[Path, Path]]
) -> None:
    """Code, examples, docs, words on security and changes; no tests, whose data would make up most of it."""
    with tarfile.open(built[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    top = {name.partition("/")[0] for name in names}
    assert top == {
        "airflow_provider_dli", "example_dags", "docs", "README.md", "CHANGELOG.md", "CONTRIBUTING.md",
        "SECURITY.md", "LICENSE", "pyproject.toml", "PKG-INFO", ".gitignore", "release",
    }  # fmt: skip
    assert "docs/README.md" in names
    assert [name for name in names if name.startswith("release/")] == ["release/description.py"]
    with tarfile.open(distributions["dli-emulator"][1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    top = {name.partition("/")[0] for name in names}
    assert top == {"src", "README.md", "LICENSE", "pyproject.toml", "PKG-INFO", ".gitignore"}


def metadata(wheel: Path) -> Message:
    """Read a wheel's metadata."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_the_metadata_is_complete(built: tuple[Path, Path], distributions: dict[str, tuple[Path, Path]]) -> None:
    """What the index shows; the Pythons are those that are tested; nothing in it is wrong."""
    metadata_of_wheel = metadata(built[0])
    assert (metadata_of_wheel["Name"], metadata_of_wheel["Version"], metadata_of_wheel["License-Expression"]) == (
        "airflow-provider-dli",
        __version__,
        "Apache-2.0",
    )
    assert metadata_of_wheel["Summary"] == PROJECT["description"]
    assert metadata_of_wheel["Description-Content-Type"] == "text/markdown"
    assert "# airflow-provider-dli" in str(metadata_of_wheel.get_payload())[:2000]
    classifiers = set(metadata_of_wheel.get_all("Classifier", []))
    pythons = {name.rpartition(" ")[2] for name in classifiers if re.search(r":: 3\.\d+$", name)}
    assert pythons == {"3.11", "3.12", "3.13"}
    assert {"Framework :: Apache Airflow :: Provider", "Typing :: Typed"} <= classifiers
    stable = int(__version__.partition(".")[0]) >= 1
    assert ("Development Status :: 5 - Production/Stable" in classifiers) is stable
    assert {"emulator", "openlineage"} == set(metadata_of_wheel.get_all("Provides-Extra", []))
    emulator = metadata(distributions["dli-emulator"][0])
    assert (emulator["Name"], emulator["License-Expression"]) == ("dli-emulator", "Apache-2.0")
    assert "# dli-emulator" in str(emulator.get_payload())[:200]


def test_everything_that_is_needed_has_a_lowest_version(built: tuple[Path, Path]) -> None:
    """It is what the matrix installs in its lowest cell."""
    needed = [line for line in metadata(built[0]).get_all("Requires-Dist", []) if "extra ==" not in line]
    assert all(re.fullmatch(r"[a-z0-9-]+>=\d+\.\d+\.\d+", line) for line in needed), needed
    names = {line.partition(">=")[0] for line in needed}
    assert names == {"apache-airflow", "requests", "aiohttp", "boto3", "jinja2", "pydantic", "rich"}


WARNED = """15 passed
=============================== warnings summary ===============================
tests/test_example_dags.py::test_verify
  /home/x/venv/lib/python3.12/site-packages/airflow/triggers/base.py:27: RemovedInAirflow3Warning: Timer
    from airflow.models.taskinstance import SimpleTaskInstance

tests/test_docs.py::test_it
  /home/x/tests/test_docs.py:7: UserWarning: see site-packages/nobody/a.py:1: first
    warn()

-- Docs: https://docs.pytest.org/en/stable/how-to/capture-warnings.html
"""


@pytest.mark.parametrize(
    ("output", "outcome"),
    [
        ("....\n==== 15 passed in 72.21s (0:01:12) ====\n", "15 passed"),
        (
            f"{WARNED}1 failed, 14 passed, 2 warnings in 72.21s\n",
            "1 failed, 14 passed, 2 warnings (airflow, test_docs.py)",
        ),
        ("", ""),
    ],
)
def test_the_matrix_names_the_packages_of_warnings(output: str, outcome: str) -> None:
    """A number alone would leave it open whether one was ours."""
    assert runpy.run_path(str(ROOT / "matrix" / "outcome.py"))["outcome"](output) == outcome


def sections() -> list[tuple[str, str]]:
    """Read version and date of each section of the changelog."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    return re.findall(r"^## (\S+) \((.+)\)$", text, flags=re.MULTILINE)


def test_the_changelog_begins_with_this_version() -> None:
    """Newest first, none twice, each with its date; only the first may be unreleased."""
    versions = [tuple(map(int, version.split("."))) for version, _ in sections()]
    assert sections()[0][0] == __version__
    assert versions == sorted(set(versions), reverse=True)
    dates = [date for _, date in sections()]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", date) for date in dates[1:])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d|unreleased", dates[0])


def test_every_change_has_words() -> None:
    """No section is empty."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        assert re.search(r"^- \S", section, flags=re.MULTILINE), section


def test_the_badges_show_what_was_measured(tmp_path: Path) -> None:
    """They are as they would be drawn from the results of today, and the README shows each."""
    subprocess.run([sys.executable, ROOT / "release" / "badges.py", tmp_path], check=True)
    drawn = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    shown = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "badges").iterdir()}
    assert shown == drawn
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"docs/badges/(\S+?\.svg)", readme)) == set(shown)
