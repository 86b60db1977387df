"""The emulator's page tells all of it, and its example runs."""

from __future__ import annotations

import re
from pathlib import Path

from dli_emulator.kinds import KINDS
from dli_emulator.routes import ROUTES

PAGE = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text(encoding="utf-8")


def _section(title: str) -> str:
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_every_operation_is_listed() -> None:
    """With method and path."""
    rows = re.findall(r"^\| `(\w+)` \| `(\w+) ([^`]+)`", _section("Operations"), re.MULTILINE)
    assert rows == [(route.operation, route.method, route.path) for route in ROUTES]


def test_every_fault_is_listed_with_its_parameters() -> None:
    """No kind is missing, none too many."""
    listed: dict[str, list[str]] = {}
    for kinds, parameters in re.findall(r"^\| (`[^|]+) \| ([^|]*) ?\|", _section("Faults"), re.MULTILINE):
        listed |= dict.fromkeys(re.findall(r"`(\w+)`", kinds), re.findall(r"`(\w+)`", parameters))
    assert listed == {kind: list(parameters) for kind, parameters in KINDS.items()}
