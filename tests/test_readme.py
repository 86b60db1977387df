"""What the README shows is run: its connection, its DAG, its script, its links."""

from __future__ import annotations

import re
import runpy
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

import airflow_provider_dli
from airflow_provider_dli.connection_form import EXTRAS
from airflow_provider_dli.operators import dli as operators
from airflow_provider_dli.sensors import dli as sensors

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "dli_emulator" / "README.md"]


def test_it_is_short() -> None:
    """Who decides whether to try it reads it in one go."""
    assert len(README.splitlines()) <= 120


def test_every_field_of_the_connection_is_documented() -> None:
    """In the table of its page, by name, each once."""
    page = (ROOT / "docs" / "connection.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page.partition("## Extras")[2], re.MULTILINE) == list(EXTRAS)


ARCHITECTURE = (ROOT / "docs" / "quality" / "architecture.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("table", "containers"), [("package", None), ("client", ["airflow_provider_dli.client"])])
def test_the_layers_are_those_that_are_checked(table: str, containers: list[str] | None) -> None:
    """The architecture's tables have each layer of the contracts, from the highest to the lowest."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = (
        each
        for each in settings["tool"]["importlinter"]["contracts"]
        if each["type"] == "layers" and each.get("containers") == containers
    )
    held = [[name.strip().rpartition(".")[2] for name in re.split(r"[|:]", layer)] for layer in contract["layers"]]
    shown = ARCHITECTURE.partition(f"| | layer of the {table} |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (\d+) \| ([^|]*) \|", shown, re.MULTILINE)
    assert [number for number, _ in rows] == [str(number) for number in range(1, len(held) + 1)]
    assert [re.findall(r"`(\w+)`", names) for _, names in rows] == held


def test_every_module_has_its_place_in_the_architecture() -> None:
    """Packages and modules of the package itself, and those of the client."""
    tree = ARCHITECTURE.partition("```text\nairflow_provider_dli/\n")[2].partition("```")[0]
    home = Path(airflow_provider_dli.__file__).parent
    for folder in (home, home / "client"):
        for path in folder.iterdir():
            if path.name.startswith("__") or path.name in ("py.typed", "example_dags"):
                continue
            if path.is_dir() and not any(path.rglob("*.py")):
                continue  # compiled modules that are no longer there
            name = f"{path.name}/" if path.is_dir() else path.name
            assert re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", tree), name


def test_the_commands_are_there() -> None:
    """Every make target that a page names exists."""
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z0-9]+):", makefile, re.MULTILINE))
    for document in DOCUMENTS:
        named = re.findall(r"(?:^|`)make ([a-z0-9]+)", document.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(named) <= targets, document


def test_the_reference_has_every_operator_and_names_only_what_there_is() -> None:
    """A module that was renamed or is new is noticed here, not first when the site is built."""
    site = runpy.run_path(str(ROOT / "site" / "modules.py"))
    shown = {
        site["full_name"](package, module)
        for package, (_, modules) in site["PAGES"].items()
        for module in modules.split()
    }
    assert [name for name in shown if not find_spec(name)] == []
    for front in (operators, sensors):
        assert {getattr(front, name).__module__ for name in front.__all__} <= shown
