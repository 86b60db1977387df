"""The how-to guides: what they quote is what runs, what they show is there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_dli.hooks.dli import DliHook

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


def quotes() -> Iterator[Any]:
    """Return every quotation: page, file, text."""
    for page in PAGES:
        pattern = r"<!-- quoted from (\S+) -->\n```python\n(.*?)```"
        for file, text in re.findall(pattern, page.read_text(encoding="utf-8"), re.DOTALL):
            yield pytest.param(file, text, id=f"{page.stem}-{Path(file).stem}")


@pytest.mark.parametrize(("file", "text"), list(quotes()))
def test_what_is_quoted_is_in_the_file(file: str, text: str) -> None:
    """Word for word, but for the indentation; and the file runs whole in the tests of the examples."""
    assert textwrap.indent(text, "    ") in (ROOT / file).read_text(encoding="utf-8")


def test_every_picture_is_shown() -> None:
    """And every one that is shown is there: the test of the links checks that."""
    pages = [*DOCS.rglob("*.md"), ROOT / "README.md"]
    shown = set(
        re.findall(r"\(\S*pictures/([\w-]+\.png)\)", "".join(p.read_text(encoding="utf-8") for p in pages))
    )
    assert shown == {path.name for path in (DOCS / "pictures").iterdir()}


def test_every_page_is_in_the_table_of_contents() -> None:
    """By a link."""
    contents = (DOCS / "README.md").read_text(encoding="utf-8")
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS)
        assert name.parts[0] in ("README.md", "decisions") or f"({name})" in contents, name


CONNECTIONS = re.findall(
    r"```json\n(.*?)```", (DOCS / "howto" / "connect.md").read_text(encoding="utf-8"), re.DOTALL
)


@pytest.mark.slow
@pytest.mark.parametrize("text", CONNECTIONS)
def test_every_connection_works(
    text: str, dli_emulator: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the emulator's own values where the page has placeholders, and its addresses."""
    shown = json.loads(text)
    extra = shown["extra"]
    kind = extra.get("auth_type", "temporary" if "security_token" in extra else "access_key")
    is_elsewhere = kind in ("environment", "credentials_file")
    given = json.loads(
        dli_emulator.connection("access_key" if is_elsewhere else kind, agency="agency_name" in extra)
    )
    if is_elsewhere:
        access_key, secret_key = given.pop("login"), given.pop("password")
        if kind == "environment":
            monkeypatch.setenv("HUAWEICLOUD_SDK_AK", access_key)
            monkeypatch.setenv("HUAWEICLOUD_SDK_SK", secret_key)
        else:
            (tmp_path / ".huaweicloud").mkdir()
            (tmp_path / ".huaweicloud" / "credentials").write_text(f"[basic]\nak={access_key}\nsk={secret_key}\n")
            monkeypatch.setenv("HOME", str(tmp_path))
        given["extra"]["auth_type"] = kind
    endpoints = {"endpoint", "obs_endpoint", "iam_endpoint", "metadata_endpoint"}
    assert set(shown) == set(given)
    assert set(extra) == set(given["extra"]) - endpoints
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", json.dumps(given))
    assert DliHook().test_connection()[0]


def test_a_users_own_test_suite(airflow_environ: dict[str, str], tmp_path: Path) -> None:
    """The tests of both pages, copied as they stand into a folder of somebody who has only the packages."""
    text = (DOCS / "howto" / "test-your-dag.md").read_text(encoding="utf-8")
    code = "\n\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    (tmp_path / "test_my_backup.py").write_text(code)
    (example,) = re.findall(r"```python\n(.*?)```", (DOCS / "emulator.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "test_my_pipeline.py").write_text(example)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "dags").mkdir()
    shutil.copy(ROOT / "example_dags" / "dli_export_flink_jobs.py", tmp_path / "dags" / "my_backup.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--rootdir", tmp_path, "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=airflow_environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "4 passed" in done.stdout, done.stdout


def test_the_newcomers_dag(airflow_environ: dict[str, str], dli_emulator: Any, tmp_path: Path) -> None:
    """The page's DAG succeeds, and what the page does to the next archive is a fault that is known."""
    text = (DOCS / "howto" / "try-without-an-account.md").read_text(encoding="utf-8")
    (dag,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (damage,) = re.findall(r"python - <<'END'\n(.*?)\nEND", text, re.DOTALL)
    (tmp_path / "mine.py").write_text(dag)
    environment = airflow_environ | {
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path),
        "AIRFLOW_CONN_DLI_DEFAULT": dli_emulator.airflow_conn,
        "AIRFLOW_VAR_DLI_BACKUP_BUCKET": dli_emulator.bucket,
    }
    command = [str(Path(sys.executable).parent / "airflow"), "dags", "test", "mine"]
    succeeding = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert succeeding.returncode == 0, succeeding.stdout
    assert "1 of 1 archive intact: 3 entries" in succeeding.stdout
    subprocess.run([sys.executable, "-c", damage], env=environment, check=True)
    (fault,) = dli_emulator.faults
    assert (fault.operation, fault.kind) == ("ExportFlinkJobs", "archive_flipped")
