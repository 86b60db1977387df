"""The page on verification is true."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import get_args

from airflow_provider_dli.parameters import Level
from airflow_provider_dli.services import verify

PAGE = (Path(__file__).parents[2] / "docs" / "operators" / "verify.md").read_text(encoding="utf-8")


def test_it_has_each_level() -> None:
    """And no other."""
    table = PAGE.partition("| `level` |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == set(get_args(Level))


def test_it_has_each_code_of_the_object() -> None:
    """Those that the sources make, and no other."""
    made = set(re.findall(r'(?:defect|note)\(\s*"([a-z-]+)"', inspect.getsource(verify))) | {
        "missing",
        "damaged-on-the-way",
    }
    table = PAGE.partition("| code |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `([a-z-]+)`", table, re.MULTILINE)) == made
