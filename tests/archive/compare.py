"""Print how ours, ``ZipFile.testzip`` and ``unzip -t`` find every archive of the corpus, as a Markdown table.

``python tests/archive/compare.py`` prints it; ``--update docs/quality/archives.md`` puts it into the page.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
SPECIAL = "–"
UNZIP = {0: "passes", 1: "warns"}
"""Exit statuses of ``unzip``; all others are errors."""


def main() -> int:
    """Print or update the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", type=Path, metavar="PAGE")
    page = parser.parse_args().update
    if not shutil.which("unzip"):
        parser.error("unzip is not installed")
    text = table()
    if page is None:
        sys.stdout.write(f"{text}\n")
    else:
        old = page.read_text()
        new = re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{text}\n{END}", old, flags=re.DOTALL)
        page.write_text(new)
    return 0


def table() -> str:
    """Compare, and sum up."""
    bad = import_module("zip_corpus.bad_structure").STRUCTURE | import_module("zip_corpus.bad_entries").ENTRIES
    good = import_module("zip_corpus.good").GOOD
    rows = [(name, *compare(case.make(), case)) for name, case in bad.items()]
    fine = [compare(make(), None) for make in good.values()]
    errors = [row for row in rows if row[1] == "defect" and SPECIAL not in row]
    counts = [sum(row[column] != "passes" for row in errors) for column in (2, 4, 5)]
    alarms = [sum(verdict[column] != "passes" for verdict in fine) for column in (1, 3, 4)]
    summary = (
        f"Of these, {len(errors)} are defects that all three could find: ours finds {counts[0]}, `testzip` "
        f"{counts[1]}, `unzip -t` {counts[2]} (warnings included). Of {len(fine)} good archives ours refuses "
        f"{alarms[0]}, `testzip` {alarms[1]}, `unzip -t` {alarms[2]}."
    )
    lines = [
        "| archive | | ours, `full` | codes | `testzip` | `unzip -t` |",
        "| --- | --- | --- | --- | --- | --- |",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        summary,
    ]
    return "\n".join(lines)


def compare(data: bytes, case: Any) -> tuple[str, str, str, str, str]:
    """Return what kind of case it is, and the result of each of the three."""
    from airflow_provider_dli.archive import inspect  # noqa: PLC0415 - found through the path set above
    from airflow_provider_dli.archive.report import WARNINGS  # noqa: PLC0415 - likewise

    limits, expect = (case.limits, case.expect) if case else (None, None)
    report = inspect(io.BytesIO(data), limits=limits, expect=expect)
    codes = sorted({finding.code for finding in report.findings})
    kind = "warning" if codes and set(codes) <= WARNINGS.keys() else "defect"
    ours = "passes" if report.verified else "finds"
    if limits or expect or "bad-json" in codes:
        return kind, ours, ", ".join(codes), SPECIAL, SPECIAL
    return kind, ours, ", ".join(codes), testzip(data), unzip(data)


def testzip(data: bytes) -> str:
    """Test with Python's own module."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return "passes" if archive.testzip() is None else "finds"
    except Exception:  # noqa: BLE001 - it raises anything from OSError to NotImplementedError
        return "finds"


def unzip(data: bytes) -> str:
    """Test with Info-ZIP; with a password, so that it does not prompt for one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.zip")
        path.write_bytes(data)
        command = ["unzip", "-P", "x", "-tqq", str(path)]
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    return UNZIP.get(done.returncode, "finds")


if __name__ == "__main__":
    sys.exit(main())
