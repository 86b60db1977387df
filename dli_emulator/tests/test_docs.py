"""The README lists every operation, every setting and every fault.

``python dli_emulator/tests/test_docs.py`` writes its tables of operations and settings.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from pathlib import Path

from dli_emulator import Emulator
from dli_emulator.faults import KINDS, problem_in
from dli_emulator.routes import ROUTES
from dli_emulator.settings import Settings

PATH = Path(__file__).parents[1] / "README.md"
PAGE = PATH.read_text(encoding="utf-8")


def with_tables(page: str) -> str:
    """Return the page with today's tables: those of the code."""
    operations = [f"| `{route.operation}` | `{route.method} {route.path}` |" for route in ROUTES]
    described = dict(re.findall(r":param (\w+): (.*?)(?=:param|\Z)", inspect.getdoc(Settings) or "", re.DOTALL))
    settings = [
        f"| `{field.name}` | `{json.dumps(field.default)}` | {' '.join(described[field.name].split())} |".replace(
            "``", "`"
        )
        for field in dataclasses.fields(Settings)
    ]
    for name, lines in (
        ("operations", ["| operation | |", "|---|---|", *operations]),
        ("settings", ["| of `Settings` | default | |", "|---|---|---|", *settings]),
    ):
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}{chr(10).join(lines)}\n{end}{rest.partition(end)[2]}"
    return page


def _section(title: str) -> str:
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_operations_and_settings_are_those_of_the_code() -> None:
    """In its words and order."""
    assert with_tables(PAGE) == PAGE


def test_every_fault_is_listed_with_its_parameters() -> None:
    """No kind is missing, none too many."""
    listed: dict[str, list[str]] = {}
    for kinds, parameters in re.findall(r"^\| (`[^|]+) \| ([^|]*) ?\|", _section("Faults"), re.MULTILINE):
        listed |= dict.fromkeys(re.findall(r"`(\w+)`", kinds), re.findall(r"`(\w+)`", parameters))
    assert listed == {kind: list(parameters) for kind, parameters in KINDS.items()}


def test_each_fault_names_its_operations() -> None:
    """In the emulator's table: ``any`` takes ``*`` too; the others take those that they name."""
    table = PAGE.partition("| kind | parameters | for |")[2].partition("\n\n")[0]
    given: dict[str, str] = {}
    for kinds, operations in re.findall(r"^\| (`[^|]+) \| [^|]*\| ([^|]+) \|", table, re.MULTILINE):
        given |= dict.fromkeys(re.findall(r"`(\w+)`", kinds), operations)
    assert set(given) == set(KINDS)
    for kind, operations in given.items():
        named = re.findall(r"`(\w+)`", operations)
        assert (operations == "any") is not bool(named)
        assert bool(named) is bool(problem_in("*", kind, {}))
        assert not any(problem_in(operation, kind, {}) for operation in named or ["ShowFlinkJob"])


def test_the_keys_of_the_json_line_are_listed(dli_emulator: Emulator) -> None:
    """In their order."""
    (listed,) = re.findall(r"`--json` prints [^:]*: ([^;]*);", PAGE)
    assert re.findall(r"`(\w+)`", listed) == list(dli_emulator.describe())


if __name__ == "__main__":
    PATH.write_text(with_tables(PAGE), encoding="utf-8")
