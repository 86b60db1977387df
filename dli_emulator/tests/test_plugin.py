"""The pytest plugin, as another project meets it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[1] / "README.md"
TESTS = """
import pytest

def test_one(dli_emulator):
    dli_emulator.fault("ListFlinkJobs", "html")
    dli_emulator.state.jobs.clear()
    dli_emulator.s3.put_object(Bucket=dli_emulator.bucket, Key="left", Body=b"")
    test_one.emulator = dli_emulator

def test_two(dli_emulator):
    assert dli_emulator is test_one.emulator
    assert len(dli_emulator.state.jobs) == JOBS
    assert list(dli_emulator.faults) == []
    assert dli_emulator.s3.list_objects_v2(Bucket=dli_emulator.bucket)["KeyCount"] == 0
"""


def pytest_in(folder: Path, *arguments: str) -> str:
    # A configuration of its own, so that none of a folder above, such as ours, is taken.
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-W",
        "error",
        # Huawei's SDK on Python 3.12 and later
        "-W",
        "ignore:datetime.datetime.utcnow:DeprecationWarning",
        "-p",
        "no:asyncio",
        *arguments,
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    return done.stdout + done.stderr


def test_each_test_has_a_clean_state_on_one_emulator(tmp_path: Path) -> None:
    """Nothing of one test is left for the next; the examples of the README run, where only the package is."""
    (tmp_path / "test_it.py").write_text(TESTS.replace("JOBS", "26"))
    example = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "test_readme.py").write_text("".join(example))
    assert "5 passed" in pytest_in(tmp_path)


def test_the_sessions_emulator_takes_options(tmp_path: Path) -> None:
    """By overriding one fixture."""
    (tmp_path / "conftest.py").write_text(
        "import pytest\n@pytest.fixture(scope='session')\ndef dli_emulator_options():\n"
        "    return {'jobs': 3, 'object_store': 'moto'}\n"
    )
    (tmp_path / "test_it.py").write_text(TESTS.replace("JOBS", "3"))
    assert "2 passed" in pytest_in(tmp_path)


def test_the_plugin_costs_other_suites_nothing() -> None:
    """Importing it imports none of what the emulator needs, nor Airflow."""
    code = (
        "import sys, pytest; before = set(sys.modules); import dli_emulator.pytest_plugin\n"
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['dli_emulator', 'dli_emulator.pytest_plugin']\n"
