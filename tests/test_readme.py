"""What the README shows is run: its connection, its DAG, its script, its links."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_dli.connection.fields import EXTRAS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DAG_CODE, HOOK_CODE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]


def test_the_first_dag_is_a_dag() -> None:
    """Copied as it stands, it parses and its tasks hang together."""
    names: dict[str, Any] = {}
    exec(compile(DAG_CODE, "README.md", "exec"), names)  # noqa: S102 -- our own README
    export = names["export"]
    assert export.downstream_task_ids == {"verify"}
    assert export.dag.dag_id == "my_flink_backup"


def test_the_script_runs(dli_emulator: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Copied as it stands, but for the name of the bucket."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.airflow_conn)
    names: dict[str, Any] = {}
    code = HOOK_CODE.replace("my-bucket", dli_emulator.bucket)
    exec(compile(code, "README.md", "exec"), names)  # noqa: S102 -- our own README
    assert names["archives"][0].startswith(f"{dli_emulator.bucket}/flink/")
    assert capsys.readouterr().out.count("\n") > 0


def test_the_connection_is_one() -> None:
    """Its JSON is read as Airflow reads it."""
    text = re.search(r"AIRFLOW_CONN_DLI_DEFAULT='(.*?)'", README, re.DOTALL)
    assert text
    connection = json.loads(text.group(1))
    assert connection["conn_type"] == "dli"
    assert set(connection["extra"]) <= set(EXTRAS)


def test_every_field_of_the_connection_is_documented() -> None:
    """In the table of its page, by name, each once."""
    page = (ROOT / "docs" / "connection.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page.partition("## Extras")[2], re.MULTILINE) == list(EXTRAS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link of every page."""
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (document.parent / target).exists(), target


def test_the_commands_are_there() -> None:
    """Every make target that a page names exists."""
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z0-9]+):", makefile, re.MULTILINE))
    for document in DOCUMENTS:
        named = re.findall(r"(?:^|`)make ([a-z0-9]+)", document.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(named) <= targets, document
