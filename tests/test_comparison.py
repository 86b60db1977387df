"""The page that compares: it is made of its results, and those of ours are true today."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from foreign import Foreign, foreign_host
from measuring import lines_of
from mishaps import MISHAPS
from page import PAGE, README, RESULTS, page, with_table
from runs import cell, home_of, is_right
from ways import WAYS

from tests.airflow_cli import AirflowCli, airflow_cli, migrate

KNOWN: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def environment(shared_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment of an Airflow that has our DAG file."""
    given = home_of(WAYS["ours"], tmp_path_factory.mktemp("comparison") / "airflow")
    migrate(given, shared_folder)
    return given


@pytest.fixture(scope="module")
def cli(environment: dict[str, str]) -> Iterator[AirflowCli]:
    """Return its command line, without its start-up."""
    with airflow_cli(environment) as started:
        yield started


@pytest.fixture
def foreign() -> Iterator[Foreign]:
    with foreign_host() as host:
        yield host


def test_the_page_is_made_of_the_results() -> None:
    """And so is the table in the README: ``python comparison/page.py`` writes both."""
    assert PAGE.read_text(encoding="utf-8") == page(KNOWN)
    readme = README.read_text(encoding="utf-8")
    assert "<!-- comparison: begin -->" in readme
    assert readme == with_table(readme, KNOWN)


def test_the_results_are_complete() -> None:
    """Each way has met everything that can happen to it, and does the job if nothing goes wrong."""
    for name, way in WAYS.items():
        met = {each for each, mishap in MISHAPS.items() if not mishap.ways or name in mishap.ways}
        cells = KNOWN["ways"][name]["cells"]
        assert set(cells) == met
        assert is_right(MISHAPS["none"], cells["none"]), way.title


@pytest.mark.slow
@pytest.mark.parametrize("name", WAYS)
def test_a_dag_file_has_as_many_lines_as_the_page_shows(name: str) -> None:
    """And it compiles."""
    source = WAYS[name].file.read_text(encoding="utf-8")
    compile(source, str(WAYS[name].file), "exec")
    assert lines_of(source) == KNOWN["ways"][name]["lines"]["dag"]


def test_what_a_line_of_code_is() -> None:
    """Neither empty, nor a comment alone, nor of a docstring; each line of a string that is a value."""
    text = '"""Doc\n\nstring."""\n\n# comment\nx = 1  # two\n\ndef f():\n    """Doc."""\n'
    assert lines_of(text + '    return """a\n\nb"""\n') == 5


@pytest.mark.airflow
@pytest.mark.xdist_group("comparison")
@pytest.mark.parametrize("name", ["lost", "flipped"])
def test_ours_does_today_what_the_page_shows(
    name: str, cli: AirflowCli, environment: dict[str, str], dli_emulator: Any, foreign: Foreign
) -> None:
    """Run again in a real Airflow: the same state, as many exports, nothing given away."""
    found = cell(WAYS["ours"], MISHAPS[name], dli_emulator, foreign, environment, cli.run)
    assert is_right(MISHAPS[name], found), found
    known = KNOWN["ways"]["ours"]["cells"][name]
    same = ("state", "tasks", "tries", "requests", "exports", "foreign", "secrets")
    assert {each: found[each] for each in same} == {each: known[each] for each in same}
