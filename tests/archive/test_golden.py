"""Every finding of the corpus, word by word: where, in which entry, what. It is the message of a failed task.

The table is ``tests/golden/findings.json``; ``python -m tests.archive.test_golden`` writes it. Read what
has changed in it before you commit.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_dli.archive import inspect
from airflow_provider_dli.archive.__main__ import main
from tests.archive.conftest import BAD, made

GOLDEN = Path(__file__).parents[1] / "golden" / "findings.json"
#: these repeat the words of Python's parser, which each Python has its own of
_FOREIGN = {"bad-json"}


def findings_of(case: Any, level: Any) -> list[list[Any]]:
    """Return code, place, entry and message of each finding."""
    report = inspect(io.BytesIO(made(case.make)), level, limits=case.limits, expect=case.expect)
    return [
        [each.code, each.offset, each.entry, each.message if each.code not in _FOREIGN else "…"]
        for each in report.findings
    ]


def table() -> dict[str, dict[str, list[list[Any]]]]:
    """Return the table, by bad archive and level."""
    return {
        name: {level: findings_of(case, level) for level in ("full", "directory")} for name, case in BAD.items()
    }


@pytest.fixture(scope="module")
def golden() -> Any:
    """Return the table that is written down."""
    return json.loads(GOLDEN.read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("level", ["full", "directory"])
def test_every_finding_has_its_message(bad_name: str, level: str, golden: Any) -> None:
    """Code, place, entry and words; no more, no fewer, in this order."""
    assert json.loads(json.dumps(findings_of(BAD[bad_name], level))) == golden[bad_name][level]


def test_the_help_of_the_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every option with its words and default."""
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.startswith("usage: python -m airflow_provider_dli.archive ")
    for words in (
        "Verify ZIP archives.",
        "--level {directory,full} what to read: the central directory at the file's end, or every byte (default)",
        "JOB an id or name that must be found in names of entries, JSON, text, archives within; may be repeated",
        "--fingerprint also print the shapes of entries and contents, without values or names",
        "--min-entries N fewest files; default 1",
        "--md5 also print the MD5 of each file",
        "--json print one JSON object a file, each on a line",
        "FILE",
    ):
        assert words in shown


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(table(), indent=1, ensure_ascii=True) + "\n", encoding="utf-8")
