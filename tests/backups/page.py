"""The schema of the documents of a catalogue, as the code has it.

``python -m tests.backups.page`` writes the tables of docs/backups.md.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_type_hints

from airflow_provider_dli.backups import manifest
from airflow_provider_dli.formatting import markdown_table
from tests.operators import docstring_of
from tests.pages import with_section

PAGE = Path(__file__).parents[2] / "docs" / "backups.md"
#: the models, and where each is
DOCUMENTS: dict[type[manifest.Document], str] = {
    manifest.Manifest: "`manifest.json`",
    manifest.Content: "`jobs` and `settings` of a manifest",
    manifest.Archive: "`archives` of a manifest",
    manifest.Verification: "`verification` of a manifest",
    manifest.Run: "`run`",
    manifest.Job: "`jobs.jsonl.gz` and `listed.jsonl.gz`, each line",
    manifest.JobSettings: "`settings.jsonl.gz`, each line",
    manifest.Expired: "`expired.json`",
}


def written() -> str:
    """Return the page with its tables."""
    tables = "\n".join(f"{place}:\n\n{_table(model)}" for model, place in DOCUMENTS.items())
    return with_section(PAGE.read_text(encoding="utf-8"), "documents", f"{tables}\n")


def _table(model: type[manifest.Document]) -> str:
    meanings = docstring_of(model).parameters
    # Without what validates beside them.
    kinds = get_type_hints(model)
    rows = [(f"`{name}`", _kind(kinds[name]), meanings[name]) for name in model.model_fields]
    return markdown_table(("field", "type", "meaning"), rows).replace("\\`", "`")


def _kind(annotation: Any) -> str:
    """Return a type in the words of JSON."""
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    words: dict[str, Any] = {
        r"airflow_provider_dli\.backups\.manifest\.": "",
        r".*AwareDatetime.*|.*datetime.*": "time",
        r"typing\.Literal\[(.*)\]": lambda found: found[1].replace("'", ""),
        r"tuple\[(.*), \.\.\.\]": r"list of \1",
        r"\bdict\[.*\]": "object",
        r"\bbool\b": "true or false",
        r"\bint\b": "number",
        r"\bstr\b": "string",
        r" \| None": ", may be missing",
        r"typing\.Optional\[(.*)\]": r"\1, may be missing",
        "number, may be missing(?=.)": "number",
    }
    for pattern, word in words.items():
        text = re.sub(pattern, word, text)
    return text


if __name__ == "__main__":
    PAGE.write_text(written(), encoding="utf-8")
