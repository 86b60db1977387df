"""The comparison with backup tools: each row of ours can be run."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from airflow_provider_dli.backups.cli import COMMANDS

TESTS = Path(__file__).parent
PAGE = TESTS.parent.joinpath("docs", "quality", "backup-tools.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.partition("<!-- features: begin -->")[2]
    .partition("<!-- features: end -->")[0]
    .splitlines()[3:]
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_row_is_backed(row: list[str]) -> None:
    """By a test or a command that exists, or it is marked as what there is not, or not by itself."""
    _feature, ours, proof, *others = row
    assert len(others) == 4
    if proof == "–":
        assert ours.startswith("**n"), "what is not there is marked"
        return
    name = proof.strip("`")
    if file := re.fullmatch(r"([\w/]+\.py)::(\w+)", name):
        tree = ast.parse((TESTS / file[1]).read_text(encoding="utf-8"))
        functions = {
            node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert file[2] in functions
    else:
        assert name.partition(" ")[0] in {command.name for command in COMMANDS}
