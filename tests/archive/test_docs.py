"""The page describes what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from airflow_provider_dli.archive import Expectation, Limits
from airflow_provider_dli.archive.report import ERRORS, MORE, WARNINGS, severity
from tests.archive.fields import FIELDS
from tests.pages import with_section

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "archive.md").read_text(encoding="utf-8")
FINDINGS = DOCS / "findings.md"
MEASURED = DOCS / "quality" / "archives.md"


def shown(code: str | None) -> str:
    """Return a code with its severity."""
    return f"{severity(code)}: `{code}`" if code else "–"


FIELD_TABLE = "\n".join(
    ["| what is wrong | who loses data | |", "| --- | --- | --- |"]
    + [f"| {field.what} | {', '.join(field.losing) or 'nobody'} | {shown(field.code)} |" for field in FIELDS]
)
KINDS = (("Errors", "the archive fails", ERRORS), ("Warnings", "the archive does not fail", WARNINGS))
FINDING_TABLES = (
    "\n".join(
        line
        for title, effect, codes in KINDS
        for line in (
            f"## {title}: {effect}\n\n| code | meaning |\n| --- | --- |",
            *(f"| `{code}` | {meaning} |" for code, meaning in codes.items()),
            "",
        )
    )
    + f"\n`{MORE}` ends a series of findings of one code that was cut short; its severity is theirs."
)


def test_all_codes_are_listed_with_their_meaning() -> None:
    """In the words and the order of the code; ``python -m tests.archive.test_docs`` writes them."""
    assert FINDING_TABLES in FINDINGS.read_text(encoding="utf-8")


def test_all_options_are_listed() -> None:
    """Limits and expectations, by their names."""
    names = set(re.findall(r"`(\w+)`", GUIDE))
    assert {*Limits._fields, *Expectation._fields} <= names


def test_all_fields_are_listed_with_who_loses_data() -> None:
    """As the code has them; ``python -m tests.archive.test_docs`` writes them."""
    assert FIELD_TABLE in MEASURED.read_text(encoding="utf-8")


def test_the_table_is_of_this_corpus(corpus: dict[str, Any]) -> None:
    """Every bad archive has its row, with our codes; run ``python tests/archive/compare.py --update`` if not."""
    table = MEASURED.read_text(encoding="utf-8").partition("<!-- table: begin -->")[2]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")][2:]
    assert {row[0]: row[3] for row in rows} == {
        name: ", ".join(sorted(case.codes)) for name, case in corpus.items()
    }


if __name__ == "__main__":
    for path, name, text in ((FINDINGS, "findings", FINDING_TABLES), (MEASURED, "fields", FIELD_TABLE)):
        page = with_section(path.read_text(encoding="utf-8"), name, f"{text}\n")
        path.write_text(page, encoding="utf-8")
