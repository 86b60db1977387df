"""The page on how to add an operation, done: each block goes to its place, in a copy of the project; it works."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.processes import untraced

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "contributing" / "add-an-operation.md").read_text(encoding="utf-8")
COPIED = ("airflow_provider_dli", "demo", "dli_emulator", "docs", "example_dags", "tests", "pyproject.toml")
_BLOCK = re.compile(r"<!-- (new|in): (\S+) ?(.*?) ?-->\n```(\w+)\n(.*?)```", re.DOTALL)


@dataclass
class Block:
    """A block of the page.

    :param is_new: whether it is a file of its own
    :param path: of the file
    :param where: in it
    :param language: that it is written in
    :param text: what is put there
    """

    is_new: bool
    path: str
    where: str
    language: str
    text: str

    def put(self, root: Path) -> None:
        """Put it in its place."""
        file = root / self.path
        if self.is_new:
            file.write_text(self.text, encoding="utf-8")
        elif self.language == "json":
            self._put_json(file)
        else:
            self._put_lines(file)

    def _put_json(self, file: Path) -> None:
        known = json.loads(file.read_text(encoding="utf-8"))
        if self.where == "under paths":
            known["paths"] |= json.loads(self.text)
        else:
            assert self.where == "at the end of the list"
            known.append(json.loads(self.text))
        file.write_text(json.dumps(known), encoding="utf-8")

    def _put_lines(self, file: Path) -> None:
        side, _, anchor = self.where.partition(": ")
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        (at,) = (number for number, line in enumerate(lines) if line.startswith(anchor))
        lines.insert(at + (side == "after"), self.text)
        file.write_text("".join(lines), encoding="utf-8")


BLOCKS = [Block(kind == "new", *rest) for kind, *rest in _BLOCK.findall(PAGE)]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the copy: it comes before what is installed."""
    # Nor is the copy there any more when its coverage would be reported.
    environment = untraced() | {
        "PYTHONPATH": os.pathsep.join(map(str, (folder, folder / "dli_emulator" / "src"))),
        "AIRFLOW_HOME": str(folder / "airflow"),
    }
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the copy with the blocks in it."""
    folder = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "pictures"))
        else:
            shutil.copy(source, folder)
    for block in BLOCKS:
        block.put(folder)
    return folder


def test_no_block_is_omitted() -> None:
    """Each has its place; the last is the command."""
    assert len(BLOCKS) == PAGE.count("```") // 2 - 1


def test_the_operation_works_as_all_others(copy: Path) -> None:
    """The tests of all operations pass with it, and its row is in the table."""
    assert run(copy, "-m", "tests.operations").returncode == 0
    assert "| ListQueues | (SDK) |" in (copy / "docs" / "operations.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"```sh\npython -m (pytest .*?)```", PAGE, re.DOTALL)
    wanted = command.replace("\\\n", " ").split()
    done = run(copy, "-m", *wanted, "-v", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert len(re.findall(r"\[.*ListQueues.*\] PASSED", done.stdout)) >= 15
