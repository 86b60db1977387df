"""The page describes what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from airflow_provider_dli.archive import Expectation, Limits
from airflow_provider_dli.archive.report import ERRORS, MORE, WARNINGS, severity
from tests.archive.fields import FIELDS

PATH = Path(__file__).parents[2] / "docs" / "archive.md"
PAGE = PATH.read_text()


def shown(code: str | None) -> str:
    """Return a code with its severity."""
    return f"{severity(code)}: `{code}`" if code else "–"


FIELD_TABLE = "\n".join(
    ["| what is wrong | who loses data | |", "| --- | --- | --- |"]
    + [f"| {field.what} | {', '.join(field.losing) or 'nobody'} | {shown(field.code)} |" for field in FIELDS]
)
FINDINGS = PAGE[PAGE.index("## Findings") : PAGE.index("## Ours")]
TABLE = PAGE[PAGE.index("<!-- table: begin -->") :]


def test_all_codes_are_listed_with_their_meaning() -> None:
    """Exactly those of the code, in its words and order."""
    listed = re.findall(r"^\| `([a-z0-9-]+)` \| (.+) \|$", FINDINGS, re.MULTILINE)
    assert listed == [*ERRORS.items(), *WARNINGS.items()]
    assert f"`{MORE}`" in FINDINGS


def test_all_options_are_listed() -> None:
    """Limits and expectations, by their names."""
    names = set(re.findall(r"`(\w+)`", PAGE))
    assert {*Limits._fields, *Expectation._fields} <= names


def test_all_fields_are_listed_with_who_loses_data() -> None:
    """As the code has them; ``python -m tests.archive.test_docs`` writes them."""
    assert FIELD_TABLE in PAGE


def test_the_table_is_of_this_corpus(corpus: dict[str, Any]) -> None:
    """Every bad archive has its row, with our codes; run ``python tests/archive/compare.py --update`` if not."""
    rows = [line.strip("| ").split(" | ") for line in TABLE.splitlines() if line.startswith("| ")][2:]
    assert {row[0]: row[3] for row in rows} == {
        name: ", ".join(sorted(case.codes)) for name, case in corpus.items()
    }


if __name__ == "__main__":
    begin, end = "<!-- fields: begin -->", "<!-- fields: end -->"
    page = re.sub(f"{begin}.*{end}", lambda _: f"{begin}\n{FIELD_TABLE}\n{end}", PAGE, flags=re.DOTALL)
    for title, codes in (("Errors", ERRORS), ("Warnings", WARNINGS)):
        rows = "".join(f"| `{code}` | {meaning} |\n" for code, meaning in codes.items())
        start = page.index("| --- | --- |\n", page.index(f"**{title}**")) + len("| --- | --- |\n")
        page = page[:start] + rows + page[page.index("\n\n", start) + 1 :]
    PATH.write_text(page)
