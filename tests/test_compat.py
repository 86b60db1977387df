"""Names of Airflow 3, wherever this Airflow has them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_dli import compat
from tests.processes import untraced


@pytest.mark.parametrize("name", compat.PLACES)
def test_this_airflow_has_every_name(name: str) -> None:
    """Airflow 2 has some under a former name."""
    found = getattr(compat, name)
    former = {place.partition(":")[2] for place in compat.PLACES[name]} - {""}
    assert getattr(found, "__name__", name) in {name, "AirflowConfigParser", "BaseXCom", *former}


def test_an_asset_has_one_form() -> None:
    """Airflow 2 knows the URIs of the provider as those of datasets."""
    assert compat.Asset(uri="obs://bucket/flink/").uri == "obs://bucket/flink"


def test_type_checkers_see_the_same_names() -> None:
    """A name that is imported for them alone would fail in a task."""
    tree = ast.parse(Path(compat.__file__).read_text())
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert {alias.asname for node in imported for alias in node.names if alias.asname} == set(compat.PLACES)


def test_a_name_that_it_does_not_have() -> None:
    """The error is that of any module."""
    with pytest.raises(ImportError, match=r"cannot import name 'DAG' from 'airflow_provider_dli\.compat'"):
        from airflow_provider_dli.compat import DAG  # type: ignore[attr-defined]  # noqa: F401, PLC0415


def test_it_imports_nothing_before_it_is_used() -> None:
    """Reading a DAG file loads what the file needs, and no more of Airflow."""
    code = "import sys, airflow_provider_dli.compat; print([name for name in sys.modules if 'airflow.' in name])"
    done = subprocess.run([sys.executable, "-c", code], env=untraced(), capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
