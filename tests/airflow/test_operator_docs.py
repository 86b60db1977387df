"""The pages on operators and their permissions, and on ObsHook, are true."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.hooks.obs import ObsHook
from tests.operators import KINDS, PAGES, docstring_of, is_templated, pages, parameters_of, written

DOCS = Path(__file__).parents[2] / "docs"
#: the actions that DLI's manual names: version of a policy -> those of Flink jobs
ACTIONS = {
    "1.1": {"create", "delete", "export", "get", "listAll", "start", "stop", "update"},
    "5.0": {"create", "delete", "export", "get", "list", "startFlinkJob", "stopFlinkJob", "update"},
}


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.stem)
def test_the_pages_are_made_of_the_code(path: Path) -> None:
    """``python -m tests.operators`` writes what is between markers."""
    assert path.read_text(encoding="utf-8") == written(path)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_has_a_page(kind: Any) -> None:
    """With its parameters, and with the module to import it from; its docstring leads there."""
    text = (DOCS / PAGES[kind.__name__]).read_text(encoding="utf-8")
    assert f"<!-- parameters of {kind.__name__}: begin -->" in text
    assert f"<!-- permissions of {kind.__name__}: begin -->" in text
    assert f"</docs/{PAGES[kind.__name__].removesuffix('.md')}>`" in kind.__doc__
    for heading in (
        "## Using the ",
        "## Parameters",
        "## XCom results",
        "## Failures and retries",
        "## Deferrable mode",
    ):
        assert heading in text, heading


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_docstring_has_each_parameter_and_no_other(kind: Any) -> None:
    """And of each whether it is templated."""
    assert set(docstring_of(kind).parameters) == set(parameters_of(kind))
    fields = re.findall(r"^:param (\w+): (.*?)(?=^:)", inspect.cleandoc(kind.__doc__), re.MULTILINE | re.DOTALL)
    for name, meaning in fields:
        assert ("(templated" in " ".join(meaning.split())) is is_templated(kind, name), name


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_template_field_is_a_parameter(kind: Any) -> None:
    """So that none is missing on the page."""
    assert set(kind.template_fields) <= set(parameters_of(kind))


def test_the_page_on_permissions_has_each_operator_and_only_actions_of_the_manual() -> None:
    """In the table; and in the policies, one of each version, all that the table names."""
    text = (DOCS / "permissions.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(Dli\w+)` \| ([^|]*) \|", text, re.MULTILINE)
    assert {name for name, _ in rows} == {kind.__name__ for kind in KINDS}
    words = {word for _, cell in rows for word in re.findall(r"`(\w+)`", cell)}
    parameters = {"dli_conn_id", "is_cover", "scratch_conn_id", "selection", "source_conn_id"}
    parameters |= {"stop_on_kill", "trigger_savepoint"}
    assert words - parameters == ACTIONS["1.1"]
    policies = [json.loads(code) for code in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    of_dli = [policy for policy in policies if "dli:jobs:export" in policy["Statement"][0]["Action"]]
    named = {
        each["Version"]: {action.rpartition(":")[2] for action in each["Statement"][0]["Action"]}
        for each in of_dli
    }
    assert named == ACTIONS
    dags = re.findall(r"`(dli_\w+)`", text.partition("### Of each example DAG")[2].partition("\n## ")[0])
    files = {path.stem for path in (DOCS.parent / "example_dags").glob("dli_*.py")}
    assert files <= set(dags)


def test_every_method_of_the_hook_is_documented() -> None:
    """In the table of the page on hooks, with its parameters; and no other."""
    text = (DOCS / "hooks.md").read_text(encoding="utf-8").partition("## ObsHook")[2].partition("\n## ")[0]
    documented = dict(re.findall(r"^\| `(?:await )?(\w+)\(([^)]*)\)` \|", text, re.MULTILINE))
    own = {name for name, value in vars(ObsHook).items() if inspect.isfunction(value) and not name.startswith("_")}
    assert set(documented) == own
    for name, given in documented.items():
        parameters = [each for each in given.split(", ") if each]
        assert parameters == list(inspect.signature(getattr(ObsHook, name)).parameters)[1:][: len(parameters)]
        required = [
            each.name
            for each in inspect.signature(getattr(ObsHook, name)).parameters.values()
            if each.default is inspect.Parameter.empty and each.name != "self"
        ]
        assert parameters == required


def test_the_example_of_the_hook_works(dli_emulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the emulator and its store."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.airflow_conn)
    text = (DOCS / "hooks.md").read_text(encoding="utf-8").partition("## ObsHook")[2]
    (code,) = re.findall(r"```python\n(.*?)```", text.partition("\n## ")[0], re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, "hooks.md", "exec"), names)  # noqa: S102 -- our own page
    (archive,) = DliHook().export_flink_jobs(f"{dli_emulator.bucket}/flink", [100]).zip_file
    name = archive.rpartition("/")[2]
    kept = names["keep"](archive, f"{dli_emulator.bucket}/kept/before")
    assert kept == [f"kept/before/{name}", f"kept/before/{name}.txt"]
