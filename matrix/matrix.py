"""``make matrix``: the wheels on every Airflow and Python that it is for; writes ``docs/quality/matrix.md``.

``python matrix/matrix.py [AIRFLOW[-PYTHON] …]`` runs some cells; the page keeps what is known of the others.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cell import NOT_OFFERED, ROOT, Cell, snapshot

#: the last of every minor version, with the day after it came out
AIRFLOWS = {
    "2.11.2": "2026-03-15",
    "3.0.6": "2025-08-30",
    "3.1.8": "2026-03-12",
    "3.2.2": "2026-05-30",
    "3.3.2": "2026-09-18",
}
#: the oldest that pyproject.toml allows
LOWEST = ("2.11.0", "2025-05-21")
PYTHONS = ("3.11", "3.12", "3.13")
FOLDER = ROOT / ".cache" / "matrix"
KNOWN = ROOT / "matrix" / "results.json"
PAGE = ROOT / "docs" / "quality" / "matrix.md"
COLUMNS = ("install", "providers CLI", "unit", "example DAGs")


def cells(wanted: list[str]) -> list[Cell]:
    """Return the cells that are wanted; all of them, if none is named."""
    every = [Cell(airflow, day, python) for airflow, day in AIRFLOWS.items() for python in PYTHONS]
    every.append(Cell(*LOWEST, PYTHONS[0], lowest=True))
    return [each for each in every if not wanted or any(each.name.startswith(name) for name in wanted)]


def build() -> tuple[Path, Path]:
    """Build the wheels of the provider and of the emulator."""
    folder = FOLDER / "dist"
    shutil.rmtree(folder, ignore_errors=True)
    for source in (ROOT, ROOT / "dli_emulator"):
        subprocess.run(
            [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, source],
            check=True,
            capture_output=True,
        )
    (provider,), (emulator,) = folder.glob("airflow_provider_dli-*.whl"), folder.glob("dli_emulator-*.whl")
    return provider, emulator


def page(results: dict[str, Any]) -> str:
    """Write the page.

    :param results: of the cells, by name
    """
    rows = [
        f"| {each['airflow']}{', lowest' if each['lowest'] else ''} | {_with(each)} | "
        + " | ".join(str(each["results"].get(column, "-")).replace("|", "/") for column in COLUMNS)
        + f" | `{each['wheel'][:12]}` | {each['when']} |"
        for each in results.values()
    ]
    return "\n".join(
        [
            "# On which versions it runs",
            "",
            "The wheel, installed into an Airflow as it was on the day after it came out, with the unit tests of",
            "client, archive, hooks and operators, the example DAGs run whole by `airflow dags test` against the",
            "emulator, and `airflow providers get` without a warning that names this package. Made by",
            "`make matrix`; *lowest* has the lowest version of everything that the package depends on, *wheel*",
            "is how the SHA-256 of the wheel begins. Whose warnings there were stands beside their number; one of",
            "ours would have failed a test.",
            "",
            f"| Airflow | Python and what the package needs | {' | '.join(COLUMNS)} | wheel | when |",
            "|---|---|" + "---|" * (len(COLUMNS) + 2),
            *rows,
            "",
        ]
    )


def _with(found: dict[str, Any]) -> str:
    """Name the versions that were installed."""
    versions: dict[str, str] = found.get("versions") or {"python": found["python"]}
    return ", ".join(f"{name.removeprefix('apache-airflow-')} {version}" for name, version in versions.items())


def main() -> int:
    """Run the cells; 1 if any has a failure."""
    wheels, source = build(), snapshot(FOLDER / "source")
    digest = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    results: dict[str, Any] = json.loads(KNOWN.read_text()) if KNOWN.exists() else {}
    bad = False
    for each in cells(sys.argv[1:]):
        print(f"{each.name} …", flush=True)
        found = {**each.run(wheels, source, FOLDER), "when": f"{datetime.now(UTC):%Y-%m-%d}", "wheel": digest}
        print(f"  {found['results']} in {found['seconds']} s", flush=True)
        found["succeeded"] = all(good(result) for result in found["results"].values())
        results[each.name] = found
        bad |= not found["succeeded"]
        KNOWN.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")
        PAGE.write_text(page(dict(sorted(results.items()))), encoding="utf-8")
    return int(bad)


def good(result: str) -> bool:
    """Return whether a column has no failure."""
    counts = result.partition(" (")[0]
    return counts in {"ok", NOT_OFFERED} or (
        "passed" in counts and "failed" not in counts and "error" not in counts
    )


if __name__ == "__main__":
    sys.exit(main())
